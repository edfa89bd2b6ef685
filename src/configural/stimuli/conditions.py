"""How a set of images is made, as data: a model that a small YAML file fills in."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, Strict, field_validator, model_validator

from configural.errors import ConfiguralError
from configural.io.yamls import Document, ImpossibleKeyError, parse_document, read_document, validated
from configural.objects import FACE, ObjectScheme
from configural.registry import Registry, made_by

PLACEMENTS = ("left", "middle", "right")
"""Where a portrait sits in the square image; of portraits wider than high left is the top and right the bottom."""

BACKGROUNDS = ("canvas", "skin", "grey", "noise")
"""What lies under the parts: the host's canvas, or a whole square of its skin tone, of grey or of noise."""

Number = Annotated[FiniteFloat, Strict()]
Length = Annotated[Number, Field(gt=-1e9, lt=1e9)]
Flag = Annotated[bool, Strict()]
Pair = tuple[Length, Length]


def _scheme(info: Any) -> ObjectScheme:
    """The object that a condition is meant for."""
    scheme: ObjectScheme = (info.context or {}).get("scheme", FACE)
    return scheme


class MovedPart(BaseModel):
    """The arrangement rule under which a scrambled stimulus is a correct one with one part out of position.

    Attributes:
        part: The slot whose part is moved.
        distance: How far, in pixels of a portrait whose longer side has 512; the direction is random.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: str
    distance: Number = Field(gt=0, lt=1e9)


class Condition(BaseModel):
    """How the parts go onto the canvas.

    Lengths are in pixels of a portrait whose longer side has 512; where it has s they are s / 512 times as long. A
    condition is meant for one object; without more words that is the face (see `condition`).

    Attributes:
        name: The name users write.
        offsets: By slot, or for all slots in order: rows down and columns to the right of the slot's position. They
            belong to the slot, so they displace whatever part is put there.
        jitter: A part is moved by 0 to this many rows down and columns to the right, drawn evenly.
        blend: The part's fraction in the mixture of part and background, above 0 and at most 1.
        offset_unit: `pixels`, or the object's unit of length, such as `eye_distance` of the host.
        feather: Width of a part's soft edge, inside its outline; 0 for a hard edge.
        colour_transfer: Give a part the colour of the surface under it: each colour channel is multiplied by the
            ratio of the mean colours of background and donor's own canvas under the part.
        placement: left, middle, right, or shifted for a third each; may be overruled when sampling.
        shift: How far the whole constellation is moved, drawn evenly per stimulus: ((least, most) rows down,
            (least, most) columns to the right), or `anywhere` for all positions at which it fits, or None.
        rotation: (least, most) degrees clockwise, about the middle of the host's own parts.
        scale: (least, most) factor of size, about the same point, from 0.1 to 10.
        inverted: The fraction of images that are turned upside down, 0 to 1.
        background: One of `BACKGROUNDS`.
        filled: The slots that hold a part; all where nothing is said.
        arrangement: What a scrambled stimulus is: `shuffle`; `exchanged`, in which only interchangeable parts have
            changed places; a given order of the part kinds over the slots; a `MovedPart`; or `correct`, no other
            than a correct one, which alone also allows that no slot is filled.
        spacing: `free`: a part's upper left corner is put at its slot, and parts may overlap. `apart`: a part hangs
            in its slot as the object scheme says, and stimuli in which two parts overlap are drawn again, in both
            classes.
        matched: Both classes use the same host, parts, jitter, placement and pose in pairs of equal index.
        description: What the condition controls for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(strict=True)
    offsets: tuple[Pair, ...] = Field((), validate_default=True)
    jitter: int = Field(9, ge=0, lt=10**6, strict=True)
    blend: Number = Field(0.8, gt=0, le=1)
    offset_unit: str = "pixels"
    feather: Number = Field(0, ge=0, lt=1e9)
    colour_transfer: Flag = False
    placement: Literal["left", "middle", "right", "shifted"] = "middle"
    shift: Literal["anywhere"] | tuple[Pair, Pair] | None = None
    rotation: Pair = (0, 0)
    scale: Pair = (1, 1)
    inverted: Number = Field(0, ge=0, le=1)
    background: Literal["canvas", "skin", "grey", "noise"] = "canvas"
    filled: tuple[str, ...] = Field(None, validate_default=True)
    arrangement: Literal["shuffle", "exchanged", "correct"] | tuple[str, ...] | MovedPart = Field(
        "shuffle", union_mode="left_to_right"
    )
    spacing: Literal["free", "apart"] = "free"
    matched: Flag = False
    description: str = ""

    @field_validator("offsets", mode="before")
    @classmethod
    def _of_every_slot(cls, offsets: Any, info: Any) -> Any:
        slots = _scheme(info).part_kinds
        if isinstance(offsets, Mapping):
            for slot in offsets:
                if slot not in slots:
                    raise ValueError(f"unknown slot '{slot}': choose from {', '.join(slots)}")
            return [offsets.get(slot, (0, 0)) for slot in slots]
        if isinstance(offsets, list | tuple) and len(offsets) not in (0, len(slots)):
            raise ValueError(f"expected one pair of rows and columns for each of {', '.join(slots)}")
        return offsets or ((0, 0),) * len(slots)

    @field_validator("offset_unit")
    @classmethod
    def _a_unit(cls, unit: str, info: Any) -> str:
        if unit not in (known := ("pixels", _scheme(info).unit.name)):
            raise ValueError(f"'{unit}' must be one of {', '.join(known)}")
        return unit

    @field_validator("shift", mode="before")
    @classmethod
    def _rows_and_columns(cls, shift: Any) -> Any:
        if isinstance(shift, Mapping):
            if set(shift) != {"rows", "cols"}:
                raise ValueError("must be 'anywhere' or state the ranges rows and cols")
            return shift["rows"], shift["cols"]
        return shift

    @field_validator("shift", "rotation", "scale")
    @classmethod
    def _rising(cls, stated: Any, info: Any) -> Any:
        pairs = (stated,) if info.field_name != "shift" else stated if isinstance(stated, tuple) else ()
        for least, most in pairs:
            if info.field_name == "scale" and not 0.1 <= min(least, most) <= max(least, most) <= 10:
                raise ValueError(f"[{least:g}, {most:g}] must be from 0.1 to 10")
            if least > most:
                raise ValueError(f"the range [{least:g}, {most:g}] must not fall")
        return stated

    @field_validator("filled", mode="before")
    @classmethod
    def _some_slots(cls, filled: Any, info: Any) -> Any:
        slots = _scheme(info).part_kinds
        if filled is None:
            return slots
        if not isinstance(filled, list | tuple):
            raise ValueError(f"expected a list of some of {', '.join(slots)}")
        if len(set(map(str, filled))) < len(filled) or any(slot not in slots for slot in filled):
            raise ValueError(f"{list(filled)} must name some of {', '.join(slots)}, each once")
        return filled

    @model_validator(mode="after")
    def _possible_arrangement(self, info: Any) -> "Condition":
        scheme, rule, filled = _scheme(info), self.arrangement, self.filled
        if isinstance(rule, MovedPart) and rule.part not in filled:
            problem = f"moved part '{rule.part}' is not a filled slot: choose from {', '.join(filled)}"
            raise ImpossibleKeyError("arrangement", problem)
        if isinstance(rule, tuple):
            if sorted(rule) != sorted(scheme.part_kinds) or rule == scheme.part_kinds:
                raise ImpossibleKeyError(
                    "arrangement",
                    f"the order must hold each of {', '.join(scheme.part_kinds)} and not be that of a "
                    f"{scheme.class_names[1]}",
                )
            if any(kind not in filled and kind != rule[slot] for slot, kind in enumerate(scheme.part_kinds)):
                raise ImpossibleKeyError("arrangement", "the order must leave the empty slots' kinds in place")
        if not filled and rule != "correct":
            raise ImpossibleKeyError("filled", "with no slot filled the arrangement can only be correct")
        if not self.scrambles(scheme):
            what = "shuffle" if rule == "shuffle" else "exchange"
            raise ImpossibleKeyError("filled", f"{list(filled)} leaves nothing to {what}")
        return self

    @property
    def posed(self) -> bool:
        """Whether the constellation as a whole is moved, turned or scaled."""
        return self.shift is not None or self.rotation != (0, 0) or self.scale != (1, 1)

    def scrambles(self, scheme: ObjectScheme) -> tuple[tuple[int, ...], ...]:
        """The arrangements of a scrambled stimulus: position = slot, value = part kind.

        A shuffle is any order of the filled slots' kinds except the correct one and those in which only
        interchangeable parts have changed places.
        """
        rule = self.arrangement
        if isinstance(rule, MovedPart) or rule == "correct":
            return (scheme.correct,)
        if isinstance(rule, tuple):
            return (tuple(map(scheme.index, rule)),)
        orders = scheme.scrambles
        if rule == "exchanged":
            every = set(itertools.permutations(scheme.correct)) - {scheme.correct}
            orders = tuple(sorted(every - set(orders)))
        empty = [slot for slot, kind in enumerate(scheme.part_kinds) if kind not in self.filled]
        return tuple(order for order in orders if all(order[slot] == slot for slot in empty))


