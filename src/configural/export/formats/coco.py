"""An image folder with the part masks as COCO annotations."""

import json
from collections.abc import Collection, Iterator
from itertools import chain, pairwise
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import numpy as np
from jaxtyping import Bool
from pydantic import BaseModel, Field

from configural import __version__
from configural.errors import ConfiguralError
from configural.export.format import Fault, StoredImage, compare_stored
from configural.export.formats.imagefolder import ImageFolder
from configural.export.plan import Each, Entry, Plan, Update
from configural.io import files
from configural.io.images import bounding_box, read_image
from configural.io.reading import read_json


class Coco(ImageFolder):
    """The image folder and `annotations/{train,valid,test}.json`.

    Images are named `train/face/face_00001.png`: converters and labelling tools put a set's images into one folder.
    """

    holds_parts = True
    usage = """\
```python
from pycocotools.coco import COCO

annotations = COCO("FOLDER/annotations/test.json")  # file names are relative to FOLDER
```

The categories are the part kinds; an image's class is its `label`. An annotation's `slot` is the slot that the
part was put into, and its `donor` the exemplar that it comes from.
"""

    def place(self, file: str) -> str:
        """Where an image is, under a name that no other has in any folder."""
        return _place(file)

    def paths(self, plan: Plan) -> Iterator[str]:
        """All files of the dataset."""
        yield from super().paths(plan)
        yield from map(_annotations, plan.subsets)

    def write(self, plan: Plan, folder: Path, *, update: Update, each: Each) -> None:
        """Write all files that are not there yet."""
        super().write(plan, folder, update=update, each=each)
        for name in plan.subsets:
            if not (folder / _annotations(name)).exists():
                with files.whole_file(folder / _annotations(name)) as out:
                    out.writelines(_lines(plan, name, each))

    def rows(self, plan: Plan, paths: Collection[str]) -> Iterator[int]:
        """The positions of the stimuli that some images show, or annotations describe."""
        yield from super().rows(plan, paths)
        for name in plan.subsets:
            if _annotations(name) in paths:
                yield from (row for shard in plan.of_subset(name) for row in shard.rows.tolist())

    def read(self, folder: Path, subset: str, *, class_names: tuple[str, str]) -> Iterator[StoredImage]:
        """The images that a subset's annotations name."""
        path = folder / _annotations(subset)
        if not path.is_file():
            return  # the subset is empty
        for image in read_json(path, _Annotated, "readable annotations").images:
            parts = PurePosixPath(image.file_name)
            if parts.is_absolute() or ".." in parts.parts:
                raise ConfiguralError(f"{path}: '{image.file_name}' leads out of the folder")
            yield StoredImage(image.file, image.index, image.label, read_image(folder / image.file_name))

    def compare(self, plan: Plan, folder: Path, *, rows: frozenset[int], update: Update) -> Iterator[Fault]:
        """The faults of what is stored of the rows; a file that is not there is passed over."""
        yield from super().compare(plan, folder, rows=rows, update=update)
        for name in plan.subsets:
            if (folder / _annotations(name)).is_file():
                yield from _compare_annotations(plan, folder, name, rows)


class _AnnotatedImage(BaseModel):
    file_name: str
    file: str
    index: Annotated[int, Field(ge=0, lt=2**63)]
    label: int


class _Annotated(BaseModel):
    """What is read of a subset's annotations."""

    images: list[_AnnotatedImage]


def run_lengths(mask: Bool[np.ndarray, "rows cols"]) -> str:
    """A mask as COCO's compressed run lengths.

    Runs of pixels outside and inside the mask take turns, counted column by column and starting outside. Each
    length from the fourth on is written as its difference to the last but one, in groups of five bits, lowest
    first, as characters from '0' on (`rleToString` in the COCO API's maskApi.c).
    """
    flat = mask.T.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    if flat[0]:
        counts.insert(0, 0)
    text = []
    for position, count in enumerate(counts):
        left = count - counts[position - 2] if position > 2 else count
        more = True
        while more:
            bits = left & 31
            left >>= 5
            more = left != (-1 if bits & 16 else 0)
            text.append(chr(48 + bits + 32 * more))
    return "".join(text)


_annotations = "annotations/{}.json".format


def _place(file: str) -> str:
    folder, _, name = file.rpartition("/")
    return f"{folder}/{PurePosixPath(folder).name}_{name.removeprefix('pic_')}"


