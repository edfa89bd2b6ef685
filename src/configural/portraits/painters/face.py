"""Drawn portraits in the likeness of photographs, with exact part masks."""

import numpy as np

from configural.portraits.library import Exemplar
from configural.portraits.painters.brush import (
    ROWS,
    Across,
    Down,
    Light,
    Outline,
    Plane,
    Planes,
    Rng,
    bell,
    blur,
    cover,
    draw_hairs,
    fibres,
    fill,
    grid,
    linear,
    mottle,
    palette,
    photographed,
    planes,
    shifted,
    shrink,
    signed_depth,
    slopes,
    smooth_outline,
    step,
    symmetric_outline,
)
from configural.portraits.painters.face_hair import Hair, paint_hair
from configural.portraits.painters.face_parts import paint_parts
from configural.portraits.painters.face_sitter import Sitter

_GOLDEN = 0.6180339887498949
_WALLS = palette("c6c8c8 b0bcc6 cec4b2 787c80")
_CLOTHES = palette("282a30 40465c bababc 782428 3c5450 5e544a 8c8c96 1c1c1e")


def paint_face(seed: int, index: int) -> Exemplar:
    """Paint one head, 512 rows by 354 to 408 columns; the same seed and index give the same bytes.

    The canvas is the same painting without eyes, nose and lips; outside the parts' masks they are equal.

    Args:
        seed: 0 or more.
        index: The head's position among those of the seed, 0 or more.
    """
    rng = np.random.default_rng([seed, index])
    # The golden ratio spreads the skin tones of any number of first heads evenly.
    tone = (np.random.default_rng(seed).random() + index * _GOLDEN) % 1
    sitter, light = Sitter.draw(rng, tone), Light.draw(rng)
    canvas, stubble = _paint_canvas(sitter, light, rng)
    portrait, segmentation = paint_parts(canvas, stubble, sitter, light, rng)
    # Few people hold their head quite upright.
    shown, bare, segmentation = photographed(portrait, canvas, segmentation, sitter.axis, 1.1, 2.5, rng)
    return Exemplar.cut(f"synthetic/{index:02d}", shown, segmentation=segmentation, canvas=bare)


def _paint_canvas(sitter: Sitter, light: Light, rng: Rng) -> tuple[Planes, Plane]:
    """Paint everything but the four parts, and say how thick the stubble is."""
    shape = _face_outline(sitter)
    face = fill(shape, ROWS, sitter.cols)
    hair = paint_hair(sitter, light, face, rng)
    image = _wall(sitter, light, rng)
    if hair is not None:
        cover(image[:, : len(hair.front)], hair.back_paint, hair.behind)
    _paint_neck(image, sitter, light, rng, face)
    _paint_clothes(image, sitter, light, rng)
    if sitter.style not in ("parted", "fringe"):
        _paint_ears(image, sitter, light, rng)
    stubble = _paint_face(image, sitter, light, rng, face, shape, hair)
    _paint_brows(image, sitter, rng)
    if hair is not None:
        cover(image[:, : len(hair.front)], hair.paint, hair.front)
    for plane in image:
        plane[:] = blur(plane, 0.45)
    return image, blur(stubble, 0.45)


def _face_outline(sitter: Sitter) -> Outline:
    """From the top of the skull to the chin, and back."""
    top, chin, jaw, tip = sitter.crown + 8, sitter.chin, sitter.jaw, sitter.tip
    upper, cheeks = [0.0, 0.41, 0.73, 0.925, 0.975, 1.0, 0.97], [0.39 + 0.56 * jaw, jaw * 0.89]
    lower = [0.50 * jaw + 0.50 * tip + 0.03, tip * 1.14, tip * 0.60, 0.0]
    rows = [top, top + 9, top + 46, 132, 190, 250, 305, 352, 390, chin - 44, chin - 17, chin - 3, chin + 1]
    widths = [sitter.width * share for share in upper + cheeks + lower]
    return symmetric_outline(sitter.axis, list(zip(widths, rows, strict=True)))


def _wall(sitter: Sitter, light: Light, rng: Rng) -> Planes:
    y, x = grid(ROWS, sitter.cols)
    colour = linear(rng.uniform(0.85, 1.12) * _WALLS[rng.choice(4, p=[0.4, 0.25, 0.2, 0.15])])
    fall = step(-0.5, 1.2, y * (rng.uniform(0.4, 1) / ROWS) - (x / sitter.cols - 0.5) * light.direction[0])
    return planes(colour) * (1 - 0.16 * fall + 0.012 * mottle(rng, ROWS, sitter.cols, 90))


