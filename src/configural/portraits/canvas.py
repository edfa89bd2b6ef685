"""Portraits without their parts.

The fill is a smooth field of the surface's colour, skin in a face, with the surface's grain on top. The field is
fitted to what is around the removed parts, so it keeps the shading; it does not trust what is much darker or
lighter than the surface nearby (brows, hair, eye sockets, folds, background), so none of that is smeared
into it.

All lengths below are in units of 1/512 of the portrait's longer side, which are pixels in a portrait of 512 rows.
What depends on the object is in its scheme (`configural.objects.scheme.Fill`).
"""

import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache, reduce

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8

from configural.errors import ConfiguralError
from configural.io.images import bounding_box
from configural.objects import FACE, ObjectScheme

_GAP = 16  # what lies between two grown parts that are nearer than twice this is replaced as well
_TAPER = 24  # width over which the fill turns into the portrait
_LEVELLED = 45  # width over which shadows and highlights around the fill are levelled
_MARGIN = 110  # the surface this far around the parts is looked at
_BLOCK = 8  # side of a block of the field
_TINT = 0.2  # a colour that differs from the surface's by this fraction is none of it
_TILE = 256  # side, in pixels, of the patch of grain that is repeated
_SAMPLE = 4  # side of the pixels that the field is fitted to

_Map = UInt8[np.ndarray, "rows cols"]
_Mask = Bool[np.ndarray, "rows cols"]
_Plane = Float32[np.ndarray, "rows cols"]
_Image = Float32[np.ndarray, "rows cols 3"]
_Row = Int[np.ndarray, " span"]


def fill_parts(
    portrait: UInt8[np.ndarray, "rows cols 3"],
    segmentation: UInt8[np.ndarray, "rows cols"],
    *,
    scheme: ObjectScheme = FACE,
) -> UInt8[np.ndarray, "rows cols 3"]:
    """Remove the parts from a portrait and fill the surface in.

    What is unlike the surface, such as brows and hair, stays, except for what lies within a few pixels of a part.
    Equal input gives equal output.

    Args:
        portrait: RGB.
        segmentation: 0 where no part is, else 1 + the position of its kind in the scheme.
        scheme: What the object consists of, and what is filled in with its parts; `Exemplar.cut` without a canvas
            takes its own.

    Returns:
        The canvas, RGB: the portrait, changed only near the parts.

    Raises:
        ConfiguralError: If the segmentation shows part kinds that the scheme does not have.

    Example:
        >>> wall = np.full((64, 64, 3), 200, np.uint8)
        >>> where = np.zeros((64, 64), np.uint8)
        >>> where[20:30, 20:30], wall[20:30, 20:30] = 1, 50
        >>> int(fill_parts(wall, where)[25, 25].min()) > 190
        True
    """
    canvas = portrait.copy()
    if (most := int(segmentation.max(initial=0))) > len(scheme.part_kinds):
        has = f"the scheme {scheme.name} has {len(scheme.part_kinds)}"
        raise ConfiguralError(f"the segmentation shows part kind {most}, {has}: give the scheme of the object")
    if not segmentation.any():
        return canvas
    unit = max(segmentation.shape) / 512
    margin, (top, left, bottom, right) = round(_MARGIN * unit), bounding_box(segmentation > 0)
    box = np.s_[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]
    image, parts = portrait[box].astype(np.float32), np.ascontiguousarray(segmentation[box])

    removed = _removed(parts, unit, scheme)
    distance = _distance(removed, unit)
    skin, trust = _skin_field(image, parts, removed, distance, unit, scheme)
    darkness, tint = _unlike(cv2.GaussianBlur(image, (0, 0), unit), skin)
    brows, sockets, brow_rows = _brows(darkness, _any_of(parts, scheme.fill.brows, scheme), unit)
    kept = np.maximum(brows, _hair_and_background(darkness, tint, parts, unit) * (1 - sockets))

    image = _levelled(image, skin, distance, brow_rows, kept, unit)
    fill = _step(1 - distance / _TAPER)
    fill = np.maximum(fill, cv2.GaussianBlur(sockets, (0, 0), 5 * unit) * _step((40 - distance) / 20))
    of_portrait = np.clip(1 - fill * (1 - kept), 0, 1)
    # Where two independent grains are mixed, their variances add up to that of one.
    grain = _grain(image, trust, unit, zlib.crc32(parts.tobytes())) * _thrice(np.sqrt(1 - of_portrait**2))
    filled = _thrice(of_portrait) * image + _thrice(1 - of_portrait) * skin + grain
    canvas[box] = np.clip(np.rint(filled), 0, 255).astype(np.uint8)
    return canvas


