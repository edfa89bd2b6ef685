"""Object schemes: YAML files that say what an object consists of."""

import itertools
from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from configural.io.yamls import ImpossibleKeyError, read_yaml
from configural.registry import Registry

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Pair = tuple[Name, Name]
Length = Annotated[float, Field(ge=0, le=128)]
Margin = tuple[Length, Length, Length]
Side = tuple[Literal["top", "middle", "bottom"], Literal["left", "middle", "right"]]


class LengthUnit(BaseModel):
    """What lengths may be counted in: the distance between the middles of two parts of the host.

    Attributes:
        name: As conditions write it, such as `eye_distance`.
        between: The two part kinds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    between: Pair


class Fill(BaseModel):
    """How the surface is filled in where parts are cut out; lengths are in 1/512 of the portrait's longer side.

    Attributes:
        margins: By part kind, how far its lids, shadows and the like extend beyond its outline, which is filled in
            with it: sideways, up, down.
        margin: The same of part kinds that have none of their own.
        hull: Part kinds around whose common hull the surface is filled in, too.
        hull_margin: How far around that hull.
        brows: Part kinds above which dark bands, such as eyebrows, are kept.
        beard: The part kind beside which the surface may begin to be dark: above it, what is much darker than the
            rest is no surface, such as brows and eye sockets; below, it may be, such as a beard.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    margins: Mapping[Name, Margin] = {}
    margin: Margin = (12, 9, 12)
    hull: tuple[Name, ...] = ()
    hull_margin: Length = 24
    brows: tuple[Name, ...] = ()
    beard: Name | None = None


class ObjectScheme(BaseModel):
    """What an object consists of.

    Attributes:
        name: Of the object, such as `face`.
        class_names: Of the scrambled and of the correct arrangement, such as `no_face` and `face`; a label is a
            position in this pair.
        part_kinds: In paste order; a slot is named by the part kind that belongs there.
        interchangeable: Pairs of part kinds whose exchange is hardly seen: a scrambled arrangement differs from the
            correct one by more than exchanges within these pairs.
        unit: The unit of length.
        hang: By part kind, the corner, side or middle by which a part hangs in its slot where parts are spaced
            apart; the middle where it is not given.
        groups: By name, part kinds that the audit moves together, besides each by itself and all.
        thatcher: Part kinds that the audit turns upside down within the object, as Thompson did with the eyes and
            the mouth of a face; all where none are given.
        fill: How the surface is filled in where parts are cut out of portraits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    class_names: Pair
    part_kinds: tuple[Name, ...] = Field(min_length=2, max_length=8)
    interchangeable: tuple[Pair, ...] = ()
    unit: LengthUnit
    hang: Mapping[Name, Side] = {}
    groups: Mapping[str, tuple[Name, ...]] = {}
    thatcher: tuple[Name, ...] = ()
    fill: Fill = Fill()

    @model_validator(mode="after")
    def _known_parts(self) -> "ObjectScheme":
        if len(set(self.part_kinds)) < len(self.part_kinds):
            raise ImpossibleKeyError("part_kinds", "a part kind is stated twice")
        named = {
            "interchangeable": [kind for pair in self.interchangeable for kind in pair],
            "unit": self.unit.between,
            "hang": self.hang,
            "thatcher": self.thatcher,
            "fill": [*self.fill.margins, *self.fill.hull, *self.fill.brows, *filter(None, [self.fill.beard])],
            "groups": [kind for group in self.groups.values() for kind in group],
        }
        for key, kinds in named.items():
            for kind in kinds:
                if kind not in self.part_kinds:
                    problem = f"unknown part kind '{kind}': choose from {', '.join(self.part_kinds)}"
                    raise ImpossibleKeyError(key, problem)
        if len(set(self.class_names)) < 2:
            raise ImpossibleKeyError("class_names", "the two classes need different names")
        if not self.scrambles:
            problem = "no arrangement is left that differs from the correct one"
            raise ImpossibleKeyError("interchangeable", problem)
        return self

    def __hash__(self) -> int:
        return hash((self.name, self.class_names, self.part_kinds, self.interchangeable, self.unit))

    @property
    def correct(self) -> tuple[int, ...]:
        """The correct arrangement: position = slot, value = position of its part kind in `part_kinds`."""
        return tuple(range(len(self.part_kinds)))

    @cached_property
    def scrambles(self) -> tuple[tuple[int, ...], ...]:
        """All scrambled arrangements; the 22 of a face are all but the correct one and that with exchanged eyes."""
        group = list(self.correct)  # by part kind, a number that it has in common with all it can be exchanged with
        for pair in self.interchangeable:
            one, other = (group[self.index(kind)] for kind in pair)
            group = [one if number == other else number for number in group]
        orders = itertools.permutations(self.correct)
        return tuple(
            order for order in orders if any(group[kind] != group[slot] for slot, kind in enumerate(order))
        )

    @property
    def mirrored(self) -> dict[str, str]:
        """By part kind of an interchangeable pair, the other one."""
        return {kind: other for one, two in self.interchangeable for kind, other in ((one, two), (two, one))}

    @property
    def joint_names(self) -> dict[str, Pair]:
        """What stands for both part kinds of an interchangeable pair, such as `eyes` for left_eye and right_eye.

        It is the last word of their names, where they have one in common.
        """
        words = {pair: {kind.rpartition("_")[2] for kind in pair} for pair in self.interchangeable}
        return {f"{word}s": pair for pair, (word, *others) in words.items() if not others}

    def hangs_by(self, slot: str) -> Side:
        """The corner, side or middle by which a part hangs in a slot where parts are spaced apart."""
        return self.hang.get(slot, ("middle", "middle"))

    def index(self, kind: str) -> int:
        """The position of a part kind, which is that of its slot."""
        return self.part_kinds.index(kind)


OBJECTS: Registry[ObjectScheme] = Registry("object", "configural.objects", ObjectScheme)
"""The object schemes by name."""


def object_scheme(name: str | Path | ObjectScheme) -> ObjectScheme:
    """The object scheme of that name.

    Args:
        name: A registered one such as `face`, a .yaml file, or a scheme, which is returned as it is.

    Raises:
        ConfiguralError: If there is none, or its file states an unknown key or an impossible value; file, line and
            key are named.
    """
    if isinstance(name, ObjectScheme):
        return name
    if str(name).endswith((".yaml", ".yml")):
        return read_yaml(Path(name), ObjectScheme)
    return OBJECTS.find(str(name))


def _built_in(name: str) -> ObjectScheme:
    with resources.as_file(resources.files("configural.objects") / f"{name}.yaml") as path:
        return read_yaml(path, ObjectScheme)


FACE = _built_in("face")
HOUSE = _built_in("house")
OBJECTS.update({"face": FACE, "house": HOUSE})
OBJECTS.seal()
