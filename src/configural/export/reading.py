"""Reading a dataset back, whatever its format, and checking it against its own table of stimuli."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pydantic

from configural import progress
from configural.errors import ConfiguralError
from configural.export.format import FORMATS, Fault, Format, StoredImage, find_format
from configural.export.formats.imagefolder import list_images
from configural.export.plan import Plan
from configural.io import manifest
from configural.io.images import read_image
from configural.objects import FACE, ObjectScheme
from configural.portraits import Library, load
from configural.portraits.sources import load_recorded
from configural.stimuli.rendering import Renderer
from configural.stimuli.table import StimulusTable

if TYPE_CHECKING:
    from configural.stimuli.datasets import ImageDataset

FILE = "dataset.json"
EXAMPLES = "examples.png"
_COMMON = ("README.md", EXAMPLES, FILE, "stimuli.parquet")


class Description(pydantic.BaseModel):
    """What is needed of `dataset.json` to read or verify the dataset; `writing.describe` makes it."""

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    format: str
    source: str
    object: ObjectScheme
    class_names: tuple[str, str]
    image_size: int = pydantic.Field(ge=1)
    shard_size: int = pydantic.Field(ge=1)
    masks: dict[str, Any] | None
    images: dict[str, int]

    @classmethod
    def load(cls, folder: Path) -> "Description":
        """Read a dataset's own; a ConfiguralError if there is none, or it is damaged."""
        if not folder.is_dir():
            raise ConfiguralError(f"{folder}: there is no such folder")
        try:
            return cls.model_validate_json((folder / FILE).read_bytes())
        except FileNotFoundError as error:
            raise ConfiguralError(f"{folder}: has no {FILE}; expected a folder that generate wrote") from error
        except pydantic.ValidationError as error:
            raise ConfiguralError(f"{folder / FILE}: damaged, or not written by generate; draw it again") from error

    def differing(self, settings: dict[str, Any]) -> list[str]:
        """The names of settings that are others here."""
        said = json.loads(self.model_dump_json())
        return [name for name, value in json.loads(json.dumps(settings)).items() if said.get(name) != value]

    def form(self, named: str | None) -> Format:
        """The format that somebody names, else the registered or installed one that `dataset.json` names."""
        if named is None and not FORMATS.knows(self.format):  # never imported because a file says so
            raise ConfiguralError(
                f"the dataset's format '{self.format}' is not registered here: name it (format) if you trust it"
            )
        return find_format(named or self.format)


