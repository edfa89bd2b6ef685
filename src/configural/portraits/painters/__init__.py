"""Portraits painted by a program, with exact part masks."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from configural.objects import ObjectScheme
from configural.portraits.library import Exemplar


class Painted:
    """Painted portraits, as `portraits.store` keeps them: its `PortraitFolder` is the painters' code.

    Args:
        name: Of the source.
        paint: From a seed and a position to the exemplar.
        seed: Which ones to paint.
        count: How many.
        scheme: What they consist of.
    """

    def __init__(
        self, name: str, paint: Callable[[int, int], Exemplar], *, seed: int, count: int, scheme: ObjectScheme
    ) -> None:
        self.folder, self.scheme = Path(__file__).parent, scheme
        self.names: Sequence[str] = [f"{name}/{index:02d}" for index in range(count)]  # as the exemplars'
        self.recipe = f"{name} {seed}"
        self.licence = "Painted by configural; they show nobody and need no licence"
        self._paint, self._seed = paint, seed
        self._painters = sorted(self.folder.glob("*.py"))

    def files(self, name: str) -> Sequence[Path]:
        """The painters, for other code would paint other pixels."""
        return self._painters

    def read(self, name: str) -> Exemplar:
        """Paint the exemplar of that name."""
        return self._paint(self._seed, int(name.partition("/")[2]))

    def persons(self, portraits: Mapping[str, int]) -> Mapping[str, str]:
        """Each shows somebody else."""
        return {name: name for name in portraits}