CONDITIONS: Registry[Condition | Callable[[ObjectScheme], Condition]] = Registry(
    "condition", "configural.conditions", Condition, Callable
)
"""Conditions by name; a value is a condition, or a function that makes one for an object scheme."""

STUDY_CONDITIONS = ("baseline", "ffa", "fct")
"""The study's conditions: as photographed, features further apart, features closer together."""

_MOVED = "one-part-moved"
_SHIPPED = resources.files("configural.stimuli") / "presets"


def condition(name: str | Path | Condition, *, scheme: ObjectScheme = FACE) -> Condition:
    """The condition of that name, made for an object.

    Args:
        name: A registered one (see `CONDITIONS`), a path to a .yaml file, `module:name`, or several of these joined
            by `+`. Of joined ones, the later wins where two state the same key. The preset one-part-moved takes the
            part and its distance: `one-part-moved:nose:20`. A condition itself is checked against the scheme.
        scheme: What the object consists of.

    Raises:
        ConfiguralError: If there is none of that name, or it states an unknown key or a value that is impossible
            for this object; file and line are named.

    Example:
        >>> condition("floating+matched").background
        'skin'
    """
    if isinstance(name, Condition):
        documents = [_as_document(name, f"condition {name.name}")]
    else:
        documents = [_stated(part, scheme) for part in _parts(name)]
    joined = Document(
        documents[-1].name,
        {
            "name": "+".join(str(document.values["name"]) for document in documents),
            "description": " ".join(
                str(document.values["description"]) for document in documents if "description" in document.values
            ),
        },
    )
    return validated(Condition, *documents, joined, context={"scheme": scheme})