def _frame(plan: Plan) -> tuple[bytes, ...]:
    """What stands around the images and the annotations, after the first line."""
    kinds = enumerate(plan.table.scheme.part_kinds, start=1)
    categories = [{"id": number, "name": kind, "supercategory": "part"} for number, kind in kinds]
    return (
        b'"licenses": [],\n',
        f'"categories": {json.dumps(categories)},\n'.encode(),
        b'"images": [\n',
        b'], "annotations": [\n',
        b"]}\n",
    )


def _lines(plan: Plan, subset: str, each: Each) -> Iterator[bytes]:
    """The annotation file, one object per line, so that it need never be in memory as a whole."""
    info = {"description": f"Picasso {plan.table.scheme.name}s made by configural", "version": __version__}
    yield f'{{"info": {json.dumps(info)},\n'.encode()
    *before_images, before_parts, end = _frame(plan)
    yield from before_images
    shards = plan.of_subset(subset)
    yield from _separated(_image(plan, entry) for entry in plan.entries(shards))
    yield before_parts
    yield from _separated(item for parts in each(_parts, plan.entries(shards)) for item in parts)
    yield end


def _separated(items: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """A line for each item, a comma at the end of all but the last."""
    for item, following in pairwise(chain(items, [None])):
        yield (json.dumps(item) + ("\n" if following is None else ",\n")).encode()


def _image(plan: Plan, entry: Entry) -> dict[str, Any]:
    size, place = plan.renderer.size, _place(entry.columns["file"])
    return {"id": 1 + entry.row, "file_name": place, "height": size, "width": size, **entry.columns}


def _parts(entry: Entry) -> list[dict[str, Any]]:
    """An annotation for each slot whose part shows."""
    parts = []
    scheme, masks = entry.renderer.library.scheme, entry.renderer.draw_masks(entry.stimulus)
    for slot, (content, mask) in enumerate(zip(entry.stimulus.contents, masks, strict=True)):
        if not mask.any():
            continue
        top, left, bottom, right = bounding_box(mask)
        parts.append(
            {
                "id": 1 + len(masks) * entry.row + slot,
                "image_id": 1 + entry.row,
                "category_id": 1 + scheme.index(content.kind),
                "iscrowd": 0,
                "area": int(mask.sum()),
                "bbox": [left, top, right - left, bottom - top],
                "segmentation": {"size": list(mask.shape), "counts": run_lengths(mask)},
                "slot": scheme.part_kinds[slot],
                "donor": content.donor,
            }
        )
    return parts


def _compare_annotations(plan: Plan, folder: Path, subset: str, wanted: frozenset[int]) -> Iterator[Fault]:
    where = _annotations(subset)
    images: dict[int, dict[str, Any]] = {}
    parts: dict[int, list[dict[str, Any]]] = {}
    known = {row for shard in plan.of_subset(subset) for row in shard.rows.tolist()}
    seen, frame = 0, []
    with (folder / where).open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.startswith(b'{"id": '):
                frame.append(line)
                continue
            try:
                item = json.loads(line.rstrip(b",\n"))
                row = item.get("image_id", item["id"]) - 1
            except (ValueError, KeyError, TypeError, RecursionError):
                yield Fault("damaged", where, f"line {number} cannot be read")
                return
            if row not in known:
                yield Fault("extra", f"{where} line {number}")
            seen += "image_id" not in item
            if row in wanted and "image_id" in item:
                parts.setdefault(row, []).append(item)
            elif row in wanted:
                images[row] = item
    if tuple(frame[1:]) != _frame(plan):
        yield Fault("damaged", where, "is cut off, or its categories are others")
        return
    if seen != len(known):
        yield Fault("damaged", where, f"describes {seen:,} images instead of {len(known):,}")
    shards = [shard for shard in plan.of_subset(subset) if not wanted.isdisjoint(shard.rows.tolist())]
    for entry in plan.entries(shards):
        if entry.row in wanted:
            expected = [_image(plan, entry), *_parts(entry)]
            stored = [images.get(entry.row), *parts.get(entry.row, [])]
            yield from compare_stored(
                f"{where} image {1 + entry.row}", json.dumps(expected).encode(), stored=json.dumps(stored).encode()
            )
