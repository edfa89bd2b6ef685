"""Several audits side by side, and what differs between them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import stdtr

from configural.audit import plotting
from configural.audit.intervals import interval
from configural.audit.people import People, read_answers
from configural.audit.probes.displacement import ALL, ONE
from configural.audit.publishing import publication_of_several
from configural.audit.result import Audit
from configural.audit.verdict import stated
from configural.errors import ConfiguralError
from configural.evaluation import as_html, save_figure
from configural.evaluation.figures import figure_of, styled, titled
from configural.io import files
from configural.io.files import refuse_used
from configural.wording import without_folders

LABELS = {"index": "relation index", "choice": "correct arrangement preferred", "accuracy": "accuracy"}
"""Headings in words; others are told by their own name."""

_PLAIN = ("index", "relational_fraction")
"""Headings of plain numbers; of others that are no fractions the unit is that of log-odds."""

ABOUT = (
    *("source", "condition", "split", "pairs", "image_size", "seed", "weights", "class", "preparation", "versions"),
    *("date", "device"),
)
"""What the summary says of each audit besides its scores: `weights` are the first digits of their SHA-256, `class`
is the one taken as the correct one."""

_SAME_IMAGES = ("source", "condition", "split", "pairs", "seed")
"""Settings of which audits with the same values, and the same exemplars, show the same stimuli."""

_DIFFERENCES = ("first", "second", "score", "difference", "low", "high", "p", "p_holm", "note")
OTHER_IMAGES = "other images: audit both with the same source, condition, split, pairs and seed"
NO_DRAWS = "no draws of exemplars are stored: audit again"


@dataclass(frozen=True, eq=False)
class AuditComparison:
    """Several audits side by side.

    Attributes:
        summary: One row per audit, or per group of audits: name (with the audit's folder where names are alike),
            what it was made of (`ABOUT`), audits (how many), and each score that stands for one of the
            audits' probes, with its interval and, of a group, its standard deviation over audits; also why the
            relation index is undefined.
        scores: Every score of every audit, with a column `folder`.
        headings: The scores in the summary by column, and whether each is a fraction, shown as per cent.
        differences: One row per two rows of the summary and score: first less second with its interval, p, and p
            corrected for all rows of this table (Holm, 1979); or in `note` why they cannot be compared.
        names: By the column `folder` of the scores, what the audit in it is called.
    """

    summary: pd.DataFrame
    scores: pd.DataFrame
    headings: dict[str, bool]
    differences: pd.DataFrame
    names: Mapping[str, str] = field(default_factory=dict)

    def figure(self) -> Figure:
        """A panel for each heading that any has a value under, a dot with its interval for each audit.

        As wide as two columns of a paper: at 18 cm its letters have about 9 points.
        """
        shown = {name: fraction for name, fraction in self.headings.items() if self.summary[name].notna().any()}
        shown = shown or self.headings
        across, rows = min(2, len(shown)), -(-len(shown) // 2)
        with plotting.panels(across, 0.5 * len(self.summary) + 1.3, rows=rows) as (figure, panels):
            for axes in panels[len(shown) :]:
                axes.set_axis_off()
            for number, (heading, fraction) in enumerate(shown.items()):
                axes, columns = panels[number], [heading, f"{heading}_low", f"{heading}_high"]
                scores = self.summary[columns].set_axis(["value", "low", "high"], axis=1)
                names = [""] * len(scores) if number % 2 else [fill(name, 24) for name in self.summary["name"]]
                label = LABELS.get(heading, heading.replace("_", " "))
                if fraction:
                    chance = 0.5 if heading in ("choice", "accuracy") else None
                    plotting.fraction_dots(axes, scores, names, label, chance=chance, missing="no value")
                else:
                    plotting.dots(axes, scores, names, missing="no value")
                    axes.axvline(0, color=plotting.GREY, linewidth=1, zorder=1)
                    axes.set_xlabel(label if heading in _PLAIN else f"{label} (log-odds)")
                if heading == "index":
                    axes.set_xlim(-1.05, 1.05)
        return figure

    def plot_curves(self, axes: Axes | None = None) -> Figure | None:
        """The log-odds drops of one part and of all parts moved, of each audit over the others'; None if no two.

        Args:
            axes: To draw on; by default those of a new figure.
        """
        drops = self.scores[(self.scores["probe"] == "displacement") & (self.scores["score"] == "drop")]
        if drops["folder"].nunique() < 2:
            return None
        with styled():
            axes = titled((9.6, 4.8), "", axes=axes)
            for number, (folder, rows) in enumerate(drops.groupby("folder", sort=False)):
                look = plotting.LOOKS[number % len(plotting.LOOKS)]
                for of, line in ((ONE, plotting.SOLID), (ALL, plotting.DASHED)):
                    mine = rows[rows["of"] == of].sort_values("at")
                    label = f"{self.names.get(str(folder), str(folder))}: {of}"
                    style: dict[str, Any] = {**look, "linestyle": line["linestyle"], "linewidth": 2.2}
                    axes.plot([0, *mine["at"]], [0, *mine["value"]], label=label, **style)
                    band = {"color": look["color"], "alpha": 0.12, "linewidth": 0}
                    axes.fill_between(mine["at"], mine["low"], mine["high"], **band)
            axes.axhline(0, color=plotting.GREY, linewidth=1)
            axes.set_xlabel("moved by (1/512 of the longer side)")
            axes.set_ylabel("log-odds drop")
            plotting.grid(axes, "y")
            plotting.legend_beside(axes)
        return figure_of(axes)

    def _repr_html_(self) -> str:
        """The comparison in a notebook: the scores, and both figures."""
        figures = [self.figure(), self.plot_curves()] if self.headings else []
        shown = "".join(as_html(figure, "Audits compared") for figure in figures if figure is not None)
        return str(self.summary[["name", *self.headings]].round(3).to_html(index=False)) + shown


@dataclass(frozen=True, eq=False)
class _Row:
    """One audit, or some that count as one."""

    name: str
    audits: tuple[Audit, ...]

    def score(self, heading: str) -> dict[str, Any]:
        """Value and interval; of several audits their mean, over audits and exemplars, and their deviation."""
        if len(self.audits) == 1:
            return {**stated(self.audits[0], heading), "deviation": np.nan}
        found = [stated(audit, heading) for audit in self.audits]
        values = np.array([one["value"] for one in found], float)
        draws, exemplars = self.draws(heading)
        low, high = (np.nan, np.nan) if draws is None else interval(draws, exemplars)
        return {
            "value": float(values.mean()),  # nan where one of them is
            "low": low,
            "high": high,
            "deviation": float(values.std(ddof=1)),
            "note": next((str(one["note"]) for one in found if one["note"]), ""),
        }

    def draws(self, heading: str) -> tuple[np.ndarray | None, int]:
        """The score in each draw of exemplars, and of audits where there are several; and how many exemplars."""
        if any(heading not in audit.draws for audit in self.audits):
            return None, 0
        exemplars = min(int(stated(audit, heading)["exemplars"]) for audit in self.audits)
        drawn = np.stack([audit.draws[heading] for audit in self.audits])
        mean, k = drawn.mean(axis=0), len(self.audits)
        if k == 1:
            return mean, exemplars
        values = np.array([stated(audit, heading)["value"] for audit in self.audits], float)
        chosen = np.random.default_rng(k).integers(k, size=(drawn.shape[1], k))
        # A mean of k audits drawn again varies less than one of k others by the root of (k − 1) / k.
        return mean + np.sqrt(k / (k - 1)) * (values[chosen].mean(axis=1) - values.mean()), exemplars


def compare_audits(
    folders: Sequence[Path | str],
    out: Path | str | None = None,
    *,
    write_page: Callable[[Path], object] | None = None,
) -> AuditComparison:
    """Put audits side by side, and test the differences between those of the same stimuli.

    Differences are drawn in pairs: in each draw both have the same exemplars. p is that of Student's t for the
    difference over its standard deviation in these draws.

    Args:
        folders: Of audits, and files of people's answers (.csv, a row for each choice between a correct and a
            scrambled arrangement, with the columns participant and correct); `name=folder,folder` stands for
            several that count as one row, such as a network's trainings by other seeds: their mean, with an
            interval over exemplars and audits.
        out: Where to write comparison.csv, differences.csv, scores.csv, and as PNG, SVG and PDF comparison and
            curves; of audits that came to their end also comparison.tex, methods.tex and references.bib, for a
            paper. Nothing is written by default.
        write_page: Makes the page in that folder.

    Raises:
        ConfiguralError: If one of them is no audit, or there are fewer than two.
    """
    if len(folders) < 2:
        raise ConfiguralError("a comparison needs two folders of audits or more")
    folder = None if out is None else Path(out)
    if folder is not None:
        refuse_used(folder)
    people = [read_answers(Path(each)) for each in folders if str(each).endswith(".csv")]
    named = [_named(each) for each in folders if not str(each).endswith(".csv")]
    if not named:
        raise ConfiguralError("a comparison needs the folder of an audit beside what people chose")
    loaded = {path: Audit.load(path) for _, paths in named for path in paths}
    rows: list[_Row | People] = [_Row(name, tuple(loaded[path] for path in paths)) for name, paths in named]
    rows += people
    headings = {
        heading: audit.probes[probe].is_fraction(which.score)
        for audit in loaded.values()
        for heading, (probe, which) in audit.summary().items()
    }
    headings = {heading: headings[heading] for heading in sorted(headings, key=lambda one: one != "index")}
    summary = pd.DataFrame([_summary(row, list(headings)) for row in rows])
    alike = summary["name"].duplicated(keep=False)
    where = [Path(paths[0]).resolve().name for _, paths in named] + [one.name for one in people]
    summary["name"] = summary["name"].where(~alike, summary["name"] + [f" ({name})" for name in where])
    scores = pd.concat([audit.scores.assign(folder=path) for path, audit in loaded.items()], ignore_index=True)
    rows = [replace(row, name=name) for name, row in zip(summary["name"], rows, strict=True)]
    names = {
        path: row.name if len(row.audits) == 1 else f"{row.name} ({number})"
        for row, (_, paths) in zip(rows, named, strict=False)
        for number, path in enumerate(paths, 1)
    }
    done = AuditComparison(summary, scores, headings, _differences(rows, list(headings)), names)
    if folder is not None:
        if any(audit.interruption for audit in loaded.values()):
            files.write_text(folder / "comparison.csv", done.summary.to_csv(index=False))
        else:
            audits = {row.name: row.audits for row in rows}
            paper = publication_of_several(audits, summary, headings, differences=done.differences)
            paper.write(folder, "comparison")
        files.write_text(folder / "differences.csv", done.differences.to_csv(index=False))
        shared = done.scores.assign(folder=done.scores["folder"].map(without_folders))
        files.write_text(folder / "scores.csv", shared.to_csv(index=False))
        if headings:
            save_figure(done.figure(), folder / "comparison.png")
        if (curves := done.plot_curves()) is not None:
            save_figure(curves, folder / "curves.png")
        if write_page is not None:
            write_page(folder)
    return done


def _named(given: Path | str) -> tuple[str, list[str]]:
    """The name of a row and the folders of its audits."""
    name, equals, rest = str(given).partition("=")
    if not equals or Path(str(given)).exists():
        return "", [str(given)]
    paths = [path for path in rest.split(",") if path]
    if not name or not paths:
        raise ConfiguralError(f"'{given}': write name=folder,folder for audits that count as one")
    return name, paths


def _summary(row: _Row | People, headings: list[str]) -> dict[str, Any]:
    several = len(row.audits) > 1
    found: dict[str, Any] = {"name": row.name, **dict.fromkeys(ABOUT, "")}
    if row.audits:
        first = row.audits[0]
        settings = first.settings
        seeds = dict.fromkeys(audit.settings.seed for audit in row.audits)
        told = first.facts.classifier
        found["name"] = row.name or first.facts.name
        found |= {"source": without_folders(settings.source), "condition": without_folders(settings.condition)}
        found |= {name: getattr(settings, name) for name in ("split", "pairs", "image_size", "device")}
        found["seed"] = ", ".join(map(str, seeds)) if len(seeds) > 1 else settings.seed
        found["weights"] = ", ".join(audit.facts.weights[:16] for audit in row.audits)
        found |= {"class": told.get("positive", ""), "preparation": told.get("preparation", "")}
        versions = {"configural": first.facts.configural, **first.facts.versions}
        found["versions"] = ", ".join(f"{name} {each}" for name, each in versions.items())
        found["date"] = ", ".join(dict.fromkeys(audit.facts.date for audit in row.audits))
    found["audits"] = len(row.audits)
    for heading in headings:
        score = row.score(heading)
        found |= {heading: score["value"], f"{heading}_low": score["low"], f"{heading}_high": score["high"]}
        if several:
            found[f"{heading}_deviation"] = score["deviation"]
        if heading == "index":
            found["index_note"] = score["note"]
    return found


def _differences(rows: Sequence[_Row | People], headings: Sequence[str]) -> pd.DataFrame:
    found = []
    for one, other in combinations(rows, 2):
        if isinstance(one, People) or isinstance(other, People):
            continue  # whose images are not known here
        same = _alike([*one.audits, *other.audits])
        for heading in headings:
            said: dict[str, Any] = {"first": one.name, "second": other.name, "score": heading}
            found.append({**dict.fromkeys(_DIFFERENCES, np.nan), **said, **_difference(one, other, heading, same)})
    table = pd.DataFrame(found, columns=list(_DIFFERENCES))
    table["p_holm"] = holm(table["p"].to_numpy(float))
    return table


def _difference(one: _Row, other: _Row, heading: str, same: bool) -> dict[str, Any]:
    if not same:
        return {"note": OTHER_IMAGES}
    (first, exemplars), (second, also) = one.draws(heading), other.draws(heading)
    values = one.score(heading)["value"], other.score(heading)["value"]
    if np.isnan(values).any():
        return {"note": "undefined in one of them"}
    if first is None or second is None or len(first) != len(second) or exemplars != also:
        return {"note": NO_DRAWS if first is None or second is None else OTHER_IMAGES}
    difference, draws = values[0] - values[1], first - second
    low, high = interval(draws, exemplars)
    spread = float(np.nanstd(draws))
    # Draws are stored with seven digits.
    if spread <= 1e-6 * max(1.0, *map(abs, values)):
        p = float(abs(difference) <= 1e-6)
    else:
        p = float(2 * stdtr(exemplars - 1, -abs(difference) / spread)) if exemplars > 1 else np.nan
    return {"difference": difference, "low": low, "high": high, "p": p, "note": ""}


def _alike(audits: Sequence[Audit]) -> bool:
    """Whether all of them show the same stimuli."""
    shown = {
        (audit.facts.fingerprint, *(getattr(audit.settings, name) for name in _SAME_IMAGES)) for audit in audits
    }
    settings = [{name: tuple(card.settings.items()) for name, card in audit.probes.items()} for audit in audits]
    common = set.intersection(*(set(one) for one in settings))
    return len(shown) == 1 and all(len({one[name] for one in settings}) == 1 for name in common)


def holm(p: np.ndarray) -> np.ndarray:
    """p-values corrected for their number (Holm, 1979); nan stays and does not count.

    Example:
        >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
        [0.03, 0.06, 0.06]
    """
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    corrected = np.full(len(p), np.nan)
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return corrected
