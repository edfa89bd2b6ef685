"""The same images asked about again, and in other company: is a classifier a function of the image at all?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from configural.audit import plotting
from configural.audit.intervals import Estimate
from configural.audit.probe import Material, Probe, Score, Trials

AGAIN, COMPANY = "asked again", "in other batches"
SPREAD = "between images"


@dataclass(frozen=True)
class Consistency(Probe):
    """Some pairs asked about twice in the same batch, and once more among correct or among scrambled ones alone.

    Differences are root mean squares over images. What changes from one asking to the next, such as dropout or
    random crops, differs in both; what depends on the other images of the batch, such as batch normalisation that
    was left in training mode, in the second alone.

    Attributes:
        pairs: How many.
    """

    pairs: int = 32
    name: str = "consistency"
    title = "Consistency"
    question = "Does the classifier give the same image the same response, asked again and in another batch?"
    how_to_read = (
        "A classifier gives the same image the same response, whatever it is asked about with it: both differences "
        "are then zero, up to rounding. If they are not, its responses are noise in part, or depend on the other "
        "images of the batch."
    )
    fresh = True

    def trials(self, material: Material) -> Trials:
        """A mixed batch, the same again, the correct ones, the scrambled ones."""
        table = material.some_pairs(self.pairs)
        label = table.frame["label"].to_numpy()
        # Both classes in turn, so that the batch is mixed whatever its size.
        mixed = table.take(np.argsort(np.arange(len(table)) % (len(table) // 2), kind="stable"))
        versions = [(mixed, {"asking": asking, "label": mixed.frame["label"]}) for asking in ("first", "again")]
        versions += [
            (table.take(np.flatnonzero(label == one)), {"asking": "apart", "label": one}) for one in (1, 0)
        ]
        return Trials.join(material.library, versions)

    def batches(self, notes: pd.DataFrame, batch_size: int) -> list[int]:
        """Batches that hold the images of one asking, and in the last of one class."""
        sizes: list[int] = []
        for _, rows in notes.groupby(["asking", notes["label"].where(notes["asking"] == "apart", -1)], sort=False):
            count = -(-len(rows) // batch_size)
            sizes += [len(part) for part in np.array_split(np.arange(len(rows)), count)]
        return sizes

    def examples(self, shown: pd.DataFrame) -> dict[int, str]:
        """None: the images are those of other probes."""
        return {}

    def score(self, responses: pd.DataFrame, material: Material) -> list[Score]:
        """How much the responses differ, and for comparison how much those to different images do."""
        wide = responses.pivot_table(index=["base", "label", "host"], columns="asking", values="log_odds")
        hosts = wide.index.get_level_values("host").to_numpy()
        first = wide["first"].to_numpy()

        def root(columns: np.ndarray) -> Estimate:
            return material.bootstrap.function(
                columns[:, None] ** 2, hosts, of_means=lambda means: np.sqrt(means[..., 0])
            )

        return [
            Score("difference", root(wide["again"].to_numpy() - first), AGAIN),
            Score("difference", root(wide["apart"].to_numpy() - first), COMPANY),
            Score("difference", root(first - first.mean()), SPREAD),
        ]

    def figure(self, scores: pd.DataFrame) -> Figure:
        """The differences."""
        with plotting.panels(1, 2.4) as (figure, (axes,)):
            plotting.log_odds_dots(axes, scores, list(scores["of"]), "difference of responses (log-odds)")
        return figure


def unlike(scores: Mapping[str, float]) -> str:
    """What differs beyond rounding, of the scores by what they are of: nothing, `noise` or `batch`."""
    rounding = max(1e-3 * scores[SPREAD], 1e-4)
    if scores[COMPANY] > max(rounding, 2 * scores[AGAIN]):
        return "batch"
    return "noise" if scores[AGAIN] > rounding else ""
