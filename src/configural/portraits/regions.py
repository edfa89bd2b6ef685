"""From part masks, as people draw them, to a segmentation."""

from collections.abc import Mapping

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from configural.errors import PortraitError
from configural.portraits.library import PART_KINDS

_SMALLEST_PIECE = 1e-4  # of the image's area; smaller pieces are where the edges of two colours mix


def assemble(masks: Mapping[str, Bool[np.ndarray, "rows cols"]]) -> UInt8[np.ndarray, "rows cols"]:
    """Put the masks of the four part kinds into one segmentation.

    Specks are left out and holes filled. Where two parts overlap, the later in `PART_KINDS` wins.

    Args:
        masks: A mask per part kind. `eyes` may stand for both eyes, which are then told apart by position.

    Returns:
        0 where no part is, else 1 + the position in `PART_KINDS`.

    Raises:
        PortraitError: If a part kind is not to be seen, or one eye hardly.
    """
    found = {kind: _pieces(mask) for kind, mask in masks.items()}
    if "eyes" in found:
        found["left_eye"], found["right_eye"] = _two_eyes(found.pop("eyes"))
    missing = [kind.replace("_", " ") for kind in PART_KINDS if not found[kind]]
    if missing:
        raise PortraitError(f"its label shows no {' and no '.join(missing)}")
    whole = {kind: _with_near_pieces(found[kind]) for kind in PART_KINDS}
    left, right = whole["left_eye"].sum(), whole["right_eye"].sum()
    if min(left, right) < 0.1 * max(left, right):
        raise PortraitError(f"of its {'left' if left < right else 'right'} eye hardly anything is to be seen")
    segmentation = np.zeros(whole["nose"].shape, np.uint8)
    for kind in PART_KINDS:
        segmentation[whole[kind]] = 1 + PART_KINDS.index(kind)
    return segmentation


def _two_eyes(
    found: list[Bool[np.ndarray, "rows cols"]],
) -> tuple[list[Bool[np.ndarray, "rows cols"]], list[Bool[np.ndarray, "rows cols"]]]:
    # What is left of an eye's edge is far smaller than the other eye.
    if len(found) < 2 or found[1].sum() < 0.1 * found[0].sum():
        raise PortraitError(f"its label shows {'one eye' if found else 'no eyes'}; two are needed")
    left, right = sorted(found[:2], key=middle_column)
    return [left], [right]


def middle_column(mask: Bool[np.ndarray, "rows cols"]) -> float:
    """The mean column of a mask's pixels."""
    return float(np.nonzero(mask)[1].mean())


def _with_near_pieces(found: list[Bool[np.ndarray, "rows cols"]]) -> Bool[np.ndarray, "rows cols"]:
    """The first, largest piece and those near it: the lips of an open mouth are drawn apart."""
    largest = found[0]
    reach = round(largest.shape[0] / 20)
    around = cv2.dilate(largest.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    near = [piece for piece in found if piece.sum() >= 0.1 * largest.sum() and (piece & around).any()]
    return np.any(near, axis=0)


def _pieces(mask: Bool[np.ndarray, "rows cols"]) -> list[Bool[np.ndarray, "rows cols"]]:
    """The connected pieces of a mask with their holes filled, largest first, specks left out."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    large = [n for n in range(1, count) if areas[n] >= _SMALLEST_PIECE * mask.size]
    return [_without_holes(labels == n) for n in sorted(large, key=lambda n: -areas[n])]


def _without_holes(mask: Bool[np.ndarray, "rows cols"]) -> Bool[np.ndarray, "rows cols"]:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), outlines, -1, 1, cv2.FILLED) > 0
