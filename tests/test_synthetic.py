import hashlib
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from configural.objects import FACE
from configural.portraits import Exemplar, Library, load
from configural.portraits.painters.face import paint_face

ROWS = 512
JITTER = 9
# Rows and columns by which the study moves the slots of eyes, nose and mouth furthest.
FURTHEST = [(-20, -10), (-20, 5), (0, 0), (20, 0)]


@pytest.fixture(scope="module")
def heads() -> list[Exemplar]:
    return [paint_face(0, index) for index in range(24)]


def grey(image: np.ndarray) -> np.ndarray:
    return image.astype(np.float32) @ np.float32([0.299, 0.587, 0.114])


def without_grain(image: np.ndarray) -> np.ndarray:
    """Structure between the size of a pore and that of a cheek."""
    plane = grey(image)
    return cv2.GaussianBlur(plane, (0, 0), 2) - cv2.GaussianBlur(plane, (0, 0), 14)


def moved(mask: np.ndarray, down: int, right: int) -> np.ndarray:
    return np.roll(mask, (down, right), (0, 1))


def cheek(head: Exemplar) -> np.ndarray:
    """Bare skin at the level of the nose, between nose and the face's edge."""
    (top, left), (rows, cols) = head.parts[2].anchor, head.parts[2].mask.shape
    box = np.s_[top + rows // 2 : top + rows, left + cols + 8 : left + cols + 32]
    return head.canvas[box].reshape(-1, 3)


def test_sizes_and_types(heads: list[Exemplar]) -> None:
    for head in heads:
        rows, cols, channels = head.portrait.shape
        assert (rows, channels) == (ROWS, 3)
        assert 354 <= cols <= 408
        assert head.canvas.shape == head.portrait.shape
        assert head.segmentation.shape == (rows, cols)
        assert head.portrait.dtype == head.canvas.dtype == head.segmentation.dtype == np.uint8
        assert head.person == head.name


def test_names_and_order(heads: list[Exemplar]) -> None:
    assert [head.name for head in heads[:11]] == [f"synthetic/{index:02d}" for index in range(11)]
    assert len({head.canvas.shape[1] for head in heads}) > 8
    Library("synthetic", heads)  # names are unique


def test_parts_are_whole_and_apart(heads: list[Exemplar]) -> None:
    around = np.ones((7, 7), np.uint8)
    for head in heads:
        assert set(np.unique(head.segmentation)) == {0, 1, 2, 3, 4}
        grown = [cv2.dilate((head.segmentation == label).astype(np.uint8), around) for label in range(1, 5)]
        assert np.max(sum(grown)) == 1, f"{head.name}: parts are less than six pixels apart"
        for label, kind in enumerate(FACE.part_kinds, start=1):
            pieces, _ = cv2.connectedComponents((head.segmentation == label).astype(np.uint8))
            assert pieces == 2, f"{head.name}: {kind} in pieces"  # the background is the other one
        drawn = head.segmentation > 0
        for side in (drawn[:100], drawn[-60:], drawn[:, :40], drawn[:, -40:]):
            assert not side.any()


def test_left_and_right_are_the_images(heads: list[Exemplar]) -> None:
    for head in heads:
        left, right, nose, mouth = (np.argwhere(head.segmentation == label).mean(axis=0) for label in (1, 2, 3, 4))
        assert left[1] < nose[1] < right[1]
        assert left[1] < mouth[1] < right[1]
        assert max(left[0], right[0]) < nose[0] < mouth[0]


def test_same_seed_same_bytes() -> None:
    def digest(head: Exemplar) -> str:
        images = (head.portrait, head.segmentation, head.canvas)
        return hashlib.sha256(b"".join(image.tobytes() for image in images)).hexdigest()

    here = [digest(paint_face(5, index)) for index in (0, 1)]
    assert here == [digest(paint_face(5, index)) for index in (0, 1)]
    # Another process, one thread, another hash seed.
    program = (
        "import cv2, hashlib; cv2.setNumThreads(1)\n"
        "from configural.portraits.painters.face import paint_face\n"
        "for head in (paint_face(5, index) for index in (0, 1)):\n"
        "    images = (head.portrait, head.segmentation, head.canvas)\n"
        "    print(hashlib.sha256(b''.join(image.tobytes() for image in images)).hexdigest())\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert ran.stdout.split() == here


def test_count_changes_no_exemplar(heads: list[Exemplar]) -> None:
    for few, many in zip(load("synthetic:3").exemplars, heads, strict=False):
        assert few.name == many.name
        np.testing.assert_array_equal(few.portrait, many.portrait)
        np.testing.assert_array_equal(few.canvas, many.canvas)


def test_seeds_and_indices_differ() -> None:
    portraits = [paint_face(seed, index).portrait for seed, index in ((0, 0), (0, 1), (1, 0))]
    assert len({portrait[:, :354].tobytes() for portrait in portraits}) == 3


def test_canvas_is_the_portrait_without_its_parts(heads: list[Exemplar]) -> None:
    for head in heads:
        outside = head.segmentation == 0
        np.testing.assert_array_equal(head.portrait[outside], head.canvas[outside])
        pasted = head.canvas.copy()
        for part in head.parts:
            (top, left), (rows, cols) = part.anchor, part.mask.shape
            pasted[top : top + rows, left : left + cols][part.mask] = part.pixels[part.mask]
        np.testing.assert_array_equal(pasted, head.portrait)


def test_parts_fade_into_the_skin(heads: list[Exemplar]) -> None:
    for head in heads:
        change = np.abs(grey(head.portrait) - grey(head.canvas))
        for label, kind in enumerate(FACE.part_kinds, start=1):
            mask = (head.segmentation == label).astype(np.uint8)
            rim = (mask > 0) & (cv2.erode(mask, np.ones((3, 3), np.uint8)) == 0)
            assert change[rim].mean() < 6, f"{head.name}: {kind} has a visible edge"
            assert change[mask > 0].max() > 25, f"{head.name}: {kind} is hardly there"


def test_canvas_shows_no_ghost(heads: list[Exemplar]) -> None:
    """Where a part was, the canvas is as smooth as the cheek beside it, and unlike the part."""
    # From each part to bare skin: below the eyes, beside the nose, above the mouth's corner.
    to_skin = [(52, -4), (52, 4), (0, 56), (-70, 52)]
    for label, (kind, way) in enumerate(zip(FACE.part_kinds, to_skin, strict=True), start=1):
        contrast, prominence, likeness = [], [], []
        for head in heads:
            mask = head.segmentation == label
            skin = moved(mask, *way) & (head.segmentation == 0)
            canvas, portrait = without_grain(head.canvas), without_grain(head.portrait)
            contrast.append(canvas[mask].std() / canvas[skin].std())
            prominence.append(portrait[mask].std() / canvas[mask].std())
            likeness.append(np.corrcoef(canvas[mask], (portrait - canvas)[mask])[0, 1])
        assert np.median(contrast) < 1.25, kind
        assert np.percentile(contrast, 90) < 1.8, kind
        assert np.median(prominence) > 3.5, kind
        assert abs(np.mean(likeness)) < 0.2, kind


def test_skin_hair_and_measures_vary(heads: list[Exemplar]) -> None:
    skin = np.array([np.median(cheek(head), axis=0) for head in heads])
    light = skin @ (0.299, 0.587, 0.114)
    assert light.min() < 110
    assert light.max() > 175
    assert (skin[:, 0] > skin[:, 1]).all()  # skin is redder than green, and greener than blue
    assert (skin[:, 1] > skin[:, 2]).all()
    crowns = np.array([grey(head.canvas[30:70, head.canvas.shape[1] // 2 - 30 :][:, :60]).mean() for head in heads])
    assert crowns.std() > 25
    library = Library("synthetic", heads)
    assert (library.anchors.std(axis=0) > 1.5).all()
    assert (library.part_sizes.std(axis=0) > 1).all()


def test_light_comes_from_both_sides(heads: list[Exemplar]) -> None:
    sides = []
    for head in heads:
        axis = head.parts[2].anchor[1] + head.parts[2].mask.shape[1] // 2
        rows = grey(head.canvas[280:340])
        sides.append(rows[:, axis - 75 : axis - 45].mean() - rows[:, axis + 45 : axis + 75].mean())
    assert min(sides) < -4
    assert max(sides) > 4


def test_pastes_stay_in_the_image(heads: list[Exemplar]) -> None:
    """Any kind of any head fits any slot of any head, moved as far as the study moves it."""
    library = Library("synthetic", heads)
    assert library.anchors[:, 3, 0].max() <= 372
    tried = failed = 0
    for anchors, (rows, cols) in zip(library.anchors, library.canvas_sizes, strict=True):
        for anchor, offset in zip(anchors, FURTHEST, strict=True):
            corner = anchor + offset
            ends = corner + JITTER + library.part_sizes.reshape(-1, 2)
            tried += len(ends)
            failed += int(((ends > (rows, cols)).any(axis=1) | (corner < 0).any()).sum())
    assert tried == 24 * 4 * 96
    assert failed <= 0.002 * tried


def test_measures_are_like_real_portraits(heads: list[Exemplar], real: Library) -> None:
    painted = Library("synthetic", heads)
    # The mouth sits a little higher, to leave room below it; the masks hold lashes and shadows too.
    np.testing.assert_allclose(np.median(painted.anchors, axis=0), np.median(real.anchors, axis=0), atol=14)
    np.testing.assert_allclose(np.median(painted.part_sizes, axis=0), np.median(real.part_sizes, axis=0), atol=10)
