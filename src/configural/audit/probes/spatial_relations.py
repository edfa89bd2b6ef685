"""First- and second-order relations: the order of parts changed, or their distances within the natural range."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from configural.audit import plotting
from configural.audit.changes import exchanged, plain, shifted, steps
from configural.audit.intervals import Estimate
from configural.audit.positions import fit, overlap
from configural.audit.probe import Material, Probe, Score, Trials, Which, usual_object
from configural.objects import ObjectScheme
from configural.portraits import Library
from configural.stimuli import StimulusTable
from configural.stimuli.layout import REFERENCE_SIDE

ANY = "any"
FIRST, PREFERRED, SECOND, NATURAL = "first_order", "correct_order_preferred", "second_order", "natural_deviation"


@dataclass(frozen=True)
class SpatialRelations(Probe):
    """What exchanged parts cost, and what parts cost that are further apart or closer together in the same order.

    First-order relations say which part is above or beside which, second-order ones how far apart (Diamond and
    Carey, 1986; Maurer, Le Grand and Mondloch, 2002). On plain surface, so that nothing of a canvas is uncovered.

    Attributes:
        distances: By how much two parts, or groups of parts, are moved apart and together; in pixels of a portrait
            whose longer side has 512.
        natural: The largest that is taken to lie within the natural range and to leave every order as it is.
        objects: How many objects.
    """

    distances: tuple[int, ...] = (10, 20, 40)
    natural: int = 20
    objects: int = 30
    name: str = "spatial_relations"
    title = "First- and second-order relations"
    question = "What does it cost to change the order of the parts, and what to change their distances alone?"
    how_to_read = (
        "A classifier of order loses by exchanged parts (above) and nothing by distances (below); one of distances "
        "loses by both; one of the extent of all parts loses by distances and next to nothing by exchanged parts. "
        "One that reads positions loses by both, too: read this with the factorial probe. Shaded is one standard "
        "deviation of that distance among the exemplars."
    )
    fractions = (PREFERRED,)

    def trials(self, material: Material) -> Trials:
        """Objects as they are, with two parts exchanged, and with distances changed."""
        table = plain(material, material.some_objects(self.objects))
        notes = {"change": "none", "of": "", "step": 0.0}
        versions = [(table, notes)]
        for first, second in combinations(material.scheme.part_kinds, 2):
            swapped = exchanged(table, first, second)
            rows = np.flatnonzero(fit(material.library, swapped))
            name = f"{_word(first)} and {_word(second)}"
            versions.append((swapped.take(rows), {**notes, "change": "order", "of": name}))
        return Trials.join(material.library, [*versions, *self._spaced(material, table)])

    def _spaced(self, material: Material, table: StimulusTable) -> Iterator[tuple[StimulusTable, dict[str, Any]]]:
        library, hidden = material.library, overlap(material.library, table)
        for name, (one, other) in relations(material.scheme).items():
            down, across = _axis(library, one, other)
            for distance in (sign * step for step in self.distances for sign in (-1, 1)):
                step = steps(library, table, distance)
                half = step // 2
                moved = shifted(table, one, down * half, across * half)
                moved = shifted(moved, other, -down * (step - half), -across * (step - half))
                shown = fit(library, moved) & (overlap(library, moved) <= hidden)
                notes = {"change": "distance", "of": name, "step": float(distance)}
                yield moved.take(np.flatnonzero(shown)), notes

    def examples(self, shown: pd.DataFrame) -> dict[int, str]:
        """One object as it is, with parts exchanged and with distances changed."""
        one = usual_object(shown, "change", "of", "step")
        chosen = {int(one.index[0]): "as it is"}
        chosen |= {int(row): f"{one['of'][row]} exchanged" for row in one.index[one["change"] == "order"][-1:]}
        for _, rows in one[one["change"] == "distance"].groupby("of", sort=False):
            row = rows["step"].idxmax()
            chosen[int(row)] = f"{rows['of'][row]}: {rows['step'][row]:+g}"
        return chosen

    def score(self, responses: pd.DataFrame, material: Material) -> list[Score]:
        """Log-odds drops, by parts exchanged and by relation and distance; how often it drops at all."""
        bootstrap, scheme = material.bootstrap, material.scheme
        still = responses[responses["change"] == "none"].set_index("base")["log_odds"]
        changed = responses[responses["change"] != "none"]
        drop = still.reindex(changed["base"]).to_numpy() - changed["log_odds"].to_numpy()
        changed = changed.assign(drop=drop, lower=(np.sign(drop) + 1) / 2)
        order, distance = (changed[changed["change"] == change] for change in ("order", "distance"))
        alike = {
            f"{_word(one)} and {_word(other)}"
            for pair in scheme.interchangeable
            for one, other in (pair, pair[::-1])
        }
        found = []
        for of, rows in ((ANY, order[~order["of"].isin(alike)]), *order.groupby("of", sort=False)):
            found += [
                Score(FIRST, bootstrap.mean(rows["drop"], rows["host"]), of),
                Score(PREFERRED, bootstrap.fraction(rows["lower"], rows["host"]), of),
            ]
        for size, rows in distance.groupby(distance["step"].abs()):
            found.append(Score(SECOND, bootstrap.mean(rows["drop"], rows["host"]), ANY, float(size)))
        for (of, step), rows in distance.groupby(["of", "step"], sort=False):
            found.append(Score(SECOND, bootstrap.mean(rows["drop"], rows["host"]), of, float(step)))
        for name, (one, other) in relations(scheme).items():
            axis = np.array(_axis(material.library, one, other))
            apart = (_middles(material.library, one) - _middles(material.library, other)) @ axis
            deviation = float(apart.std(ddof=1)) if len(apart) > 1 else np.nan
            found.append(Score(NATURAL, Estimate(deviation, np.nan, np.nan, len(apart), 0), name))
        return found

    def figure(self, scores: pd.DataFrame) -> Figure:
        """Drops by exchanged parts, and a curve over the change of each distance."""
        first = scores[(scores["score"] == FIRST)]
        second = scores[(scores["score"] == SECOND) & (scores["of"] != ANY)]
        natural = scores[scores["score"] == NATURAL].set_index("of")["value"]
        with plotting.panels(1, 0.24 * len(first) + 2.2, rows=2) as (figure, (upper, lower)):
            plotting.log_odds_dots(upper, first, list(first["of"]), "log-odds drop, two parts exchanged")
            deviation = natural.median()
            if np.isfinite(deviation):
                lower.axvspan(-deviation, deviation, color=plotting.GREY, alpha=0.12, linewidth=0)
            for number, (of, rows) in enumerate(second.groupby("of", sort=False)):
                curve = pd.concat([rows, plotting.AT_REST]).sort_values("at")
                plotting.curve(lower, curve, str(of), **plotting.LOOKS[number % len(plotting.LOOKS)])
            plotting.log_odds_axis(lower, "log-odds drop")
            lower.set_xlabel("closer  ←  distance changed by (1/512 of the longer side)  →  further apart")
            if len(second):
                plotting.legend_beside(lower)
        return figure

    def summary(self) -> Mapping[str, Which]:
        """What exchanged parts cost, and what the largest change of a distance does."""
        return {
            "first_order": Which(FIRST, ANY),
            "second_order": Which(SECOND, ANY, max(self.distances)),
        }


def relations(scheme: ObjectScheme) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """What may be moved apart, by name: the two parts of a group, two groups; else each part and the others."""
    found: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
        name: (group[:1], group[1:]) for name, group in scheme.groups.items() if len(group) == 2
    }
    for (name, one), (other_name, other) in combinations(scheme.groups.items(), 2):
        if not set(one) & set(other):
            found[f"{name} from {other_name}"] = (one, other)
    if not found:
        for kind in scheme.part_kinds:
            found[_word(kind)] = ((kind,), tuple(other for other in scheme.part_kinds if other != kind))
    return found


def _middles(library: Library, kinds: tuple[str, ...]) -> np.ndarray:
    """The middle of some parts of each exemplar, in 1/512 of its longer side."""
    which = [library.scheme.index(kind) for kind in kinds]
    middle = (library.anchors + (library.part_sizes - 1) / 2)[:, which].mean(axis=1)
    return np.asarray(middle * REFERENCE_SIDE / library.sides[:, None])


def _axis(library: Library, one: tuple[str, ...], other: tuple[str, ...]) -> tuple[int, int]:
    """Up, down, left or right: whichever leads most nearly from the other parts to the one."""
    away = (_middles(library, one) - _middles(library, other)).mean(axis=0)
    down, across = np.sign(away).astype(int).tolist()
    return (down or 1, 0) if abs(away[0]) >= abs(away[1]) else (0, across or 1)


def _word(kind: str) -> str:
    return kind.replace("_", " ")
