"""The forms in which a dataset can be written and checked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from configural.errors import ConfiguralError
from configural.export.faults import Fault as Fault
from configural.export.formats import coco, imagefolder, parquet, webdataset
from configural.export.plan import Each, Update
from configural.export.plan import Plan as Plan
from configural.export.plan import entry_map as entry_map


@dataclass(frozen=True)
class Format:
    """One form of a dataset.

    Attributes:
        name: As users write it.
        data_files: Pattern of the files of a subset, `{}` for its name.
        paths: All files of a dataset of this plan, relative to its folder.
        write: Writes what is missing into a folder; drawing and packing is done by what `entry_map` gives.
        compare: The faults of some rows of the table (by position) as they are stored in a folder.
    """

    name: str
    data_files: str
    paths: Callable[[Plan], Iterator[str]]
    write: Callable[[Plan, Path, Update, Each], None]
    compare: Callable[[Plan, Path, frozenset[int], Update], Iterator[Fault]]


FORMATS = (
    Format("imagefolder", "{}/**", imagefolder.paths, imagefolder.write, imagefolder.compare),
    Format("coco", "{}/**", coco.paths, coco.write, coco.compare),
    Format("parquet", "data/{}-*.parquet", parquet.paths, parquet.write, parquet.compare),
    Format("webdataset", "{}-*.tar", webdataset.paths, webdataset.write, webdataset.compare),
)


def find_format(name: str) -> Format:
    """The format of that name.

    Raises:
        ConfiguralError: If there is none of that name.
    """
    for candidate in FORMATS:
        if candidate.name == name:
            return candidate
    raise ConfiguralError(
        f"unknown format '{name}': choose one of {', '.join(candidate.name for candidate in FORMATS)}"
    )
