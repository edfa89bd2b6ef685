"""Where the parts of stimuli lie in their images, and whether they fit: geometry without pixels."""

from collections.abc import Sequence
from functools import cache
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float

from configural.portraits import Library
from configural.stimuli import Stimulus, StimulusTable
from configural.stimuli.layout import layout_of, layout_of_table, square_padding

TURNED = " (parts upside down)"
"""What the name of an exemplar ends with whose parts are turned by 180 degrees within their boxes."""


def part_positions(library: Library, stimuli: Sequence[Stimulus]) -> Float[np.ndarray, "n parts 2"]:
    """The middle of the part of each kind in the image.

    Returns:
        Rows down and columns to the right in fractions of the image's side, 0 to 1, in the order of the part kinds;
        nan for a part that the image does not show.
    """
    position = cache(lambda name: library.position(name.removesuffix(TURNED)))
    layout = layout_of(library, stimuli, position=position)
    point = layout.centres / layout.side[:, None, None]
    turned = np.array([one.inverted for one in stimuli], bool)
    point[turned] = 1 - point[turned]
    point[~layout.filled] = np.nan
    by_kind = np.empty_like(point)
    np.put_along_axis(by_kind, layout.kind[..., None], point, axis=1)
    return by_kind


def padding(library: Library, stimulus: Stimulus, size: int) -> Bool[np.ndarray, "size size"]:
    """Which pixels of the image show no portrait but the padding beside it."""
    found = np.zeros((size, size), bool)
    if stimulus.condition.background == "canvas":
        sides = library.canvas_sizes[[library.position(stimulus.host)]]
        before = square_padding(sides, np.array([stimulus.placement]))[0]
        middles = (np.arange(size) + 0.5) * sides.max() / size
        rows, cols = ((middles < low) | (middles > low + side) for low, side in zip(before, sides[0], strict=True))
        found[rows] = True
        found[:, cols] = True
    return found[::-1, ::-1] if stimulus.inverted else found


def fit(library: Library, table: StimulusTable) -> Bool[np.ndarray, " n"]:
    """Whether all parts of each stimulus lie on its surface, so that it can be drawn.

    Args:
        library: The exemplars that the stimuli name.
        table: Stimuli, whose parts may have been moved since they were sampled.

    Raises:
        ConfiguralError: If a stimulus names an exemplar that the library does not hold.

    Example:
        >>> import configural as cf
        >>> library = cf.portraits.load("synthetic:4")
        >>> table = cf.stimuli.sample(library, condition="baseline", count=20)
        >>> moved = cf.audit.with_columns(table, shift_col=400)
        >>> bool(fit(library, table).all()), bool(fit(library, moved).any())
        (True, False)
    """
    return np.asarray(layout_of_table(library, table).inside.all(axis=1))


def overlap(library: Library, table: StimulusTable) -> Float[np.ndarray, " n"]:
    """How much of a part lies over or under another one: the largest fraction of any part of each stimulus, 0 to 1.

    Counted on the masks before the constellation is turned, scaled and shifted, which changes nothing in it.
    """
    layout = layout_of_table(library, table)
    start, stop = layout.start, layout.start + layout.size
    fractions = np.zeros(len(table))

    @cache
    def mask(donor: int, kind: int, rows: int, cols: int) -> np.ndarray:
        whole = library.exemplars[donor].parts[kind].mask
        across = np.arange(cols) * whole.shape[1] // cols
        return whole[np.ix_(np.arange(rows) * whole.shape[0] // rows, across)]

    for a, b in combinations(range(len(library.scheme.part_kinds)), 2):
        low, high = np.maximum(start[:, a], start[:, b]), np.minimum(stop[:, a], stop[:, b])
        for row in np.flatnonzero((low < high).all(axis=1)).tolist():
            sizes, seen = [], []
            for slot in (a, b):
                which = int(layout.donor[row, slot]), int(layout.kind[row, slot])
                part = mask(*which, *layout.size[row, slot].tolist())
                (top, left), (bottom, right) = low[row] - start[row, slot], high[row] - start[row, slot]
                sizes.append(int(part.sum()))
                seen.append(part[top:bottom, left:right])
            fractions[row] = max(fractions[row], int((seen[0] & seen[1]).sum()) / max(1, min(sizes)))
    return fractions
