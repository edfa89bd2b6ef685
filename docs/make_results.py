"""Train and audit the networks of the findings, and write their pages from what was measured.

Usage: make results FASSEG=FOLDER, or python docs/make_results.py --fasseg FOLDER --work FOLDER

Training, audits and pages are steps of their own. What is finished in the work folder is not done again, and
without --work the pages alone are written again, from results/audits.csv. So no figure on them is typed in, and a
statement that the table does not bear out stops the script.
"""

import argparse
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

import configural as cf
from configural.audit import Audit, headline
from configural.audit.verdict import backgrounds, stated
from configural.evaluation import save_figure
from configural.evaluation.metrics import read_metrics
from configural.wording import in_percent, in_words

HERE = Path(__file__).parent
RESULTS = HERE / "results"
TABLE = RESULTS / "audits.csv"
PAGES = ("findings.md", "houses.md")
NETWORKS = ("cnn-15", "cnn-13", "fcn-16", "fcn-14")
PAIRS = 60
CONDITIONS = {
    "baseline": ("#d55e00", "s", "trained on baseline: parts at their positions"),
    "floating+matched": ("#0072b2", "o", "trained on floating parts"),
}
"""Colour, marker and words of each condition; Okabe and Ito's colours, which colour-blind readers distinguish."""

STUDIES = (
    ("FASSEG portraits", "fasseg", "baseline", "baseline"),
    ("FASSEG portraits", "fasseg", "floating+matched", "floating"),
    ("painted faces", "synthetic", "baseline", "baseline"),
    ("painted faces", "synthetic", "floating+matched", "floating_larger"),
    ("houses", "houses", "baseline", "baseline"),
    ("houses", "houses", "floating+matched", "floating_larger"),
)
"""Exemplars, their source, what the parts do, and the plan in results/."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the pages' tables, and where an audit has it.

    Attributes:
        label: Its words.
        probe: The probe.
        score: The score's name.
        of: What it is measured of; PLAIN and OWN stand for a surface without canvas and for the audit's own.
        at: At which distance or angle.
        fraction: Whether it is written in percent.
        digits: After the point, where it is not.
    """

    label: str
    probe: str
    score: str
    of: str | None = None
    at: float | None = None
    fraction: bool = False
    digits: int = 1


PLAIN, OWN = "plain background", "own background"
ROWS = {
    row.name: Row(
        label=row.label,
        probe=row.probe,
        score=row.score,
        of=None if pd.isna(row.of) else row.of,
        at=None if pd.isna(row.at) else row.at,
        fraction=row.unit == "%",
        digits=row.digits,
    )
    for row in pd.read_csv(RESULTS / "rows.csv").itertuples(index=False)
}
"""The rows of the pages' tables, by the names that the templates have for them."""

ACCURACY, VERDICT = "accuracy", "verdict"


def train(work: Path, fasseg: Path) -> None:
    """Carry out the studies, two trainings at a time."""
    for _, source, _, plan in STUDIES:
        given = f"fasseg:{fasseg.absolute()}" if source == "fasseg" else source
        with chdir(RESULTS):
            cf.run_study(Path(f"{plan}.yaml"), given, out=work / f"{source}-{plan}")


def audits(work: Path) -> Iterator[tuple[str, str, str, float, Audit]]:
    """Each network's exemplars, condition, name, test accuracy and audit, which is made if it is not there."""
    for exemplars, source, condition, plan in STUDIES:
        for network in NETWORKS:
            (run,) = (work / f"{source}-{plan}" / "runs").glob(f"{network}-*")
            accuracy = read_metrics(run / "metrics.json")["test_accuracy"]
            out = work / "audits" / f"{source}-{plan}-{network}"
            with chdir(RESULTS):  # where a condition's file is found
                audit = cf.audit.audit_saved(run, out, pairs=PAIRS, resume=True)
            yield exemplars, condition, network, accuracy, audit


def table(work: Path) -> pd.DataFrame:
    """What the pages tell of each network: a row per score, and its verdict in words."""
    rows: list[dict[str, Any]] = []
    for exemplars, condition, network, accuracy, audit in audits(work):
        which = {"exemplars_of": exemplars, "condition": condition, "network": network}
        rows.append({**which, "score": ACCURACY, "value": accuracy})
        rows.append({**which, "score": VERDICT, "note": headline(audit)})
        for name, row in (ROWS | _shapley(audit)).items():
            rows.append({**which, "score": name, **_found(audit, row)})
    return pd.DataFrame(rows)


