"""FASSEG portraits read into memory, without the cache."""

import zlib
from dataclasses import replace
from pathlib import Path

from configural.errors import PortraitError
from configural.portraits import Exemplar
from configural.portraits.published import published


def fasseg_exemplars(folder: Path) -> tuple[list[Exemplar], list[tuple[str, str]]]:
    """The exemplars, and (name, reason) for each portrait that could not be used."""
    portraits = published("fasseg", folder)
    exemplars: list[Exemplar] = []
    skipped: list[tuple[str, str]] = []
    for name in portraits.names:
        try:
            exemplars.append(portraits.read(name))
        except PortraitError as error:
            skipped.append((name, str(error)))
    persons = portraits.persons({exemplar.name: zlib.crc32(exemplar.portrait.tobytes()) for exemplar in exemplars})
    return [replace(exemplar, person=persons[exemplar.name]) for exemplar in exemplars], skipped
