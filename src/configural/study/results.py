"""The result of a study: a table of all its tests."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from configural.config.study import condition_label
from configural.errors import ConfiguralError
from configural.io import files
from configural.study.jobs import COMMON_COLUMNS, TEST_COLUMNS, Job, is_finished, read_tests

_OF_JOB = ("network", "train_condition", "repeat", "seed")
RESULT_COLUMNS = (*_OF_JOB, *TEST_COLUMNS, "run")


def collect_results(folder: Path, jobs: Sequence[Job]) -> pd.DataFrame:
    """The test results of all finished jobs, in the order of the jobs.

    Args:
        folder: The study's folder.
        jobs: All of its jobs.

    Returns:
        One row per network, train_condition, repeat, test_condition and placement, with the columns
        `RESULT_COLUMNS`, or those of another object. A placement is middle, or shifted: a third each left, middle
        and right. The parts of a shifted set have rows of their own: left, right, both of them (shifted_only), and
        middle_third.

    Raises:
        ConfiguralError: If a finished job's results are damaged.
    """
    tables = []
    for job in jobs:
        if is_finished(job, folder):
            of_job = {
                "network": job.network,
                "train_condition": condition_label(job.condition),
                "repeat": job.repeat,
                "seed": job.settings.seed,
                "run": job.run,
            }
            tests = read_tests(job, folder)
            tables.append(tests.assign(**of_job)[[*_OF_JOB, *tests.columns, "run"]])
    if not tables:
        return pd.DataFrame(columns=list(RESULT_COLUMNS))
    return pd.concat(tables, ignore_index=True)


def save_results(results: pd.DataFrame, folder: Path) -> None:
    """Write a study's results as results.parquet and results.csv."""
    files.write_bytes(folder / "results.parquet", results.to_parquet(index=False))
    files.write_text(folder / "results.csv", results.to_csv(index=False))


def load_results(folder: Path) -> pd.DataFrame:
    """Read the results of a study's folder.

    Raises:
        ConfiguralError: If there are none, or the file is damaged.
    """
    path = folder / "results.parquet"
    try:
        results = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ConfiguralError(f"{path}: not a readable table of results; is its folder a study's?") from error
    if missing := [name for name in (*_OF_JOB, *COMMON_COLUMNS, "run") if name not in results.columns]:
        raise ConfiguralError(f"{path}: lacks the column {missing[0]}")
    return results
