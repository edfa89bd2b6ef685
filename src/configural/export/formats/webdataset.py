"""Tar archives of images for the `webdataset` library."""

import io
import json
import tarfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from configural.export.faults import Fault, compare_bytes, compare_png
from configural.export.plan import Each, Entry, Plan, Shard, Update
from configural.io import files


def paths(plan: Plan) -> Iterator[str]:
    """All files of the dataset."""
    return (_path(shard) for shard in plan.shards)


def write(plan: Plan, folder: Path, update: Update, each: Each) -> None:
    """Write all shards that are not there yet."""
    done = 0
    missing = (shard for shard in plan.shards if not (folder / _path(shard)).exists())
    contents = each(_members, plan.entries(missing))
    for shard in plan.shards:
        if not (folder / _path(shard)).exists():
            with (
                files.whole_file(folder / _path(shard)) as out,
                # The plain old format and the time 0, so that the same stimuli give the same bytes.
                tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive,
            ):
                for place, members in enumerate(islice(contents, len(shard.rows)), start=1):
                    for name, content in members.items():
                        member = tarfile.TarInfo(name)
                        member.size = len(content)
                        archive.addfile(member, io.BytesIO(content))
                    update(done + place)
        done += len(shard.rows)
        update(done)


def compare(plan: Plan, folder: Path, wanted: frozenset[int], update: Update) -> Iterator[Fault]:
    """The faults of the wanted rows, and of all shards' lists of members; a missing shard is passed over."""
    done = 0
    for shard in plan.shards:
        path = folder / _path(shard)
        if path.is_file():
            try:
                yield from _compare_shard(plan, path, shard, wanted)
            except (tarfile.TarError, OSError) as error:
                yield Fault("damaged", _path(shard), f"cannot be read: {error}")
        done += len(wanted.intersection(shard.rows.tolist()))
        update(done)


def _compare_shard(plan: Plan, path: Path, shard: Shard, wanted: frozenset[int]) -> Iterator[Fault]:
    with tarfile.open(path, "r:") as archive:
        stored = {member.name: member for member in archive}
        if archive.offset + 2 * tarfile.BLOCKSIZE > path.stat().st_size:
            yield Fault("damaged", path.name, "is cut off")
        for entry in plan.entries([shard]):
            names = _names(entry)
            for name in names:
                if name not in stored:
                    yield Fault("missing", f"{path.name}: {name}")
            if entry.row in wanted:
                for name, expected in _members(entry).items():
                    if name in stored:
                        file = archive.extractfile(stored[name])
                        compare = compare_png if name.endswith(".png") else compare_bytes
                        yield from compare(f"{path.name}: {name}", expected, file.read() if file else None)
            for name in names:
                stored.pop(name, None)
    for name in stored:
        yield Fault("extra", f"{path.name}: {name}")


def _path(shard: Shard) -> str:
    return f"{shard.subset}-{shard.number:06d}.tar"


def _names(entry: Entry) -> list[str]:
    # No dot in the key: readers take everything behind the first dot as the kind of member.
    key = f"{entry.columns['class_name']}_{entry.columns['index']:05d}"
    return [f"{key}.{kind}" for kind in ("png", "cls", "json", *(["mask.png"] if entry.masks else []))]


def _members(entry: Entry) -> dict[str, bytes]:
    contents = [entry.image(), str(entry.columns["label"]).encode(), json.dumps(entry.columns).encode()]
    if entry.masks:
        contents.append(entry.mask())
    return dict(zip(_names(entry), contents, strict=True))
