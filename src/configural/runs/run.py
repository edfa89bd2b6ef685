"""One training with its test: the run and its folder."""

import json
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, partial
from html import escape
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn

from configural import __version__, models
from configural.config.run import RunConfig, flat, resumed_config, run_config
from configural.errors import ConfiguralError
from configural.evaluation import (
    Predictions,
    accuracy_figure,
    as_html,
    confusion_matrix_figure,
    loss_figure,
    predict,
    save_figure,
)
from configural.evaluation.metrics import read_metrics
from configural.io import files, manifest
from configural.io.files import refuse_used
from configural.io.images import write_png
from configural.io.locks import locked, refuse_held
from configural.portraits import Library, load, sources
from configural.runs.images import Images, draw_images, sample_for
from configural.stimuli import ImageDataset, StimulusTable
from configural.stimuli.conditions import default_condition, refuse_unregistered
from configural.training import History, check_devices, check_tracker, fit, open_device, precision_on, tracked
from configural.wording import percent, without_folders

_READ = ("config.yaml", "metrics.json", "history.csv", "predictions.csv", "stimuli.parquet", "model.safetensors")
"""The files that a run is read from."""

_CHECKPOINT = "checkpoint.safetensors"

_SAMPLES = 6
"""Images of each class that a run folder keeps to look at."""

_CURVES_AFTER = 5.0
"""Seconds of a training that nobody has to see curves of before it ends."""


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run, read from its folder.

    Attributes:
        folder: Where it lies.
        settings: What it was made with.
        history: Loss and accuracy per epoch.
        predictions: The test, image by image.
        metrics: What `metrics.json` holds.
    """

    folder: Path
    settings: RunConfig
    history: History
    predictions: Predictions
    metrics: Mapping[str, Any]

    def plot_accuracy(self, axes: Axes | None = None) -> Figure:
        """Accuracy by epoch, on axes that are given or in a new figure."""
        return accuracy_figure(self.history, axes)

    def plot_loss(self, axes: Axes | None = None) -> Figure:
        """Loss by epoch, on axes that are given or in a new figure."""
        return loss_figure(self.history, axes)

    def plot_confusion_matrix(self, axes: Axes | None = None) -> Figure:
        """The test's confusion matrix, on axes that are given or in a new figure."""
        return self.predictions.plot_confusion_matrix(axes)

    def _repr_html_(self) -> str:
        """The result in a notebook: what it is, and both figures."""
        said = f"{self.settings.network} on {self.settings.condition}: {percent(self.metrics['test_accuracy'])} %"
        figures = (self.plot_accuracy(), self.plot_confusion_matrix())
        shown = "".join(as_html(figure, said) for figure in figures)
        return f"<h4>{escape(said)} of the test images correct</h4>{shown}"

    @cached_property
    def network(self) -> nn.Module:
        """The trained network, on the CPU."""
        return models.load_network(self.folder / "model.safetensors")

    @cached_property
    def table(self) -> StimulusTable:
        """All of the run's stimuli: train, valid and test."""
        return StimulusTable.load(self.folder / "stimuli.parquet")


def load_run(folder: Path | str) -> Run:
    """Read a finished run's folder.

    Raises:
        ConfiguralError: If it is no run folder, the run in it is not finished, or a file that it is read from is
            not what was written.
    """
    folder = Path(folder)
    if not is_finished(folder):
        RunConfig.load(folder / "config.yaml")  # which says what is no run's folder at all
        raise ConfiguralError(f"{folder}: this run is not finished; continue it with --resume --out {folder}")
    return _read(folder)


def is_finished(folder: Path) -> bool:
    """Whether a folder holds a run that came to its end; its checkpoint is removed when the disk holds all else."""
    return (folder / "metrics.json").is_file() and (
        manifest.is_sealed(folder) or not (folder / _CHECKPOINT).is_file()
    )


