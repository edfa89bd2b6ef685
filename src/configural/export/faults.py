"""What can be wrong with a dataset on disk."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Fault:
    """One difference between what is on disk and what should be.

    Attributes:
        kind: missing, extra, damaged, or repacked: an image of the right pixels in other bytes, as another
            version of the PNG library writes them, which is no harm.
        where: The file, or the file and the place in it.
        why: What is wrong, if the kind alone does not say it.
    """

    kind: str
    where: str
    why: str = ""


def compare_bytes(where: str, expected: bytes, stored: bytes | None) -> Iterator[Fault]:
    """The fault of a stored piece, if it has one."""
    if stored is None:
        yield Fault("missing", where)
    elif stored != expected:
        yield Fault("damaged", where, "holds something else than is drawn from stimuli.parquet")


def compare_png(where: str, expected: bytes, stored: bytes | None) -> Iterator[Fault]:
    """The fault of a stored PNG image, if it has one."""
    if stored is None or stored == expected:
        yield from compare_bytes(where, expected, stored)
        return
    found = _decode(stored)
    if found is None:
        yield Fault("damaged", where, "is not a readable image")
    elif np.array_equal(found, _decode(expected)):  # type: ignore[arg-type]
        yield Fault("repacked", where)
    else:
        yield Fault("damaged", where, "shows another image than is drawn from stimuli.parquet")


def _decode(content: bytes) -> np.ndarray | None:
    """The pixels, or None if there are none to be read."""
    data = np.frombuffer(content, np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
