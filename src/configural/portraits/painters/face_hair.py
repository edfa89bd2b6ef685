"""The hair of a synthetic head."""

from dataclasses import dataclass

import numpy as np

from configural.portraits.painters.brush import (
    ROWS,
    Light,
    Noise,
    Outline,
    Plane,
    Planes,
    Rng,
    bell,
    blur,
    draw_hairs,
    fibres,
    fill,
    grid,
    mottle,
    planes,
    signed_depth,
    slopes,
    smooth_outline,
    step,
    symmetric_outline,
)
from configural.portraits.painters.face_sitter import Sitter

_LONG = ("parted", "fringe")
# How far strands stick out over the hair's edge, how soft the edge is, and how long a strand is, in pixels.
_EDGES = {
    "crop": (4.5, 3.0, 26),
    "back": (2.5, 4.0, 110),
    "parted": (0.7, 1.6, 110),
    "fringe": (0.7, 1.8, 110),
    "curly": (1.0, 3.0, 0),
    "buzz": (1.2, 9.0, 0),
}


@dataclass(frozen=True, eq=False)
class Hair:
    """Hair ready to be laid over a head; its rows are those of the image, down to where the hair ends."""

    front: Plane  # how much of each pixel it covers, 0 to 1
    behind: Plane  # the same for the hair that hangs behind the neck
    paint: Planes  # its colour in light
    back_paint: Planes  # colour of the hair behind the neck


def paint_hair(sitter: Sitter, light: Light, face: Plane, rng: Rng) -> Hair | None:
    """Paint the hair around a face, of which is known how much of each pixel it covers; a bald head has none."""
    if sitter.style == "bald":
        return None
    part = sitter.axis + float(rng.choice([-1, 1])) * rng.uniform(0, 50)
    outline = _silhouette(sitter, rng)
    rows, cols = min(ROWS, int(outline[:, 1].max()) + 12), sitter.cols
    y, x = grid(rows, cols)
    # Distances come in whole pixels at the edges; unsmoothed, strands there would break into steps.
    outer = blur(signed_depth(fill(outline, rows, cols)), 1.6)
    inner = -blur(signed_depth(fill(_opening(sitter, part, rng), rows, cols)), 1.6)
    noise = rng.standard_normal((256, 256), dtype=np.float32)
    growth = _growth(sitter, noise, part, outline, inner, outer, rng)
    stick_out, soft, _ = _EDGES[sitter.style]
    back_edge = np.clip(0.5 + (outer + growth.edge) * (0.5 / min(soft, 2.5)), 0, 1)
    front = np.clip(0.5 + (inner + stick_out * growth.ragged) * (0.5 / soft), 0, 1) * back_edge
    depth = np.maximum(inner, 0)
    if sitter.style == "buzz":
        # Scalp shines through, and nothing stands off the head.
        face = face[:rows]
        thin = np.clip(1 - face * (0.2 - 0.12 * growth.streak), 0, 1)
        front = np.minimum(front, np.maximum(face, blur(face, 1.5))) * thin
    if sitter.style == "parted":
        scalp = step(2.2, 0.4, np.abs(x - part + 2 * mottle(rng, rows, cols, 30)))
        scalp = scalp * step(sitter.hairline + 14, sitter.hairline - 2, y)
        front *= 1 - 0.5 * scalp * step(sitter.crown + 8, sitter.crown + 30, y)
    if sitter.style == "fringe":
        fringe, length = _comb_forward(sitter, noise, growth, rng)
        front = np.maximum(front, fringe * back_edge)
        depth += fringe * (length - depth)
    if sitter.style != "buzz":
        front = np.maximum(front, _stray_strands(outline, rows, cols, rng) * (1 - face[:rows]))
    behind = back_edge if sitter.style in _LONG else np.zeros_like(back_edge)
    paint = _lit(sitter, light, growth, depth)
    return Hair(front, behind, paint, planes(sitter.hair) * (0.25 + 0.08 * growth.streak))


