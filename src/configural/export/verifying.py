"""Checking a dataset on disk against its own table of stimuli."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from configural import progress
from configural.errors import ConfiguralError
from configural.export.format import Fault
from configural.export.plan import Plan
from configural.export.reading import FILE, Description
from configural.portraits import Library, load
from configural.portraits.sources import load_recorded
from configural.stimuli.rendering import Renderer
from configural.stimuli.table import StimulusTable

_COMMON = ("README.md", FILE, "stimuli.parquet")


@dataclass(frozen=True)
class Verification:
    """What a check of a dataset found.

    Attributes:
        images: Images that the dataset should hold.
        sampled: How many of them were drawn again and compared.
        faults: What is missing, extra or damaged, in this order.
        repacked: Sampled images of the same pixels in other bytes than this machine's PNG library writes.
    """

    images: int
    sampled: int
    faults: tuple[Fault, ...]
    repacked: int

    @property
    def sound(self) -> bool:
        """Whether no fault was found."""
        return not self.faults


def verify(
    folder: Path | str,
    *,
    sample: int | None = 200,
    source: str | Library | None = None,
    format: str | None = None,
) -> Verification:
    """Compare a dataset that `write` wrote with what its table of stimuli says.

    Every file's presence is checked, and so are the metadata files and the lists of what the archives hold. Of a
    sample of images, always the same for the same number, the image, the mask and all that is said of them
    are made again and compared. The text of README.md is not compared, and hidden files are passed over, so that
    a card can be edited and the folder put under version control.

    Args:
        folder: The dataset.
        sample: How many images to draw again; all if None.
        source: Where the portraits are now, or their library; what `dataset.json` names if not given.
        format: A format as `write` takes it, where `dataset.json` names one that is not registered.

    Raises:
        ConfiguralError: If the folder holds no dataset, its format is unknown, or the exemplars are not those that
            it was drawn from.

    Example:
        >>> import tempfile, configural as cf
        >>> with cf.progress.hidden(), tempfile.TemporaryDirectory() as folder:
        ...     _ = cf.generate("synthetic:2", "ffa", out=f"{folder}/set", count=40, size=16, format="webdataset")
        ...     cf.verify(f"{folder}/set", sample=5)
        Verification(images=40, sampled=5, faults=(), repacked=0)
    """
    if sample is not None and sample < 1:
        raise ConfiguralError(f"sample {sample} must be at least 1, or all")
    folder = Path(folder)
    described = Description.load(folder)
    form = described.form(format)
    try:
        table = StimulusTable.load(folder / "stimuli.parquet")
    except ConfiguralError as error:
        missing = not (folder / "stimuli.parquet").exists()
        why = "without it nothing can be compared" if missing else str(error).partition(": ")[2]
        fault = Fault("missing" if missing else "damaged", "stimuli.parquet", why)
        return Verification(sum(described.images.values()), 0, (fault,), 0)
    library = load_recorded(described.source) if source is None else load(source)
    if library.fingerprint != table.fingerprint:
        raise ConfiguralError(
            f"{library.source}: these are other exemplars (fingerprint {library.fingerprint[:12]}) than {folder} "
            f"was drawn from ({table.fingerprint[:12]}, {table.source}); name the correct ones (source)"
        )
    renderer = Renderer(library, size=described.image_size)
    plan = Plan(table, renderer, described.masks is not None, described.shard_size)

    faults = [
        Fault("damaged", FILE, f"its {name} is not that of stimuli.parquet")
        for name in described.differing(table.settings())
    ]
    expected, present = {*_COMMON, *form.paths(plan)}, _present(folder)
    faults += [Fault("missing", path) for path in sorted(expected - present)]
    faults += [Fault("extra", path) for path in sorted(present - expected)]
    count = len(table) if sample is None else min(sample, len(table))
    rows = np.random.default_rng(0).choice(len(table), count, replace=False)
    with progress.bar("comparing", count) as update:
        faults += form.compare(plan, folder, rows=frozenset(rows.tolist()), update=update)
    kinds = Counter(fault.kind for fault in faults)
    order = ("missing", "extra", "damaged")
    return Verification(
        len(table),
        count,
        tuple(fault for kind in order for fault in faults if fault.kind == kind),
        kinds["repacked"],
    )


def _present(folder: Path) -> set[str]:
    """All files but hidden ones, relative to the folder."""
    found: set[str] = set()
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(where).relative_to(folder)
        found.update((below / name).as_posix() for name in names if not name.startswith("."))
    return found