def _paint_neck(image: Planes, sitter: Sitter, light: Light, rng: Rng, face: Plane) -> None:
    top = 296  # nothing of the neck is seen above
    rows, cols = ROWS - top, sitter.cols
    y, x = grid(rows, cols, top)
    w = _neck_width(sitter)
    side = [(0, 300), (w, 330), (0.97 * w, 420), (w, 462), (1.25 * w, 500), (1.8 * w, 540), (0, 600)]
    shape = fill(symmetric_outline(sitter.axis, side) - (0, top), rows, cols)
    away = x - sitter.axis
    round_ = np.clip(away / (w * 1.25), -0.97, 0.97)
    right = 0.9 * round_ / np.sqrt(1 - round_ * round_) + 0 * y
    for sign in (-1, 1):  # the muscle from behind the ear to the collarbone
        cord = away - sign * (0.72 * w - (y - 420) * 0.32)
        right += sign * 0.03 * cord * bell(cord, 10)
    diffuse, shine = light.on(right, np.full_like(right, -0.25))
    cast = blur(shifted(face, -light.direction[0] * 30, 20 - light.direction[1] * 30)[top:], 9)
    dim = (1 - 0.5 * cast) * (1 - 0.45 * blur(face[top:], 12)) * (1 + 0.04 * mottle(rng, rows, cols, 14))
    cover(image[:, top:], planes(sitter.skin) * 0.93 * diffuse * dim + 0.02 * shine, shape)


def _neck_width(sitter: Sitter) -> float:
    return sitter.width * min(0.64 + 0.14 * sitter.manly, sitter.jaw * 0.84)


def _paint_clothes(image: Planes, sitter: Sitter, light: Light, rng: Rng) -> None:
    top = 430
    rows, cols = ROWS - top, sitter.cols
    y, x = grid(rows, cols, top)
    w = _neck_width(sitter)
    away = np.abs(x - sitter.axis)
    collar = rng.uniform(486, 506) - 36 * np.minimum(away / (w * 1.12), 3) ** 2
    inside = y - (collar + 0.62 * np.maximum(away - w * 1.02, 0))
    alpha = step(-0.8, 0.8, inside) * step(-0.8, 0.8, y - 462 - (away - w) * 0.34)
    noise = rng.standard_normal((64, 64), dtype=np.float32)
    shade = 0.75 + 0.1 * fibres(noise, x + 0.4 * y, y - 0.3 * x, 26, 60) - 0.2 * bell(np.maximum(inside, 0), 2.0)
    shade = shade - 0.25 * away / cols + 0.02 * mottle(rng, rows, cols, 2.0)
    shade = shade * (1 + 0.0014 * light.direction[0] * (x - sitter.axis))
    cover(image[:, top:], planes(linear(_CLOTHES[rng.integers(len(_CLOTHES))])) * shade, alpha)


def _paint_ears(image: Planes, sitter: Sitter, light: Light, rng: Rng) -> None:
    out, tall = rng.uniform(17, 24), rng.uniform(38, 45)
    side = [(-0.5, -0.75), (0.3, -1), (0.86, -0.96), (1.06, -0.62), (0.98, -0.15)]
    side += [(0.74, 0.35), (0.56, 0.78), (0.24, 0.98), (-0.2, 0.86), (-0.6, 0.3)]
    for sign in (-1, 1):
        col, row = sitter.axis + sign * (sitter.width - 5), sitter.eye + 29 + rng.normal(0, 2)
        top, left, rows, cols = int(row - tall - 8), int(col - 36), int(2 * tall + 16), 72
        y, x = grid(rows, cols, top, left)
        shape = smooth_outline([(col + sign * p * out - left, row + q * tall - top) for p, q in side])
        alpha = fill(shape, rows, cols)
        depth = np.maximum(signed_depth(alpha), 0)
        u, v = (x - col) * (sign / out), (y - row) * (1 / tall)
        upper = step(0.62, 0.3, v)
        # Rim, groove, inner ridge, and the bowl before the ear canal.
        relief = 4 * step(0, 4, depth) - 4 * upper * bell(depth - 7.5, 2.2) + 3 * upper * bell(depth - 11.5, 2.2)
        relief = relief + 2.5 * bell(u - 0.25, 0.3) * bell(v - 0.72, 0.2)
        right, down = slopes(blur(relief.astype(np.float32), 1.0))
        diffuse, shine = light.on(right - np.float32(0.25 * sign), down)
        dark = 0.55 * upper * bell(depth - 7, 1.9) + 0.95 * bell(u - 0.18, 0.24) * bell(v - 0.1, 0.22)
        dark = dark + 0.4 * step(0.25, -0.2, u) * step(-0.9, -0.5, v) + 0.1 * mottle(rng, rows, cols, 7)
        skin = planes(sitter.skin) * planes((0.95, 0.82, 0.78))
        paint = skin * diffuse * np.exp(-planes((0.8, 1.0, 1.05)) * dark) + 0.04 * shine
        # A wide head's ears leave the image.
        first, last = max(0, -left), min(cols, sitter.cols - left)
        box = np.s_[top : top + rows, left + first : left + last]
        cover(image[:, *box], paint[:, :, first:last], alpha[:, first:last])


