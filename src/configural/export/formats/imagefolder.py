"""An image per file, a folder per class, and a metadata file per subset for the `datasets` library."""

import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from configural.export.faults import Fault, compare_png
from configural.export.plan import Each, Entry, Plan, Update
from configural.io import files


def paths(plan: Plan) -> Iterator[str]:
    """All files of the dataset."""
    for name in plan.subsets:
        yield f"{name}/metadata.jsonl"
    for file in plan.table.files():
        yield file
        if plan.masks:
            yield f"masks/{file}"


def write(plan: Plan, folder: Path, update: Update, each: Each) -> None:
    """Write all files that are not there yet."""

    def is_there(file: str) -> bool:
        return (folder / file).exists() and (not plan.masks or (folder / "masks" / file).exists())

    there = sum(map(is_there, plan.table.files()))
    missing = (entry for entry in plan.entries(plan.shards) if not is_there(entry.columns["file"]))
    for done, (file, image, mask) in enumerate(each(_packed, missing), start=1):
        if mask is not None and not (folder / "masks" / file).exists():
            files.write_bytes(folder / "masks" / file, mask)
        if not (folder / file).exists():
            files.write_bytes(folder / file, image)
        update(there + done)
    for name in plan.subsets:
        # Beside the images, for `datasets` accepts no path that leads out of the metadata file's own folder.
        with files.whole_file(folder / name / "metadata.jsonl") as out:
            for entry in plan.entries(plan.of_subset(name)):
                out.write(_metadata_line(plan, entry))


def compare(plan: Plan, folder: Path, wanted: frozenset[int], update: Update) -> Iterator[Fault]:
    """The faults of the wanted rows' images, and of all metadata; a file that is not there is passed over."""
    shards = [shard for shard in plan.shards if not wanted.isdisjoint(shard.rows.tolist())]
    chosen = (entry for entry in plan.entries(shards) if entry.row in wanted)
    for done, entry in enumerate(chosen, start=1):
        file = entry.columns["file"]
        if (folder / file).is_file():
            yield from compare_png(file, entry.image(), (folder / file).read_bytes())
        if plan.masks and (folder / "masks" / file).is_file():
            yield from compare_png(f"masks/{file}", entry.mask(), (folder / "masks" / file).read_bytes())
        update(done)
    for name in plan.subsets:
        where = f"{name}/metadata.jsonl"
        if (folder / where).is_file():
            with (folder / where).open("rb") as stored:
                expected = (_metadata_line(plan, entry) for entry in plan.entries(plan.of_subset(name)))
                for number, (line, found) in enumerate(zip_longest(expected, stored), start=1):
                    if line != found:
                        yield Fault("damaged", where, f"line {number} is not what stimuli.parquet says")
                        break


def _packed(entry: Entry) -> tuple[str, bytes, bytes | None]:
    """The file's name, the image, and the label image if it is wanted."""
    return entry.columns["file"], entry.image(), entry.mask() if entry.masks else None


def _metadata_line(plan: Plan, entry: Entry) -> bytes:
    file = entry.columns["file"]
    described = {"file_name": file.partition("/")[2], **entry.columns}
    if plan.masks:
        described["mask"] = f"masks/{file}"
    return (json.dumps(described) + "\n").encode()
