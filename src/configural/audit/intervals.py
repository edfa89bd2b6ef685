"""Intervals by drawing exemplars again, not images: images of one exemplar are not independent of each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.special import ndtr, stdtrit

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number with what is known of its uncertainty.

    Attributes:
        value: From all exemplars; nan where it is not defined.
        low: Lower end of the interval; nan where there is none.
        high: Upper end.
        exemplars: How many hosts it rests on; several portraits of one person count once.
        images: How many responses it rests on.
        note: Why it is not defined, or empty.
        draws: The number in each draw of exemplars, where it was kept; so that a difference can be drawn in pairs.
    """

    value: float
    low: float
    high: float
    exemplars: int
    images: int
    note: str = ""
    draws: Float[np.ndarray, " b"] | None = field(default=None, compare=False, repr=False)


def mean_of_known(means: Float[np.ndarray, "*draws n"]) -> Float[np.ndarray, "*draws"]:
    """The mean of those along the last axis that are no nan, each counting as much as the others; nan of none.

    Example:
        >>> mean_of_known(np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan]]))
        array([ 2., nan])
    """
    known = ~np.isnan(means)
    with np.errstate(all="ignore"):
        return np.asarray(np.where(known, means, 0).sum(axis=-1) / known.sum(axis=-1))


@dataclass(frozen=True)
class Bootstrap:
    """A cluster bootstrap: exemplars are drawn with replacement, each with all of its images.

    Portraits of one person are not independent either, so these are drawn together, and count as one exemplar.

    The ends are percentiles, widened for few exemplars as in Hesterberg, "What Teachers Should Know About the
    Bootstrap", 2015 (expanded percentile interval): the level α/2 becomes Φ(−√(h / (h − 1)) · t(α/2, h − 1)) for h
    exemplars.

    Attributes:
        seed: Of the draws.
        resamples: How often the exemplars are drawn.
        persons: By an exemplar's name, who it shows; by default everybody is shown once.

    Example:
        >>> drops, hosts = [1.0, 2.0, 2.0, 3.0], ["a", "a", "b", "b"]
        >>> found = Bootstrap().mean(drops, hosts)
        >>> found.value, found.exemplars, found.images
        (2.0, 2, 4)
    """

    seed: int = 0
    resamples: int = 2000
    persons: Mapping[str, str] = field(default_factory=dict)

    def mean(self, values: ArrayLike, exemplars: ArrayLike) -> Estimate:
        """The mean over images; nans are left out."""
        return self.function(np.asarray(values, float)[:, None], exemplars, of_means=lambda means: means[..., 0])

    def fraction(self, values: ArrayLike, exemplars: ArrayLike) -> Estimate:
        """The mean of numbers from 0 to 1.

        Where all are 0, or all are 1, resampling knows no spread; the open end is then that of Clopper and Pearson
        for as many trials as there are exemplars.
        """
        found = self.mean(values, exemplars)
        edge = ((1 - LEVEL) / 2) ** (1 / max(found.exemplars, 1))
        if found.value == 1:
            return replace(found, low=edge, high=1.0)
        if found.value == 0:
            return replace(found, low=0.0, high=1 - edge)
        return found

    def function(
        self,
        columns: Float[np.ndarray, "n k"],
        exemplars: ArrayLike,
        *,
        of_means: Callable[[np.ndarray], np.ndarray],
    ) -> Estimate:
        """A function of the means of several columns.

        Args:
            columns: Numbers per image; nans are left out of their column's mean.
            exemplars: Each image's host.
            of_means: From means (..., k) to numbers (...); nan where there is none, and draws for which it
                gives nan are set aside.
        """
        value, drawn, n = self.draws(columns, exemplars)
        rows = int((~np.isnan(columns)).any(axis=1).sum())
        with np.errstate(all="ignore"):
            result, spread = float(of_means(value)), of_means(drawn)
        low, high = interval(spread, n)
        return Estimate(result, low, high, n, rows, draws=np.asarray(spread))

    def draws(
        self, columns: Float[np.ndarray, "n k"], exemplars: ArrayLike
    ) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "b k"], int]:
        """The columns' means, their means in each draw, and the number of exemplars that have any number."""
        columns = np.asarray(columns, float)
        kept = (~np.isnan(columns)).any(axis=1)
        codes, names = pd.factorize(self.clusters(exemplars)[kept])
        n = len(names)
        if not n:
            nothing = np.full(columns.shape[1], np.nan)
            return nothing, nothing[None], 0
        of_column = np.arange(columns.shape[1])
        cells = (codes[:, None] * len(of_column) + of_column).ravel()
        sums, counts = (
            np.bincount(cells, numbers.ravel(), n * len(of_column)).reshape(n, -1)
            for numbers in (np.nan_to_num(columns[kept]), ~np.isnan(columns[kept]))
        )
        weights = _times_drawn(self.seed, n, self.resamples)
        with np.errstate(all="ignore"):
            return sums.sum(axis=0) / counts.sum(axis=0), (weights @ sums) / (weights @ counts), n

    def clusters(self, exemplars: ArrayLike) -> np.ndarray:
        """Of each exemplar that is named, what is drawn together: who it shows."""
        codes, names = pd.factorize(np.asarray(exemplars))
        return np.array([self.persons.get(name, name) for name in names], object)[codes]


@lru_cache(maxsize=8)
def _times_drawn(seed: int, exemplars: int, resamples: int) -> Float[np.ndarray, "b n"]:
    """How often each exemplar is in each draw, read only: a probe asks for the same again and again."""
    random = np.random.default_rng([seed, exemplars])
    times = random.multinomial(exemplars, np.full(exemplars, 1 / exemplars), resamples).astype(float)
    times.setflags(write=False)
    return times


def interval(draws: Float[np.ndarray, " b"], exemplars: int) -> tuple[float, float]:
    """The ends of the interval; nan for fewer than two exemplars."""
    draws = draws[np.isfinite(draws)]
    if exemplars < 2 or not len(draws):
        return np.nan, np.nan
    tail = ndtr(np.sqrt(exemplars / (exemplars - 1)) * stdtrit(exemplars - 1, (1 - LEVEL) / 2))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)
