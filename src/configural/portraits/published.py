"""Public sets of labelled portraits, in the layouts in which they are published; see the files in `sets`."""

from importlib import resources
from itertools import islice
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from configural.errors import ConfiguralError
from configural.io.yamls import read_yaml
from configural.portraits.description import Description
from configural.portraits.image_files import Beside, find_images
from configural.portraits.label_folder import LabelFolder

PUBLISHED = ("fasseg", "celebamask", "lapa", "facesynthetics", "helen", "ibugmask")

_TRIED = 100  # images of which one must have a label for a layout to be the folder's


class PublishedSet(BaseModel):
    """A public set.

    Attributes:
        expected: What is in its folder, in words.
        layouts: The ways in which people have it; the first that fits is taken.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    expected: str
    layouts: tuple[Description, ...] = Field(min_length=1)


def published_set(name: str) -> PublishedSet:
    """What the package knows of a public set."""
    with resources.as_file(resources.files("configural.portraits") / "sets" / f"{name}.yaml") as path:
        return read_yaml(path, PublishedSet)


def published(name: str, folder: Path) -> LabelFolder:
    """A public set in a folder; a ConfiguralError if it is not there in any layout that is known."""
    known = published_set(name)
    if not folder.is_dir():
        raise ConfiguralError(f"{folder}: no such folder; expected {known.expected}")
    for layout in known.layouts:
        if _fits(folder, layout):
            return LabelFolder(folder, layout, where=str(folder))
    raise ConfiguralError(f"{folder}: not in the layout of {name}; expected {known.expected}")


def _fits(folder: Path, layout: Description) -> bool:
    beside = [Beside(folder, pattern) for pattern in layout.patterns]
    images = islice(find_images(folder, layout.images), _TRIED)
    return any(each.of(image).exists() for image in images for each in beside)
