"""Prepared exemplars on disk: made once, read when they are needed.

Filling in the surface under the parts takes about a tenth of a second per portrait, so a source of thousands is
prepared once. Each exemplar is one zip file of the cache, named by a fingerprint of what it was made from; it
describes itself, so that an interrupted preparation is resumed with the exemplars that are there. `index.jsonl`
repeats the descriptions in one file, so that a library is at hand without any pixels being read.
"""

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from importlib import resources
from pathlib import Path
from typing import Any, Protocol, overload, runtime_checkable

import cv2
import numpy as np
from jaxtyping import UInt8
from pydantic import BaseModel, ConfigDict

from configural import progress
from configural.errors import ConfiguralError, PortraitError
from configural.io import files
from configural.io.images import bounding_box, encode_png, highest
from configural.objects import ObjectScheme
from configural.portraits.library import Exemplar, Part
from configural.processes import processors, worker_processes

_PREPARATION = 4  # raise it whenever the same files are made into other pixels
_PIXELS_KEPT = 256 << 20  # bytes of pixels that a library keeps in memory
_WORTH_WORKERS = 32  # exemplars to be prepared, from which on starting processes pays
_MOST_WORKERS = 8  # of some 250 MiB each
_INDEX = "index.jsonl"
_ENTRY = "entry.jsonl"


@runtime_checkable
class PortraitFolder(Protocol):
    """Portraits in some layout, read one at a time.

    Attributes:
        folder: Where they are.
        names: One per portrait, in the order of the library; usable or not.
        recipe: Settings that the exemplars' pixels and parts depend on, beside the files.
        scheme: What the object consists of.
        licence: What is known of the rights in the portraits.
    """

    folder: Path
    names: Sequence[str]
    recipe: str
    scheme: ObjectScheme
    licence: str

    def files(self, name: str) -> Sequence[Path]:
        """The files that a portrait is read from, whether they exist or not."""

    def read(self, name: str) -> Exemplar:
        """Make an exemplar; a PortraitError if this portrait cannot be used."""

    def persons(self, portraits: Mapping[str, int]) -> Mapping[str, str]:
        """Who is shown: from the CRC-32 of each usable exemplar's portrait, in order, to each one's person."""


def cache_folder() -> Path:
    """Where prepared exemplars and downloads are kept: CONFIGURAL_CACHE, or the user's own cache folder."""
    named = os.environ.get("CONFIGURAL_CACHE")
    import platformdirs

    try:
        return Path(named or platformdirs.user_cache_dir("configural", appauthor=False)).expanduser()
    except RuntimeError as error:  # as in a container, of a user whom it does not know
        raise ConfiguralError(
            "this user has no home folder to keep a cache in: name a folder by the environment variable "
            "CONFIGURAL_CACHE"
        ) from error


