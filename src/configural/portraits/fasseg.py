"""Portraits from the FASSEG folder layout."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from configural.errors import ConfiguralError, PortraitError
from configural.io.images import natural, read_image
from configural.objects import FACE
from configural.portraits.library import Exemplar
from configural.portraits.regions import cut_exemplar

_SETS = ("Train", "Test")

# The nearest of these wins. Skin, hair and background are here so that their pixels go to none of the parts.
_PALETTE = {
    "mouth": (0, 255, 0),
    "nose": (0, 255, 255),
    "eye": (0, 0, 255),
    "right eye": (255, 0, 255),  # the Picasso dataset's labels distinguish the eyes; here their position does
    "skin": (255, 255, 0),
    "hair": (127, 0, 0),
    "background": (255, 0, 0),
}

# The same person twice in the published set, by the fingerprints (CRC-32) of the portraits' pixels. Judged by
# eye: all 70 portraits were looked at together, and the most alike of them by correlation side by side. This
# is no proof: a person whose two portraits look different would have been missed. Six more portraits are both
# in Train and in Test pixel for pixel, which needs no table.
_SAME_PERSON = (
    (0xDDDE903A, 0x8C0A20BD),  # Train/1, Test/3
    (0xA5D97B7F, 0x53AD5FB8),  # Train/3, Test/1
    (0xB772B522, 0x4F7FA352),  # Train/5, Test/6
    (0x7BF3A2E3, 0x27047C0D),  # Train/6, Test/5
    (0x22237408, 0x6E428230),  # Train/7, Test/7
    (0x2867BDA7, 0xFDBDB8FC),  # Train/10, Test/8
    (0x5EB6E029, 0xE0DEA473),  # Test/11, Test/30
)


class Fasseg:
    """Portraits and their drawn segmentations.

    The layout is that of FASSEG's frontal01 and frontal02 (Khan, Mauro and Leonardi, "Multi-class semantic
    segmentation of faces", ICIP 2015), which are its folders V1 and V2 (use V2: the nose of V1's labels is only the
    band of the nostrils): `Train_RGB/7.bmp` is a portrait, `Train_Labels/7.bmp` its segmentation in colours; the
    same for `Test`. Either of the two sets may be absent. Exemplars are named as `Train/7`, Train first and by
    number. Its multipose01, the folder V3, has a folder for each pose below `Train_RGB` and `Train_labels`, and
    persons in its files' names: `Train/-15/personne01145+0-15`.
    """

    scheme = FACE
    licence = (
        "FASSEG (Khan, Mauro and Leonardi, ICIP 2015), photographs of people, published without a licence "
        "text: for research, with citation; do not pass images on without asking its authors"
    )
    recipe = f"fasseg {FACE.model_dump_json()}"

    def __init__(self, folder: Path) -> None:
        """List the portraits; a ConfiguralError if there are none."""
        expected = "expected the folders Train_RGB and Train_Labels, Test_RGB and Test_Labels with .bmp files"
        if not folder.is_dir():
            raise ConfiguralError(f"{folder}: no such folder; {expected}")
        self.folder = folder
        if not any(all(place.is_dir() for place in self._places(portrait_set)) for portrait_set in _SETS):
            raise ConfiguralError(f"{folder}: not in the layout of FASSEG; {expected}")
        self.names: Sequence[str] = []
        for portrait_set in _SETS:
            # An image without a label or a label without an image is listed too, to be reported as skipped.
            stems = {
                file.relative_to(place).with_suffix("").as_posix()
                for place in self._places(portrait_set)
                for file in place.rglob("*.bmp")
                if not file.name.startswith(".")
            }
            self.names = [*self.names, *(f"{portrait_set}/{stem}" for stem in sorted(stems, key=natural))]
        if not self.names:
            raise ConfiguralError(f"{folder}: no portraits; {expected}")

    def files(self, name: str) -> Sequence[Path]:
        """Image and label, whether they exist or not."""
        portrait_set, stem = name.split("/", 1)
        return [place / f"{stem}.bmp" for place in self._places(portrait_set)]

    def _places(self, portrait_set: str) -> tuple[Path, Path]:
        """Where the images and the labels of a set are."""
        images, labels, small = (self.folder / f"{portrait_set}_{kind}" for kind in ("RGB", "Labels", "labels"))
        return images, small if small.is_dir() else labels

    def read(self, name: str) -> Exemplar:
        """Make an exemplar; its person is not known here."""
        files = self.files(name)
        for kind, file in zip(("image", "label"), files, strict=True):
            if not file.exists():
                raise PortraitError(f"its {kind} {file.relative_to(self.folder)} is missing")
        portrait, label = map(read_image, files)
        if portrait.shape != label.shape:
            image_size, label_size = (f"{cols}×{rows}" for rows, cols, _ in (portrait.shape, label.shape))
            raise PortraitError(
                f"the image is {image_size} pixels, its label {files[1].relative_to(self.folder)} {label_size}; "
                "they must be equal"
            )
        # |pixel − colour|² without |pixel|², which is the same for all colours
        colours = np.array(list(_PALETTE.values()), np.float32)
        distances = np.square(colours).sum(axis=1) - 2 * label.astype(np.float32) @ colours.T
        nearest = np.argmin(distances, axis=2)
        drawn = {region: nearest == position for position, region in enumerate(_PALETTE)}
        masks = {"eyes": drawn["eye"] | drawn["right eye"], "nose": drawn["nose"], "mouth": drawn["mouth"]}
        return cut_exemplar(name, portrait, masks=masks)

    def persons(self, portraits: Mapping[str, int]) -> Mapping[str, str]:
        """In the published set some people are shown twice: these are named after the first of their exemplars.

        In multipose01 the files' names say who it is: personne01145+0-15 is personne01.
        """
        same = {fingerprint: group[0] for group in _SAME_PERSON for fingerprint in group}
        first: dict[int | str, str] = {}
        named = {name: re.search(r"personne[0-9]{2}", name) for name in portraits}
        return {
            name: first.setdefault(found[0] if (found := named[name]) else same.get(crc, crc), name)
            for name, crc in portraits.items()
        }
