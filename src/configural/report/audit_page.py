"""One self-contained page about an audit, read from its folder."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, FiniteFloat, StringConstraints

from configural.audit import Audit, headline, sentences
from configural.audit.probe import ProbeCard
from configural.audit.result import NOT_MEASURED
from configural.io import manifest
from configural.io.reading import read_json
from configural.report.parts import Rows, embedded, plain, write_page
from configural.wording import in_percent, in_words


def write_audit_report(folder: Path | str) -> Path:
    """Write `report.html` into the folder of an audit; returns its path.

    Raises:
        ConfiguralError: If the folder holds no audit.
    """
    folder = Path(folder)
    audit = Audit.load(folder)
    return write_page(
        folder,
        "audit.html.j2",
        name=audit.facts.name,
        headline=headline(audit),
        sentences=sentences(audit),
        interruption=audit.interruption,
        index=_index(audit),
        sections=[_section(name, card, audit, folder) for name, card in audit.probes.items()],
        settings=_settings(audit),
        version=audit.facts.configural,
    )


def _index(audit: Audit) -> tuple[str, str] | None:
    index = audit.relation_index()
    if index["note"] == NOT_MEASURED:
        return None
    if np.isnan(index["value"]):
        return "–", "relation index, undefined"
    value, _, ends = in_words(index, 2).partition(" ")
    return value, f"relation index {ends}"


class _Listed(BaseModel):
    """An example in a probe's list."""

    file: Annotated[str, StringConstraints(pattern=r"^\w+\.png$")]
    caption: str
    log_odds: FiniteFloat | None


def _section(name: str, card: ProbeCard, audit: Audit, folder: Path) -> dict[str, Any]:
    """A probe on the page."""
    scores = audit.scores[audit.scores["probe"] == name]
    manifest.refuse_changed(folder, f"examples/{name}.json")
    path = folder / "examples" / f"{name}.json"
    listed = read_json(path, list[_Listed], "a list of examples") if path.is_file() else []
    return {
        "name": name,
        "card": card,
        "figure": embedded(folder, "figures", f"{name}.png"),
        "examples": [
            {
                "image": image,
                "caption": one.caption,
                "response": f"log-odds {in_words({'value': one.log_odds, 'low': np.nan})}"
                if one.log_odds is not None
                else "",
            }
            for one in listed
            if (image := embedded(folder, "examples", one.file))
        ],
        "rows": [_row(row, card) for row in scores.to_dict("records")],
        "obstacle": audit.left_out.get(name, ""),
    }


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
