"""The command line, in this process (quick) or in one of its own (all of it)."""

import contextlib
import io
import multiprocessing
import multiprocessing.forkserver
import os
import resource
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from unittest import mock

import psutil
import pytest

from configural.cli import main

PRELOADED = ["configural.rare_garbage", "configural.study.jobs", "configural.audit.auditing"]
"""What the server of processes imports, for itself and for all that it forks, by whatever it is begun."""


def configural(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in this process; its exit status and what it printed."""
    words = ["configural", *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", words),
        mock.patch.dict(os.environ, {"COLUMNS": "100", **environment}),
        mock.patch.object(warnings, "showwarning", warnings.showwarning),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
            status: object = 0
        except SystemExit as end:
            status = end.code or 0
    assert isinstance(status, int)
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())


def configural_process(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "configural", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100", **environment},
    )


@dataclass(frozen=True)
class Halted:
    """A command that waits to be ended, or to go on when `sign` is removed."""

    process: BaseProcess
    sign: Path
    output: Path
    errors: Path

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that work for it: forked since by the server that forked it, or by one that it started."""
        command = psutil.Process(self.process.pid)
        server = command.parent()
        assert server is not None
        since = [one for one in server.children(recursive=True) if one.create_time() >= command.create_time()]
        return [one for one in since if command.pid not in (one.pid, one.ppid())]

    def first_line(self) -> str:
        """Let it go on, and wait for a line on standard output."""
        self.sign.unlink()
        while not (said := self.output.read_text("utf-8")).endswith("\n"):
            assert self.process.exitcode is None, self.end()
            time.sleep(0.005)
        return said.splitlines()[0]

    def end(self, by: int | None = None) -> str:
        """Send a signal, if one is given, wait for the end, and return what it said on standard error."""
        if by is not None:
            assert self.process.pid
            os.kill(self.process.pid, by)
        self.process.join(600)
        assert self.process.exitcode is not None
        return self.errors.read_text("utf-8")


@contextlib.contextmanager
def halted(moment: str, *arguments: object) -> Iterator[Halted]:
    """Run a command in a process of its own up to a moment as in `halting.py`; ended at the latest with the block.

    It computes with as many threads as this process, so that both come to the same weights. It is forked from a
    server that has imported what it needs, for that takes longer than what is tested; and so are its workers.
    """
    import torch

    multiprocessing.set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(Path(__file__).with_name("halting.py"), folder)
        (folder / "moment").write_text(moment)
        process = multiprocessing.get_context("forkserver").Process(
            target=_command,
            args=(
                ["configural", *map(str, arguments)],
                dict(os.environ),
                folder / "halting.py",
                torch.get_num_threads(),
            ),
        )
        process.start()
        try:
            command = Halted(process, *(folder / name for name in ("halted", "output", "errors")))
            while not command.sign.exists():
                assert process.exitcode is None, f"it ended before the moment: {command.end()}"
                time.sleep(0.005)
            yield command
        finally:
            process.kill()
            process.join()


def _command(words: list[str], environment: dict[str, str], program: Path, threads: int) -> None:
    """What the process of a halted command does."""
    import torch

    if sys.version_info < (3, 14):  # from which on the server's key is kept from it
        # It knows how to reach the server that forked it, and would start another one all the same.
        multiprocessing.forkserver._forkserver.ensure_running = lambda: None  # type: ignore[attr-defined]
    torch.set_num_threads(threads)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = words
    runpy.run_path(str(program), run_name="__main__")


def program(text: str, *arguments: object) -> str:
    """What a program of Python prints, in a process of its own that is forked from the server too."""
    multiprocessing.set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory() as name:
        output = Path(name) / "output"
        given = text, list(map(str, arguments)), output, Path.cwd()
        process = multiprocessing.get_context("forkserver").Process(target=_program, args=given)
        process.start()
        try:
            process.join(300)
            assert process.exitcode == 0
            return output.read_text("utf-8")
        finally:
            process.kill()


def _program(text: str, arguments: list[str], output: Path, folder: Path) -> None:
    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT), 1)
    os.chdir(folder)
    sys.path.insert(0, "")
    sys.argv[:] = ["-c", *arguments]
    exec(compile(text, "<program>", "exec"), {"__name__": "__main__"})


@contextlib.contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file that this process, or one that it starts, writes can be longer; Python ignores the signal of it.

    Nor does Python keep bytecode meanwhile: it would keep what was cut short, and later imports of it would fail.
    """
    multiprocessing.set_forkserver_preload(PRELOADED)
    multiprocessing.forkserver.ensure_running()  # one that began below would keep the limit
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


def assert_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """A user's mistake: status 2 and one line on standard error that holds all of `words`."""
    assert done.returncode == 2, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in errors[0]
