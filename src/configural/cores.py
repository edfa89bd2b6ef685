"""The cores that this process may use, each at its own part of the work in a thread of its own.

PyTorch's threads share every single operation and wait for each other at its end by spinning. Where another program
is at work on one of the cores, as nearly always, they wait at hundreds of small operations a step. Here a thread
does all of its part alone, and the threads wait, without spinning, only where the parts meet.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, TypeVar

import torch

from configural import progress
from configural.processes import granted

T = TypeVar("T")


class Meeting:
    """Where threads meet that work on parts of one thing."""

    def __init__(self, threads: int) -> None:
        self._barrier = threading.Barrier(threads)
        # Of two meetings in turn: nobody brings something to the next but one before all have left this one.
        self._brought: tuple[list[Any], list[Any]] = ([None] * threads, [None] * threads)
        self._meetings = [0] * threads
        self._lock = threading.Lock()
        self._made: dict[int, list[Any]] = {}
        self._taken = [0] * threads

    def all(self, rank: int, value: T) -> list[T]:
        """What all threads bring to this meeting, in the order of their ranks; all have to call it."""
        brought = self._brought[self._meetings[rank] % 2]
        self._meetings[rank] += 1
        brought[rank] = value
        self._barrier.wait()
        return brought

    def first(self, rank: int, make: Callable[[], T] | None) -> T:
        """What the first to come here with a `make` makes for all; nobody waits, and all call it, in one order."""
        number = self._taken[rank]
        self._taken[rank] += 1
        with self._lock:
            made = self._made.setdefault(number, [None, 0])
            if made[0] is None and make is not None:
                made[0] = make()
            made[1] += 1
            if made[1] == len(self._taken):
                del self._made[number]
        value: T = made[0]
        return value

    def cancel(self) -> None:
        """Have all who wait here, or come, raise `threading.BrokenBarrierError`."""
        self._barrier.abort()

    @property
    def cancelled(self) -> bool:
        """Whether one of the threads has failed."""
        return self._barrier.broken


def usable() -> int:
    """How many cores this process computes with: as many as PyTorch has threads, and its container grants.

    PyTorch minds OMP_NUM_THREADS and the cores that the process is bound to, but not the quota of a container.
    """
    return min(torch.get_num_threads(), granted())


def on_cores(work: Callable[[int, Meeting], T], cores: int) -> list[T]:
    """Have threads work beside each other, each of which computes alone.

    Args:
        work: Called as `work(rank, meeting)`, rank 0 in this thread. Where it does not meet the others often, it
            should ask whether the meeting is `cancelled`. Those of other ranks show no progress.
        cores: How many threads; one alone may compute with all of PyTorch's.

    Returns:
        What each returned, in the order of ranks.

    Raises:
        BaseException: Of the lowest rank that raised any by itself.

    Example:
        >>> on_cores(lambda rank, meeting: sum(meeting.all(rank, 10 + rank)), 2)
        [21, 21]
    """
    meeting = Meeting(cores)

    def part(rank: int) -> T:
        try:
            with progress.hidden() if rank else nullcontext():
                return work(rank, meeting)
        except BaseException:
            meeting.cancel()
            raise

    if cores == 1:
        return [part(0)]
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(cores - 1) as pool:
            others = [pool.submit(part, rank) for rank in range(1, cores)]
            try:
                first = part(0)
            except threading.BrokenBarrierError:
                for other in others:
                    if not isinstance(error := other.exception(), threading.BrokenBarrierError | None):
                        raise error from None
                raise
            return [first, *(other.result() for other in others)]
    finally:
        torch.set_num_threads(before)
