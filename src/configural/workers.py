"""Many pieces of work, done by several processes of this machine, and their results in order."""

import contextlib
import itertools
import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, Protocol, TypeVar, runtime_checkable

from configural.errors import ConfiguralError

T = TypeVar("T")
Item = TypeVar("Item")

_AT_ONCE = 16
"""Items that go to a process together."""

_here: list[Any] = []
"""In a worker process, and nowhere else: what all its work is done with."""


@runtime_checkable
class Map(Protocol):
    """Does a piece of work on every item, and tells what came of each, in order."""

    def __call__(self, work: Callable[[Any, Item], T], items: Iterable[Item]) -> Iterator[T]:
        """Take items as results are asked for, and a few ahead; `work` gets what is shared, and an item."""


@contextlib.contextmanager
def worker_processes(workers: int, shared: Any) -> Iterator[Map]:
    """Start processes when there is work for them, and end them with the block, whichever way that ends.

    They are fresh ones, which import what `shared` and the work need and nothing else, and each computes with one
    thread. Ctrl-C is left to this process. When this process is killed, they end, too.

    Args:
        workers: How many at most; at least 1.
        shared: What all work is done with. It is pickled once for each process.

    Yields:
        What does the work. It must be a function of a module, or a `functools.partial` of one; what it raises is
        raised by the map.

    Raises:
        ConfiguralError: If a process is killed, as it is when the memory is full.
    """
    context = multiprocessing.get_context("spawn")
    # Pickled here, so that a process can first set its threads and then import what is in it.
    pool = ProcessPoolExecutor(workers, context, _begin, (pickle.dumps(shared),))
    try:
        yield partial(_in_order, pool, 2 * workers + 1)
    except BrokenProcessPool as error:
        raise ConfiguralError(
            "a worker process was ended, perhaps because the memory is full; repeat the command to go on, or use "
            "fewer --workers"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor, ahead: int, work: Callable[[Any, Item], T], items: Iterable[Item]
) -> Iterator[T]:
    waiting: deque[Future[list[T]]] = deque()
    rest = iter(items)
    while True:
        while len(waiting) < ahead and (some := list(itertools.islice(rest, _AT_ONCE))):
            with interrupt_kept_back():  # the pool starts its processes while it is given work
                waiting.append(pool.submit(_do, work, some))
        if not waiting:
            return
        yield from waiting.popleft().result()


def _begin(shared: bytes) -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    _here.append(pickle.loads(shared))


def _do(work: Callable[[Any, Item], T], items: list[Item]) -> list[T]:
    return [work(_here[0], item) for item in items]


def end_with_parent() -> None:
    """In a process that another one started: wait for that one's end, and end at once."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextlib.contextmanager
def interrupt_kept_back() -> Iterator[None]:
    """Hold Ctrl-C back for the block, and for good in processes started in it: this one ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
