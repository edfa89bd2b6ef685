"""How a set of images is made, as data: a dataclass that a small YAML file fills in."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from configural.errors import ConfiguralError
from configural.portraits import PART_KINDS

PLACEMENTS = ("left", "middle", "right")
"""Where a portrait sits in the square image."""

BACKGROUNDS = ("canvas", "skin", "grey", "noise")
"""What lies under the parts: the host's canvas, or a whole square of its skin tone, of grey or of noise."""

UPRIGHT = (0, 1, 2, 3)
"""The arrangement of a face: each part kind in its own slot."""

_EYES_SWAPPED = (1, 0, 2, 3)


@dataclass(frozen=True)
class MovedPart:
    """The arrangement rule under which a no_face is a face with one part out of place.

    Attributes:
        part: The slot whose part is moved.
        distance: How far, in pixels of a 512-row portrait; the direction is random.
    """

    part: str
    distance: float


class _ValueError(ConfiguralError):
    """An impossible value of one key; whoever knows where it was stated says so."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


@dataclass(frozen=True)
class Condition:
    """How the parts go onto the canvas.

    Lengths are in pixels of a 512-row portrait; on a portrait of r rows they are r / 512 times as long.

    Attributes:
        name: The name users write.
        offsets: Per slot, in the order left_eye, right_eye, nose, mouth: rows down and columns to the right
            of the slot's place. They belong to the slot, so they displace whatever part is put there.
        jitter: A part is moved by 0 to this many rows down and columns to the right, drawn evenly.
        blend: The part's share in the mixture of part and background, above 0 and at most 1.
        offset_unit: `pixels`, or `eye_distance` for fractions of the distance between the host's eyes.
        feather: Width of a part's soft edge, inside its outline; 0 for a hard edge.
        colour_transfer: Give a part the colour of the skin under it: each colour channel is multiplied by the
            ratio of the mean colours of background and donor's own canvas under the part.
        placement: left, middle, right, or shifted for a third each; may be overruled when sampling.
        shift: How far the whole constellation is moved, drawn evenly per stimulus: ((least, most) rows down,
            (least, most) columns to the right), or `anywhere` for all places at which it fits, or None.
        rotation: (least, most) degrees clockwise, about the middle of the host's own parts.
        scale: (least, most) factor of size, about the same point.
        inverted: The share of images that are turned upside down, 0 to 1.
        background: One of `BACKGROUNDS`.
        filled: The slots that hold a part.
        arrangement: What a no_face is: `shuffle`; `eyes_only`, in which only the eyes have changed places; a
            given order of the part kinds over the slots; a `MovedPart`; or `upright`, no other than a face, which
            alone also allows that no slot is filled.
        spacing: `free`: a part's upper left corner is put at its slot, and parts may overlap. `apart`: a part hangs
            in its slot by the corner or side that faces outwards (the nose slot: by its middle), and stimuli in
            which two parts overlap are drawn again, in both classes.
        matched: Both classes use the same host, parts, jitter, placement and pose in pairs of equal index.
        description: What the condition controls for.
    """

    name: str
    offsets: tuple[tuple[float, float], ...] = ((0, 0),) * 4
    jitter: int = 9
    blend: float = 0.8
    offset_unit: str = "pixels"
    feather: float = 0
    colour_transfer: bool = False
    placement: str = "middle"
    shift: str | tuple[tuple[float, float], tuple[float, float]] | None = None
    rotation: tuple[float, float] = (0, 0)
    scale: tuple[float, float] = (1, 1)
    inverted: float = 0
    background: str = "canvas"
    filled: tuple[str, ...] = PART_KINDS
    arrangement: str | tuple[str, ...] | MovedPart = "shuffle"
    spacing: str = "free"
    matched: bool = False
    description: str = ""

    def __post_init__(self) -> None:
        try:
            self._check()
        except _ValueError as problem:
            raise _ValueError(problem.key, f"condition {self.name}: {problem}") from None

    @property
    def posed(self) -> bool:
        """Whether the constellation as a whole is moved, turned or scaled."""
        return self.shift is not None or self.rotation != (0, 0) or self.scale != (1, 1)

    @property
    def scrambles(self) -> tuple[tuple[int, ...], ...]:
        """The arrangements of a no_face: position = slot, value = part kind.

        A shuffle is any order of the filled slots' kinds except the face itself and the one in which only
        the eyes have changed places.
        """
        if self.arrangement == "shuffle":
            empty = [slot for slot, kind in enumerate(PART_KINDS) if kind not in self.filled]
            return tuple(
                order
                for order in itertools.permutations(range(4))
                if order not in (UPRIGHT, _EYES_SWAPPED) and all(order[slot] == slot for slot in empty)
            )
        if self.arrangement == "eyes_only":
            return (_EYES_SWAPPED,)
        if isinstance(self.arrangement, MovedPart) or self.arrangement == "upright":
            return (UPRIGHT,)
        return (tuple(PART_KINDS.index(kind) for kind in self.arrangement),)

    def _check(self) -> None:
        if len(self.offsets) != 4:
            raise _ValueError("offsets", "offsets must be four pairs of rows and columns")
        choices = {
            "offset_unit": ("pixels", "eye_distance"),
            "placement": (*PLACEMENTS, "shifted"),
            "background": BACKGROUNDS,
            "spacing": ("free", "apart"),
        }
        for key, allowed in choices.items():
            if getattr(self, key) not in allowed:
                raise _ValueError(key, f"{key} '{getattr(self, key)}' must be one of {', '.join(allowed)}")
        for key in ("jitter", "feather"):
            if getattr(self, key) < 0:
                raise _ValueError(key, f"{key} {getattr(self, key)} must not be negative")
        if not 0 < self.blend <= 1:
            raise _ValueError("blend", f"blend {self.blend} must be above 0 and at most 1")
        if not 0 <= self.inverted <= 1:
            raise _ValueError("inverted", f"inverted {self.inverted} must be from 0 to 1")
        if isinstance(self.shift, str) and self.shift != "anywhere":
            raise _ValueError("shift", f"shift '{self.shift}' must be 'anywhere' or ranges of rows and columns")
        ranges = {"rotation": [self.rotation], "scale": [self.scale]}
        ranges["shift"] = list(self.shift) if isinstance(self.shift, tuple) else []
        for key, pairs in ranges.items():
            for least, most in pairs:
                if least > most:
                    raise _ValueError(key, f"{key} range [{least}, {most}] must not fall")
        if not 0.1 <= self.scale[0] <= self.scale[1] <= 10:
            raise _ValueError("scale", f"scale {list(self.scale)} must be from 0.1 to 10")
        self._check_arrangement()

    def _check_arrangement(self) -> None:
        unknown = [kind for kind in self.filled if kind not in PART_KINDS]
        empty = not self.filled and self.arrangement != "upright"
        if unknown or empty or len(set(self.filled)) < len(self.filled):
            raise _ValueError(
                "filled", f"filled {list(self.filled)} must name some of {', '.join(PART_KINDS)} once"
            )
        rule = self.arrangement
        if isinstance(rule, MovedPart):
            if rule.part not in self.filled:
                raise _ValueError("arrangement", f"arrangement: moved part '{rule.part}' is not a filled slot")
            if rule.distance <= 0:
                raise _ValueError("arrangement", f"arrangement: distance {rule.distance} must be above 0")
        elif isinstance(rule, tuple):
            if sorted(rule) != sorted(PART_KINDS) or rule == PART_KINDS:
                raise _ValueError(
                    "arrangement", "arrangement: the order must hold all four part kinds and not be that of a face"
                )
            if any(kind not in self.filled and kind != rule[slot] for slot, kind in enumerate(PART_KINDS)):
                raise _ValueError(
                    "arrangement", "arrangement: the order must leave the empty slots' kinds in place"
                )
        elif rule == "eyes_only":
            if not {"left_eye", "right_eye"} <= set(self.filled):
                raise _ValueError("arrangement", "arrangement: eyes_only needs both eyes to be filled")
        elif rule not in ("shuffle", "upright"):
            raise _ValueError(
                "arrangement",
                f"arrangement '{rule}' must be shuffle, eyes_only, upright, an order of part kinds, or part and "
                "distance",
            )
        elif not self.scrambles:
            raise _ValueError("filled", f"filled {list(self.filled)} leaves nothing to shuffle")


PRESETS = (
    "baseline",
    "ffa",
    "fct",
    "floating",
    "matched",
    "seamless",
    "upright-inverted",
    "one-part-moved",
)
"""The names of the conditions that come with the package."""


def condition(name: str | Path | Condition) -> Condition:
    """The condition of that name; a condition is returned as it is.

    Args:
        name: A preset (one of `PRESETS`), a path to a .yaml file, or several of these joined by `+`. Of joined
            ones, the later wins where two state the same key. The preset one-part-moved takes the part and its
            distance: `one-part-moved:nose:20`.

    Raises:
        ConfiguralError: If there is none of that name, or its file states an unknown key or an impossible value;
            file and line are named.
    """
    if isinstance(name, Condition):
        return name
    stated: dict[str, Any] = {}
    places: dict[str, str] = {}
    descriptions = []
    names = []
    for part in [str(name)] if Path(name).is_file() else str(name).split("+"):
        values, lines = _read_part(part)
        names.append(str(values.pop("name", part)))
        if "description" in values:
            descriptions.append(values.pop("description"))
        stated |= values
        places |= lines
    stated |= {"name": "+".join(names), "description": " ".join(descriptions)}
    try:
        return condition_from_values(stated)
    except _ValueError as problem:
        said = str(problem).removeprefix(f"condition {stated['name']}: ")
        raise ConfiguralError(f"{places.get(problem.key, name)}: {said}") from None


def condition_from_values(values: Mapping[str, Any]) -> Condition:
    """A condition from plain values, as YAML and JSON hold them.

    Raises:
        ConfiguralError: If a key is unknown or a value impossible.
    """
    known = [field.name for field in fields(Condition)]
    for key in values:
        if key not in known:
            raise _ValueError(key, f"unknown key '{key}': choose from {', '.join(known)}")
    return Condition(**{key: _understood(key, value) for key, value in values.items()})


def _read_part(part: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The values that one preset or file states, and for each key the file and line."""
    if part.endswith((".yaml", ".yml")):
        try:
            return _read_yaml(Path(part).read_text("utf-8"), part)
        except FileNotFoundError as error:
            raise ConfiguralError(f"{part}: there is no such file") from error
        except (OSError, UnicodeDecodeError) as error:
            raise ConfiguralError(f"{part}: not readable as text") from error
    preset, *parameters = part.split(":")
    if preset not in PRESETS:
        raise ConfiguralError(
            f"unknown condition '{part}': choose one of {', '.join(PRESETS)}, join some by +, or name a .yaml"
        )
    text = (resources.files(__package__) / "presets" / f"{preset}.yaml").read_text("utf-8")
    values, lines = _read_yaml(text, f"{preset}.yaml")
    if parameters:
        try:
            moved, distance = parameters
            values["arrangement"] = {"part": moved, "distance": float(distance)}
        except ValueError:
            values["arrangement"] = None
        if preset != "one-part-moved" or values["arrangement"] is None:
            raise ConfiguralError(f"condition '{part}': only one-part-moved:PART:DISTANCE takes parameters")
        lines["arrangement"] = f"condition '{part}'"
    return values, lines | {"name": part}


