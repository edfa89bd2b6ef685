"""Folders for the time of a job, which outlive a killed process only until the next one needs such a folder."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from configural.io.locks import LOCK, is_locked, locked

_PREFIX = "configural-"


@contextmanager
def temporary_folder(within: Path | None = None) -> Generator[Path]:
    """Have a folder of one's own while the block runs; those of processes that were killed are removed first.

    Args:
        within: Where it is made; where the system keeps temporary files by default.

    Example:
        >>> with temporary_folder() as folder:
        ...     folder.is_dir()
        True
        >>> folder.exists()
        False
    """
    within = Path(gettempdir()) if within is None else within
    for left in within.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            _remove_dead(left)
    with (
        TemporaryDirectory(prefix=_PREFIX, dir=within, ignore_cleanup_errors=True) as name,
        locked(Path(name), "this folder"),
    ):
        yield Path(name)


def _remove_dead(folder: Path) -> None:
    """Remove a folder that nobody holds; others' folders are not even looked into."""
    if folder.is_symlink() or folder.stat().st_uid != getattr(os, "getuid", int)():
        return
    if not (folder / LOCK).is_file():
        folder.rmdir()  # if it is empty, as it is between being made and held, when its process makes it again
    elif not is_locked(folder):
        shutil.rmtree(folder, ignore_errors=True)
