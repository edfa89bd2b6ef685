"""How much of the image one unit of a network sees, and how far apart the parts of a face lie."""

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np

from configural import models
from configural.portraits import Library

CLOSEST_PARTS = 0.255
"""`closest_parts` of the 70 FASSEG portraits (frontal02): an eye and the nose, in fractions of the side."""


@dataclass(frozen=True)
class ReceptiveField:
    """What one unit of a network's last feature map sees.

    Attributes:
        network: Its name.
        pixels: Rows and columns of the image that one unit sees.
        image_size: Rows and columns of the image.
        single_unit: Whether the response is that of the strongest single unit (fully convolutional networks),
            rather than one in which a dense layer weighs all units by their position.
    """

    network: str
    pixels: int
    image_size: int
    single_unit: bool

    @property
    def fraction(self) -> float:
        """Of the image's side; above 1 where a unit sees beyond the image's edges."""
        return self.pixels / self.image_size


def receptive_fields(image_size: int) -> tuple[ReceptiveField, ...]:
    """The fields of the study's four networks for images of a size, the smallest fraction first.

    The field is a number of pixels, whatever the size of the image. So a smaller image enlarges it relative to
    the face: 46 of 224 pixels are 0.21 of the side, 46 of 64 are 0.72.
    """
    fields = [
        ReceptiveField(one.name, _pixels(one.name), image_size, one.fully_convolutional)
        for one in models.ARCHITECTURES
    ]
    return tuple(sorted(fields, key=lambda field: (field.pixels, field.network)))


@cache
def _pixels(network: str) -> int:
    """What a unit of one of the study's networks sees; the network is made for it."""
    return models.receptive_field(models.recreate(network, 224)) or 0


def closest_parts(library: Library) -> float:
    """The side of the smallest square that holds the closest two parts whole, as a fraction of the image's side.

    Measured per exemplar from outer edge to outer edge, along rows or columns, whichever is longer, where the parts
    were photographed; then the mean over the exemplars, and of all pairs of part kinds the closest. A network whose
    unit sees less never has two parts whole before one unit.
    """
    low, high = library.anchors, library.anchors + library.part_sizes
    sides = library.canvas_sizes.max(axis=1)
    extents = [
        (np.maximum(high[:, a], high[:, b]) - np.minimum(low[:, a], low[:, b])).max(axis=1) / sides
        for a, b in combinations(range(len(library.scheme.part_kinds)), 2)
    ]
    return float(min(extent.mean() for extent in extents))