def _relief(sitter: Sitter, shape: Outline, y: Down, x: Across, rng: Rng) -> Plane:
    """Height of a face without eyes, nose and lips, in pixels."""
    right = shape[shape[:, 0] >= sitter.axis]
    right = right[np.argsort(right[:, 1])]
    half = np.interp(y[:, 0], right[:, 1], right[:, 0] - sitter.axis, left=1, right=1).astype(np.float32)
    u = (x - sitter.axis) / np.maximum(half, 1)[:, None]
    v = np.where(y < 250, (250 - y) / (244 - sitter.crown), (y - 250) / (sitter.chin - 247))
    height = 126 * np.sqrt(np.maximum(1 - np.abs(u) ** np.float32(2.2), 0))
    height = height * np.sqrt(np.maximum(1 - v ** np.float32(3.2), 0)).astype(np.float32)
    away = np.abs(x - sitter.axis)
    for rise, row, tall, col, wide in (
        (9, 300, 28, 80, 24),  # cheekbones
        (-8, 372, 32, 80, 22),  # hollows below them
        (9, sitter.chin - 26, 17, 0, 24),  # chin
        (6, 150, 40, 0, 60),  # forehead
    ):
        height += rise * bell(y - row, tall) * bell(away - col, wide)
    height += (4 + 3 * sitter.manly) * bell(y - sitter.brow - 2, 15) * np.exp(-((away / 88) ** 4))  # brow ridge
    rows, cols = height.shape
    height += mottle(rng, rows, cols, 48) + 0.35 * mottle(rng, rows, cols, 24)
    return blur(height, 2.0)


def _paint_face(
    image: Planes, sitter: Sitter, light: Light, rng: Rng, face: Plane, shape: Outline, hair: Hair | None
) -> Plane:
    left, top = (max(int(low) - 2, 0) for low in shape.min(axis=0))
    right_end, bottom = (int(high) + 4 for high in shape.max(axis=0))
    rows, cols = min(bottom, ROWS) - top, min(right_end, sitter.cols) - left
    box = np.s_[top : top + rows, left : left + cols]
    y, x = grid(rows, cols, top, left)
    away = np.abs(x - sitter.axis)
    right, down = slopes(_relief(sitter, shape, y, x, rng))
    age = rng.normal(0, 0.5)
    if age > 0.2:
        bend = 3 * mottle(rng, rows, cols, 60) + 0.0007 * (x - sitter.axis) ** 2
        for up in (34, 50, 67):  # furrows of the forehead
            line = y - sitter.brow + up + rng.normal(0, 3) + bend
            down += 0.22 * min(age, 1.0) * line * bell(line, 1.6) * bell(x - sitter.axis - rng.normal(0, 8), 46)
    fine = mottle(rng, rows, cols, 1.7)
    pores = fine + 0.6 * mottle(rng, rows, cols, 3.0)
    pores_right, pores_down = slopes(pores)
    rough = rng.uniform(0.02, 0.045)
    diffuse, shine = light.on(right + rough * pores_right, down + rough * pores_down)
    # Blood reddens, melanin browns: patches, cheeks, freckles, moles.
    blood = 0.03 * mottle(rng, rows, cols, 34) + 0.028 * mottle(rng, rows, cols, 9) + 0.015 * fine
    blood += rng.uniform(0.03, 0.22) * (1 - 0.5 * sitter.tone) * bell(away - 76, 32) * bell(y - 316, 30)
    melanin = 0.03 * mottle(rng, rows, cols, 22) + 0.03 * mottle(rng, rows, cols, 5) + 0.02 * fine
    if sitter.tone < 0.45 and rng.random() < 0.3:
        dots = step(1.5, 2.6, mottle(rng, rows, cols, 3.0)) * bell(y - 300, 60) * bell(away - 30, 70)
        melanin += rng.uniform(0.2, 0.5) * dots
    for _ in range(rng.poisson(2.0)):
        col, row, size = sitter.axis + rng.normal(0, 65), rng.uniform(140, 430), rng.uniform(0.8, 1.9)
        melanin += rng.uniform(0.3, 0.9) * bell(x - col, size) * bell(y - row, size)
    stubble = np.zeros((rows, cols), np.float32)
    if sitter.manly > 0.5:
        amount = float(rng.choice([0, 0.15, 0.4, 0.75], p=[0.2, 0.3, 0.3, 0.2])) * (1 - 0.4 * sitter.tone)
        edge = 354 + 38 * bell(away - 70, 20) - 70 * step(84, 128, away) + 5 * mottle(rng, rows, cols, 30)
        beard = step(-24, 30, y - edge) * (1 - 0.35 * bell(away - 24, 12) * bell(y - 418, 14))
        hairs = mottle(rng, rows, cols, 1.25) + 0.25 * mottle(rng, rows, cols, 6) - 0.2
        stubble = amount * beard * (0.42 + 0.3 * np.maximum(hairs, 0))
    dim = 1 - 0.13 * bell(y - (sitter.brow + 17), 12) * bell(away - sitter.eye_gap, 34)  # of the brows
    if hair is not None:
        shadow = np.zeros(face.shape, np.float32)
        shadow[: len(hair.front)] = hair.front
        dim -= 0.5 * blur(shifted(shadow, -light.direction[0] * 8, 5 - light.direction[1] * 4)[box], 7)
    gloss = rng.uniform(0.05, 0.13) * (1 - 0.5 * sitter.tone) * (1 + 0.15 * pores)
    gloss = gloss * np.maximum(0.4, 1 - step(60, 120, away)) * dim * shine
    paint = np.empty((3, rows, cols), np.float32)
    absorbed = ((0.35, 0.08, 1.1), (0.65, 0.6, 1.0), (0.9, 0.5, 0.85))
    for channel, (by_melanin, by_blood, by_stubble) in enumerate(absorbed):
        albedo = np.exp(-by_melanin * melanin - by_blood * blood - by_stubble * stubble)
        paint[channel] = sitter.skin[channel] * albedo * diffuse[channel] * dim + gloss
    cover(image[:, *box], paint, face[box])
    everywhere = np.zeros(face.shape, np.float32)
    everywhere[box] = stubble
    return everywhere


