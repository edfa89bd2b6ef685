"""Where the parts of stimuli lie in their images, and whether they fit: geometry without pixels."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float

from configural.portraits import Library
from configural.stimuli import Condition, Stimulus, StimulusTable
from configural.stimuli.layout import Choices, inside, lay_out, pose_matrix
from configural.stimuli.layout import padding as padding_before

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
    by_condition: dict[Condition, list[int]] = {}
    for row, stimulus in enumerate(stimuli):
        by_condition.setdefault(stimulus.condition, []).append(row)
    for condition, rows in by_condition.items():
        some = [_without_twins(stimuli[row]) for row in rows]
        choices = Choices.of_stimuli(library, some)
        layout, sizes = lay_out(library, condition, choices), library.canvas_sizes[choices.host]
        point = layout.start + (layout.size - 1) / 2 - layout.middle[:, None]
        point = np.einsum("nij,nsj->nsi", pose_matrix(choices.rotation, choices.scale), point)
        point += (layout.middle + choices.shift)[:, None]
        if condition.background == "canvas":
            point += padding_before(sizes, choices.placement)[:, None]
        point = (point + 0.5) / sizes.max(axis=1)[:, None, None]
        turned = np.array([one.inverted for one in some])
        point[turned] = 1 - point[turned]
        point[:, ~np.isin(scheme.part_kinds, condition.filled)] = np.nan
        by_kind = np.empty_like(point)
        np.put_along_axis(by_kind, choices.kind[..., None], point, axis=1)
        found[rows] = by_kind
    return found


def padding(library: Library, stimulus: Stimulus, size: int) -> Bool[np.ndarray, "size size"]:
    """Which pixels of the image show no portrait but the padding beside it."""
    found = np.zeros((size, size), bool)
    if stimulus.condition.background == "canvas":
        sides = library.canvas_sizes[[library.position(stimulus.host)]]
        before = padding_before(sides, [stimulus.placement])[0]
        middles = (np.arange(size) + 0.5) * sides.max() / size
        rows, cols = ((middles < low) | (middles > low + side) for low, side in zip(before, sides[0], strict=True))
        found[rows] = True
        found[:, cols] = True
    return found[::-1, ::-1] if stimulus.inverted else found


def fit(library: Library, table: StimulusTable) -> Bool[np.ndarray, " n"]:
    """Whether all parts of each stimulus lie on its surface, so that it can be drawn."""
    choices = Choices.of_table(library, table)
    on_surface = inside(library, table.condition, choices.host, lay_out(library, table.condition, choices))
    return np.asarray(on_surface.all(axis=1))


def overlap(library: Library, table: StimulusTable) -> Float[np.ndarray, " n"]:
    """How much of a part lies over or under another one: the largest fraction of any part of each stimulus, 0 to 1.

    Counted on the masks before the constellation is turned, scaled and shifted, which changes nothing in it.
    """
    choices = Choices.of_table(library, table)
    layout = lay_out(library, table.condition, choices)
    start, stop = layout.start, layout.start + layout.size
    fractions = np.zeros(len(table))
    known: dict[tuple[int, ...], np.ndarray] = {}

    def mask(row: int, slot: int) -> np.ndarray:
        which = int(choices.donor[row, slot]), int(choices.kind[row, slot]), *layout.size[row, slot].tolist()
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


def _without_twins(stimulus: Stimulus) -> Stimulus:
    """With the donors that a library has whose parts are turned within their boxes, where they lie the same."""
    if not any(content.donor.endswith(TURNED) for content in stimulus.contents):
        return stimulus
    contents = tuple(replace(one, donor=one.donor.removesuffix(TURNED)) for one in stimulus.contents)
    return replace(stimulus, contents=contents)


def _mask(library: Library, donor: int, kind: int, rows: int, cols: int) -> Bool[np.ndarray, "rows cols"]:
    mask = library.exemplars[donor].parts[kind].mask
    across = np.arange(cols) * mask.shape[1] // cols
    return mask[np.ix_(np.arange(rows) * mask.shape[0] // rows, across)]
