"""One self-contained page about a run, or about a test of a saved network.

All of it is read from the folder, so that a page can be made again at any time, and wherever the folder lies.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from configural import models
from configural.evaluation import Predictions
from configural.io import files
from configural.report.parts import CONDITIONS, PLACEMENTS, SPLITS, Image, Rows, embedded, environment
from configural.study import Run, RunConfig
from configural.training import Recipe
from configural.training import recipe as preset_recipe
from configural.wording import duration, percent, probability

_SHOWN = 100
"""Of each kind of mistake, so many images are shown; the table lists them all."""


@dataclass(frozen=True)
class Answer:
    """What the network said of one image.

    Attributes:
        index: The image's number within its class.
        file: Its file in the tested set.
        true: Its class.
        predicted: The class that the network gave it.
        probability: Of face, as text.
        image: None if it is not shown.
    """

    index: int
    file: str
    true: str
    predicted: str
    probability: str
    image: Image | None


def write_run_report(run: Run) -> Path:
    """Write `report.html` into a run's folder.

    Returns:
        The page's path.
    """
    settings, metrics = run.settings, run.metrics
    training = {
        "recipe": settings.recipe,
        "history": run.history.epochs,
        "accuracy_figure": embedded(run.folder / "figures" / "accuracy.png"),
        "loss_figure": embedded(run.folder / "figures" / "loss.png"),
    }
    return _write(
        run.folder,
        run.predictions,
        metrics,
        settings.network,
        settings.image_size,
        settings.split,
        _run_settings(settings, metrics),
        training,
    )


def write_evaluation_report(folder: Path) -> Path:
    """Write `report.html` into the folder of a saved network's test.

    Args:
        folder: Holds `predictions.csv`, `metrics.json` and the images.

    Returns:
        The page's path.
    """
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    settings = metrics["settings"]
    return _write(
        folder,
        Predictions.load(folder / "predictions.csv"),
        metrics,
        settings["network"],
        settings["image_size"],
        # Which exemplars the network was trained on is not known here, nor whether they are in the test.
        "",
        _evaluation_settings(metrics),
        training=None,
    )


_STUDY = {architecture.name: architecture for architecture in models.ARCHITECTURES}


def _write(
    folder: Path,
    predictions: Predictions,
    metrics: Mapping[str, Any],
    network: str,
    image_size: int,
    split: str,
    settings: dict[str, Rows],
    training: dict[str, Any] | None,
) -> Path:
    matrix = metrics["confusion_matrix"]
    total = sum(map(sum, matrix))
    wrong = _wrong(predictions, folder)
    page = (
        environment()
        .get_template("run.html.j2")
        .render(
            name=folder.resolve().name,
            network=network,
            study_network=_STUDY.get(network),
            image_size=image_size,
            split=split,
            settings=settings,
            training=training,
            accuracy=percent(metrics["test_accuracy"]),
            loss=f"{metrics['test_loss']:.4g}",
            matrix=matrix,
            class_names=predictions.class_names,
            total=total,
            right=matrix[0][0] + matrix[1][1],
            most=percent(max(map(sum, matrix)) / total),
            matrix_figure=embedded(folder / "figures" / "confusion_matrix.png"),
            samples=_samples(predictions, folder),
            wrong=wrong,
            shown=_SHOWN,
            wrong_total=sum(map(len, wrong.values())),
            wrong_shown=sum(answer.image is not None for answers in wrong.values() for answer in answers),
            summary=_summary(network, image_size),
            version=metrics["configural"],
        )
    )
    path = folder / "report.html"
    files.write_text(path, page)
    return path


def _summary(name: str, image_size: int) -> models.Summary | None:
    # Only shapes are asked for; on the meta device no weights are made and no random numbers drawn.
    if name not in models.NETWORKS:  # a file, or a network that nobody has named here
        return None
    with torch.device("meta"):
        return models.summarise(models.create(name, image_size))


def _run_settings(settings: RunConfig, metrics: Mapping[str, Any]) -> dict[str, Rows]:
    recipe, images, seconds = settings.recipe, metrics["images"], metrics["seconds"]
    return {
        "Images": [
            ("source", settings.source, ""),
            ("condition", settings.condition, CONDITIONS.get(settings.condition, "")),
            ("split", settings.split, SPLITS.get(settings.split, "")),
            *([("seed of the images", str(settings.data_seed), "")] if settings.data_seed != settings.seed else []),
            ("fingerprint of the faces", metrics["faces_fingerprint"][:12], ""),
            ("size", f"{settings.image_size} × {settings.image_size} pixels", ""),
            ("train", f"{images['train']:,} images", ""),
            ("valid", f"{images['valid']:,} images", ""),
            ("test", f"{images['test']:,} images", ""),
        ],
        "Training": [
            ("network", settings.network, f"{metrics['parameters']['total']:,} parameters"),
            ("preset", settings.preset, ""),
            ("epochs", str(recipe.epochs), ""),
            ("batch size", str(recipe.batch_size), ""),
            ("learning rate", f"{recipe.learning_rate:g}", recipe.schedule),
            *_departures(recipe),
            ("precision", "32 bits" if recipe.precision == "32" else recipe.precision, ""),
            ("seed", str(settings.seed), ""),
        ],
        "Machine": [
            ("device", str(metrics["device"]), ""),
            ("drawing", duration(seconds["draw"]), ""),
            ("training", duration(seconds["train"]), ""),
            ("testing", duration(seconds["test"]), ""),
            ("configural", metrics["configural"], ""),
            ("PyTorch", metrics["torch"], ""),
        ],
    }


def _departures(recipe: Recipe) -> Rows:
    """What only some recipes change of the study's training."""
    study = preset_recipe("paper")
    named = {
        "beta_2": "β₂ of Adam",
        "weight_decay": "weight decay",
        "label_smoothing": "label smoothing",
        "dropout": "dropout",
    }
    values = {label: (getattr(recipe, name), getattr(study, name)) for name, label in named.items()}
    return [(label, f"{given:g}", "") for label, (given, usual) in values.items() if given != usual]


