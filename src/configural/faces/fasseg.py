"""Portraits from the FASSEG folder layout."""

import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from configural.errors import ConfiguralError, PortraitError
from configural.faces.canvas import fill_parts
from configural.faces.library import PART_KINDS, Head
from configural.faces.pictures import read_picture

_SETS = ("Train", "Test")

# The nearest of these wins. Skin, hair and background are here so that their pixels go to none of the parts.
_PALETTE = {
    "mouth": (0, 255, 0),
    "nose": (0, 255, 255),
    "eye": (0, 0, 255),
    "right eye": (255, 0, 255),  # the Picasso dataset's labels tell the eyes apart; position tells us
    "skin": (255, 255, 0),
    "hair": (127, 0, 0),
    "background": (255, 0, 0),
}

_SMALLEST_PIECE = 1e-4  # of the picture's area; smaller pieces are where the edges of two colours mix

# The same person twice in the published set, by the fingerprints (CRC-32) of the portraits' pixels. Judged by
# eye: all 70 portraits were looked at together, and the most alike of them by correlation side by side. This
# is no proof: a person whose two portraits look different would have been missed. Six more portraits are both
# in Train and in Test pixel for pixel, which needs no table.
_SAME_PERSON = (
    (0xDDDE903A, 0x8C0A20BD),  # Train/1, Test/3
    (0xA5D97B7F, 0x53AD5FB8),  # Train/3, Test/1
    (0xB772B522, 0x4F7FA352),  # Train/5, Test/6
    (0x7BF3A2E3, 0x27047C0D),  # Train/6, Test/5
    (0x22237408, 0x6E428230),  # Train/7, Test/7
    (0x2867BDA7, 0xFDBDB8FC),  # Train/10, Test/8
    (0x5EB6E029, 0xE0DEA473),  # Test/11, Test/30
)


def fasseg_heads(
    folder: Path, progress: Callable[[int, int], None] | None = None
) -> tuple[list[Head], list[tuple[str, str]]]:
    """Read portraits and their drawn segmentations.

    The layout is that of FASSEG's frontal02 (Khan, Mauro and Leonardi, "Multi-class semantic segmentation of
    faces", ICIP 2015): `Train_RGB/7.bmp` is a portrait, `Train_Labels/7.bmp` its segmentation in colours; the
    same for `Test`. Either of the two sets may be absent.

    Args:
        folder: Where `Train_RGB`, `Train_Labels`, `Test_RGB` and `Test_Labels` are.
        progress: Called as `progress(done, total)` after each portrait.

    Returns:
        The heads, named as `Train/7`, Train first and by number; and (name, reason) for each portrait that
        could not be used. In the published set some people are shown twice, some in the same picture: such
        heads have the first one's name as their `person`.

    Raises:
        ConfiguralError: If the folder is missing or holds no such portraits.
    """
    names = _portrait_names(folder)
    heads: list[Head] = []
    skipped: list[tuple[str, str]] = []
    for done, name in enumerate(names, start=1):
        try:
            heads.append(_read_head(folder, name))
        except PortraitError as error:
            skipped.append((name, str(error)))
        if progress is not None:
            progress(done, len(names))
    return _with_persons(heads), skipped


def _portrait_names(folder: Path) -> list[str]:
    expected = "expected the folders Train_RGB and Train_Labels, Test_RGB and Test_Labels with .bmp files"
    if not folder.is_dir():
        raise ConfiguralError(f"{folder}: no such folder; {expected}")
    if not any((folder / f"{s}_RGB").is_dir() and (folder / f"{s}_Labels").is_dir() for s in _SETS):
        raise ConfiguralError(f"{folder}: not in the layout of FASSEG; {expected}")
    names = []
    for portrait_set in _SETS:
        # A picture without a label or a label without a picture is listed too, to be reported as skipped.
        stems = {
            file.stem
            for kind in ("RGB", "Labels")
            for file in folder.glob(f"{portrait_set}_{kind}/*.bmp")
            if not file.name.startswith(".")
        }
        names += [f"{portrait_set}/{stem}" for stem in sorted(stems, key=_natural)]
    if not names:
        raise ConfiguralError(f"{folder}: no portraits; {expected}")
    return names


