"""A study's jobs: one training with all its tests each."""

import io
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from configural.config.run import RunConfig
from configural.config.study import StudyPlan, condition_label
from configural.errors import ConfiguralError
from configural.evaluation import Predictions, predict
from configural.io import files
from configural.io.locks import LOCK
from configural.models import made_from
from configural.objects import FACE
from configural.portraits import Library
from configural.runs.images import Images, shared_images
from configural.runs.run import Run, load_run, train_and_test
from configural.stimuli import PLACEMENTS, SUBSETS, StimulusTable
from configural.stimuli import condition as find_condition
from configural.training import read_history

COMMON_COLUMNS = ("test_condition", "placement", "images", "loss", "accuracy")
"""What a run folder's `tests.csv` begins with, whatever the object."""


def confusion_columns(class_names: Sequence[str]) -> tuple[str, str]:
    """What the columns of the two kinds of misclassified images are called.

    Example:
        >>> confusion_columns(("no_house", "house"))
        ('house_as_no_house', 'no_house_as_house')
    """
    scrambled, correct = class_names
    return f"{correct}_as_{scrambled}", f"{scrambled}_as_{correct}"


TEST_COLUMNS = (*COMMON_COLUMNS, *confusion_columns(FACE.class_names))
"""What a run folder's `tests.csv` holds, one row per test set, and for a shifted set one for each part of it."""

_PATIENCE = 30
"""Seconds that a job waits for a worker of a killed study to leave its folder."""


@dataclass(frozen=True)
class Job:
    """One training with all its tests, as plain data that can be sent to another process.

    Attributes:
        network: Name of the network.
        condition: The condition that it is trained under, as the plan writes it.
        repeat: Which of the plan's seeds it is trained by, from 1 on.
        settings: The training's settings.
        tests: (condition, placement) of every test set, the placement middle or shifted.
        own: (condition, placement) under which images of each condition are trained on.
    """

    network: str
    condition: str
    repeat: int
    settings: RunConfig
    tests: tuple[tuple[str, str], ...]
    own: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """Of its run folder, such as cnn-15-ffa-1."""
        return f"{self.network}-{condition_label(self.condition)}-{self.repeat}"

    @property
    def run(self) -> str:
        """Its run folder, seen from the study's folder."""
        return f"runs/{self.name}"


def plan_jobs(
    plan: StudyPlan,
    source: str = "synthetic",
    *,
    device: str = "auto",
    own: Mapping[str, str] | None = None,
) -> tuple[Job, ...]:
    """All jobs of a plan: first every cell's first repeat, then every second one, and so on.

    Args:
        plan: The plan.
        source: The source of the face library.
        device: auto, cpu, cuda or mps.
        own: By condition, the placement that it is trained under; of the conditions for faces if not given.

    Raises:
        ConfiguralError: If a setting is not possible.
    """
    if own is None:
        own = {name: find_condition(name).placement for name in plan.conditions}
    tests = tuple((condition, placement) for condition in plan.conditions for placement in plan.tests)
    return tuple(
        Job(
            *(network, condition, repeat),
            plan.run(source=source, device=device, network=network, condition=condition, seed=seed),
            tests,
            tuple(own.items()),
        )
        for repeat, seed in enumerate(plan.seeds, start=1)
        for network in plan.networks
        for condition in plan.conditions
    )


def run_job(
    job: Job,
    folder: Path,
    library: Library | None = None,
    write_page: Callable[[Run], object] | None = None,
) -> None:
    """Train and test into the job's run folder, going on with what is there already.

    Args:
        job: What to do.
        folder: The study's folder.
        library: The loaded faces, where the caller has them already; else they are loaded if images are to be
            drawn.
        write_page: Makes the run's page.

    Raises:
        ConfiguralError: If the job cannot be carried out.
        OSError: If the disk is full or not writable; called again, it resumes from there.
    """
    out = folder / job.run
    own = dict(job.own)[job.condition]
    trained = _images(job, folder, job.condition, own, library)
    run = train_and_test(job.settings, out, resume=True, images=trained, patience=_PATIENCE)
    rows: list[dict[str, object]] = []
    columns = confusion_columns(run.metrics["class_names"])
    for condition, placement in job.tests:
        if (condition, placement) == (job.condition, own):
            images, predictions = trained, run.predictions
        else:
            images = _images(job, folder, condition, placement, library)
            predictions = predict(run.network, images.sets["test"], device=job.settings.device)
        where = images.table.subset("test").frame["placement"].to_numpy()
        placed = Predictions(predictions.frame.assign(placement=where))
        label = condition_label(condition)
        placed.save(_predictions_file(out, condition, placement))
        rows += [{"test_condition": label, **row} for row in _scores(placed, placement, columns)]
    if write_page is not None:
        write_page(run)
    # Last, because a job counts as finished when this file is there.
    files.write_text(out / "tests.csv", pd.DataFrame(rows).to_csv(index=False))


def is_finished(job: Job, folder: Path) -> bool:
    """Whether a job has all its results; of what has been damaged since, see `mend`."""
    return (folder / job.run / "tests.csv").is_file()


