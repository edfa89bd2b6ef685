"""Stimuli as data: one row describes one image in full."""

import json
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import pandas as pd
from jaxtyping import Int
from pydantic import BaseModel, NonNegativeInt, PositiveInt

from configural.errors import ConfiguralError
from configural.io import files
from configural.io.reading import check_columns, reading
from configural.objects import ObjectScheme
from configural.stimuli.conditions import PLACEMENTS, Condition

SUBSETS = ("train", "valid", "test")

_ROW_GROUP = 8192
"""Rows of a stored table that come into memory together."""

POSE_COLUMNS = {
    "pair": -1,
    "shift_row": 0,
    "shift_col": 0,
    "rotation": 0.0,
    "scale": 1.0,
    "inverted": False,
    "noise": 0,
}
"""What is drawn per stimulus besides its parts, with the value that leaves the image as it is."""


_KINDS = {"index": "whole", "subset": "text", "label": "label"} | dict.fromkeys(
    ("class_name", "file", "host", "placement"), "text"
)
_OF_SLOT = {"kind": "text", "donor": "text", "row": "whole", "col": "whole"}
_KINDS_OF_POSE = {int: "whole", float: "number", bool: "flag"}
"""What the columns of a stored table hold."""


@dataclass(frozen=True)
class SlotContent:
    """What one slot holds.

    Attributes:
        kind: The part kind.
        donor: Name of the exemplar that the part comes from.
        jitter: Rows down and columns to the right, from the slot's position, in pixels of the host. A part that the
            arrangement moves has that in it too.
        rotation: Degrees by which the part alone is turned clockwise, about its own middle.
        scale: Factor by which the part alone is enlarged.
    """

    kind: str
    donor: str
    jitter: tuple[int, int]
    rotation: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Stimulus:
    """One image's full description.

    Attributes:
        index: Its number within its class, from 0.
        label: 0 for a scrambled arrangement, 1 for the correct one.
        host: Name of the exemplar whose canvas is used.
        contents: One per slot, in paste order.
        placement: left, middle or right.
        condition: The slots' offsets, the blend, the background and so on.
        pair: The stimulus of the other class with the same number is made of the same material; -1 if none is.
        shift: How far the whole constellation is moved: rows down and columns to the right, in pixels of the host.
        rotation: Degrees by which it is turned clockwise.
        scale: Factor by which it is enlarged.
        inverted: Whether the image is upside down.
        noise: What the noise of the background is drawn by.
    """

    index: int
    label: int
    host: str
    contents: tuple[SlotContent, ...]
    placement: str
    condition: Condition
    pair: int = -1
    shift: tuple[int, int] = (0, 0)
    rotation: float = 0.0
    scale: float = 1.0
    inverted: bool = False
    noise: int = 0


@dataclass(frozen=True, eq=False)
class TableSettings:
    """What a table of stimuli was sampled by.

    Attributes:
        condition: How the images are made.
        placement: left, middle, right, or shifted (a third each).
        split: paper or identity.
        count: How many stimuli were sampled in all; a subset's table has fewer rows.
        seed: What they were drawn by.
        source: What the library was loaded from, of a full path the last name alone.
        fingerprint: The library's fingerprint.
        scheme: What the object consists of.
    """

    condition: Condition
    placement: str
    split: str
    count: int
    seed: int
    source: str
    fingerprint: str
    scheme: ObjectScheme

    def settings(self) -> dict[str, Any]:
        """All of these as plain values."""
        return {
            "source": self.source,
            "object": self.scheme.model_dump(mode="json"),
            "condition": self.condition.model_dump(mode="json"),
            **{name: getattr(self, name) for name in ("placement", "split", "count", "seed", "fingerprint")},
        }

    def with_rows(self, frame: pd.DataFrame) -> "StimulusTable":
        """A table of these settings with some rows."""
        known = {field.name: getattr(self, field.name) for field in fields(TableSettings)}
        return StimulusTable(**known, frame=frame)


class _Stated(BaseModel):
    """`TableSettings.settings` as a file has them."""

    object: ObjectScheme
    condition: dict[str, Any]
    placement: Literal["left", "middle", "right", "shifted"]
    split: Literal["paper", "identity"]
    count: PositiveInt
    seed: NonNegativeInt
    source: str
    fingerprint: str