def refuse_unregistered(name: str) -> None:
    """Raise if a condition that a file names, and no person, would have a module imported.

    Raises:
        ConfiguralError: If a part of it is neither a .yaml file nor registered or installed.

    Example:
        >>> refuse_unregistered("floating+one-part-moved:nose:20")
    """
    for part in _parts(name):
        # A preset alone takes parameters; of any other name, a colon would have a module imported.
        known = part.partition(":")[0] in _PRESETS or CONDITIONS.knows(part)
        if not known and not part.endswith((".yaml", ".yml")):
            raise ConfiguralError(f"condition '{part[:80]}' is not registered here: name it if you trust it")


def _parts(name: str | Path) -> list[str]:
    """What is joined by `+`; the name of a file that is there may hold one."""
    return [str(name)] if Path(name).is_file() else str(name).split("+")


def preset_names(scheme: ObjectScheme = FACE) -> tuple[str, ...]:
    """The names of the conditions that come with the package for an object."""
    return _presets_in(_folders(scheme))


def default_condition(scheme: ObjectScheme = FACE) -> str:
    """The condition that is meant where nobody names one: ffa where it is made for the object, else baseline.

    Example:
        >>> default_condition()
        'ffa'
    """
    return "ffa" if "ffa" in preset_names(scheme) else "baseline"


def _folders(scheme: ObjectScheme) -> list[Any]:
    """Where presets for an object are: those for any, and those for it alone."""
    return [folder for folder in (_SHIPPED, _SHIPPED / scheme.name) if folder.is_dir()]


def _presets_in(folders: Iterable[Any]) -> tuple[str, ...]:
    """The names of the YAML files in folders, the study's conditions first."""
    names = {path.name for folder in folders for path in folder.iterdir()}
    found = sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))
    return (*(name for name in STUDY_CONDITIONS if name in found), *(n for n in found if n not in STUDY_CONDITIONS))


def _stated(part: str, scheme: ObjectScheme) -> Document:
    """What one preset, file or registered condition states."""
    if part.endswith((".yaml", ".yml")):
        document = read_document(Path(part))
        return Document(document.name, {"name": part, **document.values}, document.tree)
    preset_name, *parameters = part.split(":")
    if parameters and preset_name in _PRESETS:
        try:
            kind, distance = parameters if preset_name == _MOVED else [""]
            arrangement = {"part": kind, "distance": float(distance)}
        except ValueError:
            raise ConfiguralError(f"condition '{part}': only {_MOVED}:PART:DISTANCE takes parameters") from None
        preset = _as_document(_preset(_MOVED, scheme), f"condition '{part}'")
        return Document(preset.name, {**preset.values, "name": part, "arrangement": arrangement})
    found = CONDITIONS.find(part)
    where = f"condition '{part}' is to take an object scheme"
    made = found if isinstance(found, Condition) else made_by(found, where, scheme)
    if not isinstance(made, Condition):
        raise ConfiguralError(f"condition '{part}': it gave {type(made).__name__} instead of a Condition")
    return _as_document(made, f"condition {part}", name=part)


def _as_document(made: Condition, where: str, **changes: Any) -> Document:
    return Document(where, {**made.model_dump(exclude_unset=True), **changes})


@cache
def _shipped(file: Any) -> Document:
    return parse_document(file.read_text("utf-8"), file.name)


def _preset(name: str, scheme: ObjectScheme) -> Condition:
    for folder in reversed(_folders(scheme)):
        if (folder / f"{name}.yaml").is_file():
            document = _shipped(folder / f"{name}.yaml")
            values: dict[str, Any] = {"name": name, **document.values}
            if name == _MOVED:
                values["arrangement"] = {"part": scheme.part_kinds[-1], "distance": 30}
            return validated(Condition, Document(document.name, values, document.tree), context={"scheme": scheme})
    raise ConfiguralError(
        f"condition '{name}' is not made for a {scheme.name}: choose one of {', '.join(preset_names(scheme))}, or "
        "write a .yaml file"
    )


_PRESETS = _presets_in([_SHIPPED, *(folder for folder in _SHIPPED.iterdir() if folder.is_dir())])
CONDITIONS.update({name: partial(_preset, name) for name in _PRESETS})
CONDITIONS.seal()
