"""What a probe is: images to ask about, described as tables, and scores from the answers."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from configural.audit.intervals import Bootstrap, Estimate
from configural.models.classifiers import Subject
from configural.portraits import Library
from configural.stimuli import Condition, Renderer, Stimulus, StimulusTable

SCORE_COLUMNS = ("probe", "score", "of", "at", "value", "low", "high", "exemplars", "images", "note")


@dataclass(frozen=True)
class Score:
    """One line of an audit.

    Attributes:
        name: What is measured, such as `drop`.
        estimate: Its value and interval.
        of: What it is measured of, such as `nose`; empty if there is one only.
        at: The distance, angle or the like that it is measured at; nan if there is none.
    """

    name: str
    estimate: Estimate
    of: str = ""
    at: float = float("nan")


@dataclass(frozen=True, eq=False)
class Trials:
    """The stimuli of a probe.

    Attributes:
        tables: What is shown, as tables; one for each condition.
        notes: What each stimulus stands for, a row each in the order of the tables: `base`, the number of the
            image that it is a version of, `host`, and the probe's own columns.
        faces: The library that the stimuli name.
    """

    tables: tuple[StimulusTable, ...]
    notes: pd.DataFrame
    faces: Library

    def __len__(self) -> int:
        return len(self.notes)

    @cached_property
    def stimuli(self) -> list[Stimulus]:
        """All stimuli in order."""
        return [stimulus for table in self.tables for stimulus in table]

    @classmethod
    def join(cls, faces: Library, versions: Iterable[tuple[StimulusTable, dict[str, Any]]]) -> "Trials":
        """Put versions of some images together, each a table with what its rows stand for.

        Tables must keep their column `index`, which becomes `base`.
        """
        tables, notes = [], []
        for table, columns in versions:
            if len(table):
                tables.append(table)
                notes.append(pd.DataFrame({"base": table.frame["index"], "host": table.frame["host"], **columns}))
        joined = pd.concat(notes, ignore_index=True) if notes else pd.DataFrame({"base": [], "host": []})
        return cls(tuple(tables), joined, faces)


@dataclass(frozen=True, eq=False)
class Material:
    """What the probes make their stimuli from.

    Attributes:
        faces: The exemplars.
        pairs: Matched pairs under the audit's condition: all of no_face by index, then all of face.
        image_size: Rows and columns of the images.
    """

    faces: Library
    pairs: StimulusTable
    image_size: int

    @property
    def condition(self) -> Condition:
        """What the pairs are drawn under."""
        return self.pairs.condition

    def some_pairs(self, count: int) -> StimulusTable:
        """At most so many pairs, from as many hosts as possible."""
        return self._rows(count, (0, 1))

    def some_faces(self, count: int) -> StimulusTable:
        """At most so many faces, from as many hosts as possible."""
        return self._rows(count, (1,))

    def _rows(self, count: int, labels: tuple[int, ...]) -> StimulusTable:
        frame = self.pairs.frame
        face = frame[frame["label"] == 1]
        turn = face.groupby("host").cumcount().to_numpy()
        chosen = face["index"].to_numpy()[np.argsort(turn, kind="stable")[:count]]
        kept = frame[frame["index"].isin(chosen) & frame["label"].isin(labels)].reset_index(drop=True)
        return replace(self.pairs, frame=kept)


def under(table: StimulusTable, **changes: Any) -> StimulusTable:
    """The same stimuli under a condition with some keys changed; those of a face may then lack parts."""
    return replace(table, condition=replace(table.condition, arrangement="upright", **changes))


def with_columns(table: StimulusTable, **columns: Any) -> StimulusTable:
    """The same stimuli with some columns changed."""
    return replace(table, frame=table.frame.assign(**columns))


@runtime_checkable
class Probe(Protocol):
    """One question to a classifier.

    Attributes:
        name: Short, for files and tables.
        title: For people.
        question: What it answers, in one sentence.
    """

    @property
    def name(self) -> str:
        """Short, for files and tables."""

    @property
    def title(self) -> str:
        """For people."""

    @property
    def question(self) -> str:
        """What it answers."""

    def trials(self, material: Material) -> Trials:
        """What it shows."""

    def examples(self, notes: pd.DataFrame) -> dict[int, str]:
        """Some of its trials to look at, by row, each with what it shows."""

    def score(self, answers: pd.DataFrame, bootstrap: Bootstrap) -> list[Score]:
        """Its scores, from the trials' notes with a column `log_odds`, or the columns of `look`."""


@runtime_checkable
class Obstructed(Protocol):
    """A probe that cannot be done with everything or everywhere."""

    def obstacle(self, subject: Subject) -> str:
        """Why it cannot be done with this classifier here, or nothing."""


@runtime_checkable
class Looks(Obstructed, Protocol):
    """A probe that looks into a classifier instead of asking for its answers."""

    def look(
        self,
        subject: Any,
        stimuli: list[Stimulus],
        images: UInt8[np.ndarray, "n size size 3"],
        renderer: Renderer,
    ) -> dict[str, np.ndarray]:
        """Columns of numbers, one per image."""


@dataclass(frozen=True)
class OfFaces:
    """What is shown by a probe that looks at faces as they are.

    Attributes:
        faces: How many.
    """

    faces: int = 24

    def trials(self, material: Material) -> Trials:
        """Some faces."""
        return Trials.join(material.faces, [(material.some_faces(self.faces), {})])

    def examples(self, notes: pd.DataFrame) -> dict[int, str]:
        """The first faces."""
        return {row: f"face {row + 1}" for row in range(min(4, len(notes)))}


def missing(package: str) -> str:
    """What to install if a package of the extra `audit` is not there, or nothing."""
    return "" if find_spec(package) else f"needs {package}: pip install 'configural[audit]'"


def scores_frame(found: dict[str, list[Score]]) -> pd.DataFrame:
    """All scores as a table with the columns `SCORE_COLUMNS`."""
    rows = [
        (probe, score.name, score.of, score.at, e.value, e.low, e.high, e.exemplars, e.images, e.note)
        for probe, scores in found.items()
        for score in scores
        for e in [score.estimate]
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))
