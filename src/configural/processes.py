"""Processes of this machine that work for this one.

None is forked from this one, since forking a process whose threads are at work may lock it up. On Linux they are
forked from a server, which imports once what they need and shares that memory with them; elsewhere they are fresh
interpreters. They end with this process, whichever way it ends, and leave Ctrl-C to it; each responds, or dies with
a reason.
"""

import contextlib
import gc
import itertools
import math
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
import types
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from configural import progress
from configural.errors import ConfiguralError
from configural.io.temporary import temporary_folder

T = TypeVar("T")

_GRACE = 5.0
"""Seconds that the others have to notice that one process failed, before they are ended."""

_AT_ONCE = 16
"""Items that go to a worker process together."""

_CONTEXT = (
    multiprocessing.get_context("forkserver") if sys.platform == "linux" else multiprocessing.get_context("spawn")
)

_WORK = (
    "configural.portraits.store",
    "configural.export.plan",
    "configural.training.loop",
    "configural.study.jobs",
)
"""Modules whose functions workers carry out: the server imports those of them that this process has imported."""

_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
"""For libraries, which ask when they are loaded."""


def processors() -> int:
    """How many processors this process may use: those it is bound to, as far as its container grants them."""
    import psutil

    bound = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else os.cpu_count()
    return min(bound or 1, granted())


