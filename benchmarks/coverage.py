"""How often the audit's intervals hold the truth, by simulation. `python benchmarks/coverage.py`."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from configural.audit import Bootstrap, Estimate
from configural.audit.intervals import interval
from configural.audit.probe import Material
from configural.audit.probes.displacement import ALL, relation_index
from configural.audit.probes.factorial import BALANCED, FRACTION, effects

PARTS = ("left eye", "right eye", "nose", "mouth")
IMAGES = 6
"""Cells of a part, or pairs, per exemplar."""


@dataclass(frozen=True)
class Simulated:
    """An estimate that can be made of any number of exemplars, and what it is an estimate of.

    Attributes:
        draw: From a random generator and a number of exemplars to an estimate.
        truth: What its interval should hold.
    """

    draw: Callable[[np.random.Generator, int], Estimate]
    truth: float


def _hosts(exemplars: int) -> np.ndarray:
    return np.repeat(np.arange(exemplars), IMAGES)


def _clustered(random: np.random.Generator, exemplars: int, mean: float) -> np.ndarray:
    """Numbers of which those of one exemplar are alike."""
    return mean + 0.5 * random.normal(size=exemplars)[_hosts(exemplars)] + random.normal(size=exemplars * IMAGES)


def _bootstrap(random: np.random.Generator) -> Bootstrap:
    return Bootstrap(int(random.integers(2**31)), 1000)


def mean(random: np.random.Generator, exemplars: int) -> Estimate:
    """A mean log-odds drop."""
    return _bootstrap(random).mean(_clustered(random, exemplars, 2.0), _hosts(exemplars))


def choice(random: np.random.Generator, exemplars: int) -> Estimate:
    """A 2AFC of 80 %, that differs by exemplar: of each it is beta distributed."""
    chances = random.beta(4, 1, size=exemplars)[_hosts(exemplars)]
    return _bootstrap(random).fraction(random.random(exemplars * IMAGES) < chances, _hosts(exemplars))


def _cells(random: np.random.Generator, exemplars: int, relational: float, positional: float) -> pd.DataFrame:
    """Responses of which one part costs so much by relations and by position, with noise of exemplar and image."""
    tables = []
    for part in PARTS:
        hosts = _hosts(exemplars)
        size = 1 + 0.3 * random.normal(size=exemplars)[hosts]
        a, b = relational * size, positional * size
        costs = {"R": 0 * a, "A": a + b, "B": a + 3 * b, "C+": 4 * b, "C-": 4 * b}
        costs |= {"D": a + 2 * b, "H+": 2 * b, "H-": 2 * b}
        noise = {name: -cost + random.normal(size=len(hosts)) for name, cost in costs.items()}
        tables.append(pd.DataFrame({"part": part, "host": hosts, "direction": "down", **noise}))
    return pd.concat(tables, ignore_index=True)


def _of_cells(name: str, relational: float, positional: float) -> Callable[[np.random.Generator, int], Estimate]:
    def estimate(random: np.random.Generator, exemplars: int) -> Estimate:
        material = _MaterialOf(_bootstrap(random))
        cells = _cells(random, exemplars, relational, positional)
        scores = effects(cells, PARTS, material, of="skin", at=60.0)
        return next(score.estimate for score in scores if score.name == name and score.of == "skin")

    return estimate


class _MaterialOf(Material):
    """Material without exemplars: what it takes to score."""

    probability = "P(face)"

    def __init__(self, bootstrap: Bootstrap) -> None:
        object.__setattr__(self, "bootstrap", bootstrap)


def index(random: np.random.Generator, exemplars: int) -> Estimate:
    """A relation index of one third."""
    moves = {"mouth": 6.0, ALL: 3.0}
    rows = [
        pd.DataFrame({"host": _hosts(exemplars), "move": move, "drop": _clustered(random, exemplars, drop)})
        for move, drop in moves.items()
    ]
    return relation_index(pd.concat(rows), _bootstrap(random), singles=["mouth"])


def difference(random: np.random.Generator, exemplars: int) -> Estimate:
    """The difference of two means over the same exemplars, drawn in pairs."""
    common, bootstrap = _clustered(random, exemplars, 0.0), _bootstrap(random)
    one, other = (
        bootstrap.mean(common + value + 0.5 * random.normal(size=len(common)), _hosts(exemplars))
        for value in (2.0, 1.5)
    )
    assert one.draws is not None
    assert other.draws is not None
    ends = interval(one.draws - other.draws, exemplars)
    return replace(one, value=one.value - other.value, low=ends[0], high=ends[1])


ESTIMATES: Mapping[str, Simulated] = {
    "log-odds drop": Simulated(mean, 2.0),
    "2AFC of 80 %": Simulated(choice, 0.8),
    "balanced relational effect": Simulated(_of_cells(BALANCED, 2.0, 1.0), 2.0),
    "balanced relational effect of none": Simulated(_of_cells(BALANCED, 0.0, 1.0), 0.0),
    "relational fraction of 2/3": Simulated(_of_cells(FRACTION, 2.0, 1.0), 2 / 3),
    "relational fraction of 0": Simulated(_of_cells(FRACTION, 0.0, 1.0), 0.0),
    "relational fraction of 1": Simulated(_of_cells(FRACTION, 2.0, 0.0), 1.0),
    "relation index of 1/3": Simulated(index, 1 / 3),
    "difference, in pairs": Simulated(difference, 0.5),
}
"""What is simulated."""


def coverage(estimate: Simulated, exemplars: int, *, runs: int, seed: int = 0) -> tuple[float, int]:
    """The fraction of the runs with an interval in which it holds the truth, and how many those are."""
    random = np.random.default_rng([seed, exemplars])
    found = [estimate.draw(random, exemplars) for _ in range(runs)]
    defined = [one for one in found if not np.isnan(one.low)]
    hits = sum(one.low <= estimate.truth <= one.high for one in defined)
    return hits / max(1, len(defined)), len(defined)


def main() -> None:
    """Print a row per estimate, a column per number of exemplars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--exemplars", type=int, nargs="*", default=[5, 10, 20, 50])
    given = parser.parse_args()
    print(f"| interval of | {' | '.join(f'{n} exemplars' for n in given.exemplars)} |")
    print("|---|" + "---|" * len(given.exemplars))
    for name, estimate in ESTIMATES.items():
        cells = []
        for exemplars in given.exemplars:
            held, defined = coverage(estimate, exemplars, runs=given.runs)
            some = "" if defined == given.runs else f" of {100 * defined / given.runs:.0f} %"
            cells.append(f"{100 * held:.1f} %{some}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
