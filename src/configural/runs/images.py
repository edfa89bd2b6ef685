"""A run's images: drawn for it alone, or once for all the runs of a study and kept in files."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from configural.config.run import RunConfig
from configural.errors import ConfiguralError
from configural.io import files
from configural.io.locks import locked
from configural.portraits import Library, load
from configural.stimuli import SUBSETS, DeviceRenderer, Renderer, StimulusTable, sample
from configural.stimuli import condition as find_condition
from configural.stimuli.datasets import FRACTION_OF_MEMORY, ImageDataset, StimulusDataset, dataset

_AT_ONCE = 256
"""Images that are drawn before they are written."""


@dataclass(frozen=True, eq=False)
class Images:
    """Stimuli and what they look like.

    Attributes:
        table: The stimuli of all subsets.
        sets: The images of each subset that was drawn, in the order of the table.
    """

    table: StimulusTable
    sets: Mapping[str, ImageDataset]


def sample_for(settings: RunConfig, library: Library, placement: str | None = None) -> StimulusTable:
    """The stimuli of a run, or the same ones under another placement."""
    return sample(
        library,
        condition=settings.condition,
        split=settings.split,
        count=settings.count,
        seed=settings.data_seed,
        placement=placement,
    )


def draw_images(table: StimulusTable, library: Library, settings: RunConfig, device: torch.device) -> Images:
    """Draw a run's stimuli into memory, or whenever they are asked for: as it wants, or if they are too many.

    The device is where it trains; see `drawing_device`.
    """
    where, size = drawing_device(settings, device), settings.image_size
    if where is not None:
        batched = DeviceRenderer(library, size=size, device=where)
        return Images(table, {name: StimulusDataset(batched, table.subset(name)) for name in SUBSETS})
    # One for all subsets, so that what it remembers of the portraits is in memory once.
    renderer = Renderer(library, size=size)
    keep = False if settings.stream else None
    sets = {name: dataset(library, table.subset(name), size=size, keep=keep, renderer=renderer) for name in SUBSETS}
    renderer.forget()
    return Images(table, sets)


def drawing_device(settings: RunConfig, device: torch.device) -> torch.device | None:
    """Where a run's images are best drawn and kept: the GPU that trains, if that one has room for them.

    None where images are to be drawn by the processor: on other devices, for several processes, for a run that
    keeps no images, or if they would fill more than half of what is free.
    """
    if device.type != "cuda" or settings.devices > 1 or settings.stream:
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return device if settings.count * 3 * settings.image_size**2 <= FRACTION_OF_MEMORY * free else None


def shared_images(
    folder: Path,
    settings: RunConfig,
    placement: str,
    library: Library | None = None,
    subsets: tuple[str, ...] = SUBSETS,
) -> Images:
    """A run's images, or the same ones under another placement, out of files that many processes share.

    The first to ask for them draws them, and those who ask meanwhile wait. The files hold plain bytes and are
    mapped into memory, so that all processes of a machine together hold them once.

    Args:
        folder: Where they lie; it appears when it is whole.
        settings: The run's.
        placement: left, middle, right or shifted.
        library: Loaded already; else it is loaded if images are to be drawn.
        subsets: Which of train, valid and test to draw.

    Raises:
        ConfiguralError: If they cannot be drawn, or the folder holds those of other settings.
        OSError: If the disk is full or not writable; what was drawn by then is drawn again.
    """
    if (images := _stored(folder, settings.image_size, subsets)) is None:
        with locked(folder.parent, "these images", -1, f".{folder.name}.lock"):
            if _stored(folder, settings.image_size, subsets) is None:
                shutil.rmtree(folder, ignore_errors=True)
                _draw_into(folder, settings, placement, library or load(settings.source), subsets)
        images = _stored(folder, settings.image_size, subsets)
        assert images is not None
    table = images.table
    condition = find_condition(settings.condition, scheme=table.scheme)
    asked = (condition, placement, settings.split, settings.count, settings.data_seed)
    if (table.condition, table.placement, table.split, table.count, table.seed) != asked:
        raise ConfiguralError(f"{folder}: holds images of other settings; remove it to have them drawn again")
    return images


def _stored(folder: Path, size: int, subsets: tuple[str, ...]) -> Images | None:
    """What the folder holds if it has all its files in full length; somebody may have tidied by hand."""
    sets = {}
    try:
        table = StimulusTable.load(folder / "stimuli.parquet")
        for name in subsets:
            # Copy on write, which nobody does: PyTorch warns of arrays that it cannot write to.
            images = np.load(folder / f"{name}.npy", mmap_mode="c")
            rows = table.subset(name).frame[["index", "file", "label", "placement"]]
            if images.shape != (len(rows), size, size, 3):
                return None
            sets[name] = ImageDataset(rows, size, images=images, class_names=table.scheme.class_names)
    except (OSError, EOFError, ValueError):  # NumPy raises the second for an empty file
        return None
    return Images(table, sets)


def _draw_into(
    folder: Path, settings: RunConfig, placement: str, library: Library, subsets: tuple[str, ...]
) -> None:
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
    table = sample_for(settings, library, placement)
    renderer = Renderer(library, size=settings.image_size)
    try:
        table.save(partial / "stimuli.parquet")
        for name in subsets:
            _write_images(partial / f"{name}.npy", table.subset(name), renderer)
        files.sync_folder(partial)
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _write_images(path: Path, table: StimulusTable, renderer: Renderer) -> None:
    # Written, not mapped: a full disk is then an error that can be told, and not the end of the process.
    with files.whole_file(path) as file:
        shape = (len(table), renderer.size, renderer.size, 3)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(table), _AT_ONCE):
            rows = range(start, min(start + _AT_ONCE, len(table)))
            file.write(renderer.draw_batch([table[row] for row in rows]).tobytes())
