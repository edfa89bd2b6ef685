"""The documentation says what is so: its commands exist, its Python runs, its figures are those of its tables."""

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from typer.main import get_command

from configural.cli import app
from configural.cli.groups import DefaultCommand

ROOT = Path(__file__).parents[1]
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


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/first_run.md"])
def test_the_python_of_the_first_pages_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks
    exec(compile("\n".join(blocks), page, "exec"), {})
    assert (tmp_path / "runs" / "fct" / "report.html").is_file()


def test_the_figure_of_the_results_is_drawn_from_the_tables_of_the_findings():
    """Each value and interval of the CSV stands in the findings, in the table of its source and condition."""
    findings = (ROOT / "docs" / "findings.md").read_text("utf-8").replace("−", "-")
    titles = {"FASSEG portraits": "Real portraits (FASSEG)", "painted faces": "Painted faces"}
    results = pd.read_csv(ROOT / "docs" / "results" / "relation_index.csv", dtype=str)
    for (source, condition), rows in results.groupby(["source", "condition"]):
        if source not in titles:
            continue
        table = findings.split(f"## {titles[source]}, `{condition}`")[1].split("\n## ")[0]
        (said,) = re.findall(r"^\| \*\*relation index\*\* \| (.*) \|$", table, re.MULTILINE)
        networks = re.findall(r"[a-z]+-\d+", table.split("\n\n")[1].splitlines()[0])
        expected = dict(zip(networks, said.split(" | "), strict=True))
        for row in rows.itertuples():
            assert expected[row.network] == f"{row.relation_index} [{row.low}, {row.high}]"
