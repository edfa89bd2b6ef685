"""The study's procedure written out: slow, and independent of the library's renderer.

Paste at full resolution in floating point, pad, resize with scikit-image, round once at the end.
"""

import numpy as np
from skimage.transform import resize

from configural.faces import PART_KINDS, FaceLibrary
from configural.stimuli import Stimulus


def _square(picture: np.ndarray, placement: str) -> np.ndarray:
    spare = picture.shape[0] - picture.shape[1]
    before = {"left": 0, "middle": spare // 2, "right": spare}[placement]
    widths = [(0, 0), (before, spare - before)] + [(0, 0)] * (picture.ndim - 2)
    return np.pad(picture, widths)


def literal_picture(faces: FaceLibrary, stimulus: Stimulus, size: int) -> np.ndarray:
    heads = {head.name: head for head in faces.heads}
    host = heads[stimulus.host]
    picture = host.canvas.astype(np.float64)
    for slot, filling in enumerate(stimulus.fillings):
        part = heads[filling.donor].parts[PART_KINDS.index(filling.kind)]
        anchor = host.parts[slot].anchor
        offset = stimulus.condition.offsets[slot]
        rows, cols = np.nonzero(part.mask)
        r = anchor[0] + offset[0] + filling.jitter[0] + rows
        c = anchor[1] + offset[1] + filling.jitter[1] + cols
        blend = stimulus.condition.blend
        picture[r, c] = blend * part.pixels[rows, cols] + (1 - blend) * picture[r, c]
    small = resize(_square(picture, stimulus.placement), (size, size), anti_aliasing=True)
    return np.round(small).astype(np.uint8)


def literal_masks(faces: FaceLibrary, stimulus: Stimulus, size: int) -> np.ndarray:
    """The share of each small pixel that shows each slot's part: 4 × size × size, 0 to 1."""
    heads = {head.name: head for head in faces.heads}
    host = heads[stimulus.host]
    owner = np.zeros(host.canvas.shape[:2], int)
    for slot, filling in enumerate(stimulus.fillings):
        part = heads[filling.donor].parts[PART_KINDS.index(filling.kind)]
        rows, cols = np.nonzero(part.mask)
        place = np.add(np.add(host.parts[slot].anchor, stimulus.condition.offsets[slot]), filling.jitter)
        owner[place[0] + rows, place[1] + cols] = slot + 1
    return np.stack(
        [
            resize(
                _square((owner == slot + 1).astype(float), stimulus.placement),
                (size, size),
                anti_aliasing=True,
            )
            for slot in range(4)
        ]
    )
