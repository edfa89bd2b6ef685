"""Drawn facades in the likeness of photographs, with exact part masks: the classic control object for faces."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float

from configural.objects import HOUSE
from configural.portraits.library import Exemplar
from configural.portraits.painters.brush import (
    ROWS,
    Across,
    Field,
    Light,
    Plane,
    Planes,
    Rng,
    bell,
    blur,
    cover,
    grid,
    linear,
    mottle,
    palette,
    photographed,
    planes,
    shrink,
    step,
)

_Colour = Float[np.ndarray, "3"]

_STONE = (0.05, 0.05, 0.05)
"""Masonry lets hardly any light travel under its surface."""

_WALLS = {
    "brick": palette("965442 84463a a86c52 765248"),
    "plaster": palette("d8ceb6 ccb288 bac6c8 ceaa9e c4ceb0"),
    "stone": palette("a49e92 969490 aea086"),
    "boards": palette("c4c8c6 8094a0 964c40 d4ccb4"),
}
_ROOFS = palette("804234 544c4c 683c32 464e54")
_PAINTS = palette("3a4a3c 6e2c28 2e3e5c 5c4632 3c3c3e 96783c")
_FRAMES = palette("eceae4 e0dacc 604a3a 46524c")
_SIGNS = palette("2c3c34 782e2a e0d6be 343a50 c4a054")


@dataclass(frozen=True)
class Facade:
    """What one house looks like."""

    cols: int  # width of the image
    axis: float  # column of its middle
    eaves: int  # row where the roof ends and the wall begins
    foot: int  # row where the wall meets the ground
    left: int  # first column of the wall
    right: int  # last column of the wall
    material: str  # one of the walls
    wall: np.ndarray  # its colour as amounts of light
    boxes: dict[str, tuple[int, int, int, int]]  # by part, (top, left, rows, columns)
    arched: dict[str, bool]  # by part, whether it ends in an arch

    @classmethod
    def draw(cls, rng: Rng, number: int) -> "Facade":
        """Draw a facade; materials take turns, so that any number of first houses shows all."""
        cols = int(rng.integers(388, 453))
        axis = cols / 2 + rng.normal(0, 3)
        eaves, foot = int(rng.integers(108, 134)), int(rng.integers(468, 482))
        half = cols * rng.uniform(0.43, 0.475)
        material = list(_WALLS)[number % len(_WALLS)]
        wall = linear(_WALLS[material][rng.integers(len(_WALLS[material]))] * rng.uniform(0.9, 1.06))
        door = int(rng.integers(112, 132)), int(rng.integers(64, 82))
        window = int(rng.integers(76, 96)), int(rng.integers(66, 84))
        sign = int(rng.integers(36, 48)), int(rng.integers(96, 122))
        away = half * rng.uniform(0.54, 0.6)
        high = eaves + int(rng.integers(30, 46))
        between = (high + window[0] + foot - door[0]) / 2 - sign[0] / 2 + rng.uniform(-5, 5)
        boxes = {
            "door": (foot - door[0], int(axis - door[1] / 2 + rng.normal(0, 3)), *door),
            "left_window": (high, int(axis - away - window[1] / 2), *window),
            "right_window": (high + int(rng.integers(-1, 2)), int(axis + away - window[1] / 2), *window),
            "sign": (int(between), int(axis - sign[1] / 2 + rng.normal(0, 3)), *sign),
        }
        round_window = bool(rng.random() < 0.3)
        arched = {"door": bool(rng.random() < 0.4), "sign": False}
        arched |= dict.fromkeys(("left_window", "right_window"), round_window)
        left, right = int(axis - half), int(axis + half)
        return cls(cols, axis, eaves, foot, left, right, material, wall, boxes, arched)


def paint_house(seed: int, index: int) -> Exemplar:
    """Paint one house, 512 rows by 388 to 452 columns; the same seed and index give the same bytes.

    The canvas is the same painting without door, windows and sign; outside the parts' masks they are equal.

    Args:
        seed: 0 or more.
        index: 0 or more.
    """
    rng = np.random.default_rng([seed, index, ROWS])
    facade = Facade.draw(rng, index + seed)
    light = replace(Light.draw(rng), fill=(0.94, 0.98, 1.06), wrap=_STONE)
    canvas = _paint_canvas(facade, light, rng)
    portrait, segmentation = canvas.copy(), np.zeros(canvas.shape[1:], np.uint8)
    frame = linear(_FRAMES[rng.integers(len(_FRAMES))])
    paint = linear(_PAINTS[rng.integers(len(_PAINTS))])
    panes = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    curtain = rng.random() < 0.6
    for kind in HOUSE.part_kinds:
        top, left, rows, cols = facade.boxes[kind]
        box = np.s_[top : top + rows, left : left + cols]
        y, x = grid(rows, cols)
        mask = y >= facade.arched[kind] * _arch(x, cols)
        if kind == "door":
            patch = _door(rows, cols, facade.arched[kind], paint, frame, light, rng)
        elif kind == "sign":
            patch = _sign(rows, cols, frame, light, rng)
        else:
            patch = _window(rows, cols, panes, frame, curtain, light, rng)
        # Its edge is mixed with nothing, so that the mask is exact.
        portrait[:, *box] = np.where(mask, patch, portrait[:, *box])
        segmentation[box][mask] = 1 + HOUSE.index(kind)
    shown, bare, segmentation = photographed(portrait, canvas, segmentation, facade.axis, 0.5, 1.2, rng)
    return Exemplar.cut(f"houses/{index:02d}", shown, segmentation=segmentation, canvas=bare, scheme=HOUSE)


def _arch(x: Across, cols: int) -> Across:
    """By column of a part that ends in an arch, how far below its top it begins."""
    return 0.22 * cols * (2 * x / cols - 1) ** 2


def _paint_canvas(facade: Facade, light: Light, rng: Rng) -> Planes:
    """Sky, roof, wall and ground."""
    y, x = grid(ROWS, facade.cols)
    sky = planes(linear(np.array([150, 180, 214]) * rng.uniform(0.9, 1.1))) * (0.85 + 0.5 * y / ROWS)
    clouds = step(0.1, 1.6, mottle(rng, ROWS, facade.cols, 70) + 0.5 * mottle(rng, ROWS, facade.cols, 26))
    image = np.ascontiguousarray(sky + clouds * (1.05 - sky) * 0.7, np.float32)
    _paint_trees(image, facade, light, rng)
    wall = step(facade.left - 0.7, facade.left + 0.7, x) * step(facade.right + 0.7, facade.right - 0.7, x)
    cover(image, _wall(facade, light, rng), wall * step(facade.eaves - 1.0, facade.eaves + 1.0, y))
    _paint_roof(image, facade, light, rng)
    _paint_ground(image, facade, light, rng)
    for plane in image:
        plane[:] = blur(plane, 0.5)
    return image


def _paint_trees(image: Planes, facade: Facade, light: Light, rng: Rng) -> None:
    y, x = grid(ROWS, facade.cols)
    leaves = mottle(rng, ROWS, facade.cols, 9) + 0.7 * mottle(rng, ROWS, facade.cols, 3.5)
    diffuse, _ = light.upon(2.4 * leaves, 1.0)
    for side in (-1, 1):
        if rng.random() < 0.75:
            centre, high = facade.axis + side * facade.cols * rng.uniform(0.46, 0.56), rng.uniform(150, 260)
            size = rng.uniform(52, 92)
            crown = 1 - np.hypot((x - centre) / size, (y - high) / (1.5 * size)) + 0.16 * leaves
            green = linear(np.array([70, 98, 52]) * rng.uniform(0.8, 1.2))
            cover(image, planes(green) * diffuse * (0.8 + 0.25 * leaves), step(-0.06, 0.1, crown))


def _blocks(facade: Facade, rng: Rng, tall: float, wide: float) -> tuple[Plane, Plane]:
    """Relief and shade of masonry: joints lie deeper, every block has a shade of its own."""
    y, x = grid(ROWS, facade.cols)
    course = np.floor(y / tall)
    along = x / wide + 0.5 * (course % 2)
    number = (course * 131 + np.floor(along)).astype(int) % 4099
    shade = rng.normal(0, 1, 4099)[number]
    across = np.minimum(y / tall - course, course + 1 - y / tall) * tall
    beside = np.minimum(along - np.floor(along), np.ceil(along) - along) * wide
    return step(0.5, 1.9, np.minimum(across, beside)), shade.astype(np.float32)


def _wall(facade: Facade, light: Light, rng: Rng) -> Planes:
    rows, cols = ROWS, facade.cols
    y, x = grid(rows, cols)
    rough = mottle(rng, rows, cols, 1.8) + 0.6 * mottle(rng, rows, cols, 5)
    relief, shade = 0.35 * rough, 0.03 * rough
    if facade.material in ("brick", "stone"):
        tall, wide = (9.5, 24.0) if facade.material == "brick" else (rng.uniform(22, 28), rng.uniform(40, 52))
        joint, blocks = _blocks(facade, rng, tall, wide)
        relief = relief + (1.3 if facade.material == "brick" else 2.2) * joint
        shade = shade + 0.13 * blocks * joint + (0.10 if facade.material == "brick" else -0.28) * (1 - joint)
    elif facade.material == "boards":
        pitch = rng.uniform(13, 18)
        lap = (y / pitch) % 1
        relief = relief * 0.5 + 2.6 * lap
        shade = shade + 0.05 * rng.normal(0, 1, 64)[(y / pitch).astype(int) % 64] - 0.22 * step(0.12, 0.0, lap)
    else:
        relief = relief * 1.6 + 1.2 * mottle(rng, rows, cols, 14)
        shade = shade + 0.04 * mottle(rng, rows, cols, 40)
    diffuse, _ = light.upon(relief, 0.7)
    stain = 0.05 * mottle(rng, rows, cols, 60) + 0.16 * step(facade.foot - 60, facade.foot, y)
    stain = stain + 0.05 * mottle(rng, 1, cols, 7) * step(facade.foot, facade.eaves, y)  # streaks
    under = 1 - 0.45 * step(facade.eaves + 26, facade.eaves - 4, y)
    paint = np.asarray(planes(facade.wall) * diffuse * np.exp(shade - stain) * under, np.float32)
    if facade.material == "plaster" and rng.random() < 0.5:
        upright = (facade.left + 9, facade.right - 9, facade.axis - 78, facade.axis + 78)
        level = (facade.eaves + 12, (facade.eaves + facade.foot) / 2 - 18, facade.foot - 5)
        beam = np.zeros((rows, cols), np.float32)
        for along, middles in ((x, upright), (y, level)):
            for middle in middles:
                beam = np.maximum(beam, step(8.5, 6.5, np.abs(along - middle)))
        cover(paint, planes(linear([84, 62, 48])) * diffuse * np.exp(0.12 * rough) * under, beam)
    return paint


def _paint_roof(image: Planes, facade: Facade, light: Light, rng: Rng) -> None:
    y, x = grid(ROWS, facade.cols)
    ridge = rng.uniform(14, 34)
    slope = (facade.right - facade.left) / 2 + 16
    rise = facade.eaves + 4 - ridge
    narrow = rng.uniform(0.42, 0.75)
    half = slope * (narrow + (1 - narrow) * (y - ridge) / rise)
    inside = step(1.0, -1.0, np.abs(x - facade.axis) - half) * step(ridge - 1, ridge + 1, y)
    inside = inside * step(facade.eaves + 5, facade.eaves + 3, y)
    pitch = rng.uniform(9, 12)
    course = np.floor(y / pitch)
    tile = x / 11 + 0.5 * (course % 2)
    relief = 2.2 * ((y / pitch) % 1) + 0.8 * np.cos(2 * np.pi * tile) + 0.3 * mottle(rng, ROWS, facade.cols, 2)
    diffuse, shine = light.upon(relief, 0.8)
    shades = rng.normal(0, 0.10, 4099)[(course * 71 + np.floor(tile)).astype(int) % 4099]
    colour = linear(_ROOFS[rng.integers(len(_ROOFS))] * rng.uniform(0.9, 1.1))
    paint = planes(colour) * diffuse * np.exp(shades + 0.08 * mottle(rng, ROWS, facade.cols, 30)) + 0.03 * shine
    cover(image, paint, inside)
    gutter = bell(y - facade.eaves - 4, 2.2) * step(slope + 2, slope, np.abs(x - facade.axis))
    cover(image, planes(linear([120, 118, 114])), 0.85 * gutter)


def _paint_ground(image: Planes, facade: Facade, light: Light, rng: Rng) -> None:
    top = facade.foot
    rows = ROWS - top
    y, x = grid(rows, facade.cols, top)
    grass = mottle(rng, rows, facade.cols, 2) + mottle(rng, rows, facade.cols, 6)
    diffuse, _ = light.upon(grass, 0.8)
    green = linear(np.array([96, 112, 66]) * rng.uniform(0.85, 1.1))
    paint = planes(green) * diffuse * np.exp(0.14 * grass)
    path = step(2.0, -2.0, np.abs(x - facade.axis) - (34 + 26 * ((y - top) / rows)))
    slabs = planes(linear([168, 160, 148])) * (0.92 + 0.05 * mottle(rng, rows, facade.cols, 4))
    cover(paint, slabs, path)
    image[:, top:] = paint * (1 - 0.5 * bell(y - top, 5.0))


def _panel(relief: Field, colour: _Colour, light: Light, gloss: float) -> Planes:
    """Painted wood or metal of some relief."""
    diffuse, shine = light.upon(relief, 0.7)
    return np.asarray(planes(colour) * diffuse + gloss * shine, np.float32)


def _glass(rows: int, cols: int, light: Light, rng: Rng) -> Planes:
    """A dark room behind, the sky and a tree before it."""
    y, x = grid(rows, cols)
    lean = x * 0.55 + y - rng.uniform(0.3, 1.1) * rows
    sky = step(8, -10, lean) * (0.55 + 0.25 * mottle(rng, rows, cols, 17))
    room = planes(linear([38, 44, 52])) * (1 + 0.4 * y / rows)
    return np.asarray(room + np.clip(sky, 0, 1) * (planes(linear([150, 176, 196])) - room) * 0.55, np.float32)


def _window(
    rows: int, cols: int, panes: tuple[int, int], frame: _Colour, curtain: bool, light: Light, rng: Rng
) -> Planes:
    y, x = grid(rows, cols)
    sill, edge = 9.0, 7.0
    high = rows - sill
    glass = _glass(rows, cols, light, rng)
    if curtain:
        folds = 0.75 + 0.25 * np.cos(2 * np.pi * x / rng.uniform(6, 9) + 0.4 * np.sin(y / 9))
        hung = step(0.34, 0.30, np.minimum(x, cols - x) / cols + 0.12 * (y / rows) ** 2)
        cover(glass, planes(linear([214, 206, 192])) * folds * 0.5, 0.8 * hung)
    recess = step(0, 12, y - edge) * step(0, 9, (x - edge) if light.direction[0] < 0 else (cols - edge - x))
    glass *= 0.55 + 0.45 * recess
    bars = np.minimum(np.minimum(x, cols - x), np.minimum(y, np.abs(high - y)))
    wood = step(edge + 0.6, edge - 0.6, bars)
    for part in range(1, panes[0]):
        wood = np.maximum(wood, step(2.6, 1.6, np.abs(y - high * part / panes[0])))
    for part in range(1, panes[1] + 1):
        wood = np.maximum(wood, step(2.9, 1.9, np.abs(x - cols * part / (panes[1] + 1))))
    wood = np.where(y > high, np.float32(1), wood)
    painted = _panel(2.5 * blur(wood, 0.8) + 3.0 * step(high - 1, high + 2, y), frame, light, 0.05)
    painted = painted * (1 - 0.35 * bell(y - rows, 3.0)) * (1 + 0.03 * mottle(rng, rows, cols, 5))
    cover(glass, painted, wood)
    return glass


def _door(rows: int, cols: int, arched: bool, paint: _Colour, frame: _Colour, light: Light, rng: Rng) -> Planes:
    y, x = grid(rows, cols)
    edge = 6.0
    border = np.minimum(np.minimum(x, cols - x), y)
    if arched:
        border = np.minimum(border, y - _arch(x, cols))
    leaf = step(edge - 0.6, edge + 0.6, border)
    inner_rows, inner_cols = rows - edge, cols - 2 * edge
    down, across = (y - edge) / inner_rows, (x - edge) / inner_cols
    relief, light_panel = np.zeros((2, rows, cols), np.float32)
    glazed = rng.random() < 0.5
    for first, last in ((0.10, 0.44), (0.54, 0.92)):
        for begin, end in ((0.12, 0.46), (0.54, 0.88)):
            away = np.minimum(
                np.minimum(down - first, last - down) * inner_rows,
                np.minimum(across - begin, end - across) * inner_cols,
            )
            relief -= 3.0 * step(-0.5, 3.0, away)
            if glazed and first < 0.2:
                light_panel = np.maximum(light_panel, step(0.5, 2.0, away))
    wood = _panel(relief + 0.25 * mottle(rng, 1, cols, 2.2), paint, light, 0.06)  # with the wood's grain
    wood *= np.exp(0.06 * mottle(rng, rows, cols, 9))
    cover(wood, _glass(rows, cols, light, rng), light_panel)
    knob = np.hypot(x - cols * 0.84, y - rows * 0.56)
    brass = planes(linear([206, 168, 92])) * (0.5 + 0.9 * bell(knob - 0.5, 2.2))
    cover(wood, brass, step(4.2, 3.2, knob))
    recess = step(edge, edge + 9, y) * step(0, 7, (x - edge) if light.direction[0] < 0 else (cols - edge - x))
    wood *= 0.6 + 0.4 * recess
    around = _panel(2.0 * blur(1 - leaf, 0.8), frame, light, 0.04)
    cover(around, wood, leaf)
    stone = planes(linear([150, 146, 140])) * (1 + 0.05 * mottle(rng, rows, cols, 3))
    cover(around, stone, step(rows - 6.5, rows - 5.5, y))
    return around


def _sign(rows: int, cols: int, frame: _Colour, light: Light, rng: Rng) -> Planes:
    board = linear(_SIGNS[rng.integers(len(_SIGNS))])
    y, x = grid(rows, cols)
    rim = step(4.6, 3.4, np.minimum(np.minimum(y, rows - y), np.minimum(x, cols - x)))
    paint = _panel(0.2 * mottle(rng, rows, cols, 3) + 3.0 * blur(rim, 1.0), board, light, 0.05)
    cover(paint, _panel(3.0 * blur(rim, 1.0), 0.7 * frame, light, 0.06), rim)
    # Something like letters: strokes that stand, lean and curve.
    fine = np.zeros((4 * rows, 4 * cols), np.uint8)
    at, size = 4 * 13.0, 4.0 * (rows - 22)
    while at < 4 * (cols - 16):
        wide = size * rng.uniform(0.4, 0.75)
        for _ in range(int(rng.integers(2, 4))):
            begin, end = (rng.uniform(0, 1, 2) * (wide, size) + (at, 4 * 11) for _ in range(2))
            cv2.line(fine, tuple(begin.astype(int)), tuple(end.astype(int)), 255, int(size / 7), cv2.LINE_AA)
        cv2.line(fine, (int(at), 44), (int(at), int(44 + size)), 255, int(size / 7), cv2.LINE_AA)
        at += wide + size * 0.28
    ink = [60, 44, 36] if board.mean() > 0.2 else [232, 216, 170]
    cover(paint, planes(linear(ink)), shrink(fine.astype(np.float32) / 255, rows, cols))
    return paint
