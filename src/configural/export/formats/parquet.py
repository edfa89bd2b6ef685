"""Parquet files that hold the images themselves, for the `datasets` library, pandas and the like."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configural.export.faults import Fault, compare_bytes, compare_png
from configural.export.plan import Each, Entry, Plan, Shard, Update
from configural.io import files
from configural.stimuli.table import CLASS_NAMES

_ROW_GROUP = 100
"""Rows that are in memory together, here and in a reader that takes one row group at a time."""

_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def paths(plan: Plan) -> Iterator[str]:
    """All files of the dataset."""
    return (_path(shard) for shard in plan.shards)


def write(plan: Plan, folder: Path, update: Update, each: Each) -> None:
    """Write all shards that are not there yet."""
    done, schema = 0, _schema(plan)
    missing = (shard for shard in plan.shards if not (folder / _path(shard)).exists())
    contents = each(_row, plan.entries(missing))
    for shard in plan.shards:
        if not (folder / _path(shard)).exists():
            with files.whole_file(folder / _path(shard)) as out, pq.ParquetWriter(out, schema) as writer:
                rows: list[dict[str, Any]] = []
                for place, row in enumerate(islice(contents, len(shard.rows)), start=1):
                    rows.append(row)
                    if len(rows) == _ROW_GROUP or place == len(shard.rows):
                        writer.write_table(pa.Table.from_pylist(rows, schema))
                        rows.clear()
                    update(done + place)
        done += len(shard.rows)
        update(done)


def compare(plan: Plan, folder: Path, wanted: frozenset[int], update: Update) -> Iterator[Fault]:
    """The faults of the wanted rows, and of all shards' numbers of rows; a missing shard is passed over."""
    done = 0
    for shard in plan.shards:
        path = folder / _path(shard)
        if path.is_file():
            try:
                yield from _compare_shard(plan, path, shard, wanted)
            except (pa.ArrowException, OSError) as error:
                yield Fault("damaged", _path(shard), f"cannot be read: {str(error).splitlines()[0]}")
        done += len(wanted.intersection(shard.rows.tolist()))
        update(done)


def _compare_shard(plan: Plan, path: Path, shard: Shard, wanted: frozenset[int]) -> Iterator[Fault]:
    with pq.ParquetFile(path) as file:
        if file.metadata.num_rows != len(shard.rows):
            why = f"holds {file.metadata.num_rows:,} rows instead of {len(shard.rows):,}"
            yield Fault("damaged", _path(shard), why)
            return
        if not file.schema_arrow.equals(_schema(plan)):
            yield Fault("damaged", _path(shard), "has other columns")
            return
        starts = [0]
        for number in range(file.num_row_groups):
            starts.append(starts[-1] + file.metadata.row_group(number).num_rows)
        group = -1
        stored: list[dict[str, Any]] = []
        for place, entry in enumerate(plan.entries([shard])):
            if entry.row not in wanted:
                continue
            while place >= starts[group + 1]:
                group += 1
                stored = []
            if not stored:
                stored = file.read_row_group(group).to_pylist()
            found, expected = stored[place - starts[group]], _row(entry)
            for name in ("image", "mask") if plan.masks else ("image",):
                where = f"{_path(shard)} row {place}, {name}"
                mine, theirs = expected[name].pop("bytes"), (found[name] or {}).pop("bytes", None)
                yield from compare_png(where, mine, theirs)
            yield from compare_bytes(
                f"{_path(shard)} row {place}", json.dumps(expected).encode(), json.dumps(found).encode()
            )


def _path(shard: Shard) -> str:
    return f"data/{shard.subset}-{shard.number:05d}-of-{shard.of:05d}.parquet"


def _schema(plan: Plan) -> pa.Schema:
    """The columns' types, with those of the `datasets` library in the metadata under `huggingface`."""
    described = pa.Schema.from_pandas(plan.table.take(np.arange(1)).frame, preserve_index=False)
    fields = [("image", _IMAGE)] + ([("mask", _IMAGE)] if plan.masks else [])
    features: dict[str, Any] = {name: {"_type": "Image"} for name, _ in fields}
    for column in described:
        kind = pa.string() if pa.types.is_large_string(column.type) else column.type
        fields.append((column.name, kind))
        features[column.name] = {"dtype": "float64" if kind == pa.float64() else str(kind), "_type": "Value"}
    features["label"] = {"names": list(CLASS_NAMES), "_type": "ClassLabel"}
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def _row(entry: Entry) -> dict[str, Any]:
    file = entry.columns["file"]
    row: dict[str, Any] = {"image": {"bytes": entry.image(), "path": file}}
    if entry.masks:
        row["mask"] = {"bytes": entry.mask(), "path": f"masks/{file}"}
    return {**row, **entry.columns}
