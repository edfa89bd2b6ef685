"""What goes into a paper: LaTeX, BibTeX, and tables as CSV."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pandas as pd

from configural.io import files


@dataclass(frozen=True)
class Publication:
    """Texts to paste.

    Attributes:
        methods: A paragraph; citations are LaTeX's.
        references: What it cites, in BibTeX.
        latex: The main figures, as a LaTeX table (booktabs).
        table: All of them, with what they are of.
    """

    methods: str
    references: str
    latex: str
    table: pd.DataFrame

    def write(self, folder: Path, name: str) -> None:
        """Write methods.tex, references.bib, and the tables as NAME.tex and NAME.csv into a folder."""
        texts = {"methods.tex": self.methods, "references.bib": self.references, f"{name}.tex": self.latex}
        for file, text in {**texts, f"{name}.csv": self.table.to_csv(index=False)}.items():
            files.write_text(folder / file, text)


def tabular(columns: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table by the package booktabs.

    Args:
        columns: As LaTeX names their alignment.
        heads: Rows above the rule, in LaTeX.
        rows: Cells as plain text.
    """
    told = [" & ".join(map(escaped, cells)) + r" \\" for cells in rows]
    lines = [f"\\begin{{tabular}}{{{columns}}}", r"\toprule", *(head + r" \\" for head in heads), r"\midrule"]
    return "\n".join([*lines, *told, r"\bottomrule", r"\end{tabular}"]) + "\n"


def references(cited: Iterable[str], *, version: str, year: str) -> str:
    """Entries in BibTeX, by key; version and year are configural's, of what it made."""
    entries = (resources.files("configural.io") / "references.bib").read_text("utf-8").split("\n\n")
    wanted = [entry.strip() for entry in entries if any(f"{{{key}," in entry for key in cited)]
    return ("\n\n".join(wanted) + "\n").replace("VERSION", version).replace("YEAR", year)


def escaped(text: str) -> str:
    """Text as LaTeX shows it."""
    special = {character: f"\\{character}" for character in "&%$#_{}"} | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "−": "$-$",
        "–": "--",
        "±": r"$\pm$",
        "→": r"$\to$",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
    }
    return text.translate(str.maketrans(dict[str, str | int | None](special)))
