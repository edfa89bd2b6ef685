"""Exemplars and the library that holds them."""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int, UInt8

from configural.errors import ConfiguralError, PortraitError
from configural.io.images import bounding_box
from configural.objects import FACE, ObjectScheme
from configural.portraits.canvas import fill_parts


@dataclass(frozen=True, eq=False)
class Part:
    """One part kind cut from one portrait.

    Attributes:
        kind: One of the scheme's.
        pixels: The portrait inside the mask's bounding box, RGB.
        mask: Which of these pixels belong to the part; touches all four sides.
        anchor: (row, column) of the bounding box's upper left corner in the portrait.
    """

    kind: str
    pixels: UInt8[np.ndarray, "rows cols 3"] = field(repr=False)
    mask: Bool[np.ndarray, "rows cols"] = field(repr=False)
    anchor: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Exemplar:
    """One portrait's canvas and its parts.

    Attributes:
        name: Unique within its library, such as `Train/7`.
        person: Who, or which object, is shown; exemplars with equal `person` are never on two sides of an identity
            split.
        portrait: The image as it was, RGB.
        segmentation: 0 where no part is, else 1 + the position of its kind in the scheme.
        canvas: The portrait with its parts removed and the surface filled in, RGB.
        parts: One per part kind, in paste order.
        note: What to know of how the parts were found; empty where they were labelled.
    """

    name: str
    person: str
    portrait: UInt8[np.ndarray, "rows cols 3"] = field(repr=False)
    segmentation: UInt8[np.ndarray, "rows cols"] = field(repr=False)
    canvas: UInt8[np.ndarray, "rows cols 3"] = field(repr=False)
    parts: tuple[Part, ...]
    note: str = ""

    @cached_property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the portrait, and of the canvas."""
        rows, cols = self.canvas.shape[:2]
        return rows, cols

    @cached_property
    def anchors(self) -> tuple[tuple[int, int], ...]:
        """(row, column) of every part's anchor."""
        return tuple(part.anchor for part in self.parts)

    @cached_property
    def part_sizes(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of every part."""
        return tuple((part.mask.shape[0], part.mask.shape[1]) for part in self.parts)

    @cached_property
    def portrait_crc(self) -> int:
        """CRC-32 of the portrait's pixels."""
        return zlib.crc32(self.portrait.tobytes())

    @cached_property
    def digest(self) -> str:
        """SHA-256 over size, portrait, segmentation and canvas, as 64 hex digits."""
        digest = hashlib.sha256(f"{self.portrait.shape}\0".encode())
        for pixels in (self.portrait, self.segmentation, self.canvas):
            digest.update(pixels.tobytes())
        return digest.hexdigest()

    @classmethod
    def cut(
        cls,
        name: str,
        portrait: UInt8[np.ndarray, "rows cols 3"],
        *,
        segmentation: UInt8[np.ndarray, "rows cols"],
        canvas: UInt8[np.ndarray, "rows cols 3"] | None = None,
        person: str | None = None,
        scheme: ObjectScheme = FACE,
    ) -> "Exemplar":
        """Cut the parts out of a portrait by its segmentation; the person is the `name` if not given.

        Without a canvas, the parts are filled in as the scheme says (`fill_parts`).

        Raises:
            PortraitError: If a part kind is missing from the segmentation, or an image is another than annotated.
        """
        wanted = (*segmentation.shape, 3)
        for what, image in (("portrait", portrait), ("canvas", canvas)):
            if image is not None and (image.dtype != np.uint8 or image.shape != wanted):
                raise PortraitError(
                    f"{name}: its {what} is {image.dtype} of {image.shape}; wanted is RGB in bytes (uint8), of the "
                    f"size of its segmentation: {wanted}"
                )
        masks = {kind: segmentation == 1 + scheme.index(kind) for kind in scheme.part_kinds}
        if missing := [kind for kind, mask in masks.items() if not mask.any()]:
            raise PortraitError(f"{name}: its segmentation shows no {' and no '.join(missing).replace('_', ' ')}")
        parts = []
        for kind, mask in masks.items():
            top, left, bottom, right = bounding_box(mask)
            box = np.s_[top:bottom, left:right]
            parts.append(Part(kind, portrait[box].copy(), mask[box].copy(), (top, left)))
        if canvas is None:
            canvas = fill_parts(portrait, segmentation, scheme=scheme)
        return cls(name, person or name, portrait, segmentation, canvas, tuple(parts))


@dataclass(frozen=True, eq=False)
class Library:
    """The exemplars that stimuli are made of.

    Attributes:
        source: What the library was loaded from, as the user wrote it.
        exemplars: At least two. Exemplars of a folder are read from the cache when they are needed; their names,
            persons, sizes and digests are at hand at once.
        skipped: (portrait, reason) for each portrait that could not be used.
        licence: What is known of the rights in the portraits, to be passed on with images made of them: `free`, or
            `free:` and a remark, if these may be passed on by anybody; of all else a data card warns.
        scheme: What the object consists of.
    """

    source: str
    exemplars: Sequence[Exemplar]
    skipped: tuple[tuple[str, str], ...] = ()
    licence: str = ""
    scheme: ObjectScheme = FACE

    def __post_init__(self) -> None:
        if len(self.exemplars) < 2:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self.skipped[:3])
            raise ConfiguralError(
                f"{self.source}: {len(self.exemplars)} usable exemplars, at least 2 are needed"
                + (f" (skipped {len(self.skipped)}: {reasons})" if reasons else "")
            )
        names = [exemplar.name for exemplar in self.exemplars]
        if len(set(names)) < len(names):
            raise ConfiguralError(f"{self.source}: two exemplars have the same name")

    def __len__(self) -> int:
        return len(self.exemplars)

    def __repr__(self) -> str:
        return f"Library({self.source!r}, {len(self)} exemplars, {len(self.skipped)} skipped)"

    def __getitem__(self, position: int) -> Exemplar:
        return self.exemplars[position]

    def position(self, name: str) -> int:
        """The position of the exemplar of that name.

        Raises:
            ConfiguralError: If there is none.
        """
        try:
            return self._positions[name]
        except KeyError:
            raise ConfiguralError(
                f"the stimuli name the exemplar '{name}', which {self.source} does not hold"
            ) from None

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {exemplar.name: position for position, exemplar in enumerate(self.exemplars)}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over every exemplar's name, person and digest, as 64 hex digits."""
        digest = hashlib.sha256()
        for exemplar in self.exemplars:
            digest.update(f"{exemplar.name}\0{exemplar.person}\0{exemplar.digest}\0".encode())
        return digest.hexdigest()

    @cached_property
    def persons(self) -> tuple[str, ...]:
        """Who is shown by each exemplar; whoever share an image, pixel for pixel, are one person.

        All are named after the first of them.
        """
        known: dict[tuple[int, tuple[int, int]], str] = {}
        named: dict[str, str] = {}

        def first(person: str) -> str:
            while named[person] != person:
                person = named[person]
            return person

        for exemplar in self.exemplars:
            named.setdefault(exemplar.person, exemplar.person)
            image = (exemplar.portrait_crc, exemplar.size)
            named[first(exemplar.person)] = first(known.setdefault(image, exemplar.person))
        return tuple(first(exemplar.person) for exemplar in self.exemplars)

    @cached_property
    def canvas_sizes(self) -> Int[np.ndarray, "exemplars 2"]:
        """Rows and columns of every canvas."""
        return np.array([exemplar.size for exemplar in self.exemplars])

    @cached_property
    def sides(self) -> Int[np.ndarray, " exemplars"]:
        """The longer side of every canvas: rows and columns of the square that it is padded to."""
        return self.canvas_sizes.max(axis=1)

    @cached_property
    def anchors(self) -> Int[np.ndarray, "exemplars parts 2"]:
        """(row, column) of every exemplar's anchor for every part kind."""
        return np.array([exemplar.anchors for exemplar in self.exemplars])

    @cached_property
    def part_sizes(self) -> Int[np.ndarray, "exemplars parts 2"]:
        """Rows and columns of every exemplar's parts."""
        return np.array([exemplar.part_sizes for exemplar in self.exemplars])