def _paint_brows(image: Planes, sitter: Sitter, rng: Rng) -> None:
    scale, rows, cols = 4, 72, 120
    thick, arch = rng.uniform(5, 7.5) + 4.5 * sitter.manly, rng.uniform(3, 9) * (1.2 - 0.6 * sitter.manly)
    full = rng.uniform(0.72, 1.0)
    # Brows are darker than the hair, and darker than the skin even when the hair is white.
    dark = np.minimum(0.5 * np.array(sitter.hair), np.array(sitter.skin) * (0.34, 0.27, 0.23))
    for sign in (-1, 1):
        start, end = sitter.eye_gap - rng.uniform(31, 37), sitter.eye_gap + rng.uniform(36, 44)
        row = sitter.brow + rng.normal(0, 1.2)
        top, left = int(row - 36), int(sitter.axis + sign * sitter.eye_gap - 60)
        count = int(460 * full + 160)
        u = rng.random(count) ** 0.92  # from the nose outwards
        v = rng.uniform(-1, 1, count) + rng.normal(0, 0.12, count)
        spread = thick * (0.5 + 0.5 * np.minimum(1, 4 * u)) * (1 - 0.78 * u**2)
        root_x = start + (end - start) * u + rng.normal(0, 2.2, count) * (u < 0.15)
        root_y = row + 5 - arch * 1.7 * np.sin(np.pi * (u * 0.80 + 0.02) ** 1.2) + 4 * u**2 + v * spread * 0.62
        lean = np.interp(u, [0, 0.12, 0.35, 0.7, 1], [1.15, 0.85, 0.45, 0.12, -0.25]) - 0.3 * v
        lean += rng.normal(0, 0.24, count)
        length = rng.uniform(6, 11, count) * (1 - 0.3 * u)
        tip_x, tip_y = root_x + np.cos(lean) * length, root_y - np.sin(lean) * length
        mid_x, mid_y = (root_x + tip_x) / 2 - np.sin(lean) * 0.8, (root_y + tip_y) / 2 - np.cos(lean) * 0.8
        hairs_x = np.stack([root_x, mid_x, tip_x], 1) * sign + sitter.axis - left
        hairs = np.stack([hairs_x, np.stack([root_y, mid_y, tip_y], 1) - top], -1)
        grown = rng.random(count) < 0.25 + 4.5 * u  # few at the inner end
        shades = rng.integers(90, 240, count)
        alpha = shrink(draw_hairs(hairs[grown], shades[grown], rows, cols, scale, 2), rows, cols)
        alpha = np.clip(1.15 * alpha + 0.55 * blur(alpha, 2.2), 0, 1) * np.float32(full)
        box = image[:, top : top + rows, left : left + cols]
        cover(box, planes(dark * (1.05, 0.92, 0.8)), alpha)
