"""From a condition and a seed to a table of stimuli."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from configural.errors import ConfiguralError, PortraitSkippedWarning
from configural.faces import PART_KINDS, FaceLibrary
from configural.stimuli.conditions import PLACEMENTS, UPRIGHT, Condition, MovedPart
from configural.stimuli.conditions import condition as find_condition
from configural.stimuli.geometry import (
    REFERENCE_ROWS,
    constellation_middle,
    part_starts,
    posed_extent,
    surface_sizes,
    surface_start,
)
from configural.stimuli.table import CLASS_NAMES, POSE_COLUMNS, SUBSETS, StimulusTable

SPLITS = ("paper", "identity")

# Random numbers are drawn in blocks of fixed length, each block from a generator of its own, so that a
# stimulus's host, donors and jitter depend only on the seed, its class and its index, and neither on how
# many stimuli are asked for nor, redraws aside, on the condition.
_BLOCK = 1024
_ATTEMPTS = 64


_ATTEMPTS_WHOLE = 256
_GAP = 2
"""Pixels of a 512-row portrait that are left between parts which must not overlap."""


@dataclass(frozen=True)
class _Draws:
    """Random choices of one class: per stimulus, and per slot."""

    host: Int[np.ndarray, " n"]
    kind: Int[np.ndarray, "n 4"]
    donor: Int[np.ndarray, "n 4"]
    jitter: Int[np.ndarray, "n 4 2"]
    shift: Int[np.ndarray, "n 2"]
    rotation: Float[np.ndarray, " n"]
    scale: Float[np.ndarray, " n"]


class _HostUnfitError(Exception):
    def __init__(self, host: int, reason: str) -> None:
        self.host, self.reason = host, reason


def sample(
    faces: FaceLibrary,
    condition: str | Condition = "ffa",
    split: str = "paper",
    count: int = 2000,
    seed: int = 0,
    placement: str | None = None,
    pairs: bool = False,
) -> StimulusTable:
    """Sample stimuli by the study's procedure, half of them faces.

    Each stimulus draws a host, and per slot a donor and a jitter; a part that would leave the canvas redraws
    its donor and jitter. Of n per class, indices up to 0.8 n are train, then up to 0.95 n test, then valid.

    Where a condition poses the constellation, spaces its parts, moves one or matches the classes, what does not fit
    redraws everything but its host, in a matched pair for both pictures.

    Args:
        faces: The heads to draw from.
        condition: A condition, or what `configural.stimuli.condition` understands.
        split: `paper` draws train, valid and test from all heads; `identity` from disjoint sets of persons.
        count: How many stimuli in all; even.
        seed: 0 or above.
        placement: left, middle, right, or shifted for a third each within every class and subset; the condition's
            if not given.
        pairs: Match the classes in pairs, whether the condition says so or not.

    Returns:
        The table: all of no_face by index, then all of face.

    Raises:
        ConfiguralError: If an argument is none of the above, or no head can serve as host.
    """
    condition = find_condition(condition)
    if pairs:
        condition = replace(condition, matched=True)
    placement = condition.placement if placement is None else placement
    if split not in SPLITS:
        raise ConfiguralError(f"unknown split '{split}': choose one of {', '.join(SPLITS)}")
    if placement not in (*PLACEMENTS, "shifted"):
        raise ConfiguralError(f"unknown placement '{placement}': choose one of {', '.join(PLACEMENTS)}, shifted")
    if count < 2 or count % 2:
        raise ConfiguralError(f"count {count} must be even and at least 2: half of the pictures are faces")
    if seed < 0:
        raise ConfiguralError(f"seed {seed} must be 0 or above")

    subsets = subset_of_index(count // 2)
    places = _placements(placement, subsets)
    pools = _pools(faces, split, seed)
    unfit: list[int] = []
    while True:
        try:
            both = _draw_classes(faces, condition, pools, subsets, places, seed, unfit)
            break
        except _HostUnfitError as failure:
            unfit.append(failure.host)
            warnings.warn(
                f"{faces[failure.host].name}: not used as a host: {failure.reason} ({condition.name})",
                PortraitSkippedWarning,
                stacklevel=2,
            )
    frames = [
        _frame(faces, draws, subsets, label, places).assign(**_extras(condition, seed, label, len(subsets)))
        for label, draws in enumerate(both)
    ]
    frame = pd.concat(frames, ignore_index=True)[_COLUMNS]
    return StimulusTable(frame, condition, placement, split, count, seed, faces.source, faces.fingerprint)


def _draw_classes(
    faces: FaceLibrary,
    condition: Condition,
    pools: list[Int[np.ndarray, " _"]],
    subsets: Int[np.ndarray, " n"],
    places: np.ndarray,
    seed: int,
    unfit: list[int],
) -> list[_Draws]:
    labels = tuple(range(len(CLASS_NAMES)))
    if condition.matched:
        return _draw_whole(faces, condition, pools, subsets, places, labels, seed, unfit)
    if condition.posed or condition.spacing == "apart" or isinstance(condition.arrangement, MovedPart):
        return [
            draws
            for label in labels
            for draws in _draw_whole(faces, condition, pools, subsets, places, (label,), seed, unfit)
        ]
    return [_draw(faces, condition, pools, subsets, label, seed, unfit) for label in labels]


def _placements(placement: str, subsets: Int[np.ndarray, " n"]) -> np.ndarray:
    """Each stimulus's placement, the same in both classes."""
    if placement != "shifted":
        return np.full(len(subsets), placement, dtype=object)
    rank = pd.Series(subsets).groupby(subsets).cumcount().to_numpy()
    return np.array(PLACEMENTS, dtype=object)[rank % 3]


