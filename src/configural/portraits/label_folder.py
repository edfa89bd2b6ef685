"""Portraits from a folder of images and labels that a small YAML file describes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Bool
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from configural.errors import ConfiguralError, PortraitError
from configural.io.images import decode_image, natural, open_image, orientation, read_content, read_image
from configural.io.yamls import Document, read_document, read_yaml, validated
from configural.objects import OBJECTS, ObjectScheme
from configural.portraits.drawings import Label, read_mask
from configural.portraits.library import Exemplar
from configural.portraits.regions import cut_exemplar

DESCRIPTION = "portraits.yaml"


def _as_list(value: Any) -> Any:
    """One colour or pattern is written without the brackets of a list."""
    single = isinstance(value, str) or (isinstance(value, list) and value and isinstance(value[0], int))
    return [value] if single else value


def _inside(pattern: str) -> bool:
    return bool(pattern) and not PurePath(pattern).is_absolute() and ".." not in PurePath(pattern).parts


def _relative(pattern: str) -> str:
    if not _inside(pattern) or "{name}" in pattern:
        raise ValueError("write a pattern relative to this file's folder, such as photos/*.jpg")
    return pattern


def _named(pattern: str) -> str:
    if "{name}" not in pattern:
        raise ValueError(f"'{pattern}' has no {{name}} in it, which stands for the image's name")
    if not _inside(pattern):
        raise ValueError(f"'{pattern}' leads out of this file's folder; move or link the files into it")
    if "*" in pattern:
        raise ValueError(f"'{pattern}': write {{folder}} instead of * here and in images, for the same in both")
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
_Id = Annotated[int, Field(ge=0, le=2**31, strict=True)]
_Ids = Annotated[tuple[_Id, ...], BeforeValidator(lambda value: [value] if isinstance(value, int) else value)]
_Colours = Annotated[tuple[tuple[_Level, _Level, _Level], ...], BeforeValidator(_as_list)]
_Pattern = Annotated[str, AfterValidator(_named)]
_Patterns = Annotated[tuple[_Pattern, ...], BeforeValidator(_as_list)]


class Description(BaseModel):
    """What `portraits.yaml` says; all paths are below its folder, and `{name}` is an image's name.

    Attributes:
        object: What the portraits show: the name of a registered object, or a scheme's .yaml in the folder.
        images: Pattern of the portraits' files, such as `photos/*.jpg`. A portrait is named by its path from the
            first `*` on, without the suffix: `photos/*/*.jpg` gives ada/1. A word in braces stands for a name as
            `*` does, but the same one in the other patterns: `{split}/images/*.jpg` with
            `{split}/labels/{name}.png`. Files that are the label, mask or canvas of another are no portraits.
        labels: Where each portrait's label image is; with `colours` or `ids`.
        colours: Per part kind the colour, or list of colours, in the label images: [red, green, blue] of 0 to
            255. A joint name, such as `eyes` instead of left_eye and right_eye, if both have one colour: the one on
            the left is the first of them.
        ids: Instead of colours: per part kind the number, or list of numbers, that is stored in a label of grey
            levels (of any depth) or of a palette.
        tolerance: By how much each channel of a label's pixel may differ from a colour, such as for labels
            saved as JPEG. The nearest colour wins.
        masks: Instead of labels and colours: per part kind where its mask is, or a list of several that are
            taken together. What is brighter than half of a mask's brightest pixel belongs to the part; in a mask
            that is transparent somewhere, what is opaque.
        sides: Whose left and right the names of interchangeable parts mean: the image's, or the person's.
        person: A regular expression whose first group, searched in a portrait's name, else in its file's, says who
            is shown; exemplars of one person are never on two sides of the identity split. By default everybody is
            someone else.
        canvases: Where each portrait without its parts is; by default the parts are filled in.
        licence: What is known of the rights in the portraits, to be passed on with images made of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    object: str = "face"
    images: Annotated[str, AfterValidator(_relative)]
    labels: _Pattern | None = None
    colours: Mapping[str, _Colours] | None = None
    ids: Mapping[str, _Ids] | None = None
    tolerance: Annotated[int, Field(ge=0, le=254, strict=True)] = 0
    masks: Mapping[str, _Patterns] | None = None
    sides: Literal["image", "person"] = "image"
    person: Annotated[str, AfterValidator(_with_a_group)] | None = None
    canvases: _Pattern | None = None
    licence: str = ""

    @model_validator(mode="after")
    def _one_kind(self) -> "Description":
        if self.masks is not None:
            if (self.labels, self.colours, self.ids) != (None, None, None):
                raise ValueError("give either masks, or labels and colours, not both")
        elif self.labels is None or (self.colours is None) == (self.ids is None):
            raise ValueError("give either masks, or labels and colours, or labels and ids")
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
        self._images: dict[str, list[_Image]] = {}
        for image in _images(folder, self.description):
            self._images.setdefault(image.name, []).append(image)
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
        images = self._images[name]
        return [*(image.path for image in images), *(images[0].beside(pattern) for pattern in patterns)]

    def read(self, name: str) -> Exemplar:
        """Make an exemplar; its person is not known here."""
        image, *others = self._images[name]
        if others:
            raise PortraitError(
                f"{image.path.name} and {others[0].path.name} have the same name; rename one of them"
            )
        masks = self._from_masks(image) if self.description.masks is not None else self._from_label(image)
        if self.description.sides == "person":
            masks = {self.scheme.mirrored.get(kind, kind): mask for kind, mask in masks.items()}
        canvases = self.description.canvases
        canvas = None if canvases is None else read_image(self._there(canvases, image, "canvas"))
        data = read_content(image.path)
        return cut_exemplar(
            name,
            decode_image(data, str(image.path)),
            masks=masks,
            canvas=canvas,
            orientation=orientation(open_image(data, str(image.path))),
            scheme=self.scheme,
        )

    def persons(self, portraits: Mapping[str, int]) -> Mapping[str, str]:
        """By `person` of the description, else everybody is someone else."""
        return {name: self._person(name) or name for name in portraits}

    def _person(self, name: str) -> str | None:
        if self.description.person is None:
            return name
        pattern = re.compile(self.description.person)
        found = pattern.search(name) or pattern.search(name.rpartition("/")[2])
        return (found.group(1) or None) if found else None

    def _there(self, pattern: str, image: "_Image", what: str) -> Path:
        path = image.beside(pattern)
        if not path.exists():
            raise PortraitError(f"its {what} {path.relative_to(self.folder)} is missing")
        return path

    def _from_masks(self, image: "_Image") -> dict[str, Bool[np.ndarray, "_ _"]]:
        masks: dict[str, Bool[np.ndarray, "_ _"]] = {}
        for kind, patterns in (self.description.masks or {}).items():
            several = [read_mask(self._there(pattern, image, "mask")) for pattern in patterns]
            if len({mask.shape for mask in (*several, *masks.values())}) > 1:
                raise PortraitError("its masks are of different sizes")
            masks[kind] = np.any(several, axis=0)
            if masks[kind][:: masks[kind].shape[0] - 1 or 1, :: masks[kind].shape[1] - 1 or 1].all():
                raise PortraitError(
                    f"the mask of its {kind.replace('_', ' ')} covers all four corners of the image: the part must "
                    "be bright, or opaque, and all else dark, or transparent"
                )
        return masks

    def _from_label(self, image: "_Image") -> dict[str, Bool[np.ndarray, "_ _"]]:
        described = self.description
        assert described.labels is not None
        label = Label.read(self._there(described.labels, image, "label"))
        found = (
            label.with_colours(described.colours, described.tolerance)
            if described.colours is not None
            else label.with_ids(described.ids or {})
        )
        absent = [kind.replace("_", " ") for kind, mask in found.items() if not mask.any()]
        if absent:
            raise PortraitError(f"its label shows no {' and no '.join(absent)}; it has {label.described}")
        return found


