"""Datasets on disk: written, and compared with what they say of themselves."""

from pathlib import Path
from tempfile import TemporaryDirectory

from configural import stimuli
from configural.faces import FaceLibrary, load
from configural.stimuli import StoredTable, Verification
from configural.stimuli.folders import check_workers, refuse_used
from configural.stimuli.formats import find_format

_SLOW = 50_000
"""Stimuli that take more than two seconds to sample."""


def generate(
    faces: str | FaceLibrary = "synthetic",
    condition: str = "ffa",
    placement: str | None = None,
    split: str = "paper",
    count: int = 2000,
    size: int = 224,
    seed: int = 0,
    out: Path | str = "dataset",
    masks: bool = False,
    show_progress: bool = True,
    format: str = "imagefolder",
    pairs: bool = False,
    workers: int = 1,
) -> StoredTable:
    """Draw a set of pictures into a folder; see `stimuli.sample` and `stimuli.write_folder`.

    Memory does not grow with the number of pictures.

    Returns:
        The table of the stimuli, in the folder.
    """
    refuse_used(Path(out))
    find_format(format)  # before the work begins
    check_workers(workers)
    library = load(faces, show_progress=show_progress)
    with TemporaryDirectory() as folder:
        table = stimuli.sample_to(
            Path(folder) / "stimuli.parquet",
            *(library, condition, split, count, seed, placement, pairs),
            show_progress=show_progress and count > _SLOW,
        )
        stimuli.write_folder(library, table, size, Path(out), masks, show_progress, format, workers=workers)
    return StoredTable.open(Path(out) / "stimuli.parquet")


def verify(
    folder: Path | str,
    sample: int | None = 200,
    faces: str | FaceLibrary | None = None,
    show_progress: bool = True,
) -> Verification:
    """Compare a dataset on disk with what its own table says; see `stimuli.verify_folder`."""
    return stimuli.verify_folder(Path(folder), sample, faces, show_progress)
