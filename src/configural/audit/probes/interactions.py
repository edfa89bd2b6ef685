"""The game between the parts and the canvas: which add to the score by themselves, and which only together?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from configural.audit import plotting
from configural.audit.changes import under
from configural.audit.intervals import Bootstrap, Estimate
from configural.audit.probe import Material, Probe, Score, Trials, Which, usual_object
from configural.evaluation.figures import INK
from configural.objects import ObjectScheme

CANVAS = "canvas"
_ABSENT = "grey"
_CONSTANT = "undefined: the score is the same whatever is blanked"


@dataclass(frozen=True)
class Interactions(Probe):
    """The game over all parts and the canvas, in which an absent player is blanked.

    An absent part leaves its canvas bare, an absent canvas is plain grey.

    Attributes:
        objects: How many objects are taken apart, each into 2 ** (parts + 1) images.
    """

    objects: int = 80
    name: str = "interactions"
    title = "Part interactions"
    question = "Does each part add its own contribution to the score, or do parts count only together?"
    how_to_read = (
        "Shapley values divide the score among parts and canvas; interactions say what two bring only together "
        "(above zero) or twice (below). What is not additive is the fraction of the score's variance over all ways "
        "of blanking that no sum of single parts accounts for."
    )
    fractions = ("not_additive",)

    def trials(self, material: Material) -> Trials:
        """Each object with every set of players."""
        table = material.some_objects(self.objects)
        versions = []
        for coalition in coalitions(players(material.scheme)):
            background = material.condition.background if CANVAS in coalition else _ABSENT
            filled = tuple(slot for slot in material.condition.filled if slot in coalition)
            versions.append(
                (under(table, background=background, filled=filled), {"coalition": "+".join(coalition)})
            )
        return Trials.join(material.library, versions)

    def examples(self, shown: pd.DataFrame) -> dict[int, str]:
        """One object with some of its players."""
        one = usual_object(shown, "coalition")
        *kinds, _ = everybody = max(map(str, one["coalition"]), key=len).split("+")
        middle = kinds[len(kinds) // 2]
        (word,) = plotting.words([middle])
        wanted = {
            "+".join(everybody): "all",
            "+".join(player for player in everybody if player != middle): f"without {word}",
            "+".join(kinds): "without canvas",
            CANVAS: CANVAS,
            middle: word,
        }
        return {int(row): wanted[one["coalition"][row]] for row in one.index if one["coalition"][row] in wanted}

    def score(self, responses: pd.DataFrame, material: Material) -> list[Score]:
        """Shapley values, pairwise interactions (k-SII of order 2), and what is not additive."""
        everybody = players(material.scheme)
        names = ["+".join(coalition) for coalition in coalitions(everybody)]
        wide = responses.pivot_table(index=["base", "host"], columns="coalition", values="log_odds")[names]
        hosts, values = wide.index.get_level_values("host").to_numpy(), wide.to_numpy()
        shapley, pairs = weights_of_coalitions(len(everybody))
        found = [
            Score("shapley", material.bootstrap.mean(values @ weights, hosts), player)
            for player, weights in zip(everybody, shapley, strict=True)
        ]
        for (first, second), weights in zip(combinations(everybody, 2), pairs, strict=True):
            name = f"{first} × {second}"
            found.append(Score("interaction", material.bootstrap.mean(values @ weights, hosts), name))
        return [*found, Score("not_additive", not_additive(values, hosts, bootstrap=material.bootstrap))]

    def figure(self, scores: pd.DataFrame) -> Figure:
        """Shapley values of the players, and their interactions in pairs."""
        shapley = scores[scores["score"] == "shapley"]
        names = list(shapley["of"])
        pairs = scores[scores["score"] == "interaction"].set_index("of")["value"]
        grid = np.full((len(names), len(names)), np.nan)
        for (a, first), (b, second) in combinations(enumerate(names), 2):
            grid[b, a] = pairs[f"{first} × {second}"]
        most = max(float(np.nanmax(np.abs(grid))), plotting.NAT)
        with plotting.panels(2, 0.6 * len(names) + 1.6) as (figure, (left, right)):
            plotting.log_odds_dots(left, shapley, plotting.words(names), "Shapley value (log-odds)")
            right.imshow(grid, cmap="PuOr_r", norm=TwoSlopeNorm(0, -most, most))
            for (row, column), value in np.ndenumerate(grid):
                if not np.isnan(value):
                    colour = "white" if abs(value) > 0.6 * most else INK
                    text = "0.0" if abs(value) < 0.05 else f"{value:.1f}".replace("-", "−")
                    right.text(column, row, text, ha="center", va="center", color=colour)
            right.set_xticks(range(len(names) - 1), [name.replace("_", "\n") for name in names[:-1]])
            right.set_yticks(range(1, len(names)), plotting.words(names[1:]))
            right.set_ylim(len(names) - 0.5, 0.5)
            right.set_xlim(-0.5, len(names) - 1.5)
            right.tick_params(length=0)
            right.set_title("interaction in pairs (log-odds)", fontsize=13, fontweight="normal")
        return figure

    def summary(self) -> Mapping[str, Which]:
        """What is not additive."""
        return {"not_additive": Which("not_additive")}


def players(scheme: ObjectScheme) -> tuple[str, ...]:
    """All part kinds, and the canvas."""
    return (*scheme.part_kinds, CANVAS)


def coalitions(everybody: Sequence[str]) -> list[tuple[str, ...]]:
    """All sets of players; of number n those of the bits of n."""
    return [
        tuple(player for bit, player in enumerate(everybody) if number >> bit & 1)
        for number in range(2 ** len(everybody))
    ]


def not_additive(values: Float[np.ndarray, "n sets"], hosts: np.ndarray, *, bootstrap: Bootstrap) -> Estimate:
    """The fraction of the scores' variance over all coalitions that no sum over players accounts for.

    1 − R² of the least-squares fit of a constant and one number per player, fitted to each object; sums of squares
    are pooled over objects. Values have a row per object, a column per coalition in the order of `coalitions`.
    """
    n = values.shape[1].bit_length() - 1
    design = np.array([[1.0, *(number >> bit & 1 for bit in range(n))] for number in range(2**n)])
    fitted = values @ (design @ np.linalg.pinv(design)).T
    left = ((values - fitted) ** 2).sum(axis=1)
    total = ((values - values.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    if not total.max() > 1e-9:
        return Estimate(np.nan, np.nan, np.nan, len(set(hosts)), values.size, _CONSTANT)
    both = np.stack([left, total], axis=1)
    return bootstrap.function(both, hosts, of_means=lambda means: means[..., 0] / means[..., 1])


@cache
def weights_of_coalitions(n: int) -> tuple[Float[np.ndarray, "players sets"], Float[np.ndarray, "pairs sets"]]:
    """How much each coalition's score counts in each Shapley value and in each pairwise interaction of n players.

    The value of a player i is what i adds to a set T of others, weighted by |T|! (n − |T| − 1)! / n! (Shapley, *A
    value for n-person games*, 1953); the interaction of i and j what both add to T beyond what each adds alone,
    weighted by |T|! (n − |T| − 2)! / (n − 1)! (Grabisch and Roubens, 1999), which of order 2 is that of k-SII.
    """
    has = np.arange(2**n)[:, None] >> np.arange(n) & 1
    size = has.sum(axis=1)

    def weights(of: tuple[int, ...]) -> np.ndarray:
        others, k = size - has[:, of].sum(axis=1), len(of)
        fractions = [math.factorial(t) * math.factorial(n - t - k) / math.factorial(n + 1 - k) for t in others]
        return np.prod(2 * has[:, of] - 1, axis=1) * fractions

    single = np.stack([weights((player,)) for player in range(n)])
    return single, np.stack([weights(pair) for pair in combinations(range(n), 2)])
