"""Both images of the same parts correct: an absolute score of how well arrangements are recognised."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from configural.audit.probe import Material, Probe, Score, Trials, Which
from configural.audit.probes.forced_choice import ForcedChoice, figure_by_kind, fractions_by_kind

CHANCE = 0.25
"""What a classifier scores that predicts each image of a pair by the toss of a coin."""


@dataclass(frozen=True)
class Anagrams(Probe):
    """Matched pairs of which both images are classified correctly.

    After the Configural Shape Score of Doshi, Fel, Konkle and Alvarez (2025), whose pairs of images are made of the
    same patches and show two categories. Here they are made of the same parts, and one shows no object.
    """

    name: str = "anagrams"
    title = "Same parts, both correct"
    question = "Of two images made of the same parts, how often are both predicted correctly?"
    how_to_read = (
        "Chance is 25 %. A classifier that gives images of the same parts the same response is correct on one of "
        "the two alone and has 0 %; so has one that predicts the same class for all, however well it orders them."
    )
    fractions = ("both_correct",)

    def trials(self, material: Material) -> Trials:
        """The pairs of the forced choice, which are asked about once."""
        return ForcedChoice().trials(material)

    def examples(self, shown: pd.DataFrame) -> dict[int, str]:
        """Those of the forced choice."""
        return ForcedChoice().examples(shown)

    def score(self, responses: pd.DataFrame, material: Material) -> list[Score]:
        """The fraction of pairs, of all and by kind of scrambled arrangement."""
        correct = (responses["log_odds"] > 0) == (responses["label"] == 1)
        pairs = responses.assign(correct=correct).groupby("base").agg(
            host=("host", "first"), kind=("kind", "max"), both=("correct", "min"), images=("correct", "size")
        )  # fmt: skip
        return fractions_by_kind("both_correct", pairs[pairs["images"] == 2], "both", material)

    def figure(self, scores: pd.DataFrame) -> Figure:
        """The fraction of pairs by kind of scrambled arrangement, with a line at chance."""
        return figure_by_kind(scores, "both images of a pair correct", chance=CHANCE)

    def summary(self) -> Mapping[str, Which]:
        """The fraction over all pairs."""
        return {"both_correct": Which("both_correct", "all")}
