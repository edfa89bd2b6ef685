"""An image per file, a folder per class, and a metadata file per subset for the `datasets` library."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise, zip_longest
from pathlib import Path

from configural.errors import ConfiguralError
from configural.export.format import Fault, Format, StoredImage, compare_png
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
            yield file
            if plan.masks:
                yield f"masks/{file}"

    def write(self, plan: Plan, folder: Path, *, update: Update, each: Each) -> None:
        """Write all files that are not there yet."""

        def is_there(file: str) -> bool:
            return (folder / file).exists() and (not plan.masks or (folder / "masks" / file).exists())

        there = sum(map(is_there, plan.table.files()))
        missing = (entry for entry in plan.entries(plan.shards) if not is_there(entry.columns["file"]))
        for done, (file, image, mask) in enumerate(each(_pack, missing), start=1):
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

    def read(self, folder: Path, subset: str, *, class_names: tuple[str, str]) -> Iterator[StoredImage]:
        """The images of a subset, by the class folders that they are in."""
        for label, index, path in list_images(folder / subset, class_names):
            yield StoredImage(path.relative_to(folder).as_posix(), index, label, read_image(path))

    def compare(self, plan: Plan, folder: Path, *, rows: frozenset[int], update: Update) -> Iterator[Fault]:
        """The faults of the rows' images, and of all metadata; a file that is not there is passed over."""
        shards = [shard for shard in plan.shards if not rows.isdisjoint(shard.rows.tolist())]
        chosen = (entry for entry in plan.entries(shards) if entry.row in rows)
        for done, entry in enumerate(chosen, start=1):
            file = entry.columns["file"]
            if (folder / file).is_file():
                yield from compare_png(file, entry.image(), stored=(folder / file).read_bytes())
            if plan.masks and (folder / "masks" / file).is_file():
                mask = (folder / "masks" / file).read_bytes()
                yield from compare_png(f"masks/{file}", entry.mask(), stored=mask)
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


def list_images(root: Path, class_names: tuple[str, str]) -> list[tuple[int, int, Path]]:
    """The images in a folder of class folders, whoever made it.

    Args:
        root: Holds a folder for each class.
        class_names: The folders' names, by label.

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


def _pack(entry: Entry) -> tuple[str, bytes, bytes | None]:
    """The file's name, the image, and the label image if it is wanted."""
    return entry.columns["file"], entry.image(), entry.mask() if entry.masks else None


def _metadata_line(plan: Plan, entry: Entry) -> bytes:
    file = entry.columns["file"]
    described = {"file_name": file.partition("/")[2], **entry.columns}
    if plan.masks:
        described["mask"] = f"masks/{file}"
    return (json.dumps(described) + "\n").encode()
