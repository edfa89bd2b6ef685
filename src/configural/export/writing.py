"""Writing stimuli to disk as a dataset."""

import json
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from configural import __version__, progress
from configural.errors import ConfiguralError
from configural.export.card import data_card
from configural.export.examples import examples_sheet
from configural.export.format import Format, find_format
from configural.export.plan import Plan, Update, entry_map
from configural.export.reading import EXAMPLES, FILE
from configural.io import files, manifest
from configural.io.locks import LOCK, locked
from configural.io.manifest import Journal
from configural.io.temporary import temporary_folder
from configural.portraits import Library, load
from configural.stimuli.conditions import Condition
from configural.stimuli.rendering import Renderer
from configural.stimuli.sampling import sample_to
from configural.stimuli.table import StimulusTable, StoredTable

_INSIDE = ".partial"

_TOGETHER = 500
"""Images whose files go to the disk together, and may have to be drawn again after the process was killed."""


def write(
    table: StimulusTable | StoredTable,
    out: Path | str,
    *,
    library: Library,
    size: int = 224,
    masks: bool = False,
    format: str = "imagefolder",
    shard_size: int = 2000,
    workers: int = 1,
) -> None:
    """Draw all stimuli of a table into the folder `out`.

    In every format there are `stimuli.parquet` (the table), `dataset.json` (settings and counts), `README.md` (the
    data card) and `examples.png` (some images, which the card shows). A label image is 0 where no part shows, else
    1 to the number of part kinds, in the order of the object scheme, by the kind of the part that is seen.

    The folder is built beside `out` as `OUT.partial` and renamed when the disk holds all of it; where a disk is
    mounted at `out`, or its parent is not writable, it is built there as `.partial`. A link is followed. If that is
    interrupted, the same call resumes it: what is there and has the SHA-256 that it was written with is not written
    again. At last `SHA256SUMS` lists every file.

    Args:
        table: The stimuli, in memory or in a file. Further columns than its own are written along.
        out: A folder that is new or empty.
        library: The library that the stimuli were sampled from.
        size: Rows and columns of the images.
        masks: Also write a label image for every image.
        format: `imagefolder`: `{train,valid,test}/{no_face,face}/pic_08001.png`, label images of the same name
            under `masks/`, and `{train,valid,test}/metadata.parquet`. `coco`: the same, with names such as
            `face_08001.png`, and `annotations/{train,valid,test}.json`. `parquet`:
            `data/train-00000-of-00009.parquet` and so on. `webdataset`: `train-000000.tar` and so on. `psychopy`,
            `jspsych`: the image folder, with trials of two images for people. Or another registered
            format, or `module:name`.
        shard_size: Images per Parquet file or tar archive.
        workers: Processes that draw and pack; what is written does not depend on their number. A script that asks
            for more than one calls this under `if __name__ == "__main__":`, since the processes import the script.

    Raises:
        ConfiguralError: If `out` holds anything, `OUT.partial` was begun with other settings, another process is
            writing it, there is no such format, or `workers` is less than 1.
        OSError: If the disk is full or not writable; `OUT.partial` then stays for another try.

    Example:
        >>> import tempfile, configural as cf
        >>> with cf.progress.hidden(), tempfile.TemporaryDirectory() as folder:
        ...     library = cf.portraits.load("synthetic:2")
        ...     table = cf.stimuli.sample(library, count=40)
        ...     cf.export.write(table, f"{folder}/set", library=library, size=16)
        ...     cf.export.verify(f"{folder}/set", source=library).sound
        True
    """
    out = Path(out)
    if out.name in ("", ".."):
        raise ConfiguralError(f"out {out}: choose a folder with a name of its own, such as {out / 'images'}")
    form = find_format(format)
    if masks and not form.writes_masks:
        raise ConfiguralError(f"masks: the format {format} writes no label images; leave it out")
    check_workers(workers)
    if shard_size < 1:
        raise ConfiguralError(f"shard_size {shard_size}: at least one image must be in a file")
    out = out.resolve() if out.is_symlink() else out
    _refuse_used(out)
    partial = _partial(out)
    plan = Plan(table, Renderer(library, size=size), masks, shard_size)
    with locked(partial.parent, f"the dataset {out.name}", name=f".{partial.name}{LOCK}"):
        _refuse_used(out)  # which another process may have finished meanwhile
        _write(plan, partial, out, form=form, format=format, licence=library.licence, workers=workers)


