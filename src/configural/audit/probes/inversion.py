"""Upside down, in part and as a whole, and every angle between."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from configural.audit import plotting
from configural.audit.changes import under, with_columns
from configural.audit.positions import TURNED, fit
from configural.audit.probe import PROBABILITY, Material, Probe, Score, Trials, usual_object
from configural.audit.probes.forced_choice import choices
from configural.portraits import Library
from configural.stimuli import StimulusTable

_DROPS: Mapping[str, str] = {
    "inverted": "whole inverted",
    "parts turned, upright": "parts turned\nin an upright whole",
    "parts turned, inverted": "parts turned\nin an inverted whole",
    "Thatcher effect": "Thatcher effect\n(difference)",
}
"""What drops are measured of, and how the figure calls it."""


@dataclass(frozen=True)
class Inversion(Probe):
    """An object upside down; some parts upside down within it (Thompson's Thatcher illusion, 1980); turned.

    The parts are those that the scheme names for it: of a face the eyes and the mouth.

    Attributes:
        pairs: How many pairs are turned upside down.
        turned: How many objects are turned by degrees.
        angles: By how many, both ways.
    """

    pairs: int = 100
    turned: int = 60
    angles: tuple[int, ...] = (15, 30, 45, 60, 90, 135, 180)
    name: str = "inversion"
    title = "Inversion and rotation"
    question = (
        "Does turning the image upside down matter, and does it hide from the classifier that parts were turned "
        "within it?"
    )
    how_to_read = (
        "The Thatcher effect is what parts that are turned within the object cost upright, less what they cost "
        "when the whole is upside down; people looking at portraits show a large one. Rotation turns the parts "
        "about their middle, on the canvas as it is."
    )
    fractions = ("choice",)

    def trials(self, material: Material) -> Trials:
        """Pairs both ways up, objects with parts turned both ways up, and the constellation turned on the spot."""
        pairs = under(with_columns(material.some_pairs(self.pairs), inverted=False))
        scheme = material.scheme
        donors = [f"{slot}_donor" for slot in scheme.part_kinds]
        library = with_twins(material.library, sorted(set(pairs.frame[donors].to_numpy().ravel())))
        correct = pairs.take(np.flatnonzero(pairs.frame["label"] == 1))
        turned = scheme.thatcher or scheme.part_kinds
        twins = {f"{slot}_donor": correct.frame[f"{slot}_donor"] + TURNED for slot in turned}
        versions: list[tuple[StimulusTable, dict[str, Any]]] = []
        for upside_down in (False, True):
            notes: dict[str, Any] = {"inverted": upside_down, "turned": False, "angle": 0.0}
            whole = with_columns(pairs, inverted=upside_down)
            versions.append((whole, {**notes, "what": "whole", "label": pairs.frame["label"]}))
            parts = with_columns(correct, inverted=upside_down, **twins)
            versions.append((parts, {**notes, "what": "parts", "turned": True, "label": 1}))
        some = under(with_columns(material.some_objects(self.turned), inverted=False))
        for angle in (0, *self.angles):
            for sign in (1, -1) if angle not in (0, 180) else (1,):
                rotated = with_columns(some, rotation=some.frame["rotation"] + float(sign * angle))
                notes = {"what": "rotation", "inverted": False, "turned": False, "label": 1, "angle": float(angle)}
                versions.append((rotated.take(np.flatnonzero(fit(library, rotated))), notes))
        return Trials.join(library, versions)

    def examples(self, shown: pd.DataFrame) -> dict[int, str]:
        """One object both ways up, whole and with parts turned, and turned on the spot."""
        correct = shown[shown["label"] == 1]
        one = usual_object(correct[correct["what"] != "rotation"], "inverted", "turned")
        chosen = {}
        for row in one.index:
            way = "inverted" if one["inverted"][row] else "upright"
            chosen[int(row)] = way + (", parts turned" if one["turned"][row] else "")
        rotated = shown[(shown["what"] == "rotation") & (shown["angle"] == 45)]
        same = rotated[rotated["base"].isin(one["base"])]
        return chosen | {int(row): "turned by 45°" for row in (same if len(same) else rotated).index[:1]}

    def score(self, responses: pd.DataFrame, material: Material) -> list[Score]:
        """2AFC and probability both ways up, drops by turned parts both ways up, and the rotation curve."""
        bootstrap = material.bootstrap
        found = []
        whole = responses[responses["what"] == "whole"]
        for upside_down, name in ((False, "upright"), (True, "inverted")):
            rows = whole[whole["inverted"] == upside_down]
            pairs, correct = choices(rows), rows[rows["label"] == 1]
            found += [
                Score("choice", bootstrap.fraction(pairs["correct"], pairs["host"]), name),
                material.probability_score(correct, name),
            ]
        correct = responses[(responses["label"] == 1) & (responses["what"] != "rotation")]
        wide = correct.pivot_table(index=["base", "host"], columns=["inverted", "turned"], values="log_odds")
        up = (wide[False, False] - wide[False, True]).to_numpy()
        down = (wide[True, False] - wide[True, True]).to_numpy()
        drops = ((wide[False, False] - wide[True, False]).to_numpy(), up, down, up - down)
        hosts = wide.index.get_level_values("host").to_numpy()
        found += [Score("drop", bootstrap.mean(drop, hosts), of) for of, drop in zip(_DROPS, drops, strict=True)]
        rotated = responses[responses["what"] == "rotation"]
        before = rotated[rotated["angle"] == 0].set_index("base")["log_odds"]
        for degrees, rows in rotated.groupby("angle"):
            angle = float(degrees)
            found.append(material.probability_score(rows, "rotation", at=angle))
            if angle:
                drop = before.reindex(rows["base"]).to_numpy() - rows["log_odds"].to_numpy()
                found.append(Score("drop", bootstrap.mean(drop, rows["host"]), "rotation", angle))
        return found

    def figure(self, scores: pd.DataFrame) -> Figure:
        """Drops by turning upside down, and the probability of correct arrangements against the angle."""
        drops = scores[(scores["score"] == "drop") & (scores["of"] != "rotation")]
        rows = scores[scores["score"].str.startswith(PROBABILITY) & (scores["of"] == "rotation")].sort_values("at")
        with plotting.panels(2, 4.2) as (figure, (left, right)):
            plotting.log_odds_dots(left, drops, [_DROPS[of] for of in drops["of"]], "log-odds drop")
            plotting.curve(right, rows, "rotation", **plotting.SOLID)
            right.set_xlabel("parts turned by (degrees, either way)")
            right.set_xticks([0, 45, 90, 135, 180])
            plotting.probability_axis(right, scores[scores["score"].str.startswith(PROBABILITY)]["score"].iloc[0])
        return figure


def with_twins(library: Library, names: list[str]) -> Library:
    """A library that also holds some exemplars with each of their parts turned by 180 degrees in its position."""
    exemplars = list(library.exemplars)
    for exemplar in (exemplars[library.position(name)] for name in names):
        parts = tuple(
            replace(part, pixels=part.pixels[::-1, ::-1].copy(), mask=part.mask[::-1, ::-1].copy())
            for part in exemplar.parts
        )
        exemplars.append(replace(exemplar, name=exemplar.name + TURNED, parts=parts))
    return replace(library, exemplars=exemplars)
