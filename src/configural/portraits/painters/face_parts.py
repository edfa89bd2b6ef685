"""Eyes, nose and mouth of a synthetic head, painted over its canvas within their masks."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32

from configural.objects import FACE
from configural.portraits.painters.brush import (
    Across,
    Colour,
    Down,
    Field,
    Light,
    Plane,
    Planes,
    Rng,
    Segmentation,
    Values,
    bell,
    blur,
    draw_hairs,
    enlarge,
    fibres,
    grid,
    linear,
    palette,
    planes,
    shrink,
    slopes,
    step,
)
from configural.portraits.painters.face_sitter import Sitter

_EYE = 3, 52, 80  # samples per pixel and side of an eye's box, its rows and columns

_Painted = tuple[tuple[slice, slice], Bool[np.ndarray, "high wide"]]
"""A box of the image, and where in it the part is."""

# The bright and the deep colour of irises: dark, brown, hazel, green, blue, grey.
_BRIGHT = palette("382318 5c3922 705834 64684e 6a7c8c 7c8488")
_DEEP = palette("221610 382215 4c3a24 424838 3e4e62 4e5860")


def paint_parts(
    canvas: Planes, stubble: Plane, sitter: Sitter, light: Light, rng: Rng
) -> tuple[Planes, Segmentation]:
    """The canvas with the four parts painted in, and their masks as a segmentation.

    Where `stubble` lies on the canvas, and how thick, matters to the lips, which have none.
    """
    portrait = canvas.copy()
    segmentation = np.zeros(canvas.shape[1:], np.uint8)
    eyes = _Eyes.draw(sitter, rng)
    painted = {
        "left_eye": _paint_eye(portrait, -1, eyes, sitter, light, rng),
        "right_eye": _paint_eye(portrait, 1, eyes, sitter, light, rng),
        "nose": _paint_nose(portrait, sitter, light, rng),
        "mouth": _paint_mouth(portrait, stubble, sitter, light, rng),
    }
    for kind, (box, inside) in painted.items():
        segmentation[box][inside] = 1 + FACE.index(kind)
    return portrait, segmentation


@dataclass(frozen=True)
class _Eyes:
    """What a sitter's two eyes have in common, in pixels where it is a length."""

    half: float
    up: float
    low: float
    tilt: float
    fold: float
    crease: float
    gaze: tuple[float, float]
    lashes: float
    bright: Colour
    deep: Colour

    @classmethod
    def draw(cls, sitter: Sitter, rng: Rng) -> "_Eyes":
        dark = sitter.tone > 0.42 or max(sitter.hair) < 0.012
        odds = (0.7, 0.3, 0, 0, 0, 0) if dark else (0.1, 0.3, 0.15, 0.15, 0.2, 0.1)
        iris = rng.choice(len(_BRIGHT), p=odds)
        return cls(
            half=float(np.clip(rng.normal(27.4, 1.5), 24.5, 30)),
            up=float(np.clip(rng.normal(9.8, 1.1), 7.6, 12.0)),
            low=float(np.clip(rng.normal(8.2, 0.7), 6.8, 9.6)),
            tilt=rng.normal(1.0, 1.2),
            fold=float(np.clip(rng.normal(6.0, 1.5), 3.2, 8.6)),
            crease=float(np.clip(rng.normal(0.55, 0.16), 0.2, 0.85)),
            gaze=(rng.normal(0, 0.3), rng.normal(-1.3, 0.3)),
            lashes=float(np.clip(rng.normal(1.05 - 0.55 * sitter.manly, 0.2), 0.3, 1.4)),
            bright=tuple(linear(_BRIGHT[iris]).tolist()),
            deep=tuple(linear(_DEEP[iris]).tolist()),
        )


def _upper_lid(place: Values, height: float) -> Values:
    """Row of the upper lid's edge, from -1 at the inner to 1 at the outer corner; highest inwards of the middle."""
    return -height * (1 - np.abs(np.clip(place + 0.12 * (1 - place * place), -1, 1)) ** 2.2)


def _lower_lid(place: Values, height: float) -> Values:
    """Row of the lower lid's edge; lowest outwards of the middle."""
    return height * (1 - np.abs(np.clip(place - 0.18 * (1 - place * place), -1, 1)) ** 2.1)