def _read(folder: Path) -> Run:
    settings, path = RunConfig.load(folder / "config.yaml"), folder / "metrics.json"
    metrics = read_metrics(path)
    history, predictions = History.load(folder / "history.csv"), Predictions.load(folder / "predictions.csv")
    manifest.refuse_changed(folder, *_READ)
    return Run(folder, settings, history, predictions, metrics)


def run(
    *,
    source: str | Library | None = None,
    config: Path | str | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    keras: bool = False,
    write_page: Callable[[Run], object] | None = None,
    **given: Any,
) -> Run:
    """Draw images, train a network on them, save, load again, test, and report: the main job.

    Args:
        source: A source such as `synthetic` (the default), `houses` or `fasseg:FOLDER`, or a loaded library.
        config: A YAML file of settings by name, which arguments overrule.
        out: The run folder; runs/<date-time> by default.
        resume: Resume the run that `out` holds; settings not given are taken from it.
        keras: Also write the network as `model.h5`.
        write_page: Makes the page in the folder.
        given: Any setting of `config.run_fields()` by name, such as `condition`, `network`, `preset`, `epochs`,
            `learning_rate`, `dropout`, `seed` or `device`; what is not given is the preset's.

    Returns:
        The finished run.

    Raises:
        ConfiguralError: If a setting is unknown or not possible, or `out` holds something else.
        OSError: If the disk is full or not writable.
    """
    library = source if isinstance(source, Library) else None
    given = {name: value for name, value in given.items() if value is not None}
    if source is not None:
        given["source"] = source.source if isinstance(source, Library) else source
    if resume and out is None:
        raise ConfiguralError("resume needs out, the folder of the run to resume")
    if resume and config is not None:
        raise ConfiguralError("config and resume exclude each other: a run is resumed with its own settings")
    folder = Path(out) if out is not None else dated_folder()
    if resume and (folder / "config.yaml").is_file():
        settings = resumed_config(RunConfig.load(folder / "config.yaml"), given, folder=folder)
        if not is_finished(folder):  # else it is only read
            refuse_modules(
                networks=[] if "network" in given else [settings.network],
                conditions=[] if "condition" in given else [settings.condition],
                source=None if "source" in given else settings.source,
            )
    else:
        settings = run_config(config=config, **given)
    return train_and_test(
        settings, folder, resume=resume, keras=keras, library=library, then=write_page or (lambda run: None)
    )


def refuse_modules(
    *, networks: Sequence[str] = (), conditions: Sequence[str] = (), source: str | None = None
) -> None:
    """Raise a ConfiguralError if a setting that a folder states would have a module imported that nobody named.

    Example:
        >>> refuse_modules(networks=["cnn-15"], conditions=["floating+matched"], source="synthetic:3")
    """
    for network in networks:
        models.NETWORKS.known(network)
    if source is not None:
        sources.refuse_unregistered(source)
    for condition in conditions:
        refuse_unregistered(condition)


def dated_folder() -> Path:
    """Where a run goes that was given no folder: runs/<date-time>."""
    return Path("runs") / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")


