"""A study set against the published results, as tables for a terminal, a Markdown file and a page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from configural.errors import ConfiguralError
from configural.io import files, manifest
from configural.replication.comparison import CELL, PUBLISHED_SIZE, Comparison, compare_results, study_image_size
from configural.replication.findings import Check, Finding, Verdict
from configural.study.results import load_results
from configural.wording import percent, points

SHOWN_PLACEMENTS = ("middle", "shifted", "shifted_only")
"""Placements in the tables for readers; comparison.csv has all."""

_COLOURS = {"holds": "blue", "does not hold": "dark_orange", "undecided": "bright_black"}


@dataclass(frozen=True)
class Table:
    """A table that is ready to be shown; the page's template shows it as HTML."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    numbers: Sequence[int] = ()  # positions of the columns that are set flush right
    note: str = ""  # below it

    def markdown(self) -> str:
        """For a Markdown file."""

        def row(texts: Sequence[str]) -> str:
            return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"

        rule = ["---:" if position in self.numbers else "---" for position in range(len(self.columns))]
        lines = [f"## {self.title}", "", row(self.columns), row(rule), *map(row, self.rows)]
        return "\n".join(lines + (["", self.note] if self.note else []))

    def rich(self) -> Group:
        """For a terminal."""
        drawn = RichTable(title=self.title, title_justify="left", title_style="bold")
        for position, heading in enumerate(self.columns):
            drawn.add_column(heading, justify="right" if position in self.numbers else "left", overflow="fold")
        for row in self.rows:
            drawn.add_row(*(Text(text, _COLOURS.get(text.partition(" (")[0], "")) for text in row))
        return Group(drawn, Text(self.note + "\n"))


def compare(folder: Path | str, *, write_page: Callable[[Path], object] | None = None) -> Comparison:
    """Set a study's results against the published ones; writes comparison.csv and comparison.md into its folder.

    Args:
        folder: A study's folder, finished or not.
        write_page: Makes the page of the study, in its folder, which shows the same.

    Raises:
        ConfiguralError: If the folder has no results yet, or no study, or one of another object than faces.
        OSError: If the disk is full or not writable.
    """
    folder = Path(folder)
    results = load_results(folder)
    comparison = compare_results(results, study_image_size(folder))
    if not comparison.findings:
        raise ConfiguralError(f"{folder}: the published results are of faces; this study is not")
    files.write_text(folder / "comparison.csv", comparison.cells.to_csv(index=False))
    files.write_text(folder / "comparison.md", markdown(comparison))
    manifest.renew(folder, "comparison.csv", "comparison.md")
    if write_page is not None:
        write_page(folder)
    return comparison


def comparison_text(comparison: Comparison) -> Group:
    """A comparison for a rich console of 80 columns: `Console().print(comparison_text(comparison))`."""
    shown = (_short_findings, fields_table, _short_cells, falls_table)
    return Group(*(table(comparison).rich() for table in shown))


def _short_findings(comparison: Comparison) -> Table:
    both = zip(comparison.findings, comparison.published_findings, strict=True)
    rows: list[tuple[str, ...]] = [
        (own.key, verdict_text(own), verdict_counts(own), str(theirs.verdict)) for own, theirs in both
    ]
    note = "\n".join(f"- {own.key}: {described(own.deciding)}" for own in comparison.findings)
    return Table("The study's findings", ("finding", "verdict", "checks", "published"), rows, note=note)


def _short_cells(comparison: Comparison) -> Table:
    """Of `cells_table` the means."""
    rows: list[tuple[str, ...]] = [
        (network, " → ".join(dict.fromkeys((train, test))), where, *(text.partition(" (")[0] for text in numbers))
        for network, train, test, where, _repeats, *numbers in cells_table(comparison).rows
    ]
    columns = ("network", "trained → tested", "placement", "own, %", "published, %", "points")
    note = "comparison.md has the spread over repeats. ≈ is estimated from the published shifted figure."
    return Table("Cell by cell", columns, rows, range(3, 6), note)


def markdown(comparison: Comparison) -> str:
    """All tables and every check, as the content of comparison.md."""
    cells = comparison.cells
    own = int((cells["own_repeats"] > 0).sum())
    both = int(((cells["own_repeats"] > 0) & (cells["published_repeats"] > 0)).sum())
    introduction = (
        f"Own images: {comparison.image_size} × {comparison.image_size} pixels; published: {PUBLISHED_SIZE} × "
        f"{PUBLISHED_SIZE}. {own} own cells, {both} published too. Intervals are 95 % percentile bootstraps over "
        "repeats; of two or three accuracies that is their range. Own repeats differ by seed, the published ones "
        "all used seed 42. Published: Lisa Lengenfelder, Are Relations Relevant in CNNs? A Study Based on a Facial "
        "Dataset, Bachelor thesis, 2021."
    )
    shown = [table(comparison) for table in (findings_table, fields_table, cells_table, falls_table)]
    texts = [table.markdown() for table in (*shown, *check_tables(comparison))]
    return "\n\n".join(["# Set against the published results", introduction, *texts]) + "\n"


def findings_table(comparison: Comparison) -> Table:
    """Each finding with its verdict and the number that decided."""
    return Table(
        "The study's findings",
        ("finding", "verdict", "checks", "the check nearest to its bound", "published table"),
        [
            (own.key, verdict_text(own), verdict_counts(own), described(own.deciding), str(theirs.verdict))
            for own, theirs in zip(comparison.findings, comparison.published_findings, strict=True)
        ],
    )


