"""What an audit found, in memory and as a folder."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from configural.audit.probe import SCORE_COLUMNS
from configural.errors import ConfiguralError
from configural.io import files
from configural.io.images import write_png


@dataclass(frozen=True, eq=False)
class Example:
    """An image that a probe showed.

    Attributes:
        caption: What it shows.
        image: RGB.
        log_odds: The classifier's answer to it; nan if it was not asked for one.
    """

    caption: str
    image: UInt8[np.ndarray, "size size 3"]
    log_odds: float


@dataclass(frozen=True, eq=False)
class Audit:
    """What an audit found.

    Attributes:
        settings: What was audited with what.
        scores: One row per number: probe, score, of (what it is measured of), at (distance, angle; nan if none),
            value, low and high (the 95 % interval over exemplars), exemplars, images, note (why it is not defined).
        answers: Per probe, every answer; a row per image.
        examples: Per probe, some images.
        left_out: Probes that were not done, and why.
        broken: Why the audit ended before its end; empty if it did not.
    """

    settings: Mapping[str, Any]
    scores: pd.DataFrame
    answers: Mapping[str, pd.DataFrame]
    examples: Mapping[str, list[Example]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    broken: str = ""

    def score(self, probe: str, name: str, of: str | None = None, at: float | None = None) -> Mapping[str, Any]:
        """The first score of that name.

        Args:
            probe: Its probe.
            name: Its column `score`.
            of: Its column `of`, if that matters.
            at: Its column `at`, if that matters.

        Raises:
            ConfiguralError: If there is none.
        """
        frame = self.scores
        frame = frame[(frame["probe"] == probe) & (frame["score"] == name)]
        if of is not None:
            frame = frame[frame["of"] == of]
        if at is not None:
            frame = frame[frame["at"] == at]
        if not len(frame):
            raise ConfiguralError(f"the audit has no score {name} of {probe}" + (f" of {of}" if of else ""))
        return dict(frame.iloc[0])

    def relation_index(self) -> Mapping[str, Any]:
        """The relation index at the distance that the displacement probe names; nan with a note if undefined."""
        return self.score("displacement", "relation_index", at=self.settings["relation_index_at"])

    def save(self, folder: Path) -> None:
        """Write audit.csv, answers/, examples/ and audit.json, which comes last."""
        files.write_text(folder / "audit.csv", self.scores.to_csv(index=False))
        for probe, answers in self.answers.items():
            save_answers(folder, probe, answers)
        for probe, examples in self.examples.items():
            _save_examples(folder / "examples", probe, examples)
        rows = [
            {key: None if isinstance(v, float) and np.isnan(v) else v for key, v in row.items()}
            for row in self.scores.to_dict("records")
        ]
        content = {
            "settings": dict(self.settings),
            "left_out": dict(self.left_out),
            "broken": self.broken,
            "scores": rows,
        }
        files.write_text(folder / "audit.json", json.dumps(content, indent=1, allow_nan=False) + "\n")

    @classmethod
    def load(cls, folder: Path | str) -> "Audit":
        """Read what `save` wrote; the examples stay in the folder.

        Raises:
            ConfiguralError: If it is no audit's folder.
        """
        folder = Path(folder)
        try:
            content = json.loads((folder / "audit.json").read_text("utf-8"))
            scores = pd.read_csv(
                io.StringIO((folder / "audit.csv").read_text("utf-8")),
                keep_default_na=False,
                na_values={name: [""] for name in ("at", "value", "low", "high")},
            )
        except FileNotFoundError as error:
            raise ConfiguralError(f"{folder}: holds no audit ({Path(error.filename).name} is missing)") from error
        except (OSError, ValueError) as error:
            raise ConfiguralError(f"{folder}: its audit.json or audit.csv is damaged; audit again") from error
        if missing := [name for name in SCORE_COLUMNS if name not in scores.columns]:
            raise ConfiguralError(f"{folder / 'audit.csv'}: lacks the column {missing[0]}")
        answers = {path.stem: pd.read_parquet(path) for path in sorted((folder / "answers").glob("*.parquet"))}
        return cls(content["settings"], scores, answers, {}, content["left_out"], content["broken"])


def save_answers(folder: Path, probe: str, answers: pd.DataFrame) -> None:
    """Write one probe's answers as Parquet."""
    buffer = io.BytesIO()
    answers.to_parquet(buffer, index=False)
    files.write_bytes(folder / "answers" / f"{probe}.parquet", buffer.getvalue())


def _save_examples(folder: Path, probe: str, examples: list[Example]) -> None:
    listed = []
    for number, example in enumerate(examples, 1):
        file = f"{probe}_{number}.png"
        write_png(folder / file, example.image)
        answer = None if np.isnan(example.log_odds) else example.log_odds
        listed.append({"file": file, "caption": example.caption, "log_odds": answer})
    files.write_text(folder / f"{probe}.json", json.dumps(listed, indent=1) + "\n")
