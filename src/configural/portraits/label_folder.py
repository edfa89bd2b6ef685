"""Portraits from a folder of images and labels that a small YAML file describes."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Bool, UInt8
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from configural.errors import ConfiguralError, PortraitError
from configural.io.images import natural, read_image
from configural.io.yamls import Document, read_document, read_yaml, validated
from configural.objects import OBJECTS, ObjectScheme
from configural.portraits.library import Exemplar
from configural.portraits.regions import cut_exemplar

DESCRIPTION = "portraits.yaml"


def _as_list(value: Any) -> Any:
    """One colour or pattern is written without the brackets of a list."""
    single = isinstance(value, str) or (isinstance(value, list) and value and isinstance(value[0], int))
    return [value] if single else value


def _relative(pattern: str) -> str:
    if not pattern or PurePath(pattern).is_absolute() or "{name}" in pattern:
        raise ValueError("write a pattern relative to this file's folder, such as photos/*.jpg")
    return pattern


def _named(pattern: str) -> str:
    if "{name}" not in pattern:
        raise ValueError(f"'{pattern}' has no {{name}} in it, which stands for the image's name")
    return pattern


def _with_a_group(person: str) -> str:
    try:
        groups = re.compile(person).groups
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from None
    if groups < 1:
        raise ValueError("put the part that names the person in round brackets, such as ^([a-z]+)_")
    return person


_Level = Annotated[int, Field(ge=0, le=255, strict=True)]
_Colours = Annotated[tuple[tuple[_Level, _Level, _Level], ...], BeforeValidator(_as_list)]
_Pattern = Annotated[str, AfterValidator(_named)]
_Patterns = Annotated[tuple[_Pattern, ...], BeforeValidator(_as_list)]


class Description(BaseModel):
    """What `portraits.yaml` says; all paths are relative to its folder, and `{name}` is an image's name.

    Attributes:
        object: What the portraits show: the name of a registered object, or a scheme's .yaml in the folder.
        images: Pattern of the portraits' files, such as `photos/*.jpg`. A portrait is named by its file
            without the suffix.
        labels: Where each portrait's label image is; with `colours`.
        colours: Per part kind the colour, or list of colours, in the label images: [red, green, blue] of 0 to
            255. A joint name, such as `eyes` instead of left_eye and right_eye, if both have one colour: the one on
            the left is the first of them.
        tolerance: By how much each channel of a label's pixel may differ from a colour, such as for labels
            saved as JPEG. The nearest colour wins.
        masks: Instead of labels and colours: per part kind where its mask is, or a list of several that are
            taken together. What is brighter than half of a mask's brightest pixel belongs to the part.
        sides: Whose left and right the names of interchangeable parts mean: the image's, or the person's.
        person: A regular expression whose first group, searched in a portrait's name, says who is shown; exemplars
            of one person are never on two sides of the identity split. By default everybody is someone else.
        canvases: Where each portrait without its parts is; by default the parts are filled in.
        licence: What is known of the rights in the portraits, to be passed on with images made of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    object: str = "face"
    images: Annotated[str, AfterValidator(_relative)]
    labels: _Pattern | None = None
    colours: Mapping[str, _Colours] | None = None
    tolerance: Annotated[int, Field(ge=0, le=254, strict=True)] = 0
    masks: Mapping[str, _Patterns] | None = None
    sides: Literal["image", "person"] = "image"
    person: Annotated[str, AfterValidator(_with_a_group)] | None = None
    canvases: _Pattern | None = None
    licence: str = ""

    @model_validator(mode="after")
    def _one_kind(self) -> "Description":
        if self.masks is not None:
            if self.labels is not None or self.colours is not None:
                raise ValueError("give either masks, or labels and colours, not both")
        elif self.labels is None or self.colours is None:
            raise ValueError("give either masks, or labels and colours")
        return self


