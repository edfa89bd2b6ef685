"""The random choices behind stimuli: hosts, arrangements, donors, jitter, poses."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from configural.errors import ConfiguralError
from configural.portraits import Library
from configural.stimuli.conditions import Condition, MovedPart
from configural.stimuli.layout import REFERENCE_SIDE, Draws, Layout, drawn, lay_out
from configural.stimuli.table import SUBSETS

# Random numbers are drawn in blocks of fixed length, each block from a generator of its own, so that a
# stimulus's host, donors and jitter depend only on the seed, its class and its index, and neither on how
# many stimuli are drawn nor, redraws aside, on the condition.
BLOCK = 1024
_ATTEMPTS = 64
_ATTEMPTS_WHOLE = 256
_GAP = 2
"""Pixels of a portrait of 512 that are left between parts which must not overlap."""


_Each = Int[np.ndarray, " n"]
_BySlot = Int[np.ndarray, "n slots"]
_Moves = Int[np.ndarray, "n slots 2"]


@dataclass(frozen=True)
class Rows:
    """Numbers within the class, positions in `SUBSETS` and placements of some stimuli, before anything is drawn."""

    index: _Each
    subsets: _Each
    placement: np.ndarray

    def __len__(self) -> int:
        return len(self.index)

    def take(self, positions: Int[np.ndarray, " m"]) -> "Rows":
        """Some of them."""
        return Rows(self.index[positions], self.subsets[positions], self.placement[positions])


class HostUnfitError(Exception):
    """Nothing fits onto the canvas of the exemplar at that position in its library."""

    def __init__(self, host: int, reason: str) -> None:
        self.host, self.reason = host, reason


@dataclass(frozen=True)
class Drawing:
    """What stimuli are drawn from, and how.

    Attributes:
        pools: For each subset, the positions of the exemplars it draws from.
        unfit: Positions of exemplars that do not serve as hosts.
    """

    library: Library
    condition: Condition
    pools: list[Int[np.ndarray, " _"]]
    seed: int
    unfit: tuple[int, ...] = ()

    @property
    def slots(self) -> int:
        """How many slots the object has."""
        return len(self.library.scheme.part_kinds)

    def draw(self, rows: Rows, labels: tuple[int, ...]) -> list[Draws]:
        """Draw the same rows of some classes; what is drawn for a row is the same whatever other rows are drawn.

        A HostUnfitError says that nothing fits onto a host that was drawn.
        """
        condition = self.condition
        if condition.matched:
            # Both classes of a pair have to fit, so they are drawn together even where one is wanted.
            both = self._draw_whole(rows, (0, 1))
            return [both[label] for label in labels]
        if condition.posed or condition.spacing == "apart" or isinstance(condition.arrangement, MovedPart):
            return [self._draw_whole(rows, (label,))[0] for label in labels]
        return [self._draw_parts(rows, label) for label in labels]

    def _draw_parts(self, rows: Rows, label: int) -> Draws:
        """The study's way: a part that does not fit is drawn again, by itself."""
        n, slots, kinds = len(rows), self.slots, self.library.scheme.part_kinds
        host = self._hosts(rows, label)
        kind = self._arrange(label, label, 0, rows.index)
        donor = np.empty((n, slots), int)
        jitter = np.empty((n, slots, 2), int)
        redraw = np.ones((n, slots), bool)
        for attempt in range(_ATTEMPTS):
            left = np.flatnonzero(redraw.any(axis=1))
            fresh, tremble = self._contents(rows.take(left), host[left], label, attempt)
            donor[redraw], jitter[redraw] = fresh[redraw[left]], tremble[redraw[left]]
            redraw[left] = ~self._fits(host[left], kind[left], donor[left], jitter[left])
            if not redraw.any():
                break
        for row, slot in zip(*np.nonzero(redraw), strict=True):
            # Rare: so few donors fit that drawing misses them. Choose evenly among all that do.
            choice = self._fitting(int(host[row]), int(kind[row, slot]), int(slot), self.pools[rows.subsets[row]])
            if not len(choice):
                what = f"no {kinds[kind[row, slot]]} fits into its {kinds[slot]} slot"
                raise HostUnfitError(int(host[row]), what)
            rng = np.random.default_rng([self.seed, label, int(rows.index[row]), int(slot), _ATTEMPTS])
            donor[row, slot], *jitter[row, slot] = choice[rng.integers(len(choice))]
        return drawn(host, kind, donor, jitter)

    def _draw_whole(self, everyone: Rows, labels: tuple[int, ...]) -> list[Draws]:
        """Draw the classes in `labels` together, stimulus by stimulus from the same material.

        Where a constellation fits in none of its positions, or not in every class, all but the host is drawn again.
        """
        n, stream, condition = len(everyone), labels[0], self.condition
        host = self._hosts(everyone, stream)
        kind, donor = np.empty((2, len(labels), n, self.slots), int)
        jitter = np.empty((len(labels), n, self.slots, 2), int)
        shift, rotation, scale = np.empty((n, 2), int), np.empty(n), np.empty(n)
        left = np.arange(n)
        for attempt in range(_ATTEMPTS_WHOLE):
            here, rows = host[left], everyone.take(left)
            # One donor per part kind, so that matched classes hold the same parts wherever these lie.
            by_kind, tremble = self._contents(rows, here, stream, attempt)
            pose = uniform(self.seed, stream, "pose", attempt, rows.index, 5)
            rotation[left] = condition.rotation[0] + pose[:, 0] * (condition.rotation[1] - condition.rotation[0])
            scale[left] = condition.scale[0] + pose[:, 1] * (condition.scale[1] - condition.scale[0])
            fits = np.ones(len(rows), bool)
            layouts = []
            for position, label in enumerate(labels):
                order = self._arrange(label, stream, attempt, rows.index)
                kind[position, left] = order
                donor[position, left] = np.take_along_axis(by_kind, order, axis=1)
                jitter[position, left] = tremble + self._displacement(label, here, pose[:, 4])
                parts = here, order, donor[position, left], jitter[position, left]
                draws = drawn(*parts, rotation=rotation[left], scale=scale[left])
                layout = lay_out(self.library, condition, draws=draws, placement=rows.placement)
                layouts.append(layout)
                if condition.spacing == "apart":
                    fits &= ~_overlap(layout)
            least, most = _shifts(condition, layouts)
            shift[left] = least + (pose[:, 2:4] * np.maximum(most - least + 1, 1)).astype(int)
            fits &= (least <= most).all(axis=1)
            left = left[~fits]
            if not len(left):
                break
        else:
            raise HostUnfitError(int(host[left[0]]), "no constellation fits onto it")
        pose = {"shift": shift, "rotation": rotation, "scale": scale}
        return [drawn(host, *of_label, **pose) for of_label in zip(kind, donor, jitter, strict=True)]

    def _hosts(self, rows: Rows, stream: int) -> _Each:
        hosts = [np.setdiff1d(pool, self.unfit) for pool in self.pools]
        for name, pool in zip(SUBSETS, hosts, strict=True):
            if not len(pool):
                raise ConfiguralError(
                    f"{self.library.source}: no exemplar of {name} can serve as a host under condition "
                    f"{self.condition.name}"
                )
        return _choose(hosts, rows.subsets, uniform(self.seed, stream, "host", 0, rows.index, 1)[:, 0])

    def _contents(self, rows: Rows, host: _Each, stream: int, attempt: int) -> tuple[_BySlot, _Moves]:
        """A donor and a jitter for each slot or, if it is drawn by part kind, each of these."""
        width = 3 * self.slots
        chance = uniform(self.seed, stream, "content", attempt, rows.index, width).reshape(len(rows), self.slots, 3)
        donors = [_choose(self.pools, rows.subsets, chance[:, slot, 0]) for slot in range(self.slots)]
        return np.stack(donors, axis=1), (chance[..., 1:] * self._jitter_steps(host)).astype(int)

    def _arrange(self, label: int, stream: int, attempt: int, index: _Each) -> _BySlot:
        """The part kind in each slot."""
        if label:
            return np.tile(self.library.scheme.correct, (len(index), 1))
        scrambles = np.array(self.condition.scrambles(self.library.scheme))
        chance = uniform(self.seed, stream, "arrangement", attempt, index, 1)[:, 0]
        return scrambles[(chance * len(scrambles)).astype(int)]

    def _jitter_steps(self, host: _Each) -> Int[np.ndarray, "n 1 1"]:
        """How many values a part's jitter can take along one side of its host."""
        steps = self.condition.jitter * self.library.sides[host, None, None] / REFERENCE_SIDE
        return np.rint(steps).astype(int) + 1

    def _displacement(self, label: int, host: _Each, chance: Float[np.ndarray, " n"]) -> _Moves:
        """Rows and columns by which the arrangement moves one part of a scrambled object; 0 for all others."""
        moved = np.zeros((len(host), self.slots, 2), int)
        rule = self.condition.arrangement
        if isinstance(rule, MovedPart) and not label:
            distance = rule.distance * self.library.sides[host] / REFERENCE_SIDE
            direction = np.stack([np.sin(2 * np.pi * chance), np.cos(2 * np.pi * chance)], axis=1)
            moved[:, self.library.scheme.index(rule.part)] = np.rint(distance[:, None] * direction)
        return moved

    def _fits(self, host: _Each, kind: _BySlot, donor: _BySlot, jitter: _Moves) -> Bool[np.ndarray, "n slots"]:
        """Whether each part's box lies inside its host's canvas, or its slot stays empty."""
        draws, anywhere = drawn(host, kind, donor, jitter), np.full(len(host), "middle")
        layout = lay_out(self.library, self.condition, draws=draws, placement=anywhere)
        first = layout.canvas[:, None]
        inside = (layout.low >= first) & (layout.high <= first + self.library.canvas_sizes[host][:, None])
        return inside.all(axis=2) | ~layout.filled

    def _fitting(
        self, host: int, kind: int, slot: int, pool: Int[np.ndarray, " _"]
    ) -> Int[np.ndarray, "choices 3"]:
        """All (donor, row jitter, column jitter) with which the part stays on the canvas."""
        steps = np.arange(self._jitter_steps(np.array([host])).item())
        donor, row, col = (axis.ravel() for axis in np.meshgrid(pool, steps, steps, indexing="ij"))
        hosts, kinds = np.full(len(donor), host), np.full((len(donor), self.slots), kind)
        donors = np.repeat(donor[:, None], self.slots, axis=1)
        jitter = np.repeat(np.stack([row, col], axis=1)[:, None], self.slots, axis=1)
        return np.stack([donor, row, col], axis=1)[self._fits(hosts, kinds, donors, jitter)[:, slot]]


