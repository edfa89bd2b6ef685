"""Prepared exemplars on disk: made once, read when they are needed.

SlotContent the parts in takes about a tenth of a second per portrait, so a source of thousands is prepared once.
Each exemplar is one file of the cache, named by a fingerprint of what it was made from; it describes itself, so
that an interrupted preparation goes on with the exemplars that are there. `index.json` repeats the descriptions
in one place, so that a library is at hand without any pixels being read.
"""

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Protocol, overload, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from configural.errors import ConfiguralError, PortraitError
from configural.io import files
from configural.portraits.library import PART_KINDS, Exemplar, Part

_PREPARATION = 1  # raise it whenever the same files are made into other pixels
_PIXELS_KEPT = 256 << 20  # bytes of pixels that a library keeps in memory
_INDEX = "index.json"


@runtime_checkable
class PortraitFolder(Protocol):
    """Portraits in some layout, read one at a time.

    Attributes:
        folder: Where they are.
        names: One per portrait, in the order of the library; usable or not.
        recipe: Settings that the exemplars' pixels depend on, beside the files.
    """

    folder: Path
    names: Sequence[str]
    recipe: str

    def files(self, name: str) -> Sequence[Path]:
        """The files that a portrait is read from, whether they exist or not."""

    def read(self, name: str) -> Exemplar:
        """Make an exemplar.

        Raises:
            PortraitError: If this portrait cannot be used.
        """

    def persons(self, portraits: Mapping[str, int]) -> Mapping[str, str]:
        """Who is shown: from the CRC-32 of each usable exemplar's portrait, in order, to each one's person."""


def cache_folder() -> Path:
    """Where prepared exemplars and downloads are kept: CONFIGURAL_CACHE, or the user's own cache folder."""
    named = os.environ.get("CONFIGURAL_CACHE")
    if named:
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("configural", appauthor=False))


@dataclass(frozen=True)
class _Entry:
    """What is known of a prepared exemplar without its pixels.

    Attributes:
        name: The exemplar's.
        key: Fingerprint of what it was made from; its file is named by it.
        bytes: Of that file.
        person: The exemplar's.
        portrait: CRC-32 of the portrait's pixels.
        digest: The exemplar's.
        size: Rows and columns.
        anchors: Of the parts.
        part_sizes: Rows and columns of the parts.
        box: (top, left, bottom, right) outside of which the portrait is its canvas and no part is.
    """

    name: str
    key: str
    bytes: int
    person: str
    portrait: int
    digest: str
    size: tuple[int, int]
    anchors: tuple[tuple[int, int], ...]
    part_sizes: tuple[tuple[int, int], ...]
    box: tuple[int, int, int, int]

    @classmethod
    def from_json(cls, values: Any) -> "_Entry":
        """Read what `dataclasses.asdict` and JSON made of an entry; a KeyError or TypeError if it is none."""
        read = {field.name: values[field.name] for field in fields(cls)}
        for name in ("anchors", "part_sizes"):
            read[name] = tuple((int(row), int(col)) for row, col in read[name])
        return cls(**{**read, "size": tuple(read["size"]), "box": tuple(read["box"])})


def prepare(
    portraits: PortraitFolder, folder: Path, progress: Callable[[int, int], None] | None = None
) -> tuple["StoredHeads", list[tuple[str, str]]]:
    """Prepare all exemplars of a folder of portraits that are not in the cache yet.

    Args:
        portraits: Where the exemplars come from.
        folder: Of the cache, for these portraits alone.
        progress: Called as `progress(done, total)` after each portrait.

    Returns:
        The exemplars, and (name, reason) for each portrait that could not be used.

    Raises:
        ConfiguralError: If the cache cannot be written.
    """
    try:
        return _prepare(portraits, folder, progress)
    except OSError as error:
        raise ConfiguralError(
            f"the cache {folder} cannot be used ({error.strerror or error}): make room, or name another folder "
            "by the environment variable CONFIGURAL_CACHE"
        ) from error