def train_and_test(
    settings: RunConfig,
    out: Path,
    *,
    resume: bool = False,
    keras: bool = False,
    library: Library | None = None,
    images: Images | None = None,
    patience: float = 0,
    then: Callable[[Run], object] = lambda run: None,
) -> Run:
    """Draw, train, save, load again, test, and write the run folder.

    At last the disk holds all of it, `SHA256SUMS` says what, and the checkpoint is removed.

    Args:
        settings: What to do; when resuming, those that the folder's run was begun with.
        out: The run folder; new or empty unless resuming.
        resume: Continue the run that `out` holds, from its last whole epoch. A finished run is only read.
        keras: Also write the network as `model.h5` for Keras.
        library: That of the settings, where the caller has loaded it already.
        images: What the settings say, drawn already; no library is loaded then.
        patience: Seconds to wait for another process that is at work in `out`.
        then: What else is to be written into the folder when the run is tested.

    Raises:
        ConfiguralError: If the settings cannot be carried out, or `out` holds something else or is in use.
        OSError: If the disk is full or not writable; `resume` continues from there.
    """
    begun = resume and (out / "config.yaml").is_file()
    refuse_held(out, "this run", patience)
    with ExitStack() as held:
        if begun:
            held.enter_context(locked(out, "this run", patience))
        files.remove_leftovers(out, "*" if begun else "config.yaml")
        if begun and is_finished(out):
            finished = load_run(out)
            if keras and not (out / "model.h5").is_file():
                models.save_keras(finished.network, out / "model.h5")
                manifest.renew(out, "model.h5")
            return _completed(finished, then)
        if begun:
            manifest.unseal(out)  # of what is going to be written again
        else:
            if resume and out.is_dir() and any(out.iterdir()):
                raise ConfiguralError(f"{out}: holds other files and no run to resume (no config.yaml)")
            refuse_used(out)

        # Whatever can be wrong with the settings shows before the first file is written.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            network = models.create(settings.network, settings.image_size)
        device = open_device(settings.device)
        check_tracker(settings.tracker)
        check_devices(device, settings.devices, batch_size=settings.recipe.batch_size)
        start = time.perf_counter()
        if images is None:
            library = library or load(settings.source)
            if "condition" not in settings.model_fields_set:
                settings = settings.model_copy(update={"condition": default_condition(library.scheme)})
            table = sample_for(settings, library)
        else:
            table = images.table
        if (out / "stimuli.parquet").is_file() and (
            StimulusTable.load(out / "stimuli.parquet").fingerprint != table.fingerprint
        ):
            raise ConfiguralError(
                f"{out}: was begun with other exemplars than {settings.source} gives now; restore those or choose "
                "another --out"
            )
        if not begun:
            held.enter_context(locked(out, "this run", patience))
            if (out / "config.yaml").is_file():
                raise ConfiguralError(f"{out}: another process has begun a run there; choose another --out")
            settings.save(out / "config.yaml")
        table.save(out / "stimuli.parquet")
        files.sync([out / "stimuli.parquet"], out)
        if images is None:
            assert library is not None
            images = draw_images(table, library, settings, device)
        _train_and_test(network, settings, out, keras, images, time.perf_counter() - start)
        return _completed(_read(out), then)


def _completed(finished: Run, then: Callable[[Run], object]) -> Run:
    then(finished)
    if not manifest.is_sealed(finished.folder):
        manifest.seal(finished.folder, but=[_CHECKPOINT])
    # Only now, for until then nothing else says on the disk what was learned.
    (finished.folder / _CHECKPOINT).unlink(missing_ok=True)
    return finished


def _train_and_test(
    network: nn.Module, settings: RunConfig, out: Path, keras: bool, images: Images, seconds: float
) -> None:
    """All that follows the drawing, which took so many seconds, in a folder that this process holds."""
    checkpoint = out / _CHECKPOINT
    history = fit(
        network,
        images.sets["train"],
        valid=images.sets["valid"],
        recipe=settings.recipe,
        device=settings.device,
        checkpoint=checkpoint,
        devices=settings.devices,
        compile=settings.compile,
        reporting=partial(_reporting, settings, out),
    )
    history.save(out / "history.csv")
    models.save_network(network, out / "model.safetensors")
    if keras:
        models.save_keras(network, out / "model.h5")
    loaded = models.load_network(out / "model.safetensors", network=settings.network)
    _check_equal(network, loaded, out / "model.safetensors")

    tested = time.perf_counter()
    # In batches as small as those of the validation: what a network holds of 100 large images takes a gigabyte.
    predictions = predict(
        loaded, images.sets["test"], batch_size=settings.recipe.valid_batch_size, device=settings.device
    )
    summary = models.summarise(loaded)
    device = open_device(settings.device)
    metrics = {
        **write_test(out, predictions, images=images.sets["test"]),
        "parameters": {
            "total": summary.total,
            "trainable": summary.trainable,
            "non_trainable": summary.non_trainable,
        },
        "images": {name: len(drawn) for name, drawn in images.sets.items()},
        "seconds": {
            "draw": round(seconds, 3),
            "train": round(sum(epoch.seconds for epoch in history.epochs), 3),
            "test": round(time.perf_counter() - tested, 3),
        },
        "device": str(device),
        "devices": settings.devices,
        "precision": precision_on(device, settings.recipe.precision),
        "receptive_field": summary.receptive_field,
        "faces_fingerprint": images.table.fingerprint,
        "configural": __version__,
        "torch": torch.__version__,
        **made_by(out / "model.safetensors"),
    }
    save_figure(accuracy_figure(history), out / "figures" / "accuracy.png")
    save_figure(loss_figure(history), out / "figures" / "loss.png")
    files.write_text(out / "metrics.json", json.dumps(metrics, indent=2) + "\n")


