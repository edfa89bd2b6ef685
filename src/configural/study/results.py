"""The results of a study: scores of each job's tests, and one table of them all."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from configural.config.study import condition_label
from configural.errors import ConfiguralError
from configural.evaluation import Predictions
from configural.io import files, manifest
from configural.io.reading import read_csv, read_parquet, reading
from configural.objects import FACE
from configural.stimuli import PLACEMENTS
from configural.study.plans import Job


def confusion_columns(class_names: Sequence[str]) -> tuple[str, str]:
    """What the columns of the two kinds of misclassified images are called."""
    scrambled, correct = class_names
    return f"{correct}_as_{scrambled}", f"{scrambled}_as_{correct}"


_OF_JOB = ("network", "train_condition", "repeat", "seed")
_OF_TEST = ("test_condition", "placement", "images", "loss", "accuracy")
RESULT_COLUMNS: tuple[str, ...] = (*_OF_JOB, *_OF_TEST, *confusion_columns(FACE.class_names), "run")

_KINDS = {
    **{"network": "text", "train_condition": "text", "repeat": "whole", "seed": "whole"},
    **{"test_condition": "text", "placement": "text", "images": "whole", "loss": "number", "accuracy": "fraction"},
    "run": "text",
}
"""What the columns hold of every object's results."""

_PARTS = {
    "left": ("left",),
    "right": ("right",),
    "shifted_only": ("left", "right"),
    "middle_third": ("middle",),
}
"""The placements in each part of a shifted test set that has scores of its own."""


def scores(
    predictions: Predictions, condition: str, placement: str, columns: Sequence[str]
) -> list[dict[str, object]]:
    """Rows of a run folder's `tests.csv`: the scores of a test set, and of a shifted one also of its parts."""
    rows: list[dict[str, object]] = []
    for name, placements in {placement: PLACEMENTS, **(_PARTS if placement == "shifted" else {})}.items():
        part = Predictions(predictions.frame[predictions.frame["placement"].isin(placements)])
        metrics = part.metrics()
        (_, second), (first, _) = metrics.confusion_matrix
        values = (condition_label(condition), name, len(part.frame), metrics.loss, metrics.accuracy, first, second)
        rows.append(dict(zip((*_OF_TEST, *columns), values, strict=True)))
    return rows


def read_tests(job: Job, folder: Path) -> pd.DataFrame:
    """A finished job's test results: what `scores` says of each test set.

    Raises:
        ConfiguralError: If they are missing, unreadable or not those of the job's test sets.
    """
    path = folder / job.run / "tests.csv"
    what = "a readable table of tests"
    frame = read_csv(path, {name: _KINDS[name] for name in _OF_TEST}, what)
    sets = {(condition_label(condition), placement) for condition, placement in job.tests}
    if tuple(frame.columns[:-2]) != _OF_TEST or not sets <= set(frame.set_index(list(_OF_TEST[:2])).index):
        raise ConfiguralError(f"{path}: not the tests of this job")
    with reading(path, what):
        return frame.astype(dict.fromkeys(frame.columns[-2:], "int64"))


def collect_results(
    folder: Path, jobs: Sequence[Job], known: dict[str, pd.DataFrame] | None = None
) -> pd.DataFrame:
    """The test results of all finished jobs in a study's folder, in the order of the jobs.

    `known` gets those of each job, by name, and what is in it is not read again.

    Returns:
        One row per network, train_condition, repeat, test_condition and placement, with the columns
        `RESULT_COLUMNS`, or those of another object. A placement is middle, or shifted: a third each left, middle
        and right. The parts of a shifted set have rows of their own: left, right, both of them (shifted_only), and
        middle_third.

    Raises:
        ConfiguralError: If a finished job's results are damaged.
    """
    known = {} if known is None else known
    for job in jobs:
        if job.name not in known and job.is_finished(folder):
            tests = read_tests(job, folder)
            of_job = (job.network, condition_label(job.condition), job.repeat, job.settings.seed)
            for position, (name, value) in enumerate(zip(_OF_JOB, of_job, strict=True)):
                tests.insert(position, name, value)
            known[job.name] = tests.assign(run=job.run)
    tables = [known[job.name] for job in jobs if job.name in known]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(RESULT_COLUMNS))


def save_results(results: pd.DataFrame, folder: Path) -> None:
    """Write a study's results as results.parquet and results.csv."""
    files.write_bytes(folder / "results.parquet", results.to_parquet(index=False))
    files.write_text(folder / "results.csv", results.to_csv(index=False))


def load_results(folder: Path | str) -> pd.DataFrame:
    """Read the results of a study's folder.

    Raises:
        ConfiguralError: If there are none, or the file is damaged.
    """
    folder = Path(folder)
    path = folder / "results.parquet"
    if not path.is_file():
        why = "it holds no results.parquet" if folder.is_dir() else "there is no such folder"
        raise ConfiguralError(f"{folder}: {why}; name the folder that 'configural study --out' wrote")
    results = read_parquet(path, _KINDS, "a readable table of results")
    manifest.refuse_changed(folder, path.name, "study.yaml")
    return results
