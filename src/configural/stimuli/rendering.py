"""From a stimulus to pixels and masks.

Padding, anti-aliased resizing and blending are linear in the pixels. So each canvas is resized once, and per
stimulus only the resized difference inside each part's bounding box is added. Resizing is a product with one
small matrix along the rows and one along the columns. Soft edges, colour transfer, turning and enlarging change a
part before it is added, at the portrait's own resolution; the rest stays the same.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8
from scipy import ndimage

from configural.blas import one_blas_thread
from configural.errors import ConfiguralError
from configural.portraits import Library
from configural.stimuli.layout import REFERENCE_SIDE, layout_of, require_inside, scaled_sizes, square_padding
from configural.stimuli.table import Stimulus

_CANVASES_KEPT = 256
_BYTES_KEPT = 2**30
_GREY = 128
_NOISE_BLOCKS = 64
"""The noise of a background has so many blocks along each side of the image, of grey levels 64 to 191."""
_GAINS = (0.5, 2.0)
"""Colour transfer makes no part darker or lighter than by these factors, even where it lies on something dark."""


_Box = tuple[slice, slice]
_Mask = Bool[np.ndarray, "rows cols"]
_Image = UInt8[np.ndarray, "size size 3"]
_Images = UInt8[np.ndarray, "n size size 3"]
_Masks = Bool[np.ndarray, "slots size size"]
_ManyMasks = Bool[np.ndarray, "n slots size size"]
_Planes = Float32[np.ndarray, "3 rows cols"]


@dataclass(frozen=True, eq=False)
class _Part:
    """A part at a host's resolution: its weight in the mixture, and the mean colour of the surface it covered."""

    pixels: Float32[np.ndarray, "3 rows cols"]
    alpha: Float32[np.ndarray, "rows cols"]
    tone: Float32[np.ndarray, "3"]

    @cached_property
    def shown(self) -> Bool[np.ndarray, "rows cols"]:
        """Where it counts as seen."""
        return self.alpha >= self.alpha.max() / 2

    @property
    def padded(self) -> Float32[np.ndarray, "4 r c"]:
        """Pixels and weight with a margin of one pixel, so that its soft border is interpolated, too."""
        pixels = np.pad(self.pixels, ((0, 0), (1, 1), (1, 1)), mode="edge")
        return np.concatenate([pixels, np.pad(self.alpha, 1)[None]])


@dataclass(frozen=True, eq=False)
class _Scene:
    """A stimulus with what is needed to draw it: where in the square its surface begins, and by slot a part."""

    stimulus: Stimulus
    host: int
    surface: Float32[np.ndarray, "3 rows cols"]
    corner: tuple[int, int]
    pastes: dict[int, tuple[_Part, _Box]]

    @cached_property
    def apart(self) -> bool:
        """Whether no two parts' boxes have a pixel in common."""
        return not any(
            one.start < other.stop
            and other.start < one.stop
            and first.start < second.stop
            and second.start < first.stop
            for (_, (one, first)), (_, (other, second)) in itertools.combinations(self.pastes.values(), 2)
        )


