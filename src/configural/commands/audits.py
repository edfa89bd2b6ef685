"""Audits of saved classifiers, and several of them side by side."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from configural import report
from configural.audit import PROBES, AuditInterruptedError
from configural.audit import Audit as AuditResult
from configural.audit import audit as run_audit
from configural.audit.figures import compare_figure
from configural.errors import ConfiguralError
from configural.evaluation import save_figure
from configural.io import files
from configural.io.files import refuse_used
from configural.models import adapters
from configural.portraits import Library, load
from configural.study import load_run

Audit = AuditResult


def audit(
    model: Path | str,
    out: Path | str,
    source: str | Library | None = None,
    condition: str | None = None,
    pairs: int = 500,
    seed: int | None = None,
    probes: Sequence[str] | None = None,
    image_size: int | None = None,
    face: str | None = None,
    scale: float = 1.0,
    device: str = "cpu",
    gives: str = "",
) -> Audit:
    """Audit a saved classifier and write answers, scores, figures and the page into a folder.

    Args:
        model: A run folder, .safetensors, a Keras .h5 of the study, .onnx, or a folder of transformers.
        out: New or empty.
        source: A source; of a run its own, else synthetic.
        condition: Of a run its own, else baseline.
        pairs: Matched pairs.
        seed: Of the stimuli; by default of a run with the identity split its own, so that its test persons are
            asked about, else one that it was not trained with.
        probes: Names; all by default.
        image_size: Where the model does not say it; 224 if nobody does.
        face: The label or position of face, of a Hugging Face or ONNX model.
        scale: What pixels are multiplied by for an ONNX model of floats.
        device: cpu, cuda or mps.
        gives: `log-odds` or `probability`, of an ONNX model with one number per image.

    Raises:
        ConfiguralError: If an argument cannot be used. If the classifier fails half-way, or on Ctrl-C, what was
            measured is in `out`.
    """
    folder, path = Path(out), Path(model)
    refuse_used(folder)
    split = "paper"
    if (path / "config.yaml").is_file():
        run = load_run(path)
        settings = run.settings
        opened = adapters.Opened(
            adapters.from_module(run.network, device=device), path.resolve().name, settings.image_size
        )
        library = load(settings.source if source is None else source)
        same_faces = library.fingerprint == run.metrics["faces_fingerprint"]
        if source is None and not same_faces:
            raise ConfiguralError(
                f"{model}: was trained on other faces than {library.source} gives now; name the faces with --source"
            )
        split = settings.split if same_faces else "paper"
        condition = condition or settings.condition
        seed = _seed(seed, settings.data_seed, split, same_faces)
    else:
        opened = adapters.open_model(path, face, scale, image_size, device, gives)
        library = load(source or "synthetic")
    if image_size is not None and opened.image_size not in (None, image_size):
        raise ConfiguralError(f"--image-size {image_size}: {model} takes {opened.image_size} pixels, keep that")
    try:
        done = run_audit(
            opened.classifier,
            library,
            condition or "baseline",
            opened.image_size or image_size or 224,
            pairs,
            seed or 0,
            split,
            probes or PROBES,
            name=opened.name,
            out=folder,
        )
    except (AuditInterruptedError, KeyboardInterrupt):
        if (folder / "audit.json").is_file():
            report.write_audit_report(folder)
        raise
    report.write_audit_report(folder)
    return done


def _seed(asked: int | None, trained: int, split: str, same_faces: bool) -> int:
    """The seed of the stimuli, so that none of the images of a training, which had one too, is asked about."""
    if split == "identity":
        if asked not in (None, trained):
            raise ConfiguralError(
                f"--seed {asked} deals the persons out anew, so that some that the network was trained on come "
                f"into the audit; with the identity split keep seed {trained}"
            )
        return trained
    if asked == trained and same_faces:
        raise ConfiguralError(
            f"--seed {asked} makes images that the network was trained on; use another, such as {trained + 1}"
        )
    return trained + 1 if asked is None else asked


@dataclass(frozen=True, eq=False)
class AuditComparison:
    """Several audits side by side.

    Attributes:
        summary: One row per audit: name (with the audit's folder where names are alike), condition, faces,
            relation index, paired choice and accuracy, each with its interval, and why the index is undefined.
        scores: Every score of every audit, with a column `folder`.
    """

    summary: pd.DataFrame
    scores: pd.DataFrame


def compare_audits(folders: Sequence[Path | str], out: Path | str | None = None) -> AuditComparison:
    """Put audits side by side.

    Args:
        folders: Of audits.
        out: Where to write comparison.csv, scores.csv and comparison.png; nothing is written by default.

    Raises:
        ConfiguralError: If one of them is no audit, or there are fewer than two.
    """
    if len(folders) < 2:
        raise ConfiguralError("configural audit compare needs two folders of audits or more")
    if out is not None:
        refuse_used(Path(out))
    rows, tables = [], []
    for folder in folders:
        audit = Audit.load(folder)
        rows.append(_summary(audit))
        tables.append(audit.scores.assign(folder=str(folder)))
    summary = pd.DataFrame(rows)
    alike = summary["name"].duplicated(keep=False)
    where = [Path(folder).resolve().name for folder in folders]
    summary["name"] = summary["name"].where(~alike, summary["name"] + [f" ({name})" for name in where])
    done = AuditComparison(summary, pd.concat(tables, ignore_index=True))
    if out is not None:
        folder = Path(out)
        for name, frame in (("comparison.csv", done.summary), ("scores.csv", done.scores)):
            buffer = io.StringIO()
            frame.to_csv(buffer, index=False)
            files.write_text(folder / name, buffer.getvalue())
        save_figure(compare_figure(done.summary), folder / "comparison.png")
    return done


def _summary(audit: Audit) -> dict[str, Any]:
    settings = audit.settings
    row: dict[str, Any] = {name: settings[name] for name in ("name", "source", "condition", "image_size", "seed")}
    asked = {
        "index": ("displacement", "relation_index", None, settings["relation_index_at"]),
        "choice": ("forced_choice", "choice", "all", None),
        "accuracy": ("forced_choice", "accuracy", None, None),
        "not_additive": ("interactions", "not_additive", None, None),
    }
    for name, which in asked.items():
        try:
            score = audit.score(*which)
        except ConfiguralError:
            score = {"value": float("nan"), "low": float("nan"), "high": float("nan"), "note": "not asked"}
        row |= {name: score["value"], f"{name}_low": score["low"], f"{name}_high": score["high"]}
        if name == "index":
            row["index_note"] = score["note"]
    return row