class _Rows(TableSettings):
    """What is read of the rows of a table wherever they are, a part at a time, so that few are in memory."""

    def _parts(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        raise NotImplementedError

    def positions(self) -> pd.DataFrame:
        """Which row is which stimulus of which subset: the columns index and subset, in five bytes a row."""
        types = {"index": np.int32, "subset": pd.CategoricalDtype(list(SUBSETS))}
        return pd.concat([part.astype(types) for part in self._parts(list(types))], ignore_index=True)

    def counts(self) -> dict[str, int]:
        """How many stimuli train, valid and test have."""
        return self.positions()["subset"].value_counts(sort=False).to_dict()

    def files(self) -> Iterator[str]:
        """The names of all images' files."""
        return (name for part in self._parts(["file"]) for name in part["file"])


@dataclass(frozen=True, eq=False)
class StimulusTable(_Rows):
    """Stimuli, a row each, with the settings they were sampled by.

    Attributes:
        frame: The columns index, subset, label, class_name, file, host, placement and, for each slot, its
            kind, donor, row and col (the jitter); also pair, shift_row, shift_col, rotation, scale, inverted and
            noise (see `Stimulus`), which a table need not have.
    """

    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, row: int) -> Stimulus:
        columns = self.lists
        contents = tuple(
            SlotContent(
                columns[f"{slot}_kind"][row],
                columns[f"{slot}_donor"][row],
                (columns[f"{slot}_row"][row], columns[f"{slot}_col"][row]),
            )
            for slot in self.scheme.part_kinds
        )
        return Stimulus(
            columns["index"][row],
            columns["label"][row],
            columns["host"][row],
            contents,
            columns["placement"][row],
            self.condition,
            columns["pair"][row],
            (columns["shift_row"][row], columns["shift_col"][row]),
            columns["rotation"][row],
            columns["scale"][row],
            columns["inverted"][row],
            columns["noise"][row],
        )

    def __iter__(self) -> Iterator[Stimulus]:
        return (self[row] for row in range(len(self)))

    @cached_property
    def lists(self) -> dict[str, list[Any]]:
        """What stimuli are made of, as plain lists; a data frame's own row access is a hundred times slower."""
        neutral = {name: [value] * len(self) for name, value in POSE_COLUMNS.items()}
        named = [name for name in self.frame.columns if name not in ("subset", "class_name", "file")]
        return neutral | {name: self.frame[name].tolist() for name in named}

    def subset(self, name: str) -> "StimulusTable":
        """The rows of train, valid or test."""
        if name not in SUBSETS:
            raise ConfiguralError(f"unknown subset '{name}': choose one of {', '.join(SUBSETS)}")
        return self.with_rows(self.frame[self.frame["subset"] == name].reset_index(drop=True))

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return self.frame.columns.tolist()

    def take(self, rows: Int[np.ndarray, " n"]) -> "StimulusTable":
        """The rows at some positions, in that order."""
        return self.with_rows(self.frame.take(rows).reset_index(drop=True))

    def _parts(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        yield self.frame[columns]

    def save(self, path: Path | str) -> None:
        """Write the table as a Parquet file, settings in its schema's metadata under `configural`."""
        with files.whole_file(path) as out:
            write_rows(out, [self.frame], self)

    @classmethod
    def load(cls, path: Path | str) -> "StimulusTable":
        """Read a table that `save` wrote.

        Raises:
            ConfiguralError: If the file is missing, damaged or was not written by `save`.
        """
        return StoredTable.open(Path(path)).load()


@dataclass(frozen=True, eq=False)
class StoredTable(_Rows):
    """Stimuli in a Parquet file, of which only the rows that are needed come into memory.

    Attributes:
        path: The file.
        columns: The names of the columns.
        starts: The position of the first row of each of the file's row groups, and at last the number of rows.
    """

    path: Path
    columns: list[str]
    starts: Int[np.ndarray, " groups_1"]

    @classmethod
    def open(cls, path: Path) -> "StoredTable":
        """A table that `StimulusTable.save` wrote.

        Raises:
            ConfiguralError: If the file is missing, damaged or was not written by `save`.
        """
        with _reading(path) as file:
            described = (file.schema_arrow.metadata or {}).get(b"configural")
            if described is None:
                raise ConfiguralError(f"{path}: a Parquet file, but not a table of stimuli")
            lengths = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            columns = file.schema_arrow.names
        with reading(path, "an understood table of stimuli"):
            said = _Stated.model_validate_json(described)
            condition = Condition.model_validate(said.condition, context={"scheme": said.object})
        known = said.model_dump(exclude={"object", "condition"})
        starts = np.cumsum([0, *lengths])
        return cls(**known, condition=condition, scheme=said.object, path=path, columns=columns, starts=starts)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def load(self) -> StimulusTable:
        """The whole table in memory."""
        return self.with_rows(pd.concat(self._parts(self.columns), ignore_index=True))

    def take(self, rows: Int[np.ndarray, " n"]) -> StimulusTable:
        """The rows at some positions, in that order."""
        groups = np.searchsorted(self.starts, rows, side="right") - 1
        wanted = np.unique(groups).tolist()
        read = pd.concat([self._kept(group) for group in wanted], ignore_index=True)
        before = np.cumsum([0, *np.diff(self.starts)[wanted]])[:-1]
        inside = rows - self.starts[groups] + before[np.searchsorted(wanted, groups)]
        return self.with_rows(read.take(inside).reset_index(drop=True))

    def save(self, path: Path) -> None:
        """Write the table to another file."""
        with files.whole_file(path) as out, self.path.open("rb") as stored:
            shutil.copyfileobj(stored, out)

    def _parts(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        with _reading(self.path) as file:
            for group in range(file.num_row_groups):
                yield self._group(file, group, columns)

    @cached_property
    def _kept(self) -> Callable[[int], pd.DataFrame]:
        """Whole row groups; the last two are kept, for one shard after the other takes rows from the same."""
        return lru_cache(maxsize=2)(self._whole_group)

    def __reduce__(self) -> tuple[Callable[[Path], "StoredTable"], tuple[Path]]:
        """Other processes read the file themselves."""
        return StoredTable.open, (self.path,)

    def _whole_group(self, group: int) -> pd.DataFrame:
        with _reading(self.path) as file:
            return self._group(file, group, self.columns)

    def _group(self, file: Any, group: int, columns: list[str]) -> pd.DataFrame:
        """Some columns of a row group, known to hold what they should."""
        frame: pd.DataFrame = file.read_row_group(group, columns).to_pandas()
        slots = self.scheme.part_kinds
        kinds = {f"{slot}_{name}": kind for slot in slots for name, kind in _OF_SLOT.items()}
        every = columns == self.columns
        needed = {name: kind for name, kind in (_KINDS | kinds).items() if every or name in columns}
        pose = {name: _KINDS_OF_POSE[type(value)] for name, value in POSE_COLUMNS.items() if name in columns}
        check_columns(frame, needed | pose, self.path)
        known = {"subset": SUBSETS, "placement": PLACEMENTS, **{f"{slot}_kind": slots for slot in slots}}
        for name, values in known.items():
            if name in columns and not frame[name].isin(values).all():
                raise ConfiguralError(f"{self.path}: its column {name} holds other values than {', '.join(values)}")
        return frame


def write_rows(
    out: BinaryIO,
    frames: Iterable[pd.DataFrame],
    settings: TableSettings,
    *,
    update: Callable[[int], None] = lambda done: None,
) -> None:
    """Write the rows of a table as a Parquet file; the bytes do not depend on how the rows come in parts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with ExitStack() as stack:
        writer, waiting, done = None, None, 0
        for frame in frames:
            rows = pa.Table.from_pandas(frame, preserve_index=False)
            if writer is None:
                described = {b"configural": json.dumps(settings.settings()).encode()}
                schema = rows.schema.with_metadata({**(rows.schema.metadata or {}), **described})
                writer = stack.enter_context(pq.ParquetWriter(out, schema))
            rows = rows.replace_schema_metadata(writer.schema.metadata)
            waiting = rows if waiting is None else pa.concat_tables([waiting, rows])
            while len(waiting) > _ROW_GROUP:
                writer.write_table(waiting.slice(0, _ROW_GROUP).combine_chunks())
                waiting = waiting.slice(_ROW_GROUP)
            update(done := done + len(frame))
        if writer is not None and waiting is not None:
            writer.write_table(waiting.combine_chunks())


@contextmanager
def _reading(path: Path) -> Generator[Any]:
    """A Parquet file to read from; a ConfiguralError if it is missing or damaged."""
    import pyarrow.parquet as pq

    with reading(path, "a readable Parquet file"), pq.ParquetFile(path) as file:
        yield file
