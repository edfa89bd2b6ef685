"""Datasets on disk: written, and compared with what they say of themselves."""

from pathlib import Path
from tempfile import TemporaryDirectory

from configural import stimuli
from configural.export.folder import check_workers
from configural.export.formats import find_format
from configural.io.files import refuse_used
from configural.portraits import Library, load
from configural.stimuli import StoredTable, Verification

_SLOW = 50_000
"""Stimuli that take more than two seconds to sample."""


def generate(
    source: str | Library = "synthetic",
    condition: str = "ffa",
    placement: str | None = None,
    split: str = "paper",
    count: int = 2000,
    size: int = 224,
    seed: int = 0,
    out: Path | str = "dataset",
    masks: bool = False,
    format: str = "imagefolder",
    pairs: bool = False,
    workers: int = 1,
) -> StoredTable:
    """Draw a set of images into a folder; see `stimuli.sample` and `stimuli.write_folder`.

    Memory does not grow with the number of images.

    Returns:
        The table of the stimuli, in the folder.
    """
    refuse_used(Path(out))
    find_format(format)  # before the work begins
    check_workers(workers)
    library = load(source)
    with TemporaryDirectory() as folder:
        table = stimuli.sample_to(
            Path(folder) / "stimuli.parquet",
            *(library, condition, split, count, seed, placement, pairs),
        )
        stimuli.write_folder(library, table, size, Path(out), masks, format, workers=workers)
    return StoredTable.open(Path(out) / "stimuli.parquet")


def verify(
    folder: Path | str,
    sample: int | None = 200,
    source: str | Library | None = None,
) -> Verification:
    """Compare a dataset on disk with what its own table says; see `stimuli.verify_folder`."""
    return stimuli.verify_folder(Path(folder), sample, source)
