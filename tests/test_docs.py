"""The documentation says what is so: its commands exist, its Python runs, its figures are those of its tables."""

import re
import shlex
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from command_line import configural
from typer.main import get_command

from configural.cli import app
from configural.cli.groups import DefaultCommand
from configural.study.estimate import _noise

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))


def commands(text: str) -> list[list[str]]:
    """Every `configural ...` in blocks of code, fenced or indented, as words."""
    lines = re.sub(r" \\\n\s*", " ", text).splitlines()
    found = (re.match(r"(?:    )?(configural .*)", line) for line in lines)
    return [shlex.split(each[1], comments=True) for each in found if each]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_exists(page):
    for _, *words in commands(page.read_text("utf-8")):
        command = get_command(app)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        command = next(
            (each for each in getattr(command, "commands", {}).values() if isinstance(each, DefaultCommand)),
            command,
        )
        known = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
        assert known, words
        for word in words:
            assert not word.startswith("--") or word in (*known, "--help"), f"{page.name}: {command.name} {word}"


SMALL = {
    "run": "--count 60 --image-size 32 --epochs 1 --source synthetic:4",
    "evaluate": "--count 60",
    "audit": "--pairs 4 --probes forced_choice",
    "generate": "--count 42 --size 32 --source synthetic:4",
    "explore": "--source synthetic:4",
    "study": "--source synthetic:4",
}
"""What is appended to a command, so that it takes a second."""


def test_the_commands_of_the_readme_run_from_top_to_bottom_as_pasted(tmp_path, monkeypatch):
    """And then its Python, after the run of the demo; only what needs photographs is left out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("configural.study.estimate._noise", lambda number, size: _noise(8, size))
    text = (ROOT / "README.md").read_text("utf-8")
    run = ["run", "--condition", "baseline", "--out", "runs/demo", *SMALL["run"].split()]
    pasted = [words for block in BLOCK.findall(text) if block[0] == "sh" for words in commands(block[1])]
    pasted = [words[1:] for words in pasted if "photos" not in " ".join(words) and words[1] != "fetch"]
    assert {"run", "evaluate", "audit", "generate", "explore", "study"} <= {words[0] for words in pasted}
    for words in [run, *pasted]:
        small = [] if words[1] == "compare" or words == run else SMALL.get(words[0], "").split()
        done = configural(*words, *small)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    for place in ("runs", "audits"):
        assert list((tmp_path / place).rglob("figures/*.png"))
    python = "\n".join(code for kind, code in BLOCK.findall(text) if kind == "python")
    assert "cf.run(" in python
    for large, little in (
        ("count=400", "count=60, image_size=32"),
        ("pairs=40", "pairs=4"),
        ("objects=8", "objects=2"),
    ):
        assert large in python
        python = python.replace(large, little)
    exec(compile(python, "README.md", "exec"), {})


@pytest.mark.slow
def test_the_python_of_the_first_run_runs(tmp_path, monkeypatch, blank_figures):
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall((ROOT / "docs" / "first_run.md").read_text("utf-8"))
    python = "\n".join(code for kind, code in blocks if kind == "python")
    assert python.count("count=400") == 2
    exec(compile(python.replace("count=400", "count=60"), "first_run.md", "exec"), {})
    assert (tmp_path / "runs" / "fct" / "report.html").is_file()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout, so nothing says what git ignores")
def test_git_ignores_what_the_commands_write():
    """Images drawn from portraits must not be committed by accident."""
    written = set()
    for page in PAGES:
        for words in commands(page.read_text("utf-8")):
            written |= {out for flag, out in pairwise(words) if flag == "--out" and not out.startswith("/")}
    assert {"audits/demo", "images", "explorer.html"} <= written
    paths = sorted(out if "." in out else f"{out}/face.png" for out in written)
    ignored = subprocess.run(["git", "check-ignore", *paths], cwd=ROOT, capture_output=True, text=True)
    assert sorted(ignored.stdout.split()) == paths