@contextmanager
def _reporting(settings: RunConfig, out: Path) -> Generator[Callable[[History], None]]:
    """To the tracker, and as curves in the run's folder, for those at most a tenth of the time."""
    due = time.perf_counter() + _CURVES_AFTER

    def report(history: History) -> None:
        nonlocal due
        track(history.epochs[-1])
        begun = time.perf_counter()
        if begun >= due and len(history.epochs) < settings.recipe.epochs:
            for name, figure in (("accuracy", accuracy_figure), ("loss", loss_figure)):
                save_figure(figure(history), out / "figures" / f"{name}.png", formats=["png"])
            ended = time.perf_counter()
            due = ended + 9 * (ended - begun)

    told = {name: without_folders(str(value)) for name, value in flat(settings.model_dump()).items()}
    with tracked(settings.tracker, out, settings=told) as track:
        yield report


def made_by(model: Any) -> dict[str, Any]:
    """Of which weights a result is, when it was made and on what: a part of `metrics.json`."""
    told = {"weights": models.digest(model), "date": date.today().isoformat(), "versions": models.versions()}
    return {name: value for name, value in told.items() if value}


def write_test(out: Path, predictions: Predictions, *, images: ImageDataset) -> dict[str, Any]:
    """Write a test's predictions, confusion matrix, misclassified images and first images of each class.

    Returns:
        The part of `metrics.json` about the test.
    """
    predictions.save(out / "predictions.csv")
    metrics = predictions.metrics()
    save_figure(confusion_matrix_figure(metrics), out / "figures" / "confusion_matrix.png")
    wrong = predictions.incorrect()
    position = {file: row for row, file in enumerate(images.rows["file"])}
    written = {f"misclassified/{mistake}": rows["file"] for mistake, rows in wrong.items()}
    for label, name in enumerate(predictions.class_names):
        written[f"samples/{name}"] = images.rows["file"][images.rows["label"] == label].head(_SAMPLES)
    for folder, names in written.items():
        for file in names:
            image = images[position[file]][0].permute(1, 2, 0).cpu().contiguous().numpy()
            write_png((out / folder / Path(file).name).with_suffix(".png"), image)
    return {
        "test_accuracy": metrics.accuracy,
        "test_loss": metrics.loss,
        "confusion_matrix": [list(row) for row in metrics.confusion_matrix],
        "class_names": list(predictions.class_names),
        "wrong": {mistake: rows[["index", "file"]].to_dict("records") for mistake, rows in wrong.items()},
    }


def _check_equal(network: torch.nn.Module, loaded: torch.nn.Module, path: Path) -> None:
    """Raise if the saved network is not the trained one, number by number."""
    before, after = network.state_dict(), loaded.state_dict()
    if before.keys() != after.keys() or not all(
        torch.equal(before[name].cpu(), after[name].cpu()) for name in before
    ):
        raise ConfiguralError(f"{path}: the saved network differs from the trained one; is the disk sound?")
