"""The recipes of CONTRIBUTING.md, carried out as they stand, from outside the package."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import configural

from configural import audit, export, models, objects, portraits, stimuli

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
RECIPES = ("network", "probe", "source", "object", "condition", "format")
REGISTRIES = {
    "network": models.NETWORKS,
    "probe": audit.PROBES,
    "source": portraits.SOURCES,
    "object": objects.OBJECTS,
    "condition": stimuli.CONDITIONS,
    "format": export.FORMATS,
}


def blocks(recipe: str) -> list[tuple[str, str]]:
    """Language and content of each block of code in a section, in order."""
    (section,) = re.findall(rf"^## Add an? {recipe}\n(.*?)(?=^## )", GUIDE, re.DOTALL | re.MULTILINE)
    return re.findall(r"^```(\w+)\n(.*?)^```", section, re.DOTALL | re.MULTILINE)


def files(recipe: str) -> dict[str, str]:
    """The files that a recipe writes: blocks that begin with a name."""
    named = ((re.match(r"# (\w+\.\w+)\n", content), content) for _, content in blocks(recipe))
    return {name[1]: content for name, content in named if name}


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder that Python imports from, and registries and modules as before in the end."""
    known = {name: dict(registry._known) for name, registry in REGISTRIES.items()}
    modules = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    for name, registry in REGISTRIES.items():
        registry._known.clear()
        registry._known.update(known[name])
    for module in set(sys.modules) - modules:
        if module.startswith("my_"):
            del sys.modules[module]


def carry_out(recipe: str, folder: Path) -> None:
    """Write the files of a recipe, then run its commands and its Python, in order."""
    for name, content in files(recipe).items():
        (folder / name).write_text(content, "utf-8")
    for language, content in blocks(recipe):
        if language == "sh":
            for line in content.splitlines():
                done = configural(*line.split()[1:])
                assert done.returncode == 0, f"{line}\n{done.stderr}"
        elif not re.match(r"# \w+\.\w+\n", content):
            exec(compile(content, f"CONTRIBUTING.md, {recipe}", "exec"), {})


def test_each_recipe_is_two_files_at_most():
    for recipe in RECIPES:
        assert 1 <= len(files(recipe)) <= 2, recipe


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if recipe != "probe"])
def test_recipe(recipe, elsewhere):
    before = set(REGISTRIES[recipe].names())
    carry_out(recipe, elsewhere)
    assert set(REGISTRIES[recipe].names()) - before


def test_recipe_of_a_probe(elsewhere):
    """It is asked of the network of the recipe before, and shown on its page."""
    for name, content in files("network").items():
        (elsewhere / name).write_text(content, "utf-8")
    first = next(content for language, content in blocks("network") if language == "sh").splitlines()[0]
    assert configural(*first.split()[1:]).returncode == 0
    carry_out("probe", elsewhere)
    page = (elsewhere / "audits" / "smaller" / "report.html").read_text("utf-8")
    assert "keep their relations at half the size" in page
    assert "smaller,drop" in (elsewhere / "audits" / "smaller" / "audit.csv").read_text("utf-8")


def test_recipe_of_a_condition_key(tmp_path):
    """The two edits, in a copy of the package; parts are then grey, and nothing else is."""
    package = tmp_path / "configural"
    shutil.copytree(ROOT / "src" / "configural", package, ignore=shutil.ignore_patterns("__pycache__"))
    (_, field), (_, act) = blocks("condition key")
    edits = (
        ("conditions.py", r"^    colour_transfer: .*\n", field, 1),
        ("rendering.py", r"^        alpha = ", act, 0),
    )
    for name, line, code, below in edits:
        text = (package / "stimuli" / name).read_text("utf-8")
        (found,) = re.finditer(line, text, re.MULTILINE)
        at = found.end() if below else found.start()
        (package / "stimuli" / name).write_text(text[:at] + code + text[at:], "utf-8")
    (tmp_path / "grey.yaml").write_text("grey_parts: true\nblend: 1\nmatched: true\n")
    check = """
import configural as cf
assert cf.__file__.startswith({folder!r})
library = cf.portraits.load("synthetic:2")
for condition, grey in (("grey.yaml", True), ("baseline", False)):
    table = cf.stimuli.sample(library, condition=condition, count=4)
    image, masks = cf.stimuli.Renderer(library, size=512).draw_with_masks(table[0])
    inside = image[masks.any(axis=0)].astype(int)
    flat = (abs(inside - inside.mean(axis=1, keepdims=True)) < 1).all(axis=1)
    assert (flat.mean() > 0.9) == grey, flat.mean()
"""
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    code = check.format(folder=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
