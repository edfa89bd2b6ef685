"""What libraries of compiled code say on the process's standard error, kept from the user's terminal."""

import os
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def kept_lines(*beginnings: bytes) -> Generator[list[str]]:
    """Lines that begin like one of these and are written in the block, known at its end; others are passed on."""
    kept: list[str] = []
    try:
        before = os.dup(2) if beginnings else None
    except OSError:  # there is no standard error
        before = None
    if before is None:
        yield kept
        return
    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield kept
        finally:
            os.dup2(before, 2)
            os.close(before)
            said.seek(0)
            for line in said:
                if line.startswith(beginnings):
                    kept.append(line.decode("ascii", "replace").strip())
                else:  # another thread's
                    os.write(2, line)


_ONE_AT_A_TIME = threading.Lock()
