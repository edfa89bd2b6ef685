"""An image per file, a folder per class, and a metadata file per subset for the `datasets` library."""

import os
import re
from collections.abc import Collection, Iterator
from itertools import islice, pairwise, zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configural.errors import ConfiguralError
from configural.export.format import Fault, Format, StoredImage, compare_stored
from configural.export.formats.parquet import schema
from configural.export.plan import Each, Entry, Plan, Update
from configural.io import files
from configural.io.images import read_image
from configural.io.reading import reading

_TOGETHER = 1000
"""Rows of metadata that are in memory together."""

_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


class ImageFolder(Format):
    """`{train,valid,test}/{class}/pic_08001.png`; label images of the same name are under `masks/`."""

    data_files = "{}/**"
    writes_masks = True
    usage = """\
```python
from datasets import load_dataset

images = load_dataset("imagefolder", data_dir="FOLDER")  # train, validation, test
```

Take the label from the column `label`. A reader that numbers the folders by the alphabet (such as torchvision's
ImageFolder) may number the classes the other way round.
"""

    def paths(self, plan: Plan) -> Iterator[str]:
        """All files of the dataset."""
        yield from map(_metadata, plan.subsets)
        for file in plan.table.files():
            yield from self.files_of(file, plan.masks)

    def rows(self, plan: Plan, paths: Collection[str]) -> Iterator[int]:
        """The positions of the stimuli that some images or label images show."""
        for row, file in enumerate(plan.table.files() if paths else ()):
            if any(path in paths for path in self.files_of(file, True)):
                yield row

    def place(self, file: str) -> str:
        """Where an image is, by its file in the table of stimuli."""
        return file

    def files_of(self, file: str, masks: bool) -> list[str]:
        """The files of an image: itself, and its label image if that is wanted."""
        where = self.place(file)
        return [where, f"masks/{where}"] if masks else [where]

    def pack(self, entry: Entry) -> dict[str, bytes]:
        """The contents of an image's files."""
        contents = [entry.image(), entry.mask()] if entry.masks else [entry.image()]
        return dict(zip(self.files_of(entry.columns["file"], entry.masks), contents, strict=True))

    def write(self, plan: Plan, folder: Path, *, update: Update, each: Each) -> None:
        """Write all files that are not there yet."""

        def missing(file: str) -> bool:
            return not all((folder / path).exists() for path in self.files_of(file, plan.masks))

        there = len(plan.table) - sum(map(missing, plan.table.files()))
        wanted = (entry for entry in plan.entries(plan.shards) if missing(entry.columns["file"]))
        for done, contents in enumerate(each(self.pack, wanted), start=1):
            for path, content in contents.items():
                if not (folder / path).exists():
                    files.write_bytes(folder / path, content)
            update(there + done)
        # Beside the images, for `datasets` accepts no path that leads out of the metadata file's own folder. Tables
        # with types, for it takes text such as 2023-05-01 in JSON for a time, and 007 in CSV for a number.
        columns = _columns(plan)
        for name in plan.subsets:
            if (folder / _metadata(name)).exists():
                continue
            rows = map(self._row, plan.entries(plan.of_subset(name)))
            with files.whole_file(folder / _metadata(name)) as out, pq.ParquetWriter(out, columns) as writer:
                while some := list(islice(rows, _TOGETHER)):
                    writer.write_table(pa.Table.from_pylist(some, columns))

    def read(self, folder: Path, subset: str, *, class_names: tuple[str, str]) -> Iterator[StoredImage]:
        """The images of a subset, by the class folders that they are in."""
        for label, index, path in list_images(folder / subset, class_names):
            yield StoredImage(path.relative_to(folder).as_posix(), index, label, read_image(path))

    def compare(self, plan: Plan, folder: Path, *, rows: frozenset[int], update: Update) -> Iterator[Fault]:
        """The faults of the rows' images, and of all metadata; a file that is not there is passed over."""
        shards = [shard for shard in plan.shards if not rows.isdisjoint(shard.rows.tolist())]
        chosen = (entry for entry in plan.entries(shards) if entry.row in rows)
        for done, entry in enumerate(chosen, start=1):
            for path, content in self.pack(entry).items():
                if (folder / path).is_file():
                    yield from compare_stored(path, content, stored=(folder / path).read_bytes())
            update(done)
        for name in plan.subsets:
            if (folder / _metadata(name)).is_file():
                yield from self._compare_metadata(plan, folder, name)

    def _row(self, entry: Entry) -> dict[str, Any]:
        """What the metadata say of an image, whose path is relative to them."""
        file, *mask = self.files_of(entry.columns["file"], entry.masks)
        return {"file_name": file.partition("/")[2], **entry.columns, **({"mask": mask[0]} if mask else {})}

    def _compare_metadata(self, plan: Plan, folder: Path, subset: str) -> Iterator[Fault]:
        where = _metadata(subset)
        try:
            with reading(folder / where, "a readable table"), pq.ParquetFile(folder / where) as file:
                stored = (row for batch in file.iter_batches(_TOGETHER) for row in batch.to_pylist())
                expected = map(self._row, plan.entries(plan.of_subset(subset)))
                for number, (row, found) in enumerate(zip_longest(expected, stored)):
                    if row != found:
                        yield Fault("damaged", where, f"row {number} is not what stimuli.parquet says")
                        break
        except ConfiguralError as error:
            yield Fault("damaged", where, str(error))


