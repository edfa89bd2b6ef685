"""From a stimulus to pixels and masks.

Padding, anti-aliased resizing and blending are linear in the pixels. So each canvas is resized once, and per
stimulus only the resized difference inside each part's bounding box is added. Resizing is a product with one
small matrix along the rows and one along the columns.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from scipy import ndimage

from configural.errors import ConfiguralError
from configural.faces import PART_KINDS, FaceLibrary
from configural.stimuli.table import Stimulus

_CANVASES_KEPT = 256


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
        # Bound to this object, not to the class, so that the caches go when the renderer goes.
        self._resampling = lru_cache(maxsize=None)(self._make_resampling)
        self._resized_canvas = lru_cache(maxsize=_CANVASES_KEPT)(self._make_resized_canvas)
        self._scratch = lru_cache(maxsize=_CANVASES_KEPT)(self._make_scratch)
        self._part = lru_cache(maxsize=8 * _CANVASES_KEPT)(self._make_part)

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
        parts overlap, the one pasted later is seen.
        """
        host = self._position(stimulus.host)
        boxes = self._boxes(stimulus, host)
        owner = np.full(self.faces[host].canvas.shape[:2], -1, np.int8)
        for slot, (donor, kind, box) in enumerate(boxes):
            owner[box][self.faces[donor].parts[kind].mask] = slot
        masks = np.zeros((4, self.size, self.size), bool)
        for slot, (_, _, box) in enumerate(boxes):
            visible = (owner[box] == slot).astype(np.float32)[None]
            window, weights = self._resize_box(visible, host, stimulus.placement, box)
            # Half with an allowance for rounding, so that a pixel covered exactly to one half counts.
            masks[slot][window] = weights[0] >= 0.5 - 1e-5
        return masks

    def _draw_planes(self, stimulus: Stimulus) -> UInt8[np.ndarray, "3 size size"]:
        host = self._position(stimulus.host)
        picture = self._resized_canvas(host, stimulus.placement).copy()
        large = self._scratch(host)
        blend = stimulus.condition.blend
        touched = []
        for donor, kind, box in self._boxes(stimulus, host):
            pixels, mask = self._part(donor, kind)
            region = large[:, box[0], box[1]]
            touched.append((box, region.copy()))
            difference = (pixels - region) * (mask * np.float32(blend))
            region += difference
            window, small = self._resize_box(difference, host, stimulus.placement, box)
            picture[:, window[0], window[1]] += small
        for box, before in reversed(touched):
            large[:, box[0], box[1]] = before
        np.rint(picture, out=picture)
        np.clip(picture, 0, 255, out=picture)
        return picture.astype(np.uint8)

    def _position(self, name: str) -> int:
        try:
            return self._positions[name]
        except KeyError:
            raise ConfiguralError(
                f"the stimuli name the head '{name}', which {self.faces.source} does not hold"
            ) from None

    def _boxes(self, stimulus: Stimulus, host: int) -> list[tuple[int, int, tuple[slice, slice]]]:
        """Per slot: donor, part kind and where on the host's canvas the part's bounding box lies."""
        boxes = []
        height, width = self.faces[host].canvas.shape[:2]
        for slot, filling in enumerate(stimulus.fillings):
            donor, kind = self._position(filling.donor), PART_KINDS.index(filling.kind)
            rows, cols = self.faces[donor].parts[kind].mask.shape
            anchor = self.faces[host].parts[slot].anchor
            offset = stimulus.condition.offsets[slot]
            top = anchor[0] + offset[0] + filling.jitter[0]
            left = anchor[1] + offset[1] + filling.jitter[1]
            if top < 0 or left < 0 or top + rows > height or left + cols > width:
                raise ConfiguralError(
                    f"stimulus {stimulus.index}: the {filling.kind} of {filling.donor} leaves the canvas of "
                    f"{stimulus.host} in its {PART_KINDS[slot]} slot"
                )
            boxes.append((donor, kind, (slice(top, top + rows), slice(left, left + cols))))
        return boxes

    def _resize_box(
        self,
        box_pixels: Float32[np.ndarray, "planes rows cols"],
        host: int,
        placement: str,
        box: tuple[slice, slice],
    ) -> tuple[tuple[slice, slice], Float32[np.ndarray, "planes r c"]]:
        """Resize what lies inside a box of the canvas; returns where in the picture it falls, and its values."""
        height, width = self.faces[host].canvas.shape[:2]
        matrix, first, last = self._resampling(max(height, width))
        left = _left_padding(height, width, placement)
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

    def _make_resized_canvas(self, host: int, placement: str) -> Float32[np.ndarray, "3 size size"]:
        canvas = self.faces[host].canvas
        height, width = canvas.shape[:2]
        matrix = resampling_matrix(max(height, width), self.size)
        left = _left_padding(height, width, placement)
        planes = canvas.transpose(2, 0, 1).astype(np.float32)
        return matrix[:, :height] @ planes @ matrix[:, left : left + width].T

    def _make_scratch(self, host: int) -> Float32[np.ndarray, "3 rows cols"]:
        return self.faces[host].canvas.transpose(2, 0, 1).astype(np.float32)

    def _make_part(
        self, donor: int, kind: int
    ) -> tuple[Float32[np.ndarray, "3 rows cols"], Float32[np.ndarray, "rows cols"]]:
        part = self.faces[donor].parts[kind]
        return part.pixels.transpose(2, 0, 1).astype(np.float32), part.mask.astype(np.float32)


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


def _left_padding(height: int, width: int, placement: str) -> int:
    """Black columns on the left that bring a portrait to a square."""
    spare = max(height - width, 0)
    return {"left": 0, "middle": spare // 2, "right": spare}[placement]