def _overlap(layout: Layout) -> Bool[np.ndarray, " n"]:
    """Whether the boxes of any two parts share a pixel, or nearly do."""
    filled = np.flatnonzero(layout.filled[0])
    gap = np.rint(_GAP * layout.side / REFERENCE_SIDE).astype(int)[:, None, None]
    start = layout.start[:, filled]
    end = start + layout.size[:, filled] + gap
    shared = np.minimum(end[:, :, None], end[:, None]) > np.maximum(start[:, :, None], start[:, None])
    return np.any(shared.all(axis=-1) & ~np.eye(len(filled), dtype=bool), axis=(1, 2))


def _shifts(condition: Condition, layouts: list[Layout]) -> tuple[Int[np.ndarray, "n 2"], Int[np.ndarray, "n 2"]]:
    """The least and the most rows and columns by which constellations can be moved within the surface."""
    filled = np.flatnonzero(layouts[0].filled[0])
    low = np.min([layout.low[:, filled].min(axis=1) for layout in layouts], axis=0)
    high = np.max([layout.high[:, filled].max(axis=1) for layout in layouts], axis=0)
    least, most = -low, layouts[0].surface - high
    if condition.shift == "anywhere":
        return least, most
    wanted = np.zeros((2, 2)) if condition.shift is None else np.array(condition.shift, float)
    lengths = np.rint(wanted * layouts[0].side[:, None, None] / REFERENCE_SIDE).astype(int)
    return np.maximum(least, lengths[..., 0]), np.minimum(most, lengths[..., 1])


_STREAMS = ("host", "arrangement", "content", "pose", "inverted", "noise")


def uniform(
    seed: int, label: int, stream: str, attempt: int, index: _Each, width: int
) -> Float[np.ndarray, "n width"]:
    """Numbers from [0, 1), of which those of one index are the same whatever others are drawn."""
    numbers = np.empty((len(index), width))
    blocks = index // BLOCK
    for block in np.unique(blocks):
        rng = np.random.default_rng([seed, label, _STREAMS.index(stream), attempt, int(block)])
        mine = blocks == block
        numbers[mine] = rng.random((BLOCK, width))[index[mine] % BLOCK]
    return numbers


def _choose(pools: list[Int[np.ndarray, " _"]], subsets: _Each, chance: np.ndarray) -> _Each:
    """Turn chances from [0, 1) into exemplars of each stimulus's own pool."""
    chosen = np.empty(len(subsets), int)
    for subset, pool in enumerate(pools):
        mine = subsets == subset
        chosen[mine] = pool[(chance[mine] * len(pool)).astype(int)]
    return chosen