class Renderer:
    """Draws the stimuli of one library as square images of one size.

    Pastes the parts at the portrait's own resolution, pads with black to a square and resizes with
    anti-aliasing, exactly as `skimage.transform.resize` does, but without ever forming the large image.
    Not to be shared between threads: it draws on scratch copies of the canvases.

    Every renderer has these methods; `DeviceRenderer` also draws on a torch device.

    Example:
        >>> import configural as cf
        >>> library = cf.portraits.load("synthetic:4")
        >>> Renderer(library, size=32).draw(cf.stimuli.sample(library, count=20)[0]).shape
        (32, 32, 3)
    """

    def __init__(self, library: Library, *, size: int = 224) -> None:
        """Prepare to draw.

        Args:
            library: The library that the stimuli name.
            size: Rows and columns of the images; at least 8.

        Raises:
            ConfiguralError: If the size is too small.
        """
        if size < 8:
            raise ConfiguralError(f"image size {size} is too small: at least 8 pixels")
        self.library = library
        self.size = size
        # Large canvases are kept in bounded memory. The caches are bound to this object, not to the class, so that
        # they go when the renderer goes.
        side = int(library.sides.max())
        kept = min(_CANVASES_KEPT, max(8, _BYTES_KEPT // (12 * side * side)))
        self._resampling = lru_cache(maxsize=None)(self._make_resampling)
        self._resized_surface = lru_cache(maxsize=_CANVASES_KEPT)(self._make_resized_surface)
        self._scratch = lru_cache(maxsize=kept)(self._make_scratch)
        self._part = lru_cache(maxsize=8 * kept)(self._make_part)

    def __reduce__(self) -> tuple[Any, tuple[Library]]:
        # To another process goes what it was made from, without the caches.
        return partial(type(self), size=self.size), (self.library,)

    def forget(self) -> None:
        """Let go of what was remembered of the portraits to draw faster; it is made again when it is needed."""
        for remembered in (self._resampling, self._resized_surface, self._scratch, self._part):
            remembered.cache_clear()

    def draw(self, stimulus: Stimulus) -> UInt8[np.ndarray, "size size 3"]:
        """Draw one image, RGB."""
        return self._draw_all([stimulus])[0]

    def draw_batch(self, stimuli: Sequence[Stimulus]) -> UInt8[np.ndarray, "n size size 3"]:
        """Draw several images into one array, in less time than one by one."""
        return self._draw_all(stimuli)

    def draw_masks(self, stimulus: Stimulus) -> Bool[np.ndarray, "slots size size"]:
        """Which pixels show the part in each slot, in slot order.

        A pixel belongs to a part if at least half of it, by the weights of the resizing, shows that part. Where
        parts overlap, the one pasted later is seen. A soft edge counts where it is at least half as opaque as the
        part is at most. An empty slot's mask is empty.
        """
        with one_blas_thread():
            (scene,) = self._scenes([stimulus])
            return self._footprints(scene, self._seen(scene))

    def draw_with_masks(
        self, stimulus: Stimulus
    ) -> tuple[UInt8[np.ndarray, "size size 3"], Bool[np.ndarray, "slots size size"]]:
        """Draw one image and its masks, in less time than by `draw` and `draw_masks`."""
        images, masks = self.draw_batch_with_masks([stimulus])
        return images[0], masks[0]

    def draw_batch_with_masks(
        self, stimuli: Sequence[Stimulus]
    ) -> tuple[UInt8[np.ndarray, "n size size 3"], Bool[np.ndarray, "n slots size size"]]:
        """Draw several images into one array and their masks into another."""
        masks = self._no_masks(len(stimuli))
        return self._draw_all(stimuli, masks), masks

    def draw_footprints(self, stimulus: Stimulus) -> Bool[np.ndarray, "slots size size"]:
        """Where the part in each slot lies, as in `draw_masks`, but including what later parts hide of it."""
        with one_blas_thread():
            (scene,) = self._scenes([stimulus])
            return self._footprints(scene, {slot: part.shown for slot, (part, _) in scene.pastes.items()})

    @one_blas_thread()
    def _draw_all(self, stimuli: Sequence[Stimulus], masks: _ManyMasks | None = None) -> _Images:
        """The images; and into masks that are all false, where their parts are seen."""
        images = np.empty((len(stimuli), self.size, self.size, 3), np.uint8)
        for row, scene in enumerate(self._scenes(stimuli)):
            self._draw_into(images[row], scene, None if masks is None else masks[row])
        return images

    def _no_masks(self, n: int) -> _ManyMasks:
        return np.zeros((n, len(self.library.scheme.part_kinds), self.size, self.size), bool)

    def _scenes(self, stimuli: Sequence[Stimulus]) -> Iterator[_Scene]:
        """What is needed to draw each stimulus; whoever changes a surface changes it back before the next.

        Raises:
            ConfiguralError: If a stimulus names an exemplar that the library does not hold, or a part leaves the
                surface.
        """
        layout = layout_of(self.library, stimuli)
        require_inside(self.library, stimuli, layout)
        hosts, corners, sides = layout.host.tolist(), layout.corner.tolist(), layout.side.tolist()
        kinds, donors, filled = layout.kind.tolist(), layout.donor.tolist(), layout.filled.tolist()
        lows, highs, turned = layout.low.tolist(), layout.high.tolist(), layout.turned.tolist()
        inverse, offset = layout.sources() if layout.turned.any() else (None, None)
        for row, stimulus in enumerate(stimuli):
            condition, surface = stimulus.condition, self._surface(stimulus, hosts[row])
            pastes = {}
            for slot in (slot for slot, holds in enumerate(filled[row]) if holds):
                (top, first), (bottom, last) = lows[row][slot], highs[row][slot]
                material = donors[row][slot], kinds[row][slot], sides[row]
                box = (slice(top, bottom), slice(first, last))
                part = self._part(*material, condition.blend, condition.feather)
                if inverse is not None and offset is not None and turned[row][slot]:
                    way = inverse[row, slot], offset[row, slot], (bottom - top, last - first)
                    *pixels, alpha = (
                        ndimage.affine_transform(plane, *way, order=1, mode="nearest") for plane in part.padded
                    )
                    part = _Part(np.stack(pixels), alpha, part.tone)
                if condition.colour_transfer:
                    under = (surface[:, box[0], box[1]] * part.alpha).sum(axis=(1, 2)) / part.alpha.sum()
                    gain = np.clip(under / np.maximum(part.tone, 1), *_GAINS)
                    pixels = np.minimum(part.pixels * gain[:, None, None].astype(np.float32), 255)
                    part = replace(part, pixels=pixels)
                pastes[slot] = part, box
            yield _Scene(stimulus, hosts[row], surface, (corners[row][0], corners[row][1]), pastes)

    def _draw_into(self, image: _Image, scene: _Scene, masks: _Masks | None) -> None:
        stimulus, large = scene.stimulus, scene.surface
        if stimulus.condition.background == "noise":
            matrix = self._resampling(large.shape[1])[0]
            planes = matrix @ large @ matrix.T
            image[...] = _rounded(planes)
        else:
            planes, rounded = self._resized_surface(scene.host, stimulus.condition.background, stimulus.placement)
            image[...] = rounded
        apart, seen = scene.apart, {} if masks is None else self._seen(scene)
        changes, touched = [], []
        for slot, (part, box) in scene.pastes.items():
            region = large[:, box[0], box[1]]
            _, rows, cols = region.shape
            # The colours of a row lie beside each other, and its mask beside them: so all are resized at once.
            beside = np.empty((rows, 3 + (masks is not None), cols), np.float32)
            # First on planes that lie apart, since subtracting right into such rows takes three times as long.
            difference = part.pixels - region
            difference = np.multiply(difference, part.alpha, out=beside[:, :3].transpose(1, 0, 2))
            if not apart:  # later parts are put on this one
                touched.append((box, region.copy()))
                region += difference
            if masks is not None:
                beside[:, 3] = seen[slot]
            window, small = self._resize_box(beside, scene, box)
            changes.append((window, small[:, :3].transpose(1, 0, 2)))
            if masks is not None:
                masks[slot][window] = _at_least_half(small[:, 3])
        for box, before in reversed(touched):
            large[:, box[0], box[1]] = before
        if changes:
            # Only what lies around the parts is another than on the surface alone.
            top, bottom = min(rows.start for (rows, _), _ in changes), max(rows.stop for (rows, _), _ in changes)
            first, last = min(cols.start for (_, cols), _ in changes), max(cols.stop for (_, cols), _ in changes)
            around = planes[:, top:bottom, first:last].copy()
            for (rows, cols), small in changes:
                around[:, rows.start - top : rows.stop - top, cols.start - first : cols.stop - first] += small
            image[top:bottom, first:last] = _rounded(around)
        if stimulus.inverted:
            image[...] = image[::-1, ::-1].copy()
            if masks is not None:
                masks[...] = masks[:, ::-1, ::-1].copy()

    def _seen(self, scene: _Scene) -> dict[int, _Mask]:
        """Per filled slot, the pixels of its part that no later one hides; quickly if all lie apart."""
        if scene.apart:
            return {slot: part.shown for slot, (part, _) in scene.pastes.items()}
        owner = np.full(scene.surface.shape[1:], -1, np.int8)
        for slot, (part, box) in scene.pastes.items():
            owner[box][part.shown] = slot
        return {slot: owner[box] == slot for slot, (_, box) in scene.pastes.items()}

    def _footprints(self, scene: _Scene, shown: dict[int, _Mask]) -> _Masks:
        """Per slot, the pixels that these pixels of its part cover to at least one half."""
        masks = self._no_masks(1)[0]
        for slot, (_, box) in scene.pastes.items():
            window, small = self._resize_box(shown[slot].astype(np.float32)[:, None], scene, box)
            masks[slot][window] = _at_least_half(small[:, 0])
        return masks[:, ::-1, ::-1].copy() if scene.stimulus.inverted else masks

    def _surface(self, stimulus: Stimulus, host: int) -> _Planes:
        """What the parts are put on, at the host's resolution; whoever changes it changes it back."""
        background = stimulus.condition.background
        if background != "noise":
            return self._scratch(host, background)
        side = int(self.library.sides[host])
        levels = np.random.default_rng(stimulus.noise).integers(64, 192, (_NOISE_BLOCKS, _NOISE_BLOCKS))
        block = np.arange(side) * _NOISE_BLOCKS // side
        return np.tile(levels[np.ix_(block, block)].astype(np.float32), (3, 1, 1))

    def _resize_box(
        self, box_pixels: Float32[np.ndarray, "rows planes cols"], scene: _Scene, box: _Box
    ) -> tuple[_Box, Float32[np.ndarray, "r planes c"]]:
        """Resize what lies inside a box of the surface; returns where in the image it falls, and its values."""
        matrix, starts, stops, firsts, ends = self._resampling(int(self.library.sides[scene.host]))
        top_row, end_row = box[0].start + scene.corner[0], box[0].stop + scene.corner[0]
        top_col, end_col = box[1].start + scene.corner[1], box[1].stop + scene.corner[1]
        rows, cols = slice(starts[top_row], stops[end_row]), slice(starts[top_col], stops[end_col])
        high, planes, wide = box_pixels.shape
        flat = box_pixels.reshape(high, planes * wide)
        low = np.empty((rows.stop - rows.start, planes * wide), np.float32)
        # A pixel of the image depends on a few rows only, so two halves are less work than the whole.
        middle = (rows.start + rows.stop) // 2
        for begin, end in ((rows.start, middle), (middle, rows.stop)):
            if begin < end:
                top, bottom = max(top_row, firsts[begin]), min(end_row, ends[end - 1])
                part = flat[top - top_row : bottom - top_row]
                np.matmul(matrix[begin:end, top:bottom], part, out=low[begin - rows.start : end - rows.start])
        small = low.reshape(-1, wide) @ matrix[cols, top_col:end_col].T
        return (rows, cols), small.reshape(-1, planes, small.shape[1])

    def _make_resampling(
        self, side: int
    ) -> tuple[Float32[np.ndarray, "size side"], list[int], list[int], list[int], list[int]]:
        """The resizing matrix of a square.

        With it, by pixel of the square, the first row of the matrix that it counts in; by one past the last pixel,
        one past the last row; by row of the matrix, the first pixel that counts in it, and one past the last.
        """
        matrix = resampling_matrix(side, self.size)
        counts = matrix != 0
        first, last = counts.argmax(axis=1), side - 1 - counts[:, ::-1].argmax(axis=1)
        pixels = np.arange(side + 1)
        starts, stops = last.searchsorted(pixels).tolist(), first.searchsorted(pixels).tolist()
        return matrix, starts, stops, first.tolist(), (last + 1).tolist()

    def _make_resized_surface(
        self, host: int, background: str, placement: str
    ) -> tuple[Float32[np.ndarray, "3 size size"], _Image]:
        """What is seen where no part is: exactly, and rounded to an image."""
        if background != "canvas":
            planes = np.tile(self._tone(host, background)[:, None, None], (1, self.size, self.size))
            return planes, _rounded(planes)
        canvas = self.library[host].canvas
        height, width = canvas.shape[:2]
        matrix = self._resampling(max(height, width))[0]
        top, left = square_padding(np.array([[height, width]]), np.array([placement]))[0].tolist()
        planes = canvas.transpose(2, 0, 1).astype(np.float32)
        planes = matrix[:, top : top + height] @ planes @ matrix[:, left : left + width].T
        return planes, _rounded(planes)

    def _make_scratch(self, host: int, background: str) -> _Planes:
        canvas = self.library[host].canvas
        if background == "canvas":
            return canvas.transpose(2, 0, 1).astype(np.float32)
        side = max(canvas.shape[:2])
        return np.tile(self._tone(host, background)[:, None, None], (1, side, side))

    def _tone(self, host: int, background: str) -> Float32[np.ndarray, "3"]:
        """The colour of a plain background; skin is the median of what was filled in where the host's parts lay."""
        if background == "grey":
            return np.full(3, _GREY, np.float32)
        exemplar = self.library[host]
        return np.median(exemplar.canvas[exemplar.segmentation > 0], axis=0).astype(np.float32)

    def _make_part(self, donor: int, kind: int, host_side: int, blend: float, feather: float) -> _Part:
        exemplar = self.library[donor]
        part = exemplar.parts[kind]
        mask = part.mask
        rows, cols = mask.shape
        under = exemplar.canvas[part.anchor[0] : part.anchor[0] + rows, part.anchor[1] : part.anchor[1] + cols]
        pixels, under = (image.transpose(2, 0, 1).astype(np.float32) for image in (part.pixels, under))
        donor_side = int(self.library.sides[donor])
        if host_side != donor_side:
            new_rows, new_cols = scaled_sizes(np.array(mask.shape), host_side, donor_side).tolist()
            down, across = resampling_matrix(rows, new_rows), resampling_matrix(cols, new_cols).T
            pixels, under = down @ pixels @ across, down @ under @ across
            covered = down @ mask.astype(np.float32) @ across
            mask = covered >= covered.max() / 2 - 1e-5
        alpha = np.float32(blend) * soft_mask(mask, feather * host_side / REFERENCE_SIDE)
        tone = (under * alpha).sum(axis=(1, 2)) / alpha.sum()
        return _Part(pixels, alpha, tone)


def _at_least_half(coverage: Float32[np.ndarray, "r c"]) -> Bool[np.ndarray, "r c"]:
    """With an allowance for rounding, so that a pixel covered exactly to one half counts."""
    return coverage >= 0.5 - 1e-5


def _rounded(planes: Float32[np.ndarray, "3 r c"]) -> UInt8[np.ndarray, "r c 3"]:
    """Planes as an image of whole grey levels, halves to the even one. What is below 0 is so by rounding only."""
    _, rows, cols = planes.shape
    levels = cv2.convertScaleAbs(planes.reshape(3 * rows, cols)).reshape(3, rows, cols)
    image: UInt8[np.ndarray, "r c 3"] = cv2.merge(list(levels))  # NumPy's own way is slow
    return image


def soft_mask(mask: Bool[np.ndarray, "rows cols"], feather: float) -> Float32[np.ndarray, "rows cols"]:
    """A mask that rises from 0 at its outline to 1 within `feather` pixels inside; hard for 0."""
    if feather <= 0.5:
        return mask.astype(np.float32)
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return np.clip((depth - 0.5) / feather, 0, 1).astype(np.float32)


def resampling_matrix(side: int, size: int) -> Float32[np.ndarray, "size side"]:
    """The matrix M with which M·x resizes `side` values to `size` with anti-aliasing.

    The same as `skimage.transform.resize`: a Gaussian of σ = max(0, (side / size − 1) / 2), cut off at 4 σ,
    then linear interpolation between pixel centres, mirrored at the borders.
    """
    sigma = max(0.0, (side / size - 1) / 2)
    identity = np.eye(side)
    smooth = ndimage.gaussian_filter1d(identity, sigma, axis=0, mode="mirror") if sigma else identity
    matrix = ndimage.zoom(smooth, (size / side, 1), order=1, mode="mirror", grid_mode=True)
    return matrix.astype(np.float32)
