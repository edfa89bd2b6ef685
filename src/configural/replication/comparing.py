"""A study set against the published results."""

from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from configural.io import files
from configural.replication.compare import Comparison, compare_folder
from configural.replication.compare_text import TextTable, markdown, text_tables

_COLOURS = {"holds": "blue", "does not hold": "dark_orange", "undecided": "bright_black"}


def compare(folder: Path | str) -> Comparison:
    """Set a study's results against the published ones; writes comparison.csv and comparison.md into its folder.

    Args:
        folder: A study's folder, finished or not.

    Raises:
        ConfiguralError: If the folder has no results yet, or no study.
        OSError: If the disk is full or not writable.
    """
    folder = Path(folder)
    comparison = compare_folder(folder)
    files.write_text(folder / "comparison.csv", comparison.cells.to_csv(index=False))
    files.write_text(folder / "comparison.md", markdown(comparison))
    return comparison


def comparison_text(comparison: Comparison) -> Group:
    """A comparison for a rich console: `Console().print(comparison_text(comparison))`."""
    return Group(*(part for table in text_tables(comparison) for part in _rich(table)))


def _rich(table: TextTable) -> tuple[Table | Text, ...]:
    drawn = Table(title=table.title, title_justify="left", title_style="bold")
    for position, heading in enumerate(table.columns):
        drawn.add_column(heading, justify="right" if position in table.numbers else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(text, _COLOURS.get(text.partition(" (")[0], "")) for text in row))
    return drawn, Text(table.note + "\n")
