"""Tests of saved networks on other images than those of their training."""

import json
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from configural import __version__, models, stimuli
from configural.errors import ConfiguralError
from configural.evaluation import Metrics, Predictions, predict
from configural.export import read
from configural.io import files, manifest
from configural.io.files import refuse_used
from configural.io.locks import LOCK, locked, refuse_held
from configural.models.classifiers import RespondsToImages
from configural.portraits import Library, load
from configural.portraits.sources import load_recorded
from configural.runs.run import Run, dated_folder, load_run, made_by, write_test
from configural.stimuli import StimulusTable
from configural.stimuli.conditions import refuse_unregistered
from configural.training import open_device
from configural.wording import without_folders

_BY_DEFAULT: dict[str, Any] = {
    **{"source": "synthetic", "condition": None, "split": "paper", "count": 20000, "placement": None},
    "seed": 0,  # not a run's default: with that, some of these images could be those of a training
}
"""What images are drawn as for a model that is no run."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A test of a saved network on some set of images.

    Attributes:
        folder: Where its files lie.
        predictions: Image by image.
        metrics: Accuracy, loss, confusion matrix.
    """

    folder: Path
    predictions: Predictions
    metrics: Metrics


def evaluate(
    model: Any,
    data: Path | str | None = None,
    *,
    source: str | Library | None = None,
    condition: str | None = None,
    placement: str | None = None,
    split: str | None = None,
    count: int | None = None,
    seed: int | None = None,
    image_size: int | None = None,
    positive: str | int | None = None,
    output: str | None = None,
    scale: float | None = None,
    layout: str | None = None,
    mean: str | None = None,
    std: str | None = None,
    channels: str | None = None,
    network: str | None = None,
    format: str | None = None,
    device: str = "auto",
    out: Path | str | None = None,
    write_page: Callable[[Path], object] | None = None,
) -> Evaluation:
    """Test a saved network on another set of images.

    Args:
        model: A run folder, or whatever `models.open` understands.
        data: A folder that `generate` wrote in any format, or one with a folder of images per class.
        source: Instead of `data`: draw the test images of this source. What is not given is taken from the run,
            or where `model` is a single file: synthetic, ffa (baseline of objects that have none), middle, paper,
            20000, seed 0.
        condition: See `source`.
        placement: left, middle, right or shifted; the condition's own by default, which is middle in all presets.
        split: See `source`.
        count: Of train, valid and test together, as in `run`; the test images are 15 % of them.
        seed: See `source`.
        image_size: Rows and columns of the images, where the model does not say it.
        positive: See `models.open`, as the six below.
        output: What the outputs are.
        scale: What pixels are multiplied by.
        layout: How an image lies in a row of numbers.
        mean: What is subtracted from scaled pixels.
        std: What they are divided by after that.
        channels: rgb or bgr.
        network: The `module:name` of the network, where that is what the model's file names.
        format: The `module:name` of the format, where that is what the dataset's file names.
        device: auto, cpu, cuda or mps.
        out: Where to write; runs/<date-time> by default.
        write_page: Makes the page in the folder.

    Raises:
        ConfiguralError: If the model or the data cannot be used, or `out` holds something else or is in use.
    """
    drawn = {
        "source": source.source if isinstance(source, Library) else source,
        "condition": condition,
        "placement": placement,
        "split": split,
        "count": count,
        "seed": seed,
    }
    drawn = {name: value for name, value in drawn.items() if value is not None}
    if data is not None and drawn:
        option = next(iter(drawn))
        raise ConfiguralError(f"data and {option} exclude each other: give a folder or say what to draw")
    folder = Path(out) if out is not None else dated_folder()
    refuse_held(folder, _WORK)
    shutil.rmtree(folder / _UNFINISHED, ignore_errors=True)  # of a process that was killed
    refuse_used(folder)

    if format is not None and data is None:
        raise ConfiguralError("format: of no use without data; leave it out")
    table = None
    opened, name, image_size, trained = _opened(
        model,
        image_size,
        network=network,
        positive=positive,
        output=output,
        scale=scale,
        layout=layout,
        mean=mean,
        std=std,
        channels=channels,
    )
    if data is not None:
        described: dict[str, Any] = {"data": str(data)}
        images = read(data, size=image_size, format=format)
    else:
        table, library, described = _sampled(source, drawn, trained)
        images = stimuli.dataset(library, table, size=image_size)
    called = str(model) if isinstance(model, str | Path) else type(model).__name__
    settings = {"model": called, "network": name, "image_size": image_size, **described}
    settings = {key: without_folders(value) if isinstance(value, str) else value for key, value in settings.items()}
    told: dict[str, Any] = {
        "device": str(open_device(device)) if isinstance(opened, nn.Module) else "cpu",
        **made_by(model),
    }
    if trained is not None:
        told["own_test"] = {
            "accuracy": trained.metrics["test_accuracy"],
            "images": trained.metrics["images"]["test"],
            "condition": without_folders(trained.settings.condition),
        }
    if (describe := getattr(opened, "describe", None)) is not None:
        told["classifier"] = describe()
    with _whole(folder) as made:
        predictions = predict(opened, images, device=device)
        metrics = {
            **write_test(made, predictions, images=images),
            "settings": settings,
            "images": {"test": len(images)},
            "configural": __version__,
            **told,
        }
        if table is not None:
            table.save(made / "stimuli.parquet")
        files.write_text(made / "metrics.json", json.dumps(metrics, indent=2) + "\n")
        if write_page is not None:
            write_page(made)
    return Evaluation(folder, predictions, predictions.metrics())