def subset_of_index(n: int) -> Int[np.ndarray, " n"]:
    """For each index of a class of n: the position of its subset in `SUBSETS` (train, valid, test).

    Index i is train if i ≤ 0.8 n, else test if i ≤ 0.95 n, else valid; in whole numbers, so that no rounding
    error moves a border.
    """
    index = np.arange(n)
    return np.select([5 * index <= 4 * n, 20 * index <= 19 * n], [0, 2], default=1)


def _pools(faces: FaceLibrary, split: str, seed: int) -> list[Int[np.ndarray, " _"]]:
    """For each subset, the positions of the heads it draws from."""
    if split == "paper":
        return [np.arange(len(faces))] * len(SUBSETS)
    by_person: dict[str, list[int]] = {}
    for position, head in enumerate(faces.heads):
        by_person.setdefault(head.person, []).append(position)
    persons = list(by_person.values())
    order = np.random.default_rng([seed, len(persons)]).permutation(len(persons))
    wanted = {"test": max(2, round(0.2 * len(faces))), "valid": max(2, round(0.1 * len(faces)))}
    pools: dict[str, list[int]] = {name: [] for name in SUBSETS}
    for person in order:
        short = next((name for name in wanted if len(pools[name]) < wanted[name]), "train")
        pools[short].extend(persons[person])
    if len(pools["train"]) < 2:
        raise ConfiguralError(
            f"{faces.source}: {len(persons)} persons are too few for the identity split, which needs at "
            "least 2 heads each for train, valid and test; use --split paper or more portraits"
        )
    return [np.sort(pools[name]) for name in SUBSETS]


def _draw(
    faces: FaceLibrary,
    condition: Condition,
    pools: list[Int[np.ndarray, " _"]],
    subsets: Int[np.ndarray, " n"],
    label: int,
    seed: int,
    unfit: list[int],
) -> _Draws:
    n = len(subsets)
    everyone = np.arange(n)
    host = _draw_hosts(faces, condition, pools, subsets, label, seed, unfit)
    kind = _arrange(condition, label, seed, label, 0, everyone)
    donor = np.empty((n, 4), int)
    jitter = np.empty((n, 4, 2), int)
    redraw = np.ones((n, 4), bool)
    for attempt in range(_ATTEMPTS):
        chance = _uniform(seed, label, "filling", attempt, everyone, 12).reshape(n, 4, 3)
        fresh = np.stack([_choose(pools, subsets, chance[:, slot, 0]) for slot in range(4)], axis=1)
        donor[redraw] = fresh[redraw]
        jitter[redraw] = (chance[..., 1:] * _jitter_steps(faces, condition, host)).astype(int)[redraw]
        redraw = ~_fits(faces, condition, host, kind, donor, jitter)
        if not redraw.any():
            break
    for row, slot in zip(*np.nonzero(redraw), strict=True):
        # Rare: so few donors fit that drawing misses them. Choose evenly among all that do.
        choice = _fitting(faces, condition, int(host[row]), int(kind[row, slot]), int(slot), pools[subsets[row]])
        if not len(choice):
            what = f"no {PART_KINDS[kind[row, slot]]} fits into its {PART_KINDS[slot]} slot"
            raise _HostUnfitError(int(host[row]), what)
        rng = np.random.default_rng([seed, label, int(row), int(slot), _ATTEMPTS])
        donor[row, slot], *jitter[row, slot] = choice[rng.integers(len(choice))]
    return _Draws(host, kind, donor, jitter, np.zeros((n, 2), int), np.zeros(n), np.ones(n))