@dataclass(frozen=True, eq=False)
class _Growth:
    """How hair grows, pixel by pixel."""

    streak: Plane  # brightness of each strand, about 0
    ragged: Plane  # how far each strand reaches over the hairline, about 0
    edge: Plane  # how far each strand reaches over the outer edge, in pixels
    flow: tuple[Plane, Plane] | None  # slopes of a coordinate across the strands; none on curls and stubble


def _growth(
    sitter: Sitter, noise: Noise, part: float, outline: Outline, inner: Plane, outer: Plane, rng: Rng
) -> _Growth:
    rows, cols = inner.shape
    y, x = grid(rows, cols)
    stick_out, _, length = _EDGES[sitter.style]
    if sitter.style == "curly":
        lumps, curls = mottle(rng, rows, cols, 9), mottle(rng, rows, cols, 5)
        across, along = x + 4 * lumps + 3 * curls, y + 4 * mottle(rng, rows, cols, 9) + 3 * curls
        coils = fibres(noise, across, along, 3.2, 3.2)
        streak = 0.8 * coils + 0.6 * fibres(noise, along, across, 6, 6) + 0.35 * lumps
        ragged = 4 * lumps + 3 * coils
        return _Growth(streak, ragged, 0.6 * ragged, None)
    if sitter.style == "buzz":
        streak = 0.45 * mottle(rng, rows, cols, 1.4) + 0.3 * mottle(rng, rows, cols, 5)
        return _Growth(streak, streak, streak, None)
    if sitter.style in _LONG:
        across, along = _draped(sitter, part, inner, outer, rng)
        streak, ragged = _strands(noise, across, along, length)
        end = float(outline[:, 1].max())  # of a bob, where single strands show
        edge = 3 * mottle(rng, rows, cols, 60) + (0.4 + 1.4 * step(end - 45, end - 10, y)) * ragged
    else:
        across, along = _combed_back(sitter, rows, rng)
        streak, ragged = _strands(noise, across, along, length)
        sides = step(sitter.hairline + 30, sitter.hairline + 75, y)
        ragged *= 1 - 0.75 * sides
        if sitter.style == "crop":  # with its sides clipped short
            clipped = 0.42 * mottle(rng, rows, cols, 1.6) + 0.4 * fibres(noise, x, y, 2.2, 9)
            streak += sides * (clipped - streak)
        edge = 0.6 * stick_out * ragged
    return _Growth(streak, ragged, edge, slopes(blur(across, 2.0)))


def _comb_forward(sitter: Sitter, noise: Noise, growth: _Growth, rng: Rng) -> tuple[Plane, Plane]:
    """Comb hair over the forehead; returns where it covers, and how deep below its tips each pixel lies."""
    rows, cols = growth.streak.shape
    y, x = grid(rows, cols)
    away = x - sitter.axis
    fan = away * (420 / (300 + y))
    falling, tips = _strands(noise, fan + 3 * mottle(rng, rows, cols, 60), y + 0 * x, _EDGES["fringe"][2])
    low = sitter.brow - rng.uniform(12, 34) + 5 * bell(away, 40) + 46 * np.abs(away * (1 / sitter.width)) ** 5
    fringe = step(4, -2, y - low - 6 * tips) * step(12, -12, np.abs(away) - 0.86 * sitter.width - 8 * falling)
    begun = fringe * step(sitter.crown + 5, sitter.crown + 110, y)
    growth.streak[:] += begun * (falling - growth.streak)
    if growth.flow is not None:
        for old, new in zip(growth.flow, (1.0, -away / (300 + y)), strict=True):
            old += begun * (new - old)
    return fringe, 0.6 * np.maximum(low - y + 8, 0)


