"""What a finished folder holds, file by file, so that it shows which of them is no longer what was written.

A folder's `SHA256SUMS` is the list that `sha256sum` of GNU coreutils writes and `sha256sum -c SHA256SUMS` checks.
It is written last, when the disk holds everything else, and taken away before anything is written again. A folder
inside that has a list of its own is in the outer list by that list alone.
"""

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from configural.errors import ConfiguralError
from configural.io import files

MANIFEST = "SHA256SUMS"

_LINE = re.compile(rb"(\\?)([0-9a-f]{64}) [ *](.+?)\r?\n")
_ESCAPED = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}


@dataclass(frozen=True)
class Fault:
    """One difference between what is on disk and what should be.

    Attributes:
        kind: missing, extra, changed (since the folder was finished), damaged, or repacked: an image of the same
            pixels in other bytes, as another version of the PNG library writes them, which is no harm.
        where: The file, or the file and the position in it.
        why: What differs, if the kind alone does not say it.
    """

    kind: str
    where: str
    why: str = ""


def is_sealed(folder: Path) -> bool:
    """Whether a folder was finished, and says what it held then."""
    return (folder / MANIFEST).is_file()


def seal(folder: Path, but: Collection[str] = ()) -> None:
    """Wait until the disk holds a folder, then write down what it holds.

    Args:
        folder: Nothing in it is written any more.
        but: Patterns of files that do not count, relative to the folder.

    Raises:
        OSError: If the disk is full or not writable; there is no list then.
    """
    unseal(folder)
    names = [name for name in present(folder) if (folder / name).is_file() and not _matches(name, but)]
    files.sync([folder / name for name in names], folder)
    _write(folder, {name: digest(folder / name) for name in names})


def unseal(folder: Path) -> None:
    """Take the list away, because what is in the folder is going to change."""
    (folder / MANIFEST).unlink(missing_ok=True)


def renew(folder: Path, *names: str) -> None:
    """Put files that were written again into the list of a folder, if it has one."""
    if is_sealed(folder):
        files.sync([folder / name for name in names], folder)
        before = _listed(folder)
        after = before | {name: digest(folder / name) for name in names}
        if after != before:
            _write(folder, after)


def compare(folder: Path) -> tuple[int, list[Fault]]:
    """Compare a folder, and those inside that have a list of their own, with what the list says.

    Returns:
        How many files were compared, and what is missing, extra or changed.

    Raises:
        ConfiguralError: If the list is not readable.
    """
    listed, there = _listed(folder), present(folder)
    faults = [Fault("missing", name) for name in listed if not os.path.lexists(folder / name)]
    around = {str(folder) for name in listed for folder in PurePosixPath(name).parents}
    faults += [Fault("extra", name) for name in sorted(there - listed.keys() - around)]
    faults += [Fault("changed", name, why) for name, why in _changed(folder, listed)]
    count = len(listed)
    for name in listed:
        inner = PurePosixPath(name)
        if inner.name == MANIFEST and (folder / name).is_file():
            number, found = compare(folder / inner.parent)
            count += number
            faults += [Fault(fault.kind, str(inner.parent / fault.where), fault.why) for fault in found]
    return count, faults


def refuse_changed(folder: Path, *patterns: str) -> None:
    """Raise a ConfiguralError if a file that is about to be read is not what was written.

    A missing file is for the reader to tell of. Of a folder without a list nothing is known.

    Args:
        folder: A finished folder.
        patterns: Of the files, relative to the folder, with `*` for any characters.
    """
    if not is_sealed(folder):
        return
    listed = {name: sum_ for name, sum_ in _listed(folder).items() if _matches(name, patterns)}
    searched = any("*" in pattern for pattern in patterns)
    for name in sorted(present(folder) if searched else patterns):
        if name not in listed and _matches(name, patterns) and os.path.lexists(folder / name):
            raise ConfiguralError(
                f"{folder / name}: was put here after {MANIFEST} was written; remove one of the two"
            )
    for name, why in _changed(folder, listed):
        raise ConfiguralError(
            f"{folder / name}: {why}; restore it, or make the folder again (configural verify names all such files)"
        )


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def present(folder: Path) -> set[str]:
    """All files but hidden ones, relative to the folder; of folders with a list of their own, only that list.

    A link to a folder is named itself, not followed.
    """
    found: set[str] = set()
    for where, folders, names in os.walk(folder):
        below = PurePosixPath(Path(where).relative_to(folder).as_posix())
        names += [name for name in folders if os.path.islink(os.path.join(where, name))]
        folders[:] = [name for name in folders if not name.startswith(".")]
        if MANIFEST in names and Path(where) != folder:
            folders[:], names = [], [MANIFEST]
        found.update(str(below / name) for name in names if not name.startswith("."))
    return found - {MANIFEST}


