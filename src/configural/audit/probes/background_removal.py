"""The canvas taken away, or the parts: what does each alone do?"""

from dataclasses import dataclass

import pandas as pd
from scipy.special import expit

from configural.audit.intervals import Bootstrap
from configural.audit.probe import Material, Score, Trials, under
from configural.audit.probes.forced_choice import choices
from configural.stimuli.conditions import BACKGROUNDS

CANVAS_ONLY = "canvas only"


@dataclass(frozen=True)
class BackgroundRemoval:
    """The canvas swapped for plain skin, grey or noise, so that parts alone are seen; and the canvas alone.

    Attributes:
        pairs: How many matched pairs are shown in each context.
    """

    pairs: int = 150
    name: str = "context"
    title: str = "Context"
    question: str = (
        "Does the classifier need the exemplar around the parts, and does the exemplar alone pass for a face?"
    )

    def trials(self, material: Material) -> Trials:
        """The pairs in each context; the host's canvas without any part."""
        table = material.some_pairs(self.pairs)
        own = material.condition.background
        label = table.frame["label"]
        versions = [
            (under(table, background=background), {"context": background, "label": label})
            for background in dict.fromkeys((own, *BACKGROUNDS[1:]))
        ]
        empty = material.some_faces(self.pairs)
        versions.append((under(empty, filled=()), {"context": CANVAS_ONLY, "label": 1}))
        return Trials.join(material.faces, versions)

    def examples(self, notes: pd.DataFrame) -> dict[int, str]:
        """One face in each context."""
        one = notes[(notes["base"] == notes["base"].iloc[0]) & (notes["label"] == 1)]
        return {int(row): str(one["context"][row]) for row in one.index}

    def score(self, answers: pd.DataFrame, bootstrap: Bootstrap) -> list[Score]:
        """Paired choice, accuracy, P(face) of faces, and the drop of a face's log-odds, context by context."""
        own = answers["context"].iloc[0]
        faces = answers[answers["label"] == 1]
        before = faces[faces["context"] == own].set_index("base")["log_odds"]
        found = []
        for context in dict.fromkeys(answers["context"]):
            rows = answers[answers["context"] == context]
            if context != CANVAS_ONLY:
                pairs = choices(rows)
                right = bootstrap.share(pairs["right"].to_numpy(), pairs["host"].to_numpy())
                hits = (rows["log_odds"] > 0) == (rows["label"] == 1)
                accuracy = bootstrap.share(hits.to_numpy(float), rows["host"].to_numpy())
                found += [Score("choice", right, context), Score("accuracy", accuracy, context)]
            face = rows[rows["label"] == 1]
            exemplars = face["host"].to_numpy()
            found.append(Score("P(face)", bootstrap.mean(expit(face["log_odds"].to_numpy()), exemplars), context))
            if context != own:
                drop = before.loc[face["base"]].to_numpy() - face["log_odds"].to_numpy()
                found.append(Score("drop", bootstrap.mean(drop, exemplars), context))
        return found