def _shapley(audit: Audit) -> dict[str, Row]:
    return {
        f"shapley_{part}": Row(label=part, probe="interactions", score="shapley", of=part)
        for part in audit.scores.query("score == 'shapley'")["of"]
        if part != "canvas"
    }


def _found(audit: Audit, row: Row) -> dict[str, Any]:
    scores = audit.scores[
        (audit.scores["probe"] == row.probe) & (audit.scores["score"] == _named(audit, row.score))
    ]
    of = row.of
    if of == PLAIN:
        of = backgrounds(audit)[0]
    if of == OWN:  # which comes first
        of = scores["of"].iloc[0] if len(scores) else None
    for column, wanted in (("of", of), ("at", row.at)):
        if wanted is not None:
            scores = scores[scores[column] == wanted]
    if not len(scores):
        return {"note": "not measured"}
    found = dict(scores.iloc[0])
    if row.score == "relational_fraction":
        found = {**found, **stated(audit, row.score)}
    return {name: found[name] for name in ("value", "low", "high", "exemplars", "images", "note")}


def _named(audit: Audit, score: str) -> str:
    return score.replace("face", audit.facts.class_names[1])


class Findings:
    """What the pages' templates are given."""

    def __init__(self, results: pd.DataFrame) -> None:
        self._results = results
        keys = ("exemplars_of", "condition", "network", "score")
        rows = results.drop_duplicates(list(keys)).to_dict("records")
        self._rows = {tuple(row[key] for key in keys): row for row in rows}

    def _one(self, exemplars: str, condition: str, network: str, score: str) -> Mapping[str, Any]:
        unknown = {"value": np.nan, "note": "not measured"}
        return self._rows.get((exemplars, condition, network, score), unknown)

    def say(self, exemplars: str, condition: str, network: str, score: str) -> str:
        """A score with its interval."""
        found = self._one(exemplars, condition, network, score)
        if score == VERDICT:
            return str(found["note"])
        if np.isnan(found["value"]):
            return "–"
        if score == ACCURACY:
            return f"{100 * found['value']:.1f} %".replace("100.0", "100")
        row = ROWS.get(score)
        return in_percent(found) if row and row.fraction else in_words(found, row.digits if row else 1)

    def number(self, exemplars: str, condition: str, network: str, score: str) -> float:
        """A score alone."""
        return float(self._one(exemplars, condition, network, score)["value"])

    def all(
        self,
        score: str,
        *,
        exemplars: Sequence[str] = (),
        condition: str = "",
        networks: Sequence[str] = NETWORKS,
        end: str = "value",
    ) -> list[float]:
        """A score of all networks, or of those of some exemplars or a condition, where it is defined."""
        found = self._results[(self._results["score"] == score) & self._results["network"].isin(networks)]
        if exemplars:
            found = found[found["exemplars_of"].isin(exemplars)]
        if condition:
            found = found[found["condition"] == condition]
        return [float(value) for value in found[end] if not np.isnan(value)]

    def exceeds(self, score: str, other: str, *, exemplars: Sequence[str]) -> bool:
        """Whether each network has more of a score than of another."""
        chosen = self._results[self._results["exemplars_of"].isin(exemplars)]
        keys = ["exemplars_of", "condition", "network"]
        one, two = (chosen[chosen["score"] == name].set_index(keys)["value"] for name in (score, other))
        return bool((one > two).all())

    def span(self, score: str, **of: Any) -> str:
        """The lowest and the highest value of a score, of what `all` is given."""
        row, values = ROWS.get(score), self.all(score, **of)
        if score == ACCURACY or (row and row.fraction):
            low, high = (
                f"{100 * value:.1f}".replace("100.0", "100").removesuffix(".0")
                for value in (min(values), max(values))
            )
            return f"{high} %" if low == high else f"{low} to {high} %"
        digits = row.digits if row else 1
        low, high = (
            f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−") for value in (min(values), max(values))
        )
        return high if low == high else f"{low} to {high}"

    def table(self, exemplars: str, condition: str) -> str:
        """The networks' scores beside each other, as Markdown."""
        here = self._results[
            (self._results["exemplars_of"] == exemplars) & (self._results["condition"] == condition)
        ]
        shapley = [name for name in dict.fromkeys(here["score"]) if name.startswith("shapley_")]
        labels = {ACCURACY: "test images correct"} | {name: row.label for name, row in ROWS.items()}
        labels |= {name: f"Shapley value, {name[8:].replace('_', ' ')}, nats" for name in shapley}
        lines = [f"| | {' | '.join(NETWORKS)} |", "|---" * (1 + len(NETWORKS)) + "|"]
        for name, label in labels.items():
            cells = [self.say(exemplars, condition, network, name) for network in NETWORKS]
            lines.append(f"| {label} | {' | '.join(cells)} |")
        return "\n".join(lines)

    def verdicts(self, exemplars: str, condition: str) -> str:
        """What the audit says of each network, as a list."""
        return "\n".join(f"- {one}: {self.say(exemplars, condition, one, VERDICT)}." for one in NETWORKS)


