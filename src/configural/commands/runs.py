"""Training runs, and tests of what they trained."""

import json
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from configural import __version__, models, report, stimuli, study
from configural.errors import ConfiguralError
from configural.evaluation import Metrics, Predictions, predict
from configural.io import files
from configural.io.files import refuse_used
from configural.portraits import Library, load
from configural.study import Run, RunConfig, load_run


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


def run(
    source: str | Library | None = None,
    condition: str | None = None,
    split: str | None = None,
    network: str | None = None,
    preset: str | None = None,
    image_size: int | None = None,
    count: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    dropout: float | None = None,
    precision: str | None = None,
    seed: int | None = None,
    data_seed: int | None = None,
    device: str | None = None,
    devices: int | None = None,
    stream: bool | None = None,
    compile: bool | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    keras: bool = False,
) -> Run:
    """Draw images, train a network on them, save, load again, test, and report: the main job.

    Args:
        source: A source such as `synthetic` (the default) or `fasseg:FOLDER`, or a loaded library.
        condition: baseline, ffa (the default) or fct.
        split: paper (the default) or identity.
        network: cnn-15 (the default), cnn-13, fcn-16 or fcn-14.
        preset: quick (the default; two CPU cores) or paper (the study's training).
        image_size: Rows and columns of the images; the preset's if not given, as for all below.
        count: Images in all.
        epochs: Passes over the training images.
        batch_size: Images per step.
        learning_rate: Of Adam, at its highest.
        dropout: The share of values that dropout layers leave out; the study's 0.2 if not given, 0 in `fast`.
        precision: 32, tf32 or bf16.
        seed: Of everything random; 42 by default.
        data_seed: Of the images, where that shall be another than `seed`.
        device: auto (the default), cpu, cuda or mps.
        devices: How many GPUs, or processes on a CPU, train together; 1 by default.
        stream: Draw images whenever they are needed and keep none, which takes little memory; the result is the
            same. By default they are kept if they fit into half of the free memory.
        compile: Have PyTorch translate the network into few kernels before it trains it. It takes minutes.
        out: The run folder; runs/<date-time> by default.
        resume: Go on with the run that `out` holds; settings not given are taken from it.
        keras: Also write the network as `model.h5`.

    Returns:
        The finished run; its page is `report.html` in its folder.

    Raises:
        ConfiguralError: If a setting is not possible, or `out` holds something else.
        OSError: If the disk is full or not writable.
    """
    library = source if isinstance(source, Library) else None
    options: dict[str, Any] = {
        "source": library.source if library else source,
        "condition": condition,
        "split": split,
        "network": network,
        "preset": preset,
        "image_size": image_size,
        "count": count,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "dropout": dropout,
        "precision": precision,
        "seed": seed,
        "data_seed": data_seed,
        "device": device,
        "devices": devices,
        "stream": stream,
        "compile": compile,
    }
    given = {name: value for name, value in options.items() if value is not None}
    if resume and out is None:
        raise ConfiguralError("--resume needs --out, the folder of the run to go on with")
    folder = Path(out) if out is not None else dated_folder()
    if resume and (folder / "config.yaml").is_file():
        settings = study.resumed_config(RunConfig.load(folder / "config.yaml"), given, folder)
    else:
        settings = study.run_config(**given)
    finished = study.train_and_test(settings, folder, resume, keras, library)
    report.write_run_report(finished)
    return finished


