"""What a folder of portraits holds, as a small YAML file says it."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from configural.errors import ConfiguralError
from configural.io.yamls import Document, read_document, read_yaml, validated
from configural.objects import OBJECTS, ObjectScheme

DESCRIPTION = "portraits.yaml"


_LONGEST = 255
"""Bytes of a file's name, on nearly every file system."""


def _as_list(value: Any) -> Any:
    """One colour or pattern is written without the brackets of a list."""
    single = isinstance(value, str) or (isinstance(value, list) and value and isinstance(value[0], int))
    return [value] if single else value


def _inside(pattern: str) -> bool:
    return bool(pattern) and not PurePath(pattern).is_absolute() and ".." not in PurePath(pattern).parts


def _short(pattern: str) -> str:
    if any(len(part.encode("utf-8", "surrogateescape")) > _LONGEST for part in PurePath(pattern).parts):
        raise ValueError(f"a name of more than {_LONGEST} bytes, longer than files have")
    return pattern


def _relative(pattern: str) -> str:
    if not _inside(pattern) or "{name}" in pattern:
        raise ValueError("write a pattern relative to this file's folder, such as photos/*.jpg")
    return pattern


def _named(pattern: str) -> str:
    if not re.search(r"{name(:0\d)?}", pattern):
        raise ValueError(f"'{pattern}' has no {{name}} in it, which stands for the image's name")
    if not _inside(pattern):
        raise ValueError(f"'{pattern}' leads out of this file's folder; move or link the files into it")
    if any("*" in part and part != "*" for part in PurePath(pattern).parts):
        raise ValueError(
            f"'{pattern}': * stands for a whole folder's name here; write {{folder}} instead of it here and in "
            "images, for the same in both"
        )
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
_Colour = tuple[_Level, _Level, _Level]
_Id = Annotated[int, Field(ge=0, le=2**31, strict=True)]
_Ids = Annotated[tuple[_Id, ...], BeforeValidator(lambda value: [value] if isinstance(value, int) else value)]
_Colours = Annotated[tuple[_Colour, ...], BeforeValidator(_as_list)]
_Pattern = Annotated[str, AfterValidator(_named), AfterValidator(_short)]
_Patterns = Annotated[tuple[_Pattern, ...], BeforeValidator(_as_list)]


