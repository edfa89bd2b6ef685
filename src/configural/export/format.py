"""What a dataset format is, and what can be wrong with a dataset on disk."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import cv2
import numpy as np
from jaxtyping import UInt8

from configural.errors import ConfiguralError
from configural.export.plan import Each, Entry, Plan, Shard, Update
from configural.io import files
from configural.io.images import decode_image
from configural.io.manifest import Fault
from configural.io.reading import reading
from configural.registry import Registry, made_by


@dataclass(frozen=True, eq=False)
class StoredImage:
    """One image as a dataset holds it.

    Attributes:
        file: Its name in the table of stimuli, such as `test/face/pic_08001.png`.
        index: Its number within its class.
        label: A position in the class names.
        pixels: RGB.
    """

    file: str
    index: int
    label: int
    pixels: UInt8[np.ndarray, "rows cols 3"]


class Format(ABC):
    """One form in which a dataset is written, read and compared.

    A format of your own is a subclass with `paths`, `write` and `read`, registered by `FORMATS["mine"] = Mine()`,
    declared by an installed package as an entry point of the group `configural.formats`, or written as
    `module:name`.

    Attributes:
        data_files: Pattern of the files of a subset, `{}` for its name; the data card's header states it.
        usage: Markdown for the data card, code in a fence: how other tools read the folder, `FOLDER` for its name.
        holds_parts: Whether the parts' masks are in it even without label images.
        writes_masks: Whether it writes label images where they are wanted; else to want them is refused.
    """

    data_files: ClassVar[str]
    usage: ClassVar[str] = ""
    holds_parts: ClassVar[bool] = False
    writes_masks: ClassVar[bool] = False

    @abstractmethod
    def paths(self, plan: Plan) -> Iterator[str]:
        """All files of a dataset but those that every format has, relative to its folder."""

    @abstractmethod
    def write(self, plan: Plan, folder: Path, *, update: Update, each: Each) -> None:
        """Write what is not there yet; a file that is there is whole.

        Args:
            plan: What the dataset is to hold.
            folder: Where to write.
            update: To be called with the number of images done so far.
            each: Like `map`, with a function of an `Entry` that can be pickled; it draws in several processes.
        """

    @abstractmethod
    def read(self, folder: Path, subset: str, *, class_names: tuple[str, str]) -> Iterator[StoredImage]:
        """The images of train, valid or test, in any order; nothing that is read may be executed.

        Raises:
            ConfiguralError: If a file is damaged; it is named.
        """

    def compare(self, plan: Plan, folder: Path, *, rows: frozenset[int], update: Update) -> Iterator[Fault]:
        """The faults of some stimuli as they are stored; a file that is not there is passed over.

        Unless a format knows more of itself, what `read` gives is compared with what the plan says and draws.

        Args:
            plan: What the dataset should hold.
            folder: Where it is.
            rows: Positions in the table of stimuli.
            update: To be called with the number of rows compared so far.
        """
        done = 0
        for subset in plan.subsets:
            chosen = (entry for entry in plan.entries(plan.of_subset(subset)) if entry.row in rows)
            expected = {entry.columns["file"]: entry for entry in chosen}
            try:
                for stored in self.read(folder, subset, class_names=plan.table.scheme.class_names):
                    if (entry := expected.pop(stored.file, None)) is not None:
                        said = (entry.columns["index"], entry.columns["label"])
                        if said != (stored.index, stored.label) or not np.array_equal(
                            stored.pixels, entry.pixels()
                        ):
                            yield Fault("damaged", stored.file, "is not what is drawn from stimuli.parquet")
                        done += 1
                        update(done)
            except (ConfiguralError, OSError) as error:
                yield Fault("damaged", subset, str(error))
            else:
                yield from (Fault("missing", file) for file in expected)

    def rows(self, plan: Plan, paths: Collection[str]) -> Iterator[int]:
        """The positions in the table of the stimuli that some files hold, as far as the format knows."""
        if paths:
            listed = enumerate(plan.table.files())
            yield from (row for row, file in listed if file in paths or f"masks/{file}" in paths)


class ShardedFormat(Format):
    """A format that packs a shard of the images into each of its files."""

    @abstractmethod
    def path(self, shard: Shard) -> str:
        """The shard's file, relative to the folder."""

    @abstractmethod
    def pack(self, entry: Entry) -> Any:
        """What the file is to hold of one stimulus; done in several processes."""

    @abstractmethod
    def write_shard(self, out: BinaryIO, plan: Plan, *, packed: Iterator[Any]) -> None:
        """Write one file of what `pack` made."""

    @abstractmethod
    def read_shard(self, path: Path) -> Iterator[StoredImage]:
        """The images in one file, in order."""

    @abstractmethod
    def compare_shard(self, path: Path, plan: Plan, *, shard: Shard, rows: frozenset[int]) -> Iterator[Fault]:
        """The faults of one file, and of the rows that are in it."""

    def paths(self, plan: Plan) -> Iterator[str]:
        """All files of the dataset."""
        return map(self.path, plan.shards)

    def write(self, plan: Plan, folder: Path, *, update: Update, each: Each) -> None:
        """Write all shards that are not there yet."""
        done = 0
        missing = [shard for shard in plan.shards if not (folder / self.path(shard)).exists()]
        packed = each(self.pack, plan.entries(missing))
        for shard in plan.shards:
            if shard in missing:
                with files.whole_file(folder / self.path(shard)) as out:
                    self.write_shard(out, plan, packed=_counted(islice(packed, len(shard.rows)), update, done))
            done += len(shard.rows)
            update(done)

    def rows(self, plan: Plan, paths: Collection[str]) -> Iterator[int]:
        """The positions of the stimuli in some shards."""
        for shard in plan.shards:
            if self.path(shard) in paths:
                yield from shard.rows.tolist()

    def read(self, folder: Path, subset: str, *, class_names: tuple[str, str]) -> Iterator[StoredImage]:
        """The images of a subset, shard by shard."""
        for path in sorted(folder.glob(self.data_files.format(subset))):
            with reading(path, "a readable shard"):
                yield from self.read_shard(path)

    def compare(self, plan: Plan, folder: Path, *, rows: frozenset[int], update: Update) -> Iterator[Fault]:
        """The faults of the rows, and of what each shard holds in all; a missing shard is passed over."""
        done = 0
        for shard in plan.shards:
            path = folder / self.path(shard)
            if path.is_file():
                try:
                    with reading(path, "a readable shard"):
                        yield from self.compare_shard(path, plan, shard=shard, rows=rows)
                except ConfiguralError as error:
                    yield Fault("damaged", self.path(shard), str(error))
            done += len(rows.intersection(shard.rows.tolist()))
            update(done)


