"""The study's findings, each a rule that a results table meets, breaks, or leaves open.

A finding is a list of checks that must all be met. A check sets one number with its interval over repeats against
a bound: it *holds* where the whole interval meets the bound, it *does not hold* where the whole
interval misses it, and is *undecided* where the interval straddles the bound, where there are fewer than
two repeats, where a test is missing, where the network has not learned its own condition, or where images of
this size cannot show it. A finding holds if all of its checks do, does not hold if one of them does not, and is
undecided else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
import pandas as pd

from configural.replication.fields import CLOSEST_PARTS, ReceptiveField, receptive_fields
from configural.replication.spread import Spread, spread_of_mean
from configural.stimuli import condition
from configural.stimuli.layout import REFERENCE_SIDE

CONDITIONS = ("baseline", "ffa", "fct")
"""The study's conditions."""

OWN_ACCURACY = 0.986
"""What the study's networks reach at least where they were trained."""

FALL = 0.02
"""Two percentage points. In the published table a CNN loses 6.3 to 33.2 on shifted images, an FCN at most 1.6."""

LEARNED = 0.9
"""With less on its own middle images, a network has not learned enough to fall."""

_ROUNDING = 1e-6
"""Published accuracies have six decimals."""


class Verdict(StrEnum):
    """What the numbers say of a finding."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Check:
    """One number against one bound.

    Attributes:
        what: Which network and test, in words.
        spread: The number: an accuracy (0 to 1), a fall, or a difference of two falls.
        wanted: `at least`, `less than` or `more than`.
        bound: What the number is set against.
        not_learned: Which network has not learned enough for the number to say anything; empty if they all have.
        limit: Why images of this size cannot show it; empty if they can.
        unit: `%` for an accuracy, `points` (percentage points) for a fall or a difference of falls.
    """

    what: str
    spread: Spread
    wanted: str
    bound: float
    not_learned: str = ""
    limit: str = ""
    unit: str = "points"

    @property
    def measured(self) -> Verdict:
        """The number against the bound, whatever the size of the images can show."""
        low, high = self.spread.low, self.spread.high
        if self.spread.repeats < 2:
            return Verdict.UNDECIDED
        # Each bound is turned so that the right side of it is up.
        match self.wanted:
            case "at least":
                right, wrong = low >= self.bound - _ROUNDING, high < self.bound - _ROUNDING
            case "less than":
                right, wrong = high < self.bound - _ROUNDING, low >= self.bound - _ROUNDING
            case _:
                right, wrong = low > self.bound + _ROUNDING, high <= self.bound + _ROUNDING
        return Verdict.HOLDS if right else Verdict.FAILS if wrong else Verdict.UNDECIDED

    @property
    def reason(self) -> str:
        """Why it is undecided; empty if it is decided."""
        if self.spread.repeats < 2:
            return "only one repeat" if self.spread.repeats else "not measured"
        straddles = "the interval straddles the bound" if self.measured is Verdict.UNDECIDED else ""
        return self.not_learned or self.limit or straddles

    @property
    def verdict(self) -> Verdict:
        """What is measured, unless there is a reason against it."""
        return Verdict.UNDECIDED if self.reason else self.measured


@dataclass(frozen=True)
class Finding:
    """One of the study's findings, checked.

    Attributes:
        key: A short name.
        statement: What the study found.
        rule: What is checked, and for what.
        checks: All must be met.
    """

    key: str
    statement: str
    rule: str
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """Of all checks together."""
        return _together(check.verdict for check in self.checks)

    @property
    def measured(self) -> Verdict:
        """What the numbers alone say, whatever speaks against them."""
        return _together(check.measured for check in self.checks)

    @property
    def limits(self) -> tuple[str, ...]:
        """Why images of this size cannot show all of it; empty if they can."""
        return tuple(dict.fromkeys(check.limit for check in self.checks if check.limit))

    def count(self, verdict: Verdict) -> int:
        """Checks of this verdict."""
        return sum(check.verdict == verdict for check in self.checks)

    @property
    def deciding(self) -> Check:
        """The check closest to failing, or furthest beyond: among those of the finding's verdict if it can be."""

        def room(check: Check) -> float:
            spread, bound = check.spread, check.bound
            return bound - spread.high if check.wanted == "less than" else spread.low - bound

        decided = [check for check in self.checks if check.verdict == self.verdict] or list(self.checks)
        measured = [check for check in decided if check.spread.repeats >= 2] or decided
        return min(measured, key=lambda check: np.nan_to_num(room(check), nan=np.inf))


def _together(verdicts: Iterable[Verdict]) -> Verdict:
    found = set(verdicts)
    if Verdict.FAILS in found:
        return Verdict.FAILS
    return Verdict.HOLDS if found == {Verdict.HOLDS} else Verdict.UNDECIDED


