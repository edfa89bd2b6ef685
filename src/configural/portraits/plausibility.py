"""Whether the parts of a face lie as those of an upright face do."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, UInt8

from configural.io.images import bounding_box
from configural.objects import FACE

_Bounds = tuple[float, float]
_BELOW: Mapping[str, _Bounds] = {"nose": (0.05, 1.1), "mouth": (0.4, 2.2)}
_ASIDE = 0.7
_TILT = 0.5
"""In distances between the eyes, and far wider than faces are: on the 70 portraits of FASSEG the nose is 0.29 to
0.47 and the mouth 0.90 to 1.21 below the eyes, at most 0.13 aside, and the eyes are within 0.15 rows of each other.
What lies outside is a label upside down, with exchanged sides, or of two people."""


def implausible(segmentation: UInt8[np.ndarray, "rows cols"]) -> str:
    """What is unlike any upright face in a segmentation of the face scheme, in words; empty if nothing is.

    The centre of a part is that of its bounding box.

    Example:
        >>> face = np.zeros((60, 60), np.uint8)
        >>> for number, (row, col) in enumerate([(20, 15), (20, 35), (28, 25), (40, 25)], start=1):
        ...     face[row : row + 4, col : col + 8] = number
        >>> implausible(face), implausible(face[::-1])
        ('', 'its mouth lies 1.0 eye distances above the eyes')
    """
    middle = part_middles(segmentation)
    between = (middle["left_eye"] + middle["right_eye"]) / 2
    tilt, distance = middle["right_eye"] - middle["left_eye"]
    if distance <= 0:
        return "its left eye lies on the right of its right eye (whose sides are meant? sides says it)"
    if abs(tilt) > _TILT * distance:
        return f"one of its eyes lies {abs(tilt) / distance:.1f} eye distances below the other"
    for kind in ("mouth", "nose"):
        below, aside = (middle[kind] - between) / distance
        if abs(aside) > _ASIDE:
            return f"its {kind} lies {abs(aside):.1f} eye distances beside the eyes' middle"
        least, most = _BELOW[kind]
        if not least <= below <= most:
            return f"its {kind} lies {abs(below):.1f} eye distances {'below' if below > 0 else 'above'} the eyes"
    if middle["nose"][0] >= middle["mouth"][0]:
        return "its mouth lies above its nose"
    return ""


def part_middles(segmentation: UInt8[np.ndarray, "rows cols"]) -> dict[str, Float[np.ndarray, "2"]]:
    """Row and column of the middle of each part's bounding box, in a segmentation of the face scheme."""
    boxes = (bounding_box(segmentation == number) for number, _ in enumerate(FACE.part_kinds, start=1))
    middles = (np.array([top + bottom - 1, left + right - 1]) / 2 for top, left, bottom, right in boxes)
    return dict(zip(FACE.part_kinds, middles, strict=True))