def _draw_whole(
    faces: FaceLibrary,
    condition: Condition,
    pools: list[Int[np.ndarray, " _"]],
    subsets: Int[np.ndarray, " n"],
    places: np.ndarray,
    labels: tuple[int, ...],
    seed: int,
    unfit: list[int],
) -> list[_Draws]:
    """Draw the classes in `labels` together, stimulus by stimulus from the same material.

    Where a constellation fits in none of its places, or not in every class, all but the host is drawn again.
    """
    n, stream = len(subsets), labels[0]
    host = _draw_hosts(faces, condition, pools, subsets, stream, seed, unfit)
    kind, donor = np.empty((2, len(labels), n, 4), int)
    jitter = np.empty((len(labels), n, 4, 2), int)
    shift, rotation, scale = np.empty((n, 2), int), np.empty(n), np.empty(n)
    filled = [slot for slot, name in enumerate(PART_KINDS) if name in condition.filled]
    rows = np.arange(n)
    for attempt in range(_ATTEMPTS_WHOLE):
        here = host[rows]
        chance = _uniform(seed, stream, "filling", attempt, rows, 12).reshape(len(rows), 4, 3)
        # One donor per part kind, so that matched classes hold the same parts wherever these lie.
        by_kind = np.stack([_choose(pools, subsets[rows], chance[:, part, 0]) for part in range(4)], axis=1)
        tremble = (chance[..., 1:] * _jitter_steps(faces, condition, here)).astype(int)
        pose = _uniform(seed, stream, "pose", attempt, rows, 5)
        rotation[rows] = condition.rotation[0] + pose[:, 0] * (condition.rotation[1] - condition.rotation[0])
        scale[rows] = condition.scale[0] + pose[:, 1] * (condition.scale[1] - condition.scale[0])
        fits = np.ones(len(rows), bool)
        lows, highs = [], []
        for position, label in enumerate(labels):
            order = _arrange(condition, label, seed, stream, attempt, rows)
            kind[position, rows] = order
            donor[position, rows] = np.take_along_axis(by_kind, order, axis=1)
            jitter[position, rows] = tremble + _displacement(faces, condition, label, here, pose[:, 4])
            start, size = part_starts(faces, condition, here, order, donor[position, rows], jitter[position, rows])
            start[..., 1] += surface_start(faces, condition, here, places[rows])[:, None]
            middle = constellation_middle(faces, here)
            middle[:, 1] += surface_start(faces, condition, here, places[rows])
            low, high = posed_extent(start, size, middle, rotation[rows], scale[rows])
            lows.append(low[:, filled].min(axis=1))
            highs.append(high[:, filled].max(axis=1))
            if condition.spacing == "apart":
                gap = np.rint(_GAP * faces.canvas_sizes[here, 0] / REFERENCE_ROWS).astype(int)
                fits &= ~_overlap(start[:, filled], size[:, filled] + gap[:, None, None])
        least, most = _shifts(faces, condition, here, np.min(lows, axis=0), np.max(highs, axis=0))
        shift[rows] = least + (pose[:, 2:4] * np.maximum(most - least + 1, 1)).astype(int)
        fits &= (least <= most).all(axis=1)
        rows = rows[~fits]
        if not len(rows):
            break
    else:
        raise _HostUnfitError(int(host[rows[0]]), "no constellation fits onto it")
    return [
        _Draws(host, kind[position], donor[position], jitter[position], shift, rotation, scale)
        for position in range(len(labels))
    ]


