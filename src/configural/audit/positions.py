"""Where the parts of stimuli lie in their images, and whether they fit: geometry without pixels."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float

from configural.portraits import Library
from configural.stimuli import Stimulus, StimulusTable
from configural.stimuli.conditions import Condition
from configural.stimuli.layout import (
    constellation_middle,
    left_padding,
    part_starts,
    pose_matrix,
    posed_extent,
    surface_sizes,
    surface_start,
)

TURNED = " (parts upside down)"
"""What the name of an exemplar ends with whose parts are turned by 180 degrees within their boxes."""


def part_positions(library: Library, stimuli: Sequence[Stimulus]) -> Float[np.ndarray, "n parts 2"]:
    """The middle of the part of each kind in the image.

    Returns:
        Rows down and columns to the right in fractions of the image's side, 0 to 1, in the order of the part kinds;
        nan for a part that the image does not show.
    """
    scheme = library.scheme
    found = np.full((len(stimuli), len(scheme.part_kinds), 2), np.nan)
    positions = {exemplar.name: position for position, exemplar in enumerate(library.exemplars)}
    by_condition: dict[Condition, list[int]] = {}
    for row, stimulus in enumerate(stimuli):
        by_condition.setdefault(stimulus.condition, []).append(row)
    for condition, rows in by_condition.items():
        some = [stimuli[row] for row in rows]
        host = np.array([positions[one.host] for one in some])
        kind = np.array([[scheme.index(content.kind) for content in one.contents] for one in some])
        donor = np.array(
            [[positions[content.donor.removesuffix(TURNED)] for content in one.contents] for one in some]
        )
        jitter = np.array([[content.jitter for content in one.contents] for one in some])
        start, size = part_starts(library, condition, host, kind, donor, jitter)
        middle = constellation_middle(library, host)[:, None]
        pose = pose_matrix(
            np.array([float(one.rotation) for one in some]), np.array([float(one.scale) for one in some])
        )
        point = start + (size - 1) / 2 - middle
        point = np.einsum("nij,nsj->nsi", pose, point) + middle + np.array([one.shift for one in some])[:, None]
        height, width = library.canvas_sizes[host].T
        lefts = [left_padding(int(h), int(w), one.placement) for h, w, one in zip(height, width, some, strict=True)]
        point[..., 1] += np.array(lefts)[:, None]
        point = (point + 0.5) / library.canvas_sizes[host].max(axis=1)[:, None, None]
        turned = np.array([one.inverted for one in some])
        point[turned] = 1 - point[turned]
        shown = np.array([slot in condition.filled for slot in scheme.part_kinds])
        point[:, ~shown] = np.nan
        by_kind = np.empty_like(point)
        np.put_along_axis(by_kind, kind[..., None], point, axis=1)
        found[rows] = by_kind
    return found


def padding(library: Library, stimulus: Stimulus, size: int) -> Bool[np.ndarray, "size size"]:
    """Which pixels of the image show no portrait but the padding beside it."""
    found = np.zeros((size, size), bool)
    if stimulus.condition.background != "canvas":
        return found
    height, width = next(exemplar for exemplar in library.exemplars if exemplar.name == stimulus.host).size
    left = left_padding(height, width, stimulus.placement)
    middles = (np.arange(size) + 0.5) * max(height, width) / size
    found[:, (middles < left) | (middles > left + width)] = True
    return found[::-1, ::-1] if stimulus.inverted else found


def fit(library: Library, table: StimulusTable) -> Bool[np.ndarray, " n"]:
    """Whether all parts of each stimulus lie on its surface, so that it can be drawn."""
    frame, condition = table.frame, table.condition
    host, _, _, start, size = _boxes(library, table)
    left = surface_start(library, condition, host, frame["placement"].to_numpy())
    start[..., 1] += left[:, None]
    middle = constellation_middle(library, host)
    middle[:, 1] += left
    pose = frame["rotation"].to_numpy(float), frame["scale"].to_numpy(float)
    low, high = posed_extent(start, size, middle, *pose)
    shift = frame[["shift_row", "shift_col"]].to_numpy()[:, None]
    inside = (low + shift >= 0).all(axis=2) & (
        high + shift <= surface_sizes(library, condition, host)[:, None]
    ).all(axis=2)
    return (inside | ~np.isin(library.scheme.part_kinds, condition.filled)).all(axis=1)


def overlap(library: Library, table: StimulusTable) -> Float[np.ndarray, " n"]:
    """How much of a part lies over or under another one: the largest fraction of any part of each stimulus, 0 to 1.

    Counted on the masks before the constellation is turned, scaled and shifted, which changes nothing in it.
    """
    _, kind, donor, start, size = _boxes(library, table)
    stop = start + size
    fractions = np.zeros(len(table))
    known: dict[tuple[int, ...], np.ndarray] = {}

    def mask(row: int, slot: int) -> np.ndarray:
        which = int(donor[row, slot]), int(kind[row, slot]), *size[row, slot].tolist()
        if which not in known:
            known[which] = _mask(library, *which)
        return known[which]

    for a, b in combinations(range(len(library.scheme.part_kinds)), 2):
        low, high = np.maximum(start[:, a], start[:, b]), np.minimum(stop[:, a], stop[:, b])
        for row in np.flatnonzero((low < high).all(axis=1)).tolist():
            first, second = mask(row, a), mask(row, b)
            seen = []
            for part, slot in ((first, a), (second, b)):
                (top, left), (bottom, right) = low[row] - start[row, slot], high[row] - start[row, slot]
                seen.append(part[top:bottom, left:right])
            both = int((seen[0] & seen[1]).sum())
            fractions[row] = max(fractions[row], both / max(1, min(int(first.sum()), int(second.sum()))))
    return fractions


def _boxes(library: Library, table: StimulusTable) -> tuple[np.ndarray, ...]:
    """Host (n,), kind and donor per slot (n, parts), start and size of each part's box (n, parts, 2)."""
    positions = {exemplar.name: position for position, exemplar in enumerate(library.exemplars)}
    frame, scheme = table.frame, library.scheme
    host = frame["host"].map(positions).to_numpy()
    kind = np.stack([frame[f"{slot}_kind"].map(scheme.index).to_numpy() for slot in scheme.part_kinds], axis=1)
    donor = np.stack([frame[f"{slot}_donor"].map(positions).to_numpy() for slot in scheme.part_kinds], axis=1)
    jitter = np.stack([frame[[f"{slot}_row", f"{slot}_col"]].to_numpy() for slot in scheme.part_kinds], axis=1)
    return host, kind, donor, *part_starts(library, table.condition, host, kind, donor, jitter)


def _mask(library: Library, donor: int, kind: int, rows: int, cols: int) -> Bool[np.ndarray, "rows cols"]:
    mask = library.exemplars[donor].parts[kind].mask
    across = np.arange(cols) * mask.shape[1] // cols
    return mask[np.ix_(np.arange(rows) * mask.shape[0] // rows, across)]
