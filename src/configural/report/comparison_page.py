"""One self-contained page about audits side by side, read from the folder of their comparison."""

from pathlib import Path
from typing import Any

import pandas as pd

from configural import __version__
from configural.audit.comparison import ABOUT, LABELS
from configural.report.parts import embedded, write_page
from configural.wording import in_words, p_value

_ABOUT = (*ABOUT, "audits")


def write_comparison_report(folder: Path | str) -> Path:
    """Write `report.html` into a folder that `compare_audits` wrote; returns its path."""
    folder = Path(folder)
    summary, differences = (pd.read_csv(folder / f"{name}.csv") for name in ("comparison", "differences"))
    about = pd.read_csv(folder / "comparison.csv", dtype=str, keep_default_na=False)
    headings = [name.removesuffix("_low") for name in summary if name.endswith("_low")]
    tested = differences[differences["note"].isna()].to_dict("records")
    return write_page(
        folder,
        "comparison.html.j2",
        about=[(key.replace("_", " "), list(about[key])) for key in _ABOUT if any(about[key])],
        audits=summary.to_dict("records"),
        scores=[
            (_label(heading), [_score(row, heading) for row in summary.to_dict("records")]) for heading in headings
        ],
        differences=[_difference(row) for row in tested],
        why_not=sorted(set(differences["note"].dropna())),
        curves=embedded(folder, "curves.png"),
        figure=embedded(folder, "comparison.png"),
        version=__version__,
    )


def _label(heading: str) -> str:
    return LABELS.get(heading, heading.replace("_", " "))


def _score(row: Any, heading: str) -> str:
    score = {"value": row[heading], "low": row[f"{heading}_low"], "high": row[f"{heading}_high"]}
    return "–" if pd.isna(score["value"]) else in_words(score, 2)


def _difference(row: Any) -> dict[str, Any]:
    value = in_words({**row, "value": row["difference"]}, 3)
    told = {"score": _label(row["score"]), "value": value}
    return {**row, **told, "p": p_value(row["p"]), "p_holm": p_value(row["p_holm"])}