def _prepare(
    portraits: PortraitFolder, folder: Path, progress: Callable[[int, int], None] | None
) -> tuple["StoredHeads", list[tuple[str, str]]]:
    code = _code_digest()
    known, unusable = _read_index(folder / _INDEX)
    there = _sizes(folder)
    entries: list[_Entry] = []
    skipped: list[tuple[str, str]] = []
    reasons: dict[str, str] = {}
    for done, name in enumerate(portraits.names, start=1):
        key = _key(portraits, name, code)
        entry = known.get(key)
        if key in unusable:
            entry = None
        elif entry is None or there.get(f"{key}.npz") != entry.bytes:
            entry = _read_entry(folder, key)
            if entry is None or entry.name != name:
                try:
                    entry = _write_exemplar(folder, key, portraits.read(name))
                except PortraitError as error:
                    unusable[key] = str(error)
                    entry = None
        if entry is None:
            reasons[key] = unusable[key]
            skipped.append((name, unusable[key]))
        else:
            entries.append(entry)
        if progress is not None:
            progress(done, len(portraits.names))
    persons = portraits.persons({entry.name: entry.portrait for entry in entries})
    entries = [replace(entry, person=persons[entry.name]) for entry in entries]
    if {entry.key: entry for entry in entries} != known or reasons != unusable or _INDEX not in there:
        index = {"exemplars": [asdict(entry) for entry in entries], "unusable": reasons}
        files.write_text(folder / _INDEX, json.dumps(index))
    _remove_others(folder, {f"{entry.key}.npz" for entry in entries})
    return StoredHeads(portraits, folder, entries), skipped


def _code_digest() -> str:
    # Whoever changes how parts are filled in must not be shown the old canvases.
    content = resources.files("configural.portraits").joinpath("canvas.py").read_bytes()
    return f"{_PREPARATION} {hashlib.sha256(content).hexdigest()}"


