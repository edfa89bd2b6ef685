"""What an audit found, in memory and as a folder."""

import io
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import BaseModel, ConfigDict, StringConstraints

from configural.audit.probe import SCORE_COLUMNS, ProbeCard, Which
from configural.config.audit import AuditConfig
from configural.errors import ConfiguralError
from configural.evaluation import as_html, save_figure
from configural.io import files, manifest
from configural.io.images import write_png
from configural.io.reading import read_csv, read_json, reading
from configural.wording import without_folders

NOT_MEASURED = "not measured"
DRAWS = "draws.parquet"


class Facts(BaseModel):
    """What an audit was made of, besides its settings.

    Attributes:
        name: What the classifier is called.
        classifier: What it says of itself.
        object: The object scheme's name.
        parts: Its part kinds, in words.
        class_names: Of the scrambled and of the correct arrangement.
        fingerprint: Of the library.
        background: What lies under the parts.
        configural: The version.
        weights: A digest of the classifier's weights; see `models.digest`.
        versions: Of what else it ran on.
        date: When it was begun.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    classifier: Mapping[str, Any] = {}
    object: str = ""
    parts: tuple[str, ...] = ()
    class_names: tuple[str, str]
    fingerprint: str = ""
    background: str = "canvas"
    configural: str = ""
    weights: str = ""
    versions: Mapping[str, str] = {}
    date: str = ""


@dataclass(frozen=True, eq=False)
class Example:
    """An RGB image that a probe showed, with the classifier's response; nan if it was not asked for one."""

    caption: str
    image: UInt8[np.ndarray, "size size 3"]
    log_odds: float


