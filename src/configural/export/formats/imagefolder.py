"""An image per file, a folder per class, and a metadata file per subset for the `datasets` library."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise, zip_longest
from pathlib import Path

from configural.errors import ConfiguralError
from configural.export.format import Fault, Format, StoredImage, compare_stored
from configural.export.plan import Each, Entry, Plan, Update
from configural.io import files
from configural.io.images import read_image


class ImageFolder(Format):
    """`{train,valid,test}/{class}/pic_08001.png`; label images of the same name are under `masks/`."""

    data_files = "{}/**"
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
        for name in plan.subsets:
            yield f"{name}/metadata.jsonl"
        for file in plan.table.files():
            yield from _paths(plan.masks, file)

    def write(self, plan: Plan, folder: Path, *, update: Update, each: Each) -> None:
        """Write all files that are not there yet."""

        def missing(file: str) -> bool:
            return not all((folder / path).exists() for path in _paths(plan.masks, file))

        there = len(plan.table) - sum(map(missing, plan.table.files()))
        wanted = (entry for entry in plan.entries(plan.shards) if missing(entry.columns["file"]))
        for done, contents in enumerate(each(_pack, wanted), start=1):
            for path, content in contents.items():
                if not (folder / path).exists():
                    files.write_bytes(folder / path, content)
            update(there + done)
        for name in plan.subsets:
            # Beside the images, for `datasets` accepts no path that leads out of the metadata file's own folder.
            with files.whole_file(folder / name / "metadata.jsonl") as out:
                for entry in plan.entries(plan.of_subset(name)):
                    out.write(_metadata_line(entry))

    def read(self, folder: Path, subset: str, *, class_names: tuple[str, str]) -> Iterator[StoredImage]:
        """The images of a subset, by the class folders that they are in."""
        for label, index, path in list_images(folder / subset, class_names):
            yield StoredImage(path.relative_to(folder).as_posix(), index, label, read_image(path))

    def compare(self, plan: Plan, folder: Path, *, rows: frozenset[int], update: Update) -> Iterator[Fault]:
        """The faults of the rows' images, and of all metadata; a file that is not there is passed over."""
        shards = [shard for shard in plan.shards if not rows.isdisjoint(shard.rows.tolist())]
        chosen = (entry for entry in plan.entries(shards) if entry.row in rows)
        for done, entry in enumerate(chosen, start=1):
            for path, content in _pack(entry).items():
                if (folder / path).is_file():
                    yield from compare_stored(path, content, stored=(folder / path).read_bytes())
            update(done)
        for name in plan.subsets:
            where = f"{name}/metadata.jsonl"
            if (folder / where).is_file():
                with (folder / where).open("rb") as stored:
                    expected = (_metadata_line(entry) for entry in plan.entries(plan.of_subset(name)))
                    for number, (line, found) in enumerate(zip_longest(expected, stored), start=1):
                        if line != found:
                            yield Fault("damaged", where, f"line {number} is not what stimuli.parquet says")
                            break


def list_images(root: Path, class_names: tuple[str, str]) -> list[tuple[int, int, Path]]:
    """The images in a folder of class folders, whoever made it.

    Returns:
        Label, index and file of each image, by label and name. The index is the number at the end of the file's
        name, such as 8001 in pic_08001.png, or else the position among its class.

    Raises:
        ConfiguralError: If a folder is missing or empty, or two images of a class differ in their suffix alone.
    """
    found: list[tuple[int, int, Path]] = []
    for label, name in enumerate(class_names):
        if not (root / name).is_dir():
            raise ConfiguralError(
                f"{root}: has no folder '{name}'; expected the folders {' and '.join(class_names)}"
            )
        paths = sorted(p for p in (root / name).iterdir() if p.is_file() and not p.name.startswith("."))
        if not paths:
            raise ConfiguralError(f"{root / name}: holds no images")
        for first, second in pairwise(paths):
            if first.stem == second.stem:
                raise ConfiguralError(f"{first} and {second.name}: two images of one name; rename one")
        for position, path in enumerate(paths):
            number = re.search(r"(\d+)$", path.stem)
            found.append((label, int(number[1]) if number else position, path))
    return found


def _paths(masks: bool, file: str) -> list[str]:
    """The files of an image: itself, and its label image if that is wanted."""
    return [file, f"masks/{file}"] if masks else [file]


def _pack(entry: Entry) -> dict[str, bytes]:
    """The contents of these files."""
    contents = [entry.image(), entry.mask()] if entry.masks else [entry.image()]
    return dict(zip(_paths(entry.masks, entry.columns["file"]), contents, strict=True))


def _metadata_line(entry: Entry) -> bytes:
    file, *mask = _paths(entry.masks, entry.columns["file"])
    described = {"file_name": file.partition("/")[2], **entry.columns, **({"mask": mask[0]} if mask else {})}
    return (json.dumps(described) + "\n").encode()