class Journal:
    """The list of a folder that is being written: it grows with the files that the disk holds.

    Args:
        folder: Where; what it holds of an earlier try is kept as far as the list says that it is whole, and removed
            otherwise, for after a power cut a file may be there by name alone.
        but: Names of files that are kept in any case.
    """

    def __init__(self, folder: Path, but: Collection[str] = ()) -> None:
        self._folder = folder
        sound = dict(self._sound())
        for name in present(folder) - sound.keys() - set(but):
            (folder / name).unlink()
        if sound:
            _write(folder, sound)
        else:
            unseal(folder)

    def add(self, paths: Collection[Path]) -> None:
        """Wait until the disk holds some files, then write down what they hold."""
        files.sync(paths, self._folder)
        lines = [_line(path.relative_to(self._folder).as_posix(), digest(path)) for path in paths]
        with (self._folder / MANIFEST).open("ab") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Write the list as `seal` does, in the order of the names, however often the work was interrupted."""
        # Names that were written again after an interruption are there twice.
        with (self._folder / MANIFEST).open("rb") as file:
            lines = {line.partition(b"  ")[2]: line for line in file}
        with files.whole_file(self._folder / MANIFEST, durable=True) as out:
            out.writelines(lines[name] for name in sorted(lines))

    def _sound(self) -> Iterator[tuple[str, str]]:
        try:
            lines = (self._folder / MANIFEST).read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return
        listed = dict(filter(None, map(_parsed, lines)))  # the last line may have been cut off
        changed = {name for name, _ in _changed(self._folder, listed)}
        for name, says in listed.items():
            if name not in changed and (self._folder / name).is_file():
                yield name, says


def _matches(name: str, patterns: Iterable[str]) -> bool:
    # Other wildcards of shells may be in a name.
    return any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), name, re.DOTALL) for pattern in patterns)


def _changed(folder: Path, listed: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Those of the listed files that are there and not as listed, each with what is the matter."""
    for name, expected in listed.items():
        path = folder / name
        if not path.is_file():
            if os.path.lexists(path):
                yield name, "is no file any more"
            continue
        try:
            if digest(path) != expected:
                empty = not path.stat().st_size
                yield name, "is empty now" if empty else f"is not what was written ({MANIFEST} has another SHA-256)"
        except OSError as error:
            yield name, f"cannot be read ({error.strerror})"


def _listed(folder: Path) -> dict[str, str]:
    path = folder / MANIFEST
    listed = {}
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise ConfiguralError(f"{path}: cannot be read ({error.strerror})") from error
    for number, line in enumerate(lines, start=1):
        if (parsed := _parsed(line)) is None:
            raise ConfiguralError(f"{path}, line {number}: not a SHA-256 and a name; the file is damaged")
        listed[parsed[0]] = parsed[1]
    return listed


def _write(folder: Path, listed: Mapping[str, str]) -> None:
    content = b"".join(_line(name, listed[name]) for name in sorted(listed))
    files.write_bytes(folder / MANIFEST, content, durable=True)


def _line(name: str, sum_: str) -> bytes:
    escaped = "".join(_ESCAPED.get(character, character) for character in name)
    mark = "" if escaped == name else "\\"
    return os.fsencode(f"{mark}{sum_}  {escaped}\n")


def _parsed(line: bytes) -> tuple[str, str] | None:
    """Name and SHA-256 of a line; None if it is no such line, or names a file outside the folder."""
    if (found := _LINE.fullmatch(line)) is None:
        return None
    name = os.fsdecode(found[3])
    if found[1]:
        name = re.sub(r"\\(.)", lambda pair: {"n": "\n", "r": "\r"}.get(pair[1], pair[1]), name)
    path = PurePosixPath(name)
    return None if path.is_absolute() or ".." in path.parts else (name, found[2].decode("ascii"))
