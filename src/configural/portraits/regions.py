"""From part masks, as people draw them, to an exemplar."""

import math
from collections.abc import Mapping
from functools import reduce

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from configural.errors import PortraitError
from configural.io.images import bounding_box, fits, shrink_to, turned
from configural.objects import FACE, ObjectScheme
from configural.portraits.canvas import fill_parts
from configural.portraits.library import Exemplar
from configural.portraits.plausibility import implausible

_Mask = Bool[np.ndarray, "rows cols"]

_SMALLEST_PIECE = 1e-4  # of the image's area; smaller pieces are where the edges of two colours mix
_HARDLY = 0.1  # of the area of the other part of an interchangeable pair; what is smaller is hardly to be seen


def cut_exemplar(
    name: str,
    portrait: UInt8[np.ndarray, "large wide 3"],
    *,
    masks: Mapping[str, Bool[np.ndarray, "rows cols"]],
    canvas: UInt8[np.ndarray, "_ _ 3"] | None = None,
    orientation: int = 1,
    scheme: ObjectScheme = FACE,
    cure: str = "correct its label",
) -> Exemplar:
    """Make an exemplar of a portrait and its parts' masks (see `assemble`), at the masks' size.

    Without a canvas of its own, the parts are filled in. Where the portrait's file has an EXIF orientation other
    than 1, the masks are those of the stored or of the shown pixels, whichever fits. A PortraitError says what
    cannot be used; of faces, also parts that lie as in no upright face, and the cure of that.
    """
    drawn = [masks]
    if orientation != 1:
        drawn += [{kind: turned(mask, orientation) for kind, mask in masks.items()}]
        drawn = [one for one in drawn if fits(portrait, next(iter(one.values())).shape)] or [masks]
    found = [assemble(one, scheme=scheme) for one in drawn]
    if len(found) > 1:
        found = [one for one in found if scheme == FACE and not implausible(one)]
        if len(found) != 1:
            raise PortraitError(
                f"the image has the EXIF orientation {orientation}, and whether its label is drawn on the pixels "
                "as stored or as shown cannot be seen; turn the image itself and remove the entry"
            )
    (segmentation,) = found
    if scheme == FACE and (why := implausible(segmentation)):
        raise PortraitError(f"{why}; {cure}")
    rows, cols = segmentation.shape
    portrait = shrink_to(portrait, rows, cols)
    filled = fill_parts(portrait, segmentation, scheme=scheme) if canvas is None else shrink_to(canvas, rows, cols)
    return Exemplar.cut(name, portrait, segmentation=segmentation, canvas=filled, scheme=scheme)


def assemble(
    masks: Mapping[str, Bool[np.ndarray, "rows cols"]],
    *,
    scheme: ObjectScheme = FACE,
    smallest: float = _SMALLEST_PIECE,
) -> UInt8[np.ndarray, "rows cols"]:
    """Put the masks of all part kinds into one segmentation.

    Specks, which are smaller than this fraction of the image's area, are left out and holes filled. Where two
    parts overlap, the later in paste order wins.

    Instead of the masks of an interchangeable pair there may be one under their joint name, such as `eyes`; the
    first of the pair is then the one on the left.

    Returns:
        0 where no part is, else 1 + the position of its kind in the scheme.

    Raises:
        PortraitError: If a part kind is not to be seen, or one of an interchangeable pair hardly.
    """
    shape = next(iter(masks.values())).shape
    # A face may be a small part of a large photograph, of which nothing else is looked at.
    top, first, bottom, last = bounding_box(reduce(np.logical_or, masks.values()))
    box = np.s_[top:bottom, first:last]
    area, near_by = smallest * math.prod(shape), round(max(shape) / 20)
    found = {kind: _pieces(mask[box], area) for kind, mask in masks.items()}
    for name, (left, right) in scheme.joint_names.items():
        if name in found:
            found[left], found[right] = _two(found.pop(name), name.removesuffix("s"))
    missing = [kind.replace("_", " ") for kind in scheme.part_kinds if not found[kind]]
    if missing:
        raise PortraitError(f"its label shows no {' and no '.join(missing)}")
    whole = {kind: _with_near_pieces(found[kind], near_by) for kind in scheme.part_kinds}
    for pair in scheme.interchangeable:
        smaller, larger = sorted(pair, key=lambda kind: int(whole[kind].sum()))
        if whole[smaller].sum() < _HARDLY * whole[larger].sum():
            raise PortraitError(f"of its {smaller.replace('_', ' ')} hardly anything is to be seen")
    segmentation = np.zeros(shape, np.uint8)
    for number, kind in enumerate(scheme.part_kinds, start=1):
        segmentation[box][whole[kind]] = number
    return segmentation


def _two(found: list[_Mask], word: str) -> tuple[list[_Mask], list[_Mask]]:
    # What is left of one's edge is far smaller than the other.
    if len(found) < 2 or found[1].sum() < _HARDLY * found[0].sum():
        raise PortraitError(f"its label shows {f'one {word}' if found else f'no {word}s'}; two are needed")
    left, right = sorted(found[:2], key=middle_column)
    return [left], [right]


def middle_column(mask: _Mask) -> float:
    """The mean column of a mask's pixels."""
    return float(np.nonzero(mask)[1].mean())


def _with_near_pieces(found: list[_Mask], near_by: int) -> _Mask:
    """The first, largest piece and those within so many pixels: the lips of an open mouth are drawn apart."""
    largest = found[0]
    if len(found) == 1:
        return largest
    around = cv2.dilate(largest.astype(np.uint8), np.ones((2 * near_by + 1, 2 * near_by + 1), np.uint8)) > 0
    near = [piece for piece in found if piece.sum() >= 0.1 * largest.sum() and (piece & around).any()]
    return np.any(near, axis=0)


def _pieces(mask: _Mask, smallest: float) -> list[_Mask]:
    """The connected pieces of a mask of so many pixels with their holes filled, largest first, without specks."""
    if not mask.any():
        return []
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    large = [n for n in range(1, count) if areas[n] >= smallest]
    return [_without_holes(labels == n) for n in sorted(large, key=lambda n: -areas[n])]


def _without_holes(mask: _Mask) -> _Mask:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), outlines, -1, 1, cv2.FILLED) > 0
