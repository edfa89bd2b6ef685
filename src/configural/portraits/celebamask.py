"""Portraits from the folder layout of CelebAMask-HQ."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from configural.errors import ConfiguralError, PortraitError
from configural.io.images import read_image
from configural.objects import FACE
from configural.portraits.drawings import read_mask
from configural.portraits.library import Exemplar
from configural.portraits.regions import cut_exemplar, middle_column

_IMAGES, _MASKS = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno"
_EYES = {"l_eye": "left", "r_eye": "right"}
_MOUTH = ("mouth", "u_lip", "l_lip")
_MAPPING, _IDENTITIES = "CelebA-HQ-to-CelebA-mapping.txt", "identity_CelebA.txt"


class CelebAMask:
    """CelebAMask-HQ as it is published, or some of its portraits.

    `CelebA-HQ-img/7.jpg` is a portrait, `CelebAMask-HQ-mask-anno/0/00007_nose.png` the mask of its nose. Mouth
    and lips are one part. Position decides which eye is which, as everywhere: the files' l_ and r_ are the
    person's sides. Portraits are brought down to the size of their masks.
    """

    scheme = FACE
    licence = (
        "CelebAMask-HQ (Lee, Liu, Wu and Luo, CVPR 2020), photographs of people from the internet: for "
        "non-commercial research and education only, under the terms of its authors and of CelebA's"
    )
    recipe = f"celebamask {FACE.model_dump_json()}"

    def __init__(self, folder: Path) -> None:
        """List the portraits; a ConfiguralError if there are none."""
        expected = f"expected {_IMAGES} with 0.jpg, 1.jpg … and {_MASKS} with the masks"
        for sub in ("", _IMAGES, _MASKS):
            if not (folder / sub).is_dir():
                raise ConfiguralError(f"{folder / sub}: no such folder; {expected}")
        self.folder = folder
        numbers = sorted(int(path.stem) for path in folder.glob(f"{_IMAGES}/*.jpg") if path.stem.isdecimal())
        if not numbers:
            raise ConfiguralError(f"{folder / _IMAGES}: no portraits; {expected}")
        self.names: Sequence[str] = [f"celebamask/{number}" for number in numbers]

    @cached_property
    def _subfolders(self) -> dict[str, str]:
        """In which folder of masks each file is."""
        found = {}
        for sub in sorted(path for path in (self.folder / _MASKS).iterdir() if path.is_dir()):
            for name in os.listdir(sub):
                found[name] = sub.name
        return found

    def files(self, name: str) -> Sequence[Path]:
        """The portrait and the masks that are used, whether they exist or not."""
        return [self._image(name), *(self._mask_path(name, part) for part in (*_EYES, "nose", *_MOUTH))]

    def read(self, name: str) -> Exemplar:
        """Make an exemplar; its person is not known here."""
        paths = {part: self._mask_path(name, part) for part in (*_EYES, "nose", *_MOUTH)}
        drawn = {part: read_mask(path) for part, path in paths.items() if path.exists()}
        for part, side in _EYES.items():
            if part not in drawn:
                raise PortraitError(f"the person's {side} eye has no mask, it is not to be seen")
            if not drawn[part].any():
                raise PortraitError(f"the mask of the person's {side} eye is empty")
        if "nose" not in drawn:
            raise PortraitError("its nose has no mask, it is not to be seen")
        mouth = [drawn[part] for part in _MOUTH if part in drawn]
        if not mouth:
            raise PortraitError("neither mouth nor lips have a mask, they are not to be seen")
        if len({mask.shape for mask in drawn.values()}) > 1:
            raise PortraitError("its masks are of different sizes")
        left, right = sorted((drawn[part] for part in _EYES), key=middle_column)
        masks = {"left_eye": left, "right_eye": right, "nose": drawn["nose"], "mouth": np.any(mouth, axis=0)}
        return cut_exemplar(name, read_image(self._image(name)), masks=masks)

    def persons(self, portraits: Mapping[str, int]) -> Mapping[str, str]:
        """By CelebA's identities where both lists are in the folder, else everybody is someone else."""
        if not all((self.folder / name).is_file() for name in (_MAPPING, _IDENTITIES)):
            return {name: name for name in portraits}
        identities = dict(_table(self.folder / _IDENTITIES, 0, 1))
        originals = dict(_table(self.folder / _MAPPING, 0, 2))
        persons = {}
        for name in portraits:
            identity = identities.get(originals.get(name.split("/")[1], ""))
            persons[name] = name if identity is None else f"celeba/{identity}"
        return persons

    def _image(self, name: str) -> Path:
        return self.folder / _IMAGES / f"{name.split('/')[1]}.jpg"

    def _mask_path(self, name: str, part: str) -> Path:
        number = int(name.split("/")[1])
        file = f"{number:05d}_{part}.png"
        return self.folder / _MASKS / self._subfolders.get(file, str(number // 2000)) / file


def _table(path: Path, key: int, value: int) -> list[tuple[str, str]]:
    """Two columns of a text table; lines whose first word is no file name or number are headings."""
    rows = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        words = line.split()
        if not words or not words[0][0].isdecimal():
            continue
        if len(words) <= max(key, value):
            raise ConfiguralError(f"{path}, line {number}: {len(words)} columns, at least {value + 1} expected")
        rows.append((words[key], words[value]))
    return rows
