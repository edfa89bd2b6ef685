"""From a condition and a seed to a table of stimuli."""

import itertools
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int

from configural.errors import ConfiguralError, PortraitSkippedWarning
from configural.faces import PART_KINDS, FaceLibrary
from configural.stimuli.conditions import PLACEMENTS, Condition
from configural.stimuli.conditions import condition as find_condition
from configural.stimuli.table import CLASS_NAMES, SUBSETS, StimulusTable

SPLITS = ("paper", "identity")

_EYES_SWAPPED = (1, 0, 2, 3)
UPRIGHT = (0, 1, 2, 3)
"""The arrangement of a face: each part kind in its own slot."""

SCRAMBLES = tuple(order for order in itertools.permutations(range(4)) if order not in (UPRIGHT, _EYES_SWAPPED))
"""The 22 arrangements of a no_face: position = slot, value = part kind. All shuffles but the face itself
and the one in which only the eyes have changed places."""

# Random numbers are drawn in blocks of fixed length, each block from a generator of its own, so that a
# stimulus's host, donors and jitter depend only on the seed, its class and its index, and neither on how
# many stimuli are asked for nor, redraws aside, on the condition.
_BLOCK = 1024
_ATTEMPTS = 64


@dataclass(frozen=True)
class _Draws:
    """Random choices of one class: per stimulus, and per slot."""

    host: Int[np.ndarray, " n"]
    kind: Int[np.ndarray, "n 4"]
    donor: Int[np.ndarray, "n 4"]
    jitter: Int[np.ndarray, "n 4 2"]


class _HostUnfitError(Exception):
    def __init__(self, host: int, kind: int, slot: int) -> None:
        self.host, self.kind, self.slot = host, kind, slot


