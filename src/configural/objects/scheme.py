"""Object schemes: YAML files that say what an object consists of."""

import itertools
from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from configural.io.yamls import read_yaml
from configural.registry import Registry

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Pair = tuple[Name, Name]
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

    @model_validator(mode="after")
    def _known_parts(self) -> "ObjectScheme":
        if len(set(self.part_kinds)) < len(self.part_kinds):
            raise ValueError("part_kinds: a part kind is stated twice")
        named = {
            "interchangeable": [kind for pair in self.interchangeable for kind in pair],
            "unit": self.unit.between,
            "hang": self.hang,
            "thatcher": self.thatcher,
            "groups": [kind for group in self.groups.values() for kind in group],
        }
        for key, kinds in named.items():
            for kind in kinds:
                if kind not in self.part_kinds:
                    raise ValueError(f"{key}: unknown part kind '{kind}': choose from {', '.join(self.part_kinds)}")
        if len(set(self.class_names)) < 2:
            raise ValueError("class_names: the two classes need different names")
        if not self.scrambles:
            raise ValueError("interchangeable: no arrangement is left that differs from the correct one")
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
        same = {self.correct}
        for pair in self.interchangeable:
            one, other = map(self.part_kinds.index, pair)
            swap = {one: other, other: one}
            same |= {tuple(swap.get(kind, kind) for kind in order) for order in same}
        return tuple(order for order in itertools.permutations(self.correct) if order not in same)

    def index(self, kind: str) -> int:
        """The position of a part kind, which is that of its slot."""
        return self.part_kinds.index(kind)


OBJECTS: Registry[ObjectScheme] = Registry("object", "configural.objects")
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
    with resources.as_file(resources.files(__package__) / f"{name}.yaml") as path:
        return read_yaml(path, ObjectScheme)


FACE = _built_in("face")
OBJECTS["face"] = FACE
