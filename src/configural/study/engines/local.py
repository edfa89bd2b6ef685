"""Jobs in processes of this machine."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch

from configural.study.engines import Outcome, attempt
from configural.study.jobs import Job


@dataclass(eq=False)
class _Worker:
    """A process, the line to it, and the job that it is at."""

    process: BaseProcess
    line: Connection
    job: Job | None = None


def run_jobs(
    jobs: Sequence[Job],
    work: Callable[[Job], None],
    workers: int,
    report: Callable[[Job], None],
) -> Iterator[tuple[Job, Outcome]]:
    """Carry out jobs in worker processes, which share this machine's threads evenly; see `Engine`.

    On a machine with several GPUs each worker sees one of them, in turn.
    """
    waiting = list(jobs)
    workers = max(1, min(workers, len(waiting)))
    threads = max(1, torch.get_num_threads() // workers)
    gpus = _gpus(torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES"))
    free = list(range(workers))
    busy: dict[int, _Worker] = {}
    idle: dict[int, _Worker] = {}
    try:
        while waiting or busy:
            while waiting and free:
                place = free.pop(0)
                worker = idle.pop(place, None) or _start(
                    work, threads, gpus[place % len(gpus)] if len(gpus) > 1 else None
                )
                worker.job = waiting.pop(0)
                busy[place] = worker
                with suppress(OSError):  # it has died since its last job, which is noticed below
                    worker.line.send(worker.job)
                report(worker.job)
            for place, outcome in _ended(busy):
                worker = busy.pop(place)
                free.append(place)
                job = worker.job
                assert job is not None
                if outcome is None:
                    outcome = Outcome(_why_dead(worker))
                else:
                    idle[place] = worker
                yield job, outcome
    finally:
        for worker in (*busy.values(), *idle.values()):
            worker.process.terminate()
        for worker in (*busy.values(), *idle.values()):
            worker.process.join()
            worker.line.close()


def _gpus(count: int, visible: str | None) -> list[str]:
    """What `CUDA_VISIBLE_DEVICES` calls each of the GPUs that this process sees, which may not be all there are."""
    names = [name.strip() for name in visible.split(",")] if visible else [str(number) for number in range(count)]
    return names[:count]


def _start(work: Callable[[Job], None], threads: int, gpu: str | None) -> _Worker:
    # A fresh interpreter: forking a process whose threads are at work may lock it up.
    spawn = multiprocessing.get_context("spawn")
    line, far_end = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(far_end, work, threads, gpu), daemon=True)
    process.start()
    far_end.close()  # only the worker holds it now, so that the line breaks when the worker dies
    return _Worker(process, line)


def _ended(busy: dict[int, _Worker]) -> list[tuple[int, Outcome | None]]:
    """Wait until at least one worker has answered or died (None)."""
    places = {worker.line: place for place, worker in busy.items()}
    ended: list[tuple[int, Outcome | None]] = []
    for line in wait(list(places)):
        assert isinstance(line, Connection)
        try:
            ended.append((places[line], line.recv()))
        except (EOFError, OSError):
            ended.append((places[line], None))
    return ended


def _why_dead(worker: _Worker) -> str:
    worker.process.join()
    code = worker.process.exitcode
    worker.line.close()
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        memory = ", perhaps because memory was full" if -code == signal.SIGKILL else ""
        return f"its worker process was ended by {name}{memory}"
    return f"its worker process ended by itself with exit status {code}"


def _serve(line: Connection, work: Callable[[Job], None], threads: int, gpu: str | None) -> None:
    """What a worker process does: one job after another, until the line to it breaks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the study ends its workers
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            job = line.recv()
        except EOFError:
            return
        line.send(attempt(work, job))


def _end_with_parent() -> None:
    """A study that is killed cannot end its workers; so they end themselves, in the middle of what they do."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