def fields_table(comparison: Comparison) -> Table:
    """Receptive fields as fractions of the image, and what follows for each finding."""
    size = comparison.image_size
    sizes = dict.fromkeys((size, PUBLISHED_SIZE))
    fractions = [f"fraction of {side}" + (", as published" if side == PUBLISHED_SIZE else "") for side in sizes]
    return Table(
        f"What images of {size} × {size} pixels can show",
        ("network", "one unit sees, pixels", *fractions, "responds by"),
        [
            (
                field.network,
                str(field.pixels),
                *(f"{field.pixels / side:.2f}" for side in sizes),
                "the strongest single unit" if field.single_unit else "all units, each by its position",
            )
            for field in comparison.fields
        ],
        range(1, 2 + len(sizes)),
        "\n".join(f"- {finding.key}: {can_be_tested(finding, size)}" for finding in comparison.findings),
    )


def cells_table(comparison: Comparison) -> Table:
    """Own and published accuracy of every cell, side by side."""
    identified = ("network", "trained on", "tested on", "placement")
    return Table(
        "Cell by cell",
        (*identified, "repeats", "own, % correct", "published, % correct", "points"),
        [
            (
                *(cell[name] for name in CELL),
                str(cell["own_repeats"] or "–"),
                measured(cell, "own"),
                measured(cell, "published"),
                points(cell["difference"], sign=True),
            )
            for cell in comparison.cells.to_dict("records")
            if cell["placement"] in SHOWN_PLACEMENTS
        ],
        range(4, 8),
        "Mean over repeats (lowest–highest); published: of three. A third of a shifted set is in the middle, "
        "shifted_only is the rest. ≈ The published study did not test shifted_only; it is estimated from shifted, "
        "assuming that the middle third was predicted as well as the middle test set.",
    )


def falls_table(comparison: Comparison) -> Table:
    """For each network the cross test that falls most."""
    own, published = (
        {
            row["network"]: f"{row['train_condition']}→{row['test_condition']}, {points(row['fall'])} points "
            f"(of {row['tests']} cross tests)"
            for row in comparison.largest_falls(whose).to_dict("records")
        }
        for whose in ("own", "published")
    )
    networks = [field.network for field in comparison.fields]
    return Table(
        "The cross test that falls most",
        ("network", "own", "published"),
        [(name, own.get(name, "–"), published.get(name, "–")) for name in networks],
        note="Fall of the mean below that of the condition trained on, middle images. Not published are the four "
        "cross tests with fct.",
    )


def check_tables(comparison: Comparison) -> list[Table]:
    """For each finding all of its checks, own beside published."""
    return [
        Table(
            f"Checks: {own.key}",
            ("check", "own (interval)", "required", "verdict", "why undecided", "published (interval)"),
            [
                (
                    check.what,
                    number(check),
                    f"{check.wanted} {100 * check.bound:g} {check.unit}",
                    str(check.verdict),
                    check.reason,
                    number(there),
                )
                for check, there in zip(own.checks, theirs.checks, strict=True)
            ],
            (1, 5),
            f"{own.statement} {own.rule}",
        )
        for own, theirs in zip(comparison.findings, comparison.published_findings, strict=True)
    ]


def verdict_text(finding: Finding) -> str:
    """The verdict; where the images' size stands against it, with what was measured."""
    if not finding.limits or finding.measured is finding.verdict:
        return str(finding.verdict)
    return f"{finding.verdict} (as measured: {finding.measured})"


def verdict_counts(finding: Finding) -> str:
    """Such as `10 hold, 2 undecided`."""
    words = {Verdict.HOLDS: ("holds", "hold"), Verdict.FAILS: ("does not", "do not")}
    counts = {words.get(verdict, (verdict, verdict)): finding.count(verdict) for verdict in Verdict}
    return ", ".join(f"{count} {one if count == 1 else more}" for (one, more), count in counts.items() if count)


def described(check: Check) -> str:
    """A check in one line: what, number, bound, and why it is undecided, unless that is the images' size."""
    if not check.spread.repeats:
        return f"{check.what}: {check.reason}"
    why = f" ({check.reason})" if check.reason and check.reason != check.limit else ""
    return f"{check.what}: {number(check)}, required {check.wanted} {100 * check.bound:g}{why}"


def number(check: Check) -> str:
    """A check's mean with its interval, in percent or percentage points."""
    spread = check.spread
    if not spread.repeats:
        return "–"
    interval = f" ({points(spread.low)} to {points(spread.high)})" if spread.repeats > 1 else ""
    return f"{points(spread.mean)} {check.unit}{interval}"


def measured(cell: Mapping[Any, Any], whose: str) -> str:
    """A cell's mean with lowest and highest over repeats, in percent; ≈ if estimated, – if not measured."""
    repeats = cell[f"{whose}_repeats"]
    if not repeats:
        return "–"
    about = "≈ " if whose == "published" and cell["published_estimated"] else ""
    mean, low, high = (percent(cell[f"{whose}_{name}"]) for name in ("accuracy", "lowest", "highest"))
    return f"{about}{mean} ({low}–{high})" if repeats > 1 else f"{about}{mean}"


def cannot_be_tested(finding: Finding) -> bool:
    """Whether images of this size can show nothing of a finding."""
    return bool(finding.limits) and all(check.limit for check in finding.checks)


def can_be_tested(finding: Finding, image_size: int) -> str:
    """Whether images of this size can show a finding, and why not."""
    if not finding.limits:
        return f"can be tested at {image_size} pixels"
    can = "cannot" if cannot_be_tested(finding) else "can only in part"
    return f"{can} be tested at {image_size} pixels: {'; '.join(finding.limits)}"