@dataclass(frozen=True)
class _Image:
    """A portrait's file.

    Attributes:
        path: Where it is.
        name: The portrait's.
        stands_for: What `{name}` and other words in braces are.
    """

    path: Path
    name: str
    stands_for: Mapping[str, str]
    folder: Path

    def beside(self, pattern: str) -> Path:
        """The file of that pattern that belongs to the image."""
        return self.folder / _WORD.sub(lambda word: self.stands_for.get(word[1], word[0]), pattern)


_WORD = re.compile(r"{(\w+)}")


def _images(folder: Path, described: Description) -> list[_Image]:
    """The portraits' files in natural order, without those that belong to others."""
    segments = PurePath(described.images).parts
    varying, starred = (
        next((at for at, part in enumerate(segments) if re.search(signs, part)), len(segments) - 1)
        for signs in (r"[*?[{]", r"[*?[]")
    )
    shape, found = _as_expression(described.images), []
    for path in folder.glob(_WORD.sub("*", described.images)):
        below = path.relative_to(folder)
        words = shape.fullmatch(below.as_posix())  # None: a word stands for two different names
        if words and path.is_file() and not path.name.startswith("."):
            parts = below.with_suffix("").parts
            stands_for = {**words.groupdict(), "name": "/".join(parts[starred:])}
            found.append(_Image(path, "/".join(parts[varying:]), stands_for, folder))
    if not found:
        raise ConfiguralError(f"{folder / DESCRIPTION}: no files match images: {described.images}")
    patterns = [pattern for pattern in (described.labels, described.canvases) if pattern is not None]
    patterns += [pattern for several in (described.masks or {}).values() for pattern in several]
    others = {image.beside(pattern) for image in found for pattern in patterns}
    for image in found:
        for pattern in patterns:
            if image.beside(pattern) == image.path:
                raise ConfiguralError(
                    f"{folder / DESCRIPTION}: {pattern} stands for the image itself, {image.path}"
                )
    found = [image for image in found if image.path not in others]
    return sorted(found, key=lambda image: natural(str(image.path.relative_to(folder))))


def _as_expression(pattern: str) -> re.Pattern[str]:
    """What `Path.glob` finds for a pattern, with a group for each word in braces."""
    seen: set[str] = set()
    expression = ""
    for plain, word in re.findall(r"([^{]+|{(?!\w+}))|{(\w+)}", pattern):
        # Path.glob has matched all but the words, so that anything may stand where it has wildcards.
        expression += re.sub(r"\\\*|\\\?|\\\[.*?\\\]", lambda sign: _ANY[sign[0][1]], re.escape(plain))
        if word:
            expression += f"(?P={word})" if word in seen else f"(?P<{word}>[^/]+)"
            seen.add(word)
    return re.compile(expression.replace("[^/]*[^/]*/", "(?:.*/)?"), re.DOTALL)


_ANY = {"*": "[^/]*", "?": "[^/]", "[": "[^/]"}


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