def _step(x: Float[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """0 up to x = 0, 1 from x = 1 on, smooth in between."""
    x = np.clip(x, 0, 1).astype(np.float32)
    return x * x * (3 - 2 * x)


def _light(image: _Image) -> _Plane:
    return image @ np.full(3, 1 / 3, np.float32)  # many times faster than .mean(axis=2)


def _thrice(plane: _Plane) -> _Image:
    """A plane for each channel; many times faster to multiply by than [..., None]."""
    return np.asarray(cv2.merge([plane] * 3))


def _channels(image: _Image) -> Sequence[_Plane]:
    return list(np.moveaxis(image, 2, 0))


def _unlike(image: _Image, skin: _Image) -> tuple[_Plane, _Plane]:
    """How much darker than the skin each pixel is (negative: lighter), and how different its colour is.

    Both are fractions: 0.2 is darker by 20 %, or has a channel too strong or weak by 20 % for its lightness.
    """
    light, skin_light = np.maximum(_light(image), 1), np.maximum(_light(skin), 10)
    channels = zip(_channels(image), _channels(skin), strict=True)
    tint = reduce(np.maximum, (np.abs(here / light - usual / skin_light) for here, usual in channels))
    # Almost black pixels have no colour worth the name.
    return 1 - light / skin_light, tint * np.minimum(light / 30, 1)


def _distance(mask: _Mask, unit: float) -> _Plane:
    """Distance to the mask, 0 inside, in units."""
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) / unit, np.float32)


def _ellipse(side: float, up: float, down: float) -> UInt8[np.ndarray, "height width"]:
    """A kernel whose dilation grows a mask by these many pixels."""
    side, up, down = (max(1, round(length)) for length in (side, up, down))
    high = max(up, down)
    y, x = np.mgrid[-high : high + 1, -side : side + 1]
    # A kernel's lower half grows upwards.
    return ((x / side) ** 2 + (y / np.where(y > 0, up, down)) ** 2 <= 1).astype(np.uint8)


def _any_of(parts: _Map, kinds: Iterable[str], scheme: ObjectScheme) -> _Mask:
    """Where parts of some kinds are."""
    return np.isin(np.arange(256), [1 + scheme.index(kind) for kind in kinds])[parts]


def _removed(parts: _Map, unit: float, scheme: ObjectScheme) -> _Mask:
    """Where nothing of the portrait stays: the parts with everything that shows where they were."""
    fill, removed = scheme.fill, np.zeros_like(parts)
    for position, kind in enumerate(scheme.part_kinds, start=1):
        kernel = _ellipse(*(length * unit for length in fill.margins.get(kind, fill.margin)))
        top, left, bottom, right = bounding_box(parts == position)
        high, wide = kernel.shape
        box = np.s_[max(0, top - high) : bottom + high, max(0, left - wide) : right + wide]
        removed[box] |= cv2.dilate((parts[box] == position).astype(np.uint8), kernel)
    grown = removed > 0
    together = _any_of(parts, fill.hull, scheme).astype(np.uint8)
    if together.any():
        hull = cv2.fillConvexPoly(np.zeros_like(parts), cv2.convexHull(cv2.findNonZero(together)), 1)
        grown |= _distance(hull > 0, unit) <= fill.hull_margin
    beyond_gaps = _distance(grown, unit) > _GAP
    return _distance(beyond_gaps, unit) > _GAP


