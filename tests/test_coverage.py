"""The simulation of coverage, in few draws: every interval that it makes, and that it is no small one."""

import runpy
from pathlib import Path

import pytest

SIMULATION = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "coverage.py"))


@pytest.mark.parametrize("name", SIMULATION["ESTIMATES"])
def test_intervals_hold_the_truth(name):
    estimate = SIMULATION["ESTIMATES"][name]
    held, defined = SIMULATION["coverage"](estimate, 20, runs=20)
    # Of 20 intervals of 95 % fewer than 15 hold the truth once in 30,000 times, by the binomial distribution.
    assert held * defined >= 15
    assert defined == 20 or "of 0" in name or "of 1" in name