def granted(cgroup: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """How many processors a container's quota grants, the last perhaps in part; very many where there is none.

    Args:
        cgroup: Where the system tells of control groups, version 2.
        own: Which group this process is in.
    """
    cores = sys.maxsize
    try:
        name = next(line for line in own.read_text().splitlines() if line.startswith("0::"))[3:].strip("/")
    except (OSError, StopIteration):
        return cores
    for folder in (cgroup / name, *(cgroup / name).parents):
        if not folder.is_relative_to(cgroup):
            break
        try:
            quota, period = (folder / "cpu.max").read_text().split()
            cores = min(cores, max(1, math.ceil(int(quota) / int(period))))
        except (OSError, ValueError):  # there is no limit here: quota is `max`, or the root, which has no file
            continue
    return cores


@contextlib.contextmanager
def worker_processes(workers: int, shared: Any, *, main: bool = True) -> Generator[Callable[..., Iterator[Any]]]:
    """Start processes when there is work for them, and end them with the block, whichever way that ends.

    They import what `shared` and the work need and nothing else, and each computes with one thread.

    Args:
        workers: How many at most; at least 1.
        shared: What all work is done with, pickled once for each process.
        main: Whether they may need what the main program defines. If so, they import it, and a program that does
            not say `if __name__ == "__main__"` begins again in each of them.

    Yields:
        `each(work, items)`, which yields `work(shared, item)` of every item in order, and takes items as results
        are asked for and a few ahead. `work` is a function of a module, or a `functools.partial` of one; what it
        raises is raised here.

    Raises:
        ConfiguralError: If a process is killed, as it is when the memory is full.
    """
    # Pickled here, so that a process can first set its threads and then import what is in it.
    team = _Team(workers, pickle.dumps(shared), main)
    try:
        yield team.in_order
    finally:
        team.end()


class _Team:
    """Workers and as many threads, each of which hands work to one of them and waits for it.

    Unlike the processes' pool of `concurrent.futures`, it has no semaphores, which in shared memory would outlive a
    killed group.
    """

    def __init__(self, workers: int, shared: bytes, main: bool) -> None:
        self.workers, self.shared, self.main = workers, shared, main
        self.threads = ThreadPoolExecutor(workers)
        self.started: list[Worker] = []
        self.fresh: list[Worker] = []
        self.idle: SimpleQueue[Worker] = SimpleQueue()

    def in_order(self, work: Callable[[Any, Any], T], items: Iterable[Any]) -> Iterator[T]:
        waiting: deque[Future[list[T]]] = deque()
        rest = iter(items)
        while True:
            while len(waiting) <= 2 * self.workers and (some := list(itertools.islice(rest, _AT_ONCE))):
                if len(self.started) < self.workers:
                    self._start()
                waiting.append(self.threads.submit(self._hand_over, work, some))
            if not waiting:
                return
            yield from waiting.popleft().result()

    def end(self) -> None:
        self.threads.shutdown(wait=False, cancel_futures=True)
        for worker in self.started:
            worker.process.kill()  # which also ends the wait of its thread
        self.threads.shutdown()
        end(self.started)

    def _start(self) -> None:
        with contextlib.nullcontext() if self.main else _without_main():
            worker = Worker()
        self.started.append(worker)
        self.fresh.append(worker)
        self.idle.put(worker)

    def _hand_over(self, work: Callable[[Any, Any], T], items: list[Any]) -> list[T]:
        worker = self.idle.get()
        try:
            if worker in self.fresh:
                self.fresh.remove(worker)
                _value_of(worker, _share, self.shared)
            done: list[T] = _value_of(worker, _on_shared, work, items)
        finally:
            self.idle.put(worker)
        return done


def _value_of(worker: "Worker", work: Callable[..., Any], *arguments: Any) -> Any:
    worker.give(work, *arguments)
    response = worker.response()
    if response.death:
        raise ConfiguralError(
            "a worker process was ended, perhaps because the memory is full; repeat the command to continue, or "
            "use fewer workers"
        )
    if response.error is not None:
        raise response.error
    if response.traceback:
        raise RuntimeError(f"a worker process failed:\n{response.traceback}")
    return response.value


_shared: list[Any] = []
"""In a worker process, and nowhere else: what all its work is done with."""


def _share(pickled: bytes) -> None:
    _shared.append(pickle.loads(pickled))


def _on_shared(work: Callable[[Any, Any], T], items: list[Any]) -> list[T]:
    return [work(_shared[0], item) for item in items]


@dataclass(frozen=True)
class Response:
    """How a piece of work ended in another process."""

    value: Any = None
    error: Exception | None = None  # that speaks for itself: ConfiguralError, OSError, MemoryError
    traceback: str = ""  # of whatever else it raised
    death: str = ""  # how its process ended instead, such as `was ended by SIGKILL, perhaps ...`

    @property
    def failed(self) -> bool:
        """Whether there is no value."""
        return self.error is not None or bool(self.traceback or self.death)


class Worker:
    """A process that does one piece of work after another, with one thread unless the work asks for more.

    `environment` is added to that of this process. With `once` it ends after its first piece of work, at once where
    that fails.
    """

    def __init__(self, environment: Mapping[str, str] | None = None, *, once: bool = False) -> None:
        self.line, theirs = _CONTEXT.Pipe()
        # The server by itself would hand on what was set when it began.
        settings = {**os.environ, **_ONE_THREAD, **(environment or {})}
        self.process = _CONTEXT.Process(target=_serve, args=(theirs, settings, once), daemon=True)
        if sys.platform == "linux":
            work = [name for name in _WORK if name in sys.modules]
            multiprocessing.set_forkserver_preload(["configural.rare_garbage", *work])
        with _interrupt_kept_back(), _set_in_environment(_ONE_THREAD):
            self.process.start()
        theirs.close()  # only the process holds it now, so that the line breaks when the process dies

    def give(self, work: Callable[..., Any], *arguments: Any) -> None:
        """Have it do a piece of work, a function of a module, once it is idle."""
        with contextlib.suppress(ConnectionError):  # it has died: `response` says how
            self.line.send((work, arguments, progress.shown()))

    def response(self) -> Response:
        """Wait for the end of its work."""
        with contextlib.suppress(EOFError, OSError):
            found: Response = self.line.recv()
            return found
        self.process.join()
        code = self.process.exitcode or 0
        if code >= 0:
            return Response(death=f"ended by itself with exit status {code}")
        name = signal.Signals(-code).name
        hint = ", perhaps because the memory is full" if name == "SIGKILL" else ""
        return Response(death=f"was ended by {name}{hint}")


def responding(workers: Iterable[Worker], timeout: float | None = None) -> list[Worker]:
    """Wait until some of the workers have responded or died, or the seconds are over."""
    lines = {worker.line: worker for worker in workers}
    return [lines[line] for line in wait(list(lines), timeout) if isinstance(line, Connection)]


def end(workers: Sequence[Worker]) -> None:
    """End workers, whatever they are at."""
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join(_GRACE)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()
        worker.process.close()
        worker.line.close()


def _serve(line: Connection, environment: Mapping[str, str], once: bool) -> None:
    """What a worker's process does until the line to it breaks."""
    _prepare(environment)
    with contextlib.suppress(EOFError, OSError):  # the line is broken: its own process has ended
        while True:
            response = _response_to(line.recv_bytes())
            line.send(response)
            if once and response.failed:
                # At once, so that processes waiting for this one notice; some connections cannot be closed well.
                sys.stderr.flush()
                os._exit(1)
            if once:
                return


def _response_to(pickled: bytes) -> Response:
    try:
        work, arguments, shown = pickle.loads(pickled)
        with contextlib.nullcontext() if shown else progress.hidden():
            return Response(work(*arguments))
    except (ConfiguralError, OSError, MemoryError) as error:
        return Response(error=error)
    except BaseException:
        return Response(traceback=traceback.format_exc())


def in_processes(processes: int, work: Callable[..., T], *arguments: Any) -> T:
    """Have fresh processes work together, and wait for them.

    Each process calls `work(rank, processes, meeting, *arguments)`. Whatever ends the wait, an error, Ctrl-C or the
    end of this process, also ends them all.

    Args:
        processes: How many.
        work: A function of a module, since the processes import it. `rank` counts from 0; `meeting` is the path of
            a file that does not exist yet, in a folder of their own, for them to find each other by.
        arguments: Anything that can be pickled. Of tensors, all processes see the same memory.

    Returns:
        What `work` returned in the process of rank 0.

    Raises:
        ConfiguralError: If a process was killed, or shared memory is full; it and OSError as a process raised them.
        RuntimeError: If a process raised anything else; the message is its traceback.
    """
    team: list[Worker] = []
    with temporary_folder() as folder:
        try:
            team.extend(Worker(once=True) for _ in range(processes))
            for rank, worker in enumerate(team):
                with contextlib.nullcontext() if rank == 0 else progress.hidden():  # one of them shows progress
                    worker.give(work, rank, processes, folder / "meeting", *arguments)
            result: T = _together(team)[0]
        except RuntimeError as error:
            if "unable to allocate shared memory" not in str(error):
                raise
            raise ConfiguralError(
                "the images do not fit into the memory that processes share, /dev/shm: make it larger (for "
                "docker: --shm-size), or use devices 1"
            ) from error
        finally:
            end(team)
    return result


def _together(team: Sequence[Worker]) -> list[Any]:
    """What each returned; raises, if one failed, why one was killed, else the first error or mistake."""
    responses: dict[Worker, Response] = {}
    until = math.inf
    while len(responses) < len(team) and time.monotonic() < until:
        left = None if until == math.inf else until - time.monotonic()
        for worker in responding([one for one in team if one not in responses], left):
            responses[worker] = worker.response()
            if responses[worker].failed:
                # The failure of one makes the others fail, so which is the cause shows when all have ended.
                until = min(until, time.monotonic() + _GRACE)
    for worker, response in responses.items():
        if "was ended" in response.death:
            raise ConfiguralError(
                f"training process {team.index(worker) + 1} of {len(team)} {response.death}; repeat the command to "
                "continue, a run with --resume"
            )
    errors = [response.error for response in responses.values() if response.error is not None]
    if errors:
        raise errors[0]
    if until < math.inf:
        said = next((response.traceback for response in responses.values() if response.traceback), "see above")
        raise RuntimeError(f"a training process failed:\n{said}")
    return [responses[worker].value for worker in team]


def _prepare(environment: Mapping[str, str]) -> None:
    """What every process does first: be ready to end with the one that it works for."""
    gc.freeze()  # to look for garbage in memory that it shares with the server would copy that
    os.environ.clear()
    os.environ.update(environment)
    if sys.platform == "linux":
        import fcntl

        # The kernel ends it when the pipe from there breaks, whatever it is at; the thread below would wait for a
        # library that is being loaded.
        signal.signal(signal.SIGIO, signal.SIG_DFL)
        fcntl.fcntl(_parent().sentinel, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(_parent().sentinel, fcntl.F_SETFL, os.O_ASYNC)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _parent() -> BaseProcess:
    parent = multiprocessing.parent_process()
    assert parent is not None
    return parent


def _end_with_parent() -> None:
    _parent().join()
    os._exit(1)  # in the middle of what it does


@contextlib.contextmanager
def _set_in_environment(settings: Mapping[str, str]) -> Generator[None]:
    """Hand settings on to whatever is started in the block, the server among it."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextlib.contextmanager
def _without_main() -> Generator[None]:
    """Let processes that are started in the block know nothing of the main program."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _interrupt_kept_back() -> Generator[None]:
    """Hold Ctrl-C back for the block, and for good in processes started in it: this one ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its start, part of the first process's, would let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
