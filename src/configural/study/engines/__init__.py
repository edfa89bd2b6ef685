"""Ways to carry out a study's jobs: processes of this machine, or other machines."""

import errno
import importlib
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import torch

from configural import progress
from configural.errors import ConfiguralError
from configural.study.plans import Job

ENGINES = ("local", "ray")


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        failure: Why it failed, on one line; empty if it finished.
        details: The traceback of a failure that no message explains; else empty.
    """

    failure: str = ""
    details: str = ""


@runtime_checkable
class Engine(Protocol):
    """Carries out jobs, several at a time, and yields each one's outcome as it ends, in whatever order they end.

    What an engine owes to those who call it:

    - It calls `work(job)` for every job, once (or again where a worker has died and the engine retries), in a
      process that is not the caller's, by way of `attempt`, so that every engine gives the same reasons.
    - It yields every job exactly once. A job whose worker dies is a failed one, with the reason, and the others go
      on. It raises only if it cannot work at all.
    - It never touches the study's folder: that is what `work` does.
    - When the iterator is closed early, or the caller's process dies, no worker continues.
    """

    def __call__(
        self,
        jobs: Sequence[Job],
        work: Callable[[Job], None],
        workers: int,
        report: Callable[[Job], None],
    ) -> Iterator[tuple[Job, Outcome]]:
        """Carry out the jobs.

        Args:
            jobs: In the order in which they shall be begun. Plain data that pickles, as `work` does.
            work: Does a job; raises if it cannot be done. All results go into the study's folder, which every
                worker must be able to write to.
            workers: Jobs at a time; at least 1.
            report: Called in the caller's process each time a job is given to a worker.

        Raises:
            ConfiguralError: If the engine cannot be used here; the message says what is missing.
        """


def find_engine(name: str, ray_address: str | None = None, gpus_per_job: float | None = None) -> Engine:
    """The engine of that name, local or ray, of which only the latter has settings; see `engines.ray.run_jobs`.

    What it needs is imported only now.

    Raises:
        ConfiguralError: If there is none, its packages are not installed, or it has no such settings.
    """
    given = {"address": ray_address, "gpus_per_job": gpus_per_job}
    given = {key: value for key, value in given.items() if value is not None}
    if given and name != "ray":
        raise ConfiguralError("--ray-address and --gpus-per-job need --engine ray")
    if gpus_per_job is not None and gpus_per_job < 0:
        raise ConfiguralError(f"--gpus-per-job {gpus_per_job:g}: must be 0 or more")
    if name not in ENGINES:
        raise ConfiguralError(f"unknown engine '{name}': choose one of {', '.join(ENGINES)}")
    try:
        module = importlib.import_module(f"configural.study.engines.{name}")
    except ModuleNotFoundError as error:
        raise ConfiguralError(
            f"--engine {name}: the package '{error.name}' is missing; install configural[{name}] or use "
            "--engine local"
        ) from error
    return partial(module.run_jobs, **given)


def attempt(work: Callable[[Job], None], job: Job, threads: int | None = None) -> Outcome:
    """Do one job in this process, by so many threads; whatever it raises becomes the reason of a failure."""
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        with progress.hidden():
            work(job)
    except (ConfiguralError, OSError) as error:
        return Outcome(_one_line(error))
    except Exception as error:
        details = "".join(traceback.format_exception(error))
        return Outcome(f"{type(error).__name__}: {_one_line(error)}", details)
    return Outcome()


def _one_line(error: Exception) -> str:
    if not isinstance(error, OSError) or error.strerror is None:
        return " ".join(str(error).split()) or "no reason given"
    said = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return said + ("; make room and repeat the command" if full else "")
