"""Two-alternative forced choice: which of two arrangements of the same parts does a classifier prefer?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from configural.audit import plotting
from configural.audit.probe import Material, Probe, Score, Trials, Which, usual_object
from configural.objects import ObjectScheme
from configural.wording import COUNTS

MOVED = "a part moved"
GAP = "log_odds_gap"
"""The score that is by how much the correct arrangement of a pair scores higher, on average."""


@dataclass(frozen=True)
class ForcedChoice(Probe):
    """The same canvas, donors and jitter in the correct and in a scrambled arrangement: which scores higher?"""

    name: str = "forced_choice"
    title = "Two-alternative forced choice (2AFC)"
    question = (
        "Of two images made of the same canvas, parts and jitter, one correct and one scrambled: how often does "
        "the correct one score higher?"
    )
    how_to_read = (
        "Half of the pairs is chance. A tie counts one half. The result is the same however the scores are "
        "rescaled, as long as their order stays."
    )
    fractions = ("choice", "accuracy")

    def trials(self, material: Material) -> Trials:
        """Both images of every pair."""
        frame, scheme = material.pairs.frame, material.scheme
        orders = frame[[f"{slot}_kind" for slot in scheme.part_kinds]].to_numpy()
        kinds = [kind_of_arrangement(order, scheme) for order in orders]
        notes = {"label": frame["label"], "kind": np.where(frame["label"] == 1, "", kinds)}
        return Trials.join(material.library, [(material.pairs, notes)])

    def examples(self, shown: pd.DataFrame) -> dict[int, str]:
        """A correct arrangement and what it is made into, for some kinds."""
        chosen: dict[int, str] = {}
        for kind, of_kind in shown[~shown["kind"].isin(("", MOVED))].groupby("kind"):
            one = usual_object(shown[shown["base"].isin(of_kind["base"])], "label")
            correct, scrambled = (one.index[one["label"] == label][0] for label in (1, 0))
            chosen |= {int(correct): "correct", int(scrambled): str(kind)}
        return chosen

    def score(self, responses: pd.DataFrame, material: Material) -> list[Score]:
        """Fraction of pairs correct (a tie counts one half), of all and by kind; accuracy; probability; the gap."""
        bootstrap, scheme = material.bootstrap, material.scheme
        pairs = choices(responses)
        found = fractions_by_kind("choice", pairs, "correct", material)
        hits = (responses["log_odds"] > 0) == (responses["label"] == 1)
        found.append(Score("accuracy", bootstrap.fraction(hits, responses["host"])))
        for label, name in enumerate(scheme.class_names):
            found.append(material.probability_score(responses[responses["label"] == label], name))
        found.append(Score(GAP, bootstrap.mean(pairs["gap"], pairs["host"])))
        return found

    def figure(self, scores: pd.DataFrame) -> Figure:
        """Fraction of pairs in which the correct arrangement scores higher, by kind of scrambled arrangement."""
        return figure_by_kind(scores[scores["score"] == "choice"], "correct arrangement preferred", chance=0.5)

    def summary(self) -> Mapping[str, Which]:
        """The choice over all pairs, and the accuracy."""
        return {"choice": Which("choice", "all"), "accuracy": Which("accuracy")}


def choices(responses: pd.DataFrame) -> pd.DataFrame:
    """One row per pair: host, kind, correct (1 if it scores higher, one half for a tie), and the gap."""
    correct = responses[responses["label"] == 1].set_index("base")
    scrambled = responses[responses["label"] == 0].set_index("base")
    gap = correct["log_odds"] - scrambled["log_odds"]
    kind = scrambled.get("kind", "")
    columns = {"host": correct["host"], "kind": kind, "correct": (np.sign(gap) + 1) / 2, "gap": gap}
    return pd.DataFrame(columns).dropna().reset_index()


def fractions_by_kind(name: str, pairs: pd.DataFrame, column: str, material: Material) -> list[Score]:
    """The mean of a column of some pairs, of all and by kind of scrambled arrangement."""
    kinds = ((kind, pairs[pairs["kind"] == kind]) for kind in kinds_of_arrangements(material.scheme))
    shown = [("all", pairs), *((kind, rows) for kind, rows in kinds if len(rows))]
    return [Score(name, material.bootstrap.fraction(rows[column], rows["host"]), of) for of, rows in shown]


def figure_by_kind(rows: pd.DataFrame, label: str, *, chance: float) -> Figure:
    """Fractions of pairs, of all and by kind of scrambled arrangement."""
    with plotting.panels(1, 0.55 * len(rows) + 1.9) as (figure, (axes,)):
        names = [f"{of}  (n = {images:,})" for of, images in zip(rows["of"], rows["images"], strict=True)]
        plotting.fraction_dots(axes, rows, names, label, chance=chance)
    return figure


def kind_of_arrangement(order: Iterable[str], scheme: ObjectScheme) -> str:
    """What is scrambled in an arrangement, given the part kind in each slot."""
    misplaced = {slot for slot, kind in zip(scheme.part_kinds, order, strict=True) if slot != kind}
    if not misplaced:
        return MOVED
    for name, group in scheme.groups.items():
        if len(group) == 2 and misplaced == set(group):
            return f"{name} swapped"
    if len(misplaced) == 2:
        return "two parts swapped"
    every = len(misplaced) == len(scheme.part_kinds)
    return "all misplaced" if every else f"{COUNTS[len(misplaced)]} parts misplaced"


def kinds_of_arrangements(scheme: ObjectScheme) -> list[str]:
    """All that `kind_of_arrangement` may say, from the smallest change to the largest."""
    swapped = [f"{name} swapped" for name, group in scheme.groups.items() if len(group) == 2]
    some = [f"{COUNTS[count]} parts misplaced" for count in range(3, len(scheme.part_kinds))]
    return [*swapped, "two parts swapped", *some, "all misplaced", MOVED]