def _skin_field(
    image: _Image, parts: _Map, removed: _Mask, distance: _Plane, unit: float, scheme: ObjectScheme
) -> tuple[_Image, _Plane]:
    """The skin's colour without details, and how far each pixel counts as skin (0 to 1).

    Iteratively reweighted least squares with Tukey's biweight: a stiff field finds out what is skin, then a
    more pliant one follows it.
    """
    rows, cols = parts.shape
    small = (max(2, round(cols / unit / _SAMPLE)), max(2, round(rows / unit / _SAMPLE)))
    grid = (max(2, round(rows / unit / _BLOCK)), max(2, round(cols / unit / _BLOCK)))
    samples = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    outside = cv2.resize(removed.astype(np.float32), small, interpolation=cv2.INTER_AREA) == 0
    far = cv2.resize(distance, small, interpolation=cv2.INTER_AREA)
    prior = (outside * np.exp(-((far / 40) ** 2))).astype(np.float32)
    if not prior.any():  # a portrait with nothing around its parts: its mean is all there is to go by
        prior += 1

    # Around the eyes what is darker is brow or socket; around the mouth it may be a beard, to be continued.
    darker, lighter = np.full((small[1], 1), 0.3), 0.5
    if scheme.fill.beard is not None:
        beside = np.flatnonzero(_any_of(parts, [scheme.fill.beard], scheme).any(axis=1))
        edges = (beside[0], beside[-1]) if len(beside) else (0, rows)
        darker = np.interp((np.arange(small[1]) + 0.5) * rows / small[1], edges, (0.15, 0.45))[:, None]

    light = _light(samples)
    near = light[prior > 0.3]
    usual = float(np.percentile(near, 60)) if len(near) else float(light.mean())
    weight = prior * ((light > 0.6 * usual) & (light < 1.5 * usual))
    if weight.any():
        colour = np.median(samples[weight > 0.3 * weight.max()], axis=0)
        weight *= _unlike(samples, np.broadcast_to(colour, samples.shape))[1] < _TINT
    for _ in range(4):
        field = cv2.resize(_fit(samples, weight, grid, 60, 0.04), small, interpolation=cv2.INTER_CUBIC)
        dark, tint = _unlike(samples, field)
        off = (dark / np.where(dark > 0, darker, lighter)) ** 2 + (tint / _TINT) ** 2
        weight = (prior * np.maximum(1 - off, 0) ** 2).astype(np.float32)
    field = _fit(samples, weight, grid, 6, 0.1)
    skin = cv2.resize(field, (cols, rows), interpolation=cv2.INTER_CUBIC)
    trust = cv2.resize(weight, (cols, rows), interpolation=cv2.INTER_LINEAR) * ~removed
    return skin, np.asarray(trust, np.float32)


def _fit(
    samples: _Image, weight: _Plane, grid: tuple[int, int], stiffness: float, tension: float
) -> Float32[np.ndarray, "down across 3"]:
    """The field f that minimises Σ weight · (f − samples)² + stiffness · (Σ (Δf)² + tension · Σ |∇f|²).

    A thin plate under tension: the first term of the penalty continues gradients, the second one keeps the
    field from running away where there is nothing to fit.
    """
    from scipy.linalg import solveh_banded  # half a second to import, and stored exemplars have their canvas

    rows, cols = grid
    count = rows * cols
    weights = cv2.resize(weight, (cols, rows), interpolation=cv2.INTER_AREA).reshape(count, 1).astype(float)
    sums = cv2.resize(samples * weight[..., None], (cols, rows), interpolation=cv2.INTER_AREA)
    mean = sums.reshape(count, 3).sum(axis=0) / max(weights.sum(), 1e-6)
    system = stiffness * _plate(rows, cols, tension)
    system[0] += weights[:, 0] + 1e-6
    rest = sums.reshape(count, 3) - weights * mean
    field = mean + solveh_banded(system, rest, lower=True, overwrite_ab=True, overwrite_b=True, check_finite=False)
    return field.reshape(rows, cols, 3).astype(np.float32)


