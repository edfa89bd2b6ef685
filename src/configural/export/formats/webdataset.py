"""Tar archives of images for the `webdataset` library."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from configural.export.format import Fault, ShardedFormat, StoredImage, compare_stored, stored_image
from configural.export.plan import Entry, Plan, Shard


class WebDataset(ShardedFormat):
    """`train-000000.tar` and so on."""

    data_files = "{}-*.tar"
    writes_masks = True
    usage = """\
```python
import webdataset

shard = webdataset.WebDataset("FOLDER/train-000000.tar", shardshuffle=False)
images = shard.decode("rgb8").to_tuple("png", "cls")
```

A sample has the members `png`, `cls` (the label), `json` (all columns) and, if there are masks, `mask.png`.
"""

    def path(self, shard: Shard) -> str:
        """The shard's file."""
        return f"{shard.subset}-{shard.number:06d}.tar"

    def pack(self, entry: Entry) -> dict[str, bytes]:
        """The members of the archive, by name."""
        contents = [entry.image(), str(entry.columns["label"]).encode(), json.dumps(entry.columns).encode()]
        if entry.masks:
            contents.append(entry.mask())
        return dict(zip(_names(entry), contents, strict=True))

    def write_shard(self, out: BinaryIO, plan: Plan, *, packed: Iterator[dict[str, bytes]]) -> None:
        """Write the members in the plain old format and with the time 0: the same stimuli give the same bytes."""
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for members in packed:
                for name, content in members.items():
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))

    def read_shard(self, path: Path) -> Iterator[StoredImage]:
        """The images in one archive, whose members are taken by name; only PNG and JSON are decoded."""
        with tarfile.open(path, "r:") as archive:
            members = {member.name: member for member in archive if member.isfile()}
            for name in [name for name in members if name.endswith(".json")]:
                image = f"{name.removesuffix('.json')}.png"
                about = json.loads(_content(archive, members[name]))
                yield stored_image(_content(archive, members[image]), f"{path}: {image}", **about)

    def compare_shard(self, path: Path, plan: Plan, *, shard: Shard, rows: frozenset[int]) -> Iterator[Fault]:
        """The faults of the list of members, and of some rows."""
        with tarfile.open(path, "r:") as archive:
            stored = {member.name: member for member in archive}
            if archive.offset + 2 * tarfile.BLOCKSIZE > path.stat().st_size:
                yield Fault("damaged", path.name, "is cut off")
            for entry in plan.entries([shard]):
                expected = self.pack(entry) if entry.row in rows else {}
                for name in _names(entry):
                    member = stored.pop(name, None)
                    if member is None:
                        yield Fault("missing", f"{path.name}: {name}")
                    elif name in expected:
                        content = _content(archive, member)
                        yield from compare_stored(f"{path.name}: {name}", expected[name], stored=content)
        for name in stored:
            yield Fault("extra", f"{path.name}: {name}")


def _names(entry: Entry) -> list[str]:
    # No dot in the key: readers take everything behind the first dot as the kind of member.
    key = f"{entry.columns['class_name']}_{entry.columns['index']:05d}"
    return [f"{key}.{kind}" for kind in ("png", "cls", "json", *(["mask.png"] if entry.masks else []))]


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member) if member.isfile() else None
    return file.read() if file else b""
