"""One self-contained page about an audit, read from its folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configural.audit import PROBES, Audit, headline, sentences
from configural.audit.figures import write_figures
from configural.audit.verdict import in_percent, in_words
from configural.io import files
from configural.report.parts import Image, Rows, embedded, environment

_SHARES = ("choice", "accuracy", "P(face)", "not_additive", "pairs_in_field")
_HOW_TO_READ = {
    "forced_choice": "Half of the pairs is chance. A tie counts one half. The answer is the same however "
    "the scores are rescaled, as long as their order stays.",
    "displacement": "A classifier that reads relations loses when one part moves (blue, solid) and loses "
    "nothing when all move together (orange, dashed); one that reads places loses most when all move. "
    "Distances are up, down, left and right, in pixels of a 512-row portrait; a part is not moved where it would "
    "cover another. On a visible exemplar, parts that "
    "move together still leave their places on that exemplar, so that the index there is a lower bound for "
    "relations among the parts; on plain skin there is no exemplar to leave, but such images may be unlike any "
    "that the classifier knows.",
    "context": "Parts alone are shown on plain skin, grey or noise, in the same places; the canvas alone "
    "has no parts.",
    "inversion": "The Thatcher effect is what eyes and mouth that are turned within a face cost upright, "
    "less what they cost when the whole is upside down; for people it is large. Rotation turns the parts about "
    "their middle, on the exemplar as it is.",
    "interactions": "Shapley values share the score among parts and canvas; interactions say what two "
    "bring only together (above zero) or twice (below). What is not additive is the share of the score's "
    "variance over all 32 ways of blanking that no sum of single parts accounts for.",
    "reach": "A distance is the side of the smallest square that holds the middles of both parts. The "
    "effective field is the side of a square of as many pixels as have a gradient above 4.55 % of the largest "
    "(Luo et al., 2016), of a cell before the last pooling; the theoretical one is of a cell after it. Dense "
    "layers, and the pooling of all cells, may still join what single cells see.",
    "attribution": "Shares of absolute attribution, from a grey image, by exact masks. A share well "
    "above the area's means the method points there; it does not say that relations are used or not.",
}


@dataclass(frozen=True)
class Shown:
    """An image with its caption and the classifier's answer."""

    image: Image
    caption: str
    answer: str


@dataclass(frozen=True)
class Section:
    """A probe on the page."""

    name: str
    title: str
    question: str
    how_to_read: str
    figure: Image | None
    examples: list[Shown]
    rows: list[tuple[str, str, str, str]]
    obstacle: str


def write_audit_report(folder: Path | str) -> Path:
    """Draw the figures of an audit into its folder, and write `report.html`.

    Returns:
        The page's path.

    Raises:
        ConfiguralError: If the folder holds no audit.
    """
    folder = Path(folder)
    audit = Audit.load(folder)
    write_figures(audit, folder)
    page = (
        environment()
        .get_template("audit.html.j2")
        .render(
            name=audit.settings["name"],
            headline=headline(audit),
            sentences=sentences(audit),
            broken=audit.broken,
            index=_index(audit),
            sections=[_section(probe, audit, folder) for probe in PROBES if probe.name in audit.settings["probes"]],
            settings=_settings(audit),
            version=audit.settings["configural"],
        )
    )
    path = folder / "report.html"
    files.write_text(path, page)
    return path


def _index(audit: Audit) -> tuple[str, str] | None:
    if "displacement" not in set(audit.scores["probe"]):
        return None
    index = audit.relation_index()
    if np.isnan(index["value"]):
        return "–", "relation index, undefined"
    value, _, ends = in_words(index, 2).partition(" ")
    return value, f"relation index {ends}"


def _section(probe: Any, audit: Audit, folder: Path) -> Section:
    scores = audit.scores[audit.scores["probe"] == probe.name]
    path = folder / "examples" / f"{probe.name}.json"
    listed = json.loads(path.read_text("utf-8")) if path.is_file() else []
    examples = []
    for one in listed:
        image = embedded(folder / "examples" / one["file"])
        if image is not None:
            asked = one["log_odds"] is not None
            answer = f"log-odds {in_words({'value': one['log_odds'], 'low': np.nan})}" if asked else ""
            examples.append(Shown(image, one["caption"], answer))
    return Section(
        probe.name,
        probe.title,
        probe.question,
        _HOW_TO_READ[probe.name],
        embedded(folder / "figures" / f"{probe.name}.png"),
        examples,
        [_row(row) for row in scores.to_dict("records")],
        audit.left_out.get(probe.name, ""),
    )


def _row(row: Any) -> tuple[str, str, str, str]:
    at = "" if pd.isna(row["at"]) else f"{row['at']:g}"
    share = row["score"] in _SHARES or row["score"].startswith("share_")
    value = in_percent(row) if share else in_words(row, 2)
    said = f"{value}: {row['note']}" if row["note"] and value != "undefined" else row["note"] or value
    return row["score"].replace("_", " "), row["of"].replace("_", " "), at, said


def _settings(audit: Audit) -> dict[str, Rows]:
    settings = audit.settings
    exemplars = audit.scores["exemplars"].max() if len(audit.scores) else 0
    return {
        "Images": [
            ("source", settings["source"], ""),
            ("condition", settings["condition"], ""),
            ("split", settings["split"], ""),
            ("size", f"{settings['image_size']} × {settings['image_size']} pixels", ""),
            ("matched pairs", f"{settings['pairs']:,}", ""),
            ("exemplars", f"{exemplars:,}", "what intervals are drawn over"),
            ("seed", str(settings["seed"]), ""),
        ],
        "Intervals": [
            ("level", "95 %", "bootstrap over exemplars, not images"),
            ("draws", "2,000", "with percentiles widened for few exemplars"),
        ],
    }