def sample(
    faces: FaceLibrary,
    condition: str | Condition = "ffa",
    split: str = "paper",
    count: int = 2000,
    seed: int = 0,
    placement: str = "middle",
) -> StimulusTable:
    """Sample stimuli by the study's procedure, half of them faces.

    Each stimulus draws a host, and per slot a donor and a jitter; a part that would leave the canvas redraws
    its donor and jitter. Of n per class, indices up to 0.8 n are train, then up to 0.95 n test, then valid.

    Args:
        faces: The heads to draw from.
        condition: A condition or its name.
        split: `paper` draws train, valid and test from all heads; `identity` from disjoint sets of persons.
        count: How many stimuli in all; even.
        seed: 0 or above.
        placement: left, middle, right, or shifted for a third each within every class and subset.

    Returns:
        The table: all of no_face by index, then all of face.

    Raises:
        ConfiguralError: If an argument is none of the above, or no head can serve as host.
    """
    condition = find_condition(condition)
    if split not in SPLITS:
        raise ConfiguralError(f"unknown split '{split}': choose one of {', '.join(SPLITS)}")
    if placement not in (*PLACEMENTS, "shifted"):
        raise ConfiguralError(f"unknown placement '{placement}': choose one of {', '.join(PLACEMENTS)}, shifted")
    if count < 2 or count % 2:
        raise ConfiguralError(f"count {count} must be even and at least 2: half of the pictures are faces")
    if seed < 0:
        raise ConfiguralError(f"seed {seed} must be 0 or above")

    subsets = subset_of_index(count // 2)
    pools = _pools(faces, split, seed)
    unfit: list[int] = []
    while True:
        try:
            frames = [
                _frame(faces, _draw(faces, condition, pools, subsets, label, seed, unfit), subsets, label)
                for label in range(len(CLASS_NAMES))
            ]
            break
        except _HostUnfitError as failure:
            unfit.append(failure.host)
            warnings.warn(
                f"{faces[failure.host].name}: not used as a host: no "
                f"{PART_KINDS[failure.kind]} fits into its {PART_KINDS[failure.slot]} slot ({condition.name})",
                PortraitSkippedWarning,
                stacklevel=2,
            )
    frame = pd.concat(frames, ignore_index=True)
    if placement == "shifted":
        rank = frame.groupby(["label", "subset"]).cumcount().to_numpy()
        frame["placement"] = np.array(PLACEMENTS)[rank % 3]
    else:
        frame["placement"] = placement
    return StimulusTable(frame[_COLUMNS], condition, placement, split, count, seed, faces.source, faces.fingerprint)


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
    hosts = [np.setdiff1d(pool, unfit) for pool in pools]
    for name, pool in zip(SUBSETS, hosts, strict=True):
        if not len(pool):
            raise ConfiguralError(
                f"{faces.source}: no head of {name} can serve as a host under condition {condition.name}"
            )
    host = _choose(hosts, subsets, _uniform(seed, label, "host", 0, n, 1)[:, 0])
    if label == CLASS_NAMES.index("face"):
        kind = np.tile(UPRIGHT, (n, 1))
    else:
        order = _uniform(seed, label, "arrangement", 0, n, 1)[:, 0]
        kind = np.array(SCRAMBLES)[(order * len(SCRAMBLES)).astype(int)]
    donor = np.empty((n, 4), int)
    jitter = np.empty((n, 4, 2), int)
    redraw = np.ones((n, 4), bool)
    for attempt in range(_ATTEMPTS):
        chance = _uniform(seed, label, "filling", attempt, n, 12).reshape(n, 4, 3)
        fresh = np.stack([_choose(pools, subsets, chance[:, slot, 0]) for slot in range(4)], axis=1)
        donor[redraw] = fresh[redraw]
        jitter[redraw] = (chance[..., 1:] * (condition.jitter + 1)).astype(int)[redraw]
        redraw = ~_fits(faces, condition, host, kind, donor, jitter)
        if not redraw.any():
            break
    for row, slot in zip(*np.nonzero(redraw), strict=True):
        # Rare: so few donors fit that drawing misses them. Choose evenly among all that do.
        choice = _fitting(faces, condition, int(host[row]), int(kind[row, slot]), int(slot), pools[subsets[row]])
        if not len(choice):
            raise _HostUnfitError(int(host[row]), int(kind[row, slot]), int(slot))
        rng = np.random.default_rng([seed, label, int(row), int(slot), _ATTEMPTS])
        donor[row, slot], *jitter[row, slot] = choice[rng.integers(len(choice))]
    return _Draws(host, kind, donor, jitter)


_STREAMS = ("host", "arrangement", "filling")


def _uniform(seed: int, label: int, stream: str, attempt: int, n: int, width: int) -> np.ndarray:
    """N × width numbers from [0, 1), of which row i is the same for every n > i."""
    blocks = [
        np.random.default_rng([seed, label, _STREAMS.index(stream), attempt, block]).random((_BLOCK, width))
        for block in range(-(-n // _BLOCK))
    ]
    return np.concatenate(blocks)[:n]


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
    """Whether each part's bounding box lies inside its host's canvas; n × 4."""
    start = faces.anchors[host] + np.array(condition.offsets) + jitter
    end = start + faces.part_sizes[donor, kind]
    return ((start >= 0) & (end <= faces.canvas_sizes[host][:, None, :])).all(axis=2)


def _fitting(
    faces: FaceLibrary, condition: Condition, host: int, kind: int, slot: int, pool: Int[np.ndarray, " _"]
) -> Int[np.ndarray, "choices 3"]:
    """All (donor, row jitter, column jitter) with which the part stays on the canvas."""
    steps = np.arange(condition.jitter + 1)
    donor, row, col = (axis.ravel() for axis in np.meshgrid(pool, steps, steps, indexing="ij"))
    start = faces.anchors[host, slot] + np.array(condition.offsets[slot]) + np.stack([row, col], axis=1)
    end = start + faces.part_sizes[donor, kind]
    fits = ((start >= 0) & (end <= faces.canvas_sizes[host])).all(axis=1)
    return np.stack([donor, row, col], axis=1)[fits]


_COLUMNS = ["index", "subset", "label", "class_name", "file", "host", "placement"] + [
    f"{slot}_{what}" for slot in PART_KINDS for what in ("kind", "donor", "row", "col")
]


def _frame(faces: FaceLibrary, draws: _Draws, subsets: Int[np.ndarray, " n"], label: int) -> pd.DataFrame:
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
    }
    for position, slot in enumerate(PART_KINDS):
        columns[f"{slot}_kind"] = kinds[draws.kind[:, position]]
        columns[f"{slot}_donor"] = names[draws.donor[:, position]]
        columns[f"{slot}_row"] = draws.jitter[:, position, 0]
        columns[f"{slot}_col"] = draws.jitter[:, position, 1]
    columns["placement"] = ""
    return pd.DataFrame(columns)
