"""Studies: grids of runs, carried out and continued."""

import math
import shutil
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from configural.config.study import StudyPlan
from configural.errors import ConfiguralError
from configural.io import manifest
from configural.io.files import refuse_no_text, refuse_used
from configural.io.locks import locked
from configural.portraits import Library, load
from configural.runs.run import Run, refuse_modules
from configural.study.display import describe_event, live
from configural.study.engines import Engine, find_engine
from configural.study.estimate import Outlook, estimate
from configural.study.jobs import mend, run_job
from configural.study.plans import Job, plan_jobs, read_plan
from configural.study.record import Attempts, StudyRecord
from configural.study.results import collect_results, save_results
from configural.study.status import JobStatus, status_of

_PATIENCE = 3
"""Seconds to wait for who only looks whether a study is at work, or for the workers of a killed one."""


_EVERY = 10
"""Times as long as the study's page took to write, it is left as it is while jobs run; and the tables."""

_AT_ONCE = 0.5
"""Seconds that the tables may take to be written after every job: those of thousands of jobs take longer."""


@dataclass(frozen=True, eq=False)
class Study:
    """What a study has come to.

    Attributes:
        folder: Its folder.
        plan: Its plan.
        results: One row per network, train_condition, repeat, test_condition and placement.
        failed: By a job's name, why it failed.
    """

    folder: Path
    plan: StudyPlan
    results: pd.DataFrame
    failed: Mapping[str, str]


def run_study(
    plan: StudyPlan | Path | str | None = None,
    source: str | Library | None = None,
    *,
    out: Path | str = "study",
    workers: int | None = None,
    engine: str | Engine = "local",
    device: str = "auto",
    write_run_page: Callable[[Run], object] | None = None,
    write_page: Callable[[Path], object] | None = None,
) -> Study:
    """Train and test every network of a plan on every condition, by every seed, resuming what is there already.

    Args:
        plan: A YAML file, the preset quick (the default), grid or paper, or a `StudyPlan`. Where `out` holds a
            study, its plan is the default.
        source: A source such as `synthetic` (the default) or `fasseg:FOLDER`, or a loaded library.
        out: The study's folder: new, empty, or that of a study of the same plan.
        workers: Jobs at a time; by default one per processor core, or two per GPU.
        engine: What carries out the jobs: local, ray, or an `Engine`.
        device: auto, cpu, cuda or mps.
        write_run_page: Makes the page of each run.
        write_page: Makes the page of the study, in its folder.

    Returns:
        The results, and which jobs failed; these are tried again by the same call.

    Raises:
        ConfiguralError: If the plan or a setting is not possible, or `out` holds something else or is in use.
        OSError: If the disk is full or not writable.
    """
    folder = Path(out)
    carry_out = find_engine(engine) if isinstance(engine, str) else engine
    at_a_time = _at_a_time(workers)
    record, library = _record(plan, source, folder)
    jobs = plan_jobs(record.plan, record.source, device=device, own=record.placements)
    with locked(folder, "this study", _PATIENCE):
        for leftover in folder.glob(".*.tmp"):  # of a process that was killed while it wrote
            leftover.unlink(missing_ok=True)
        if (folder / "study.yaml").is_file():
            # Another process may have begun one since the folder was read.
            StudyRecord.load(folder).refuse_other(record, folder)
        else:
            record.save(folder)
        manifest.unseal(folder)
        attempts = Attempts()
        attempts.save(folder)
        work = partial(run_job, folder=folder.absolute(), library=library, write_page=write_run_page)
        _carry_out(jobs, folder, work, carry_out, at_a_time, attempts, write_page)
        results = collect_results(folder, jobs)
        save_results(results, folder)
        attempts.save(folder)
        if write_page is not None:
            write_page(folder)
        if not attempts.failed:
            # They are only drawn again, from seeds, and take more room than all else.
            shutil.rmtree(folder / "images", ignore_errors=True)
        manifest.seal(folder, but=["images/*", "damaged/*"])
    return Study(folder, record.plan, results, attempts.failed)