def _paint_eye(portrait: Planes, side: int, eyes: _Eyes, sitter: Sitter, light: Light, rng: Rng) -> _Painted:
    scale, rows, cols = _EYE
    a, up, low = (size + rng.normal(0, 0.25) for size in (eyes.half, eyes.up, eyes.low))
    tilt, fold = eyes.tilt, eyes.fold
    col, row = sitter.axis + side * sitter.eye_gap + rng.normal(0, 0.8), sitter.eye + rng.normal(0, 0.8)
    top, left = int(row) - rows // 2, int(col) - cols // 2
    y, x = grid(rows, cols, top, left, scale)
    y, x = y - row, x - col
    m = x * (side / a)  # -1 at the inner, 1 at the outer corner
    inner = np.clip(m, -1, 1)
    rest = 0.8 - tilt * inner + 1.4 * step(-0.72, -1.0, m)
    upper, lower = _upper_lid(inner, up) + rest, _lower_lid(inner, low) + rest
    below, above = y - upper, lower - y  # inside the opening where both are positive
    box = np.s_[top : top + rows, left : left + cols]
    skin = enlarge(portrait[:, *box], scale)
    paint = skin * np.exp(-planes((0.95, 1.12, 1.15)) * _lid_shade(eyes, m, y, upper, below, -above))
    eye = _eyeball(eyes, a, x, y, m, below, above, side, float(np.median(skin[0])), light, rng)
    opening = step(-0.5, 0.5, np.minimum(below, above)) * step(1.01, 0.985, np.abs(m))
    paint += opening * (eye - paint)
    lash = _lashes(eyes, a, up, low, side, (col - left, row - top), rng)
    thick = 1.25 + 0.7 * eyes.lashes * (0.3 + 0.7 * step(-1, 0.6, m))
    rim = np.clip(1.2 - np.abs(below + 0.3) / thick, 0, 1) * step(-1.0, -0.8, m) * step(1.06, 0.97, m)
    low_rim = np.clip(1 - np.abs(above + 0.5), 0, 1) * step(-0.8, 0.3, m) * step(1.05, 0.95, m)
    lash = np.maximum(np.maximum(lash, 0.92 * rim), 0.4 * low_rim)
    ink = np.minimum(planes((0.014, 0.010, 0.009)) + 0.12 * planes(sitter.hair), 0.06)
    paint += lash * (ink - paint)
    # The mask holds lids and lashes; the paint fades out before its edge.
    high, deep = -up - fold - 1.8, low + 5.0
    from_middle = (y - (high + deep) / 2 - 0.8 + tilt * 0.6 * inner) * (2 / (deep - high))
    reach = np.abs((m - 0.015) / (1 + 4.8 / a)) ** 2.6 + np.abs(from_middle) ** 2.6
    return box, _merge(portrait[:, *box], paint - skin, reach, 0.66)


def _merge(
    box: Planes,
    change: Float[np.ndarray, "3 fine_rows fine_cols"],
    reach: Float[np.ndarray, "fine_rows fine_cols"],
    full: float,
) -> Bool[np.ndarray, "rows cols"]:
    """Add a change to the image where `reach` is below 1, at full strength where it is below `full`; says where."""
    rows, cols = box.shape[1:]
    inside = shrink(reach < 1, rows, cols) > 0.5
    weight = step(1.0, full, reach)
    for plane, amount in zip(box, change, strict=True):
        plane += shrink(weight * amount, rows, cols) * inside
    return inside