def _write(plan: Plan, partial: Path, out: Path, *, form: Format, format: str, licence: str, workers: int) -> None:
    """Build a dataset, or the rest of it, and give it its name."""
    description = describe(plan, format)
    text = json.dumps(description, indent=2) + "\n"
    begun = (partial / FILE).read_text("utf-8", "replace") if (partial / FILE).is_file() else ""
    if begun != text and (begun or manifest.present(partial) - {FILE}):
        raise ConfiguralError(
            f"{partial}: was begun with other settings; remove it, or repeat the command that began it"
        )
    files.remove_leftovers(partial)  # of a process that was killed while it wrote
    files.write_text(partial / FILE, text, durable=True)
    journal = Journal(partial, but=[FILE])
    card = data_card(description, form, columns=plan.table.columns, licence=licence)
    files.write_text(partial / "README.md", card)
    plan.table.save(partial / "stimuli.parquet")
    with (
        entry_map(plan.renderer, workers) as each,
        progress.bar("drawing", len(plan.table)) as update,
        _settled(journal, update) as settle,
    ):
        form.write(plan, partial, update=settle, each=each)
    files.write_bytes(partial / EXAMPLES, examples_sheet(plan))
    journal.add([partial / name for name in (FILE, "README.md", EXAMPLES, "stimuli.parquet")])
    journal.close()
    if partial.parent == out:
        for path in sorted(partial.iterdir(), key=lambda path: path.name == FILE):
            os.replace(path, out / path.name)
        partial.rmdir()
    else:
        os.replace(partial, out)
    files.sync([], out)


@contextmanager
def _settled(journal: Journal, update: Update) -> Generator[Update]:
    """Let a journal know the files that are written in the block, some at a time."""
    before = 0
    with files.noted() as written:

        def settle(done: int) -> None:
            nonlocal before
            update(done)
            if written and done - before >= _TOGETHER:
                before = done
                journal.add(written)
                written.clear()

        try:
            yield settle
        except BaseException:
            with suppress(OSError):  # the disk may be full
                journal.add(written)
            raise
        journal.add(written)


def _partial(out: Path) -> Path:
    """Where a dataset is while it is not whole: beside its folder, or in it if the folder cannot be replaced."""
    beside, inside = out.with_name(out.name + ".partial"), out / _INSIDE
    if beside.exists() or not out.exists():
        return beside
    if any(out.iterdir()):
        return inside
    try:
        return out.rename(beside)
    except OSError:  # a disk is mounted there, or the folder that it is in is somebody else's
        return inside


def _refuse_used(out: Path) -> None:
    passed_over = (_INSIDE, f".{_INSIDE}{LOCK}", "lost+found")
    if not (out.is_dir() and all(path.name in passed_over for path in out.iterdir())):
        files.refuse_used(out)


def describe(plan: Plan, format: str) -> dict[str, Any]:
    """What `dataset.json` holds: with the portraits, all that is needed to write the same dataset again."""
    scheme = plan.table.scheme
    return {
        "configural": __version__,
        "format": format,
        **plan.table.settings(),
        "image_size": plan.renderer.size,
        "shard_size": plan.shard_size,
        "masks": {"values": dict(enumerate(("none", *scheme.part_kinds)))} if plan.masks else None,
        "class_names": list(scheme.class_names),
        "images": plan.table.counts(),
    }


def generate(
    source: str | Library = "synthetic",
    condition: str | Condition | None = None,
    *,
    placement: str | None = None,
    split: str = "paper",
    count: int = 2000,
    size: int = 224,
    seed: int = 0,
    out: Path | str = "dataset",
    masks: bool = False,
    format: str = "imagefolder",
    pairs: bool = False,
    shard_size: int = 2000,
    workers: int = 1,
) -> StoredTable:
    """Sample stimuli and write them as a dataset; see `stimuli.sample` and `write`.

    Memory does not grow with the number of images.

    Returns:
        The table of the stimuli, in the folder.

    Raises:
        ConfiguralError: If a setting is not possible; see `portraits.load`, `stimuli.sample` and `write`.
        OSError: If the disk is full or not writable.

    Example:
        >>> import tempfile, configural as cf
        >>> with cf.progress.hidden(), tempfile.TemporaryDirectory() as folder:
        ...     table = cf.generate("synthetic:2", "fct", out=f"{folder}/set", count=40, size=16, masks=True)
        ...     table.counts()
        {'train': 34, 'valid': 0, 'test': 6}
    """
    _refuse_used(Path(out))
    find_format(format)  # before the work begins
    check_workers(workers)
    library = load(source)
    with temporary_folder() as folder:
        table = sample_to(
            folder / "stimuli.parquet",
            library,
            condition=condition,
            split=split,
            count=count,
            seed=seed,
            placement=placement,
            pairs=pairs,
        )
        write(
            table,
            out,
            library=library,
            size=size,
            masks=masks,
            format=format,
            shard_size=shard_size,
            workers=workers,
        )
    return StoredTable.open(Path(out) / "stimuli.parquet")


def check_workers(workers: int) -> None:
    """Raise a ConfiguralError if there can be no such number of processes."""
    if workers < 1:
        raise ConfiguralError(f"workers {workers}: at least one process must draw")