def plan_study(
    plan: StudyPlan | Path | str | None = None,
    source: str | Library | None = None,
    *,
    out: Path | str = "study",
    workers: int | None = None,
    device: str = "auto",
) -> Outlook:
    """What `run_study` would do with these arguments, and what it would take; nothing is written.

    Raises:
        ConfiguralError: As in `run_study`.
    """
    at_a_time = _at_a_time(workers)
    record, library = _record(plan, source, Path(out))
    jobs = plan_jobs(record.plan, record.source, device=device, own=record.placements)
    return estimate(status_of(Path(out), jobs, False), library, at_a_time)


def _record(
    plan: StudyPlan | Path | str | None, source: str | Library | None, folder: Path
) -> tuple[StudyRecord, Library]:
    """What the folder's study was begun with, or is now; and the faces."""
    refuse_no_text(str(folder))
    stored = StudyRecord.load(folder) if (folder / "study.yaml").is_file() else None
    if stored is not None:
        refuse_modules(
            networks=stored.plan.networks if plan is None else (),
            conditions=stored.plan.conditions if plan is None else (),
            source=stored.source if source is None else None,
        )
    elif any(folder.glob("[!.]*")):
        refuse_used(folder)
    if plan is None:
        plan = stored.plan if stored else "quick"
    if source is None:
        source = stored.source if stored else "synthetic"
    read_plan(plan, scheme=None)  # what is wrong with it shows before exemplars are prepared
    library = load(source)
    record = StudyRecord.of(read_plan(plan, scheme=library.scheme), library)
    if stored is not None:
        stored.refuse_other(record, folder)
    return stored or record, library


def _carry_out(
    jobs: Sequence[Job],
    folder: Path,
    work: Callable[[Job], None],
    engine: Engine,
    workers: int,
    attempts: Attempts,
    write_page: Callable[[Path], object] | None,
) -> None:
    """Mend what is there, do what is left, and keep the folder's files and the terminal up to date."""
    with ExitStack() as at_end:
        finished: dict[str, JobStatus] | None = None  # not kept before all jobs are mended: some are done again
        tests: dict[str, pd.DataFrame] = {}
        tell = at_end.enter_context(live(lambda: status_of(folder, jobs, True, finished)))
        page_due, tables_due = math.inf, 0.0

        def note(*, results: bool) -> None:
            nonlocal page_due, tables_due
            # With a full disk the jobs fail one by one, and whatever still can be done is done.
            try:
                attempts.save(folder)
                if results and (began := time.monotonic()) >= tables_due:
                    save_results(collect_results(folder, jobs, tests), folder)
                    took = time.monotonic() - began
                    tables_due = began + (_EVERY * took if took > _AT_ONCE else 0)
                    if write_page is not None and (began := time.monotonic()) >= page_due:
                        write_page(folder)
                        page_due = began + _EVERY * (time.monotonic() - began)
            except (OSError, ConfiguralError) as error:
                tell(str(error))

        def begun(job: Job) -> None:
            if job.name not in attempts.running:
                attempts.running.append(job.name)
            note(results=False)

        for job in jobs:
            if (mended := mend(job, folder)) is not None:
                tell(mended)
        finished = {}
        note(results=True)
        if not (left := [job for job in jobs if not job.is_finished(folder)]):
            return
        page_due = 0.0
        outcomes = engine(left, work, workers, begun)
        if isinstance(outcomes, Generator):
            at_end.callback(outcomes.close)  # ends the workers, whatever happens here
        for job, outcome in outcomes:
            attempts.running.remove(job.name)
            if outcome.failure:
                attempts.failed[job.name] = outcome.failure
            if outcome.details:
                attempts.details[job.name] = outcome.details
            note(results=not outcome.failure)
            tell(describe_event(status_of(folder, jobs, True, finished), job.name))


def _at_a_time(workers: int | None) -> int:
    if workers is None:
        gpus = torch.cuda.device_count()
        return 2 * gpus if gpus else torch.get_num_threads()
    if workers < 1:
        raise ConfiguralError(f"workers {workers}: at least 1 must work")
    return workers
