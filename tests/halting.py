"""The command line, halted at a moment of its work so that it can be ended there and nowhere else.

Processes that it starts import this file too, so they halt as well. It is copied into a folder, where `moment`
names the moment: `start`, `PATH` when such a file has been written, `half of PATH` when its content is there and
its name is not yet; PATH is compared from its end and may hold wildcards. A file `halted` appears there then;
whoever removes it lets the process go on. `output` is what all say on standard output, `errors` what they say on
the other one. See `command_line.halted`.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from configural.io import files

HERE = Path(__file__).parent
MOMENT = (HERE / "moment").read_text()
SIGN = HERE / "halted"
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
for descriptor, name in ((1, "output"), (2, "errors")):
    os.dup2(os.open(HERE / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)

if __name__ == "__main__":
    # Of a process that a shell has put into the background, those that it starts ignore Ctrl-C, as workers do.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    if MOMENT == "start":
        halt()
    from configural.cli import main

    main()