def findings(results: pd.DataFrame, image_size: int, closest_parts: float = CLOSEST_PARTS) -> tuple[Finding, ...]:
    """Check the study's findings on a results table.

    Args:
        results: Columns as `RESULT_COLUMNS`; repeats are distinguished by `repeat`.
        image_size: Rows and columns of the images.
        closest_parts: See `fields.closest_parts`; by default that of the FASSEG portraits.
    """
    fields = receptive_fields(image_size)
    tests = _Tests(results)
    own = [
        Check(
            f"{field.network} on {name}",
            spread_of_mean(tests.accuracies(field.network, name, name).to_numpy()),
            "at least",
            OWN_ACCURACY,
            unit="%",
        )
        for field in fields
        for name in CONDITIONS
    ]
    of_cnns, of_fcns = (
        tuple(tests.fall_when_shifted(field, name) for field in some for name in CONDITIONS)
        for some in ([field for field in fields if field.single_unit == single] for single in (False, True))
    )
    return (
        Finding(
            "own condition",
            f"Every network is correct in at least {100 * OWN_ACCURACY:g} % where it was trained.",
            f"For each network and condition: accuracy on the condition's own middle images is at least "
            f"{100 * OWN_ACCURACY:g} %.",
            tuple(own),
        ),
        Finding(
            "CNNs fall when shifted",
            "Networks with a dense layer fall when the images are shifted.",
            "For each CNN and condition: the fall in accuracy from middle to shifted images is at least "
            f"{100 * FALL:g} percentage points.",
            of_cnns,
        ),
        Finding(
            "FCNs do not fall when shifted",
            "Fully convolutional networks do not fall when the images are shifted.",
            "For each FCN and condition: the fall in accuracy from middle to shifted images is less than "
            f"{100 * FALL:g} percentage points.",
            of_fcns,
        ),
        _which_cross_test(tests, fields, image_size),
        _smallest_field(tests, fields, closest_parts),
    )


_Test = tuple[str, str, str]
"""A network, what it was trained on, and what it is tested on."""


@dataclass(frozen=True, eq=False)
class _Tests:
    """Accuracies by cell, and what follows from them."""

    results: pd.DataFrame

    @cached_property
    def cells(self) -> dict[tuple[str, ...], pd.Series]:
        """Accuracies by repeat of each network, train condition, test condition and placement."""
        keys = ["network", "train_condition", "test_condition", "placement"]
        groups = self.results.astype({"accuracy": float}).set_index("repeat").groupby(keys)["accuracy"]
        return {tuple(cell): accuracies for cell, accuracies in groups}

    def accuracies(self, network: str, train: str, test: str, placement: str = "middle") -> pd.Series:
        return self.cells.get((network, train, test, placement), pd.Series(dtype=float))

    def falls(self, network: str, train: str, test: str, placement: str = "middle") -> np.ndarray:
        """What each trained network loses from its own middle images to others, in fractions of 1."""
        own = self.accuracies(network, train, train)
        return (own - self.accuracies(network, train, test, placement)).dropna().to_numpy()

    def not_learned(self, *tests: _Test) -> str:
        for network, train, _ in tests:
            own = self.accuracies(network, train, train).mean()
            if own < LEARNED:
                return (
                    f"{network} has not learned {train}: {100 * own:.1f} % correct, less than {100 * LEARNED:g} %"
                )
        return ""

    def fall_when_shifted(self, field: ReceptiveField, name: str) -> Check:
        whole = field.single_unit and field.fraction >= 1
        test = (field.network, name, name)
        return Check(
            f"fall of {field.network} on {name}",
            spread_of_mean(self.falls(*test, "shifted")),
            "less than" if field.single_unit else "at least",
            FALL,
            self.not_learned(test),
            f"a unit of {field.network} sees the whole image ({field.fraction:.2f} of its side), with the edges "
            "that tell it where it is"
            if whole
            else "",
        )

    def falls_more(self, what: str, test: _Test, other: _Test, limit: str) -> Check:
        difference = spread_of_mean(self.falls(*test), less=self.falls(*other))
        return Check(what, difference, "more than", 0.0, self.not_learned(test, other), limit)


def _which_cross_test(tests: _Tests, fields: Sequence[ReceptiveField], image_size: int) -> Finding:
    moved = max(abs(value) for slot in condition("ffa").offsets for value in slot) * image_size / REFERENCE_SIDE
    limit = f"ffa moves no part by a whole pixel ({moved:.1f} at most)" if moved < 1 else ""
    checks = [
        tests.falls_more(
            f"falls of {field.network}, ffa→baseline less baseline→ffa",
            (field.network, "ffa", "baseline"),
            (field.network, "baseline", "ffa"),
            limit,
        )
        for field in fields
    ]
    return Finding(
        "ffa→baseline falls more",
        "Of the cross tests between baseline and ffa, the one that falls is ffa→baseline: trained with features "
        "further apart, tested where they were photographed.",
        "For each network: the fall from ffa to baseline is larger than the fall from baseline to ffa.",
        tuple(checks),
    )


def _smallest_field(tests: _Tests, fields: Sequence[ReceptiveField], closest_parts: float) -> Finding:
    # Of two networks with the same field, the one in which a single unit responds is limited by it.
    smallest, *others = sorted(fields, key=lambda field: (not field.single_unit, field.pixels))
    limit = (
        f"a unit of {smallest.network} sees {smallest.fraction:.2f} of the side, and two neighbouring parts fit "
        f"into {closest_parts:.2f}"
        if smallest.fraction >= closest_parts
        else ""
    )
    checks = [
        tests.falls_more(
            f"falls {train}→{test}, {smallest.network} less {other.network}",
            (smallest.network, train, test),
            (other.network, train, test),
            limit,
        )
        for train, test in (("baseline", "ffa"), ("ffa", "baseline"))
        for other in others
    ]
    return Finding(
        "smallest receptive field falls most",
        f"In cross tests {smallest.network} falls most, whose units see least and decide alone.",
        f"For baseline→ffa and ffa→baseline, and for each other network: the fall of {smallest.network} is larger.",
        tuple(checks),
    )
