"""The procedure written out: slow, and independent of the library's renderer.

Paste at full resolution in floating point, pad, resize with scikit-image, round once at the end.
"""

import math
from functools import lru_cache

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree
from skimage.transform import resize

from configural.portraits import Exemplar, Library
from configural.stimuli import Stimulus

OUTWARD = {  # where a part hangs in its slot if spaced apart: (rows, cols), 0 first, 0.5 middle, 1 last
    "left_eye": (0, 0),
    "right_eye": (0, 1),
    "nose": (0.5, 0.5),
    "mouth": (1, 0.5),
    "front_wheel": (1, 0),
    "rear_wheel": (1, 1),
    "window": (0, 0.5),
    "door": (0.5, 0.5),
    "lamp": (0.5, 0.5),
}


def _margins(host: Exemplar, placement: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows above and below, columns left and right of the portrait in its square."""
    rows, cols = host.canvas.shape[:2]
    if cols > rows:  # lies at the top, in the middle or at the bottom
        above = {"left": 0, "middle": math.floor((cols - rows) / 2), "right": cols - rows}[placement]
        return (above, cols - rows - above), (0, 0)
    left = {"left": 0, "middle": math.floor((rows - cols) / 2), "right": rows - cols}[placement]
    return (0, 0), (left, rows - cols - left)


def _corner(host: Exemplar, stimulus: Stimulus) -> np.ndarray:
    """Row and column of the surface at which the host's canvas begins."""
    if stimulus.condition.background == "canvas":
        return np.array([0, 0])
    return np.array([before for before, _ in _margins(host, stimulus.placement)])


def _square(image: np.ndarray, host: Exemplar, stimulus: Stimulus) -> np.ndarray:
    if image.shape[0] != image.shape[1]:
        image = np.pad(image, [*_margins(host, stimulus.placement)] + [(0, 0)] * (image.ndim - 2))
    return np.rot90(image, 2) if stimulus.inverted else image


def _background(host: Exemplar, stimulus: Stimulus) -> np.ndarray:
    side = max(host.canvas.shape)
    kind = stimulus.condition.background
    if kind == "canvas":
        return host.canvas.astype(float)
    image = np.full((side, side, 3), 128.0)
    if kind == "skin":
        skin = [host.canvas[r, c] for r, c in zip(*np.nonzero(host.segmentation), strict=True)]
        image[:] = np.median(skin, axis=0)
    if kind == "noise":
        cells = np.random.default_rng(stimulus.noise).integers(64, 192, (64, 64))
        for r, c in np.ndindex(side, side):
            image[r, c] = cells[r * 64 // side, c * 64 // side]
    return image


def _resized(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    if image.shape[:2] == shape:
        return image.astype(float)
    return resize(image.astype(float), shape, anti_aliasing=True)


def _part(donor: Exemplar, kind: str, host: Exemplar, feather: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels, opacity and mean colour of the skin it covered at home."""
    part = next(part for part in donor.parts if part.kind == kind)
    factor = max(host.canvas.shape) / max(donor.canvas.shape)
    shape = tuple(max(1, math.floor(side * factor + 0.5)) for side in part.mask.shape)
    covered = _resized(part.mask, shape)
    mask = covered >= covered.max() / 2 - 1e-5
    top, left = part.anchor
    home = donor.canvas[top : top + part.mask.shape[0], left : left + part.mask.shape[1]]
    opacity = mask.astype(float)
    width = feather * max(host.canvas.shape) / 512
    if width > 0.5:
        distance, _ = cKDTree(np.argwhere(~np.pad(mask, 1))).query(np.argwhere(mask) + 1)
        opacity[mask] = np.minimum(1, (distance - 0.5) / width)
    home = _resized(home, shape)
    skin = np.average(home.reshape(-1, 3), axis=0, weights=opacity.ravel())
    return _resized(part.pixels, shape), opacity, skin


def _place(host: Exemplar, stimulus: Stimulus, slot: int, shape: tuple[int, ...]) -> np.ndarray:
    """Row and column of a part's upper left corner on the surface, before any pose."""
    condition = stimulus.condition
    own = host.parts[slot]
    unit = max(host.canvas.shape) / 512
    if condition.offset_unit != "pixels":  # the distance between the first two parts, in a face the eyes
        unit = math.dist(*(np.array(part.anchor) + np.array(part.mask.shape) / 2 for part in host.parts[:2]))
    place = np.array(own.anchor) + np.round(np.array(condition.offsets[slot]) * unit).astype(int)
    if condition.spacing == "apart":
        for axis in (0, 1):
            place[axis] += math.floor((own.mask.shape[axis] - shape[axis]) * OUTWARD[own.kind][axis])
    return place + _corner(host, stimulus) + stimulus.contents[slot].jitter


def _middle(host: Exemplar, stimulus: Stimulus) -> np.ndarray:
    middles = [np.array(part.anchor) + (np.array(part.mask.shape) - 1) / 2 for part in host.parts]
    return np.mean(middles, axis=0) + _corner(host, stimulus)


@lru_cache(1)  # for the image and then for the masks
def _layers(faces: Library, stimulus: Stimulus) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Slot, pixels and opacity of each part, as large as the surface."""
    exemplars = {exemplar.name: exemplar for exemplar in faces.exemplars}
    host = exemplars[stimulus.host]
    condition = stimulus.condition
    background = _background(host, stimulus)
    middle = _middle(host, stimulus)
    angle = math.radians(stimulus.rotation)

    # Where the points of the posed surface were before.
    row, col = np.indices(background.shape[:2])
    row, col = row - middle[0] - stimulus.shift[0], col - middle[1] - stimulus.shift[1]
    before = (
        (math.cos(angle) * row - math.sin(angle) * col) / stimulus.scale + middle[0],
        (math.sin(angle) * row + math.cos(angle) * col) / stimulus.scale + middle[1],
    )

    layers = []
    for slot, content in enumerate(stimulus.contents):
        if host.parts[slot].kind not in condition.filled:
            continue
        pixels, opacity, skin = _part(exemplars[content.donor], content.kind, host, condition.feather)
        top, left = _place(host, stimulus, slot, opacity.shape)
        half = (np.array(opacity.shape) - 1) / 2
        row, col = before[0] - top - half[0], before[1] - left - half[1]
        own = math.radians(content.rotation)
        # And where in the part, before it was turned alone. Two pixels around it, so that its border is mixed with
        # nothing but its own colour.
        whence = np.stack(
            [
                (math.cos(own) * row - math.sin(own) * col) / content.scale + half[0] + 2,
                (math.sin(own) * row + math.cos(own) * col) / content.scale + half[1] + 2,
            ]
        )
        opacity = map_coordinates(np.pad(opacity, 2), whence, order=1)
        padded = np.pad(pixels, ((2, 2), (2, 2), (0, 0)), mode="edge")
        seen, pixels = opacity > 0, np.zeros((*opacity.shape, 3))
        for channel in range(3):
            pixels[seen, channel] = map_coordinates(padded[..., channel], whence[:, seen], order=1)
        if condition.colour_transfer:
            under = np.average(background.reshape(-1, 3), axis=0, weights=opacity.ravel())
            pixels = np.clip(pixels * np.clip(under / np.maximum(skin, 1), 0.5, 2), 0, 255)
        layers.append((slot, pixels, condition.blend * opacity))
    return layers


def literal_image(faces: Library, stimulus: Stimulus, size: int) -> np.ndarray:
    host = {exemplar.name: exemplar for exemplar in faces.exemplars}[stimulus.host]
    image = _background(host, stimulus)
    for _, pixels, opacity in _layers(faces, stimulus):
        image = opacity[..., None] * pixels + (1 - opacity[..., None]) * image
    small = resize(_square(image, host, stimulus), (size, size), anti_aliasing=True)
    return np.round(small).astype(np.uint8)


def literal_masks(faces: Library, stimulus: Stimulus, size: int) -> np.ndarray:
    """The fraction of each small pixel that shows each slot's part: slots × size × size, 0 to 1."""
    host = {exemplar.name: exemplar for exemplar in faces.exemplars}[stimulus.host]
    owner = np.zeros(_background(host, stimulus).shape[:2], int)
    for slot, _, opacity in _layers(faces, stimulus):
        owner[opacity >= opacity.max() / 2] = slot + 1
    return np.stack(
        [
            resize(_square((owner == slot + 1).astype(float), host, stimulus), (size, size), anti_aliasing=True)
            for slot in range(len(stimulus.contents))
        ]
    )
