"""One self-contained page about an audit, read from its folder."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, FiniteFloat, StringConstraints
from scipy.special import expit

from configural.audit import Audit, everyday, headline, sentences
from configural.audit.parts import in_short
from configural.audit.probe import PROBABILITY, ProbeCard
from configural.audit.result import NOT_MEASURED
from configural.audit.verdict import stated
from configural.evaluation import save_figure
from configural.io import manifest
from configural.io.reading import read_json
from configural.report.parts import embedded, write_page
from configural.report.settings import Rows, plain, weights
from configural.wording import in_percent, in_words, probability, without_folders

_IN_ALT = 12
"""So many scores at most are read out with a figure."""


def write_audit_report(folder: Path | str) -> Path:
    """Write `report.html`, and the chart of the parts in `figures`, into the folder of an audit.

    Returns:
        The page's path.

    Raises:
        ConfiguralError: If the folder holds no audit.
    """
    folder = Path(folder)
    audit = Audit.load(folder)
    chart = audit.plot_parts()
    if chart is not None:
        written = save_figure(chart, folder / "figures" / "parts.png")
        manifest.renew(folder, *(f"figures/{one.name}" for one in written))
    return write_page(
        folder,
        "audit.html.j2",
        name=audit.facts.name,
        headline=headline(audit),
        everyday=everyday(audit),
        sentences=sentences(audit),
        interruption=audit.interruption,
        scales=_scales(audit),
        parts=None if chart is None else embedded(folder, "figures", "parts.png"),
        parts_in_short="" if chart is None else in_short(audit),
        sections=[_section(name, card, audit, folder) for name, card in audit.probes.items()],
        settings=_settings(audit),
        source=audit.settings.source,
        version=audit.facts.configural,
    )


def _scales(audit: Audit) -> list[dict[str, Any]]:
    """The numbers that stand for the audit on their scales, beside what observers of known strategy have there."""
    parts, found = len(audit.facts.parts), []
    for heading, title, start, position in (
        ("relational_fraction", "Relational fraction", 0, [0.0]),
        # Each of n parts that move costs an observer of positions as much as one: (1 − n) / (1 + n).
        ("index", "Relation index", -1, [(1 - parts) / (1 + parts)] if parts else []),
    ):
        score = stated(audit, heading)
        if score["note"] == NOT_MEASURED:
            continue
        known = not np.isnan(score["value"])
        found.append(
            {
                "title": title,
                "value": in_words(score, 2) if known else "undefined",
                "note": "" if known else str(score["note"]).removeprefix("undefined: "),
                "at": f"{score['at']:g}",
                "start": start,
                "numbers": [float(score[key]) for key in ("value", "low", "high")] if known else None,
                "observers": [*(("position observer", at) for at in position), ("relation observer", 1.0)],
            }
        )
    return found


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
    rows = [_row(row, card) for row in scores.to_dict("records")]
    read_out = [" ".join(filter(None, row)) for row in rows if not row[0].startswith(PROBABILITY)]
    return {
        "name": name,
        "card": card,
        "figure": embedded(folder, "figures", f"{name}.png"),
        "in_short": "; ".join(read_out[:_IN_ALT]) + ("; more in the table" if len(read_out) > _IN_ALT else ""),
        "examples": [
            {"image": image, "caption": one.caption, "response": _response(one.log_odds, audit)}
            for one in listed
            if (image := embedded(folder, "examples", one.file))
        ],
        "rows": rows,
        "obstacle": audit.left_out.get(name, ""),
    }


def _response(log_odds: float | None, audit: Audit) -> tuple[str, str] | None:
    """The probability of the correct class, and its log-odds."""
    if log_odds is None:
        return None
    nats = in_words({"value": log_odds, "low": np.nan})
    return f"P({audit.facts.class_names[1]}) {probability(float(expit(log_odds)))}", f"{nats} nats"


def _row(row: Any, card: ProbeCard) -> tuple[str, str, str, str]:
    at = "" if pd.isna(row["at"]) else f"{row['at']:g}"
    value = in_percent(row) if card.is_fraction(row["score"]) else in_words(row, 2)
    said = f"{value}: {row['note']}" if row["note"] and value != "undefined" else row["note"] or value
    return row["score"].replace("_", " "), row["of"].replace("_", " "), at, said


def _settings(audit: Audit) -> dict[str, Rows]:
    settings, facts = audit.settings, audit.facts
    exemplars = audit.scores["exemplars"].max() if len(audit.scores) else 0
    told = {key: value for key, value in facts.classifier.items() if value is not None and key != "positive"}
    positive = facts.classifier.get("positive", "")
    return {
        "Images": [
            ("source", without_folders(settings.source), ""),
            ("object", facts.object.replace("_", " "), " or ".join(facts.class_names)),
            ("condition", without_folders(settings.condition), ""),
            ("split", settings.split, ""),
            ("size", f"{settings.image_size} × {settings.image_size} pixels", ""),
            ("matched pairs", f"{settings.pairs:,}", ""),
            ("exemplars", f"{exemplars:,}", "what intervals are drawn over"),
            ("seed", str(settings.seed), ""),
        ],
        "Classifier": [
            ("name", facts.name, ""),
            *weights({"weights": facts.weights}),
            *([(f"class taken as {facts.class_names[1]}", plain(positive), "")] if positive != "" else []),
            *((key.replace("_", " "), plain(value), "") for key, value in told.items()),
        ],
        "Intervals": [
            ("level", "95 %", "bootstrap over exemplars, not images"),
            ("draws", "2,000", "with percentiles widened for few exemplars"),
        ],
        "Machine": [
            *([("date", facts.date, "")] if facts.date else []),
            ("device", settings.device, ""),
            ("configural", facts.configural, ""),
            *((name, value, "") for name, value in facts.versions.items()),
        ],
    }
