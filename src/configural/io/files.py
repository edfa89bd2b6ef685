"""Writing files whole or not at all, and waiting until the disk holds them."""

import errno
import os
import sys
import tempfile
from collections.abc import Collection, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from configural.errors import ConfiguralError


@contextmanager
def whole_file(path: Path | str, durable: bool = False) -> Generator[BinaryIO]:
    """Open a file to be filled piece by piece; `path` appears when the block ends well, and not at all otherwise.

    Args:
        path: Where the file shall be; missing parent folders are made.
        durable: Wait until the disk holds it, so that it also survives a power cut.

    Yields:
        A file open for writing bytes.

    Raises:
        OSError: If the disk is full or the file cannot be written; `path` is then as it was.
    """
    path = Path(path)
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
        if durable:
            _sync(path.parent)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename in (None, temporary):
            # Name the file that the user knows, not the temporary one.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    for written in _NOTED:
        written.append(path)


def write_bytes(path: Path | str, content: bytes, durable: bool = False) -> None:
    """Write `content` to `path` so that a reader sees the old or the new file, never a part; see `whole_file`."""
    with whole_file(path, durable) as file:
        file.write(content)


def write_text(path: Path | str, content: str, durable: bool = False) -> None:
    """Write UTF-8 text as `write_bytes` does; what of a file's name is no UTF-8 becomes a question mark."""
    write_bytes(path, content.encode("utf-8", "replace"), durable)


@contextmanager
def noted() -> Generator[list[Path]]:
    """The files that `whole_file` writes during the block, in a list that grows, and which its reader may empty."""
    written: list[Path] = []
    _NOTED.append(written)
    try:
        yield written
    finally:
        _NOTED.remove(written)


def sync(paths: Collection[Path], within: Path) -> None:
    """Wait until the disk holds some files below a folder under their names, so that they survive a power cut.

    Several at a time, which file systems with a journal answer together: 2,000 files of 3 KB take half a second on
    ext4, one after the other seven.
    """
    folders = {within, *within.absolute().parents[:2]}
    for path in paths:
        while (path := path.parent) not in folders:
            folders.add(path)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for _ in threads.map(_sync, paths):
            pass
        # A folder only after what is in it, for a name shall not be on the disk before its content.
        for _ in threads.map(_sync, folders):
            pass


def sync_folder(folder: Path) -> None:
    """Wait until the disk holds all that is in a folder; see `sync`."""
    sync([path for path in folder.rglob("*") if path.is_file()], folder)


def _sync(path: Path) -> None:
    if os.name != "posix" and path.is_dir():
        return
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # another's, so not written here, or a folder above that may only be passed through
        return
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems can sync no folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):
            raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(handle)


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Remove what `write_bytes` left under `folder` when it was killed while writing a file of that name."""
    for path in folder.rglob(f".{name}.????????.tmp"):
        path.unlink(missing_ok=True)


def refuse_used(out: Path, but: Collection[str] = ()) -> None:
    """Raise a ConfiguralError if `out` is a file or a folder that holds anything but files of these names.

    Or if it has a name that some library can write to and then not read from.
    """
    refuse_no_text(str(out))
    if out.is_file() or (out.is_dir() and any(path.name not in but for path in out.iterdir())):
        raise ConfiguralError(f"{out}: exists and is not empty; choose another out or remove it")


def refuse_no_text(path: str) -> None:
    """Raise a ConfiguralError if a path is not UTF-8, as readers of Parquet and safetensors need it."""
    if not path.isascii() and sys.getfilesystemencoding() != "utf-8":
        raise ConfiguralError(f"{ascii(path)[1:-1]}: names are not UTF-8 in this locale; set LC_ALL=C.UTF-8")
    if any("\udc80" <= character <= "\udcff" for character in path):
        raise ConfiguralError(f"{ascii(path)[1:-1]}: the name is not UTF-8; choose another, or rename it")


_AT_ONCE = 16
_NOTED: list[list[Path]] = []
_UMASK = os.umask(0o022)  # the process's file-creation mask can only be read by setting it
os.umask(_UMASK)