_metadata = "{}/metadata.parquet".format


def _columns(plan: Plan) -> pa.Schema:
    return schema(plan, file_name=pa.string(), **({"mask": pa.string()} if plan.masks else {}))


def list_images(root: Path, class_names: tuple[str, str]) -> list[tuple[int, int, Path]]:
    """The images in a folder of class folders, whoever made it.

    They are those that Keras or torchvision would find there, in their order (`flow_from_directory` and
    `image_dataset_from_directory` of Keras 3.15, torchvision's ImageFolder): by folder, an image in a folder within
    the class's among them, then by file. Neither goes by the numbers in names: 10.png is before 9.png.

    Returns:
        Label, index and file of each image, by label and in this order. The index is the number at the end of the
        file's name, such as 8001 in pic_08001.png, if every image of the class has one of its own; otherwise it is
        the position among the class.

    Raises:
        ConfiguralError: If a folder is missing or empty, one within it is a link, which Keras passes over and
            torchvision follows, or two images of a folder differ in their suffix alone.
    """
    found: list[tuple[int, int, Path]] = []
    for label, name in enumerate(class_names):
        if not (root / name).is_dir():
            raise ConfiguralError(
                f"{root}: has no folder '{name}'; expected the folders {' and '.join(class_names)}"
            )
        paths = list(_walk(root / name))
        if not paths:
            raise ConfiguralError(f"{root / name}: holds no images")
        for first, second in pairwise(paths):
            if first.with_suffix("") == second.with_suffix(""):
                raise ConfiguralError(f"{first} and {second.name}: two images of one name; rename one")
        ends = [re.search(r"[0-9]{1,18}$", path.stem) for path in paths]
        numbers = [int(end[0]) for end in ends if end]
        indices = numbers if len(set(numbers)) == len(paths) else range(len(paths))
        found += [(label, index, path) for index, path in zip(indices, paths, strict=True)]
    return found


def _walk(folder: Path) -> Iterator[Path]:
    """All images in and below a folder, in Keras's order."""
    for where, folders, names in sorted(os.walk(folder)):
        for name in sorted(folders):
            if os.path.islink(os.path.join(where, name)):
                raise ConfiguralError(
                    f"{where}/{name}: a link to a folder; copy the images, or link them one by one"
                )
        for name in sorted(names):
            # What macOS leaves beside files begins with these.
            if Path(name).suffix.lower() in _SUFFIXES and not name.startswith("._"):
                yield Path(where) / name
