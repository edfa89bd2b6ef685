"""Classifiers whose answers are known: the audit is audited with them before anything else.

They read the stimuli that images are drawn from, not pixels. `python -m configural.audit.observer_table`
audits them all and prints the table of docs/audit.md.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from configural.audit.positions import TURNED, part_positions
from configural.models.classifiers import RespondsToStimuli
from configural.portraits import PART_KINDS, Library
from configural.stimuli import Condition, Stimulus, sample
from configural.stimuli import condition as find_condition

_RADIUS = 0.12
"""Beyond this distance, in shares of the image's side, a part is not where it is looked for."""


@dataclass(frozen=True)
class ConstantObserver:
    """Gives every image the same answer."""

    answer: float = 0.3

    def log_odds_of(self, stimuli: Sequence[Stimulus]) -> Float[np.ndarray, " n"]:
        """The answer."""
        return np.full(len(stimuli), self.answer)


@dataclass(frozen=True)
class CanvasObserver:
    """Sees whose exemplar it is and nothing of the parts: an answer from the host's name, −6 without a canvas."""

    def log_odds_of(self, stimuli: Sequence[Stimulus]) -> Float[np.ndarray, " n"]:
        """From 0 to 4 by host."""
        return np.array(
            [
                4 * _chance(stimulus.host) if stimulus.condition.background == "canvas" else -6.0
                for stimulus in stimuli
            ]
        )


@dataclass(frozen=True)
class BagOfPartsObserver:
    """Counts which part kinds are there, wherever they are: 2 for each, less 5."""

    def log_odds_of(self, stimuli: Sequence[Stimulus]) -> Float[np.ndarray, " n"]:
        """Also sees a part that is upside down as no part, as a detector of upright parts would."""
        scores = []
        for stimulus in stimuli:
            seen = {
                content.kind
                for slot, content in zip(PART_KINDS, stimulus.contents, strict=True)
                if slot in stimulus.condition.filled
                and stimulus.inverted == content.donor.endswith(TURNED)
                and abs((stimulus.rotation + 180) % 360 - 180) < 90
            }
            scores.append(2.0 * len(seen) - 5)
        return np.array(scores)


@dataclass(frozen=True, eq=False)
class PositionObserver:
    """Looks for each part kind at one place of the image, whatever the other parts do.

    Each part brings 4 at its mean place in faces of the condition, less the further it is away, and nothing beyond
    a radius.
    """

    faces: Library
    condition: Condition
    places: Float[np.ndarray, "4 2"] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", np.nanmean(_known_places(self.faces, self.condition), axis=0))

    def log_odds_of(self, stimuli: Sequence[Stimulus]) -> Float[np.ndarray, " n"]:
        """From −8 to 8."""
        away = np.linalg.norm(part_positions(self.faces, stimuli) - self.places, axis=2)
        return 4 * np.nan_to_num(np.maximum(0, 1 - away / _RADIUS)).sum(axis=1) - 8


@dataclass(frozen=True, eq=False)
class RelationObserver:
    """Looks at how parts lie to each other, and at nothing else.

    Each of the six pairs of parts brings 3 if one lies from the other as it does in faces of the condition on
    average, less the more it does not, and nothing beyond a radius.
    """

    faces: Library
    condition: Condition
    relations: Float[np.ndarray, "4 4 2"] = field(init=False)

    def __post_init__(self) -> None:
        places = _known_places(self.faces, self.condition)
        object.__setattr__(self, "relations", np.nanmean(places[:, :, None] - places[:, None], axis=0))

    def log_odds_of(self, stimuli: Sequence[Stimulus]) -> Float[np.ndarray, " n"]:
        """From −9 to 9."""
        places = part_positions(self.faces, stimuli)
        away = np.linalg.norm(places[:, :, None] - places[:, None] - self.relations, axis=3)
        first, second = np.triu_indices(4, 1)
        return 3 * np.nan_to_num(np.maximum(0, 1 - away[:, first, second] / _RADIUS)).sum(axis=1) - 9


@dataclass(frozen=True, eq=False)
class NoisyObserver:
    """Another classifier's answers with normal noise, the same for the same stimulus."""

    clean: RespondsToStimuli
    deviation: float = 3.0

    def log_odds_of(self, stimuli: Sequence[Stimulus]) -> Float[np.ndarray, " n"]:
        """The other's answers, disturbed."""
        noise = [
            np.random.default_rng(list(hashlib.sha256(repr(one).encode()).digest()[:8])).normal() for one in stimuli
        ]
        return self.clean.log_odds_of(stimuli) + self.deviation * np.array(noise)


def references(faces: Library, condition: str | Condition = "baseline") -> dict[str, RespondsToStimuli]:
    """All reference classifiers by name, made for faces of a condition."""
    condition = find_condition(condition)
    oracle = RelationObserver(faces, condition)
    return {
        "relation oracle": oracle,
        "noisy oracle": NoisyObserver(oracle),
        "place reader": PositionObserver(faces, condition),
        "bag of parts": BagOfPartsObserver(),
        "canvas reader": CanvasObserver(),
        "constant": ConstantObserver(),
    }


def _known_places(faces: Library, condition: Condition) -> Float[np.ndarray, "n 4 2"]:
    table = sample(faces, condition, count=400, seed=2**31)
    table = replace(table, frame=table.frame[table.frame["label"] == 1].reset_index(drop=True))
    return part_positions(faces, list(table))


def _chance(name: str) -> float:
    """A number from 0 to 1 that looks random but belongs to the name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) / 2**32
