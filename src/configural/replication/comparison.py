"""A study's results set against the published ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from configural.errors import ConfiguralError
from configural.models import ARCHITECTURES
from configural.replication.fields import ReceptiveField, receptive_fields
from configural.replication.findings import CONDITIONS, Finding, Verdict, findings
from configural.replication.published import estimated_shifted_only, published_results
from configural.replication.spread import spread_of_mean
from configural.study.record import StudyRecord
from configural.study.results import RESULT_COLUMNS

CELL = ("network", "train_condition", "test_condition", "placement")
"""What a cell of the comparison is identified by."""

PLACEMENTS = ("middle", "shifted", "shifted_only", "left", "right", "middle_third")
"""Placements of a results table, in the order in which they are shown."""

PUBLISHED_SIZE = 224
"""Rows and columns of the study's images."""

NETWORKS = tuple(architecture.name for architecture in ARCHITECTURES)
"""The study's networks, in the order in which they are shown."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Own and published results, cell by cell, and what they say of the study's findings.

    Attributes:
        cells: One row per network, train condition, test condition and placement that either has. Columns: those of
            `CELL`; for `own` and `published` each `_repeats`, `_accuracy` (mean over repeats, 0 to 1), `_lowest`,
            `_highest` (over repeats), `_low`, `_high` (bootstrap interval of the mean; see
            `spread.spread_of_mean`); `published_estimated`, whether the published figure is
            `estimated_shifted_only`; `difference`, own mean less published mean. What is missing is NaN, or 0
            repeats.
        published: The published results, one row per test, without what is estimated.
        findings: Checked on the own results.
        published_findings: The same, checked on the published results.
        fields: What one unit of each network sees at this size, the smallest fraction first.
        image_size: Rows and columns of the own images.
    """

    cells: pd.DataFrame
    published: pd.DataFrame
    findings: tuple[Finding, ...]
    published_findings: tuple[Finding, ...]
    fields: tuple[ReceptiveField, ...]
    image_size: int

    def count(self, verdict: Verdict) -> int:
        """Own findings of this verdict."""
        return sum(finding.verdict == verdict for finding in self.findings)

    def largest_falls(self, whose: str) -> pd.DataFrame:
        """For each network the cross test on middle images that falls most below its own condition.

        Args:
            whose: own or published.

        Returns:
            Columns network, train_condition, test_condition, fall (of the means, 0 to 1), tests (how many cross
            tests were compared); no row for a network without one.
        """
        accuracy = f"{whose}_accuracy"
        middle = self.cells[(self.cells["placement"] == "middle") & self.cells[accuracy].notna()]
        own = middle[middle["train_condition"] == middle["test_condition"]]
        crossed = middle[middle["train_condition"] != middle["test_condition"]]
        keys = ["network", "train_condition"]
        crossed = crossed.merge(own[[*keys, accuracy]], on=keys, suffixes=("", "_there"))
        crossed["fall"] = crossed[f"{accuracy}_there"] - crossed[accuracy]
        by_network = crossed.groupby("network", sort=False)["fall"]
        crossed["tests"] = by_network.transform("size")
        largest = crossed.loc[by_network.idxmax()]
        return largest[[*keys, "test_condition", "fall", "tests"]].reset_index(drop=True)


def compare_results(results: pd.DataFrame, image_size: int) -> Comparison:
    """Set results against the published ones.

    Args:
        results: Columns as `RESULT_COLUMNS`; may have only some of the cells, or no row. Nothing is published of
            other objects than faces, so of these there are no findings either.
        image_size: Rows and columns of the images that the results are of.

    Raises:
        ConfiguralError: If a column is missing.
    """
    if missing := [name for name in (*CELL, "repeat", "accuracy") if name not in results]:
        raise ConfiguralError(f"the results have no column {missing[0]}: are they the table of a study?")
    of_faces = set(RESULT_COLUMNS) <= set(results)  # those of another object count other confusions
    published = published_results() if of_faces else published_results().iloc[:0]
    theirs, their_findings = _published() if of_faces else (_summaries(published, "published"), ())
    cells = _summaries(results, "own").merge(theirs, on=list(CELL), how="outer")
    for name in ("own_repeats", "published_repeats"):
        cells[name] = cells[name].fillna(0).astype(int)
    cells["published_estimated"] = (cells["placement"] == "shifted_only") & (cells["published_repeats"] > 0)
    cells["difference"] = cells["own_accuracy"] - cells["published_accuracy"]
    for key, known in zip(CELL, (NETWORKS, CONDITIONS, CONDITIONS, PLACEMENTS), strict=True):
        cells[key] = pd.Categorical(cells[key], ordered(list(cells[key]), known))
    cells = cells.sort_values(list(CELL), ignore_index=True).astype(dict.fromkeys(CELL, "str"))
    return Comparison(
        cells,
        published,
        findings(results, image_size) if of_faces else (),
        their_findings,
        receptive_fields(image_size),
        image_size,
    )


@cache
def _published() -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Summaries and findings of the published results, which each comparison is with."""
    published = published_results()
    estimated = pd.concat([published, estimated_shifted_only(published)])
    return _summaries(estimated, "published"), findings(published, PUBLISHED_SIZE)


def study_image_size(folder: Path) -> int:
    """Rows and columns of a study's images.

    Raises:
        ConfiguralError: If it is no study's folder.
    """
    plan = StudyRecord.load(folder).plan
    return plan.run(network=plan.networks[0]).image_size


def ordered(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Each name once: the known ones in their order, then the others by the alphabet."""
    return [*(name for name in known if name in names), *sorted(set(names) - set(known))]


def _summaries(results: pd.DataFrame, whose: str) -> pd.DataFrame:
    rows = []
    for cell, group in results.groupby(list(CELL), sort=False):
        accuracy = group["accuracy"].to_numpy(float)
        spread = spread_of_mean(accuracy)
        numbers = (spread.repeats, spread.mean, accuracy.min(), accuracy.max(), spread.low, spread.high)
        rows.append((*cell, *numbers))
    names = ("repeats", "accuracy", "lowest", "highest", "low", "high")
    frame = pd.DataFrame(rows, columns=[*CELL, *(f"{whose}_{name}" for name in names)])
    if frame.empty:  # columns of nothing have no kind, which the merge needs
        frame = frame.astype({name: "str" if name in CELL else "float64" for name in frame})
    return frame