@lru_cache(maxsize=2)  # the field of one portrait is fitted five times
def _plate(rows: int, cols: int, tension: float) -> Float[np.ndarray, "band count"]:
    """ΔΔ − tension · Δ on a grid with free edges, in the lower form of `scipy.linalg.solveh_banded`."""
    count = rows * cols
    column = np.tile(np.arange(cols), rows)
    right = (column < cols - 1).astype(float)
    down = (np.arange(count) < count - cols).astype(float)

    def shifted(values: Float[np.ndarray, " count"], by: int) -> Float[np.ndarray, " count"]:
        """Row i of the result is row i + by of `values`."""
        return np.pad(values, abs(by))[abs(by) + by :][:count]

    # −Δ has `degree` on its diagonal and −1 for each neighbour.
    degree = right + shifted(right, -1) + down + shifted(down, -cols)
    band = np.zeros((2 * cols + 1, count), order="F")  # as LAPACK takes it without a copy
    band[0] = degree**2 + degree + tension * degree
    band[1] -= right * (degree + shifted(degree, 1) + tension)
    band[cols] -= down * (degree + shifted(degree, cols) + tension)
    band[2] += right * shifted(right, 1)
    band[2 * cols] += down * shifted(down, cols)
    band[cols + 1] += 2 * right * down
    band[cols - 1] += 2 * shifted(right, -1) * down
    return band


def _brows(darkness: _Plane, eyes: _Mask, unit: float) -> tuple[_Plane, _Plane, Float[np.ndarray, " cols"]]:
    """Find the brows above the eyes.

    A path from left to right through the first dark band above the eyes marks the brows' middle; a brow
    extends down from there for as long as it is not much lighter than the path.

    Returns:
        Where brow is (0 to 1); where eye socket is (0 to 1); each column's row of the brow's middle.
    """
    rows, cols = eyes.shape
    brows, sockets = np.zeros((2, rows, cols), np.float32)
    if not eyes.any():
        return brows, sockets, np.zeros(cols)
    columns = np.flatnonzero(eyes.any(axis=0))
    span = np.arange(max(0, columns[0] - round(26 * unit)), min(cols, columns[-1] + round(26 * unit) + 1))
    top = np.interp(span, columns, eyes.argmax(axis=0)[columns])
    top = cv2.GaussianBlur(top[None].astype(np.float32), (0, 0), 4 * unit)[0]
    bottom = np.interp(span, columns, rows - 1 - eyes[::-1].argmax(axis=0)[columns])

    # Row h of the band is h + 3 units above the eyes' upper edge.
    lowest, first, high = (round(height * unit) for height in (3, 9, 50))
    height = np.arange(lowest, max(high, lowest + 2))[:, None]
    band_rows = np.clip(np.rint(top - height).astype(int), 0, rows - 1)
    band = darkness[band_rows, span[None]]
    soft = cv2.GaussianBlur(band, (0, 0), sigmaX=4 * unit, sigmaY=2 * unit)
    lightest = np.minimum.accumulate(soft, axis=0)
    score = np.minimum(soft - lightest, 0.35) - 0.0015 * height / unit  # the nearer one of two bands
    score[: first - lowest] = -1  # lashes
    path = _best_path(score, 0.03)
    path, bridge = _bridged(path, span, columns, top, len(height) - 1, unit)

    across = np.arange(len(span))
    core = cv2.GaussianBlur(soft[path, across][None], (0, 0), 5 * unit)
    lightest = cv2.erode(lightest[path, across][None], np.ones((1, 2 * round(14 * unit) + 1), np.uint8))
    lightest = cv2.GaussianBlur(lightest, (0, 0), 5 * unit)
    present = _step((core - lightest - 0.05) / 0.1) * bridge
    depth = path - np.arange(len(height))[:, None]
    brow = _step((((band - lightest) / np.maximum(core - lightest, 0.05)) - 0.3) / 0.45)
    brow *= _step((13 - depth / unit) / 6) * _step((height / unit - 7) / 5) * present
    # Dark again below a lighter row is no brow but a fold of the lid.
    hanging = np.minimum.accumulate(np.where(depth >= 0, brow, 1)[::-1], axis=0)[::-1]
    brows[band_rows, span[None]] = np.where(depth >= 0, hanging, present)

    middle = top - height[path, 0]
    y = np.arange(rows)[:, None]
    fade = _step((np.minimum(span - columns[0], columns[-1] - span) / unit + 22) / 12)
    sockets[:, span] = ((y >= middle) & (y <= bottom + 24 * unit)) * fade
    return cv2.GaussianBlur(brows, (0, 0), 1.2 * unit), sockets, np.interp(np.arange(cols), span, middle)


