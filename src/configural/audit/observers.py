"""Observers: classifiers with a known strategy. The audit is audited with them before anything else."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from configural.audit.positions import TURNED, part_positions
from configural.audit.respondents import Observer
from configural.objects import ObjectScheme
from configural.portraits import Library
from configural.stimuli import Condition, Stimulus, sample
from configural.stimuli import condition as find_condition

_RADIUS = 0.12
"""Beyond this distance, in fractions of the image's side, a part is not where it is looked for."""


@dataclass(frozen=True)
class ConstantObserver:
    """Gives every image the same response."""

    response: float = 0.3

    def log_odds_of(self, stimuli: Sequence[Stimulus]) -> Float[np.ndarray, " n"]:
        """The response."""
        return np.full(len(stimuli), self.response)


@dataclass(frozen=True)
class CanvasObserver:
    """Sees whose canvas it is and nothing of the parts: a response from the host's name, −6 without a canvas."""

    def log_odds_of(self, stimuli: Sequence[Stimulus]) -> Float[np.ndarray, " n"]:
        """From 0 to 4 by host."""
        by_host = [4 * (int.from_bytes(hashlib.sha256(one.host.encode()).digest()[:4]) / 2**32) for one in stimuli]
        return np.where([one.condition.background == "canvas" for one in stimuli], by_host, -6.0)


@dataclass(frozen=True)
class BagOfPartsObserver:
    """Counts which part kinds are there, wherever they are: 2 for each, and 3 for all of them."""

    scheme: ObjectScheme

    def log_odds_of(self, stimuli: Sequence[Stimulus]) -> Float[np.ndarray, " n"]:
        """Also sees a part that is upside down as no part, as a detector of upright parts would."""
        scores = []
        for stimulus in stimuli:
            seen = {
                content.kind
                for slot, content in zip(self.scheme.part_kinds, stimulus.contents, strict=True)
                if slot in stimulus.condition.filled
                and stimulus.inverted == content.donor.endswith(TURNED)
                and abs((stimulus.rotation + 180) % 360 - 180) < 90
            }
            scores.append(3.0 - 2 * (len(self.scheme.part_kinds) - len(seen)))
        return np.array(scores)


@dataclass(frozen=True, eq=False)
class PositionObserver:
    """Looks for each part kind at one position of the image, whatever the other parts do.

    Each part brings 4 at its mean position in correct arrangements of the condition, less the further it is away,
    and nothing beyond a radius.
    """

    library: Library
    condition: Condition
    weight: ClassVar[float] = 4

    @cached_property
    def expected(self) -> Float[np.ndarray, "features 2"]:
        """What is looked at, on average over correct arrangements."""
        table = sample(self.library, condition=self.condition, count=400, seed=2**31)
        table = table.take(np.flatnonzero(table.frame["label"] == 1))
        return np.nanmean(self.features(part_positions(self.library, list(table))), axis=0)

    def features(self, positions: Float[np.ndarray, "n parts 2"]) -> Float[np.ndarray, "n features 2"]:
        """What is looked at, from the positions of parts."""
        return positions

    def log_odds_of(self, stimuli: Sequence[Stimulus]) -> Float[np.ndarray, " n"]:
        """From minus to plus half of the weight times the number of features."""
        away = np.linalg.norm(self.features(part_positions(self.library, stimuli)) - self.expected, axis=2)
        found = np.nan_to_num(np.maximum(0, 1 - away / _RADIUS)).sum(axis=1)
        return self.weight * found - self.weight / 2 * len(self.expected)


@dataclass(frozen=True, eq=False)
class RelationObserver(PositionObserver):
    """Looks at how parts lie to each other, and at nothing else.

    Each pair of parts brings 3 if one lies from the other as it does in correct arrangements of the condition on
    average, less the more it does not, and nothing beyond a radius.
    """

    weight: ClassVar[float] = 3

    def features(self, positions: Float[np.ndarray, "n parts 2"]) -> Float[np.ndarray, "n pairs 2"]:
        """How parts lie to each other, pair by pair."""
        first, second = np.transpose(list(combinations(range(positions.shape[1]), 2)))
        return positions[:, first] - positions[:, second]


@dataclass(frozen=True, eq=False)
class NoisyObserver:
    """Another observer's responses with normal noise, the same for the same stimulus."""

    clean: Observer
    deviation: float = 3.0

    def log_odds_of(self, stimuli: Sequence[Stimulus]) -> Float[np.ndarray, " n"]:
        """The other's responses, disturbed."""
        noise = [
            np.random.default_rng(list(hashlib.sha256(repr(one).encode()).digest()[:8])).normal() for one in stimuli
        ]
        return self.clean.log_odds_of(stimuli) + self.deviation * np.array(noise)


def observers(library: Library, condition: str | Condition = "baseline") -> dict[str, Observer]:
    """All observers by name, made for a library's objects under a condition.

    Example:
        >>> import configural as cf
        >>> known = cf.audit.observers(cf.portraits.load("synthetic:2"))
        >>> list(known)
        ['relation observer', 'noisy observer', 'position observer', 'bag of parts', 'canvas observer', 'constant']
    """
    condition = find_condition(condition, scheme=library.scheme)
    relations = RelationObserver(library, condition)
    return {
        "relation observer": relations,
        "noisy observer": NoisyObserver(relations),
        "position observer": PositionObserver(library, condition),
        "bag of parts": BagOfPartsObserver(library.scheme),
        "canvas observer": CanvasObserver(),
        "constant": ConstantObserver(),
    }