def read(
    folder: Path | str,
    *,
    size: int,
    split: str = "test",
    class_names: tuple[str, str] | None = None,
    format: str | None = None,
) -> "ImageDataset":
    """Read images with their classes: a dataset that `write` wrote, or anybody's folder of class folders.

    Reading executes nothing that is in the folder; a format's name in `dataset.json` only chooses among those that
    are registered or installed.

    Args:
        folder: A dataset in any format. Without a `dataset.json`, a folder with a folder of images for each
            class, or with a folder named as the split that holds these.
        size: Rows and columns that the images must have.
        split: train, valid or test.
        class_names: The class folders' names, the label 0 first; those of the face scheme if not given. A dataset
            with a `dataset.json` has its own.
        format: A format as `write` takes it, where `dataset.json` names one that is not registered.

    Returns:
        The images by class and index. An index is that on disk, such as 8001 for pic_08001.png. Those of a
        folder without a `dataset.json` are in the order of Keras's `flow_from_directory`; where the
        numbers at the ends of names do not distinguish all images of a class, their indices are positions in it.

    Raises:
        ConfiguralError: If a folder is missing or empty, the format is unknown, images are missing, or an image is
            unreadable or of another size. Also if a class's folder holds a link to a folder, which torchvision
            follows and Keras passes over.

    Example:
        >>> import tempfile, configural as cf
        >>> with cf.progress.hidden(), tempfile.TemporaryDirectory() as folder:
        ...     _ = cf.generate("synthetic:2", "ffa", out=f"{folder}/set", count=40, size=16, format="parquet")
        ...     images = cf.export.read(f"{folder}/set", size=16)
        >>> images.labels.tolist(), images.rows["index"].tolist()
        ([0, 0, 0, 1, 1, 1], [17, 18, 19, 17, 18, 19])
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ConfiguralError(f"{folder}: there is no such folder")
    if (folder / FILE).is_file():
        described = Description.load(folder)
        form, names, count = described.form(format), described.class_names, described.images.get(split, 0)
        if not count:
            raise ConfiguralError(f"{folder}: holds no {split} images; choose one of {', '.join(described.images)}")
        images = form.read(folder, split, class_names=names)
    else:
        names = class_names or FACE.class_names
        listed = list_images(folder / split if (folder / split).is_dir() else folder, names)
        count = len(listed)
        images = (
            StoredImage(path.relative_to(folder).as_posix(), index, label, read_image(path))
            for label, index, path in listed
        )
    from configural.stimuli.datasets import ImageDataset

    found: list[StoredImage] = []
    with progress.bar("reading images", count) as update:
        for image in images:
            if image.pixels.shape != (size, size, 3):
                rows, cols = image.pixels.shape[:2]
                raise ConfiguralError(f"{folder / image.file}: {cols}×{rows} pixels instead of {size}×{size}")
            if image.label not in (0, 1):
                raise ConfiguralError(f"{folder / image.file}: label {image.label} instead of 0 or 1")
            found.append(image)
            update(len(found))
    if len(found) != count:
        raise ConfiguralError(
            f"{folder}: {len(found):,} {split} images instead of {count:,}; configural verify names the others"
        )
    by_index = (folder / FILE).is_file()
    found.sort(key=lambda image: (image.label, image.index if by_index else 0))
    found.reverse()
    pixels = np.empty((count, size, size, 3), np.uint8)
    about: list[tuple[int, str, int]] = []
    while found:  # one after the other, so that the images are not held twice
        image = found.pop()
        pixels[len(about)] = image.pixels
        about.append((image.index, image.file, image.label))
    table = pd.DataFrame(about, columns=["index", "file", "label"])
    return ImageDataset(table, size, images=pixels, class_names=names)


@dataclass(frozen=True)
class Verification:
    """What a check of a folder found.

    Attributes:
        images: Images that a dataset should hold.
        sampled: How many of them were drawn again and compared.
        faults: What is missing, extra, changed or damaged, in this order.
        repacked: Sampled images of the same pixels in other bytes than this machine's PNG library writes.
        files: How many files were compared with their SHA-256.
    """

    images: int
    sampled: int
    faults: tuple[Fault, ...]
    repacked: int
    files: int = 0

    @property
    def sound(self) -> bool:
        """Whether no fault was found."""
        return not self.faults


def verify(
    folder: Path | str, *, sample: int | None = 200, source: str | Library | None = None, format: str | None = None
) -> Verification:
    """Compare a finished folder with what was written: of a run, evaluation, study, audit or dataset.

    Every file is compared with the SHA-256 in the folder's `SHA256SUMS`, those of a study's runs too. Of a dataset,
    every file's presence is checked, and so are the metadata files and the lists of what the archives hold. Of a
    sample of images, always the same for the same number, and of those in files that have changed, the image, the
    mask and all that is said of them are made again and compared. The text of README.md is not compared, and hidden
    files are passed over, so that a card can be edited and the folder put under version control.

    Args:
        folder: The folder.
        sample: How many images to draw again; all if None.
        source: Where the portraits are now, or their library; what `dataset.json` names if not given.
        format: A format as `write` takes it, where `dataset.json` names one that is not registered.

    Raises:
        ConfiguralError: If the folder holds nothing of the kind, its format is unknown, or the exemplars are not
            those that it was drawn from.

    Example:
        >>> import tempfile, configural as cf
        >>> with cf.progress.hidden(), tempfile.TemporaryDirectory() as folder:
        ...     _ = cf.generate("synthetic:2", "ffa", out=f"{folder}/set", count=40, size=16, format="webdataset")
        ...     cf.verify(f"{folder}/set", sample=5)
        Verification(images=40, sampled=5, faults=(), repacked=0, files=6)
    """
    if sample is not None and sample < 1:
        raise ConfiguralError(f"sample {sample} must be at least 1, or all")
    folder = Path(folder)
    if folder.is_dir() and not (folder / FILE).is_file():
        return _verify_files(folder, {"source": source, "format": format})
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
    expected, present = {*_COMMON, *form.paths(plan)}, manifest.present(folder)
    faults += [Fault("missing", path) for path in sorted(expected - present)]
    faults += [Fault("extra", path) for path in sorted(present - expected)]
    count = len(table) if sample is None else min(sample, len(table))
    number, changed = manifest.compare(folder) if manifest.is_sealed(folder) else (0, [])
    suspect = {fault.where for fault in changed if fault.kind == "changed"}
    rows = {*np.random.default_rng(0).choice(len(table), count, replace=False).tolist(), *form.rows(plan, suspect)}
    with progress.bar("comparing", len(rows)) as update:
        faults += form.compare(plan, folder, rows=frozenset(rows), update=update)
    told = tuple(fault.where for fault in faults)
    faults += [
        fault
        for fault in changed
        if fault.where in suspect - {"README.md"} and not any(where.startswith(fault.where) for where in told)
    ]
    kinds = Counter(fault.kind for fault in faults)
    order = ("missing", "extra", "changed", "damaged")
    return Verification(
        len(table),
        len(rows),
        tuple(fault for kind in order for fault in faults if fault.kind == kind),
        kinds["repacked"],
        number,
    )


def _verify_files(folder: Path, options: dict[str, Any]) -> Verification:
    """The verification of a folder that is no dataset."""
    if not manifest.is_sealed(folder):
        raise ConfiguralError(
            f"{folder}: has no {FILE} and no {manifest.MANIFEST}; expected a finished folder of generate, run, "
            "evaluate, study or audit"
        )
    for name, value in options.items():
        if value is not None:
            raise ConfiguralError(f"{name}: {folder} holds no dataset; leave it out")
    number, faults = manifest.compare(folder)
    return Verification(0, 0, tuple(faults), 0, number)
