"""Write the page on the published grid at its own size from what was measured.

Usage: python docs/make_grid.py [STUDY], where STUDY is the folder of `configural study --preset grid`

With STUDY, its results are kept in results/grid.csv first. No accuracy on the page is typed in, and a statement
that the table does not bear out stops the script.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from make_results import HERE, RESULTS, filled_in
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from configural.evaluation import save_figure
from configural.replication.comparison import NETWORKS, compare_results
from configural.replication.tables import findings_table, measured, verdict_counts
from configural.stimuli.conditions import STUDY_CONDITIONS
from configural.study.results import load_results
from configural.wording import percent, points

TABLE = RESULTS / "grid.csv"
SIZE = 224
CNNS, FCNS = NETWORKS[:2], NETWORKS[2:]
CROSSED = (("baseline", "ffa"), ("ffa", "baseline"))
"""The cross tests that were published."""

OURS, THEIRS = {"color": "#0072b2", "marker": "o"}, {"color": "#d55e00", "marker": "s", "mfc": "white"}


class Grid:
    """What the page's template is given."""

    def __init__(self, results: pd.DataFrame) -> None:
        self.comparison = compare_results(results, SIZE)
        self.verdicts = {finding.key: str(finding.verdict) for finding in self.comparison.findings}
        self.counts = {finding.key: verdict_counts(finding) for finding in self.comparison.findings}
        self.networks = NETWORKS
        self._results = results

    def findings(self) -> str:
        """Each finding with its verdict, as a table."""
        return findings_table(self.comparison).markdown().partition("\n\n")[2]

    def matrix(self, placement: str) -> str:
        """Own and published accuracies of all tests at one placement, as a table."""
        lines = [
            "| trained on | network | " + " | ".join(f"tested on {one}" for one in STUDY_CONDITIONS) + " |",
            "|---" * (2 + len(STUDY_CONDITIONS)) + "|",
        ]
        for train in STUDY_CONDITIONS:
            for network in NETWORKS:
                cells = [_both(self.cell(network, train, test, placement)) for test in STUDY_CONDITIONS]
                lines.append(f"| {train} | {network} | {' | '.join(cells)} |")
        return "\n".join(lines)

    def seeds(self) -> str:
        """Accuracies of every seed on the own condition, off the middle, and in the other conditions."""
        lines = [
            "| network | trained on | own, middle | own, off the middle | the other two, middle |",
            "|---" * 5 + "|",
        ]
        for network in NETWORKS:
            for train in STUDY_CONDITIONS:
                others = [test for test in STUDY_CONDITIONS if test != train]
                asked = [(train, "middle"), (train, "shifted_only"), *((test, "middle") for test in others)]
                own, off, *crossed = (
                    " · ".join(percent(value) for value in self.own(network, train, *which)) for which in asked
                )
                named = "; ".join(f"{test} {said}" for test, said in zip(others, crossed, strict=True))
                lines.append(f"| {network} | {train} | {own} | {off} | {named} |")
        return "\n".join(lines)

    def cell(self, network: str, train: str, test: str, placement: str) -> Mapping[Any, Any]:
        """A row of the comparison."""
        wanted = {"network": network, "train_condition": train, "test_condition": test, "placement": placement}
        found = self.comparison.cells
        for column, value in wanted.items():
            found = found[found[column] == value]
        return dict(found.iloc[0])

    def own(self, network: str, train: str, test: str, placement: str = "middle") -> list[float]:
        """Accuracy of each seed."""
        rows = self._results[
            (self._results["network"] == network)
            & (self._results["train_condition"] == train)
            & (self._results["test_condition"] == test)
            & (self._results["placement"] == placement)
        ]
        return [float(value) for value in rows.sort_values("seed")["accuracy"]]

    def falls(self, networks: Sequence[str], *, whose: str = "own") -> list[float]:
        """What shifting costs each network under each condition, off the middle, in means over the repeats."""
        return [
            self.cell(network, train, train, "middle")[f"{whose}_accuracy"]
            - self.cell(network, train, train, "shifted_only")[f"{whose}_accuracy"]
            for network in networks
            for train in STUDY_CONDITIONS
        ]

    def crossing(self, network: str, train: str, test: str, *, whose: str = "own") -> float:
        """What another condition costs, in means over the repeats."""
        own, other = (self.cell(network, train, one, "middle")[f"{whose}_accuracy"] for one in (train, test))
        return float(own - other)

    def crossings(self, networks: Sequence[str], train: str, test: str) -> list[float]:
        """What another condition costs each of them."""
        return [self.crossing(network, train, test) for network in networks]

    def spread(self, network: str, train: str, test: str) -> float:
        """How far the seeds lie apart, in percentage points."""
        own = self.own(network, train, test)
        return 100 * (max(own) - min(own))

    def span(self, values: Sequence[float]) -> str:
        """Lowest and highest of differences, in percentage points."""
        return f"{points(min(values))} to {points(max(values))}"

    def lowest(self) -> str:
        """The lowest accuracy of any seed on its own condition, in percent."""
        return percent(
            min(min(self.own(network, train, train)) for network in NETWORKS for train in STUDY_CONDITIONS)
        )


