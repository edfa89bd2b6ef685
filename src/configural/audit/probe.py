"""What a probe is: stimuli as tables, scores from a classifier's responses to them, a figure of the scores."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pydantic import BaseModel, ConfigDict
from scipy.special import expit

from configural.audit import plotting
from configural.audit.intervals import Bootstrap, Estimate
from configural.audit.respondents import Respondent
from configural.models.classifiers import RespondsToImages
from configural.objects import ObjectScheme
from configural.portraits import Library
from configural.stimuli import Condition, Renderer, Stimulus, StimulusTable

SCORE_COLUMNS = ("probe", "score", "of", "at", "value", "low", "high", "exemplars", "images", "note")
PROBABILITY = "P("
"""What the names of scores begin with that are a probability of the correct class, such as `P(face)`."""


@dataclass(frozen=True)
class Score:
    """One row of an audit.

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


@dataclass(frozen=True)
class Which:
    """Names one score of a probe.

    Attributes:
        score: Its name.
        of: What it is measured of; None for the first, whatever that is.
        at: The distance or angle; None for the first.
    """

    score: str
    of: str | None = None
    at: float | None = None


@dataclass(frozen=True, eq=False)
class Trials:
    """The stimuli of a probe.

    Attributes:
        tables: What is shown, as tables; one for each condition.
        notes: What each stimulus stands for, a row each in the order of the tables: `base`, the number of the
            object that it is a version of, `host`, and the probe's own columns.
        library: The exemplars that the stimuli name.
    """

    tables: tuple[StimulusTable, ...]
    notes: pd.DataFrame
    library: Library

    def __len__(self) -> int:
        return len(self.notes)

    @cached_property
    def stimuli(self) -> list[Stimulus]:
        """All stimuli in order."""
        return [stimulus for table in self.tables for stimulus in table]

    @classmethod
    def join(cls, library: Library, versions: Iterable[tuple[StimulusTable, dict[str, Any]]]) -> "Trials":
        """Put versions of some stimuli together, each a table with what its rows stand for.

        Tables must keep their column `index`, which becomes `base`.
        """
        tables, notes = [], []
        for table, columns in versions:
            if len(table):
                tables.append(table)
                notes.append(pd.DataFrame({"base": table.frame["index"], "host": table.frame["host"], **columns}))
        joined = pd.concat(notes, ignore_index=True) if notes else pd.DataFrame({"base": [], "host": []})
        return cls(tuple(tables), joined, library)


@dataclass(frozen=True, eq=False)
class Material:
    """What the probes make their stimuli from, and how they estimate.

    Attributes:
        library: The exemplars.
        pairs: Matched pairs under the audit's condition: all scrambled ones by index, then all correct ones.
        bootstrap: How intervals are made.
    """

    library: Library
    pairs: StimulusTable
    bootstrap: Bootstrap = field(default_factory=Bootstrap)

    @property
    def scheme(self) -> ObjectScheme:
        """What the object consists of."""
        return self.library.scheme

    @property
    def condition(self) -> Condition:
        """What the pairs are drawn under."""
        return self.pairs.condition

    @property
    def probability(self) -> str:
        """The name of the score that is the probability of the correct class, such as `P(face)`."""
        return f"{PROBABILITY}{self.scheme.class_names[1]})"

    def probability_score(self, responses: pd.DataFrame, of: str, *, at: float = float("nan")) -> Score:
        """The mean probability of the correct class in some responses."""
        mean = self.bootstrap.mean(expit(responses["log_odds"]), responses["host"])
        return Score(self.probability, mean, of, at)

    def some_pairs(self, count: int) -> StimulusTable:
        """At most so many pairs, from as many hosts as possible."""
        return self._rows(count, (0, 1))

    def some_objects(self, count: int) -> StimulusTable:
        """At most so many correct arrangements, from as many hosts as possible."""
        return self._rows(count, (1,))

    def _rows(self, count: int, labels: tuple[int, ...]) -> StimulusTable:
        frame = self.pairs.frame
        correct = frame[frame["label"] == 1]
        turn = correct.groupby("host").cumcount().to_numpy()
        chosen = correct["index"].to_numpy()[np.argsort(turn, kind="stable")[:count]]
        return self.pairs.take(np.flatnonzero(frame["index"].isin(chosen) & frame["label"].isin(labels)))


def usual(values: pd.DataFrame) -> Any:
    """The label of the row that is nearest to the means of all columns, in their standard deviations.

    Example:
        >>> usual(pd.DataFrame({"one part": [0.0, 2.0, 9.0], "all": [1.0, 1.0, 1.0]}, index=["a", "b", "c"]))
        'b'
    """
    known = values[values.notna().sum(axis=1) == values.notna().sum(axis=1).max()]
    away = ((known - values.mean()) / values.std().replace(0, np.nan)).abs()
    return away.sum(axis=1).idxmin()


def usual_object(shown: pd.DataFrame, *versions: str) -> pd.DataFrame:
    """The rows of one object whose images differ by these columns: the most usual by responses, or the first."""
    base = shown["base"].iloc[0]
    if "log_odds" in shown:
        base = usual(shown.pivot_table(index="base", columns=list(versions), values="log_odds", dropna=False))
    return shown[shown["base"] == base]


