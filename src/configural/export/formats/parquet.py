"""Parquet files that hold the images themselves, for the `datasets` library, pandas and the like."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configural.export.format import Fault, ShardedFormat, StoredImage, compare_stored, stored_image
from configural.export.plan import Entry, Plan, Shard

_ROW_GROUP = 100
"""Rows that are in memory together, here and in a reader that takes one row group at a time."""

_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


class Parquet(ShardedFormat):
    """`data/train-00000-of-00009.parquet` and so on."""

    data_files = "data/{}-*.parquet"
    writes_masks = True
    usage = """\
```python
from datasets import load_dataset

images = load_dataset("FOLDER")  # train, validation, test
```
"""

    def path(self, shard: Shard) -> str:
        """The shard's file."""
        return f"data/{shard.subset}-{shard.number:05d}-of-{shard.of:05d}.parquet"

    def pack(self, entry: Entry) -> dict[str, Any]:
        """A row of the file."""
        file = entry.columns["file"]
        row: dict[str, Any] = {"image": {"bytes": entry.image(), "path": file}}
        if entry.masks:
            row["mask"] = {"bytes": entry.mask(), "path": f"masks/{file}"}
        return {**row, **entry.columns}

    def write_shard(self, out: BinaryIO, plan: Plan, *, packed: Iterator[dict[str, Any]]) -> None:
        """Write the rows, some at a time."""
        schema = _schema(plan)
        with pq.ParquetWriter(out, schema) as writer:
            while rows := list(islice(packed, _ROW_GROUP)):
                writer.write_table(pa.Table.from_pylist(rows, schema))

    def read_shard(self, path: Path) -> Iterator[StoredImage]:
        """The images in one file."""
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROW_GROUP, columns=["image", "file", "index", "label"]):
                for row in batch.to_pylist():
                    yield stored_image(row.pop("image")["bytes"], f"{path}: {row['file']}", **row)

    def compare_shard(self, path: Path, plan: Plan, *, shard: Shard, rows: frozenset[int]) -> Iterator[Fault]:
        """The faults of the number of rows, the columns, and some rows."""
        name = self.path(shard)
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows != len(shard.rows):
                why = f"holds {file.metadata.num_rows:,} rows instead of {len(shard.rows):,}"
                yield Fault("damaged", name, why)
            elif not file.schema_arrow.equals(_schema(plan)):
                yield Fault("damaged", name, "has other columns")
            else:
                entries = enumerate(plan.entries([shard]))
                for group in range(file.num_row_groups):
                    here = list(islice(entries, file.metadata.row_group(group).num_rows))
                    if not rows.isdisjoint(entry.row for _, entry in here):
                        found = file.read_row_group(group).to_pylist()
                        for (position, entry), row in zip(here, found, strict=True):
                            if entry.row in rows:
                                yield from self._compare_row(f"{name} row {position}", entry, row)

    def _compare_row(self, where: str, entry: Entry, found: dict[str, Any]) -> Iterator[Fault]:
        expected = self.pack(entry)
        for column in ("image", "mask") if entry.masks else ("image",):
            mine, theirs = expected[column].pop("bytes"), (found[column] or {}).pop("bytes", None)
            yield from compare_stored(f"{where}, {column}", mine, stored=theirs)
        yield from compare_stored(where, json.dumps(expected).encode(), stored=json.dumps(found).encode())


def schema(plan: Plan, **further: pa.DataType) -> pa.Schema:
    """The types of further columns and of the table's, with those of the `datasets` library under `huggingface`."""
    described = pa.Schema.from_pandas(plan.table.take(np.arange(1)).frame, preserve_index=False)
    fields = [*further.items()]
    for column in described:
        kind = pa.string() if pa.types.is_large_string(column.type) else column.type
        fields.append((column.name, kind))
    features: dict[str, Any] = {
        name: {"_type": "Image"}
        if kind == _IMAGE
        else {"dtype": "float64" if kind == pa.float64() else str(kind), "_type": "Value"}
        for name, kind in fields
    }
    features["label"] = {"names": list(plan.table.scheme.class_names), "_type": "ClassLabel"}
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def _schema(plan: Plan) -> pa.Schema:
    return schema(plan, image=_IMAGE, **({"mask": _IMAGE} if plan.masks else {}))
