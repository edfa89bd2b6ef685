"""Upside down, in part and as a whole, and every angle between."""

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from scipy.special import expit

from configural.audit.intervals import Bootstrap
from configural.audit.positions import TURNED, fit
from configural.audit.probe import Material, Score, Trials, under, with_columns
from configural.audit.probes.forced_choice import choices
from configural.portraits import PART_KINDS, Exemplar, Library, Part
from configural.stimuli import StimulusTable

THATCHER = ("left_eye", "right_eye", "mouth")


@dataclass(frozen=True)
class Inversion:
    """A face upside down; eyes and mouth upside down within it (Thompson's Thatcher illusion, 1980); turned.

    Attributes:
        pairs: How many pairs are turned upside down.
        turned: How many faces are turned by degrees.
        angles: By how many, both ways.
    """

    pairs: int = 100
    turned: int = 60
    angles: tuple[int, ...] = (15, 30, 45, 60, 90, 135, 180)
    name: str = "inversion"
    title: str = "Inversion and rotation"
    question: str = (
        "Does turning a face upside down matter, and does it hide that eyes and mouth were turned within it, as it "
        "does for people?"
    )

    def trials(self, material: Material) -> Trials:
        """Pairs both ways up, faces with eyes and mouth turned both ways up, and parts turned on the spot."""
        pairs = under(with_columns(material.some_pairs(self.pairs), inverted=False))
        faces = with_twins(material.faces, sorted(_donors(pairs)))
        face = replace(pairs, frame=pairs.frame[pairs.frame["label"] == 1].reset_index(drop=True))
        names = {f"{slot}_donor": face.frame[f"{slot}_donor"] + TURNED for slot in THATCHER}
        versions: list[tuple[StimulusTable, dict[str, Any]]] = []
        for upside_down in (False, True):
            notes: dict[str, Any] = {"inverted": upside_down, "turned": False, "angle": 0.0}
            whole = with_columns(pairs, inverted=upside_down)
            versions.append((whole, {**notes, "what": "whole", "label": pairs.frame["label"]}))
            parts = with_columns(face, inverted=upside_down, **names)
            versions.append((parts, {**notes, "what": "parts", "turned": True, "label": 1}))
        some = under(with_columns(material.some_faces(self.turned), inverted=False))
        for angle in (0, *self.angles):
            for sign in (1, -1) if angle not in (0, 180) else (1,):
                turned = with_columns(some, rotation=some.frame["rotation"] + float(sign * angle))
                turned = replace(turned, frame=turned.frame[fit(faces, turned)].reset_index(drop=True))
                rotated = {"what": "rotation", "inverted": False, "turned": False, "label": 1}
                versions.append((turned, {**rotated, "angle": float(angle)}))
        return Trials.join(faces, versions)

    def examples(self, notes: pd.DataFrame) -> dict[int, str]:
        """One face both ways up, whole and with eyes and mouth turned, and turned on the spot."""
        one = notes[(notes["base"] == notes["base"].iloc[0]) & (notes["label"] == 1)]
        chosen = {}
        for row in one[one["what"] != "rotation"].index:
            way = "upside down" if one["inverted"][row] else "upright"
            chosen[int(row)] = way + (", eyes and mouth turned" if one["turned"][row] else "")
        turned = notes[(notes["what"] == "rotation") & (notes["angle"] == 45)]
        return chosen | {int(row): "turned by 45°" for row in turned.index[:1]}

    def score(self, answers: pd.DataFrame, bootstrap: Bootstrap) -> list[Score]:
        """Choice and P(face) both ways up, drops by turned parts both ways up, and the rotation curve."""
        found = []
        whole = answers[answers["what"] == "whole"]
        for upside_down, name in ((False, "upright"), (True, "inverted")):
            rows = whole[whole["inverted"] == upside_down]
            pairs = choices(rows)
            found.append(
                Score("choice", bootstrap.share(pairs["right"].to_numpy(), pairs["host"].to_numpy()), name)
            )
            face = rows[rows["label"] == 1]
            found.append(
                Score("P(face)", bootstrap.mean(expit(face["log_odds"].to_numpy()), face["host"].to_numpy()), name)
            )
        face = answers[(answers["label"] == 1) & (answers["what"] != "rotation")]
        wide = face.pivot_table(index=["base", "host"], columns=["inverted", "turned"], values="log_odds")
        exemplars = wide.index.get_level_values("host").to_numpy()
        inverted = (wide[False, False] - wide[True, False]).to_numpy()
        up = (wide[False, False] - wide[False, True]).to_numpy()
        down = (wide[True, False] - wide[True, True]).to_numpy()
        for name, drop in (
            ("inverted", inverted),
            ("eyes and mouth turned, upright", up),
            ("eyes and mouth turned, inverted", down),
            ("Thatcher effect", up - down),
        ):
            found.append(Score("drop", bootstrap.mean(drop, exemplars), name))
        rotated = answers[answers["what"] == "rotation"]
        before = rotated[rotated["angle"] == 0].set_index("base")["log_odds"]
        for degrees, rows in rotated.groupby("angle"):
            angle = float(degrees)
            exemplars = rows["host"].to_numpy()
            found.append(
                Score("P(face)", bootstrap.mean(expit(rows["log_odds"].to_numpy()), exemplars), "rotation", angle)
            )
            if angle:
                drop = before.reindex(rows["base"]).to_numpy() - rows["log_odds"].to_numpy()
                found.append(Score("drop", bootstrap.mean(drop, exemplars), "rotation", angle))
        return found


def with_twins(faces: Library, names: list[str]) -> Library:
    """A library that also holds some exemplars with each of their parts turned by 180 degrees in its place."""
    exemplars = {exemplar.name: exemplar for exemplar in faces.exemplars}
    return Library(faces.source, [*faces.exemplars, *(_twin(exemplars[name]) for name in names)])


def _twin(exemplar: Exemplar) -> Exemplar:
    parts = tuple(
        Part(part.kind, part.pixels[::-1, ::-1].copy(), part.mask[::-1, ::-1].copy(), part.anchor)
        for part in exemplar.parts
    )
    return Exemplar(
        exemplar.name + TURNED, exemplar.person, exemplar.portrait, exemplar.segmentation, exemplar.canvas, parts
    )


def _donors(table: StimulusTable) -> set[str]:
    return {name for slot in PART_KINDS for name in table.frame[f"{slot}_donor"]}
