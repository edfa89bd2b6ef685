"""One self-contained page about a run, or about a test of a saved network.

All of it is read from the folder, so that a page can be made again at any time, and wherever the folder lies.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configural import models
from configural.config import RunConfig
from configural.evaluation import Predictions
from configural.evaluation.metrics import TestMetrics, read_metrics
from configural.io import manifest
from configural.portraits import SOURCES
from configural.report.model_card import write_model_card
from configural.report.parts import embedded, write_page
from configural.report.settings import CONDITIONS, PLACEMENTS, SPLITS, Rows, made_with, reading, weights
from configural.runs import Run
from configural.training import Recipe
from configural.training import recipe as preset_recipe
from configural.wording import duration, percent, probability, without_folders

_SHOWN = 100
"""Of each kind of mistake, so many images are shown; the table lists them all."""


def write_run_report(run: Run) -> Path:
    """Write `report.html`, and the model card `README.md`, into a run's folder; returns the page's path.

    The card of a finished run stays as it is: people add to it what they know, such as a licence.
    """
    settings, told = run.settings, _run_settings(run.settings, run.metrics)
    if not (manifest.is_sealed(run.folder) and (run.folder / "README.md").is_file()):
        write_model_card(run, told)
    return _write(
        run.folder,
        run.predictions,
        run.metrics,
        network=settings.network,
        image_size=settings.image_size,
        split=settings.split,
        source=settings.source,
        own_test=None,
        condition=settings.condition,
        settings=told,
        training={
            "recipe": settings.recipe,
            "history": run.history.epochs,
            "accuracy_figure": embedded(run.folder, "figures", "accuracy.png"),
            "loss_figure": embedded(run.folder, "figures", "loss.png"),
        },
    )


def write_evaluation_report(folder: Path | str) -> Path:
    """Write `report.html` into the folder of a saved network's test; returns its path.

    Args:
        folder: Holds `predictions.csv`, `metrics.json` and the images.
    """
    folder = Path(folder)
    manifest.refuse_changed(folder, "metrics.json", "predictions.csv")
    metrics = read_metrics(folder / "metrics.json", TestMetrics)
    return _write(
        folder,
        Predictions.load(folder / "predictions.csv"),
        metrics,
        network=metrics["settings"]["network"],
        image_size=metrics["settings"]["image_size"],
        split="",  # which exemplars the network was trained on is not known here, nor whether they are in the test
        source=metrics["settings"].get("source") or "",
        own_test=metrics.get("own_test"),
        condition=metrics["settings"].get("condition") or "",
        settings=_evaluation_settings(metrics),
        training=None,
    )


def _write(
    folder: Path,
    predictions: Predictions,
    metrics: Mapping[str, Any],
    *,
    network: str,
    image_size: int,
    **said: Any,
) -> Path:
    """Write the page; `said` is what the template takes as it is."""
    wrong, placed = _wrong(predictions, folder), predictions.by_placement()
    return write_page(
        folder,
        "run.html.j2",
        **said,
        network=network,
        study_network={each.name: each for each in models.ARCHITECTURES}.get(network),
        named=_named(network, said["source"]),
        image_size=image_size,
        accuracy=percent(metrics["test_accuracy"]),
        loss=f"{metrics['test_loss']:.4g}",
        matrix=metrics["confusion_matrix"],
        class_names=predictions.class_names,
        by_placement={name: some.metrics() for name, some in placed.items()},
        by_chance=_by_chance(placed),
        matrix_figure=embedded(folder, "figures", "confusion_matrix.png"),
        samples=_samples(predictions, folder),
        wrong=wrong,
        shown=_SHOWN,
        wrong_total=sum(map(len, wrong.values())),
        wrong_shown=sum(answer["image"] is not None for answers in wrong.values() for answer in answers),
        summary=_summary(network, image_size),
        version=metrics["configural"],
    )


def _by_chance(placed: Mapping[str, Predictions]) -> float:
    """How often chance makes accuracies differ by so much: p of Pearson's chi-squared test, 1 if they do not."""
    if not placed:
        return 1.0
    from scipy.stats import chi2_contingency  # half a second to import, which few pages need

    correct = [some.frame["label"] == some.frame["predicted"] for some in placed.values()]
    counts = np.array([[some.sum(), (~some).sum()] for some in correct])
    return float(chi2_contingency(counts, correction=False).pvalue) if counts.any(axis=0).all() else 1.0