class Probe(ABC):
    """One question to a classifier, with everything that belongs to it.

    A subclass needs a name, a title, a question, `trials` and `score`; the rest has defaults. It is used like a
    built-in one once it is registered (`audit.PROBES["mine"] = Mine()`), declared as an entry point of the group
    `configural.probes`, named as `module:name`, or given to `audit` itself.

    Attributes:
        name: Short, for files, tables and the command line.
        title: For people.
        question: What it asks, in one sentence.
        how_to_read: What its scores mean, in a few sentences.
        fractions: Names of its scores that are fractions of 1, which are shown as per cent; probabilities of the
            correct class are anyway.
        needs: A package of the extra `audit` that it cannot do without.
        fresh: Whether it asks about images even where the classifier has responded to the same ones.
    """

    name: str
    title: str
    question: str
    how_to_read: str = ""
    fractions: tuple[str, ...] = ()
    needs: str = ""
    fresh: bool = False

    def obstacle(self, classifier: Respondent) -> str:
        """Why it cannot be done with this classifier here, or nothing."""
        found = not self.needs or find_spec(self.needs)
        return "" if found else f"needs {self.needs}: pip install 'configural[audit]'"

    @abstractmethod
    def trials(self, material: Material) -> Trials:
        """What it shows."""

    def batches(self, notes: pd.DataFrame, batch_size: int) -> list[int]:
        """How many of its trials are asked about at a time, one batch after the other."""
        return [min(batch_size, len(notes) - start) for start in range(0, len(notes), batch_size)]

    @abstractmethod
    def score(self, responses: pd.DataFrame, material: Material) -> list[Score]:
        """Its scores.

        Args:
            responses: The trials' notes with a column `log_odds`, or with those of `Inspection.inspect`.
            material: As `trials` was given.
        """

    def examples(self, shown: pd.DataFrame) -> dict[int, str]:
        """Some of its trials to look at, by row, each with what it shows; best those with usual responses.

        By default the first four, versions of one object beside each other, with their notes in words: texts, and
        numbers that are not all the same.

        Args:
            shown: As `score` is given.
        """
        rows = np.argsort(shown["base"].to_numpy(), kind="stable")[:4].tolist()
        objects = list(dict.fromkeys(shown["base"].iloc[rows]))
        own = shown.drop(columns=["base", "host", "log_odds"], errors="ignore")
        numbers = own.select_dtypes(["number", "bool"])
        # Those of an inspection are what it found, not what it shows.
        dull = [name for name in numbers if isinstance(self, Inspection) or numbers[name].nunique() < 2]
        own = own.drop(columns=dull)
        captions = {}
        for row in rows:
            notes = (_in_words(name, own[name].iloc[row]) for name in own)
            number = objects.index(shown["base"].iloc[row]) + 1
            captions[row] = ", ".join([f"object {number}", *filter(None, notes)])
        return captions

    def maps(self, classifier: Respondent, trials: Trials, *, image_size: int) -> Iterator[tuple[str, np.ndarray]]:
        """Images of its own to look at besides the examples, each after its caption."""
        return iter(())

    def figure(self, scores: pd.DataFrame) -> Figure:
        """Its scores drawn, from its rows of an audit's table; by default all that are defined, with intervals."""
        return plotting.overview(scores)

    def summary(self) -> Mapping[str, Which]:
        """The scores that stand for it where audits are compared, by a heading each."""
        return {}


def _in_words(name: str, value: Any) -> str:
    """What a note says; nothing where it is empty."""
    name = name.replace("_", " ")
    if isinstance(value, bool | np.bool_):
        return name if value else f"not {name}"
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    return f"{name} {value:g}" if isinstance(value, Real) else str(value)


class Inspection(Probe):
    """A probe that looks into a classifier of images instead of asking for its responses.

    Attributes:
        objects: How many correct arrangements it looks at.
    """

    objects: int

    def obstacle(self, classifier: Respondent) -> str:
        """Pixels are needed, so that there must be a classifier of images."""
        images = isinstance(classifier, RespondsToImages)
        return super().obstacle(classifier) if images else "needs a classifier of images"

    def trials(self, material: Material) -> Trials:
        """Some objects as they are."""
        return Trials.join(material.library, [(material.some_objects(self.objects), {})])

    @abstractmethod
    def inspect(self, classifier: Any, stimuli: list[Stimulus], *, renderer: Renderer) -> dict[str, np.ndarray]:
        """Columns of numbers, one for the image that `renderer` draws of each stimulus."""


_PLAIN = bool | int | float | str | tuple
"""Kinds of a probe's attributes that are settings of it."""


class ProbeCard(BaseModel):
    """What a page needs to know of a probe, kept with an audit's results, and its settings: see `Probe`."""

    model_config = ConfigDict(frozen=True)

    title: str
    question: str
    how_to_read: str = ""
    fractions: tuple[str, ...] = ()
    summary: Mapping[str, Which] = {}
    settings: Mapping[str, str] = {}

    @classmethod
    def of(cls, probe: Probe) -> "ProbeCard":
        """What a probe says of itself."""
        said = {name: getattr(probe, name) for name in cls.model_fields.keys() - {"settings", "summary"}}
        plain = {name: repr(value) for name, value in vars(probe).items() if isinstance(value, _PLAIN)}
        return cls(**said, summary=probe.summary(), settings=plain)

    def is_fraction(self, score: str) -> bool:
        """Whether a score of that name is shown as per cent."""
        return score in self.fractions or score.startswith(PROBABILITY)


def scores_frame(found: Mapping[str, list[Score]]) -> pd.DataFrame:
    """All scores as a table with the columns `SCORE_COLUMNS`."""
    rows = [
        (probe, score.name, score.of, score.at, e.value, e.low, e.high, e.exemplars, e.images, e.note)
        for probe, scores in found.items()
        for score in scores
        for e in [score.estimate]
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))
