"""Jobs in processes of this machine."""

import os
from collections.abc import Callable, Iterator, Sequence

import torch

from configural.processes import Worker, end, responding
from configural.study.engines import Outcome, attempt
from configural.study.plans import Job


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
    idle: dict[int, Worker] = {}
    busy: dict[Worker, tuple[int, Job]] = {}
    try:
        while waiting or busy:
            while waiting and free:
                number, job = free.pop(0), waiting.pop(0)
                worker = idle.pop(number, None) or Worker(
                    {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if len(gpus) > 1 else {}
                )
                busy[worker] = number, job
                worker.give(attempt, work, job, threads)
                report(job)
            for worker in responding(busy):
                response = worker.response()
                number, job = busy.pop(worker)
                free.append(number)
                if response.death:
                    end([worker])
                else:
                    idle[number] = worker
                why = f"its worker process {response.death or 'failed'}"
                yield job, response.value or Outcome(why, response.traceback)
    finally:
        end([*busy, *idle.values()])


def _gpus(count: int, visible: str | None) -> list[str]:
    """What `CUDA_VISIBLE_DEVICES` calls each of the GPUs that this process sees, which may not be all there are."""
    names = [name.strip() for name in visible.split(",")] if visible else [str(number) for number in range(count)]
    return names[:count]
