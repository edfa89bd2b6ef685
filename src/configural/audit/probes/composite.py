"""Composites: one half of one exemplar, the other half of another, aligned and misaligned."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from configural.audit import plotting
from configural.audit.changes import exchanged, plain, shifted, steps, with_columns
from configural.audit.intervals import Estimate
from configural.audit.positions import fit
from configural.audit.probe import Material, Probe, Score, Trials, Which, usual_object
from configural.portraits import Library
from configural.stimuli import StimulusTable

ALIGNED, MISALIGNED = "aligned", "misaligned"
IMPOSSIBLE = "undefined: no half has two parts to exchange"


@dataclass(frozen=True)
class Composite(Probe):
    """Upper parts of one exemplar and lower parts of another, whose order is correct or not, side by side or not.

    After Young, Hellawell and Hay (1987), whose subjects named one half of a face, slower with another person's
    other half aligned to it. A classifier of arrangements names no half; so here the other half is correct or
    scrambled, and the question is how much that counts when the halves are aligned and when they are not. Halves
    move by half the distance each, and aligned ones by as much to either side: every part lies as far from its
    position in both.

    Attributes:
        distance: By which halves are shifted against each other sideways, in pixels of a portrait whose longer side
            has 512.
        objects: How many composites.
    """

    distance: int = 80
    objects: int = 40
    name: str = "composite"
    title = "Composites of two exemplars"
    question = "Does a scrambled half count for more when it is aligned with a correct half of another exemplar?"
    how_to_read = (
        "Interference is what a scrambled half costs. The composite effect is the interference of aligned halves "
        "less that of misaligned ones: zero for a classifier that adds up parts or positions, above zero for one "
        "that relates parts across the halves. Mixing is what parts of two exemplars cost against those of one."
    )

    def trials(self, material: Material) -> Trials:
        """Both halves aligned and misaligned either way, the second correct and scrambled; and of one exemplar."""
        split = halves(material.library)
        if split is None:
            return Trials.join(material.library, [])
        first, second = split
        base = plain(material, material.some_objects(self.objects))
        # Parts of the second half come from the host of the next object.
        hosts = base.frame["host"].to_numpy()
        others = np.roll(hosts, 1)
        own = with_columns(base, **{f"{slot}_donor": hosts for slot in (*first, *second)})
        mixed = with_columns(own, **{f"{slot}_donor": others for slot in second})
        scrambled = exchanged(mixed, *second[:2])
        versions: list[tuple[StimulusTable, dict[str, Any]]] = []
        half = steps(material.library, base, self.distance / 2)
        kept = np.ones(len(base), bool)
        shown = [
            *product([("two", "correct", mixed), ("two", "scrambled", scrambled)], (ALIGNED, MISALIGNED)),
            (("one", "correct", own), ALIGNED),
        ]
        for ((donors, order, table), alignment), way in product(shown, (1, -1)):
            sign = 1 if alignment == ALIGNED else -1
            moved = shifted(shifted(table, first, 0 * half, way * half), second, 0 * half, sign * way * half)
            kept &= fit(material.library, moved)
            versions.append((moved, {"donors": donors, "order": order, "alignment": alignment, "way": way}))
        rows = np.flatnonzero(kept)
        return Trials.join(material.library, [(table.take(rows), notes) for table, notes in versions])

    def examples(self, shown: pd.DataFrame) -> dict[int, str]:
        """One composite in each version."""
        if not len(shown):
            return {}
        one = usual_object(shown[shown["way"] == 1], "alignment", "order", "donors")
        return {
            int(row): f"{one['alignment'][row]}, {one['order'][row]}"
            + (", one exemplar" if one["donors"][row] == "one" else "")
            for row in one.index
        }

    def score(self, responses: pd.DataFrame, material: Material) -> list[Score]:
        """Interference both ways, their difference, and what misalignment and mixing cost."""
        if not len(responses):
            nothing = Estimate(np.nan, np.nan, np.nan, 0, 0, IMPOSSIBLE)
            return [Score("composite_effect", nothing)]
        wide = responses.pivot_table(
            index=["base", "host"], columns=["donors", "order", "alignment"], values="log_odds"
        )
        hosts = wide.index.get_level_values("host").to_numpy()
        correct, scrambled = (
            {alignment: wide["two", order, alignment].to_numpy() for alignment in (ALIGNED, MISALIGNED)}
            for order in ("correct", "scrambled")
        )
        interference = {alignment: correct[alignment] - scrambled[alignment] for alignment in correct}
        mean = material.bootstrap.mean
        return [
            *(Score("interference", mean(values, hosts), name) for name, values in interference.items()),
            Score("composite_effect", mean(interference[ALIGNED] - interference[MISALIGNED], hosts)),
            Score("misalignment", mean(correct[ALIGNED] - correct[MISALIGNED], hosts)),
            Score("mixing", mean(wide["one", "correct", ALIGNED].to_numpy() - correct[ALIGNED], hosts)),
        ]

    def figure(self, scores: pd.DataFrame) -> Figure:
        """All of these."""
        with plotting.panels(1, 0.5 * len(scores) + 1.6) as (figure, (axes,)):
            names = [" ".join(filter(None, pair)) for pair in zip(scores["score"], scores["of"], strict=True)]
            plotting.log_odds_dots(axes, scores, plotting.words(names), "log-odds")
        return figure

    def summary(self) -> Mapping[str, Which]:
        """The composite effect."""
        return {"composite_effect": Which("composite_effect")}


def halves(library: Library) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The parts of a half that stays and of one whose first two parts can be exchanged; None if there are none.

    Two groups that hold all parts; else the upper and the lower half of the parts.
    """
    scheme = library.scheme
    groups = list(scheme.groups.values())
    if len(groups) != 2 or sorted([*groups[0], *groups[1]]) != sorted(scheme.part_kinds):
        rows = (library.anchors + library.part_sizes / 2)[..., 0].mean(axis=0)
        by_height = [scheme.part_kinds[number] for number in np.argsort(rows, kind="stable")]
        groups = [tuple(by_height[: len(by_height) // 2]), tuple(by_height[len(by_height) // 2 :])]
    alike = {frozenset(pair) for pair in scheme.interchangeable}
    for stays, exchanged_half in (groups, groups[::-1]):
        if len(exchanged_half) > 1 and frozenset(exchanged_half[:2]) not in alike:
            return tuple(stays), tuple(exchanged_half)
    return None