def _lid_shade(eyes: _Eyes, m: Across, y: Down, upper: Across, below: Field, under: Field) -> Field:
    """Darkness of the skin around the opening: fold, lid, inner hollow and the bag below."""
    place = np.clip(m, -1.15, 1.25)
    lid = 1 - 0.5 * np.clip(-place, 0, 1.2) ** 1.6 - 0.15 * np.clip(place, 0, 1.3) ** 2
    lid = np.clip(lid, 0.25, 1) * eyes.fold
    beside = 0.8 - eyes.tilt * place + 1.4 * (m < 0) + 4.0 * np.clip(np.abs(m) - 1, 0, 1)
    fold = y - np.where(np.abs(m) < 1, upper, beside) + lid
    span = step(-1.2, -0.75, m) * step(1.28, 0.9, m)
    soft = 0.30 * bell(np.minimum(fold, 0), 2.6) * bell(np.maximum(fold, 0), 2.0)
    dark = eyes.crease * span * (0.55 * bell(fold, 1.0) + soft)
    plate = span * step(0, 2, fold) * step(0.5, -1.5, below)
    dark += plate * (0.14 - 0.16 * bell(below + lid * 0.55, 1.6))
    edge = 0.4 * bell(np.minimum(below + 0.3, 0), 1.7) * step(2, 0, below)
    dark += edge * step(-1.1, -0.7, m) * step(1.2, 0.9, m)
    dark += 0.24 * bell(m + 1.12, 0.2) * bell(y + 2, 8) + 0.07 * step(8, -6, y)
    bag = 0.20 * bell(under - 1.2, 1.3) - 0.05 * bell(under - 4, 1.5) + 0.15 * bell(under - 6.5, 2.2)
    return dark + bag * step(-1, 0.5, under) * step(1.12, 0.75, np.abs(m))


def _eyeball(
    eyes: _Eyes,
    a: float,
    x: Across,
    y: Down,
    m: Across,
    below: Field,
    above: Field,
    side: int,
    skin: float,
    light: Light,
    rng: Rng,
) -> Float[np.ndarray, "3 rows cols"]:
    lum = float(np.clip(0.42 + 0.62 * skin, 0.5, 0.92))  # the eye is as well lit as the skin around it
    noise = rng.standard_normal((64, 64), dtype=np.float32)
    ball = np.minimum((x * x + (y - 0.5) ** 2) / (a * a), 1.3)
    veins = np.clip(fibres(noise, x * 0.12 + 3, y + x * 0.2, 1.0, 1.6), 0, 1) * np.minimum(np.abs(m), 1)
    eye = planes((0.60, 0.555, 0.52)) * lum * np.exp(-planes((0.55, 0.75, 0.8)) * ball)
    eye *= 1 - planes((0.02, 0.10, 0.09)) * veins
    radius = 0.418 * a
    right, down = (x - (eyes.gaze[0] - 0.3 * side)) / radius, (y - eyes.gaze[1]) / radius
    far, turn = np.hypot(right, down), np.arctan2(down, right) * (64 / 2 / np.pi)
    rays = fibres(noise, turn, far, 1.0, 0.7) + 0.6 * fibres(noise, turn, far + 9, 2.0, 0.5)
    mix = np.clip(0.45 + 0.26 * rays + 0.4 * bell(far - 0.52, 0.13) - 0.25 * step(0.62, 0.85, far), 0, 1.4)
    iris = planes(eyes.deep) + mix * (planes(eyes.bright) - planes(eyes.deep))
    lx, ly, _ = light.direction
    iris *= lum * 1.15 * (1 + 0.4 * np.clip(-right * lx - down * ly, -0.6, 1))  # light gathers opposite the lamp
    iris *= (1 - 0.75 * step(0.74, 1.0, far)) * (0.03 + 0.97 * step(0.36, 0.42, far))
    eye += step(1.07, 0.91, far) * (iris - eye)
    eye += 0.75 * step(-0.80, -0.93, m) * (planes((0.36, 0.19, 0.165)) * lum - eye)
    eye *= (1 - 0.66 * bell(np.maximum(below, 0), 2.9)) * (1 - 0.2 * bell(np.maximum(above, 0), 1.2))
    eye += 0.5 * bell(above - 0.2, 0.65) * step(0.97, 0.7, np.abs(m)) * (planes((0.44, 0.29, 0.25)) * lum - eye)
    lamp = step(0.2, 0.09, np.hypot(right - lx * 0.55, down - ly * 0.62 + 0.02))
    room = step(0.45, 0.1, np.hypot(right + lx * 0.5, down + ly * 0.4))
    return eye + 0.8 * lamp * (0.9 - eye) + 0.025 * room