def _named(network: str, source: str) -> str:
    """The options by which a command is told what it imports only where a person names it."""
    own = {"network": network} if ":" in network else {}
    if ":" in source and not SOURCES.knows(source.partition(":")[0]):
        own["source"] = source
    return "".join(f" --{option} {shlex.quote(without_folders(value))}" for option, value in own.items())


def _summary(name: str, image_size: int) -> models.Summary | None:
    if name not in models.NETWORKS and not models.NETWORKS.knows(name):
        return None  # a file, or a network that nobody has named here
    return models.summarise(models.recreate(name, image_size))


def _run_settings(settings: RunConfig, metrics: Mapping[str, Any]) -> dict[str, Rows]:
    recipe, images, seconds = settings.recipe, metrics["images"], metrics["seconds"]
    used = metrics.get("precision", recipe.precision)
    return {
        "Images": [
            ("source", without_folders(settings.source), ""),
            ("condition", without_folders(settings.condition), CONDITIONS.get(settings.condition, "")),
            ("split", settings.split, SPLITS.get(settings.split, "")),
            *([("seed of the images", str(settings.data_seed), "")] if settings.data_seed != settings.seed else []),
            ("fingerprint of the exemplars", metrics["faces_fingerprint"][:12], ""),
            ("size", f"{settings.image_size} × {settings.image_size} pixels", ""),
            *((subset, f"{images[subset]:,} images", "") for subset in ("train", "valid", "test")),
        ],
        "Training": [
            ("network", settings.network, f"{metrics['parameters']['total']:,} parameters"),
            *weights(metrics),
            *reading(settings.network, metrics),
            ("preset", settings.preset, ""),
            ("epochs", str(recipe.epochs), ""),
            ("batch size", str(recipe.batch_size), ""),
            ("learning rate", f"{recipe.learning_rate:g}", recipe.schedule),
            *_departures(recipe),
            ("precision", {"32": "32 bits"}.get(used, used), ""),
            ("seed", str(settings.seed), ""),
        ],
        "Machine": [
            ("device", str(metrics["device"]), ""),
            ("drawing", duration(seconds["draw"]), ""),
            ("training", duration(seconds["train"]), ""),
            ("testing", duration(seconds["test"]), ""),
            *made_with(metrics),
        ],
    }


def _departures(recipe: Recipe) -> Rows:
    """What only some recipes change of the study's training."""
    study, names = preset_recipe("paper"), ("beta_2", "weight_decay", "label_smoothing", "dropout")
    changed = [name for name in names if getattr(recipe, name) != getattr(study, name)]
    words = {"beta_2": "β₂ of Adam"}
    return [(words.get(name, name.replace("_", " ")), f"{getattr(recipe, name):g}", "") for name in changed]


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
            *weights(metrics),
            *reading(settings["network"], metrics),
        ],
        "Machine": [*([("device", metrics["device"], "")] if "device" in metrics else []), *made_with(metrics)],
    }


def _samples(predictions: Predictions, folder: Path) -> dict[str, list[dict[Any, Any]]]:
    """For each class, the sample images that the folder holds."""
    frame, samples = predictions.frame, {}
    for label, name in enumerate(predictions.class_names):
        answers = _answers(predictions, frame[frame["label"] == label], folder, "samples", name)
        samples[name] = [answer for answer in answers if answer["image"]]
    return samples


def _wrong(predictions: Predictions, folder: Path) -> dict[str, list[dict[Any, Any]]]:
    """For each mistake, all the images that it was made with, the first of them shown."""
    return {
        mistake: [
            *_answers(predictions, rows[:_SHOWN], folder, "misclassified", mistake),
            *_answers(predictions, rows[_SHOWN:], None),
        ]
        for mistake, rows in predictions.incorrect().items()
    }


def _answers(
    predictions: Predictions, rows: pd.DataFrame, folder: Path | None, *inside: str
) -> list[dict[Any, Any]]:
    """What the network said of some images, each with the image where the folder holds it."""
    names = predictions.class_names
    return [
        {
            "index": row["index"],
            "file": row["file"],
            "true": names[row["label"]],
            "predicted": names[row["predicted"]],
            "probability": probability(row[f"probability_{names[1]}"]),
            "image": embedded(folder, *inside, f"{Path(row['file']).stem}.png") if folder else None,
        }
        for row in rows.to_dict("records")
    ]
