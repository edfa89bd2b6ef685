"""The background taken away, or the parts: what does each alone do?"""

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from configural.audit import plotting
from configural.audit.changes import under
from configural.audit.probe import PROBABILITY, Material, Probe, Score, Trials, usual_object
from configural.audit.probes.forced_choice import choices
from configural.stimuli.conditions import BACKGROUNDS

CANVAS_ONLY = "canvas only"


@dataclass(frozen=True)
class BackgroundRemoval(Probe):
    """The canvas replaced by its plain surface colour, grey or noise, so that parts are seen alone; and it alone.

    Attributes:
        pairs: How many matched pairs are shown on each background.
    """

    pairs: int = 150
    name: str = "background_removal"
    title = "Background removal"
    question = (
        "Does the classifier need the canvas around the parts, and does the canvas alone pass for a correct "
        "arrangement?"
    )
    how_to_read = (
        "Parts alone are shown in the same positions on the plain colour of their surface (skin), on grey or on "
        "noise; the canvas alone has no parts."
    )
    fractions = ("choice", "accuracy")

    def trials(self, material: Material) -> Trials:
        """The pairs on each background; the host's canvas without any part."""
        table = material.some_pairs(self.pairs)
        own = material.condition.background
        label = table.frame["label"]
        versions = [
            (under(table, background=background), {"background": background, "label": label})
            for background in dict.fromkeys((own, *BACKGROUNDS[1:]))
        ]
        empty = material.some_objects(self.pairs)
        versions.append((under(empty, filled=()), {"background": CANVAS_ONLY, "label": 1}))
        return Trials.join(material.library, versions)

    def examples(self, shown: pd.DataFrame) -> dict[int, str]:
        """One object on each background."""
        one = usual_object(shown[shown["label"] == 1], "background")
        return {int(row): str(one["background"][row]) for row in one.index}

    def score(self, responses: pd.DataFrame, material: Material) -> list[Score]:
        """2AFC, accuracy, probability of correct arrangements and their log-odds drop, background by background."""
        bootstrap = material.bootstrap
        own = responses["background"].iloc[0]
        correct = responses[responses["label"] == 1]
        before = correct[correct["background"] == own].set_index("base")["log_odds"]
        found = []
        for background in dict.fromkeys(responses["background"]):
            rows = responses[responses["background"] == background]
            if background != CANVAS_ONLY:
                pairs = choices(rows)
                hits = (rows["log_odds"] > 0) == (rows["label"] == 1)
                found += [
                    Score("choice", bootstrap.fraction(pairs["correct"], pairs["host"]), background),
                    Score("accuracy", bootstrap.fraction(hits, rows["host"]), background),
                ]
            some = rows[rows["label"] == 1]
            found.append(material.probability_score(some, background))
            if background != own:
                drop = before.loc[some["base"]].to_numpy() - some["log_odds"].to_numpy()
                found.append(Score("drop", bootstrap.mean(drop, some["host"]), background))
        return found

    def figure(self, scores: pd.DataFrame) -> Figure:
        """2AFC, and the probability of correct arrangements, on each background."""
        choice = scores[scores["score"] == "choice"]
        probability = scores[scores["score"].str.startswith(PROBABILITY)]
        with plotting.panels(2, 3.8) as (figure, (left, right)):
            plotting.fraction_dots(left, choice, list(choice["of"]), "correct arrangement preferred", chance=0.5)
            label = f"{probability['score'].iloc[0]} of correct arrangements"
            plotting.fraction_dots(right, probability, list(probability["of"]), label)
        return figure
