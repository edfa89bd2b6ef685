"""Jobs on a Ray cluster: one that runs already, or one of this machine alone that ends with the study."""

import logging
import os
import platform
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import torch

from configural.errors import ConfiguralError, first_line
from configural.io.temporary import temporary_folder
from configural.study.engines import Outcome, attempt
from configural.study.plans import Job

# Ray itself is imported in the functions, since it reads some of its settings only then.
if find_spec("ray") is None:
    raise ModuleNotFoundError("No module named 'ray'", name="ray")

_TRIES = 3
"""How often a job is begun whose worker dies: it continues where it was, on another machine if there is one."""

_STARTS = 3
"""How often a cluster of this machine is tried to start: Ray gives up after 30 seconds, which may be too few."""

_GRACE = 10.0
"""Seconds that Ray's processes have to end by themselves."""


def run_jobs(
    jobs: Sequence[Job],
    work: Callable[[Job], None],
    workers: int,
    report: Callable[[Job], None],
    address: str | None = None,
    gpus_per_job: float | None = None,
) -> Iterator[tuple[Job, Outcome]]:
    """Carry out jobs on a Ray cluster, as many at a time as it has room for; see `Engine`.

    A job whose worker dies is begun again, twice at most. All machines must see the current folder and the study's
    under the same paths, and have this package and the same versions of Python and Ray.

    The address, such as 10.0.0.1:6379, is by default that in the environment variable RAY_ADDRESS, and without that
    a cluster of this machine's own is started. Of GPUs each job gets as many as asked for, 0.5 for two jobs on
    each; by default 1 where the cluster has any and the jobs are not told to use the CPU.

    Raises:
        ConfiguralError: If there is no cluster at the address, or no machine in it with as many GPUs.
    """
    address = address or os.environ.get("RAY_ADDRESS")
    workers = max(1, min(workers, len(jobs)))
    with _cluster(address, workers) as threads:
        import ray
        from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, WorkerCrashedError

        gpus = _gpus(jobs, gpus_per_job)
        # Tries are counted here and not by Ray, which begins a job that fills the memory again without end.
        do = ray.remote(_do).options(num_cpus=threads, num_gpus=gpus, max_retries=0)
        shared = ray.put(work)
        waiting = deque(range(len(jobs)))
        running: dict[Any, int] = {}
        tries: Counter[int] = Counter()
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    number = waiting.popleft()
                    running[do.remote(shared, jobs[number], os.getcwd(), threads)] = number
                    tries[number] += 1
                    if tries[number] == 1:
                        report(jobs[number])
                (done, *_), _ = ray.wait(list(running), num_returns=1)
                number = running.pop(done)
                try:
                    outcome = ray.get(done)
                except (WorkerCrashedError, NodeDiedError, OutOfMemoryError) as error:
                    if tries[number] < _TRIES:
                        waiting.appendleft(number)
                        continue
                    why = "memory was full" if isinstance(error, OutOfMemoryError) else "it was killed or crashed"
                    outcome = Outcome(f"its worker process died {_TRIES} times, the last time because {why}")
                except RayError as error:
                    outcome = Outcome(f"Ray could not carry it out: {first_line(error)}", str(error))
                yield jobs[number], outcome
        finally:
            for unfinished in running:
                with suppress(RayError):
                    ray.cancel(unfinished, force=True)


def _do(work: Callable[[Job], None], job: Job, folder: str, threads: int) -> Outcome:
    """A job, in a process of the cluster."""
    try:
        os.chdir(folder)  # paths in the plan are meant from there
    except OSError:
        return Outcome(f"{folder}: there is no such folder on {platform.node()}; all machines must share it")
    return attempt(work, job, threads)


def _gpus(jobs: Sequence[Job], asked: float | None) -> float:
    """GPUs of each job."""
    import ray

    most = max((node["Resources"].get("GPU", 0.0) for node in ray.nodes() if node["Alive"]), default=0.0)
    if asked is None:
        return 1.0 if most and any(job.settings.device != "cpu" for job in jobs) else 0.0
    if asked > most:
        raise ConfiguralError(
            f"--gpus-per-job {asked:g}: the cluster's largest machine has {most:g}; ask for that many or fewer"
        )
    return asked


@contextmanager
def _cluster(address: str | None, workers: int) -> Generator[int]:
    """Be connected with the cluster at an address, or a new one on this machine; yields the cores for each job."""
    # Ray changes both.
    environment, at_sigterm = dict(os.environ), signal.getsignal(signal.SIGTERM)
    others = set(psutil.Process().children(recursive=True))
    threads = 1 if address else max(1, torch.get_num_threads() // workers)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Under /tmp, as the paths of sockets may have only a hundred characters.
    with temporary_folder(Path("/tmp") if Path("/tmp").is_dir() else None) as folder:
        try:
            _connect(address, workers * threads, str(folder), others)
            yield threads
        finally:
            _shut_down(others)
            for name in set(os.environ) - set(environment):
                del os.environ[name]
            os.environ.update(environment)
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, at_sigterm)


def _connect(address: str | None, cores: int, folder: str, others: set[psutil.Process]) -> None:
    """Join the cluster at an address, or start one of this machine that keeps its files in a folder."""
    options: dict[str, Any] = {"address": address}
    culprit = f"--ray-address {address}: no Ray cluster can be used there"
    cure = "begin one with 'ray start --head', or leave the address out to use this machine"
    if not address:
        options = {"address": "local", "num_cpus": cores, "include_dashboard": False, "_temp_dir": folder}
        culprit, cure = "--engine ray: Ray does not start on this machine", "use --engine local"
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # which means: listen on 127.0.0.1 alone
    import ray

    for left in reversed(range(1 if address else _STARTS)):
        try:
            ray.init(**options, log_to_driver=False, logging_level=logging.CRITICAL)
            return
        except Exception as error:
            if not left:
                raise ConfiguralError(f"{culprit} ({first_line(error)}); {cure}") from error
            _shut_down(others)


def _shut_down(others: set[psutil.Process]) -> None:
    """Leave the cluster, and end those processes of one of our own that outlast it."""
    import ray

    ours = [process for process in psutil.Process().children(recursive=True) if process not in others]
    ray.shutdown()
    _, alive = psutil.wait_procs([process for process in ours if _is_ray(process)], _GRACE)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, _GRACE)


def _is_ray(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        # A server of multiprocessing is told all of sys.path, to which Ray adds places of its own.
        words = (word for word in process.cmdline() if not word.startswith("from multiprocessing"))
        return any(word.startswith("ray::") or "/ray/" in word for word in words)
    return False
