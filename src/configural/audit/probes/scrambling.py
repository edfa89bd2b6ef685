"""More and more parts out of their slots, and all parts further and further from theirs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from configural.audit import plotting
from configural.audit.changes import rearranged, steps, under, with_columns
from configural.audit.positions import fit, overlap
from configural.audit.probe import Material, Probe, Score, Trials, Which, usual_object
from configural.objects import ObjectScheme
from configural.stimuli import StimulusTable
from configural.wording import of_side

SCRAMBLED, JITTERED = "parts in other slots", "parts displaced at random"
_TRIES = 12


@dataclass(frozen=True)
class Scrambling(Probe):
    """Objects with a number of parts in each other's slots, or with all parts displaced by random amounts.

    After Baker and Elder (2022), who broke up the configuration of silhouettes in steps and left their local
    features as they were. Here they are parts: whole, and never hidden by another.

    Attributes:
        jitters: By how much each part is displaced at most, down and across, in pixels of a portrait whose longer
            side has 512.
        objects: How many objects.
        seed: Of permutations and displacements.
    """

    jitters: tuple[int, ...] = (10, 20, 40, 60)
    objects: int = 50
    seed: int = 0
    name: str = "scrambling"
    title = "Scramble and jitter levels"
    question = "How many parts may be in other slots, or how far may parts be displaced, until it is noticed?"
    how_to_read = (
        "Recognised is the fraction that is still predicted as correct. A bag of parts stays where it is at every "
        "level; a classifier of order falls with the number of parts in other slots and not with small "
        "displacements; one of distances or of positions falls with both."
    )
    fractions = ("recognised",)

    def trials(self, material: Material) -> Trials:
        """Each object as it is, at each level of scrambling and at each of displacement."""
        table = under(material.some_objects(self.objects), background=material.condition.background)
        versions: list[tuple[StimulusTable, dict[str, Any]]] = [(table, {"what": "none", "level": 0.0})]
        random = np.random.default_rng(self.seed)
        for level, orders in orders_by_level(material.scheme).items():
            drawn = np.array(orders)[random.integers(len(orders), size=len(table))]
            moved = rearranged(table, drawn)
            rows = np.flatnonzero(fit(material.library, moved))
            versions.append((moved.take(rows), {"what": SCRAMBLED, "level": float(level)}))
        for size in self.jitters:
            moved, rows = self._displaced(material, table, size, random)
            versions.append((moved.take(rows), {"what": JITTERED, "level": float(size)}))
        return Trials.join(material.library, versions)

    def _displaced(
        self, material: Material, table: StimulusTable, size: int, random: np.random.Generator
    ) -> tuple[StimulusTable, np.ndarray]:
        """Drawn again, some times, where a part leaves the surface or hides another."""
        slots, hidden = material.scheme.part_kinds, overlap(material.library, table)
        names = [f"{slot}_{axis}" for slot in slots for axis in ("row", "col")]
        largest = steps(material.library, table, size)
        before = table.frame[names].to_numpy()
        values, done, moved = before.copy(), np.zeros(len(table), bool), table
        for _ in range(_TRIES):
            proposed = before + np.rint(random.uniform(-1, 1, before.shape) * largest[:, None]).astype(int)
            values[~done] = proposed[~done]
            moved = with_columns(table, **dict(zip(names, values.T, strict=True)))
            done = fit(material.library, moved) & (overlap(material.library, moved) <= hidden)
            if done.all():
                break
        return moved, np.flatnonzero(done)

    def examples(self, shown: pd.DataFrame) -> dict[int, str]:
        """One object at each level."""
        one = usual_object(shown, "what", "level")
        chosen = {int(one.index[0]): "as it is"}
        for row in one.index[1:]:
            level = one["level"][row]
            said = f"{level:g} parts in other slots" if one["what"][row] == SCRAMBLED else f"up to {of_side(level)}"
            chosen[int(row)] = said
        return chosen

    def score(self, responses: pd.DataFrame, material: Material) -> list[Score]:
        """The fraction recognised and the log-odds drop, by level."""
        still = responses[responses["what"] == "none"].set_index("base")["log_odds"]
        found = []
        for (what, level), rows in responses.groupby(["what", "level"], sort=False):
            of = "at rest" if what == "none" else str(what)
            recognised = material.bootstrap.fraction(rows["log_odds"] > 0, rows["host"])
            found.append(Score("recognised", recognised, of, float(level)))
            if what != "none":
                drop = still.reindex(rows["base"]).to_numpy() - rows["log_odds"].to_numpy()
                found.append(Score("drop", material.bootstrap.mean(drop, rows["host"]), of, float(level)))
        return found

    def figure(self, scores: pd.DataFrame) -> Figure:
        """The fraction recognised, against the number of parts in other slots and against the displacement."""
        seen = scores[scores["score"] == "recognised"]
        rest = seen[seen["of"] == "at rest"]
        labels = {SCRAMBLED: "parts in other slots", JITTERED: "displaced by up to (1/512 of the longer side)"}
        with plotting.panels(2, 4.0) as (figure, panels):
            for axes, (of, label) in zip(panels, labels.items(), strict=True):
                rows = pd.concat([rest, seen[seen["of"] == of].sort_values("at")])
                plotting.curve(axes, rows, of, **plotting.SOLID)
                plotting.probability_axis(axes, "predicted as correct" if of == SCRAMBLED else "")
                axes.set_xlabel(label)
                axes.set_xticks(rows["at"])
        return figure

    def summary(self) -> Mapping[str, Which]:
        """What the largest displacement costs."""
        return {"jitter_drop": Which("drop", JITTERED, max(self.jitters))}


def orders_by_level(scheme: ObjectScheme) -> dict[int, list[tuple[int, ...]]]:
    """By the number of parts that are in other slots, the orders; none in which interchangeable ones alone are."""
    correct = scheme.correct
    found: dict[int, list[tuple[int, ...]]] = {}
    for order in scheme.scrambles:
        found.setdefault(sum(a != b for a, b in zip(order, correct, strict=True)), []).append(order)
    return dict(sorted(found.items()))
