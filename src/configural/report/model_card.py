"""The model card of a run: a README.md with the fields that the Hugging Face hub shows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from configural.report.parts import write_page
from configural.report.settings import Rows
from configural.runs import Run
from configural.wording import percent, without_folders

_OF_THE_MACHINE = {"drawing", "training", "testing"}
"""Times, which say nothing of the network."""


def write_model_card(run: Run, settings: Mapping[str, Rows]) -> Path:
    """Write `README.md` into a run's folder, with settings as its page shows them; returns its path."""
    metrics, names = run.metrics, run.predictions.class_names
    condition = without_folders(run.settings.condition)
    exemplars = run.settings.source.partition(":")[0]
    scores = {"accuracy": metrics["test_accuracy"], "loss": metrics["test_loss"]}
    result: dict[str, Any] = {
        "task": {"type": "image-classification"},
        "dataset": {"type": "configural", "name": f"Picasso {names[1]}s, {condition}, {exemplars} exemplars"},
        "metrics": [{"type": name, "value": value} for name, value in scores.items()],
    }
    header = {
        "library_name": "configural",
        "pipeline_tag": "image-classification",
        "tags": [f"picasso-{names[1]}s", "configural-processing", "explainable-ai"],
        "metrics": ["accuracy"],
        "model-index": [{"name": run.settings.network, "results": [result]}],
    }
    return write_page(
        run.folder,
        "model_card.md.j2",
        file="README.md",
        header=yaml.safe_dump(header, sort_keys=False),
        network=run.settings.network,
        parameters=metrics["parameters"]["total"],
        class_names=names,
        image_size=run.settings.image_size,
        accuracy=percent(scores["accuracy"]),
        loss=f"{scores['loss']:.4g}",
        matrix=metrics["confusion_matrix"],
        split=run.settings.split,
        rows=[row for rows in settings.values() for row in rows if row[0] not in _OF_THE_MACHINE],
    )
