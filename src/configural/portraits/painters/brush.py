"""What the painters work with: light, noise, outlines, and the camera."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int, Num, Shaped, UInt8

ROWS = 512
"""Height of every synthetic portrait."""

Plane = Float32[np.ndarray, "rows cols"]
Planes = Float32[np.ndarray, "3 rows cols"]
Field = Float[np.ndarray, "rows cols"]
Down = Float[np.ndarray, "rows 1"]
Across = Float[np.ndarray, "1 cols"]
Noise = Float32[np.ndarray, "n n"]
Values = Float[np.ndarray, "..."]
Outline = Float[np.ndarray, "points 2"]
Segmentation = UInt8[np.ndarray, "rows cols"]
Colour = tuple[float, float, float]
Rng = np.random.Generator


def palette(codes: str) -> Int[np.ndarray, "colours 3"]:
    """8-bit display values from hexadecimal codes such as `ff8000`."""
    return np.array([list(bytes.fromhex(code)) for code in codes.split()])


def linear(colour: Sequence[float] | Num[np.ndarray, "*many 3"]) -> Float[np.ndarray, "*many 3"]:
    """8-bit display values as amounts of light, with a display gamma of 2."""
    return (np.asarray(colour) / 255) ** 2


@dataclass(frozen=True)
class Light:
    """A soft lamp and the light of the room.

    Attributes:
        direction: Unit vector (right, down, towards the viewer) to the lamp.
        room: Fraction of the light that comes from everywhere, 0 to 1.
        tint: Colour of the lamp, RGB about 1.
        fill: Colour of the light that comes from everywhere, RGB about 1.
        wrap: How far the lamp's light travels under the surface and around the terminator, RGB; skin unless given.
    """

    direction: tuple[float, float, float]
    room: float
    tint: Colour
    fill: Colour = (1.0, 1.0, 1.0)
    wrap: Colour = (0.42, 0.24, 0.18)

    @classmethod
    def draw(cls, rng: Rng) -> "Light":
        """Draw a light from the front, a little above and to one side."""
        turn, rise = np.deg2rad(rng.normal(0, 28)), np.deg2rad(rng.uniform(12, 38))
        direction = np.sin(turn) * np.cos(rise), -np.sin(rise), np.cos(turn) * np.cos(rise)
        x, y, z = (float(part) for part in direction)
        warmth = rng.normal(0, 0.03)
        return cls((x, y, z), rng.uniform(0.26, 0.42), (1 + warmth, 1.0, 1 - warmth))

    def on(self, right: Plane, down: Plane) -> tuple[Planes, Plane]:
        """Light on a relief: the diffuse part per channel, and a soft highlight.

        Lambert's cosine law, wrapped around the terminator and further in red than in blue, as light that has
        travelled under skin does; Blinn's half-vector highlight in two widths.

        Args:
            right: How fast the relief rises towards the right, pixels per pixel.
            down: How fast it rises downwards.
        """
        x, y, z = self.direction
        length = right * right
        length += down * down
        length += 1
        length = 1 / np.sqrt(length)
        leaning = x * right + y * down
        cosine = (z - leaning) * length
        ambient = self.room * (0.62 + 0.38 * length) * (1 - 0.16 * down * length)
        diffuse = np.empty((3, *right.shape), np.float32)
        for plane, tint, fill_tint, wrap in zip(diffuse, self.tint, self.fill, self.wrap, strict=True):
            np.maximum(cosine + wrap, 0, out=plane)
            plane *= (1 - self.room) * tint * 1.12 / (1 + wrap)
            plane += ambient * fill_tint
        size = float(np.sqrt(2 + 2 * z))  # of the sum of two unit vectors, to the lamp and to the viewer
        shine = np.maximum((z + 1 - leaning) * length * (1 / size), 0)
        power8 = ((shine * shine) ** 2) ** 2
        power16 = power8 * power8
        return diffuse, power16 * (0.35 + 0.65 * power16 * power8)

    def upon(self, relief: Field, sigma: float) -> tuple[Planes, Plane]:
        """The same on a relief that is blurred first."""
        return self.on(*slopes(blur(relief, sigma)))


def step(low: float, high: float, values: Values) -> Values:
    """A smooth ramp from 0 at `low` to 1 at `high`; `high` may be the smaller one."""
    ramp = np.clip((values - low) * (1 / (high - low)), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def bell(values: Values, width: float) -> Values:
    """A Gaussian of height 1 and standard deviation `width`."""
    return np.exp(values * values * (-0.5 / width**2))


def grid(
    rows: int, cols: int, top: int = 0, left: int = 0, scale: int = 1
) -> tuple[Float32[np.ndarray, "fine_rows 1"], Float32[np.ndarray, "1 fine_cols"]]:
    """Rows and columns of the pixel centres of a box, `scale` samples per pixel and side."""
    down = (np.arange(rows * scale, dtype=np.float32) + np.float32(0.5)) / scale + top
    right = (np.arange(cols * scale, dtype=np.float32) + np.float32(0.5)) / scale + left
    return down[:, None], right[None, :]


def mottle(rng: Rng, rows: int, cols: int, size: float) -> Plane:
    """Smooth noise of about unit variance with spots `size` pixels wide."""
    coarse = rng.standard_normal((int(rows / size) + 4, int(cols / size) + 4), dtype=np.float32)
    method = cv2.INTER_CUBIC if size > 3 else cv2.INTER_LINEAR
    wide = cv2.resize(1.3 * coarse, None, fx=size, fy=size, interpolation=method)
    skip = int(1.5 * size)  # the outermost spots are extrapolated
    return wide[skip : skip + rows, skip : skip + cols]


def fibres(noise: Noise, across: Values, along: Values, width: float, length: float) -> Plane:
    """White noise drawn out into fibres `width` pixels wide and `length` pixels long.

    It repeats beyond its borders; `across` and `along` are pixels travelled across the fibres and along them, and
    are broadcast.
    """
    places = np.broadcast_arrays(across * np.float32(1 / width), along * np.float32(1 / length))
    columns, lines = (np.ascontiguousarray(place, np.float32) for place in places)
    return cv2.remap(noise, columns, lines, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def smooth_outline(points: Sequence[tuple[float, float]]) -> Outline:
    """240 points of a closed smooth curve through (column, row) points."""
    from scipy.interpolate import CubicSpline  # a third of a second, which only painting needs

    corners = np.array([*points, points[0]], dtype=float)
    chord = np.hypot(*np.diff(corners, axis=0).T) ** 0.5
    places = np.concatenate([[0], np.cumsum(chord)])
    return CubicSpline(places, corners, bc_type="periodic")(np.linspace(0, places[-1], 240, endpoint=False))


def symmetric_outline(axis: float, side: Sequence[tuple[float, float]]) -> Outline:
    """The same from its right half: (distance from the axis, row), first and last point on the axis."""
    left = [(axis - away, row) for away, row in side[-2:0:-1]]
    return smooth_outline([(axis + away, row) for away, row in side] + left)


def fill(outline: Outline, rows: int, cols: int) -> Plane:
    """How much of each pixel the outline covers, 0 to 1, from twice as many samples per side."""
    covered = np.zeros((2 * rows, 2 * cols), np.uint8)
    cv2.fillPoly(covered, [np.round(outline * 32).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return shrink(covered.astype(np.float32), rows, cols) * np.float32(1 / 255)


def draw_hairs(
    hairs: Float[np.ndarray, "hairs points 2"],
    shades: Int[np.ndarray, "hairs"],
    rows: int,
    cols: int,
    scale: int = 1,
    thickness: int = 1,
) -> Float32[np.ndarray, "fine_rows fine_cols"]:
    """How much of a box single hairs cover, 0 to 1, with `scale` samples per pixel and side.

    Hairs are (column, row) in pixels along each, shades of 0 to 255, and so many samples thick.
    """
    drawn = np.zeros((rows * scale, cols * scale), np.uint8)
    places = np.round(hairs * (16 * scale)).astype(np.int32)
    for hair, shade in zip(places, shades.tolist(), strict=True):
        cv2.polylines(drawn, [hair], False, shade, thickness, cv2.LINE_AA, 4)
    return drawn.astype(np.float32) * np.float32(1 / 255)


def shrink(fine: Shaped[np.ndarray, "fine_rows fine_cols"], rows: int, cols: int) -> Plane:
    """The mean of the samples in each pixel."""
    return cv2.resize(np.asarray(fine, np.float32), (cols, rows), interpolation=cv2.INTER_AREA)


def enlarge(planes: Planes, scale: int) -> Float32[np.ndarray, "3 fine_rows fine_cols"]:
    """The planes with `scale` samples per pixel and side."""
    return np.stack([cv2.resize(plane, None, fx=scale, fy=scale) for plane in planes])


def signed_depth(covered: Plane) -> Plane:
    """Distance in pixels to the edge, positive inside."""
    inside = (covered > 0.5).astype(np.uint8)
    return cv2.distanceTransform(inside, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)


def blur(plane: Field, sigma: float) -> Plane:
    """Gaussian blur; one of many pixels is done at a quarter of the size."""
    plane = np.asarray(plane, np.float32)
    if sigma < 6:
        return cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    rows, cols = plane.shape
    small = shrink(plane, rows // 4, cols // 4)
    small = cv2.GaussianBlur(small, (0, 0), sigma / 4, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, (cols, rows), interpolation=cv2.INTER_LINEAR)


def shifted(plane: Plane, right: float, down: float) -> Plane:
    """The plane moved by some pixels, its edges drawn out."""
    move = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(plane, move, plane.shape[::-1], borderMode=cv2.BORDER_REPLICATE)


def slopes(relief: Plane) -> tuple[Plane, Plane]:
    """How fast a relief rises towards the right and downwards."""
    kernel = np.array([[-0.5, 0, 0.5]], np.float32)
    right, down = (cv2.filter2D(relief, -1, way, borderType=cv2.BORDER_REPLICATE) for way in (kernel, kernel.T))
    return right, down


def planes(colour: Sequence[float] | Float[np.ndarray, "3"]) -> Float32[np.ndarray, "3 1 1"]:
    """A colour that can be multiplied with planes."""
    return np.array(colour, np.float32)[:, None, None]


def cover(
    image: Planes, paint: Float[np.ndarray, "3 #rows #cols"], alpha: Float[np.ndarray, "#rows #cols"]
) -> None:
    """Lay paint of one colour or of many over the image, as densely as `alpha` says, 0 to 1."""
    alpha = np.asarray(alpha, np.float32)
    for below, above in zip(image, np.asarray(paint, np.float32), strict=True):
        below += alpha * (above - below)


def photographed(
    portrait: Planes, canvas: Planes, segmentation: Segmentation, axis: float, tilt: float, most: float, rng: Rng
) -> tuple[UInt8[np.ndarray, "rows cols 3"], UInt8[np.ndarray, "rows cols 3"], Segmentation]:
    """What a camera, held not quite upright, makes of a painting with its parts and of the same without them.

    Args:
        portrait: Linear light of the painting with its parts.
        canvas: The same without them.
        segmentation: Where the parts are.
        axis: The column about which it is turned.
        tilt: Standard deviation of its angle, in degrees.
        most: The largest angle.
        rng: Source of the angle and of the sensor's grain, which is the same in both.

    Returns:
        Portrait and canvas in 8-bit display values, equal outside the parts; the segmentation as it
        is seen.
    """
    turn = cv2.getRotationMatrix2D((axis, 300.0), float(np.clip(rng.normal(0, tilt), -most, most)), 1.0)
    size = segmentation.shape[::-1]
    portrait, canvas = (
        np.stack([cv2.warpAffine(plane, turn, size, borderMode=cv2.BORDER_REFLECT_101) for plane in image])
        for image in (portrait, canvas)
    )
    segmentation = cv2.warpAffine(segmentation, turn, size, flags=cv2.INTER_NEAREST)
    grain = _grain(rng, canvas.shape[2])
    bare = _exposed(canvas, grain)
    shown = bare.copy()
    # The two differ within the parts alone, though turning has spread the edges by a fraction of a pixel.
    drawn = segmentation > 0
    rows = np.flatnonzero(drawn.any(axis=1))
    band = slice(rows[0], rows[-1] + 1)
    np.copyto(shown[band], _exposed(portrait[:, band], grain[:, band]), where=drawn[band, :, None])
    return shown, bare, segmentation


def _grain(rng: Rng, cols: int) -> Planes:
    """The noise of a sensor, mostly the same in all channels."""
    noise = rng.standard_normal((ROWS + 64, cols + 64), dtype=np.float32)
    grey = 0.005 * noise[64:, 64:]
    return np.stack([grey + 0.004 * noise[at : at + ROWS, at : at + cols] for at in (0, 19, 41)])


def _exposed(image: Planes, grain: Planes) -> UInt8[np.ndarray, "rows cols 3"]:
    """Light as 8-bit display values: a soft shoulder, a display gamma of 2, the sensor's grain."""
    values = np.maximum(image, 0)
    values *= 1.1 / (1 + 0.12 * values)
    np.sqrt(values, out=values)
    values += grain
    return cv2.merge([cv2.convertScaleAbs(plane, alpha=255.0) for plane in np.maximum(values, 0)])