class Lookup(BaseModel):
    """One of the tables by which a name becomes a person.

    Attributes:
        file: Text, one row a line, columns apart by spaces. Rows that do not begin with a digit are headings.
        key: The column of what is looked up, from 0 on.
        value: The column of what is found.
        prefix: What is put before it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Annotated[str, AfterValidator(_relative)]
    key: Annotated[int, Field(ge=0, le=100)]
    value: Annotated[int, Field(ge=0, le=100)]
    prefix: str = ""


class Description(BaseModel):
    """What `portraits.yaml` says; all paths are below its folder, and `{name}` is an image's name.

    Attributes:
        object: What the portraits show: the name of a registered object, or a scheme's .yaml in the folder.
        images: Pattern of the portraits' files, such as `photos/*.jpg`. A portrait is named by its path from the
            first `*` on, without the suffix: `photos/*/*.jpg` gives ada/1. A word in braces stands for a name as
            `*` does, but the same one in the other patterns: `{split}/images/*.jpg` with
            `{split}/labels/{name}.png`; `{split:train|test}` stands for these, in this order. Files that are the
            label, mask or canvas of another are no portraits.
        labels: Where each portrait's label image is, or a list of which the first that exists is taken; with
            `colours` or `ids`. `{name:05}` is a number of five digits, such as 00007 for 7.jpg. `*` stands for any
            one folder.
        colours: Per part kind the colour, or list of colours, in the label images: [red, green, blue] of 0 to
            255. A joint name, such as `eyes` instead of left_eye and right_eye, if both have one colour: the one on
            the left is the first of them.
        other_colours: A list of the colours of everything else. If it is given, each pixel has the nearest of all
            colours, however far, as in labels whose edges are blended.
        ids: Instead of colours: per part kind the number, or list of numbers, that is stored in a label of grey
            levels (of any depth) or of a palette.
        tolerance: By how much each channel of a label's pixel may differ from a colour, such as for labels
            saved as JPEG. The nearest colour wins.
        masks: Instead of labels and colours: per part kind where its mask is, or a list of several that are
            taken together, of which some may be missing. What is brighter than half of a mask's brightest pixel
            belongs to the part; in a mask that is transparent somewhere, what is opaque.
        soft: True if masks say how certain each pixel is: then what exceeds half of the highest possible value
            belongs to the part.
        landmarks: Instead of labels or masks: true if the parts of a face are to be found by its landmarks.
        crop: Cut each image around its face, to the proportions of the study's portraits, with a margin of this
            fraction on all sides.
        sides: Whose left and right the names of interchangeable parts mean: the image's, the person's, or
            whichever the position says.
        person: A regular expression whose first group that is found, searched in a portrait's name, else in its
            file's, says who is shown; exemplars of one person are never on two sides of the identity split. By
            default everybody is someone else.
        lookups: Instead of person: tables through which the file's name is followed to who is shown. Where one of
            them is missing, everybody is someone else.
        same_person: Groups of portraits, by the CRC-32 of their pixels, of one person each. If it is given, a
            person is named after the first of the portraits.
        suffixes: Of the portraits' files, such as [jpg, png]; all that `images` finds if there are none.
        names: How portraits are named, such as `{split}/{name}`, if not by their path.
        canvases: Where each portrait without its parts is; by default the parts are filled in.
        licence: What is known of the rights in the portraits, to be passed on with images made of them: `free`, or
            `free:` and a remark, if these may be passed on by anybody; of all else a data card warns.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    object: str = "face"
    images: Annotated[str, AfterValidator(_relative), AfterValidator(_short)]
    labels: _Patterns = ()
    colours: Mapping[str, _Colours] | None = None
    other_colours: tuple[_Colour, ...] = ()
    ids: Mapping[str, _Ids] | None = None
    tolerance: Annotated[int, Field(ge=0, le=254, strict=True)] = 0
    masks: Mapping[str, _Patterns] | None = None
    soft: bool = False
    landmarks: bool = False
    crop: Annotated[float, Field(ge=0, le=2)] | None = None
    sides: Literal["image", "person", "position"] = "image"
    person: Annotated[str, AfterValidator(_with_a_group)] | None = None
    lookups: tuple[Lookup, ...] = ()
    same_person: tuple[tuple[int, ...], ...] | None = None
    suffixes: tuple[str, ...] = ()
    names: str | None = None
    canvases: _Pattern | None = None
    licence: str = ""

    @model_validator(mode="after")
    def _one_kind(self) -> "Description":
        if self.landmarks:
            if self.labels or (self.colours, self.ids, self.masks) != (None, None, None):
                raise ValueError("give either landmarks, or labels or masks, not both")
            if self.object != "face":
                raise ValueError("landmarks are those of a face; describe other objects by labels or masks")
        elif self.masks is not None:
            if self.labels or (self.colours, self.ids) != (None, None):
                raise ValueError("give either masks, or labels and colours, not both")
        elif not self.labels or (self.colours is None) == (self.ids is None):
            raise ValueError("give either masks, or labels and colours, or labels and ids")
        if self.crop is not None and self.object != "face":
            raise ValueError("crop cuts around a face; for other objects, cut the images before")
        return self

    @property
    def patterns(self) -> tuple[str, ...]:
        """Where everything is that belongs to an image."""
        masks = [pattern for several in (self.masks or {}).values() for pattern in several]
        return (*self.labels, *filter(None, [self.canvases]), *masks)


def read_description(folder: Path) -> tuple[Description, ObjectScheme]:
    """What the folder's `portraits.yaml` says, and the scheme that it names; a ConfiguralError names its line."""
    if not folder.is_dir():
        raise ConfiguralError(f"{folder}: no such folder")
    if not (folder / DESCRIPTION).is_file():
        raise ConfiguralError(
            f"{folder}: no {DESCRIPTION}, which says where images and labels are; of photographs without labels, "
            "write portraits:FOLDER"
        )
    document = read_document(folder / DESCRIPTION)
    description = validated(Description, document)
    scheme = _scheme(folder, description.object, document)
    _check_parts(description, scheme, document)
    return description, scheme


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
    for key in ("colours", "ids", "masks"):
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
