"""Writing stimuli to disk as a dataset."""

import json
import os
from pathlib import Path
from typing import Any

from configural import __version__, progress
from configural.errors import ConfiguralError
from configural.export.card import data_card
from configural.export.formats import Plan, entry_map, find_format
from configural.export.plan import label_image as label_image
from configural.io import files
from configural.io.files import refuse_used
from configural.portraits import PART_KINDS, Library
from configural.stimuli.rendering import Renderer
from configural.stimuli.table import CLASS_NAMES, StimulusTable, StoredTable


def write_folder(
    library: Library,
    table: StimulusTable | StoredTable,
    size: int,
    out: Path,
    masks: bool = False,
    format: str = "imagefolder",
    shard_size: int = 2000,
    workers: int = 1,
) -> None:
    """Draw all stimuli of a table into the folder `out`.

    In every format there are `stimuli.parquet` (the table), `dataset.json` (settings and counts) and `README.md`
    (the data card). A label image is 0 where no part shows, else 1 left_eye, 2 right_eye, 3 nose, 4 mouth, by the
    kind of part that is seen.

    The folder is built beside `out` as `OUT.partial` and renamed when it is whole. If that is interrupted, the
    same call goes on where it stopped: files that are there are whole and are not written again.

    Args:
        library: The library that the stimuli were sampled from.
        table: The stimuli, in memory or in a file. Further columns than its own are written along.
        size: Rows and columns of the images.
        out: A folder that is new or empty.
        masks: Also write a label image for every image.
        format: `imagefolder`: `{train,valid,test}/{no_face,face}/pic_08001.png`, label images of the same name
            under `masks/`, and `{train,valid,test}/metadata.jsonl`. `coco`: the same and
            `annotations/{train,valid,test}.json`. `parquet`: `data/train-00000-of-00009.parquet` and so on.
            `webdataset`: `train-000000.tar` and so on.
        shard_size: Images per Parquet file or tar archive.
        workers: Processes that draw and pack; what is written does not depend on their number. A script that asks
            for more than one calls this under `if __name__ == "__main__":`, since the processes import the script.

    Raises:
        ConfiguralError: If `out` exists, `OUT.partial` was begun with other settings, there is no such format, or
            `workers` is less than 1.
        OSError: If the disk is full or not writable; `OUT.partial` then stays for another try.
    """
    if out.name in ("", ".."):
        raise ConfiguralError(f"{out}: choose an --out with a name of its own, such as {out / 'images'}")
    form = find_format(format)
    check_workers(workers)
    partial = out.with_name(out.name + ".partial")
    plan = Plan(table, Renderer(library, size), masks, shard_size)
    description = describe(plan, format)
    text = json.dumps(description, indent=2) + "\n"
    refuse_used(out)
    if partial.exists() and (
        not (partial / "dataset.json").is_file() or (partial / "dataset.json").read_text("utf-8") != text
    ):
        raise ConfiguralError(
            f"{partial}: was begun with other settings; remove it, or repeat the command that began it"
        )
    files.remove_leftovers(partial)  # of a process that was killed while it wrote
    files.write_text(partial / "dataset.json", text)
    files.write_text(partial / "README.md", data_card(description, form.data_files, table.columns))
    table.save(partial / "stimuli.parquet")
    with (
        entry_map(plan.renderer, workers) as each,
        progress.bar("drawing", len(table)) as update,
    ):
        form.write(plan, partial, update, each)
    if out.exists():  # an empty folder, checked above
        out.rmdir()
    os.replace(partial, out)


def describe(plan: Plan, format: str) -> dict[str, Any]:
    """What `dataset.json` holds: with the faces, all that is needed to write the same dataset again."""
    return {
        "configural": __version__,
        "format": format,
        **plan.table.settings(),
        "image_size": plan.renderer.size,
        "shard_size": plan.shard_size,
        "masks": {"values": dict(enumerate(("none", *PART_KINDS)))} if plan.masks else None,
        "class_names": list(CLASS_NAMES),
        "images": plan.table.places().counts,
    }


def check_workers(workers: int) -> None:
    """Raise a ConfiguralError if there can be no such number of processes."""
    if workers < 1:
        raise ConfiguralError(f"--workers {workers}: at least one process must draw")