def _draw_hosts(
    faces: FaceLibrary,
    condition: Condition,
    pools: list[Int[np.ndarray, " _"]],
    subsets: Int[np.ndarray, " n"],
    stream: int,
    seed: int,
    unfit: list[int],
) -> Int[np.ndarray, " n"]:
    hosts = [np.setdiff1d(pool, unfit) for pool in pools]
    for name, pool in zip(SUBSETS, hosts, strict=True):
        if not len(pool):
            raise ConfiguralError(
                f"{faces.source}: no head of {name} can serve as a host under condition {condition.name}"
            )
    return _choose(hosts, subsets, _uniform(seed, stream, "host", 0, np.arange(len(subsets)), 1)[:, 0])


def _arrange(
    condition: Condition, label: int, seed: int, stream: int, attempt: int, rows: Int[np.ndarray, " n"]
) -> Int[np.ndarray, "n 4"]:
    """The part kind in each slot."""
    if label == CLASS_NAMES.index("face"):
        return np.tile(UPRIGHT, (len(rows), 1))
    scrambles = np.array(condition.scrambles)
    chance = _uniform(seed, stream, "arrangement", attempt, rows, 1)[:, 0]
    return scrambles[(chance * len(scrambles)).astype(int)]


def _jitter_steps(
    faces: FaceLibrary, condition: Condition, host: Int[np.ndarray, " n"]
) -> Int[np.ndarray, "n 1 1"]:
    """How many values a part's jitter can take along one side of its host."""
    return np.rint(condition.jitter * faces.canvas_sizes[host, :1, None] / REFERENCE_ROWS).astype(int) + 1


def _displacement(
    faces: FaceLibrary, condition: Condition, label: int, host: Int[np.ndarray, " n"], chance: np.ndarray
) -> Int[np.ndarray, "n 4 2"]:
    """Rows and columns by which the arrangement moves one part of a no_face; 0 for all others."""
    moved = np.zeros((len(host), 4, 2), int)
    rule = condition.arrangement
    if isinstance(rule, MovedPart) and label == CLASS_NAMES.index("no_face"):
        distance = rule.distance * faces.canvas_sizes[host, 0] / REFERENCE_ROWS
        direction = np.stack([np.sin(2 * np.pi * chance), np.cos(2 * np.pi * chance)], axis=1)
        moved[:, PART_KINDS.index(rule.part)] = np.rint(distance[:, None] * direction)
    return moved


def _overlap(start: Int[np.ndarray, "n parts 2"], size: Int[np.ndarray, "n parts 2"]) -> Bool[np.ndarray, " n"]:
    """Whether the boxes of any two parts share a pixel."""
    end = start + size
    shared = np.minimum(end[:, :, None], end[:, None]) > np.maximum(start[:, :, None], start[:, None])
    return (shared.all(axis=-1) & ~np.eye(start.shape[1], dtype=bool)).any(axis=(1, 2))


def _shifts(
    faces: FaceLibrary,
    condition: Condition,
    host: Int[np.ndarray, " n"],
    low: Int[np.ndarray, "n 2"],
    high: Int[np.ndarray, "n 2"],
) -> tuple[Int[np.ndarray, "n 2"], Int[np.ndarray, "n 2"]]:
    """The least and the most rows and columns by which a constellation can be moved within the surface."""
    least, most = -low, surface_sizes(faces, condition, host) - high
    if condition.shift == "anywhere":
        return least, most
    wanted = np.zeros((2, 2)) if condition.shift is None else np.array(condition.shift, float)
    lengths = np.rint(wanted * faces.canvas_sizes[host, 0, None, None] / REFERENCE_ROWS).astype(int)
    return np.maximum(least, lengths[..., 0]), np.minimum(most, lengths[..., 1])


def _extras(condition: Condition, seed: int, label: int, n: int) -> dict[str, np.ndarray]:
    """What is drawn apart from the parts and their pose."""
    stream = 0 if condition.matched else label
    everyone = np.arange(n)
    noise = _uniform(seed, stream, "noise", 0, everyone, 1)[:, 0] * (condition.background == "noise")
    return {
        "pair": everyone if condition.matched else np.full(n, -1),
        "inverted": _uniform(seed, stream, "inverted", 0, everyone, 1)[:, 0] < condition.inverted,
        "noise": (noise * 2**31).astype(int),
    }