def _best_path(score: Float[np.ndarray, "rows cols"], bend: float) -> Int[np.ndarray, " cols"]:
    """Each column's row on the path with the largest sum of scores less `bend` per step up or down."""
    rows, cols = score.shape
    totals = np.full((cols, rows + 2), -np.inf)  # beyond the first and the last row there is no path
    totals[0, 1:-1] = score[:, 0]
    for before, here, gain in zip(totals, totals[1:], np.ascontiguousarray(score.T[1:]), strict=False):
        stepping = np.maximum(before[:-2], before[2:]) - bend
        np.add(np.maximum(before[1:-1], stepping), gain, out=here[1:-1])
    lower, same, upper = totals[:-1, :-2] - bend, totals[:-1, 1:-1], totals[:-1, 2:] - bend
    steps = np.where(same >= np.maximum(lower, upper), 0, np.where(lower >= upper, -1, 1))
    path = np.empty(cols, int)
    path[-1] = totals[-1, 1:-1].argmax()
    for col in range(cols - 1, 0, -1):
        path[col - 1] = path[col] + steps[col - 1, path[col]]
    return path


def _bridged(
    path: _Row,
    span: _Row,
    columns: Int[np.ndarray, " columns"],
    top: Float32[np.ndarray, " span"],
    last: int,
    unit: float,
) -> tuple[_Row, Float32[np.ndarray, " span"]]:
    """The path with a straight bridge from eye to eye, and 1 where a brow may be, 0 on the bridge.

    Between the eyes there is no brow to find, and the dark corners beside the nose would draw the path down.
    """
    breaks = np.flatnonzero(np.diff(columns) > 1)
    if not len(breaks):
        return path, np.ones(len(span), np.float32)
    widest = breaks[np.diff(columns)[breaks].argmax()]
    left, right = columns[widest], columns[widest + 1]
    start = left - 0.35 * (left - columns[0]) - span[0]
    stop = right + 0.35 * (columns[-1] - right) - span[0]
    across = np.arange(int(start), int(stop) + 1)
    row = top - path
    row[across] = np.interp(across, (across[0], across[-1]), (row[across[0]], row[across[-1]]))
    between = np.minimum(span - left, right - span) / unit
    return np.clip(np.rint(top - row).astype(int), 0, last), _step((24 - between) / 14)


def _hair_and_background(darkness: _Plane, tint: _Plane, parts: _Map, unit: float) -> _Plane:
    """Where no skin is (0 to 1): too dark, light or coloured for it, thick, and extending far from the parts."""
    distance = _distance(parts > 0, unit)
    unlike = np.maximum(np.maximum(darkness / 0.55, -darkness / 0.4), tint / _TINT)
    seeds = ((unlike > 1) & (distance > 8)).astype(np.uint8)
    thick = cv2.morphologyEx(seeds, cv2.MORPH_OPEN, _ellipse(*3 * (5 * unit,)))
    count, pieces = cv2.connectedComponents(thick, connectivity=4)
    extending = np.zeros(count, np.uint8)
    extending[pieces[(thick > 0) & (distance > 50)]] = 1
    beyond = cv2.dilate(extending[pieces], np.ones((3, 3), np.uint8))
    beyond = cv2.GaussianBlur(beyond.astype(np.float32), (0, 0), 2.5 * unit)
    return beyond * _step((unlike - 0.75) / 0.35) * _step((distance - 10) / 12)


