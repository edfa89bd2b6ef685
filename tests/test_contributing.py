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
    known = {name: dict(registry) for name, registry in REGISTRIES.items()}
    modules = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    for name, registry in REGISTRIES.items():
        registry.clear()
        registry.update(known[name])
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
                words = line.split()[1:]
                if words[0] == "audit" and "--probe" not in words:  # all probes take half a minute
                    words += ["--probe", "scrambling"]
                done = configural(*words)
                assert done.returncode == 0, f"{line}\n{done.stderr}"
        elif not re.match(r"# \w+\.\w+\n", content):
            exec(compile(content, f"CONTRIBUTING.md, {recipe}", "exec"), {})


def test_each_recipe_is_two_files_at_most():
    for recipe in RECIPES:
        assert 1 <= len(files(recipe)) <= 2, recipe


@pytest.mark.usefixtures("blank_figures")
@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if recipe != "probe"])
def test_recipe(recipe, elsewhere):
    before = set(REGISTRIES[recipe].names())
    carry_out(recipe, elsewhere)
    assert set(REGISTRIES[recipe].names()) - before


LOADS = """
import sys
from configural.errors import ConfiguralError
from configural.portraits import load
for name in sys.argv[1:]:
    try:
        print(load(f"{name}:discs"))
    except ConfiguralError as error:
        print(error)
"""


def test_what_a_source_of_ones_own_does_wrong_is_said_in_one_line(elsewhere):
    """In a process of its own, since in this one jaxtyping checks every array."""
    content = files("source")["my_source.py"]
    faults = {
        "my_small": ("canvas=canvas", "canvas=canvas[:200]", r"disc/0: its canvas is uint8 of \(200, 200, 3\)"),
        "my_float": ("portrait, segmentation=", "portrait / 255, segmentation=", "disc/0: its portrait is float64"),
        "my_bare": ("radius, kind, -1", "radius, kind % 4, -1", "disc/0: its segmentation shows no mouth"),
    }
    for name, (before, after, _) in faults.items():
        assert before in content
        (elsewhere / f"{name}.py").write_text(content.replace(before, after), "utf-8")
    done = subprocess.run([sys.executable, "-c", LOADS, *faults], capture_output=True, text=True, check=True)
    for line, (_, _, said) in zip(done.stdout.splitlines(), faults.values(), strict=True):
        assert re.match(said, line), line


def test_recipe_of_a_probe(elsewhere, monkeypatch, blank_figures):
    """It is asked of the network of the recipe before, and shown on its page; in Python, beside one other."""
    for name in set(audit.PROBES.names()) - {"scrambling"}:
        del audit.PROBES[name]
    for name, content in files("network").items():
        (elsewhere / name).write_text(content, "utf-8")
    first = next(content for language, content in blocks("network") if language == "sh").splitlines()[0]
    with monkeypatch.context() as patch:
        patch.setattr("configural.report.write_run_report", lambda run: None)
        assert configural(*first.split()[1:]).returncode == 0
    carry_out("probe", elsewhere)
    page = (elsewhere / "audits" / "smaller" / "report.html").read_text("utf-8")
    assert "keep their relations at half the size" in page
    assert "Smaller: drop at half the size" in page
    for caption in ("object 1, full", "object 1, half", "object 2, full", "object 2, half"):
        assert f"{caption}<" in page
    scores = (elsewhere / "audits" / "smaller" / "audit.csv").read_text("utf-8")
    assert "smaller,drop" in scores
    assert "mirrored,drop" in scores


def test_recipe_of_a_condition_key(tmp_path):
    """The two edits, in a copy of the package: twice the offsets by the new key are twice the offsets."""
    package = tmp_path / "configural"
    shutil.copytree(ROOT / "src" / "configural", package, ignore=shutil.ignore_patterns("__pycache__"))
    (_, field), (_, act) = blocks("condition key")
    for name, line, code in (
        ("conditions.py", r"(?<=\n)    jitter: int = .*\n()", field),
        ("layout.py", r"()(?<=\n)    offset = .*\n", act),
    ):
        text = (package / "stimuli" / name).read_text("utf-8")
        (found,) = re.finditer(line, text)
        (package / "stimuli" / name).write_text(text[: found.start(1)] + code + text[found.start(1) :], "utf-8")
    (tmp_path / "wider.yaml").write_text("spread: 2\n")
    (tmp_path / "twice.yaml").write_text(
        "offsets: {left_eye: [-40, -20], right_eye: [-40, 10], nose: [0, 0], mouth: [40, 0]}\n"
    )
    code = f"""
import configural as cf
assert cf.__file__.startswith({str(tmp_path)!r})
library = cf.portraits.load("synthetic:4")
conditions = ("ffa+wider.yaml", "twice.yaml", "ffa")
tables = [cf.stimuli.sample(library, condition=condition, count=4) for condition in conditions]
wider, twice, plain = (cf.stimuli.Renderer(library, size=64).draw(table[3]) for table in tables)
assert (wider == twice).all() and (wider != plain).any()
"""
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


ENTRY_POINTS = """\
[configural.networks]
patches = my_network:Patches
[configural.sources]
discs = my_source:discs
[configural.conditions]
wide = my_condition:wide
[configural.probes]
smaller = my_probe:Smaller
[configural.formats]
npz = my_format:Npz
"""


@pytest.mark.usefixtures("blank_figures")
def test_plain_names_of_an_installed_package_work_everywhere(elsewhere):
    """Whatever reads a folder takes them as it takes those of the package, and none is named again."""
    for recipe in ("network", "source", "condition", "probe", "format"):
        for name, content in files(recipe).items():
            (elsewhere / name).write_text(content, "utf-8")
    installed = elsewhere / "my_package-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(ENTRY_POINTS)
    drawn = "--source discs --condition wide --count 42"
    for command in (
        f"generate {drawn} --size 32 --format npz --out images",
        "verify images",
        f"run --network patches {drawn} --image-size 32 --epochs 1 --out trained",
        "evaluate trained --placement shifted --out shifted",
        "evaluate trained --data images --out on-images",
        "audit trained --pairs 4 --probe smaller --out audited",
    ):
        done = configural(*command.split())
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    page = (elsewhere / "trained" / "report.html").read_text("utf-8")
    assert "configural evaluate" in page
    assert "--network patches" not in page
    assert "Conv2d" in page