@dataclass(frozen=True, eq=False)
class Audit:
    """What an audit found.

    Attributes:
        settings: What was measured.
        facts: What it was measured of.
        probes: What each probe says of itself, in the order in which they were asked.
        scores: One row per number: probe, score, of (what it is measured of), at (distance, angle; nan if none),
            value, low and high (the 95 % interval over exemplars), exemplars, images, note (why it is not defined).
        responses: Per probe, every response; a row per image.
        drawings: Per probe, what draws its scores; see `figures`.
        examples: Per probe, some images; those of an audit that was loaded stay in its folder.
        draws: Per heading of `summary`, its score in each draw of exemplars; nothing where it is undefined.
        left_out: Probes that were not done, and why.
        interruption: Why the audit ended before its end; empty if it did not.
    """

    settings: AuditConfig
    facts: Facts
    probes: Mapping[str, ProbeCard]
    scores: pd.DataFrame
    responses: dict[str, pd.DataFrame] = field(default_factory=dict)
    drawings: dict[str, Callable[[], Figure]] = field(default_factory=dict)
    examples: dict[str, list[Example]] = field(default_factory=dict)
    draws: dict[str, np.ndarray] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    interruption: str = ""

    def score(self, probe: str, name: str, *, of: str | None = None, at: float | None = None) -> Mapping[str, Any]:
        """The first score of that name.

        Args:
            probe: Its probe.
            name: Its column `score`.
            of: Its column `of`, if that matters.
            at: Its column `at`, if that matters.

        Raises:
            ConfiguralError: If there is none.
        """
        if found := self.named(probe, name, of=of, at=at):
            return found[0]
        raise ConfiguralError(f"the audit has no score {name} of {probe}" + (f" of {of}" if of else ""))

    def named(
        self, probe: str, name: str, *, of: str | None = None, at: float | None = None
    ) -> list[dict[str, Any]]:
        """All such scores; see `score`."""
        wanted = {"probe": probe, "score": name, "of": of, "at": at}.items()
        known = (row for row in self._rows if all(value is None or row[key] == value for key, value in wanted))
        return [dict(row) for row in known]

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        """The scores as plain rows: to select from the data frame takes milliseconds for each score."""
        return self.scores.to_dict("records")

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """Per probe, its scores drawn, once they are asked for; those of a loaded audit stay in its folder."""
        return {probe: draw() for probe, draw in self.drawings.items()}

    def summary(self) -> dict[str, tuple[str, Which]]:
        """By heading, the probe and the score that stand for the audit in a comparison."""
        found: dict[str, tuple[str, Which]] = {}
        for probe, card in self.probes.items():
            for heading, which in card.summary.items():
                found[f"{probe}_{heading}" if heading in found else heading] = (probe, which)
        return found

    def headed(self, heading: str) -> Mapping[str, Any]:
        """The score under a heading of `summary`; nan with a note where it was not measured."""
        probe, which = self.summary().get(heading, ("", Which("")))
        try:
            return self.score(probe, which.score, of=which.of, at=which.at)
        except ConfiguralError:
            return {"value": np.nan, "low": np.nan, "high": np.nan, "note": NOT_MEASURED}

    def relation_index(self) -> Mapping[str, Any]:
        """The relation index at the distance that the displacement probe names; nan with a note if undefined."""
        return self.headed("index")

    def plot_parts(self, axes: Axes | None = None) -> Figure | None:
        """What each part costs when it moves, on axes that are given or in a new figure; None if not measured."""
        from configural.audit.parts import parts_figure

        return parts_figure(self, axes)

    def _repr_html_(self) -> str:
        """The result in a notebook: its sentences, and the chart of the parts."""
        from configural.audit.parts import everyday
        from configural.audit.verdict import headline, sentences

        figure = self.plot_parts()
        paragraphs = (" ".join(everyday(self)), " ".join(sentences(self)))
        text = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs if paragraph)
        chart = "" if figure is None else as_html(figure, "Which part matters?")
        return f"<h4>{escape(headline(self))}</h4>{text}{chart}"

    def save(self, folder: Path | str, probes: Collection[str] | None = None) -> None:
        """Write responses/, figures/, examples/, draws.parquet, audit.csv and audit.json, which comes last.

        Args:
            folder: Where.
            probes: Write the responses, figures and examples of these alone, as the folder has the others'.
        """
        folder, wanted = Path(folder), self.probes if probes is None else probes
        for probe in wanted:
            if probe in self.responses:
                save_responses(folder, probe, self.responses[probe])
            if probe in self.drawings:
                save_figure(self.drawings[probe](), folder / "figures" / f"{probe}.png")
            if probe not in self.examples:
                continue
            listed = []
            for number, example in enumerate(self.examples[probe], 1):
                file = f"{probe}_{number}.png"
                write_png(folder / "examples" / file, example.image)
                log_odds = None if np.isnan(example.log_odds) else example.log_odds
                listed.append({"file": file, "caption": example.caption, "log_odds": log_odds})
            files.write_text(folder / "examples" / f"{probe}.json", json.dumps(listed, indent=1) + "\n")
        if self.draws:
            files.write_bytes(folder / DRAWS, parquet(pd.DataFrame(self.draws).astype(np.float32)), durable=True)
        files.write_text(folder / "audit.csv", self.scores.to_csv(index=False), durable=True)
        rows = self.scores.astype(object).where(self.scores.notna(), None).to_dict("records")
        settings = self.settings.model_dump(mode="json")
        if not self.interruption:  # nobody needs to find its exemplars again, so nothing tells where they lie
            texts = {name: value for name, value in settings.items() if isinstance(value, str)}
            settings |= {name: without_folders(value) for name, value in texts.items()}
        content = {
            "settings": settings,
            "facts": self.facts.model_dump(mode="json"),
            "probes": {probe: card.model_dump(mode="json") for probe, card in self.probes.items()},
            "left_out": self.left_out,
            "interruption": self.interruption,
            "scores": rows,
        }
        files.write_text(folder / "audit.json", json.dumps(content, indent=1, allow_nan=False) + "\n", durable=True)

    @classmethod
    def load(cls, folder: Path | str) -> "Audit":
        """Read what `save` wrote; figures and examples stay in the folder.

        Raises:
            ConfiguralError: If it is no audit's folder, or a file of a finished one is not what was written.
        """
        folder = Path(folder)
        for name in ("audit.json", "audit.csv"):
            if not (folder / name).is_file():
                raise ConfiguralError(f"{folder}: holds no audit ({name} is missing)")
        said = read_json(folder / "audit.json", _Stored, "the record of an audit", "; it is damaged, audit again")
        scores = read_csv(folder / "audit.csv", _SCORES, "the scores of an audit")
        responses = {}
        for path in sorted((folder / "responses").glob("*.parquet")):
            with reading(path, "the responses to a probe", "; damaged: remove it and audit with resume"):
                responses[path.stem] = pd.read_parquet(path)
        draws = {}
        if (folder / DRAWS).is_file():
            with reading(folder / DRAWS, "scores in each draw of exemplars", "; damaged: remove it"):
                table = pd.read_parquet(folder / DRAWS).astype(float)
            draws = {str(heading): table[heading].to_numpy() for heading in table}
        manifest.refuse_changed(folder, "audit.json", "audit.csv", DRAWS, "responses/*")
        told = said.settings, said.facts, said.probes
        return cls(*told, scores, responses, draws=draws, left_out=said.left_out, interruption=said.interruption)


class _Stored(BaseModel):
    """What is read of `audit.json`."""

    settings: AuditConfig
    facts: Facts
    probes: dict[Annotated[str, StringConstraints(pattern=r"^[^\W\d]\w*$")], ProbeCard]  # its name names files
    left_out: dict[str, str]
    interruption: str


_SCORES = dict.fromkeys(SCORE_COLUMNS, "text") | {
    **dict.fromkeys(("at", "value", "low", "high"), "score"),
    **{"exemplars": "whole", "images": "whole"},
}


def save_responses(folder: Path, probe: str, responses: pd.DataFrame) -> None:
    """Write the responses to one probe as Parquet."""
    files.write_bytes(folder / "responses" / f"{probe}.parquet", parquet(responses), durable=True)


def parquet(table: pd.DataFrame) -> bytes:
    """A table as the content of a Parquet file."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()