def _levelled(
    image: _Image, skin: _Image, distance: _Plane, brow_rows: Float[np.ndarray, " cols"], kept: _Plane, unit: float
) -> _Image:
    """The image with soft shadows and highlights near the parts drawn to the skin field, details untouched.

    These (rings under the eyes, folds beside the mouth) extend further than the fill and would show where the
    parts were.
    """
    missing = skin - cv2.GaussianBlur(image, (0, 0), 2.5 * unit)
    contrast = np.abs(_light(missing)) / np.maximum(_light(skin), 10)
    weight = _step(1 - distance / _LEVELLED) * _step((0.35 - contrast) / 0.15) * (1 - kept)
    weight *= _step((np.arange(len(image))[:, None] - brow_rows) / (10 * unit))
    return image + missing * _thrice(weight)


def _grain(image: _Image, trust: _Plane, unit: float, seed: int) -> _Image:
    """Noise with the colours, the strength and the direction-averaged spectrum of the skin's fine detail."""
    from scipy.fft import irfft2, next_fast_len, rfft2  # as above

    rows, cols = trust.shape
    skin = cv2.erode((trust > 0.6).astype(np.uint8), _ellipse(2 * unit, 2 * unit, 2 * unit)).astype(np.float32)
    if skin.sum() < 25:
        return np.zeros_like(image)
    around = np.maximum(cv2.GaussianBlur(skin, (0, 0), 4 * unit), 1e-3)
    detail = image - cv2.GaussianBlur(image * _thrice(skin), (0, 0), 4 * unit) / _thrice(around)
    # Spots and stray hairs are no grain.
    limits = [4.5 * np.median(np.abs(channel[skin > 0])) for channel in _channels(detail)]
    limited = zip(_channels(detail), limits, strict=True)
    detail = np.asarray(cv2.merge([np.clip(channel, -limit, limit) * skin for channel, limit in limited]))

    flat = detail.reshape(-1, 3)
    _, axes = np.linalg.eigh(flat.T @ flat)  # the colours that vary independently
    size = (next_fast_len(rows, real=True), next_fast_len(cols, real=True))
    rings, tile_rings = _rings(*size), _rings(_TILE, _TILE)
    count = np.maximum(np.bincount(rings.ravel(), minlength=91), 1)
    generator = np.random.default_rng(seed)
    channels = np.zeros((3, _TILE, _TILE), np.float32)
    for axis in axes.T.astype(np.float32):
        power = np.abs(rfft2(detail @ axis, s=size)) ** 2
        spectrum = np.sqrt(np.bincount(rings.ravel(), power.ravel(), minlength=91) / count).astype(np.float32)
        noise = generator.standard_normal((*tile_rings.shape, 2), np.float32)
        wave = noise.view(np.complex64)[..., 0] * spectrum[tile_rings]
        channels += irfft2(wave, s=(_TILE, _TILE)) * axis[:, None, None]
    tile = np.asarray(cv2.merge(list(channels)))
    # Median-like strength: wrinkles and stubble among the skin would make the fill rougher than a cheek.
    window = (max(3, round(15 * unit)),) * 2
    covered = cv2.blur(skin, window)
    strength = np.sqrt(np.maximum(cv2.blur(_light(detail**2), window), 0) / np.maximum(covered, 0.5))
    tile *= np.percentile(strength[skin > 0], 35) / max(np.sqrt(np.mean(tile**2)), 1e-6)
    return np.asarray(cv2.repeat(tile, rows // _TILE + 1, cols // _TILE + 1))[:rows, :cols]


@lru_cache(maxsize=4)  # the tile's, and those of the last portraits
def _rings(rows: int, cols: int) -> Int[np.ndarray, "rows half_cols"]:
    """Which of the rings of equal spatial frequency each coefficient of `rfft2` is in; equal for all sizes."""
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(cols)[None])
    return np.minimum(frequency * 128, 90).astype(int)
