"""Several audits side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from configural.audit import plotting
from configural.audit.result import Audit
from configural.errors import ConfiguralError
from configural.evaluation import save_figure
from configural.io import files
from configural.io.files import refuse_used

LABELS = {"index": "relation index", "choice": "correct arrangement preferred", "accuracy": "accuracy"}
"""Headings in words; others are told by their own name."""


@dataclass(frozen=True, eq=False)
class AuditComparison:
    """Several audits side by side.

    Attributes:
        summary: One row per audit: name (with the audit's folder where names are alike), source, condition,
            image_size, seed, and each score that stands for one of the audits' probes, with its interval; also why
            the relation index is undefined.
        scores: Every score of every audit, with a column `folder`.
        headings: The scores in the summary by column, and whether each is a fraction, shown as per cent.
    """

    summary: pd.DataFrame
    scores: pd.DataFrame
    headings: dict[str, bool]

    def figure(self) -> Figure:
        """A panel for each heading, a dot with its interval for each audit."""
        across, rows = min(2, len(self.headings)), -(-len(self.headings) // 2)
        with plotting.panels(across, 0.6 * len(self.summary) + 1.8, rows=rows) as (figure, panels):
            for axes in panels[len(self.headings) :]:
                axes.set_axis_off()
            for number, (heading, fraction) in enumerate(self.headings.items()):
                axes, columns = panels[number], [heading, f"{heading}_low", f"{heading}_high"]
                scores = self.summary[columns].set_axis(["value", "low", "high"], axis=1)
                names = [""] * len(scores) if number % 2 else list(self.summary["name"])
                label = LABELS.get(heading, heading.replace("_", " "))
                if fraction:
                    plotting.fraction_dots(axes, scores, names, label, chance=heading in ("choice", "accuracy"))
                else:
                    plotting.dots(axes, scores, names)
                    axes.axvline(0, color=plotting.GREY, linewidth=1)
                    axes.set_xlabel(label)
                if heading == "index":
                    axes.set_xlim(-1.05, 1.05)
        return figure


def compare_audits(folders: Sequence[Path | str], out: Path | str | None = None) -> AuditComparison:
    """Put audits side by side.

    Args:
        folders: Of audits.
        out: Where to write comparison.csv, scores.csv and comparison.png; nothing is written by default.

    Raises:
        ConfiguralError: If one of them is no audit, or there are fewer than two.
    """
    if len(folders) < 2:
        raise ConfiguralError("a comparison needs two folders of audits or more")
    folder = None if out is None else Path(out)
    if folder is not None:
        refuse_used(folder)
    audits = [Audit.load(folder) for folder in folders]
    headings = {
        heading: audit.probes[probe].is_fraction(which.score)
        for audit in audits
        for heading, (probe, which) in audit.summary().items()
    }
    headings = {heading: headings[heading] for heading in sorted(headings, key=lambda one: one != "index")}
    summary = pd.DataFrame([_summary(audit, list(headings)) for audit in audits])
    alike = summary["name"].duplicated(keep=False)
    where = [Path(each).resolve().name for each in folders]
    summary["name"] = summary["name"].where(~alike, summary["name"] + [f" ({name})" for name in where])
    tables = [audit.scores.assign(folder=str(each)) for audit, each in zip(audits, folders, strict=True)]
    done = AuditComparison(summary, pd.concat(tables, ignore_index=True), headings)
    if folder is not None:
        files.write_text(folder / "comparison.csv", done.summary.to_csv(index=False))
        files.write_text(folder / "scores.csv", done.scores.to_csv(index=False))
        if headings:
            save_figure(done.figure(), folder / "comparison.png")
    return done


def _summary(audit: Audit, headings: list[str]) -> dict[str, Any]:
    settings = audit.settings
    row: dict[str, Any] = {"name": audit.facts.name, "source": settings.source, "condition": settings.condition}
    row |= {"image_size": settings.image_size, "seed": settings.seed}
    for heading in headings:
        score = audit.headed(heading)
        row |= {heading: score["value"], f"{heading}_low": score["low"], f"{heading}_high": score["high"]}
        if heading == "index":
            row["index_note"] = score["note"]
    return row
