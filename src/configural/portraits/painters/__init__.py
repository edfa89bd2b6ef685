"""Portraits painted by a program, with exact part masks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from configural.objects import ObjectScheme
from configural.portraits.library import Exemplar


@dataclass(frozen=True)
class Painted:
    """Painted portraits, as `portraits.store` keeps them: its `PortraitFolder` is the painters' code.

    Attributes:
        name: Of the source.
        paint: From a seed and a position to the exemplar.
        seed: Which ones to paint.
        count: How many.
    """

    name: str
    paint: Callable[[int, int], Exemplar]
    seed: int
    _: KW_ONLY
    scheme: ObjectScheme
    count: int = 0
    folder: Path = Path(__file__).parent
    licence: str = "Painted by configural; they show nobody and need no licence"

    @property
    def recipe(self) -> str:
        """The seed, beside the code."""
        return f"{self.name} {self.seed}"

    @property
    def names(self) -> Sequence[str]:
        """As the exemplars are named."""
        return [f"{self.name}/{index:02d}" for index in range(self.count)]

    def files(self, name: str) -> Sequence[Path]:
        """The painters, for other code would paint other pixels."""
        return sorted(self.folder.glob("*.py"))

    def read(self, name: str) -> Exemplar:
        """Paint the exemplar of that name."""
        return self.paint(self.seed, int(name.partition("/")[2]))

    def persons(self, portraits: Mapping[str, int]) -> Mapping[str, str]:
        """Each shows somebody else."""
        return {name: name for name in portraits}
