"""Faces to test on: a few painted ones, and real portraits where they are at hand."""

import os
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from configural.portraits import Exemplar, Library, load


def _fasseg_folder() -> Path:
    named = os.environ.get("CONFIGURAL_FASSEG")
    return Path(named) if named else Path(__file__).parents[2] / "shared" / "data" / "fasseg" / "V2"


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder of the tests' own, for subprocesses and for the other workers of pytest-xdist too."""
    whole = tmp_path_factory.getbasetemp()
    folder = (whole.parent if "PYTEST_XDIST_WORKER" in os.environ else whole) / "cache"
    folder.mkdir(exist_ok=True)
    os.environ["CONFIGURAL_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def painted() -> Library:
    """Eight synthetic exemplars."""
    return load("synthetic:8")


@pytest.fixture(scope="session")
def fasseg_folder() -> Path:
    """The real portraits, read only."""
    folder = _fasseg_folder()
    if not folder.is_dir():
        pytest.skip("the FASSEG portraits are not at hand (CONFIGURAL_FASSEG names their folder)")
    return folder


@pytest.fixture(scope="session")
def real(fasseg_folder: Path, cache: Path) -> Library:
    """All exemplars of the FASSEG portraits, prepared by the first worker that asks for them."""
    with FileLock(cache / "real.lock"):
        return load(f"fasseg:{fasseg_folder}")


def block_exemplar(
    name: str, rows: int = 124, cols: int = 96, shade: int = 100, person: str | None = None
) -> Exemplar:
    """A tiny exemplar of plain blocks, of which every number is known; parts differ in size with the shade."""
    grow = shade % 4
    segmentation = np.zeros((rows, cols), np.uint8)
    for kind, (top, left, height, width) in enumerate(
        [(30, 18, 5 + grow, 11), (31, 42, 5, 12 + grow), (40, 31, 16, 9 + grow), (62, 26, 7 + grow, 20)], start=1
    ):
        segmentation[top : top + height, left : left + width] = kind
    canvas = np.full((rows, cols, 3), shade, np.uint8)
    canvas[..., 1] += np.arange(cols, dtype=np.uint8)
    portrait = canvas.copy()
    for kind in range(1, 5):
        portrait[segmentation == kind] = (40 * kind, 255 - 40 * kind, shade)
    return Exemplar.cut(name, portrait, segmentation=segmentation, canvas=canvas, person=person)


@pytest.fixture(scope="session")
def blocks() -> Library:
    """Twelve tiny exemplars of ten persons, quick to draw."""
    persons = [f"p{max(number - 2, 0)}" for number in range(12)]
    exemplars = [
        block_exemplar(f"block/{number}", cols=90 + 2 * number, shade=60 + 9 * number, person=person)
        for number, person in enumerate(persons)
    ]
    return Library("blocks", exemplars)
