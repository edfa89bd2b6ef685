"""Where parts lie: shared by what draws stimuli by chance and what draws their images."""

import numpy as np
from jaxtyping import Float, Int

from configural.portraits import Library
from configural.stimuli.conditions import Condition

REFERENCE_ROWS = 512
"""Lengths in a condition are pixels of a portrait of so many rows."""

# Twice the share of the spare room above and left of a part that is smaller than its slot. Apart, parts hang in
# their slots by the outer corner or side, so that the constellation's outline does not depend on what fills it.
_ALIGNED = {"free": [(0, 0)] * 4, "apart": [(0, 0), (0, 2), (1, 1), (2, 1)]}


def part_starts(
    library: Library,
    condition: Condition,
    host: Int[np.ndarray, " n"],
    kind: Int[np.ndarray, "n 4"],
    donor: Int[np.ndarray, "n 4"],
    jitter: Int[np.ndarray, "n 4 2"],
) -> tuple[Int[np.ndarray, "n 4 2"], Int[np.ndarray, "n 4 2"]]:
    """Where each slot's part would lie if the constellation were not posed.

    Returns:
        First row and column on the host's canvas, and rows and columns, of each part's bounding box. Parts of a
        donor of other resolution are resampled to the host's.
    """
    rows = library.canvas_sizes[host, 0]
    size = scaled_sizes(
        library.part_sizes[donor, kind], rows[:, None, None], library.canvas_sizes[donor, 0][..., None]
    )
    return slot_starts(library, condition, host) + hang(condition, library.part_sizes[host] - size) + jitter, size


def slot_starts(library: Library, condition: Condition, host: Int[np.ndarray, " n"]) -> Int[np.ndarray, "n 4 2"]:
    """First row and column of each slot on the host's canvas."""
    offsets = np.array(condition.offsets, float)
    if condition.offset_unit == "eye_distance":
        middle = library.anchors[host, :2] + library.part_sizes[host, :2] / 2
        unit = np.linalg.norm(middle[:, 1] - middle[:, 0], axis=1)
    else:
        unit = library.canvas_sizes[host, 0] / REFERENCE_ROWS
    return library.anchors[host] + np.rint(offsets * unit[:, None, None]).astype(int)


def hang(condition: Condition, room: Int[np.ndarray, "n 4 2"]) -> Int[np.ndarray, "n 4 2"]:
    """Rows and columns that a part is moved within its slot if the slot is larger by so many."""
    return room * np.array(_ALIGNED[condition.spacing]) // 2


def scaled_sizes(
    size: Int[np.ndarray, "*shape"], host_rows: Int[np.ndarray, "*_"] | int, donor_rows: Int[np.ndarray, "*_"] | int
) -> Int[np.ndarray, "*shape"]:
    """Rows and columns that a donor's part has on a host of another resolution; at least 1."""
    return np.maximum(1, (2 * size * host_rows + donor_rows) // (2 * donor_rows))  # rounded


def constellation_middle(library: Library, host: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n 2"]:
    """The mean of the middles of the host's own parts: what a constellation turns about. Pixel 0's middle is 0."""
    return (library.anchors[host] + (library.part_sizes[host] - 1) / 2).mean(axis=1)


def pose_matrix(rotation: Float[np.ndarray, " n"], scale: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 2 2"]:
    """The matrices that turn (row, column) vectors clockwise by so many degrees and enlarge them."""
    angle = np.deg2rad(rotation)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.stack([np.stack([cos, sin], axis=-1), np.stack([-sin, cos], axis=-1)], axis=-2)


def posed_extent(
    start: Int[np.ndarray, "n 4 2"],
    size: Int[np.ndarray, "n 4 2"],
    middle: Float[np.ndarray, "n 2"],
    rotation: Float[np.ndarray, " n"],
    scale: Float[np.ndarray, " n"],
) -> tuple[Int[np.ndarray, "n 4 2"], Int[np.ndarray, "n 4 2"]]:
    """First and one past the last row and column that each part covers once turned and enlarged, before any shift.

    A part that is neither is covered exactly; else its soft border of one pixel counts, too.
    """
    corners = np.stack([start - 1.0, start + size], axis=2)  # n × slots × (low, high) × 2
    rows, cols = corners[:, :, [0, 0, 1, 1], 0], corners[:, :, [0, 1, 0, 1], 1]
    points = np.stack([rows, cols], axis=-1) - middle[:, None, None, :]
    posed = np.einsum("nij,nskj->nski", pose_matrix(rotation, scale), points) + middle[:, None, None, :]
    low, high = np.floor(posed.min(axis=2)).astype(int), np.ceil(posed.max(axis=2)).astype(int) + 1
    still = ((rotation == 0) & (scale == 1))[:, None, None]
    return np.where(still, start, low), np.where(still, start + size, high)


def surface_sizes(library: Library, condition: Condition, host: Int[np.ndarray, " n"]) -> Int[np.ndarray, "n 2"]:
    """Rows and columns of what parts are put on: the host's canvas, or for other backgrounds the whole square."""
    sizes = library.canvas_sizes[host]
    return sizes if condition.background == "canvas" else np.tile(sizes.max(axis=1, keepdims=True), (1, 2))


def left_padding(height: int, width: int, placement: str) -> int:
    """Columns on the left that bring a portrait to a square."""
    spare = max(height - width, 0)
    return {"left": 0, "middle": spare // 2, "right": spare}[placement]


def surface_start(
    library: Library, condition: Condition, host: Int[np.ndarray, " n"], placement: np.ndarray
) -> Int[np.ndarray, " n"]:
    """The column of the surface at which the host's own column 0 lies."""
    if condition.background == "canvas":
        return np.zeros(len(host), int)
    spare = np.maximum(library.canvas_sizes[host, 0] - library.canvas_sizes[host, 1], 0)
    return np.select([placement == "left", placement == "middle"], [0 * spare, spare // 2], default=spare)
