"""From a stimulus to pixels and masks.

Padding, anti-aliased resizing and blending are linear in the pixels. So each canvas is resized once, and per
stimulus only the resized difference inside each part's bounding box is added. Resizing is a product with one
small matrix along the rows and one along the columns. Soft edges, colour transfer, turning and enlarging change a
part before it is added, at the portrait's own resolution; the rest stays the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from scipy import ndimage

from configural.errors import ConfiguralError
from configural.faces import PART_KINDS, FaceLibrary
from configural.stimuli.conditions import Condition
from configural.stimuli.geometry import (
    REFERENCE_ROWS,
    constellation_middle,
    left_padding,
    part_starts,
    pose_matrix,
    posed_extent,
    scaled_sizes,
)
from configural.stimuli.table import Stimulus

_CANVASES_KEPT = 256
_BYTES_KEPT = 2**30
_GREY = 128
_NOISE_CELLS = 64
"""The noise of a background has so many cells along each side of the picture, of grey levels 64 to 191."""
_GAINS = (0.5, 2.0)
"""Colour transfer makes no part darker or lighter than by these factors, even where it lies on hair."""


@dataclass(frozen=True, eq=False)
class _Paste:
    """A part that is ready to be put on the surface."""

    pixels: Float32[np.ndarray, "3 rows cols"]
    alpha: Float32[np.ndarray, "rows cols"]
    box: tuple[slice, slice]


class Renderer:
    """Draws the stimuli of one face library as square pictures of one size.

    Pastes the parts at the portrait's own resolution, pads with black to a square and resizes with
    anti-aliasing, exactly as `skimage.transform.resize` does, but without ever forming the large picture.
    Not to be shared between threads: it draws on scratch copies of the canvases.
    """

    def __init__(self, faces: FaceLibrary, size: int = 224) -> None:
        """Prepare to draw.

        Args:
            faces: The library that the stimuli name.
            size: Rows and columns of the pictures; at least 8.

        Raises:
            ConfiguralError: If the size is too small.
        """
        if size < 8:
            raise ConfiguralError(f"image size {size} is too small: at least 8 pixels")
        self.faces = faces
        self.size = size
        self._positions = {head.name: position for position, head in enumerate(faces.heads)}
        # Large canvases are kept in bounded memory. The caches are bound to this object, not to the class, so that
        # they go when the renderer goes.
        side = int(faces.canvas_sizes.max())
        kept = min(_CANVASES_KEPT, max(8, _BYTES_KEPT // (12 * side * side)))
        self._resampling = lru_cache(maxsize=None)(self._make_resampling)
        self._resized_surface = lru_cache(maxsize=_CANVASES_KEPT)(self._make_resized_surface)
        self._scratch = lru_cache(maxsize=kept)(self._make_scratch)
        self._part = lru_cache(maxsize=8 * kept)(self._make_part)

    def __reduce__(self) -> tuple[type["Renderer"], tuple[FaceLibrary, int]]:
        # To another process goes what it was made from, without the caches.
        return Renderer, (self.faces, self.size)

    def draw(self, stimulus: Stimulus) -> UInt8[np.ndarray, "size size 3"]:
        """Draw one picture, RGB."""
        return np.ascontiguousarray(self._draw_planes(stimulus).transpose(1, 2, 0))

    def draw_batch(self, stimuli: Sequence[Stimulus]) -> UInt8[np.ndarray, "n size size 3"]:
        """Draw several pictures into one array."""
        pictures = np.empty((len(stimuli), self.size, self.size, 3), np.uint8)
        for picture, stimulus in zip(pictures, stimuli, strict=True):
            picture[...] = self._draw_planes(stimulus).transpose(1, 2, 0)
        return pictures

    def draw_masks(self, stimulus: Stimulus) -> Bool[np.ndarray, "4 size size"]:
        """Which pixels show the part in each slot, in slot order.

        A pixel belongs to a part if at least half of it, by the weights of the resizing, shows that part. Where
        parts overlap, the one pasted later is seen. A soft edge counts where it is at least half as opaque as the
        part is at most. An empty slot's mask is empty.
        """
        host = self._position(stimulus.host)
        large = self._surface(stimulus, host)
        pastes = self._pastes(stimulus, host, large)
        owner = np.full(large.shape[1:], -1, np.int8)
        for slot, paste in pastes.items():
            owner[paste.box][paste.alpha >= paste.alpha.max() / 2] = slot
        masks = np.zeros((4, self.size, self.size), bool)
        for slot, paste in pastes.items():
            visible = (owner[paste.box] == slot).astype(np.float32)[None]
            window, weights = self._resize_box(visible, host, stimulus, paste.box)
            # Half with an allowance for rounding, so that a pixel covered exactly to one half counts.
            masks[slot][window] = weights[0] >= 0.5 - 1e-5
        return masks[:, ::-1, ::-1] if stimulus.inverted else masks

    def draw_footprints(self, stimulus: Stimulus) -> Bool[np.ndarray, "4 size size"]:
        """Where the part in each slot lies, as in `draw_masks`, but including what later parts hide of it."""
        host = self._position(stimulus.host)
        masks = np.zeros((4, self.size, self.size), bool)
        for slot, paste in self._pastes(stimulus, host, self._surface(stimulus, host)).items():
            shown = (paste.alpha >= paste.alpha.max() / 2).astype(np.float32)[None]
            window, weights = self._resize_box(shown, host, stimulus, paste.box)
            masks[slot][window] = weights[0] >= 0.5 - 1e-5
        return masks[:, ::-1, ::-1] if stimulus.inverted else masks

    def _draw_planes(self, stimulus: Stimulus) -> UInt8[np.ndarray, "3 size size"]:
        host = self._position(stimulus.host)
        large = self._surface(stimulus, host)
        if stimulus.condition.background == "noise":
            matrix = self._resampling(large.shape[1])[0]
            picture = matrix @ large @ matrix.T
        else:
            picture = self._resized_surface(host, stimulus.condition.background, stimulus.placement).copy()
        touched = []
        for paste in self._pastes(stimulus, host, large).values():
            region = large[:, paste.box[0], paste.box[1]]
            touched.append((paste.box, region.copy()))
            difference = (paste.pixels - region) * paste.alpha
            region += difference
            window, small = self._resize_box(difference, host, stimulus, paste.box)
            picture[:, window[0], window[1]] += small
        for box, before in reversed(touched):
            large[:, box[0], box[1]] = before
        np.rint(picture, out=picture)
        np.clip(picture, 0, 255, out=picture)
        return picture.astype(np.uint8)[:, :: -1 if stimulus.inverted else 1, :: -1 if stimulus.inverted else 1]

    def _position(self, name: str) -> int:
        try:
            return self._positions[name]
        except KeyError:
            raise ConfiguralError(
                f"the stimuli name the head '{name}', which {self.faces.source} does not hold"
            ) from None

    def _surface(self, stimulus: Stimulus, host: int) -> Float32[np.ndarray, "3 rows cols"]:
        """What the parts are put on, at the host's resolution; whoever changes it changes it back."""
        background = stimulus.condition.background
        if background != "noise":
            return self._scratch(host, background)
        side = max(self.faces[host].canvas.shape[:2])
        cells = np.random.default_rng(stimulus.noise).integers(64, 192, (_NOISE_CELLS, _NOISE_CELLS))
        cell = np.arange(side) * _NOISE_CELLS // side
        return np.tile(cells[np.ix_(cell, cell)].astype(np.float32), (3, 1, 1))

    def _pastes(
        self, stimulus: Stimulus, host: int, surface: Float32[np.ndarray, "3 rows cols"]
    ) -> dict[int, _Paste]:
        """Per filled slot, in slot order, what is put where on the surface."""
        condition, faces = stimulus.condition, self.faces
        donors = [self._position(filling.donor) for filling in stimulus.fillings]
        kinds = [PART_KINDS.index(filling.kind) for filling in stimulus.fillings]
        jitter = np.array([[filling.jitter for filling in stimulus.fillings]])
        hosts = np.array([host])
        start, size = part_starts(faces, condition, hosts, np.array([kinds]), np.array([donors]), jitter)
        height, width = faces[host].canvas.shape[:2]
        left = 0 if condition.background == "canvas" else left_padding(height, width, stimulus.placement)
        start[..., 1] += left
        turned = stimulus.rotation != 0 or stimulus.scale != 1
        low, high = start, start + size
        if turned:
            middle = constellation_middle(faces, hosts) + np.array([0, left])
            pose = np.array([stimulus.rotation], float), np.array([stimulus.scale], float)
            low, high = posed_extent(start, size, middle, *pose)
        lows, highs = (low[0] + stimulus.shift).tolist(), (high[0] + stimulus.shift).tolist()
        pastes = {}
        for slot, kind in enumerate(PART_KINDS):
            if kind not in condition.filled:
                continue
            (top, first), (bottom, last) = lows[slot], highs[slot]
            if top < 0 or first < 0 or bottom > surface.shape[1] or last > surface.shape[2]:
                filling = stimulus.fillings[slot]
                raise ConfiguralError(
                    f"stimulus {stimulus.index}: the {filling.kind} of {filling.donor} leaves the canvas of "
                    f"{stimulus.host} in its {kind} slot"
                )
            box = (slice(top, bottom), slice(first, last))
            pixels, alpha, skin = self._part(donors[slot], kinds[slot], height, condition)
            if turned:
                origin = low[0, slot] - middle[0]
                inverse = np.linalg.inv(pose_matrix(*pose)[0])
                # One pixel of padding, so that the soft border of the turned part is interpolated, too.
                offset = inverse @ origin + middle[0] - start[0, slot] + 1
                shape = (bottom - top, last - first)
                alpha = _interpolate(np.pad(alpha, 1), inverse, offset, shape)
                planes = np.pad(pixels, ((0, 0), (1, 1), (1, 1)), mode="edge")
                pixels = np.stack([_interpolate(plane, inverse, offset, shape) for plane in planes])
            if condition.colour_transfer:
                under = (surface[:, box[0], box[1]] * alpha).sum(axis=(1, 2)) / alpha.sum()
                gain = np.clip(under / np.maximum(skin, 1), *_GAINS)
                pixels = np.minimum(pixels * gain[:, None, None].astype(np.float32), 255)
            pastes[slot] = _Paste(pixels, alpha, box)
        return pastes

    def _resize_box(
        self,
        box_pixels: Float32[np.ndarray, "planes rows cols"],
        host: int,
        stimulus: Stimulus,
        box: tuple[slice, slice],
    ) -> tuple[tuple[slice, slice], Float32[np.ndarray, "planes r c"]]:
        """Resize what lies inside a box of the surface; returns where in the picture it falls, and its values."""
        height, width = self.faces[host].canvas.shape[:2]
        matrix, first, last = self._resampling(max(height, width))
        on_canvas = stimulus.condition.background == "canvas"
        left = left_padding(height, width, stimulus.placement) if on_canvas else 0
        top_row, end_row = box[0].start, box[0].stop
        top_col, end_col = box[1].start + left, box[1].stop + left
        rows = slice(int(last.searchsorted(top_row)), int(first.searchsorted(end_row)))
        cols = slice(int(last.searchsorted(top_col)), int(first.searchsorted(end_col)))
        small = matrix[rows, top_row:end_row] @ box_pixels @ matrix[cols, top_col:end_col].T
        return (rows, cols), small

    def _make_resampling(self, side: int) -> tuple[Float32[np.ndarray, "size side"], np.ndarray, np.ndarray]:
        """The resizing matrix of a square, and for each of its rows the first and last column that counts."""
        matrix = resampling_matrix(side, self.size)
        counts = matrix != 0
        return matrix, counts.argmax(axis=1), side - 1 - counts[:, ::-1].argmax(axis=1)

    def _make_resized_surface(
        self, host: int, background: str, placement: str
    ) -> Float32[np.ndarray, "3 size size"]:
        if background != "canvas":
            return np.tile(self._tone(host, background)[:, None, None], (1, self.size, self.size))
        canvas = self.faces[host].canvas
        height, width = canvas.shape[:2]
        matrix = resampling_matrix(max(height, width), self.size)
        left = left_padding(height, width, placement)
        planes = canvas.transpose(2, 0, 1).astype(np.float32)
        return matrix[:, :height] @ planes @ matrix[:, left : left + width].T

    def _make_scratch(self, host: int, background: str) -> Float32[np.ndarray, "3 rows cols"]:
        canvas = self.faces[host].canvas
        if background == "canvas":
            return canvas.transpose(2, 0, 1).astype(np.float32)
        side = max(canvas.shape[:2])
        return np.tile(self._tone(host, background)[:, None, None], (1, side, side))

    def _tone(self, host: int, background: str) -> Float32[np.ndarray, "3"]:
        """The colour of a plain background; skin is the median of what was filled in where the host's parts lay."""
        if background == "grey":
            return np.full(3, _GREY, np.float32)
        head = self.faces[host]
        return np.median(head.canvas[head.segmentation > 0], axis=0).astype(np.float32)

    def _make_part(
        self, donor: int, kind: int, host_rows: int, condition: Condition
    ) -> tuple[Float32[np.ndarray, "3 rows cols"], Float32[np.ndarray, "rows cols"], Float32[np.ndarray, "3"]]:
        """A part at a host's resolution: pixels, share in the mixture, mean colour of the skin it covered."""
        head = self.faces[donor]
        part = head.parts[kind]
        mask = part.mask
        rows, cols = mask.shape
        under = head.canvas[part.anchor[0] : part.anchor[0] + rows, part.anchor[1] : part.anchor[1] + cols]
        pixels, under = (picture.transpose(2, 0, 1).astype(np.float32) for picture in (part.pixels, under))
        donor_rows = head.canvas.shape[0]
        if host_rows != donor_rows:
            new_rows, new_cols = scaled_sizes(np.array(mask.shape), host_rows, donor_rows).tolist()
            down, across = resampling_matrix(rows, new_rows), resampling_matrix(cols, new_cols).T
            pixels, under = down @ pixels @ across, down @ under @ across
            share = down @ mask.astype(np.float32) @ across
            mask = share >= share.max() / 2 - 1e-5
        alpha = np.float32(condition.blend) * soft_mask(mask, condition.feather * host_rows / REFERENCE_ROWS)
        return pixels, alpha, (under * alpha).sum(axis=(1, 2)) / alpha.sum()


def soft_mask(mask: Bool[np.ndarray, "rows cols"], feather: float) -> Float32[np.ndarray, "rows cols"]:
    """A mask that rises from 0 at its outline to 1 within `feather` pixels inside; hard for 0."""
    if feather <= 0.5:
        return mask.astype(np.float32)
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return np.clip((depth - 0.5) / feather, 0, 1).astype(np.float32)


def _interpolate(
    plane: Float32[np.ndarray, "r c"], matrix: np.ndarray, offset: np.ndarray, shape: tuple[int, int]
) -> Float32[np.ndarray, "rows cols"]:
    """The plane at matrix · (row, column) + offset, linearly between pixels; the outermost ones go on for ever."""
    return ndimage.affine_transform(plane, matrix, offset, shape, order=1, mode="nearest")


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
