"""What reading photographs does with parts behind glasses, hair, a beard or a mask, drawn on portraits.

Usage: python benchmarks/covered_faces.py [SOURCE]   (default synthetic:8; such as fasseg:FASSEG/V2)

The drawings stay in memory. For each: how many portraits are skipped, how many taken, and of those the mean
intersection over union of the masks of left eye, right eye, nose and mouth with the source's.
"""

import sys

import cv2
import numpy as np

from configural.objects import FACE
from configural.portraits import Exemplar, load
from configural.portraits.landmarks import Landmarker, find_bundle
from configural.portraits.outlines import covered, hidden, part_masks

DARK = (15, 15, 15)
DRAWN = (
    *("nothing", "dark glasses", "dark glasses with reflections", "brown glasses, 85 %", "mirrored glasses"),
    *("eye patch", "hair before an eye", "moustache", "beard", "beard over the mouth", "mask"),
)


def drawn(what: str, exemplar: Exemplar) -> np.ndarray:
    """A portrait with something before its parts; lengths are in distances between the eyes."""
    image, rows = exemplar.portrait.copy(), exemplar.size[0]
    boxes = [(*part.anchor, *np.add(part.anchor, part.mask.shape)) for part in exemplar.parts]
    left, right, nose, mouth = (
        np.array([(first + last) / 2, (top + bottom) / 2]) for top, first, bottom, last in boxes
    )
    unit = float(np.linalg.norm(right - left))

    def ellipse(target: np.ndarray, middle: np.ndarray, wide: float, high: float, colour: object) -> None:
        at = tuple(np.rint(middle).astype(int).tolist())
        cv2.ellipse(target, at, (round(wide * unit), round(high * unit)), 0, 0, 360, colour, -1, cv2.LINE_AA)

    if "glasses" in what:
        shade = {"m": (180, 190, 200), "b": (60, 40, 25)}.get(what[0], DARK)
        for eye in (left, right):
            ellipse(image, eye + np.array([0, 0.05 * unit]), 0.42, 0.34, shade)
        ends = [tuple(np.rint(eye).astype(int).tolist()) for eye in (left, right)]
        cv2.line(image, *ends, (20, 20, 20), max(2, round(0.05 * unit)), cv2.LINE_AA)
        if "%" in what:
            image = cv2.addWeighted(image, 0.85, exemplar.portrait, 0.15, 0)
        if "reflections" in what:
            y, x = np.mgrid[:rows, : exemplar.size[1]]
            lit = 20 * np.sin(x / 25) + 20 * np.sin(y / 31) + np.random.default_rng(0).normal(0, 4, x.shape)
            image = np.where(image == DARK, np.clip(image + lit[..., None], 0, 255), image).astype(np.uint8)
    elif what == "eye patch":
        ellipse(image, left, 0.3, 0.3, DARK)
    elif what == "hair before an eye":
        column = int(left[0])
        image[: int(left[1] + 0.5 * unit), max(0, column - round(0.6 * unit)) : column + round(0.25 * unit)] = (
            45,
            30,
            20,
        )
    elif what == "moustache":
        ellipse(
            image, np.array([mouth[0], (boxes[2][2] + boxes[3][0]) / 2 + 0.06 * unit]), 0.42, 0.14, (40, 30, 25)
        )
    elif what.startswith("beard"):
        where = np.zeros(image.shape[:2], np.uint8)
        ellipse(where, mouth + np.array([0, 0.1 * unit]), 0.75, 0.8, 255)
        where[: boxes[2][2] + 2] = 0
        if "over" not in what:
            where[exemplar.segmentation == 1 + FACE.index("mouth")] = 0
        hairs = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 1, where.shape), (0, 0), 1)
        hairs = np.clip(40 + 24 * hairs / hairs.std(), 0, 120)[..., None] * (1, 0.8, 0.6)
        share = cv2.GaussianBlur(where, (0, 0), 1.5)[..., None] / 255
        image = (share * hairs + (1 - share) * image).astype(np.uint8)
    elif what == "mask":
        top, bottom = nose[1] - 0.15 * unit, boxes[3][2] + 0.4 * unit
        corners = [
            (-0.8, top),
            (0, top - 0.1 * unit),
            (0.8, top),
            (0.6, bottom),
            (0, bottom + 0.2 * unit),
            (-0.6, bottom),
        ]
        cv2.fillPoly(image, [np.array([(mouth[0] + x * unit, y) for x, y in corners]).astype(int)], (190, 215, 230))
    return image


def main(source: str) -> None:
    """Print a line for each kind of drawing."""
    library, landmarker = load(source), Landmarker(find_bundle())
    for what in DRAWN:
        agreed = []
        for exemplar in library.exemplars:
            image = drawn(what, exemplar)
            for face in landmarker.faces(image)[:1]:
                masks = part_masks(face.points, exemplar.size)
                if not hidden(face.points, exemplar.size) and not covered(image, masks):
                    true = (exemplar.segmentation == number for number in range(1, 5))
                    agreed.append(
                        [(a & b).sum() / (a | b).sum() for a, b in zip(true, masks.values(), strict=True)]
                    )
        skipped = len(library) - len(agreed)
        means = " ".join(f"{mean:.2f}" for mean in np.mean(agreed, axis=0)) if agreed else ""
        print(f"{what:30} skipped {skipped:2}, taken {len(agreed):2}  {means}", flush=True)


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["synthetic:8"]))