def _read_yaml(text: str, file: str) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}, line {mark.line + 1}" if mark else file
        raise ConfiguralError(f"{where}: not readable as YAML") from error
    if not isinstance(node, yaml.MappingNode):
        raise ConfiguralError(f"{file}: expected keys and values, such as 'jitter: 9'")
    lines: dict[str, str] = {}
    for key, _ in node.value:
        where = f"{file}, line {key.start_mark.line + 1}"
        if str(key.value) in lines:
            raise ConfiguralError(f"{where}: the key '{key.value}' is stated twice")
        lines[str(key.value)] = where
    return {str(key): value for key, value in values.items()}, lines


def _understood(key: str, value: Any) -> Any:
    """One key's value in the form that `Condition` holds."""
    if key in ("name", "description", "offset_unit", "placement", "background", "spacing"):
        return _of_type(key, value, str, "a word")
    if key in ("colour_transfer", "matched"):
        return _of_type(key, value, bool, "true or false")
    if key == "jitter":
        return _of_type(key, value, int, "a whole number")
    if key in ("blend", "feather", "inverted"):
        return _number(key, value)
    if key in ("rotation", "scale"):
        return _pair(key, value)
    if key == "filled":
        return tuple(
            _of_type(key, kind, str, "part kinds") for kind in _of_type(key, value, list | tuple, "a list")
        )
    if key == "offsets":
        if isinstance(value, Mapping):
            unknown = [slot for slot in value if slot not in PART_KINDS]
            if unknown:
                raise _ValueError(key, f"offsets: unknown slot '{unknown[0]}': choose from {', '.join(PART_KINDS)}")
            value = [value.get(slot, (0, 0)) for slot in PART_KINDS]
        return tuple(_pair(key, pair) for pair in _of_type(key, value, list | tuple, "a pair per slot"))
    if key == "shift":
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, Mapping):
            if set(value) != {"rows", "cols"}:
                raise _ValueError(key, "shift must be 'anywhere' or state the ranges rows and cols")
            value = (value["rows"], value["cols"])
        ranges = tuple(_pair(key, pair) for pair in _of_type(key, value, list | tuple, "two ranges"))
        if len(ranges) != 2:
            raise _ValueError(key, "shift must be 'anywhere' or state the ranges rows and cols")
        return ranges
    if isinstance(value, MovedPart):
        return value
    if isinstance(value, Mapping):
        if set(value) != {"part", "distance"}:
            raise _ValueError(key, "arrangement: a moved part needs part and distance and nothing else")
        part = _of_type(key, value["part"], str, "one part kind")
        return MovedPart(part, _number(key, value["distance"]))
    if isinstance(value, list | tuple):
        return tuple(_of_type(key, kind, str, "part kinds") for kind in value)
    return _of_type(key, value, str, "a rule")


def _of_type(key: str, value: Any, kind: Any, wanted: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _ValueError(key, f"{key} must be {wanted} (given: {value!r})")
    return value


def _number(key: str, value: Any) -> float:
    number: float = _of_type(key, value, int | float, "a number")
    if not abs(number) < 1e9:  # also refuses nan
        raise _ValueError(key, f"{key} must be a finite number (given: {value!r})")
    return number


def _pair(key: str, value: Any) -> tuple[float, float]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise _ValueError(key, f"{key}: expected two numbers (given: {value!r})")
    return _number(key, value[0]), _number(key, value[1])


CONDITIONS = tuple(condition(name) for name in ("baseline", "ffa", "fct"))
"""The study's conditions: as photographed, features further apart, features closer together."""
