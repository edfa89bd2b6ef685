"""The game between the parts and the canvas: who brings the score, and who only together?"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from jaxtyping import Float

from configural.audit.intervals import Bootstrap, Estimate
from configural.audit.probe import Material, Score, Trials, missing, under
from configural.models.classifiers import Subject
from configural.portraits import PART_KINDS

PLAYERS = (*PART_KINDS, "canvas")
COALITIONS = tuple(
    tuple(player for bit, player in enumerate(PLAYERS) if number >> bit & 1) for number in range(2 ** len(PLAYERS))
)
_ABSENT = "grey"
_FLAT = "undefined: the score is the same whatever is blanked"


@dataclass(frozen=True)
class Interactions:
    """The game over the four parts and the canvas, in which an absent player is blanked.

    An absent part leaves its canvas bare, an absent canvas is plain grey.

    Attributes:
        faces: How many faces are taken apart, into 32 images each.
    """

    faces: int = 80
    name: str = "interactions"
    title: str = "Part interactions"
    question: str = "Does each part add its own share to the score, or do parts count only together?"

    def obstacle(self, subject: Subject) -> str:
        """Only shapiq is needed, whatever is asked."""
        return missing("shapiq")

    def trials(self, material: Material) -> Trials:
        """Each face with every set of players."""
        table = material.some_faces(self.faces)
        versions = []
        for coalition in COALITIONS:
            background = material.condition.background if "canvas" in coalition else _ABSENT
            filled = tuple(kind for kind in PART_KINDS if kind in coalition and kind in material.condition.filled)
            shown = under(table, background=background, filled=filled)
            versions.append((shown, {"coalition": "+".join(coalition)}))
        return Trials.join(material.faces, versions)

    def examples(self, notes: pd.DataFrame) -> dict[int, str]:
        """One face with some of its players."""
        one = notes[notes["base"] == notes["base"].iloc[0]]
        wanted = {
            "+".join(PLAYERS): "all",
            "left_eye+right_eye+mouth+canvas": "without nose",
            "left_eye+right_eye+canvas": "eyes and canvas",
            "+".join(PART_KINDS): "without canvas",
            "canvas": "canvas",
            "nose": "nose",
        }
        return {int(row): wanted[one["coalition"][row]] for row in one.index if one["coalition"][row] in wanted}

    def score(self, answers: pd.DataFrame, bootstrap: Bootstrap) -> list[Score]:
        """Shapley values, pairwise interactions (k-SII of order 2), and what is not additive."""
        names = ["+".join(coalition) for coalition in COALITIONS]
        wide = answers.pivot_table(index=["base", "host"], columns="coalition", values="log_odds")[names]
        exemplars, values = wide.index.get_level_values("host").to_numpy(), wide.to_numpy()
        shapley, pairs = _weights()
        found = [
            Score("shapley", bootstrap.mean(values @ weights, exemplars), player)
            for player, weights in zip(PLAYERS, shapley, strict=True)
        ]
        couples = [(a, b) for a in range(len(PLAYERS)) for b in range(a + 1, len(PLAYERS))]
        for (a, b), weights in zip(couples, pairs, strict=True):
            name = f"{PLAYERS[a]} × {PLAYERS[b]}"
            found.append(Score("interaction", bootstrap.mean(values @ weights, exemplars), name))
        return [*found, Score("not_additive", not_additive(values, exemplars, bootstrap))]


def not_additive(values: Float[np.ndarray, "n 32"], exemplars: np.ndarray, bootstrap: Bootstrap) -> Estimate:
    """The share of the scores' variance over all coalitions that no sum over players accounts for.

    1 − R² of the least-squares fit of a constant and one number per player, fitted to each face;
    sums of squares are pooled over faces.
    """
    design = np.array([[1.0, *(player in coalition for player in PLAYERS)] for coalition in COALITIONS])
    fitted = values @ (design @ np.linalg.pinv(design)).T
    left = ((values - fitted) ** 2).sum(axis=1)
    total = ((values - values.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    if not total.max() > 1e-9:
        return Estimate(np.nan, np.nan, np.nan, len(set(exemplars)), values.size, _FLAT)
    return bootstrap.function(
        np.stack([left, total], axis=1), exemplars, lambda means: means[..., 0] / means[..., 1]
    )


@cache
def _weights() -> tuple[Float[np.ndarray, "5 32"], Float[np.ndarray, "10 32"]]:
    """How much each coalition's score counts in each Shapley value and in each pairwise interaction.

    Both are linear in the scores, so that shapiq is asked once for each coalition that alone scores one.
    """
    from shapiq import ExactComputer

    n = len(PLAYERS)
    bits = 2 ** np.arange(n)
    single, double = np.empty((n, 2**n)), np.empty((n * (n - 1) // 2, 2**n))
    for number in range(2**n):

        def alone(coalitions: np.ndarray, number: int = number) -> np.ndarray:
            return (np.asarray(coalitions, int) @ bits == number).astype(float)

        computer = ExactComputer(n_players=n, game=alone)
        shapley = computer("SV", order=1)
        pairs = computer("k-SII", order=2)
        single[:, number] = [shapley[(player,)] for player in range(n)]
        double[:, number] = [pairs[(a, b)] for a in range(n) for b in range(a + 1, n)]
    return single, double
