"""What people drew on portraits: label images and masks, in every kind of file that holds them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, UInt8

from configural.errors import PortraitError
from configural.io.images import decode_image, highest, open_image, orientation, read_content, turned

_NAMED = 12  # colours or ids that a message names

_Colours = tuple[tuple[int, int, int], ...]
_Wanted = Mapping[str, _Colours]
_Masks = dict[str, Bool[np.ndarray, "rows cols"]]


@dataclass(frozen=True, eq=False)
class Label:
    """A label image.

    Attributes:
        colours: RGB, as a viewer shows it.
        ids: The numbers that are stored: positions in a palette, or grey levels of any depth; None in colour.
        palette: Whether they are positions in a palette.
    """

    colours: UInt8[np.ndarray, "rows cols 3"]
    ids: Int[np.ndarray, "rows cols"] | None
    palette: bool

    @classmethod
    def read(cls, path: Path) -> "Label":
        """Read one; a PortraitError that names the file if it is damaged."""
        data = read_content(path)
        colours = decode_image(data, str(path))
        file = open_image(data, str(path))
        ids = None
        if file.mode in ("P", "1", "L", "LA", "La") or file.mode.startswith("I"):
            stored = np.asarray(file)
            if file.mode == "L" and file.format == "PNG":  # Pillow spreads 2 and 4 bits over 0 to 255
                stored = stored // (255 // (2 ** min(data[24], 8) - 1))
            ids = turned((stored[..., 0] if stored.ndim == 3 else stored).astype(np.int64), orientation(file))
        elif not np.ptp(colours, axis=2).any():
            ids = colours[..., 0].astype(np.int64)
        return cls(colours, ids, file.mode == "P")

    def with_ids(self, wanted: Mapping[str, tuple[int, ...]]) -> _Masks:
        """Where each part kind's numbers are; a PortraitError in a label of colours."""
        if self.ids is None:
            raise PortraitError(f"its label has no ids but {self.described}; describe it by colours")
        return {kind: np.isin(self.ids, ids) for kind, ids in wanted.items()}

    def with_colours(self, wanted: _Wanted, tolerance: int) -> _Masks:
        """Where each part kind's colours are, the nearest within the tolerance.

        [n, n, n] for all kinds is the id n where the label is a palette that shows no such colour, or grey of
        more than eight bits.
        """
        label = self.colours.astype(np.int16)
        grey = all(len(set(colour)) == 1 for colours in wanted.values() for colour in colours)
        if grey and self.ids is not None and not self._shows(wanted, tolerance):
            label = np.repeat(self.ids[..., None], 3, axis=2)
        away = [
            np.min([np.abs(label - np.array(colour)).max(axis=2) for colour in colours], axis=0)
            for colours in wanted.values()
        ]
        nearest = np.argmin(away, axis=0)
        return {
            kind: (nearest == position) & (distance <= tolerance)
            for position, (kind, distance) in enumerate(zip(wanted, away, strict=True))
        }

    def with_nearest(self, wanted: _Wanted, others: _Colours) -> _Masks:
        """Where each part kind's colours are nearer than all others."""
        named = [*wanted.items(), ("", others)]
        palette = np.array([colour for _, colours in named for colour in colours], np.float32)
        owners = np.array([owner for owner, (_, colours) in enumerate(named) for _ in colours])
        # |pixel − colour|² without |pixel|², which is the same for all colours
        distances = np.square(palette).sum(axis=1) - 2 * self.colours.astype(np.float32) @ palette.T
        nearest = owners[np.argmin(distances, axis=2)]
        return {kind: nearest == owner for owner, kind in enumerate(wanted)}

    def _shows(self, wanted: _Wanted, tolerance: int) -> bool:
        """Whether the colours, taken as such, are there."""
        if not self.palette and self.ids is not None and self.ids.max() > 255:
            return not (self.ids % 257).any()  # eight bits spread over sixteen
        named = [colour for colours in wanted.values() for colour in colours]
        return any(np.abs(self._colours - np.array(colour)).max(axis=1).min() <= tolerance for colour in named)

    @cached_property
    def _colours(self) -> Int[np.ndarray, "n 3"]:
        """Those that occur, the most frequent first."""
        packed = self.colours.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
        found, counts = np.unique(packed, return_counts=True)
        return np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)[np.argsort(-counts, kind="stable")]

    @property
    def described(self) -> str:
        """The ids and colours that it has, for messages."""
        words = [f"the colours {_listed([str(colour.tolist()) for colour in self._colours])}"]
        if self.ids is not None:
            words.insert(0, f"the ids {_listed([str(number) for number in np.unique(self.ids).tolist()])}")
        return " and ".join(words)


def read_mask(path: Path, *, soft: bool = False) -> Bool[np.ndarray, "rows cols"]:
    """Where a mask is: its alpha channel where that is not the same everywhere, else what is bright.

    Bright, or opaque, is what exceeds half of the highest value; of a `soft` mask, of the highest possible one.
    """
    data = read_content(path)
    colours = decode_image(data, str(path))
    if soft:
        return highest(colours) > 127
    file = open_image(data, str(path))
    if "transparency" in file.info or file.mode in ("RGBA", "LA", "PA"):
        alpha = np.asarray(file.convert("RGBA"))[..., 3]
        if np.ptp(alpha):
            return turned(_upper_half(alpha), orientation(file))
    if file.mode.startswith("I"):
        return turned(_upper_half(np.asarray(file)), orientation(file))
    return _upper_half(highest(colours))


def _upper_half(levels: np.ndarray) -> Bool[np.ndarray, "rows cols"]:
    return np.asarray((levels > levels.max() / 2) & (levels > 0))


def _listed(words: list[str]) -> str:
    more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return ", ".join(words[:_NAMED]) + more