_WORK = "this evaluation"
_UNFINISHED = ".unfinished"


@contextmanager
def _whole(folder: Path) -> Generator[Path]:
    """Hold a new or empty folder for the block, and yield one in it whose content it gets when the block ends well.

    Otherwise, all that was made is removed, so that the same command can be repeated, and nothing else.
    """
    new = not folder.exists()
    try:
        with locked(folder, _WORK):
            made = folder / _UNFINISHED / folder.resolve().name  # pages are called as their folder
            try:
                made.mkdir(parents=True)
                yield made
                refuse_used(folder, but=(LOCK, _UNFINISHED))
                manifest.seal(made)
                for path in sorted(made.iterdir(), key=lambda path: path.name == manifest.MANIFEST):
                    path.rename(folder / path.name)
                files.sync([], folder)
            finally:
                shutil.rmtree(folder / _UNFINISHED, ignore_errors=True)
    except BaseException:
        if new:
            with suppress(OSError):  # somebody else has put something there
                folder.rmdir()
        raise


def _sampled(
    source: str | Library | None, given: dict[str, Any], trained: Run | None
) -> tuple[StimulusTable, Library, dict[str, Any]]:
    """Test stimuli as asked for, and where nothing is said as those that the run was trained on."""
    described = dict(_BY_DEFAULT)
    if trained is not None:
        described |= {name: getattr(trained.settings, name) for name in ("source", "condition", "split", "count")}
        described["seed"] = trained.settings.data_seed
    described |= given
    if "condition" not in given and described["condition"] is not None:
        refuse_unregistered(described["condition"])
    if trained is not None and source is None:
        library = load_recorded(described["source"])
    else:
        library = load(source if isinstance(source, Library) else described["source"])
    if trained is not None:
        _refuse_training_material(trained, described, library)
        if source is None and library.fingerprint != trained.metrics["faces_fingerprint"]:
            raise ConfiguralError(
                f"{trained.folder}: was trained on other exemplars than {library.source} gives now; name their "
                "source"
            )
    sampling = {name: value for name, value in described.items() if name != "source"}
    table = stimuli.sample(library, **sampling).subset("test")
    return table, library, {**described, "condition": table.condition.name, "placement": table.placement}


def _refuse_training_material(run: Run, described: dict[str, Any], library: Library) -> None:
    """Raise if test images drawn as described would be, or show, what the run was trained on."""
    trained = run.settings
    # The same faces may be named in other ways, as by another path.
    if described["source"] != trained.source and library.fingerprint != run.metrics["faces_fingerprint"]:
        return
    # Stimulus i is the same for every count, and the test begins at 0.8 of a class.
    same_exemplars = trained.split == described["split"] == "paper"
    if same_exemplars and described["seed"] == trained.data_seed and described["count"] < trained.count:
        raise ConfiguralError(
            f"count {described['count']} makes a test of images that the network was trained on; use "
            f"{trained.count} or more, or another seed"
        )
    if trained.split == described["split"] == "identity" and described["seed"] != trained.data_seed:
        raise ConfiguralError(
            f"seed {described['seed']} deals the persons out again, so that some that the network was trained on "
            f"come into the test; with the identity split keep seed {trained.data_seed}"
        )


def _opened(
    model: Any, image_size: int | None, network: str | None, **reading: Any
) -> tuple[nn.Module | RespondsToImages, str, int, Run | None]:
    """A model, its name, the size of the images it takes, and the run that it was trained in, if that is known."""
    path = Path(model) if isinstance(model, str | Path) else None
    if path is not None and (path / "config.yaml").is_file():
        for name, value in reading.items():
            if value is not None:
                raise ConfiguralError(f"{name} {value}: {path} says itself how its network is read; leave it out")
        run = load_run(path)
        settings = run.settings
        if network not in (None, settings.network):
            raise ConfiguralError(f"network {network}: {path} holds a run with {settings.network}; name that")
        if network is not None:
            models.NETWORKS.find(network)  # known from now on, since a person has named it
        if image_size not in (None, settings.image_size):
            raise ConfiguralError(
                f"image_size {image_size}: {path} was trained on {settings.image_size} pixels, keep that"
            )
        return run.network, settings.network, settings.image_size, run
    opened = models.open(model, image_size=image_size, network=network, **reading)
    module = getattr(opened, "module", None)
    if isinstance(module, models.StudyNet) and not any(reading.values()):
        return module, module.name, module.image_size, None
    if (size := opened.image_size or image_size) is None:
        raise ConfiguralError(f"image_size: {opened.name} does not say which images it takes; name their size")
    return opened, opened.name, size, None