def read_tests(job: Job, folder: Path) -> pd.DataFrame:
    """A finished job's test results, with the columns `TEST_COLUMNS`, or those of another object.

    Raises:
        ConfiguralError: If they are missing, unreadable or not those of the job's test sets.
    """
    path = folder / job.run / "tests.csv"
    try:
        # As text first: not every version of pandas reads back the very number that was written.
        frame = pd.read_csv(io.StringIO(path.read_text("utf-8")), dtype={"loss": str, "accuracy": str})
        frame = frame.assign(loss=frame["loss"].map(float), accuracy=frame["accuracy"].map(float))
    except (OSError, KeyError, ValueError) as error:
        raise ConfiguralError(f"{path}: not a readable table of tests") from error
    sets = {(condition_label(condition), placement) for condition, placement in job.tests}
    if tuple(frame.columns[:-2]) != COMMON_COLUMNS or not sets <= set(
        zip(frame["test_condition"], frame["placement"], strict=True)
    ):
        raise ConfiguralError(f"{path}: not the tests of this job")
    return frame


def mend(job: Job, folder: Path) -> str | None:
    """Make a job's run folder fit to be used or gone on with.

    A folder that is damaged is moved to the study's folder `damaged`, so that the job is done anew and nothing is
    lost. Where only the tests are damaged, they alone are done again.

    Returns:
        What was wrong and what comes of it, on one line; None if nothing was.
    """
    out = folder / job.run
    if (fault := _fault_of_run(job, out)) is not None:
        number = 1
        while (place := folder / "damaged" / f"{job.name}-{number}").exists():
            number += 1
        place.parent.mkdir(exist_ok=True)
        shutil.move(out, place)
        return f"{fault}; this job is done again, and what was there is now {place}"
    if is_finished(job, folder):
        try:
            _check_tests(job, folder)
        except ConfiguralError as error:
            (out / "tests.csv").unlink()
            return f"{error}; the tests of this job are done again"
    return None


def _check_tests(job: Job, folder: Path) -> None:
    """Raise a ConfiguralError if a finished job's scores are not those of its predictions."""
    stored = read_tests(job, folder)
    rows: list[dict[str, object]] = []
    for condition, placement in job.tests:
        path = _predictions_file(folder / job.run, condition, placement)
        predictions = Predictions.load(path)
        if "placement" not in predictions.frame:
            raise ConfiguralError(f"{path}: lacks the column placement")
        try:
            with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of a mean of nothing
                scores = _scores(predictions, placement, stored.columns[-2:].tolist())
        except (TypeError, ValueError, RuntimeError) as error:
            raise ConfiguralError(f"{path}: not a table of predictions") from error
        rows += [{"test_condition": condition_label(condition), **row} for row in scores]
    counted = pd.DataFrame(rows)
    exact = [name for name in stored.columns if name not in ("loss", "accuracy")]
    close = len(stored) == len(counted) and all(
        np.allclose(stored[name], counted[name], rtol=1e-5, equal_nan=True) for name in ("loss", "accuracy")
    )
    if not close or stored[exact].to_numpy().tolist() != counted[exact].to_numpy().tolist():
        raise ConfiguralError(f"{folder / job.run / 'tests.csv'}: other scores than those of the predictions")


def _fault_of_run(job: Job, out: Path) -> str | None:
    begun = out.is_dir() and any(
        path.name != LOCK and not path.match(".config.yaml.*.tmp")  # of a process killed at its first file
        for path in out.iterdir()
    )
    if not begun:
        return None
    try:
        stored = RunConfig.load(out / "config.yaml").model_copy(update={"device": job.settings.device})
        if stored != job.settings:
            return f"{out / 'config.yaml'}: holds other settings than the plan"
        if (out / "metrics.json").is_file() or (out / "tests.csv").is_file():
            run = load_run(out)
            if made_from(run.network)[0] != job.network:
                return f"{out / 'model.safetensors'}: holds another network than the plan"
            if [list(row) for row in run.predictions.metrics().confusion_matrix] != run.metrics["confusion_matrix"]:
                return f"{out / 'predictions.csv'}: not the predictions that metrics.json counts"
        elif (out / "checkpoint.safetensors").is_file():
            read_history(out / "checkpoint.safetensors")
        if (out / "stimuli.parquet").is_file():
            StimulusTable.load(out / "stimuli.parquet")
    except (ConfiguralError, OSError) as error:
        return str(error)
    except (TypeError, ValueError, RuntimeError):
        return f"{out / 'predictions.csv'}: not a table of predictions"
    return None


def _images(job: Job, folder: Path, condition: str, placement: str, library: Library | None) -> Images:
    settings = job.settings.model_copy(update={"condition": condition})
    # All of the study's conditions are trained on, under their own placement; under others they are only tested.
    subsets = SUBSETS if placement == dict(job.own)[condition] else ("test",)
    place = folder / "images" / f"{condition_label(condition)}-{placement}"
    return shared_images(place, settings, placement, library, subsets)


def _predictions_file(out: Path, condition: str, placement: str) -> Path:
    return out / "tests" / f"{condition_label(condition)}-{placement}.csv"


def _scores(predictions: Predictions, placement: str, columns: Sequence[str]) -> list[dict[str, object]]:
    """The scores of a test set, and of a shifted one also of its parts."""
    parts: dict[str, tuple[str, ...]] = {placement: PLACEMENTS}
    if placement == "shifted":
        parts |= {"left": ("left",), "right": ("right",), "shifted_only": ("left", "right")}
        parts |= {"middle_third": ("middle",)}
    rows: list[dict[str, object]] = []
    for name, places in parts.items():
        part = Predictions(predictions.frame[predictions.frame["placement"].isin(places)])
        metrics = part.metrics()
        rows.append(
            {
                "placement": name,
                "images": len(part.frame),
                "loss": metrics.loss,
                "accuracy": metrics.accuracy,
                columns[0]: metrics.confusion_matrix[1][0],
                columns[1]: metrics.confusion_matrix[0][1],
            }
        )
    return rows
