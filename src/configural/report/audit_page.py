"""One self-contained page about an audit, read from its folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configural.audit import Audit, headline, sentences
from configural.audit.probe import ProbeCard
from configural.audit.result import NOT_MEASURED
from configural.io import files
from configural.report.parts import Image, Rows, embedded, environment, plain
from configural.wording import in_percent, in_words


@dataclass(frozen=True)
class Shown:
    """An image with its caption and the classifier's response."""

    image: Image
    caption: str
    response: str


@dataclass(frozen=True)
class Section:
    """A probe on the page."""

    name: str
    card: ProbeCard
    figure: Image | None
    examples: list[Shown]
    rows: list[tuple[str, str, str, str]]
    obstacle: str


def write_audit_report(folder: Path | str) -> Path:
    """Write `report.html` into the folder of an audit.

    Returns:
        The page's path.

    Raises:
        ConfiguralError: If the folder holds no audit.
    """
    folder = Path(folder)
    audit = Audit.load(folder)
    page = (
        environment()
        .get_template("audit.html.j2")
        .render(
            name=audit.facts.name,
            headline=headline(audit),
            sentences=sentences(audit),
            interruption=audit.interruption,
            index=_index(audit),
            sections=[_section(name, card, audit, folder) for name, card in audit.probes.items()],
            settings=_settings(audit),
            version=audit.facts.configural,
        )
    )
    path = folder / "report.html"
    files.write_text(path, page)
    return path


def _index(audit: Audit) -> tuple[str, str] | None:
    index = audit.relation_index()
    if index["note"] == NOT_MEASURED:
        return None
    if np.isnan(index["value"]):
        return "–", "relation index, undefined"
    value, _, ends = in_words(index, 2).partition(" ")
    return value, f"relation index {ends}"


def _section(name: str, card: ProbeCard, audit: Audit, folder: Path) -> Section:
    scores = audit.scores[audit.scores["probe"] == name]
    path = folder / "examples" / f"{name}.json"
    examples = []
    for one in json.loads(path.read_text("utf-8")) if path.is_file() else []:
        image = embedded(folder / "examples" / one["file"])
        if image is not None:
            asked = one["log_odds"] is not None
            response = f"log-odds {in_words({'value': one['log_odds'], 'low': np.nan})}" if asked else ""
            examples.append(Shown(image, one["caption"], response))
    return Section(
        name,
        card,
        embedded(folder / "figures" / f"{name}.png"),
        examples,
        [_row(row, card) for row in scores.to_dict("records")],
        audit.left_out.get(name, ""),
    )


def _row(row: Any, card: ProbeCard) -> tuple[str, str, str, str]:
    at = "" if pd.isna(row["at"]) else f"{row['at']:g}"
    value = in_percent(row) if card.is_fraction(row["score"]) else in_words(row, 2)
    said = f"{value}: {row['note']}" if row["note"] and value != "undefined" else row["note"] or value
    return row["score"].replace("_", " "), row["of"].replace("_", " "), at, said


def _settings(audit: Audit) -> dict[str, Rows]:
    settings, facts = audit.settings, audit.facts
    exemplars = audit.scores["exemplars"].max() if len(audit.scores) else 0
    return {
        "Images": [
            ("source", settings.source, ""),
            ("object", facts.object.replace("_", " "), " or ".join(facts.class_names)),
            ("condition", settings.condition, ""),
            ("split", settings.split, ""),
            ("size", f"{settings.image_size} × {settings.image_size} pixels", ""),
            ("matched pairs", f"{settings.pairs:,}", ""),
            ("exemplars", f"{exemplars:,}", "what intervals are drawn over"),
            ("seed", str(settings.seed), ""),
        ],
        "Classifier": [
            (key.replace("_", " "), plain(value), "")
            for key, value in facts.classifier.items()
            if value is not None
        ],
        "Intervals": [
            ("level", "95 %", "bootstrap over exemplars, not images"),
            ("draws", "2,000", "with percentiles widened for few exemplars"),
        ],
    }