class Entry(BaseModel):
    """What is known of a prepared exemplar without its pixels.

    Attributes:
        key: Fingerprint of what it was made from; its file is named by it.
        bytes: Of that file.
        portrait_crc: Of the portrait's pixels.
        part_kinds: In paste order.
        box: (top, left, bottom, right) outside of which the portrait is its canvas and no part is.
        pixels: SHA-256 of each image's pixels, by its name in the file.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    key: str
    bytes: int = 0
    person: str
    portrait_crc: int
    digest: str
    size: tuple[int, int]
    part_kinds: tuple[str, ...]
    anchors: tuple[tuple[int, int], ...]
    part_sizes: tuple[tuple[int, int], ...]
    box: tuple[int, int, int, int]
    pixels: dict[str, str]
    note: str = ""


_OF_EXEMPLAR = ("name", "person", "portrait_crc", "digest", "size", "anchors", "part_sizes", "note")
"""What an entry has from its exemplar, under the same names."""


class _Index(BaseModel):
    """All exemplars of a folder of the cache.

    Attributes:
        exemplars: Those that can be used.
        unusable: The reasons why others cannot be, by key.
        keys: The keys by what the file system says of the files, so that they need not be read again.
    """

    exemplars: list[Entry] = []
    unusable: dict[str, str] = {}
    keys: dict[str, str] = {}


def prepare(portraits: PortraitFolder, folder: Path) -> tuple["StoredExemplars", list[tuple[str, str]]]:
    """Prepare what a folder of portraits has and its own folder of the cache has not.

    Returns:
        The exemplars, and (name, reason) for each portrait that could not be used.

    Raises:
        ConfiguralError: If the cache cannot be written.
    """
    try:
        return _prepare(portraits, folder)
    except OSError as error:
        raise ConfiguralError(
            f"the cache {folder} cannot be used ({error.strerror or error}): make room, or name another folder "
            "by the environment variable CONFIGURAL_CACHE"
        ) from error


def _prepare(portraits: PortraitFolder, folder: Path) -> tuple["StoredExemplars", list[tuple[str, str]]]:
    # Whoever changes how parts are filled in must not be shown the old canvases.
    content = resources.files("configural.portraits").joinpath("canvas.py").read_bytes()
    code = f"{_PREPARATION} {hashlib.sha256(content).hexdigest()}"
    before, there = _read_index(folder / _INDEX), _sizes(folder)
    known = {entry.key: entry for entry in before.exemplars}
    keys: dict[str, str] = {}
    found: dict[str, Entry | _Unusable] = {}
    waiting: dict[str, str] = {}  # stamps by name
    for name in portraits.names:
        stamp = _stamp(portraits, name, code)
        key = before.keys.get(stamp, "")
        entry = known.get(key)
        if key in before.unusable:
            keys[stamp], found[name] = key, _Unusable(key, before.unusable[key])
        elif entry is not None and entry.name == name and there.get(f"{key}.zip") == entry.bytes:
            keys[stamp], found[name] = key, entry
        else:
            waiting[name] = stamp
    making = _Making(portraits, folder, code, before.unusable)
    workers = min(processors(), _MOST_WORKERS) if len(waiting) >= _WORTH_WORKERS else 1
    with progress.bar("preparing exemplars", len(portraits.names)) as update, ExitStack() as stack:
        update(len(found))
        each = (
            stack.enter_context(worker_processes(workers, making, main=False))
            if workers > 1
            else partial(_here, making)
        )
        for name, made in zip(waiting, each(_made, waiting), strict=True):
            keys[waiting[name]], found[name] = made.key, made
            update(len(found))
    in_order = [(name, found[name]) for name in portraits.names]
    entries = [made for _, made in in_order if isinstance(made, Entry)]
    skipped = [(name, made.reason) for name, made in in_order if isinstance(made, _Unusable)]
    unusable = {made.key: made.reason for _, made in in_order if isinstance(made, _Unusable)}
    persons = portraits.persons({entry.name: entry.portrait_crc for entry in entries})
    entries = [entry.model_copy(update={"person": persons[entry.name]}) for entry in entries]
    index = _Index(exemplars=entries, unusable=unusable, keys=keys)
    if index != before or _INDEX not in there:
        files.write_text(folder / _INDEX, _sealed(index))
    wanted = {f"{entry.key}.zip" for entry in entries}
    for name in _sizes(folder):
        if name.endswith(".zip") and name not in wanted:  # of a portrait that is gone or has changed
            (folder / name).unlink(missing_ok=True)
    return StoredExemplars(portraits, folder, entries), skipped


@dataclass(frozen=True)
class _Unusable:
    """A portrait that cannot be used: its key, and why."""

    key: str
    reason: str


@dataclass(frozen=True)
class _Making:
    """What an exemplar is made with: see `_prepare`."""

    portraits: PortraitFolder
    folder: Path
    code: str
    unusable: Mapping[str, str]


def _made(making: _Making, name: str) -> Entry | _Unusable:
    """An exemplar that the cache may have under its content's key, or that is made and written there.

    What another of its folders has of equal content is as good: of portraits that were moved or copied, or of more
    or fewer painted ones.
    """
    key = _key(making.portraits, name, making.code)
    if key in making.unusable:
        return _Unusable(key, making.unusable[key])
    for path in (making.folder / f"{key}.zip", *making.folder.parent.glob(f"*/{key}.zip")):
        entry = _read_entry(path.parent, key)
        if entry is not None:
            with suppress(FileNotFoundError):  # its folder may be tidied up meanwhile
                if path.parent != making.folder:
                    files.write_bytes(making.folder / path.name, path.read_bytes())
                return entry
    try:
        return _write(making.folder, key, making.portraits.read(name))
    except PortraitError as error:
        return _Unusable(key, str(error))


def _here(making: _Making, work: Callable[..., Any], names: Iterable[str]) -> Iterator[Any]:
    """What `worker_processes` yields, in this process."""
    return (work(making, name) for name in names)


def _stamp(portraits: PortraitFolder, name: str, code: str) -> str:
    """Changes whenever a portrait's files do: the last number is the time that no program can set."""
    stamps: list[tuple[str, int, int, int]] = []
    for path in portraits.files(name):
        try:
            found = os.stat(path)
            stamps.append((str(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns))
        except OSError:
            stamps.append((str(path), -1, 0, 0))
    return _fingerprint([code, portraits.recipe, name, stamps])


def _key(portraits: PortraitFolder, name: str, code: str) -> str:
    """Changes whenever the content of a portrait's files does."""
    digests: list[str | None] = []
    for path in portraits.files(name):
        try:
            digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
        except OSError:
            digests.append(None)
    return _fingerprint([code, portraits.recipe, name, digests])


def _fingerprint(described: list[Any]) -> str:
    return hashlib.sha256(json.dumps(described).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _sizes(folder: Path) -> dict[str, int]:
    try:
        with os.scandir(folder) as found:
            return {file.name: file.stat().st_size for file in found}
    except FileNotFoundError:
        return {}


def _read_index(path: Path) -> _Index:
    """The index; an empty one where it is missing or damaged."""
    try:
        return _Index.model_validate_json(_unsealed(path.read_bytes()))
    except (OSError, ValueError):
        return _Index()


def _sealed(content: BaseModel) -> str:
    """A line with the digest of the next one, so that nothing is believed that has been changed."""
    line = content.model_dump_json()
    return f'"{hashlib.sha256(line.encode()).hexdigest()}"\n{line}'


def _unsealed(lines: bytes) -> bytes:
    """The second line; a ValueError if it is not the one that was written."""
    seal, _, line = lines.partition(b"\n")
    if seal != f'"{hashlib.sha256(line).hexdigest()}"'.encode():
        raise ValueError("changed")
    return line


def _write(folder: Path, key: str, exemplar: Exemplar) -> Entry:
    different = (highest(cv2.absdiff(exemplar.portrait, exemplar.canvas)) | exemplar.segmentation) > 0
    top, left, bottom, right = box = bounding_box(different)
    images = {
        "canvas.png": exemplar.canvas,
        "portrait.png": exemplar.portrait[top:bottom, left:right],
        "segmentation.png": exemplar.segmentation[top:bottom, left:right],
    }
    entry = Entry(
        **{name: getattr(exemplar, name) for name in _OF_EXEMPLAR},
        key=key,
        part_kinds=tuple(part.kind for part in exemplar.parts),
        box=box,
        pixels={name: _digest(pixels) for name, pixels in images.items()},
    )
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(_ENTRY, _sealed(entry))
        for name, pixels in images.items():
            archive.writestr(name, _encode(pixels))
    files.write_bytes(folder / f"{key}.zip", content.getvalue())
    return entry.model_copy(update={"bytes": len(content.getvalue())})


def _read_entry(folder: Path, key: str) -> Entry | None:
    """What an exemplar's file says of itself, or None if there is no such file or it is damaged."""
    path = folder / f"{key}.zip"
    try:
        entry = Entry.model_validate_json(_unsealed(_read_member(path, _ENTRY)))
        return entry.model_copy(update={"bytes": path.stat().st_size}) if entry.key == key else None
    except _DAMAGE:
        return None


# What reading a file may end in that is missing, cut off, or holds other bytes than were written.
_DAMAGE = (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error, cv2.error)


def _read_member(path: Path, name: str) -> bytes:
    # The zip's checksums reveal damage, member by member; the others are not read.
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def _encode(pixels: UInt8[np.ndarray, "..."]) -> bytes:
    # As BGR, for that is what OpenCV makes of RGB when it reads.
    return encode_png(pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))


@dataclass(frozen=True, eq=False)
class _Inside:
    """What an exemplar is beside its canvas, inside its entry's box."""

    portrait: UInt8[np.ndarray, "height width 3"]
    segmentation: UInt8[np.ndarray, "height width"]
    parts: tuple[Part, ...]


class StoredExemplars(Sequence):  # of Exemplar; naming it here would make type checks at run time read pixels
    """Exemplars whose pixels are read from the cache when they are needed.

    Those used last stay in memory, up to some hundred megabytes. An exemplar's file that is missing or damaged is
    made again from its portrait.
    """

    def __init__(self, portraits: PortraitFolder, folder: Path, entries: Sequence[Entry]) -> None:
        self.portraits, self._folder, self.entries = portraits, folder, entries
        largest = max((3 * entry.size[0] * entry.size[1] for entry in entries), default=1)
        kept = max(8, _PIXELS_KEPT // largest)
        self.canvas = lru_cache(maxsize=kept)(self._canvas)
        self.inside = lru_cache(maxsize=kept)(self._inside)

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredExemplars, (self.portraits, self._folder, self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Exemplar]:
        return (_StoredExemplar.of(self, position) for position in range(len(self)))

    @overload
    def __getitem__(self, position: int) -> Exemplar: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[Exemplar]: ...
    def __getitem__(self, position: int | slice) -> Exemplar | Sequence[Exemplar]:
        if isinstance(position, slice):
            return StoredExemplars(self.portraits, self._folder, self.entries[position])
        return _StoredExemplar.of(self, range(len(self))[position])

    def _canvas(self, position: int) -> UInt8[np.ndarray, "rows cols 3"]:
        return self._pixels(position, "canvas.png", (*self.entries[position].size, 3))

    def _inside(self, position: int) -> _Inside:
        entry = self.entries[position]
        top, left, bottom, right = entry.box
        portrait = self._pixels(position, "portrait.png", (bottom - top, right - left, 3))
        segmentation = self._pixels(position, "segmentation.png", (bottom - top, right - left))
        parts = []
        for value, kind in enumerate(entry.part_kinds, start=1):
            (row, col), (rows, cols) = entry.anchors[value - 1], entry.part_sizes[value - 1]
            box = np.s_[row - top : row - top + rows, col - left : col - left + cols]
            parts.append(Part(kind, portrait[box], segmentation[box] == value, (row, col)))
        return _Inside(portrait, segmentation, tuple(parts))

    def _pixels(self, position: int, member: str, shape: tuple[int, ...]) -> UInt8[np.ndarray, "..."]:
        """One of the images of an exemplar's file, not to be written to."""
        entry = self.entries[position]
        path = self._folder / f"{entry.key}.zip"
        try:
            return _decode(_read_member(path, member), shape, entry.pixels[member])
        except _DAMAGE:
            pass
        again = self.portraits.read(entry.name)
        if again.digest != entry.digest:
            raise ConfiguralError(
                f"{self.portraits.folder}: {entry.name} has changed since it was loaded; load the source again"
            )
        _write(self._folder, entry.key, again)
        return _decode(_read_member(path, member), shape, entry.pixels[member])


def _digest(pixels: UInt8[np.ndarray, "..."]) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def _decode(data: bytes, shape: tuple[int, ...], digest: str) -> UInt8[np.ndarray, "..."]:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape != shape or _digest(pixels) != digest:
        raise ValueError("no such image")
    pixels.flags.writeable = False  # it is kept, and must stay what it is
    return np.asarray(pixels, np.uint8)


class _StoredExemplar(Exemplar):
    """An exemplar of `StoredExemplars`: its pixels are read when they are first needed."""

    _exemplars: StoredExemplars
    _position: int

    @classmethod
    def of(cls, exemplars: StoredExemplars, position: int) -> "_StoredExemplar":
        """The exemplar at a position that is known to exist."""
        exemplar, entry = object.__new__(cls), exemplars.entries[position]
        vars(exemplar).update({name: getattr(entry, name) for name in _OF_EXEMPLAR})
        vars(exemplar).update(_exemplars=exemplars, _position=position)
        return exemplar

    @cached_property
    def canvas(self) -> UInt8[np.ndarray, "rows cols 3"]:
        return self._exemplars.canvas(self._position)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        return self._exemplars.inside(self._position).parts

    @cached_property
    def portrait(self) -> UInt8[np.ndarray, "rows cols 3"]:
        return self._whole(self.canvas.copy(), self._exemplars.inside(self._position).portrait)

    @cached_property
    def segmentation(self) -> UInt8[np.ndarray, "rows cols"]:
        return self._whole(np.zeros(self.size, np.uint8), self._exemplars.inside(self._position).segmentation)

    def _whole(self, outside: np.ndarray, inside: np.ndarray) -> np.ndarray:
        top, left, bottom, right = self._exemplars.entries[self._position].box
        outside[top:bottom, left:right] = inside
        return outside
