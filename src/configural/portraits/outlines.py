"""From a face's 478 points to the masks of its parts, and whether its parts can be seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import cv2
import numpy as np
import yaml
from jaxtyping import Bool, Float, UInt8

from configural.io.images import bounding_box
from configural.objects import FACE

_TURNED = 0.22  # of the distance between the eyes' outer corners, by which the nose's tip may be off their middle
_CLOSED = 0.13  # of an eye's width: how far its lids are apart at least
_SMALLEST = 20  # pixels between the eyes
_EVEN = 0.06  # of the nose's lightness: how much a part varies at least. Parts of portraits vary by 0.09 and more,
# evenly covered ones by 0.03 at most.
_NOSE_TIP, _CORNERS = 1, (33, 263)
_FRACTION = 4  # binary digits of a pixel that outlines are drawn with


@dataclass(frozen=True)
class Outline:
    """How a part's outline is made of points.

    Attributes:
        points: Their numbers, around the part.
        mirrored: The number of each one's counterpart on the other side of the face.
        outwards: By how much each is moved outwards, in distances between the eyes.
    """

    points: tuple[int, ...]
    mirrored: tuple[int, ...]
    outwards: tuple[float, ...]


@cache
def outlines() -> Mapping[str, Outline]:
    """The outline of each part kind, as `outlines.yaml` has them."""
    held = yaml.safe_load(resources.files("configural.portraits").joinpath("outlines.yaml").read_text("utf-8"))
    return {kind: Outline(*(tuple(held[kind][key]) for key in ("points", "mirrored", "outwards"))) for kind in held}


def eye_distance(points: Float[np.ndarray, "478 2"]) -> float:
    """Between the means of the eyes' outlines, in pixels."""
    one, other = (points[list(outlines()[kind].points)].mean(axis=0) for kind in FACE.unit.between)
    return float(np.linalg.norm(one - other))


def outwards(outline: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """At each point of an outline, the direction that leads out of it, of length 1."""
    along = np.roll(outline, -1, axis=0) - np.roll(outline, 1, axis=0)
    across = np.column_stack([along[:, 1], -along[:, 0]])
    x, y = outline.T
    area = float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
    return np.sign(area) * across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)


def part_masks(
    points: Float[np.ndarray, "478 2"], shape: tuple[int, int]
) -> dict[str, Bool[np.ndarray, "rows cols"]]:
    """The mask of each part kind, of so many rows and columns.

    Args:
        points: (column, row) in pixels, as the landmarker gives them.
        shape: Rows and columns of the image.
    """
    distance, masks = eye_distance(points), {}
    for kind, made in outlines().items():
        outline = points[list(made.points)]
        moved = outline + distance * np.array(made.outwards)[:, None] * outwards(outline)
        mask = np.zeros(shape, np.uint8)
        cv2.fillPoly(mask, [np.rint(moved * 2**_FRACTION).astype(np.int32)], (1,), shift=_FRACTION)
        masks[kind] = mask.view(bool)
    return masks


def hidden(points: Float[np.ndarray, "478 2"], shape: tuple[int, int]) -> str:
    """Why not all parts of a face can be used, in words; empty if they can.

    Args:
        points: (column, row) in pixels.
        shape: Rows and columns of the image.
    """
    distance = eye_distance(points)
    if distance < _SMALLEST:
        return f"its face is too small: the eyes are {distance:.0f} pixels apart, at least {_SMALLEST} are needed"
    one, other = points[list(_CORNERS)]
    between = other - one
    aside = float((points[_NOSE_TIP] - (one + other) / 2) @ between / (between @ between))
    if abs(aside) > _TURNED:
        return (
            f"its face is turned too far aside: the tip of the nose is {abs(aside):.2f} eye widths off their middle"
        )
    for kind, made in outlines().items():
        outline = points[list(made.points)]
        if (outline < 0).any() or (outline > np.array(shape[::-1]) - 1).any():
            return f"its {kind.replace('_', ' ')} lies partly outside of the image"
        if kind in FACE.unit.between:
            # Corners of an outline are its first point and the one opposite; lids lie between them.
            half = len(outline) // 2
            width = float(np.linalg.norm(outline[0] - outline[half]))
            if np.linalg.norm(outline[half // 2] - outline[-half // 2]) < _CLOSED * width:
                return f"its {kind.replace('_', ' ')} is closed"
    return ""


def covered(
    photograph: UInt8[np.ndarray, "rows cols 3"], masks: Mapping[str, Bool[np.ndarray, "rows cols"]]
) -> str:
    """Which part is behind something even, such as dark glasses, in words; empty if none is."""
    level, varies = {}, {}
    for kind, mask in masks.items():
        top, left, bottom, right = bounding_box(mask)
        box = np.s_[top:bottom, left:right]
        mean, deviation = cv2.meanStdDev(photograph[box], mask=mask[box].view(np.uint8))
        level[kind], varies[kind] = mean.mean(), deviation.max()
    even = " and ".join(kind.replace("_", " ") for kind in masks if varies[kind] < _EVEN * level["nose"])
    return f"one even shade is all there is of its {even}, as behind dark glasses or a mask" if even else ""