def _natural(stem: str) -> list[tuple[int, int, str]]:
    """Sort key under which 2 comes before 10."""
    return [(0, int(s), "") if s.isdecimal() else (1, 0, s) for s in re.split(r"(\d+)", stem) if s]


def _read_head(folder: Path, name: str) -> Head:
    portrait_set, stem = name.split("/", 1)
    files = {
        kind: Path(f"{portrait_set}_{sub}", f"{stem}.bmp")
        for kind, sub in (("picture", "RGB"), ("label", "Labels"))
    }
    for kind, file in files.items():
        if not (folder / file).exists():
            raise PortraitError(f"its {kind} {file} is missing")
    portrait, label = (read_picture(folder / file) for file in files.values())
    if portrait.shape != label.shape:
        sizes = [f"{cols}×{rows}" for rows, cols, _ in (portrait.shape, label.shape)]
        raise PortraitError(
            f"the picture is {sizes[0]} pixels, its label {files['label']} {sizes[1]}; they must be equal"
        )
    segmentation = _segment(label)
    return Head.cut(name, portrait, segmentation, fill_parts(portrait, segmentation))


def _with_persons(heads: list[Head]) -> list[Head]:
    same = {fingerprint: group[0] for group in _SAME_PERSON for fingerprint in group}
    first: dict[int, str] = {}
    result = []
    for head in heads:
        fingerprint = zlib.crc32(head.portrait.tobytes())
        person = first.setdefault(same.get(fingerprint, fingerprint), head.name)
        result.append(replace(head, person=person))
    return result


def _segment(label: UInt8[np.ndarray, "rows cols 3"]) -> UInt8[np.ndarray, "rows cols"]:
    """The label's colours as 0 where no part is, else 1 + the position in `PART_KINDS`."""
    # |pixel − colour|² without |pixel|², which is the same for all colours
    colours = np.array(list(_PALETTE.values()), np.float32)
    distances = np.square(colours).sum(axis=1) - 2 * label.astype(np.float32) @ colours.T
    nearest = np.argmin(distances, axis=2)
    drawn = dict(zip(_PALETTE, (nearest == position for position in range(len(_PALETTE))), strict=True))

    segmentation = np.zeros(label.shape[:2], np.uint8)
    eyes = _pieces(drawn["eye"] | drawn["right eye"])[:2]
    # What is left of an eye's edge is far smaller than the other eye.
    if len(eyes) < 2 or eyes[1].sum() < 0.1 * eyes[0].sum():
        raise PortraitError(f"its label shows {'one eye' if eyes else 'no eyes'}; two are needed")
    left, right = sorted(eyes, key=lambda eye: float(np.nonzero(eye)[1].mean()))
    noses, mouths = _pieces(drawn["nose"]), _pieces(drawn["mouth"])
    for kind, pieces in (("nose", noses), ("mouth", mouths)):
        if not pieces:
            raise PortraitError(f"its label shows no {kind}")
    for kind, mask in zip(PART_KINDS, (left, right, noses[0], _whole_mouth(mouths)), strict=True):
        segmentation[mask] = 1 + PART_KINDS.index(kind)
    return segmentation


def _whole_mouth(pieces: list[Bool[np.ndarray, "rows cols"]]) -> Bool[np.ndarray, "rows cols"]:
    """The largest piece and those near it: the lips of an open mouth are drawn apart."""
    largest = pieces[0]
    reach = round(largest.shape[0] / 20)
    around = cv2.dilate(largest.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    near = [piece for piece in pieces if piece.sum() >= 0.1 * largest.sum() and (piece & around).any()]
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
