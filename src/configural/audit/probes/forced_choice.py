"""Right or wrong arrangement of the same material: which does a classifier take for more of a face?"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from configural.audit.intervals import Bootstrap
from configural.audit.probe import Material, Score, Trials
from configural.portraits import PART_KINDS

KINDS = ("eyes swapped", "nose and mouth swapped", "two parts swapped", "three parts misplaced", "all misplaced")
MOVED = "a part moved"


@dataclass(frozen=True)
class ForcedChoice:
    """The same canvas, donors and jitter, arranged right or wrong; how often does the right one score higher?"""

    name: str = "forced_choice"
    title: str = "Paired choice"
    question: str = (
        "Of two images made of the same exemplar, parts and jitter, one arranged right and one wrong: how often does "
        "the right one score higher?"
    )

    def trials(self, material: Material) -> Trials:
        """Both images of every pair."""
        table = material.pairs
        frame = table.frame
        kinds = frame[[f"{slot}_kind" for slot in PART_KINDS]].to_numpy()
        notes = {"label": frame["label"], "kind": [kind_of_arrangement(tuple(row)) for row in kinds]}
        notes["kind"] = np.where(frame["label"] == 1, "", notes["kind"])
        return Trials.join(material.faces, [(table, notes)])

    def examples(self, notes: pd.DataFrame) -> dict[int, str]:
        """A face and what it is made into, for some kinds."""
        chosen: dict[int, str] = {}
        for kind in KINDS:
            of_kind = notes[notes["kind"] == kind]
            if len(of_kind):
                base = of_kind["base"].iloc[0]
                face = notes[(notes["base"] == base) & (notes["label"] == 1)].index[0]
                chosen |= {int(face): "right", int(of_kind.index[0]): kind}
        return chosen

    def score(self, answers: pd.DataFrame, bootstrap: Bootstrap) -> list[Score]:
        """Share of pairs right (a tie counts one half), in all and by kind; accuracy; mean log-odds by class."""
        pairs = choices(answers)
        exemplars = pairs["host"].to_numpy()
        found = [Score("choice", bootstrap.share(pairs["right"].to_numpy(), exemplars), "all")]
        for kind in (*KINDS, MOVED):
            of_kind = pairs[pairs["kind"] == kind]
            if len(of_kind):
                share = bootstrap.share(of_kind["right"].to_numpy(), of_kind["host"].to_numpy())
                found.append(Score("choice", share, kind))
        hits = (answers["log_odds"] > 0) == (answers["label"] == 1)
        found.append(Score("accuracy", bootstrap.share(hits.to_numpy(float), answers["host"].to_numpy())))
        for label, name in enumerate(("no_face", "face")):
            some = answers[answers["label"] == label]
            found.append(
                Score("P(face)", bootstrap.mean(expit(some["log_odds"].to_numpy()), some["host"].to_numpy()), name)
            )
        return found


def choices(answers: pd.DataFrame) -> pd.DataFrame:
    """One row per pair: host, kind, and right (1 if the face scores higher, one half for a tie)."""
    face = answers[answers["label"] == 1].set_index("base")
    wrong = answers[answers["label"] == 0].set_index("base")
    difference = face["log_odds"] - wrong["log_odds"]
    right = (np.sign(difference) + 1) / 2
    kind = wrong.get("kind", "")
    return pd.DataFrame({"host": face["host"], "kind": kind, "right": right}).dropna().reset_index()


def kind_of_arrangement(kinds: tuple[str, ...]) -> str:
    """What is wrong with an arrangement, given the part kind in each slot."""
    misplaced = {slot for slot, kind in zip(PART_KINDS, kinds, strict=True) if slot != kind}
    if not misplaced:
        return MOVED
    if misplaced == {"left_eye", "right_eye"}:
        return KINDS[0]
    if misplaced == {"nose", "mouth"}:
        return KINDS[1]
    return KINDS[len(misplaced)]