def _key(portraits: PortraitFolder, name: str, code: str) -> str:
    stamps: list[tuple[str, int, int]] = []
    for path in portraits.files(name):
        try:
            found = os.stat(path)
            stamps.append((str(path), found.st_size, found.st_mtime_ns))
        except OSError:
            stamps.append((str(path), -1, 0))
    described = json.dumps([code, portraits.recipe, name, stamps])
    return hashlib.sha256(described.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _sizes(folder: Path) -> dict[str, int]:
    try:
        with os.scandir(folder) as found:
            return {file.name: file.stat().st_size for file in found}
    except FileNotFoundError:
        return {}


def _read_index(path: Path) -> tuple[dict[str, _Entry], dict[str, str]]:
    """Entries and reasons by key; nothing where the index is missing or damaged."""
    try:
        index = json.loads(path.read_text("utf-8"))
        entries = [_Entry.from_json(values) for values in index["exemplars"]]
        return {entry.key: entry for entry in entries}, dict(index["unusable"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}, {}


def _remove_others(folder: Path, wanted: set[str]) -> None:
    """Remove the exemplars of portraits that are gone or have changed."""
    for name in _sizes(folder):
        if name.endswith(".npz") and name not in wanted:
            (folder / name).unlink(missing_ok=True)


def _write_exemplar(folder: Path, key: str, exemplar: Exemplar) -> _Entry:
    different = (exemplar.portrait != exemplar.canvas).any(axis=2) | (exemplar.segmentation > 0)
    rows, cols = np.flatnonzero(different.any(axis=1)), np.flatnonzero(different.any(axis=0))
    box = (int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1)
    entry = _Entry(
        name=exemplar.name,
        key=key,
        bytes=0,
        person=exemplar.person,
        portrait=zlib.crc32(exemplar.portrait.tobytes()),
        digest=exemplar.digest,
        size=exemplar.size,
        anchors=exemplar.anchors,
        part_sizes=exemplar.part_sizes,
        box=box,
    )
    inside = np.s_[box[0] : box[2], box[1] : box[3]]
    content = io.BytesIO()
    np.savez(
        content,
        entry=np.frombuffer(json.dumps(asdict(entry)).encode(), np.uint8),
        canvas=_encode(exemplar.canvas),
        portrait=_encode(exemplar.portrait[inside]),
        segmentation=_encode(exemplar.segmentation[inside]),
    )
    files.write_bytes(folder / f"{key}.npz", content.getvalue())
    return replace(entry, bytes=len(content.getvalue()))


def _read_entry(folder: Path, key: str) -> _Entry | None:
    """What an exemplar's file says of itself, or None if there is no such file or it is damaged."""
    path = folder / f"{key}.npz"
    try:
        (described,) = _read_members(path, "entry")
        entry = _Entry.from_json(json.loads(described.tobytes()))
        return replace(entry, bytes=path.stat().st_size) if entry.key == key else None
    except _DAMAGE:
        return None


# What reading a file may end in that is missing, cut off, or holds other bytes than were written.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error, cv2.error)


def _read_members(path: Path, *names: str) -> list[UInt8[np.ndarray, " _"]]:
    # The zip's checksums tell damage, member by member; the others are not read.
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as members:
        return [members[name] for name in names]


def _encode(pixels: UInt8[np.ndarray, "..."]) -> UInt8[np.ndarray, " bytes"]:
    # OpenCV takes RGB for BGR here and again when it reads, which cancels out.
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].ravel()


def _decode(data: UInt8[np.ndarray, " bytes"], rows: int, cols: int, *channels: int) -> np.ndarray:
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape != (rows, cols, *channels):
        raise ValueError("no such image")
    return np.asarray(pixels, np.uint8)


@dataclass(frozen=True, eq=False)
class _Face:
    """What an exemplar is beside its canvas, inside its entry's box."""

    portrait: UInt8[np.ndarray, "height width 3"]
    segmentation: UInt8[np.ndarray, "height width"]
    parts: tuple[Part, Part, Part, Part]


class StoredHeads(Sequence):  # of Head; naming it here would make type checks at run time read pixels
    """Exemplars whose pixels are read from the cache when they are asked for.

    Those asked for last stay in memory, up to some hundred megabytes. An exemplar's file that is missing or damaged
    is made again from its portrait.
    """

    def __init__(self, portraits: PortraitFolder, folder: Path, entries: Sequence[_Entry]) -> None:
        self._portraits = portraits
        self._folder = folder
        self._entries = entries
        self._remember()

    def _remember(self) -> None:
        largest = max((3 * entry.size[0] * entry.size[1] for entry in self._entries), default=1)
        kept = max(8, _PIXELS_KEPT // largest)
        self._canvas = lru_cache(maxsize=kept)(self._read_canvas)
        self._face = lru_cache(maxsize=kept)(self._read_face)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_canvas", "_face")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._remember()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Exemplar]:
        return (StoredHead.of(self, position) for position in range(len(self)))

    @overload
    def __getitem__(self, position: int) -> Exemplar: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[Exemplar]: ...
    def __getitem__(self, position: int | slice) -> Exemplar | Sequence[Exemplar]:
        if isinstance(position, slice):
            return StoredHeads(self._portraits, self._folder, self._entries[position])
        return StoredHead.of(self, range(len(self))[position])

    def entry(self, position: int) -> _Entry:
        """What is known of an exemplar without its pixels."""
        return self._entries[position]

    def canvas(self, position: int) -> UInt8[np.ndarray, "rows cols 3"]:
        """An exemplar's canvas, not to be written to."""
        return self._canvas(position)

    def face(self, position: int) -> _Face:
        """What an exemplar is beside its canvas, not to be written to."""
        return self._face(position)

    def _read_canvas(self, position: int) -> UInt8[np.ndarray, "rows cols 3"]:
        rows, cols = self._entries[position].size
        (data,) = self._members(position, "canvas")
        return _locked(_decode(data, rows, cols, 3))

    def _read_face(self, position: int) -> _Face:
        entry = self._entries[position]
        top, left, bottom, right = entry.box
        of_portrait, of_segmentation = self._members(position, "portrait", "segmentation")
        portrait = _locked(_decode(of_portrait, bottom - top, right - left, 3))
        segmentation = _locked(_decode(of_segmentation, bottom - top, right - left))
        parts = []
        for kind, (row, col), (rows, cols) in zip(PART_KINDS, entry.anchors, entry.part_sizes, strict=True):
            box = np.s_[row - top : row - top + rows, col - left : col - left + cols]
            mask: Bool[np.ndarray, "rows cols"] = segmentation[box] == 1 + PART_KINDS.index(kind)
            parts.append(Part(kind, portrait[box], mask, (row, col)))
        return _Face(portrait, segmentation, (parts[0], parts[1], parts[2], parts[3]))

    def _members(self, position: int, *names: str) -> list[UInt8[np.ndarray, " _"]]:
        entry = self._entries[position]
        path = self._folder / f"{entry.key}.npz"
        try:
            return _read_members(path, *names)
        except _DAMAGE:
            pass
        again = self._portraits.read(entry.name)
        if again.digest != entry.digest:
            raise ConfiguralError(
                f"{self._portraits.folder}: {entry.name} has changed since it was loaded; load the faces again"
            )
        _write_exemplar(self._folder, entry.key, again)
        return _read_members(path, *names)


def _locked(pixels: np.ndarray) -> np.ndarray:
    """Make an array read-only: it is kept, and must stay what it is."""
    pixels.flags.writeable = False
    return pixels


class StoredHead(Exemplar):
    """An exemplar of `StoredHeads`: its pixels are read when they are first asked for."""

    _exemplars: StoredHeads
    _position: int

    @classmethod
    def of(cls, exemplars: StoredHeads, position: int) -> "StoredHead":
        """The exemplar at a position that is known to exist."""
        exemplar = object.__new__(cls)
        entry = exemplars.entry(position)
        vars(exemplar).update(name=entry.name, person=entry.person, _exemplars=exemplars, _position=position)
        return exemplar

    @cached_property
    def portrait(self) -> UInt8[np.ndarray, "rows cols 3"]:
        """The image as it was, RGB."""
        portrait = self.canvas.copy()
        top, left, bottom, right = self._entry.box
        portrait[top:bottom, left:right] = self._exemplars.face(self._position).portrait
        return portrait

    @cached_property
    def segmentation(self) -> UInt8[np.ndarray, "rows cols"]:
        """0 where no part is, else 1 + the position in `PART_KINDS`."""
        segmentation = np.zeros(self._entry.size, np.uint8)
        top, left, bottom, right = self._entry.box
        segmentation[top:bottom, left:right] = self._exemplars.face(self._position).segmentation
        return segmentation

    @cached_property
    def canvas(self) -> UInt8[np.ndarray, "rows cols 3"]:
        """The portrait with its parts removed and the skin filled in, RGB."""
        return self._exemplars.canvas(self._position)

    @cached_property
    def parts(self) -> tuple[Part, Part, Part, Part]:
        """The four parts in the order of `PART_KINDS`."""
        return self._exemplars.face(self._position).parts

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the portrait, and of the canvas."""
        return self._entry.size

    @property
    def anchors(self) -> tuple[tuple[int, int], ...]:
        """(row, column) of every part's anchor."""
        return self._entry.anchors

    @property
    def part_sizes(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of every part."""
        return self._entry.part_sizes

    @cached_property
    def digest(self) -> str:
        """SHA-256 over size, portrait, segmentation and canvas, as 64 hex digits."""
        return self._entry.digest

    @property
    def _entry(self) -> _Entry:
        return self._exemplars.entry(self._position)