def _silhouette(sitter: Sitter, rng: Rng) -> Outline:
    """Outline of the whole hair."""
    w, top = sitter.width, sitter.crown
    if sitter.style in _LONG:
        puff = rng.uniform(16, 34)
        side = [(0.5 * w, top + 8), (0.84 * w, top + 44), (w + puff * 0.5, 140), (w + puff, 240)]
        if rng.random() < 0.35:  # a bob
            end = rng.uniform(405, 450)
            side += [(w + puff * 1.1, 320), (w + puff * 0.9, end - 30)]
            side += [(w * 0.84, end), (0.5 * w, end + 4), (0, end)]
        else:
            hanging = ((1.1, 330), (1.2, 420), (1.1, 520))
            side += [(w + puff * scale + rng.normal(0, 5), row) for scale, row in hanging]
            side += [(w * 0.7, 640), (0, 700)]
    elif sitter.style == "curly":
        puff = rng.uniform(16, 34)
        side = [(0.5 * w, top + 2), (0.9 * w + puff * 0.4, top + 42), (w + puff, 140), (w + puff * 0.9, 215)]
        side += [(w + 4, 262), (w - 12, 280), (0, 330)]
    else:
        puff = {"crop": rng.uniform(5, 12), "back": rng.uniform(2, 6), "buzz": 3.0}[sitter.style]
        side = [(0.5 * w, top + 10), (0.84 * w + puff * 0.3, top + 52), (0.975 * w + puff, 150)]
        side += [(w + puff * 0.9, 215), (w + 1, 252 + rng.normal(0, 4)), (w - 12, 270), (0, 330)]
    return symmetric_outline(sitter.axis, [(0, top), *side])


def _opening(sitter: Sitter, part: float, rng: Rng) -> Outline:
    """Outline of where the hair leaves the face, and with long hair neck and shoulders, free."""
    a, w, line = sitter.axis, sitter.width, sitter.hairline
    if sitter.style in _LONG:
        low = rng.uniform(0.80, 0.93, 2) * w
        points = [(part, line - 10.0)]
        for side, hang in zip((1, -1), low, strict=True):
            half = [(0.55 * w, line + 22), (0.84 * w, 170), (0.905 * w, 240), (hang, 330), (hang * 0.8, 420)]
            half += [(hang * 0.78, 520)]
            points += [(a + side * away, row) for away, row in (half if side > 0 else half[::-1])]
            if side > 0:
                points.append((a, 700.0))
        return smooth_outline(points)
    recede, burn = rng.uniform(-6, 22) * (0.4 + sitter.manly), rng.uniform(250, 280)
    half = [(0, line), (0.36 * w, line + 2 - recede * 0.6), (0.62 * w, line + 20 - recede * 0.3), (0.81 * w, 162)]
    half += [(0.85 * w, 205), (0.92 * w, burn - 18), (1.02 * w, burn + 6), (1.2 * w, burn + 60), (0, 600)]
    return symmetric_outline(a, half)


def _strands(noise: Noise, across: Plane, along: Plane, length: float) -> tuple[Plane, Plane]:
    """Brightness of strands that follow a flow, and how far each reaches over the edge."""
    # Each strand starts its brighter and darker stretches elsewhere, or they would line up as bands.
    along = along + 9 * across
    fine = fibres(noise, across, along, 1.6, length)
    locks = fibres(noise, across + 77, along, 4.2, length * 1.4)
    streak = 0.55 * fine + 0.5 * locks + 0.28 * fibres(noise, across + 31, along, 13, length * 2)
    return streak, 0.8 * fine + 0.9 * locks


def _draped(sitter: Sitter, part: float, inner: Plane, outer: Plane, rng: Rng) -> tuple[Plane, Plane]:
    """Flow of long hair: from the parting along the hair's two edges down to the shoulders."""
    rows, cols = inner.shape
    y, x = grid(rows, cols)
    inside, outside = np.maximum(inner, 0), np.maximum(outer, 0)
    turn = np.arctan2(x - sitter.axis, np.maximum(300 - y, 20))
    along = 170 * turn * np.sign(x - part) + np.maximum(y - 300, 0)
    across = inside / (inside + outside + 1e-3) * 90 + 1.5 * mottle(rng, rows, cols, 55)
    across += 26 * np.exp(-np.abs(x - part) / 30) + 300 * (x > part)
    wave = np.sin(along / rng.uniform(24, 36) + 1.2 * mottle(rng, rows, cols, 70)) * step(0, 150, along)
    return across + rng.uniform(0, 3) * wave, along