class LabelFolder:
    """Images beside label images or part masks, as `portraits.yaml` in their folder says; see `Description`."""

    def __init__(self, folder: Path) -> None:
        """Read the description and list the images; a ConfiguralError if either is not understood."""
        if not folder.is_dir():
            raise ConfiguralError(f"{folder}: no such folder")
        if not (folder / DESCRIPTION).is_file():
            raise ConfiguralError(f"{folder}: no {DESCRIPTION}, which says where images and labels are")
        document = read_document(folder / DESCRIPTION)
        self.folder = folder
        self.description = validated(Description, document)
        self.licence = self.description.licence
        self.scheme = _scheme(folder, self.description.object, document)
        _check_parts(self.description, self.scheme, document)
        described = self.description.model_dump_json(exclude={"object", "person", "licence"})
        self.recipe = f"{described} {self.scheme.model_dump_json()}"
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
        patterns += [pattern for several in (described.masks or {}).values() for pattern in several]
        return [*self._images[name], *(self._path(pattern, name) for pattern in patterns)]

    def read(self, name: str) -> Exemplar:
        """Make an exemplar; its person is not known here."""
        first, *others = self._images[name]
        if others:
            raise PortraitError(f"{first.name} and {others[0].name} have the same name; rename one of them")
        masks = self._from_masks(name) if self.description.masks is not None else self._from_label(name)
        if self.description.sides == "person":
            masks = {self.scheme.mirrored.get(kind, kind): mask for kind, mask in masks.items()}
        canvases = self.description.canvases
        canvas = None if canvases is None else self._read(canvases, name, "canvas")
        return cut_exemplar(name, read_image(first), masks=masks, canvas=canvas, scheme=self.scheme)

    def persons(self, portraits: Mapping[str, int]) -> Mapping[str, str]:
        """By `person` of the description, else everybody is someone else."""
        return {name: self._person(name) or name for name in portraits}

    def _person(self, name: str) -> str | None:
        if self.description.person is None:
            return name
        found = re.search(self.description.person, name)
        return (found.group(1) or None) if found else None

    def _path(self, pattern: str, name: str) -> Path:
        return self.folder / pattern.replace("{name}", name)

    def _read(self, pattern: str, name: str, what: str) -> UInt8[np.ndarray, "rows cols 3"]:
        path = self._path(pattern, name)
        if not path.exists():
            raise PortraitError(f"its {what} {path.relative_to(self.folder)} is missing")
        return read_image(path)

    def _from_masks(self, name: str) -> dict[str, Bool[np.ndarray, "_ _"]]:
        masks: dict[str, Bool[np.ndarray, "_ _"]] = {}
        for kind, patterns in (self.description.masks or {}).items():
            several = [_bright(self._read(pattern, name, "mask")) for pattern in patterns]
            if len({mask.shape for mask in (*several, *masks.values())}) > 1:
                raise PortraitError("its masks are of different sizes")
            masks[kind] = np.any(several, axis=0)
        return masks

    def _from_label(self, name: str) -> dict[str, Bool[np.ndarray, "_ _"]]:
        assert self.description.labels is not None
        label = self._read(self.description.labels, name, "label").astype(np.int16)
        away = {
            kind: np.min([np.abs(label - np.array(colour)).max(axis=2) for colour in colours], axis=0)
            for kind, colours in (self.description.colours or {}).items()
        }
        nearest = np.argmin(list(away.values()), axis=0)
        return {
            kind: (nearest == position) & (distance <= self.description.tolerance)
            for position, (kind, distance) in enumerate(away.items())
        }


def _scheme(folder: Path, name: str, document: Document) -> ObjectScheme:
    """The scheme that a description names; nothing is imported for it, and nothing outside the folder read."""
    where = document.where(["object"])
    if not name.endswith((".yaml", ".yml")):
        try:
            return OBJECTS.known(name)
        except ConfiguralError as error:
            raise ConfiguralError(f"{where}: object: {error}") from None
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise ConfiguralError(f"{where}: object: {name} is not in the folder {folder}")
    return read_yaml(folder / name, ObjectScheme)


def _check_parts(description: Description, scheme: ObjectScheme, document: Document) -> None:
    """Refuse colours or masks that are not those of all part kinds."""
    joint = scheme.joint_names
    for key in ("colours", "masks"):
        given: Mapping[str, Any] = getattr(description, key) or {}
        for kind in given:
            if kind not in (*scheme.part_kinds, *joint):
                known = ", ".join((*scheme.part_kinds, *joint))
                raise ConfiguralError(
                    f"{document.where([key, kind])}: {key}.{kind}: unknown part kind: choose from {known}"
                )
        covered = [kind for name in given for kind in joint.get(name, (name,))]
        if given and sorted(covered) != sorted(scheme.part_kinds):
            names = ", ".join(scheme.part_kinds)
            instead = "".join(f", or {name} for {one} and {other}" for name, (one, other) in joint.items())
            raise ConfiguralError(f"{document.where([key])}: {key}: give {names}{instead}")


def _bright(mask: UInt8[np.ndarray, "rows cols 3"]) -> Bool[np.ndarray, "rows cols"]:
    light = mask.max(axis=2)
    return np.asarray((light > light.max() / 2) & (light > 0))
