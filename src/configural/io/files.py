"""Writing files whole or not at all."""

import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from configural.errors import ConfiguralError


@contextmanager
def whole_file(path: Path, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a file to be filled piece by piece; `path` appears when the block ends well, and not at all otherwise.

    Args:
        path: Where the file shall be; missing parent folders are made.
        durable: Wait until the disk holds it, so that it also survives a power cut.

    Yields:
        A file open for writing bytes.

    Raises:
        OSError: If the disk is full or the file cannot be written; `path` is then as it was.
    """
    temporary_file = partial(tempfile.mkstemp, prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        handle, temporary = temporary_file()
    except (FileNotFoundError, NotADirectoryError):
        # Only now, since most files go into folders that are there.
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = temporary_file()
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        # mkstemp makes the file readable for its owner alone; give it what a plain open would.
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename in (None, temporary):
            # Name the file that the user knows, not the temporary one.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_bytes(path: Path, content: bytes, durable: bool = False) -> None:
    """Write `content` to `path` so that a reader sees the old or the new file, never a part; see `whole_file`."""
    with whole_file(path, durable) as file:
        file.write(content)


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text as `write_bytes` does."""
    write_bytes(path, content.encode("utf-8"))


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Remove what `write_bytes` left under `folder` when it was killed while writing a file of that name."""
    for path in folder.rglob(f".{name}.????????.tmp"):
        path.unlink(missing_ok=True)


def refuse_used(out: Path, but: Collection[str] = ()) -> None:
    """Raise a ConfiguralError if `out` is a file or a folder that holds anything but files of these names."""
    if out.is_file() or (out.is_dir() and any(path.name not in but for path in out.iterdir())):
        raise ConfiguralError(f"{out}: exists and is not empty; choose another out or remove it")


_UMASK = os.umask(0o022)  # the process's file-creation mask can only be read by setting it
os.umask(_UMASK)