def _combed_back(sitter: Sitter, rows: int, rng: Rng) -> tuple[Plane, Plane]:
    """Flow of short hair: away from the face on all sides, with a lean to one side."""
    y, x = grid(rows, sitter.cols)
    lean = rng.normal(0, 1)
    from_x, from_y = x - sitter.axis - lean * 14, y - 230
    away = np.hypot(from_x, from_y)
    bend, mess = (0.5, 4.5) if sitter.style == "crop" else (0.1, 3.0)
    warp = mottle(rng, rows, sitter.cols, 55)
    across = 150 * np.arctan2(from_x, -from_y) + bend * lean * (away - 100) + mess * warp
    return across, away + 6 * warp


def _stray_strands(outline: Outline, rows: int, cols: int, rng: Rng) -> Plane:
    """Single hairs that leave the silhouette."""
    middle = outline.mean(axis=0)
    count = 18
    start = rng.choice(np.flatnonzero(outline[:, 1] < 320), 34)
    places = outline[(start[:, None] + np.arange(count)) % len(outline)]
    away = np.linspace(-2, rng.uniform(0, 7, len(start)), count, axis=1)
    flip = rng.random(len(start)) < 0.5
    away[flip] = away[flip, ::-1]
    out = (places - middle) / np.linalg.norm(places - middle, axis=2, keepdims=True)
    return draw_hairs(places + out * away[..., None], rng.integers(50, 130, len(start)), rows, cols)


def _lit(sitter: Sitter, light: Light, growth: _Growth, depth: Plane) -> Planes:
    """Colour of the hair in light: Kajiya and Kay's model along strands, or plain light on curls and stubble.

    It is darker where it begins: `depth` is the distance from the hairline in pixels.
    """
    streak, flow = growth.streak, growth.flow
    y, x = grid(*streak.shape)
    right = np.clip((x - sitter.axis) * (1 / (1.2 * sitter.width)), -0.95, 0.95)
    down = np.clip((y - 250) * (1 / 262), -0.95, 0.3)
    front = np.sqrt(np.maximum(1 - right * right - down * down, 0.05))
    lx, ly, lz = light.direction
    facing = right * lx + down * ly + front * lz
    colour = planes(sitter.hair)
    if flow is None:
        lum = light.room + (1 - light.room) * np.maximum(facing * 0.8 + 0.2, 0)
        shine = 0.02 * np.maximum(streak - 0.3, 0) * np.square(np.square(np.maximum(facing, 0)))
        return colour * (lum * np.clip(0.75 + 0.4 * streak, 0.12, 2)) + shine
    # The strand's direction, laid onto the round of the head.
    tx, ty = -flow[1], flow[0]
    tz = -(right * tx + down * ty) / front
    length = 1 / np.sqrt(tx * tx + ty * ty + tz * tz + 1e-6)
    to_lamp = (tx * lx + ty * ly + tz * lz) * length + 0.06 * streak
    half = float(np.sqrt(2 + 2 * lz))
    to_half = (tx * lx + ty * ly + tz * (lz + 1)) * length * (1 / half) + 0.10 * streak
    lum = np.sqrt(np.maximum(1 - to_lamp * to_lamp, 0)) * np.clip(0.35 + facing, 0, 1.2)
    lum = (light.room + (1 - light.room) * lum) * np.clip(0.85 + 0.42 * streak, 0.15, 2.2)
    lum *= 0.5 + 0.5 * step(0, 28, depth)
    glint = np.maximum(1 - to_half * to_half, 0) ** 2
    glint4 = glint * glint
    gloss = np.clip(0.6 + 0.5 * streak, 0, 2) * step(0, 18, depth) * glint4
    sheen = 0.05 * gloss * ((glint4 * glint4) ** 2) * front
    return colour * (lum + 0.6 * gloss) + sheen
