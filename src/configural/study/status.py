"""How far a study is, read from its folder alone."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from configural import models
from configural.errors import ConfiguralError
from configural.evaluation.metrics import read_metrics
from configural.io import manifest
from configural.io.locks import is_locked
from configural.study.plans import Job, plan_jobs
from configural.study.record import Attempts, StudyRecord
from configural.training import History, read_history


@dataclass(frozen=True)
class JobStatus:
    """How far one job is.

    Attributes:
        state: waiting, running, finished or failed. A job that was interrupted is waiting.
        history: The epochs that it has been trained for.
        accuracy: Of a finished job on its own test images, else on its valid images after the last epoch; None
            before that.
    """

    job: Job
    state: str
    history: History
    accuracy: float | None
    failure: str = ""

    @property
    def epochs_left(self) -> int:
        """Epochs that it still has to be trained for."""
        return 0 if self.state == "finished" else self.job.settings.recipe.epochs - len(self.history.epochs)


@dataclass(frozen=True)
class StudyStatus:
    """How far a study is.

    Attributes:
        at_work: Whether a process is at work on it.
        jobs: How far each job is, in the plan's order.
    """

    folder: Path
    at_work: bool
    jobs: tuple[JobStatus, ...]

    def of(self, state: str) -> list[JobStatus]:
        """The jobs in a state."""
        return [status for status in self.jobs if status.state == state]

    @cached_property
    def seconds_left(self) -> float | None:
        """What the epochs that are left will take at the speed so far, with as many jobs at a time as now.

        The speed of a network that no epoch is known of follows from its multiply-adds. None if no epoch is known,
        or the study names a network in a module, which is not imported for this.
        """
        seconds: dict[str, list[float]] = {}
        for status in self.jobs:
            seconds.setdefault(status.job.network, []).extend(epoch.seconds for epoch in status.history.epochs)
        of_epoch = {name: sum(times) / len(times) for name, times in seconds.items() if times}
        if not of_epoch:
            return None
        try:
            work = {name: _multiply_adds(name, self.jobs[0].job.settings.image_size) for name in seconds}
        except ConfiguralError:  # a network in a module that nobody has named here
            return None
        speed = sum(of_epoch.values()) / sum(work[name] for name in of_epoch)
        of_epoch = {name: of_epoch.get(name, work[name] * speed) for name in seconds}
        total = sum(status.epochs_left * of_epoch[status.job.network] for status in self.jobs)
        return total / max(1, len(self.of("running")))


def study_status(folder: Path | str) -> StudyStatus:
    """How far a study is, read from its folder alone.

    Raises:
        ConfiguralError: If it is no study's folder.
    """
    folder = Path(folder)
    record = StudyRecord.load(folder)
    return status_of(folder, plan_jobs(record.plan, record.source, own=record.placements), is_locked(folder))


def status_of(
    folder: Path, jobs: Sequence[Job], at_work: bool, finished: dict[str, JobStatus] | None = None
) -> StudyStatus:
    """How far the jobs of a study are, where these and whether a process is at work on them is known.

    `finished` gets the jobs that are, by name, and those in it are not read again: of thousands that takes minutes.
    """
    attempts = Attempts.load(folder)
    known = {} if finished is None else finished
    found = [known.get(job.name) or _job_status(job, folder, attempts, at_work) for job in jobs]
    known.update((each.job.name, each) for each in found if each.state == "finished")
    return StudyStatus(folder, at_work, tuple(found))


def _job_status(job: Job, folder: Path, attempts: Attempts, at_work: bool) -> JobStatus:
    out = folder / job.run
    history = History()
    with suppress(ConfiguralError):  # damaged, which the study itself will tell
        if (out / "history.csv").is_file():
            history = History.load(out / "history.csv")
        elif (out / "checkpoint.safetensors").is_file():
            history = read_history(out / "checkpoint.safetensors")
    accuracy = history.epochs[-1].valid_accuracy if history.epochs else None
    state, failure = "waiting", ""
    if job.is_finished(folder):
        state, accuracy = "finished", None
        try:
            manifest.refuse_changed(out, "metrics.json", "history.csv", "tests.csv")
        except ConfiguralError as error:
            state, failure = "failed", str(error)
        with suppress(ConfiguralError):
            accuracy = read_metrics(out / "metrics.json")["test_accuracy"]
    elif at_work and job.name in attempts.running:
        state = "running"
    elif job.name in attempts.failed:
        state, failure = "failed", attempts.failed[job.name]
    return JobStatus(job, state, history, accuracy, failure)


@cache  # a study at work is shown again and again
def _multiply_adds(network: str, image_size: int) -> int:
    return models.multiply_adds(models.recreate(network, image_size))
