"""Carrying out a study's jobs, and mending what is left of them."""

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from configural.config.run import RunConfig
from configural.config.study import condition_label
from configural.errors import ConfiguralError
from configural.evaluation import Predictions, predict
from configural.io import files, manifest
from configural.io.locks import LOCK
from configural.models import made_from
from configural.portraits import Library
from configural.runs.images import Images, shared_images
from configural.runs.run import Run, is_finished, load_run, train_and_test
from configural.stimuli import SUBSETS, StimulusTable
from configural.study.plans import Job
from configural.study.results import confusion_columns, read_tests, scores
from configural.training import read_history

_PATIENCE = 30
"""Seconds that a job waits for a worker of a killed study to leave its folder."""


def run_job(
    job: Job,
    folder: Path,
    library: Library | None = None,
    write_page: Callable[[Run], object] | None = None,
) -> None:
    """Train and test into the job's run folder in the study's, continuing with what is there already.

    The library, where none is given, is loaded if images are to be drawn.

    Raises:
        ConfiguralError: If the job cannot be carried out.
        OSError: If the disk is full or not writable; called again, it resumes from there.
    """
    out = folder / job.run
    own = job.condition, dict(job.own)[job.condition]
    trained = _images(job, folder, *own, library)

    def test_all(run: Run) -> None:
        rows: list[dict[str, object]] = []
        for test in job.tests:
            if test == own:
                images, predictions = trained, run.predictions
            else:
                images = _images(job, folder, *test, library)
                predictions = predict(run.network, images.sets["test"], device=job.settings.device)
            placement = images.table.subset("test").frame["placement"].to_numpy()
            placed = Predictions(predictions.frame.assign(placement=placement))
            placed.save(_predictions_file(out, *test))
            rows += scores(placed, *test, confusion_columns(run.metrics["class_names"]))
        if write_page is not None:
            write_page(run)
        files.write_text(out / "tests.csv", pd.DataFrame(rows).to_csv(index=False))

    train_and_test(job.settings, out, resume=True, images=trained, patience=_PATIENCE, then=test_all)


def mend(job: Job, folder: Path) -> str | None:
    """Make a job's run folder fit to be used or continued.

    A folder that is damaged is moved to the study's folder `damaged`, so that the job is done again and nothing is
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
    if job.is_finished(folder):
        try:
            _check_tests(job, folder)
        except ConfiguralError as error:
            manifest.unseal(out)
            (out / "tests.csv").unlink()
            return f"{error}; the tests of this job are done again"
    return None


def _check_tests(job: Job, folder: Path) -> None:
    """Raise a ConfiguralError if a finished job's scores are not those of its predictions."""
    stored = read_tests(job, folder)
    rows: list[dict[str, object]] = []
    for test in job.tests:
        path = _predictions_file(folder / job.run, *test)
        predictions = Predictions.load(path)
        if "placement" not in predictions.frame:
            raise ConfiguralError(f"{path}: lacks the column placement")
        try:
            with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of a mean of nothing
                rows += scores(predictions, *test, stored.columns[-2:].tolist())
        except (TypeError, ValueError, RuntimeError) as error:
            raise ConfiguralError(f"{path}: not a table of predictions") from error
    try:
        pd.testing.assert_frame_equal(stored, pd.DataFrame(rows), check_dtype=False, rtol=1e-5)
    except AssertionError:
        path = folder / job.run / "tests.csv"
        raise ConfiguralError(f"{path}: other scores than those of the predictions") from None
    manifest.refuse_changed(folder / job.run, "tests.csv", "tests/*")


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
        if is_finished(out) or (out / "tests.csv").is_file():
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
