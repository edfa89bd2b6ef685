"""Portraits from a folder of images and labels that a small YAML file describes."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

import numpy as np
import pydantic
from jaxtyping import Bool, UInt8

from configural.errors import ConfiguralError, PortraitError
from configural.io.images import natural, read_image, shrink_to
from configural.io.yamls import read_yaml
from configural.portraits.canvas import fill_parts
from configural.portraits.library import PART_KINDS, Exemplar
from configural.portraits.regions import assemble

DESCRIPTION = "faces.yaml"

_MIRRORED = {"left_eye": "right_eye", "right_eye": "left_eye"}
_Level = Annotated[int, pydantic.Field(ge=0, le=255, strict=True)]
_Colour = tuple[_Level, _Level, _Level]


def _as_list(value: Any) -> Any:
    """One colour or pattern is written without the brackets of a list."""
    single = isinstance(value, str) or (isinstance(value, list) and value and isinstance(value[0], int))
    return [value] if single else value


class _Parts(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    def given(self) -> dict[str, tuple[Any, ...]]:
        """What is given, by part kind, or `eyes` for both."""
        return {name: value for name, value in self if value is not None}

    @pydantic.model_validator(mode="after")
    def _complete(self) -> "_Parts":
        given = set(self.given())
        if given not in ({*PART_KINDS}, {"eyes", "nose", "mouth"}):
            raise ValueError("give left_eye, right_eye, nose and mouth, or eyes, nose and mouth")
        return self


class _Colours(_Parts):
    eyes: tuple[_Colour, ...] | None = None
    left_eye: tuple[_Colour, ...] | None = None
    right_eye: tuple[_Colour, ...] | None = None
    nose: tuple[_Colour, ...] | None = None
    mouth: tuple[_Colour, ...] | None = None

    _listed = pydantic.field_validator("*", mode="before")(_as_list)


class _Masks(_Parts):
    eyes: tuple[str, ...] | None = None
    left_eye: tuple[str, ...] | None = None
    right_eye: tuple[str, ...] | None = None
    nose: tuple[str, ...] | None = None
    mouth: tuple[str, ...] | None = None

    _listed = pydantic.field_validator("*", mode="before")(_as_list)


class Description(pydantic.BaseModel):
    """What `faces.yaml` says; all paths are relative to its folder, and `{name}` is an image's name.

    Attributes:
        images: Pattern of the portraits' files, such as `photos/*.jpg`. A portrait is named by its file
            without the suffix.
        labels: Where each portrait's label image is; with `colours`.
        colours: Per part kind the colour, or list of colours, in the label images: [red, green, blue] of 0 to
            255. `eyes` instead of left_eye and right_eye if both have one colour: position tells them apart.
        tolerance: By how much each channel of a label's pixel may differ from a colour, such as for labels
            saved as JPEG. The nearest colour wins.
        masks: Instead of labels and colours: per part kind where its mask is, or a list of several that are
            taken together. What is brighter than half of a mask's brightest pixel belongs to the part.
        sides: Whose left and right the names of the eyes mean: the image's, or the person's.
        person: A regular expression whose first group, searched in a portrait's name, tells who is shown; exemplars
            of one person are never on two sides of the identity split. By default everybody is someone else.
        canvases: Where each portrait without its parts is; by default the parts are filled in.
        licence: What is known of the rights in the portraits, to be passed on with images made of them.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    images: str
    labels: str | None = None
    colours: _Colours | None = None
    tolerance: Annotated[int, pydantic.Field(ge=0, le=254, strict=True)] = 0
    masks: _Masks | None = None
    sides: Literal["image", "person"] = "image"
    person: str | None = None
    canvases: str | None = None
    licence: str = ""

    @pydantic.field_validator("images")
    @classmethod
    def _relative(cls, pattern: str) -> str:
        if not pattern or PurePath(pattern).is_absolute() or "{name}" in pattern:
            raise ValueError("write a pattern relative to this file's folder, such as photos/*.jpg")
        return pattern

    @pydantic.field_validator("labels", "canvases")
    @classmethod
    def _named(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            _check_named(pattern)
        return pattern

    @pydantic.field_validator("masks")
    @classmethod
    def _all_named(cls, masks: _Masks | None) -> _Masks | None:
        for pattern in (p for patterns in masks.given().values() for p in patterns) if masks else ():
            _check_named(pattern)
        return masks

    @pydantic.field_validator("person")
    @classmethod
    def _one_group(cls, person: str | None) -> str | None:
        try:
            groups = re.compile(person or "()").groups
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        if groups < 1:
            raise ValueError("put the part that names the person in round brackets, such as ^([a-z]+)_")
        return person

    @pydantic.model_validator(mode="after")
    def _one_kind(self) -> "Description":
        if self.masks is not None:
            if self.labels is not None or self.colours is not None:
                raise ValueError("give either masks, or labels and colours, not both")
        elif self.labels is None or self.colours is None:
            raise ValueError("give either masks, or labels and colours")
        return self


def _check_named(pattern: str) -> None:
    if "{name}" not in pattern:
        raise ValueError(f"'{pattern}' has no {{name}} in it, the place of the image's name")


class LabelFolder:
    """Images beside label images or part masks, as `faces.yaml` in their folder says; see `Description`."""

    def __init__(self, folder: Path) -> None:
        """Read the description and list the images.

        Raises:
            ConfiguralError: If the description is missing or wrong, or there are no such images.
        """
        if not folder.is_dir():
            raise ConfiguralError(f"{folder}: no such folder")
        if not (folder / DESCRIPTION).is_file():
            raise ConfiguralError(f"{folder}: no {DESCRIPTION}, which says where images and labels are")
        self.folder = folder
        self.description = read_yaml(folder / DESCRIPTION, Description)
        self.recipe = self.description.model_dump_json(exclude={"person", "licence"})
        pattern = self.description.images
        found = [path for path in folder.glob(pattern) if path.is_file() and not path.name.startswith(".")]
        if not found:
            raise ConfiguralError(f"{folder / DESCRIPTION}: no files match images: {pattern}")
        self._images: dict[str, list[Path]] = {}
        for path in sorted(found, key=lambda path: natural(str(path.relative_to(folder)))):
            self._images.setdefault(path.stem, []).append(path)
        self.names: Sequence[str] = list(self._images)
        nobody = [name for name in self.names if self._person(name) is None]
        if nobody:
            raise ConfiguralError(
                f"{folder / DESCRIPTION}: person: {self.description.person} finds nobody in the name {nobody[0]}"
                + (f" and {len(nobody) - 1} more" if len(nobody) > 1 else "")
            )

    def files(self, name: str) -> Sequence[Path]:
        """All that a portrait is made of, whether the files exist or not."""
        described = self.description
        patterns = [pattern for pattern in (described.labels, described.canvases) if pattern is not None]
        if described.masks is not None:
            patterns += [p for several in described.masks.given().values() for p in several]
        return [*self._images[name], *(self._place(pattern, name) for pattern in patterns)]

    def read(self, name: str) -> Exemplar:
        """Make an exemplar; its person is not known here.

        Raises:
            PortraitError: If this portrait cannot be used.
        """
        first, *others = self._images[name]
        if others:
            raise PortraitError(f"{first.name} and {others[0].name} have the same name; rename one of them")
        masks = self._from_masks(name) if self.description.masks is not None else self._from_label(name)
        if self.description.sides == "person":
            masks = {_MIRRORED.get(kind, kind): mask for kind, mask in masks.items()}
        segmentation = assemble(masks)
        rows, cols = segmentation.shape
        portrait = shrink_to(read_image(first), rows, cols)
        if self.description.canvases is None:
            return Exemplar.cut(name, portrait, segmentation, fill_parts(portrait, segmentation))
        canvas = shrink_to(self._read(self.description.canvases, name, "canvas"), rows, cols)
        return Exemplar.cut(name, portrait, segmentation, canvas)

    def persons(self, portraits: Mapping[str, int]) -> Mapping[str, str]:
        """By `person` of the description, else everybody is someone else."""
        return {name: self._person(name) or name for name in portraits}

    def _person(self, name: str) -> str | None:
        if self.description.person is None:
            return name
        found = re.search(self.description.person, name)
        return (found.group(1) or None) if found else None

    def _place(self, pattern: str, name: str) -> Path:
        return self.folder / pattern.replace("{name}", name)

    def _read(self, pattern: str, name: str, what: str) -> UInt8[np.ndarray, "rows cols 3"]:
        path = self._place(pattern, name)
        if not path.exists():
            raise PortraitError(f"its {what} {path.relative_to(self.folder)} is missing")
        return read_image(path)

    def _from_masks(self, name: str) -> dict[str, Bool[np.ndarray, "_ _"]]:
        assert self.description.masks is not None
        masks: dict[str, Bool[np.ndarray, "_ _"]] = {}
        for kind, patterns in self.description.masks.given().items():
            several = [_bright(self._read(pattern, name, "mask")) for pattern in patterns]
            if len({mask.shape for mask in (*several, *masks.values())}) > 1:
                raise PortraitError("its masks are of different sizes")
            masks[kind] = np.any(several, axis=0)
        return masks

    def _from_label(self, name: str) -> dict[str, Bool[np.ndarray, "_ _"]]:
        assert self.description.labels is not None
        assert self.description.colours is not None
        label = self._read(self.description.labels, name, "label").astype(np.int16)
        given = self.description.colours.given()
        away = {
            kind: np.min([np.abs(label - np.array(colour)).max(axis=2) for colour in colours], axis=0)
            for kind, colours in given.items()
        }
        nearest = np.argmin(list(away.values()), axis=0)
        return {
            kind: (nearest == position) & (distance <= self.description.tolerance)
            for position, (kind, distance) in enumerate(away.items())
        }


def _bright(mask: UInt8[np.ndarray, "rows cols 3"]) -> Bool[np.ndarray, "rows cols"]:
    light = mask.max(axis=2)
    return np.asarray((light > light.max() / 2) & (light > 0))