def evaluate(
    model: Path | str,
    data: Path | str | None = None,
    source: str | Library | None = None,
    condition: str | None = None,
    placement: str | None = None,
    split: str | None = None,
    count: int | None = None,
    seed: int | None = None,
    image_size: int | None = None,
    device: str = "auto",
    out: Path | str | None = None,
) -> Evaluation:
    """Test a saved network on another set of images.

    Args:
        model: A run folder, a `.safetensors` file, or a Keras `.h5` file of one of the study's networks.
        data: A folder of images with no_face and face (or test/no_face and test/face).
        source: Instead of `data`: draw the test images of this source. What is not given is taken from the run,
            or where `model` is a single file: synthetic, ffa, middle, paper, 20000, seed 0.
        condition: See `faces`.
        placement: left, middle, right or shifted; the condition's own by default, which is middle in all presets.
        split: See `faces`.
        count: Of train, valid and test together, as in `run`; the test images are 15 % of them.
        seed: See `faces`.
        image_size: Of an FCN in a Keras file that does not say it.
        device: auto, cpu, cuda or mps.
        out: Where to write; runs/<date-time> by default.

    Raises:
        ConfiguralError: If the model or the data cannot be used, or `out` holds something else.
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
        raise ConfiguralError(f"--data and --{option} exclude each other: give a folder or say what to draw")
    folder = Path(out) if out is not None else dated_folder()
    refuse_used(folder)

    network, defaults, trained = _load_model(Path(model), image_size)
    if data is not None:
        described: dict[str, Any] = {"data": str(data)}
        images = stimuli.read_folder(Path(data), network.image_size)
    else:
        described = {**defaults, **drawn}
        library = load(source if source is not None else described["source"])
        if trained is not None:
            _refuse_training_material(trained, described, library)
        if trained is not None and source is None and library.fingerprint != trained.metrics["faces_fingerprint"]:
            raise ConfiguralError(
                f"{model}: was trained on other faces than {library.source} gives now; name the faces with --source"
            )
        table = stimuli.sample(
            library,
            described["condition"],
            described["split"],
            described["count"],
            described["seed"],
            described["placement"],
        ).subset("test")
        described["placement"] = table.placement
        images = stimuli.dataset(library, table, network.image_size)
    predictions = predict(network, images, device=device)

    settings = {"model": str(model), "network": network.name, "image_size": network.image_size, **described}
    try:
        metrics = {
            **study.write_test(folder, predictions, images),
            "settings": settings,
            "images": {"test": len(images)},
            "configural": __version__,
        }
        files.write_text(folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")
        report.write_evaluation_report(folder)
    except BaseException:
        # The folder was new or empty, so all in it is ours; without it the same command can be repeated.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Evaluation(folder, predictions, predictions.metrics())


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
            f"--count {described['count']} makes a test of images that the network was trained on; use "
            f"{trained.count} or more, or another --seed"
        )
    if trained.split == described["split"] == "identity" and described["seed"] != trained.data_seed:
        raise ConfiguralError(
            f"--seed {described['seed']} deals the persons out anew, so that some that the network was trained on "
            f"come into the test; with the identity split keep seed {trained.data_seed}"
        )


def _load_model(path: Path, image_size: int | None) -> tuple[models.StudyNet, dict[str, Any], Run | None]:
    """A network, what its test images are drawn from where nothing else is said, and its run if there is one."""
    if path.is_dir():
        source = load_run(path)
        if image_size not in (None, source.settings.image_size):
            raise ConfiguralError(
                f"--image-size {image_size}: {path} was trained on {source.settings.image_size} pixels, keep that"
            )
        settings = source.settings
        return (
            source.network,
            {
                "source": settings.source,
                "condition": settings.condition,
                "placement": None,
                "split": settings.split,
                "count": settings.count,
                "seed": settings.data_seed,
            },
            source,
        )
    defaults = {
        "source": "synthetic",
        "condition": "ffa",
        "placement": None,  # the condition's own
        "split": "paper",
        "count": 20000,
        # Not a run's default seed: with that, some of these images could be those of its training.
        "seed": 0,
    }
    if path.suffix in (".h5", ".hdf5"):
        return models.keras_weights.load(path, image_size), defaults, None
    return models.load_network(path), defaults, None


def dated_folder() -> Path:
    """Where a run goes that was given no folder: runs/<date-time>."""
    return Path("runs") / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
