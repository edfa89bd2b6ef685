"""The command line, halted at a moment of its work so that it can be ended there and nowhere else.

Processes that it starts import this file too, so they halt as well. `CONFIGURAL_HALT` names the moment: `start`,
`PATH` when such a file has been written, `half of PATH` when its content is there and its name is not yet; PATH is
compared from its end and may hold wildcards. `CONFIGURAL_HALTED` is the path of a file that appears then; whoever
removes it lets the process go on. See `command_line.halted`.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from configural.io import files

MOMENT = os.environ["CONFIGURAL_HALT"]
SIGN = Path(os.environ["CONFIGURAL_HALTED"])
_whole_file = files.whole_file


def halt() -> None:
    if SIGN.with_suffix(".over").exists():
        return
    SIGN.with_suffix(".over").touch()
    SIGN.touch()
    while SIGN.exists():
        time.sleep(0.01)


@contextmanager
def whole_file(path: Path, durable: bool = False) -> Iterator[BinaryIO]:
    with _whole_file(path, durable) as file:
        yield file
        if MOMENT.startswith("half of ") and path.match(MOMENT.removeprefix("half of ")):
            file.flush()
            halt()
    if path.match(MOMENT):
        halt()


files.whole_file = whole_file

if __name__ == "__main__":
    # Of a process that a shell has put into the background, those that it starts ignore Ctrl-C, as workers do.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    if MOMENT == "start":
        halt()
    from configural.cli import main

    main()
