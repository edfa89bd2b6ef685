"""Portraits of the study's proportions, cut out of images with a face anywhere."""

from collections.abc import Mapping

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from configural.objects import FACE
from configural.portraits.plausibility import part_middles
from configural.portraits.regions import assemble

# Means of the 70 portraits of FASSEG, in rows of the portrait.
_EYE_DISTANCE, _EYES_TO_MOUTH = 0.264, 0.275
_EYES_FROM_TOP, _WIDTH = 0.486, 0.726
LONGEST = 512  # pixels of a portrait's side
_SMALLEST = 1e-6  # of the image's area: a face may be small in it

Masks = dict[str, Bool[np.ndarray, "_ _"]]


def cropped(
    image: UInt8[np.ndarray, "rows cols 3"], masks: Mapping[str, Bool[np.ndarray, "rows cols"]], *, margin: float
) -> tuple[UInt8[np.ndarray, "_ _ 3"], Masks]:
    """Cut an image and the masks of a face's parts to the study's proportions, of 512 pixels at most.

    What would lie outside of the image is missing on that side; nothing is made larger.

    Args:
        image: RGB.
        masks: As `assemble` takes them.
        margin: How much more there is on each side, as a fraction of the portrait's rows.

    Raises:
        PortraitError: If a part is not to be seen.
    """
    top, left, bottom, right = crop_box(masks, margin=margin)
    scale = min(1.0, LONGEST / max(bottom - top, right - left))
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    box = np.s_[top:bottom, left:right]

    def small(pixels: np.ndarray) -> np.ndarray:
        return pixels if scale == 1 else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)

    return small(np.ascontiguousarray(image[box])), {
        kind: small(255 * mask[box].astype(np.uint8)) > 127 for kind, mask in masks.items()
    }


def crop_box(masks: Mapping[str, Bool[np.ndarray, "rows cols"]], *, margin: float = 0) -> tuple[int, int, int, int]:
    """First row and column, and one past the last ones, of what `cropped` cuts out.

    Raises:
        PortraitError: If a part is not to be seen.
    """
    segmentation = assemble(masks, smallest=_SMALLEST)
    middles = part_middles(segmentation)
    one, other = (middles[kind] for kind in FACE.unit.between)
    eyes = (one + other) / 2
    height = max(
        float(np.linalg.norm(one - other)) / _EYE_DISTANCE,
        float(np.linalg.norm(middles["mouth"] - eyes)) / _EYES_TO_MOUTH,
    )
    most = np.array(segmentation.shape)
    start = eyes - height * np.array([_EYES_FROM_TOP, _WIDTH / 2]) - margin * height
    end = start + height * np.array([1, _WIDTH]) + 2 * margin * height
    (top, left), (bottom, right) = np.clip(np.rint([start, end]).astype(int), 0, most).tolist()
    return top, left, bottom, right