def _evaluation_settings(metrics: Mapping[str, Any]) -> dict[str, Rows]:
    settings = metrics["settings"]
    remarks = {"condition": CONDITIONS, "placement": PLACEMENTS}
    drawn = ("data", "source", "condition", "placement", "split", "count", "seed")
    size = settings["image_size"]
    return {
        "Images": [
            *(
                (name, str(settings[name]), remarks.get(name, {}).get(settings[name], ""))
                for name in drawn
                if name in settings
            ),
            ("size", f"{size} × {size} pixels", ""),
            ("test", f"{metrics['images']['test']:,} images", ""),
        ],
        "Network": [
            ("model", settings["model"], ""),
            ("network", settings["network"], ""),
            ("configural", metrics["configural"], ""),
        ],
    }


def _samples(predictions: Predictions, folder: Path) -> dict[str, list[Answer]]:
    """For each class, the sample images that the folder holds."""
    samples: dict[str, list[Answer]] = {name: [] for name in predictions.class_names}
    for row in predictions.frame.to_dict("records"):
        name = predictions.class_names[row["label"]]
        path = folder / "samples" / name / f"{Path(row['file']).stem}.png"
        if path.is_file():
            samples[name].append(_answer(row, predictions.class_names, path))
    return samples


def _wrong(predictions: Predictions, folder: Path) -> dict[str, list[Answer]]:
    """For each mistake, all the images that it was made with, the first of them shown."""
    wrong = {}
    for mistake, rows in predictions.incorrect().items():
        answers = []
        for position, row in enumerate(rows.to_dict("records")):
            path = folder / "misclassified" / mistake / f"{Path(row['file']).stem}.png"
            answers.append(_answer(row, predictions.class_names, path if position < _SHOWN else None))
        wrong[mistake] = answers
    return wrong


def _answer(row: Mapping[Any, Any], class_names: tuple[str, str], path: Path | None) -> Answer:
    return Answer(
        row["index"],
        row["file"],
        class_names[row["label"]],
        class_names[row["predicted"]],
        probability(row[f"probability_{class_names[1]}"]),
        embedded(path) if path else None,
    )
