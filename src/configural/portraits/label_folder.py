"""Portraits of a folder, with what a description says of labels, masks or landmarks beside them."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8

from configural.errors import ConfiguralError, PortraitError
from configural.io.images import decode_image, fits, open_image, orientation, read_content, read_image, shrink_to
from configural.objects import FACE, ObjectScheme
from configural.portraits.cropping import cropped
from configural.portraits.description import Description, Lookup
from configural.portraits.drawings import Label, read_mask
from configural.portraits.image_files import Beside, ImageFile, find_images
from configural.portraits.landmarks import Landmarker
from configural.portraits.library import Exemplar, Library
from configural.portraits.looking import MOST, faces_in, look_near
from configural.portraits.outlines import covered, hidden, part_masks
from configural.portraits.regions import cut_exemplar, middle_column
from configural.portraits.store import StoredExemplars

_SOME = 0.25  # of the largest face's size, from which on another one is worth a word

Masks = Mapping[str, Bool[np.ndarray, "_ _"]]


class LabelFolder:
    """Images with what a description says of them; see `Description`.

    Args:
        folder: Where they are.
        description: What is in it.
        where: What to name in an error of the description, such as its file.
        scheme: The object scheme that the description names.
        landmarker: For a description with landmarks.
        corrections: A folder whose label images, named as the portraits, are taken instead of landmarks.
    """

    def __init__(
        self,
        folder: Path,
        description: Description,
        *,
        where: str,
        scheme: ObjectScheme = FACE,
        landmarker: Landmarker | None = None,
        corrections: Path | None = None,
    ) -> None:
        self.folder, self.description, self.scheme, self.where = folder, description, scheme, where
        self.landmarker, self.corrections = landmarker, corrections
        self.licence, self.recipe = description.licence, self._recipe()
        self._beside = {pattern: Beside(folder, pattern) for pattern in description.patterns}
        self._images: dict[str, list[ImageFile]] = {}
        for image in self._portraits():
            self._images.setdefault(image.name, []).append(image)
        self.names: Sequence[str] = list(self._images)
        nobody = [name for name in self.names if self._person(name) is None]
        if nobody:
            raise ConfiguralError(
                f"{where}: person: {description.person} finds nobody in the name {nobody[0]}"
                + (f" and {len(nobody) - 1} more" if len(nobody) > 1 else "")
            )

    def _recipe(self) -> str:
        """What the exemplars depend on beside the files."""
        described = self.description.model_dump_json(
            exclude={"object", "person", "lookups", "same_person", "names", "suffixes", "licence"}
        )
        found_by = ""
        if self.landmarker:  # whoever changes how parts are found must not be shown the old ones
            modules = ("landmarks.py", "looking.py", "outlines.py", "outlines.yaml")
            code = [resources.files("configural.portraits").joinpath(name).read_bytes() for name in modules]
            found_by = f"{self.landmarker.sha256} {hashlib.sha256(b''.join(code)).hexdigest()}"
        return f"{described} {self.scheme.model_dump_json()} {found_by}"

    def files(self, name: str) -> Sequence[Path]:
        """All that a portrait is made of, whether the files exist or not."""
        images = self._images[name]
        beside = [self._beside[pattern].of(images[0]) for pattern in self.description.patterns]
        return [*(image.path for image in images), *beside, *filter(None, [self.correction(name)])]

    def correction(self, name: str) -> Path | None:
        """Where a label image of the portrait would be taken instead of its landmarks."""
        return self.corrections / f"{name}.png" if self.corrections else None

    def read(self, name: str) -> Exemplar:
        """Make an exemplar; its person is not known here."""
        image, *others = self._images[name]
        if others:
            raise PortraitError(
                f"{image.path.name} and {others[0].path.name} have the same name; rename one of them"
            )
        if image.path.is_symlink() and not image.path.exists():
            raise PortraitError(f"{image.path} is a link to {image.path.readlink()}, which is not there; mend it")
        described, note = self.description, ""
        if described.landmarks:
            portrait, masks, note = self.photograph(name, near=described.crop is not None)
            turn, cure = 1, "turn the photograph upright, or correct its masks"
        else:
            masks = self._from_masks(image) if described.masks is not None else self._from_label(image)
            data = read_content(image.path)
            portrait = decode_image(data, str(image.path))
            turn, cure = orientation(open_image(data, str(image.path))), "correct its label"
            if turn == 1 and not fits(portrait, (label := next(iter(masks.values()))).shape):
                found = next(filter(Path.exists, self.files(name)[1:])).relative_to(self.folder)
                sizes = (f"{cols}×{rows}" for rows, cols in (portrait.shape[:2], label.shape))
                raise PortraitError(
                    "the image is {} pixels, its label {}; they must be equal, or the label a smaller one of the "
                    "same shape ({})".format(*sizes, found)
                )
        masks = self._sided(masks)
        if described.crop is not None:
            portrait = shrink_to(portrait, *next(iter(masks.values())).shape)
            portrait, masks = cropped(portrait, masks, margin=described.crop)
        canvas = None
        if described.canvases is not None:
            canvas = read_image(self._there(described.canvases, image, "canvas"))
        exemplar = cut_exemplar(
            name, portrait, masks=masks, canvas=canvas, orientation=turn, scheme=self.scheme, cure=cure
        )
        return replace(exemplar, note=note)

    def photograph(self, name: str, *, near: bool = False) -> tuple[UInt8[np.ndarray, "rows cols 3"], Masks, str]:
        """A photograph, the masks of its parts, and what to know of how they were found.

        With `near`, what surrounds its portrait is enough, of as many pixels as the portrait has at least.

        Raises:
            PortraitError: If no face is found, or one that cannot be used.
        """
        path, correction = self._images[name][0].path, self.correction(name)
        data = read_content(path)
        if correction and correction.exists():
            photograph, label = decode_image(data, str(path), most=MOST), Label.read(correction)
            ids = {kind: (number,) for number, kind in enumerate(self.scheme.part_kinds, start=1)}
            masks = label.with_ids(ids)
            _refuse_absent(masks, label)
            return shrink_to(photograph, *label.colours.shape[:2]), masks, "by its label image"
        assert self.landmarker is not None
        if near:
            margin = self.description.crop or 0
            photograph, faces = look_near(data, str(path), landmarker=self.landmarker, margin=margin)
        else:
            photograph = decode_image(data, str(path), most=MOST)
            faces = faces_in(photograph, self.landmarker)
        rows, cols = photograph.shape[:2]
        if not faces:
            raise PortraitError(f"no face is found in its {cols}×{rows} pixels; one must be seen from the front")
        largest, *others = faces
        masks = part_masks(largest.points, (rows, cols))
        if why := hidden(largest.points, (rows, cols)) or covered(photograph, masks):
            raise PortraitError(why)
        note = "by landmarks"
        if others := [face for face in others if face.side > _SOME * largest.side]:
            note += f"; the largest of {1 + len(others)} faces"
        return photograph, masks, note

    def landmarks(self, portrait: UInt8[np.ndarray, "rows cols 3"]) -> Float[np.ndarray, "478 2"] | None:
        """The points of a portrait's face; None where the parts are not found by them."""
        if self.landmarker is None:
            return None
        return next((face.points for face in self.landmarker.faces(portrait)), None)

    def persons(self, portraits: Mapping[str, int]) -> Mapping[str, str]:
        """As the description says, else everybody is someone else."""
        lookups = self.description.lookups
        if lookups and all((self.folder / each.file).is_file() for each in lookups):
            found = {name: self._images[name][0].path.stem for name in portraits}
            for table in (_table(self.folder / each.file, each) for each in lookups):
                found = {name: table[key] for name, key in found.items() if key in table}
            return {name: found.get(name, name) for name in portraits}
        persons = {name: self._person(name) or name for name in portraits}
        if self.description.same_person is None:
            return persons
        same = {portrait: group[0] for group in self.description.same_person for portrait in group}
        first: dict[int | str, str] = {}
        return {
            name: first.setdefault(persons[name] if persons[name] != name else same.get(crc, crc), name)
            for name, crc in portraits.items()
        }

    def _portraits(self) -> list[ImageFile]:
        """Images without those that belong to others."""
        described = self.description
        found = find_images(self.folder, described.images, names=described.names)
        if described.suffixes:
            found = [image for image in found if image.path.suffix[1:].lower() in described.suffixes]
        if not found:
            raise ConfiguralError(f"{self.where}: no files match images: {described.images}")
        others = {beside.of(image) for image in found for beside in self._beside.values()}
        for image in found:
            for pattern, beside in self._beside.items():
                if beside.of(image) == image.path:
                    raise ConfiguralError(f"{self.where}: {pattern} stands for the image itself, {image.path}")
        return [image for image in found if image.path not in others]

    def _person(self, name: str) -> str | None:
        if self.description.person is None:
            return name
        pattern = re.compile(self.description.person)
        found = pattern.search(name) or pattern.search(name.rpartition("/")[2])
        return next(filter(None, found.groups()), None) if found else None

    def _there(self, pattern: str, image: ImageFile, what: str) -> Path:
        path = self._beside[pattern].of(image)
        if not path.exists():
            raise PortraitError(f"its {what} {path.relative_to(self.folder)} is missing")
        return path

    def _sided(self, masks: Masks) -> Masks:
        """With the names of interchangeable parts as the image's sides have them."""
        if self.description.sides == "person":
            return {self.scheme.mirrored.get(kind, kind): mask for kind, mask in masks.items()}
        if self.description.sides == "position":
            for pair in self.scheme.interchangeable:
                if all(kind in masks and masks[kind].any() for kind in pair):
                    ordered = sorted((masks[kind] for kind in pair), key=middle_column)
                    masks = {**masks, **dict(zip(pair, ordered, strict=True))}
        return masks

    def _from_masks(self, image: ImageFile) -> Masks:
        masks: dict[str, Bool[np.ndarray, "_ _"]] = {}
        for kind, patterns in (self.description.masks or {}).items():
            there = [pattern for pattern in patterns if self._beside[pattern].of(image).exists()]
            if not there:
                missing = self._beside[patterns[0]].of(image).relative_to(self.folder)
                raise PortraitError(f"its {kind.replace('_', ' ')} has no mask ({missing} is missing)")
            several = [read_mask(self._beside[pattern].of(image), soft=self.description.soft) for pattern in there]
            if len({mask.shape for mask in (*several, *masks.values())}) > 1:
                raise PortraitError("its masks are of different sizes")
            masks[kind] = np.any(several, axis=0)
            if masks[kind][:: masks[kind].shape[0] - 1 or 1, :: masks[kind].shape[1] - 1 or 1].all():
                raise PortraitError(
                    f"the mask of its {kind.replace('_', ' ')} covers all four corners of the image: the part must "
                    "be bright, or opaque, and all else dark, or transparent"
                )
        return masks

    def _from_label(self, image: ImageFile) -> Masks:
        described = self.description
        there = (pattern for pattern in described.labels if self._beside[pattern].of(image).exists())
        label = Label.read(self._there(next(there, described.labels[0]), image, "label"))
        if described.colours is None:
            found = label.with_ids(described.ids or {})
        elif described.other_colours:
            return label.with_nearest(described.colours, described.other_colours)
        else:
            found = label.with_colours(described.colours, described.tolerance)
        _refuse_absent(found, label)
        return found


def found_by_landmarks(library: Library) -> LabelFolder | None:
    """What a library was made of, if by landmarks."""
    held = library.exemplars.portraits if isinstance(library.exemplars, StoredExemplars) else None
    return held if isinstance(held, LabelFolder) and held.landmarker else None


def _refuse_absent(masks: Masks, label: Label) -> None:
    absent = [kind.replace("_", " ") for kind, mask in masks.items() if not mask.any()]
    if absent:
        raise PortraitError(f"its label shows no {' and no '.join(absent)}; it has {label.described}")


def _table(path: Path, lookup: Lookup) -> dict[str, str]:
    """Two columns of a text table; lines whose first word does not begin with a digit are headings."""
    rows = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        words = line.split()
        if not words or not words[0][0].isdecimal():
            continue
        if len(words) <= max(lookup.key, lookup.value):
            least = max(lookup.key, lookup.value) + 1
            raise ConfiguralError(f"{path}, line {number}: {len(words)} columns, at least {least} expected")
        rows[words[lookup.key]] = lookup.prefix + words[lookup.value]
    return rows
