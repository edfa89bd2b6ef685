"""A comparison as tables of text, for a terminal and for a Markdown file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configural.replication.compare import PUBLISHED_SIZE, Comparison
from configural.replication.findings import Check, Finding, Verdict
from configural.wording import percent, points

SHOWN_PLACEMENTS = ("middle", "shifted", "shifted_only")
"""Placements in the tables for readers; comparison.csv has all."""


@dataclass(frozen=True)
class TextTable:
    """A table that is ready to be printed.

    Attributes:
        title: Above it.
        columns: Headings.
        rows: As many texts as columns each.
        numbers: Positions of the columns that are set flush right.
        note: Below it; may be empty.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()
    note: str = ""


def text_tables(comparison: Comparison) -> tuple[TextTable, ...]:
    """The findings, what this size can show, the cells side by side, and the largest falls."""
    return (findings_table(comparison), fields_table(comparison), cells_table(comparison), falls_table(comparison))


def markdown(comparison: Comparison) -> str:
    """All tables and every check, as the content of comparison.md."""
    parts = ["# Set against the published results", _introduction(comparison)]
    parts += [as_markdown(table) for table in (*text_tables(comparison), *check_tables(comparison))]
    return "\n\n".join(parts) + "\n"


def as_markdown(table: TextTable) -> str:
    """One table with its title and note."""

    def row(texts: Sequence[str]) -> str:
        return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"

    rule = ["---:" if position in table.numbers else "---" for position in range(len(table.columns))]
    lines = [f"## {table.title}", "", row(table.columns), row(rule), *map(row, table.rows)]
    return "\n".join(lines + (["", table.note] if table.note else []))


def findings_table(comparison: Comparison) -> TextTable:
    """Each finding with its verdict and the number that decided."""
    rows = []
    for own, theirs in zip(comparison.findings, comparison.published_findings, strict=True):
        rows.append((own.key, verdict_text(own), verdict_counts(own), described(own.deciding), str(theirs.verdict)))
    return TextTable(
        "The study's findings",
        ("finding", "verdict", "checks", "the check nearest to its bound", "published table"),
        tuple(rows),
    )


def fields_table(comparison: Comparison) -> TextTable:
    """Receptive fields as fractions of the image, and what follows for each finding."""
    size = comparison.image_size
    sizes = dict.fromkeys((size, PUBLISHED_SIZE))
    rows = [
        (
            field.network,
            str(field.pixels),
            *(f"{field.pixels / side:.2f}" for side in sizes),
            answers_by(field.single_unit),
        )
        for field in comparison.fields
    ]
    note = "\n".join(f"- {finding.key}: {can_be_tested(finding, size)}" for finding in comparison.findings)
    return TextTable(
        f"What images of {size} × {size} pixels can show",
        (
            "network",
            "one unit sees, pixels",
            *(f"fraction of {side}" + (", as published" if side == PUBLISHED_SIZE else "") for side in sizes),
            "responds by",
        ),
        tuple(rows),
        tuple(range(1, 2 + len(sizes))),
        note,
    )


def cells_table(comparison: Comparison) -> TextTable:
    """Own and published accuracy of every cell, side by side."""
    rows = []
    for cell in comparison.cells.to_dict("records"):
        if cell["placement"] in SHOWN_PLACEMENTS:
            place = (cell["network"], cell["train_condition"], cell["test_condition"], cell["placement"])
            difference = points(cell["difference"], sign=True)
            repeats = str(cell["own_repeats"] or "–")
            rows.append((*place, repeats, measured(cell, "own"), measured(cell, "published"), difference))
    return TextTable(
        "Cell by cell",
        (
            "network",
            "trained on",
            "tested on",
            "placement",
            "repeats",
            "own, % correct",
            "published, % correct",
            "points",
        ),
        tuple(rows),
        (4, 5, 6, 7),
        "Mean over repeats (lowest–highest); published: of three. A third of a shifted set is in the middle, "
        "shifted_only is the rest. ≈ The published study did not test shifted_only; it is estimated from shifted, "
        "assuming that the middle third was predicted as well as the middle test set.",
    )


def falls_table(comparison: Comparison) -> TextTable:
    """For each network the cross test that falls most."""
    sides = {whose: _falls(comparison, whose) for whose in ("own", "published")}
    networks = [field.network for field in comparison.fields]
    rows = [(name, *(sides[whose].get(name, "–") for whose in ("own", "published"))) for name in networks]
    return TextTable(
        "The cross test that falls most",
        ("network", "own", "published"),
        tuple(rows),
        note="Fall of the mean below that of the condition trained on, middle images. Not published are the four "
        "cross tests with fct.",
    )


def check_tables(comparison: Comparison) -> tuple[TextTable, ...]:
    """For each finding all of its checks, own beside published."""
    return tuple(
        TextTable(
            f"Checks: {own.key}",
            ("check", "own (interval)", "required", "verdict", "why undecided", "published (interval)"),
            tuple(
                (
                    check.what,
                    number(check),
                    f"{check.wanted} {100 * check.bound:g} {check.unit}",
                    str(check.verdict),
                    check.reason,
                    number(there),
                )
                for check, there in zip(own.checks, theirs.checks, strict=True)
            ),
            (1, 5),
            f"{own.statement} {own.rule}",
        )
        for own, theirs in zip(comparison.findings, comparison.published_findings, strict=True)
    )


def verdict_text(finding: Finding) -> str:
    """The verdict; where the images' size stands against it, with what was measured."""
    if not finding.limits or finding.measured is finding.verdict:
        return str(finding.verdict)
    return f"{finding.verdict} (as measured: {finding.measured})"


def verdict_counts(finding: Finding) -> str:
    """Such as `10 hold, 2 undecided`."""
    words = {Verdict.HOLDS: ("holds", "hold"), Verdict.FAILS: ("does not", "do not")}
    said = []
    for verdict in Verdict:
        count = finding.count(verdict)
        one, more = words.get(verdict, (str(verdict), str(verdict)))
        if count:
            said.append(f"{count} {one if count == 1 else more}")
    return ", ".join(said)


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


def answers_by(single_unit: bool) -> str:
    """How a network comes from cells to its answer."""
    return "the strongest single unit" if single_unit else "all units, each by its position"


def can_be_tested(finding: Finding, image_size: int) -> str:
    """Whether images of this size can show a finding, and why not."""
    if not finding.limits:
        return f"can be tested at {image_size} pixels"
    can = "can only in part" if any(not check.limit for check in finding.checks) else "cannot"
    return f"{can} be tested at {image_size} pixels: {'; '.join(finding.limits)}"


def _falls(comparison: Comparison, whose: str) -> dict[str, str]:
    return {
        row["network"]: f"{row['train_condition']}→{row['test_condition']}, {points(row['fall'])} points "
        f"(of {row['tests']} cross tests)"
        for row in comparison.largest_falls(whose).to_dict("records")
    }


def _introduction(comparison: Comparison) -> str:
    cells = comparison.cells
    own = int((cells["own_repeats"] > 0).sum())
    both = int(((cells["own_repeats"] > 0) & (cells["published_repeats"] > 0)).sum())
    return (
        f"Own images: {comparison.image_size} × {comparison.image_size} pixels; published: {PUBLISHED_SIZE} × "
        f"{PUBLISHED_SIZE}. {own} own cells, {both} published too. Intervals are 95 % percentile bootstraps over "
        "repeats; of two or three accuracies that is their range. Own repeats differ by seed, the published ones "
        "all used seed 42. Published: Lisa Lengenfelder, Are Relations Relevant in CNNs? A Study Based on a Facial "
        "Dataset, Bachelor thesis, 2021."
    )
