"""What people chose, to be set beside what networks do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configural.audit.intervals import Bootstrap, Estimate
from configural.audit.result import Audit
from configural.errors import ConfiguralError
from configural.io.reading import reading


@dataclass(frozen=True, eq=False)
class People:
    """What people chose between a correct and a scrambled arrangement, as a row."""

    name: str
    choice: Estimate
    audits: tuple[Audit, ...] = ()

    def score(self, heading: str) -> dict[str, Any]:
        """The fraction of correct choices with its interval over participants; they were asked nothing else."""
        known = heading == "choice"
        values = {name: getattr(self.choice, name) if known else np.nan for name in ("value", "low", "high")}
        return {**values, "deviation": np.nan, "note": "" if known else "people were not asked"}


_ANSWERS = ("correct", "key_resp.corr")
"""Columns that say whether a choice was correct: jsPsych's, or one's own, and PsychoPy's."""


def read_answers(path: Path) -> People:
    """The answers of people in a CSV: a row for each, with who gave it (participant) and whether it was correct.

    Raises:
        ConfiguralError: If the file cannot be read, or lacks a column or an answer.
    """
    with reading(path, "a readable table of answers"):
        table = pd.read_csv(path)
    column = next((name for name in _ANSWERS if name in table), None)
    if column is None or "participant" not in table:
        raise ConfiguralError(f"{path}: needs the columns participant and correct (or PsychoPy's key_resp.corr)")
    table = table[table[column].notna()]
    said = table[column].astype(str).str.lower().map({"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0})
    if said.isna().any() or not len(said):
        raise ConfiguralError(f"{path}: its column {column} must be 1 or 0, true or false, in at least one row")
    choice = Bootstrap(0).fraction(said.astype(float), table["participant"].astype(str))
    return People(f"people ({path.stem})", choice)
