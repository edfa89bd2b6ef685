"""Stimuli as data: one row describes one picture in full."""

import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from configural import files
from configural.errors import ConfiguralError
from configural.faces import PART_KINDS
from configural.stimuli.conditions import Condition, condition_from_values

CLASS_NAMES = ("no_face", "face")
"""The two classes; a label is a position in this tuple."""

SUBSETS = ("train", "valid", "test")

POSE_COLUMNS = {
    "pair": -1,
    "shift_row": 0,
    "shift_col": 0,
    "rotation": 0.0,
    "scale": 1.0,
    "inverted": False,
    "noise": 0,
}
"""What is drawn per stimulus besides its parts, with the value that leaves the picture as it is."""


@dataclass(frozen=True)
class Filling:
    """What one slot holds.

    Attributes:
        kind: The part kind.
        donor: Name of the head that the part comes from.
        jitter: Rows down and columns to the right, from the slot's place, in pixels of the host. A part that the
            arrangement moves has that in it too.
    """

    kind: str
    donor: str
    jitter: tuple[int, int]


@dataclass(frozen=True)
class Stimulus:
    """One picture's full description.

    Attributes:
        index: Its number within its class, from 0.
        label: 0 for no_face, 1 for face.
        host: Name of the head whose canvas is used.
        fillings: One per slot, in the order left_eye, right_eye, nose, mouth.
        placement: left, middle or right.
        condition: The slots' offsets, the blend, the background and so on.
        pair: The stimulus of the other class with the same number is made of the same material; -1 if none is.
        shift: How far the whole constellation is moved: rows down and columns to the right, in pixels of the host.
        rotation: Degrees by which it is turned clockwise.
        scale: Factor by which it is enlarged.
        inverted: Whether the picture is upside down.
        noise: What the noise of the background is drawn by.
    """

    index: int
    label: int
    host: str
    fillings: tuple[Filling, Filling, Filling, Filling]
    placement: str
    condition: Condition
    pair: int = -1
    shift: tuple[int, int] = (0, 0)
    rotation: float = 0.0
    scale: float = 1.0
    inverted: bool = False
    noise: int = 0


@dataclass(frozen=True, eq=False)
class StimulusTable:
    """Stimuli, a row each, with the settings they were sampled by.

    Attributes:
        frame: The columns index, subset, label, class_name, file, host, placement and, for each slot, its
            kind, donor, row and col (the jitter); also pair, shift_row, shift_col, rotation, scale, inverted and
            noise (see `Stimulus`), which a table need not have.
        condition: How the pictures are made.
        placement: left, middle, right, or shifted (a third each).
        split: paper or identity.
        count: How many stimuli were sampled in all; a subset's table has fewer rows.
        seed: What they were drawn by.
        faces: The source of the face library, as the user wrote it.
        fingerprint: The face library's fingerprint.
    """

    frame: pd.DataFrame
    condition: Condition
    placement: str
    split: str
    count: int
    seed: int
    faces: str
    fingerprint: str

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, row: int) -> Stimulus:
        columns = self._columns
        fillings = tuple(
            Filling(
                columns[f"{slot}_kind"][row],
                columns[f"{slot}_donor"][row],
                (columns[f"{slot}_row"][row], columns[f"{slot}_col"][row]),
            )
            for slot in PART_KINDS
        )
        return Stimulus(
            columns["index"][row],
            columns["label"][row],
            columns["host"][row],
            fillings,  # type: ignore[arg-type]
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
    def _columns(self) -> dict[str, list[Any]]:
        """The columns as plain lists; a data frame's own row access is a hundred times slower."""
        neutral = {name: [value] * len(self) for name, value in POSE_COLUMNS.items()}
        return neutral | {name: self.frame[name].tolist() for name in self.frame.columns}

    def subset(self, name: str) -> "StimulusTable":
        """The rows of train, valid or test."""
        if name not in SUBSETS:
            raise ConfiguralError(f"unknown subset '{name}': choose one of {', '.join(SUBSETS)}")
        return replace(self, frame=self.frame[self.frame["subset"] == name].reset_index(drop=True))

    def settings(self) -> dict[str, Any]:
        """Everything but the rows, as plain values."""
        return {
            "faces": self.faces,
            "condition": asdict(self.condition),
            "placement": self.placement,
            "split": self.split,
            "count": self.count,
            "seed": self.seed,
            "fingerprint": self.fingerprint,
        }

    def as_parquet(self) -> bytes:
        """The table as a Parquet file, settings in its schema's metadata under `configural`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pandas(self.frame, preserve_index=False)
        metadata = {**(table.schema.metadata or {}), b"configural": json.dumps(self.settings()).encode()}
        buffer = io.BytesIO()
        pq.write_table(table.replace_schema_metadata(metadata), buffer)
        return buffer.getvalue()

    def save(self, path: Path) -> None:
        """Write the table as a Parquet file."""
        files.write_bytes(path, self.as_parquet())

    @classmethod
    def load(cls, path: Path) -> "StimulusTable":
        """Read a table that `save` wrote.

        Raises:
            ConfiguralError: If the file is missing, damaged or was not written by `save`.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(path)
            settings = json.loads((table.schema.metadata or {})[b"configural"])
        except FileNotFoundError as error:
            raise ConfiguralError(f"{path}: there is no such file") from error
        except (pa.ArrowException, OSError) as error:
            raise ConfiguralError(f"{path}: not a readable Parquet file") from error
        except (KeyError, ValueError) as error:
            raise ConfiguralError(f"{path}: a Parquet file, but not a table of stimuli") from error
        condition = condition_from_values(settings.pop("condition"))
        return cls(frame=table.to_pandas(), condition=condition, **settings)