_STREAMS = ("host", "arrangement", "filling", "pose", "inverted", "noise")


def _uniform(
    seed: int, label: int, stream: str, attempt: int, rows: Int[np.ndarray, " n"], width: int
) -> Float[np.ndarray, "n width"]:
    """Numbers from [0, 1), of which those of one row are the same whatever other rows are asked for."""
    numbers = np.empty((len(rows), width))
    blocks = rows // _BLOCK
    for block in np.unique(blocks):
        rng = np.random.default_rng([seed, label, _STREAMS.index(stream), attempt, int(block)])
        mine = blocks == block
        numbers[mine] = rng.random((_BLOCK, width))[rows[mine] % _BLOCK]
    return numbers


def _choose(
    pools: list[Int[np.ndarray, " _"]], subsets: Int[np.ndarray, " n"], chance: np.ndarray
) -> Int[np.ndarray, " n"]:
    """Turn chances from [0, 1) into heads of each stimulus's own pool."""
    chosen = np.empty(len(subsets), int)
    for subset, pool in enumerate(pools):
        mine = subsets == subset
        chosen[mine] = pool[(chance[mine] * len(pool)).astype(int)]
    return chosen


def _fits(
    faces: FaceLibrary,
    condition: Condition,
    host: Int[np.ndarray, " n"],
    kind: Int[np.ndarray, "n 4"],
    donor: Int[np.ndarray, "n 4"],
    jitter: Int[np.ndarray, "n 4 2"],
) -> np.ndarray:
    """Whether each part's bounding box lies inside its host's canvas, or its slot stays empty; n × 4."""
    start, size = part_starts(faces, condition, host, kind, donor, jitter)
    inside = ((start >= 0) & (start + size <= faces.canvas_sizes[host][:, None, :])).all(axis=2)
    return inside | ~np.isin(PART_KINDS, condition.filled)


def _fitting(
    faces: FaceLibrary, condition: Condition, host: int, kind: int, slot: int, pool: Int[np.ndarray, " _"]
) -> Int[np.ndarray, "choices 3"]:
    """All (donor, row jitter, column jitter) with which the part stays on the canvas."""
    steps = np.arange(_jitter_steps(faces, condition, np.array([host])).item())
    donor, row, col = (axis.ravel() for axis in np.meshgrid(pool, steps, steps, indexing="ij"))
    n = len(donor)
    donors = np.repeat(donor[:, None], 4, axis=1)
    jitter = np.repeat(np.stack([row, col], axis=1)[:, None], 4, axis=1)
    fits = _fits(faces, condition, np.full(n, host), np.full((n, 4), kind), donors, jitter)[:, slot]
    return np.stack([donor, row, col], axis=1)[fits]


_COLUMNS = [
    *("index", "subset", "label", "class_name", "file", "host", "placement"),
    *(f"{slot}_{what}" for slot in PART_KINDS for what in ("kind", "donor", "row", "col")),
    *POSE_COLUMNS,
]


def _frame(
    faces: FaceLibrary, draws: _Draws, subsets: Int[np.ndarray, " n"], label: int, places: np.ndarray
) -> pd.DataFrame:
    names = np.array([head.name for head in faces.heads], dtype=object)
    kinds = np.array(PART_KINDS, dtype=object)
    subset = np.array(SUBSETS, dtype=object)[subsets]
    index = np.arange(len(subsets))
    class_name = CLASS_NAMES[label]
    columns: dict[str, object] = {
        "index": index,
        "subset": subset,
        "label": label,
        "class_name": class_name,
        "file": [f"{where}/{class_name}/pic_{i:05d}.png" for where, i in zip(subset, index, strict=True)],
        "host": names[draws.host],
        "placement": places,
        "shift_row": draws.shift[:, 0],
        "shift_col": draws.shift[:, 1],
        "rotation": draws.rotation,
        "scale": draws.scale,
    }
    for position, slot in enumerate(PART_KINDS):
        columns[f"{slot}_kind"] = kinds[draws.kind[:, position]]
        columns[f"{slot}_donor"] = names[draws.donor[:, position]]
        columns[f"{slot}_row"] = draws.jitter[:, position, 0]
        columns[f"{slot}_col"] = draws.jitter[:, position, 1]
    return pd.DataFrame(columns)
