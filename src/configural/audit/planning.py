"""How many exemplars and pairs an interval of a wished width needs."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from configural.audit.intervals import LEVEL
from configural.audit.probes.forced_choice import choices
from configural.audit.result import Audit
from configural.errors import ConfiguralError

EXEMPLARS = (5, 10, 20, 30, 50, 70, 100, 200)
PER_EXEMPLAR = (1, 2, 5, 10, 20)


@dataclass(frozen=True)
class Plan:
    """What to expect of audits of several sizes.

    Attributes:
        fraction: The expected fraction, such as of 2AFC.
        correlation: How alike two pairs of one exemplar are (intraclass correlation, 0 to 1).
        widths: The expected width of the 95 % interval, a row per number of exemplars, a column per pairs for each.
        enough: The fewest exemplars that give the wished width, by pairs for each; nothing where no number does.
    """

    fraction: float
    correlation: float
    widths: pd.DataFrame
    enough: dict[int, int]


def plan(width: float, *, fraction: float = 0.9, correlation: float = 0.1, pilot: Audit | None = None) -> Plan:
    """Exemplars and pairs for an interval of a fraction, such as 2AFC or accuracy, that is so wide.

    The variance of the mean of m pairs for each of h exemplars is p (1 − p) (1 + (m − 1) ρ) / (h m); the interval
    is that of Student's t with h − 1 degrees of freedom. Pairs of one exemplar say less the more alike they are, so
    that beyond some pairs for each only more exemplars help. Near 0 or 1 it is no more than a rough guide.

    Args:
        width: From end to end, above 0 and below 1.
        fraction: What is expected, between 0 and 1.
        correlation: Of two pairs of one exemplar, 0 to 1.
        pilot: An audit that fraction and correlation are taken from: those of its forced choice.

    Raises:
        ConfiguralError: If a number is out of its range, or the pilot has no forced choice.

    Example:
        >>> found = plan(0.1, fraction=0.8, correlation=0.2)
        >>> found.enough[10], round(float(found.widths.loc[50, 10]), 3)
        (72, 0.12)
    """
    if pilot is not None:
        fraction, correlation = _measured(pilot)
    for name, value in (("width", width), ("fraction", fraction)):
        if not 0 < value < 1:
            raise ConfiguralError(f"{name} {value:g} must lie between 0 and 1")
    if not 0 <= correlation <= 1:
        raise ConfiguralError(f"correlation {correlation:g} must be from 0 to 1")

    def expected(exemplars: int, pairs: int) -> float:
        variance = fraction * (1 - fraction) * (1 + (pairs - 1) * correlation) / (exemplars * pairs)
        return float(2 * stdtrit(exemplars - 1, 1 - (1 - LEVEL) / 2) * np.sqrt(variance))

    table = pd.DataFrame(
        [[expected(exemplars, pairs) for pairs in PER_EXEMPLAR] for exemplars in EXEMPLARS],
        index=pd.Index(EXEMPLARS, name="exemplars"),
        columns=pd.Index(PER_EXEMPLAR, name="pairs for each"),
    )
    enough = {pairs: _fewest(width, pairs, expected) for pairs in PER_EXEMPLAR}
    return Plan(fraction, correlation, table, {pairs: found for pairs, found in enough.items() if found})


def _fewest(width: float, pairs: int, expected: Callable[[int, int], float]) -> int:
    counts = range(2, 2**20 + 1)
    found = bisect_left(counts, True, key=lambda exemplars: expected(exemplars, pairs) <= width)
    return counts[found] if found < len(counts) else 0


def _measured(pilot: Audit) -> tuple[float, float]:
    """Fraction and intraclass correlation of the pairs of a pilot, by analysis of variance."""
    responses = pilot.responses.get("forced_choice")
    if responses is None or not len(responses):
        raise ConfiguralError(f"{pilot.facts.name}: has no responses to the probe forced_choice to plan by")
    pairs = choices(responses)
    fraction = float(pairs["correct"].mean())
    # All or none correct say nothing of the spread: as if one half of a pair were the other way.
    edge = 0.5 / (len(pairs) + 1)
    groups: Sequence[np.ndarray] = [group.to_numpy() for _, group in pairs.groupby("host")["correct"]]
    n, h = len(pairs), len(groups)
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    between = sum(len(group) * (float(group.mean()) - fraction) ** 2 for group in groups)
    if h < 2 or n == h or within + between == 0:
        return float(np.clip(fraction, edge, 1 - edge)), 0.0
    size = (n - sum(len(group) ** 2 for group in groups) / n) / (h - 1)
    between, within = between / (h - 1), within / (n - h)
    correlation = (between - within) / (between + (size - 1) * within)
    return float(np.clip(fraction, edge, 1 - edge)), float(np.clip(correlation, 0, 1))
