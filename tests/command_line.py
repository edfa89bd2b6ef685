"""The command line, in this process (quick) or in one of its own (all of it)."""

import contextlib
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from configural.cli import main


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

    process: subprocess.Popen[str]
    sign: Path

    def end(self, by: int) -> str:
        """Send a signal, wait for the end, and return what it said on standard error."""
        self.process.send_signal(by)
        return self.process.communicate(timeout=600)[1]


@contextlib.contextmanager
def halted(moment: str, *arguments: object) -> Iterator[Halted]:
    """Run a command in a process of its own up to a moment as in `halting.py`; ended at the latest with the block.

    It computes with as many threads as this process, so that both come to the same weights.
    """
    import torch

    with tempfile.TemporaryDirectory() as folder:
        sign = Path(folder) / "halted"
        environment = {
            **os.environ,
            "CONFIGURAL_HALT": moment,
            "CONFIGURAL_HALTED": str(sign),
            "OMP_NUM_THREADS": str(torch.get_num_threads()),
        }
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("halting.py")), *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        try:
            while not sign.exists():
                assert process.poll() is None, f"it ended before the moment: {process.communicate()[1]}"
                time.sleep(0.005)
            yield Halted(process, sign)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()


@contextlib.contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file that this process, or one that it starts, writes can be longer; Python ignores the signal of it.

    Nor does Python keep bytecode meanwhile: it would keep what was cut short, and later imports of it would fail.
    """
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
