"""One piece of work done together by several processes of this machine."""

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

from configural import progress
from configural.errors import ConfiguralError
from configural.workers import end_with_parent, interrupt_kept_back

T = TypeVar("T")

_GRACE = 5.0
"""Seconds that the others have to notice that one process failed, before they are ended."""


def in_processes(processes: int, work: Callable[..., T], *arguments: Any) -> T:
    """Have fresh processes work together, and wait for them.

    Each process calls `work(rank, processes, meeting, *arguments)`. Whatever ends the wait, an error, Ctrl-C or the
    end of this process, also ends them all.

    Args:
        processes: How many.
        work: A function of a module, since the processes import it. `rank` counts from 0; `meeting` is the path of
            a file that does not exist yet, in a folder of their own, for them to find each other by.
        arguments: Anything that can be pickled. Tensors are shared, not copied: all processes see the same
            memory.

    Returns:
        What `work` returned in the process of rank 0.

    Raises:
        ConfiguralError: If a process raised one or was killed, or shared memory is full.
        OSError: If a process raised one.
        RuntimeError: If a process raised anything else; the message is its traceback.
    """
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    started: list[BaseProcess] = []
    with tempfile.TemporaryDirectory(prefix="configural-") as folder:
        try:
            with interrupt_kept_back():
                for rank in range(processes):
                    ours, theirs = context.Pipe()
                    pipes.append(ours)
                    process = context.Process(target=_take_part, args=(theirs, rank, processes), daemon=True)
                    process.start()
                    started.append(process)
                    theirs.close()
            for pipe in pipes:
                # All are starting by now; this waits for one after the other to be ready.
                with contextlib.suppress(ConnectionError):  # it ended: `_answers` says how
                    pipe.send((work, Path(folder) / "meeting", arguments, progress.shown()))
            return _answers(started, pipes)[0]
        except RuntimeError as error:
            if "unable to allocate shared memory" not in str(error):
                raise
            raise ConfiguralError(
                "the images do not fit into the memory that processes share, /dev/shm: make it larger (for "
                "docker: --shm-size), or use --devices 1"
            ) from error
        finally:
            _end(started)
            for pipe in pipes:
                pipe.close()


def _answers(started: list[BaseProcess], pipes: list[Connection]) -> list[Any]:
    """What each process returned; raises if one failed."""
    answers: dict[int, Any] = {}
    failures: list[Exception | str] = []
    silent: list[int] = []
    listening = dict(enumerate(pipes))
    until: float | None = None
    while listening and (until is None or time.monotonic() < until):
        ready = wait(listening.values(), None if until is None else max(0.0, until - time.monotonic()))
        for rank, pipe in list(listening.items()):
            if pipe not in ready:
                continue
            del listening[rank]
            try:
                well, answer = pipe.recv()
            except (EOFError, OSError):  # it is ending without a word
                silent.append(rank)
            else:
                if well:
                    answers[rank] = answer
                    continue
                failures.append(answer)
            # The failure of one makes the others fail, so which of them is the cause shows when all have ended.
            until = until or time.monotonic() + _GRACE
    if len(answers) == len(pipes):
        return [answers[rank] for rank in range(len(pipes))]
    raise _cause(started, silent, failures)


def _cause(started: list[BaseProcess], silent: list[int], failures: list[Exception | str]) -> Exception:
    """Why the processes failed: one that was killed, else the first mistake, else the first error."""
    for rank in silent:
        process = started[rank]
        process.join()
        if process.exitcode is not None and process.exitcode < 0:
            name = signal.Signals(-process.exitcode).name
            hint = ", perhaps because the memory is full" if name == "SIGKILL" else ""
            return ConfiguralError(
                f"training process {rank + 1} of {len(started)} was ended by {name}{hint}; repeat the command to "
                "go on, a run with --resume"
            )
    for failure in failures:
        if isinstance(failure, Exception):
            return failure
    said = failures[0] if failures else "see above"
    return RuntimeError(f"a training process failed:\n{said}")


def _take_part(pipe: Connection, rank: int, processes: int) -> None:
    """What a process does: be told, work, answer."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        work, meeting, arguments, shown = pipe.recv()
        # One of them tells how far they are.
        with contextlib.nullcontext() if shown and rank == 0 else progress.hidden():
            pipe.send((True, work(rank, processes, meeting, *arguments)))
    except (ConfiguralError, OSError, MemoryError) as error:
        pipe.send((False, error))
    except BaseException:
        pipe.send((False, traceback.format_exc()))
    else:
        return
    # At once, so that processes waiting for this one notice; there may be connections that cannot be closed well.
    sys.stderr.flush()
    os._exit(1)


def _end(started: list[BaseProcess]) -> None:
    for process in started:
        process.terminate()
    for process in started:
        process.join(_GRACE)
        if process.exitcode is None:
            process.kill()
            process.join()
        process.close()
