"""Folders that one process at a time works in."""

import errno
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from configural.errors import ConfiguralError, UnlockedWarning

LOCK = ".lock"

_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
"""What flock says on file systems without locks, or whose server for them does not run (NFS, FUSE)."""


@contextmanager
def locked(folder: Path, doing: str, patience: float = 0, name: str = LOCK) -> Generator[None]:
    """Hold a folder for this process while the block runs; the folder is made if it is missing.

    The operating system gives the lock back when the process ends, in whatever way: there are no stale ones.

    Args:
        folder: What to hold. While it is held, it has a file of the name below.
        doing: What is done there, for the error, such as `this run`.
        patience: Seconds to wait for another process to let go; below 0 for ever.
        name: Of the file, where a folder holds several things that are locked on their own.

    Raises:
        ConfiguralError: If another process holds it.
        OSError: If the folder cannot be written to.

    Warns:
        UnlockedWarning: If the file system has no locks; the block then runs without.
    """
    folder.resolve().mkdir(parents=True, exist_ok=True)  # a link may lead to a folder that is still to be made
    lock = FileLock(folder / name)
    try:
        lock.acquire(timeout=patience)
    except Timeout as error:
        raise ConfiguralError(
            f"{folder}: another process is at work on {doing}; wait until it has ended, or choose another folder"
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        warnings.warn(
            f"{folder}: its file system has no locks ({error.strerror}); let one process alone work on {doing}",
            UnlockedWarning,
            stacklevel=3,
        )
    try:
        yield
    finally:
        # While it is still held: nobody who opens the old file later can believe to hold the folder.
        (folder / name).unlink(missing_ok=True)
        lock.release()


def refuse_held(folder: Path, doing: str, patience: float = 0) -> None:
    """Raise a ConfiguralError if another process holds a folder; see `locked`.

    The file of a process that was killed is gone afterwards, so that the folder counts as empty if it is.
    """
    if (folder / LOCK).is_file():
        with locked(folder, doing, patience):
            pass


def is_locked(folder: Path) -> bool:
    """Whether some process holds the folder at this moment."""
    if not (folder / LOCK).is_file():
        return False
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    (folder / LOCK).unlink(missing_ok=True)  # left by a process that was killed
    lock.release()
    return False