FORMATS: Registry[Format] = Registry("format", "configural.formats", Format)
"""The dataset formats by name."""


def find_format(name: str) -> Format:
    """The format that a person named: a registered one, or `module:name` of a format or its class.

    Raises:
        ConfiguralError: If there is none.
    """
    found: Any = FORMATS.find(name)
    made = made_by(found, f"format '{name}'") if isinstance(found, type) else found
    if not isinstance(made, Format):
        raise ConfiguralError(f"format '{name}': expected a configural.export.Format, found {type(made).__name__}")
    return made


def stored_image(content: bytes, where: str, /, *, file: str, index: int, label: int, **_: object) -> StoredImage:
    """An image that a format holds as an image file, with what it says of it; `where` is for errors."""
    if [type(said) for said in (file, index, label)] != [str, int, int] or not 0 <= index < 2**63:
        raise ConfiguralError(f"{where}: index {index!r} and label {label!r} of file {file!r} are none")
    return StoredImage(file, index, label, decode_image(content, where))


def compare_stored(where: str, expected: bytes, *, stored: bytes | None) -> Iterator[Fault]:
    """The fault of a stored piece, if it has one; of PNG images the pixels count."""
    if stored is None:
        yield Fault("missing", where)
    elif stored != expected:
        drawn, found = _decode(expected), _decode(stored)
        if drawn is None:
            yield Fault("damaged", where, "holds something else than is drawn from stimuli.parquet")
        elif found is None:
            yield Fault("damaged", where, "is not a readable image")
        elif np.array_equal(found, drawn):
            yield Fault("repacked", where)
        else:
            yield Fault("damaged", where, "shows another image than is drawn from stimuli.parquet")


def _decode(content: bytes) -> np.ndarray | None:
    """The pixels, or None if there are none to be read."""
    data = np.frombuffer(content, np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None


def _counted(packed: Iterator[Any], update: Update, done: int) -> Iterator[Any]:
    for position, item in enumerate(packed, start=1):
        yield item
        update(done + position)
