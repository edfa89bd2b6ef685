"""How a set of pictures is made."""

from dataclasses import dataclass

from configural.errors import ConfiguralError

PLACEMENTS = ("left", "middle", "right")
"""Where a portrait sits in the square picture."""


@dataclass(frozen=True)
class Condition:
    """How the parts go onto the canvas.

    Attributes:
        name: The name users write.
        offsets: Per slot, in the order left_eye, right_eye, nose, mouth: rows down and columns to the right
            of the host's own anchor, in pixels of the portrait. They belong to the slot, so they displace
            whatever part is put there.
        jitter: A part is moved by 0 to this many rows down and columns to the right, drawn evenly.
        blend: The part's share in the mixture of part and canvas, 0 to 1.
    """

    name: str
    offsets: tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
    jitter: int = 9
    blend: float = 0.8

    def __post_init__(self) -> None:
        if self.jitter < 0:
            raise ConfiguralError(f"condition {self.name}: jitter {self.jitter} must not be negative")
        if not 0 < self.blend <= 1:
            raise ConfiguralError(f"condition {self.name}: blend {self.blend} must be above 0 and at most 1")


CONDITIONS = (
    Condition("baseline", ((0, 0), (0, 0), (0, 0), (0, 0))),
    Condition("ffa", ((-20, -10), (-20, 5), (0, 0), (20, 0))),
    Condition("fct", ((16, 8), (16, -8), (0, 0), (-12, 0))),
)
"""The study's conditions: as photographed, features further apart, features closer together."""


def condition(name: str | Condition) -> Condition:
    """The condition of that name; a condition is returned as it is.

    Raises:
        ConfiguralError: If there is none of that name.
    """
    if isinstance(name, Condition):
        return name
    for candidate in CONDITIONS:
        if candidate.name == name:
            return candidate
    known = ", ".join(candidate.name for candidate in CONDITIONS)
    raise ConfiguralError(f"unknown condition '{name}': choose one of {known}")