def borne_out(statement: bool) -> str:
    """Nothing, where the table bears a sentence out."""
    if not statement:
        raise ValueError("a sentence of the page is not borne out by the table")
    return ""


def render(results: pd.DataFrame) -> dict[str, str]:
    """The pages by name."""
    plans = {f"{path.stem}_plan": path.read_text("utf-8").strip() for path in sorted(RESULTS.glob("*.yaml"))}
    return {page: filled_in(page, found=Findings(results), pairs=PAIRS, **plans) for page in PAGES}


def filled_in(page: str, **given: Any) -> str:
    """A page from its template in results/, which is also given `borne_out`."""
    environment = Environment(
        loader=FileSystemLoader(RESULTS), undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return wrapped(environment.get_template(f"{page}.jinja").render(borne_out=borne_out, **given))


def wrapped(text: str) -> str:
    """Markdown with paragraphs and items of lists in lines of 116 characters; all else as it is."""
    blocks, code = [], False
    for block in re.split(r"\n{2,}", text.strip()):
        if not code and not block.startswith(("|", "#", "!", "<", "```")):
            items = re.split(r"\n(?=- )", block)
            indent = "  " if block.startswith("- ") else ""
            block = "\n".join(textwrap.fill(" ".join(item.split()), 116, subsequent_indent=indent,
                              break_long_words=False, break_on_hyphens=False) for item in items)  # fmt: skip
        code ^= block.count("```") % 2 == 1
        blocks.append(block)
    return "\n\n".join(blocks) + "\n"


def figure(results: pd.DataFrame) -> Figure:
    """A panel for each kind of exemplars: per network what broken relations and what positions cost."""
    kinds = list(dict.fromkeys(results["exemplars_of"]))
    drawn = Figure(figsize=(12, 4.4), layout="constrained")
    panels = drawn.subplots(1, len(kinds), sharex=True, sharey=True)
    for axes, exemplars in zip(panels, kinds, strict=True):
        axes.axvline(0, color="0.35", linewidth=1.2)
        for condition, (colour, marker, words) in CONDITIONS.items():
            chosen = results[(results["exemplars_of"] == exemplars) & (results["condition"] == condition)]
            rows = chosen[chosen["score"] == "index"].set_index("network").reindex(NETWORKS)
            value = rows["value"]
            errors = [value - rows["low"], rows["high"] - value]
            axes.errorbar(value, range(len(rows)), xerr=errors, fmt=marker, color=colour, markersize=11,
                          linewidth=3, capsize=6, label=words)  # fmt: skip
        axes.set_title(exemplars, fontsize=16)
        axes.set_xlim(-1.05, 1.1)
        axes.set_ylim(len(NETWORKS) - 0.5, -0.5)
        axes.set_xticks([-1, -0.5, 0, 0.5, 1], ["−1", "−0.5", "0", "0.5", "1"])
        axes.set_yticks(range(len(NETWORKS)), NETWORKS)
        axes.tick_params(labelsize=14, length=0)
        axes.grid(axis="x", color="0.88")
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
    drawn.supxlabel("← reads positions        relation index        reads relations →", fontsize=15)
    drawn.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=14,
                 frameon=False)  # fmt: skip
    return drawn


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fasseg", type=Path, help="the folder of the FASSEG portraits, V2")
    parser.add_argument("--work", type=Path, help="where studies and audits lie, or come to lie")
    given = parser.parse_args()
    if given.work is not None:
        if given.fasseg is None:
            parser.error("--work trains on the portraits that --fasseg names")
        train(given.work.absolute(), given.fasseg)
        table(given.work.absolute()).to_csv(TABLE, index=False, float_format="%.6g")
    results = pd.read_csv(TABLE)
    for page, text in render(results).items():
        (HERE / page).write_text(text, "utf-8")
    file = HERE / "images" / "relation_index.png"
    save_figure(figure(results), file)
    for other in (".svg", ".pdf"):  # the pages show the one
        file.with_suffix(other).unlink()


if __name__ == "__main__":
    main()