def _lashes(
    eyes: _Eyes, a: float, up: float, low: float, side: int, middle: tuple[float, float], rng: Rng
) -> Plane:
    scale, rows, cols = _EYE
    count = int(36 + 24 * eyes.lashes)
    place = np.linspace(-0.86, 1.0, count) + rng.normal(0, 0.015, count)
    rest = 0.8 - eyes.tilt * place + 1.4 * step(-0.72, -1.0, place)
    long = (2.0 + 3.2 * eyes.lashes * (0.35 + 0.325 * (place + 1))) * rng.uniform(0.7, 1.1, count)
    upper = (place, _upper_lid(place, up) + rest, 90 - 55 * place + rng.normal(0, 7, count), long)
    short = rng.uniform(1.4, 2.6, count) * eyes.lashes
    lower = (place, _lower_lid(place, low) + rest + 0.6, -90 + 40 * place + rng.normal(0, 9, count), short)
    shades = rng.integers(110, 210, count), rng.integers(40, 100, count)
    covered = []
    for (places, roots, angles, lengths), shade, some in zip(
        (upper, lower), shades, (np.s_[:], np.s_[count // 3 :: 2]), strict=True
    ):
        away_x, away_y = np.cos(np.deg2rad(angles)) * lengths, np.sin(np.deg2rad(angles)) * lengths
        hairs_x = side * np.stack([places * a, places * a + 0.5 * away_x, places * a + away_x], 1) + middle[0]
        hairs_y = np.stack([roots, roots - 0.42 * away_y, roots - away_y], 1) + middle[1]
        covered.append(draw_hairs(np.stack([hairs_x, hairs_y], -1)[some], shade[some], rows, cols, scale))
    return blur(np.maximum(*covered), 1.0)


def _relit(light: Light, relief: Plane, bump: Plane) -> tuple[Planes, Plane]:
    """How much brighter a bump on a relief makes it per channel, and the highlight it adds."""
    right, down = slopes(relief)
    bump_right, bump_down = slopes(bump)
    before, shine_before = light.on(right, down)
    after, shine_after = light.on(right + bump_right, down + bump_down)
    return after / np.maximum(before, 0.2), shine_after - shine_before


def _middle_face(
    sitter: Sitter, y: Float32[np.ndarray, "#rows #cols"], x: Float32[np.ndarray, "#rows #cols"]
) -> Plane:
    """The middle of the face as a wide bowl."""
    return -0.0016 * (x - sitter.axis) ** 2 - 0.0006 * (y - 270) ** 2


def _paint_nose(portrait: Planes, sitter: Sitter, light: Light, rng: Rng) -> _Painted:
    top, base = sitter.eye - 5 + rng.normal(0, 2), sitter.nose
    half = float(np.clip(27.5 + 4.5 * sitter.tone + 2.2 * sitter.manly + rng.normal(0, 2.0), 24.5, 38))
    axis = sitter.axis + rng.normal(0, 1.2)
    edge, bottom = half + 5.0, base + 7
    box_top, box_left = int(top) - 3, int(axis - edge - 3)
    rows, cols = int(bottom) + 4 - box_top, int(axis + edge + 4) - box_left
    y, x = grid(rows, cols, box_top, box_left)
    v = (y - top) * (1 / (base - top))
    dx = x - axis
    # Half the mask's width, row by row.
    bridge = rng.uniform(17, 19.5)
    rows_at = [0, 0.08, 0.2, 0.5, 0.66, 0.78, 0.88, 0.97, 1.03, 1.08]
    widths = [
        0.72 * bridge,
        0.92 * bridge,
        bridge,
        1.2 * bridge,
        *(edge * share for share in (0.76, 0.96, 1, 0.94, 0.74, 0.45)),
    ]
    outline = np.interp(v[:, 0], rows_at, widths)
    window = np.hanning(15) / np.hanning(15).sum()
    u = dx / np.convolve(np.pad(outline, 7, mode="edge"), window, "valid")[:, None].astype(np.float32)
    # Relief: the ridge, the tip, the wings, the septum.
    tall = rng.uniform(0.9, 1.25) * (1 - 0.2 * sitter.tone)
    ridge = np.interp(v[:, 0], [-0.05, 0.12, 0.3, 0.55, 0.78, 0.9, 1.0], [0, 1.2, 4.6, 9.0, 11.0, 6.5, 0])
    ridge = tall * blur(ridge[:, None].astype(np.float32), 4.0)
    narrow = np.interp(v[:, 0], [0, 0.6, 0.85], [1.0, 0.92, 0.66])[:, None].astype(np.float32)
    bump = ridge * np.maximum(1 - (u / narrow) ** 2, 0) ** 2
    bump += 9.5 * tall * bell(dx, rng.uniform(11, 13.5)) * bell(y - (base - 15), 8.5)
    wing = half - 8.5
    bump += 6.0 * bell(np.abs(dx) - wing, 6.6) * bell(y - (base - 11), 7.0)
    bump += 3.0 * bell(dx, 4.2) * bell(y - (base - 4), 4.5)
    bump *= step(1.0, 0.78, np.abs(u)) * step(-0.04, 0.2, v)
    gain, shine = _relit(light, _middle_face(sitter, y, x), bump)
    gain = np.where(gain < 1, 0.42 + 0.58 * gain ** np.float32(1.3), gain)
    gain += 0.6 * sitter.tone * (gain.mean(axis=0) - gain)  # dark skin lets less red light through
    # Nostrils, creases behind the wings, and what lies in the nose's shadow.
    wide, tall_hole = float(np.clip(half / 29, 0.85, 1.25)) * rng.uniform(0.92, 1.05), rng.uniform(0.85, 1.15)
    hole_x, hole_y = np.abs(dx) - 10.8 * wide, y - (base - 2.6)
    slant = hole_y - hole_x * 0.16 + 0.02 * hole_x * hole_x
    hole = np.exp(-((hole_x / (6.2 * wide)) ** 4) - (slant / np.where(slant < 0, 1.9, 2.2) / tall_hole) ** 2)
    dark = 2.1 * hole + 0.35 * np.exp(-((hole_x / 9) ** 2) - (slant / 4.5) ** 2)
    wing_x, wing_y = np.abs(dx) - wing, y - (base - 11)
    around, turn = np.hypot(wing_x, wing_y / 1.05), np.arctan2(wing_y, wing_x)
    dark += 0.09 * bell(around - 10.6, 1.8) * step(-1.4, -0.2, turn) * step(1.1, 0.3, turn)
    dark += 0.16 * bell(around - 11.5, 3.6) * step(-2.1, -0.8, turn) * step(1.5, 0.5, turn)
    dark += 0.10 * bell(around - 10, 2.4) * step(-2.9, -2.2, turn) * step(-1.0, -1.6, turn)
    dark += 0.12 * bell(np.abs(u) - 0.62, 0.26) * step(0.0, 0.3, v) * step(0.78, 0.4, v)
    dark += 0.30 * bell(y - (base + 1.2) + 2.2 * (dx / half) ** 2, 2.6) * np.exp(-((dx / (half * 0.72)) ** 4))
    cast = np.exp(-(((dx + light.direction[0] * 10) / (half * 0.7)) ** 4))
    dark += 0.30 * min(1.0, -light.direction[1] * 2.2) * bell(y - (base + 2), 5) * cast
    red = 0.10 * bell(y - (base - 16), 14) * np.exp(-((dx / half) ** 2)) * (1 - 0.6 * sitter.tone)
    weight = step(1.0, 0.82, np.abs(u)) * step(-0.03, 0.15, v) * step(bottom, base + 1.0, y)
    box = np.s_[box_top : box_top + rows, box_left : box_left + cols]
    highlight = rng.uniform(0.05, 0.13) * (1 - 0.5 * sitter.tone) * np.maximum(shine, 0) * np.exp(-2 * dark)
    for plane, brighter, (by_dark, by_red) in zip(
        portrait[:, *box], gain, ((0.88, 0.1), (1.1, 1.0), (1.16, 0.9)), strict=True
    ):
        painted = plane * brighter * np.exp(-by_dark * dark - by_red * red) + highlight
        plane += weight * (painted - plane)
    return box, (np.abs(u) < 1) & (v > -0.04) & (y < bottom)


def _paint_mouth(portrait: Planes, stubble: Plane, sitter: Sitter, light: Light, rng: Rng) -> _Painted:
    scale, margin = 2, 5.0
    axis, row = sitter.axis + rng.normal(0, 1.2), sitter.mouth
    half = float(np.clip(47 + rng.normal(0, 3.2) + 2 * sitter.manly, 40, 56))
    full = float(np.clip(1 + 0.18 * sitter.tone - 0.13 * sitter.manly + rng.normal(0, 0.08), 0.78, 1.2))
    top, left, rows, cols = int(row - 30), int(axis - half - 12), 64, int(2 * half) + 24
    y, x = grid(rows, cols, top, left, scale)
    y, x = y - row - rng.normal(0, 0.012) * (x - axis), x - axis
    X = x * (1 / half)
    A = np.minimum(np.abs(X), 1)
    # Rows of the line between the lips, and the lips' heights above and below it.
    line = rng.uniform(0.3, 1.1) * (bell(X, 0.2) - 0.8 * bell(A - 0.42, 0.22))
    line = line - rng.normal(2.0, 1.2) * A**2.4 + 0.6 * A
    bow = rng.uniform(0.08, 0.2)
    upper = 10.5 * full * (1 - A**1.7) ** 0.9 * (1 + bow * bell(A - 0.2, 0.12) - 1.15 * bow * bell(X, 0.09))
    lower = 15.0 * full * (1 - A**2) ** 0.72 * (1 - 0.05 * bell(X, 0.3))
    up = line - y
    ends = step(1.0, 0.95, np.abs(X))
    lips = step(-0.9, 1.2, upper - up) * step(-0.5, 0.5, up)
    lips = np.maximum(lips, step(-1.6, 1.8, lower + up) * step(0.5, -0.5, up)) * ends
    rise_up, rise_low = (np.clip(up / np.maximum(upper, 0.3), 0, 1), np.clip(-up / np.maximum(lower, 0.3), 0, 1))
    upper_bump = 2.2 * np.sin(np.pi * rise_up**0.8) + 0.8 * rise_up
    bump = np.where(up > 0, upper_bump, 3.4 * np.sin(np.pi * rise_low**0.85))
    noise = rng.standard_normal((128, 128), dtype=np.float32)
    bent = x + 0.4 * X * np.abs(up)
    wrinkle = fibres(noise, bent, y, 1.8, 12) + 0.8 * fibres(noise, bent + 40, y, 4.0, 22)
    wrinkle *= lips
    relief = blur(np.asarray(bump * (1 - A**2.5) * scale, np.float32), 2.4) + np.float32(0.045 * scale) * wrinkle
    gain, shine = _relit(light, scale * _middle_face(sitter, y + row, x + sitter.axis), relief)
    gain = 0.3 * gain + 0.7 * gain.mean(axis=0)
    tint = np.array([0.88, 0.62, 0.63]) ** (rng.uniform(0.6, 1.15) * (1 - 0.25 * sitter.tone))
    tint *= 1 - 0.12 * sitter.tone
    lipstick = float(rng.random() < 0.35 and sitter.manly < 0.5)
    tint *= 1 - lipstick * np.array([0.0, rng.uniform(0.25, 0.55), rng.uniform(0.15, 0.45)])
    # Darkness: the line, its surroundings, the corners, and the shadow of the lower lip.
    dark = 1.35 * bell(up + 0.1, 0.8) * step(1.02, 0.9, np.abs(X)) * (0.85 + 0.15 * A)
    dark += 0.32 * bell(up + 0.3, 2.4) * step(1.04, 0.8, np.abs(X)) + 0.10 * lips * (up > 0)
    dark += 0.55 * bell(np.abs(X) - 0.985, 0.03) * bell(up, 1.8)
    dark += 0.22 * (1 - lips) * bell(-up - lower - 3.0, 2.8) * np.exp(-((X / 0.6) ** 4))
    rim = 1 + 0.05 * bell(up - upper - 1.2, 1.0) * (1 - lips) * ends + 0.03 * wrinkle
    gloss = (rng.uniform(0.05, 0.13) + 0.05 * lipstick) * (1 - 0.5 * sitter.tone)
    highlight = gloss * lips * np.maximum(shine, 0) * (1 + 0.4 * wrinkle)
    box = np.s_[top : top + rows, left : left + cols]
    skin = enlarge(portrait[:, *box], scale)
    shaven = lips * cv2.resize(stubble[box], None, fx=scale, fy=scale)
    paint = skin * np.exp(planes((1.1, 1.0, 0.85)) * shaven - planes((0.95, 1.2, 1.2)) * dark)
    paint = paint * (1 + lips * (planes(tint) - 1)) * gain * rim + highlight
    reach = np.maximum(np.where(up > 0, up / (upper + margin), -up / (lower + margin + 2)), 0) ** 2.2
    reach = reach + np.clip((np.abs(x) - half + margin) * (0.5 / margin), 0, 2) ** 2
    return box, _merge(portrait[:, *box], paint - skin, reach, 0.7)