def _both(cell: Mapping[Any, Any]) -> str:
    """Own mean and range, and behind a semicolon the published mean, in percent."""
    published = measured(cell, "published").partition(" (")[0]
    return measured(cell, "own") + ("" if published == "–" else f"; {published}")


def render(results: pd.DataFrame) -> str:
    """The page."""
    return filled_in("grid.md", grid=Grid(results), points=points, cnns=CNNS, fcns=FCNS)


def figure(results: pd.DataFrame) -> Figure:
    """Own and published accuracies off the middle, and in the published cross tests."""
    grid = Grid(results)
    drawn = Figure(figsize=(12, 6.6), layout="constrained")
    left, right = drawn.subplots(1, 2, width_ratios=(3, 2.6))
    off = [(network, train, train, "shifted_only") for network in NETWORKS for train in STUDY_CONDITIONS]
    crossed = [(network, *pair, "middle") for network in NETWORKS for pair in CROSSED]
    _dots(left, grid, off, [f"{network}, {train}" for network, train, *_ in off], every=3)
    _dots(right, grid, crossed, [f"{network}, {one} → {other}" for network, one, other, _ in crossed], every=2)
    left.axvline(50, color="0.35", linewidth=1.2, linestyle=(0, (4, 3)))
    left.set_title("Portraits off the middle, own condition", fontsize=16)
    right.set_title("Tested on another condition", fontsize=16)
    drawn.supxlabel("% correct (dashed: chance)", fontsize=15)
    drawn.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=14, frameon=False)
    return drawn


def _dots(
    axes: Axes, grid: Grid, tests: Sequence[tuple[str, str, str, str]], labels: list[str], *, every: int
) -> None:
    for whose, style, words, shift in (("own", OURS, "here", -0.17), ("published", THEIRS, "published", 0.17)):
        cells = [grid.cell(*test) for test in tests]
        value, low, high = (
            100 * np.array([cell[f"{whose}_{name}"] for cell in cells])
            for name in ("accuracy", "lowest", "highest")
        )
        axes.errorbar(value, np.arange(len(tests)) + shift, xerr=[value - low, high - value], linestyle="none",
                      markersize=10, linewidth=2.6, capsize=5, label=words, mew=2, **style)  # fmt: skip
    for position in range(every, len(tests), every):
        axes.axhline(position - 0.5, color="0.85", linewidth=1)
    axes.set_yticks(range(len(tests)), labels)
    axes.set_ylim(len(tests) - 0.5, -0.5)
    axes.tick_params(labelsize=14, length=0)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def main() -> None:
    """Do what the command line says."""
    if len(sys.argv) > 1:
        load_results(Path(sys.argv[1])).to_csv(TABLE, index=False, float_format="%.6g")
    results = pd.read_csv(TABLE)
    (HERE / "grid.md").write_text(render(results), "utf-8")
    save_figure(figure(results), HERE / "images" / "grid.png", formats=("png",))


if __name__ == "__main__":
    main()
