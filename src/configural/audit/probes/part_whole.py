"""A part alone, in its whole, in a scrambled whole: is it worth more where the others are as they should be?"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from configural.audit import plotting
from configural.audit.changes import rotated, under
from configural.audit.positions import fit
from configural.audit.probe import Material, Probe, Score, Trials, Which, usual_object
from configural.stimuli import StimulusTable

WHOLE, SCRAMBLED, ALONE = "in its whole", "in a scrambled whole", "alone"
OVER_ALONE, OVER_SCRAMBLED = "over the part alone", "over a scrambled whole"


@dataclass(frozen=True)
class PartWhole(Probe):
    """Each part in its slot against that slot left bare, with the other parts correct, scrambled or absent.

    After Tanaka and Farah (1993), whose subjects told a part of a face they had learned from a foil in a forced
    choice: alone, in its face, and in a scrambled face. A classifier of arrangements knows no person by a part, so
    that the foil here is the bare slot.

    Attributes:
        objects: How many objects.
    """

    objects: int = 40
    name: str = "part_whole"
    title = "Part and whole"
    question = "Is a part worth more among the others, arranged correctly, than alone or among scrambled ones?"
    how_to_read = (
        "Left, how often an image with the part in its slot scores higher than the same without it; chance is one "
        "half. Right, what the part adds to the log-odds. The advantage of the whole is how much more it adds "
        "there than alone or in a scrambled whole: zero for every classifier that adds up parts, wherever it looks "
        "for them; above zero for one of relations, and for one that needs several parts or positions at once."
    )
    fractions = ("choice",)

    def trials(self, material: Material) -> Trials:
        """Each context with and without each part."""
        table, slots = material.some_objects(self.objects), material.scheme.part_kinds
        own = material.condition.background
        versions: list[tuple[StimulusTable, dict[str, Any]]] = []
        for number, slot in enumerate(slots):
            others = [other for other in slots if other != slot]
            contexts = [(WHOLE, table, slots), (ALONE, table, (slot,))]
            if len(others) > 1:
                # Each other part in the slot of the next: none is where it belongs.
                scrambled = rotated(table, others, by=1 + number % (len(others) - 1))
                scrambled = scrambled.take(np.flatnonzero(fit(material.library, scrambled)))
                contexts.append((SCRAMBLED, scrambled, slots))
            for (context, version, filled), shown in product(contexts, (True, False)):
                kept = tuple(kind for kind in filled if shown or kind != slot)
                notes = {"context": context, "part": slot, "shown": shown}
                versions.append((under(version, background=own, filled=kept), notes))
        return Trials.join(material.library, versions)

    def examples(self, shown: pd.DataFrame) -> dict[int, str]:
        """One part of one object in each context, with and without it."""
        last = shown["part"].iloc[-1]
        one, part = usual_object(shown[shown["part"] == last], "context", "shown"), str(last).replace("_", " ")
        return {
            int(row): f"{part} {one['context'][row]}" + ("" if one["shown"][row] else ", left out")
            for row in one.index
        }

    def score(self, responses: pd.DataFrame, material: Material) -> list[Score]:
        """By context, how often the part is preferred and what it adds; the advantage of the whole."""
        bootstrap = material.bootstrap
        wide = responses.pivot_table(
            index=["base", "host", "part", "context"], columns="shown", values="log_odds"
        ).dropna()
        gain = (wide[True] - wide[False]).rename("gain").reset_index()
        gain["chosen"] = (np.sign(gain["gain"]) + 1) / 2
        contexts = [context for context in (WHOLE, SCRAMBLED, ALONE) if (gain["context"] == context).any()]
        found = []
        for context in contexts:
            rows = gain[gain["context"] == context]
            found += [
                Score("choice", bootstrap.fraction(rows["chosen"], rows["host"]), context),
                Score("contribution", bootstrap.mean(rows["gain"], rows["host"]), context),
            ]
        by_context = gain.pivot_table(index=["base", "host", "part"], columns="context", values="gain")
        hosts, parts = (by_context.index.get_level_values(level).to_numpy() for level in ("host", "part"))
        for of, context in ((OVER_ALONE, ALONE), (OVER_SCRAMBLED, SCRAMBLED)):
            if context not in by_context:
                continue
            advantage = (by_context[WHOLE] - by_context[context]).to_numpy()
            found.append(Score("advantage", bootstrap.mean(advantage, hosts), of))
            for part in material.scheme.part_kinds:
                some = parts == part
                found.append(Score("advantage", bootstrap.mean(advantage[some], hosts[some]), f"{part}, {of}"))
        return found

    def figure(self, scores: pd.DataFrame) -> Figure:
        """How often the part is preferred in each context, and what it adds there."""
        choice, gain = (scores[scores["score"] == name] for name in ("choice", "contribution"))
        with plotting.panels(2, 3.2) as (figure, (left, right)):
            plotting.fraction_dots(left, choice, list(choice["of"]), "image with the part preferred", chance=0.5)
            plotting.log_odds_dots(right, gain, [""] * len(gain), "what the part adds (log-odds)")
        return figure

    def summary(self) -> Mapping[str, Which]:
        """The advantage of the whole over the part alone."""
        return {"whole_advantage": Which("advantage", OVER_ALONE)}
