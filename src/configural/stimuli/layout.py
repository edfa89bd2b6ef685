"""Where parts lie: one computation for what draws stimuli at random, what draws their images, and what measures them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int

from configural.objects import ObjectScheme
from configural.portraits import Library
from configural.stimuli.conditions import Condition
from configural.stimuli.table import Stimulus, StimulusTable

REFERENCE_ROWS = 512
"""Lengths in a condition are pixels of a portrait of so many rows."""

_TWICE = {"top": 0, "left": 0, "middle": 1, "bottom": 2, "right": 2}
"""Twice the fraction of the spare room that is above or left of a part which hangs there in its slot."""


@dataclass(frozen=True, eq=False)
class Choices:
    """What n stimuli of one condition are made of, as arrays.

    Attributes:
        host: Positions of the hosts in the library.
        kind: The part kind in each slot, as a position in the scheme.
        donor: Positions of the donors in the library.
        jitter: Rows down and columns to the right by which each part is moved.
        placement: left, middle or right.
        shift: Rows down and columns to the right by which the constellation is moved.
        rotation: Degrees by which it is turned clockwise.
        scale: The factor by which it is enlarged.
    """

    host: Int[np.ndarray, " n"]
    kind: Int[np.ndarray, "n slots"]
    donor: Int[np.ndarray, "n slots"]
    jitter: Int[np.ndarray, "n slots 2"]
    placement: np.ndarray
    shift: Int[np.ndarray, "n 2"]
    rotation: Float[np.ndarray, " n"]
    scale: Float[np.ndarray, " n"]

    def take(self, rows: Int[np.ndarray, " m"]) -> "Choices":
        """Those of some of the stimuli."""
        return Choices(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def of_stimuli(cls, library: Library, stimuli: Sequence[Stimulus]) -> "Choices":
        """Those of stimuli of one condition, one or more."""
        index, position = library.scheme.index, library.position
        contents = [content for one in stimuli for content in one.contents]
        shape = (len(stimuli), -1)
        return cls(
            np.array([position(one.host) for one in stimuli]),
            np.array([index(content.kind) for content in contents]).reshape(shape),
            np.array([position(content.donor) for content in contents]).reshape(shape),
            np.array([content.jitter for content in contents]).reshape(*shape, 2),
            np.array([one.placement for one in stimuli], dtype=object),
            np.array([one.shift for one in stimuli]),
            np.array([one.rotation for one in stimuli], float),
            np.array([one.scale for one in stimuli], float),
        )

    @classmethod
    def of_table(cls, library: Library, table: StimulusTable) -> "Choices":
        """Those of a table's stimuli."""
        frame, slots = table.frame, table.scheme.part_kinds
        columns = {what: [frame[f"{slot}_{what}"] for slot in slots] for what in ("kind", "donor", "row", "col")}
        return cls(
            frame["host"].map(library.position).to_numpy(int),
            np.stack([kind.map(table.scheme.index).to_numpy(int) for kind in columns["kind"]], axis=1),
            np.stack([donor.map(library.position).to_numpy(int) for donor in columns["donor"]], axis=1),
            np.stack([np.stack(columns[axis], axis=1) for axis in ("row", "col")], axis=-1),
            frame["placement"].to_numpy(),
            frame[["shift_row", "shift_col"]].to_numpy(),
            frame["rotation"].to_numpy(float),
            frame["scale"].to_numpy(float),
        )


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the parts of n stimuli lie on their surfaces; pixel 0's middle is 0.

    Attributes:
        start: First row and column of each slot's part before the constellation is posed.
        size: Its rows and columns. Parts of a donor of other resolution are resampled to the host's.
        middle: What the constellation turns about.
        low: First row and column that each part covers once posed and shifted.
        high: One past the last.
    """

    start: Int[np.ndarray, "n slots 2"]
    size: Int[np.ndarray, "n slots 2"]
    middle: Float[np.ndarray, "n 2"]
    low: Int[np.ndarray, "n slots 2"]
    high: Int[np.ndarray, "n slots 2"]


def lay_out(library: Library, condition: Condition, choices: Choices) -> Layout:
    """Where the parts of some stimuli lie."""
    rows, host = library.canvas_sizes[:, 0], choices.host
    size = scaled_sizes(
        library.part_sizes[choices.donor, choices.kind], rows[host, None, None], rows[choices.donor][..., None]
    )
    origin = surface_start(library, condition, host, choices.placement)
    start = slot_starts(library, condition, host) + hang(library.scheme, condition, library.part_sizes[host] - size)
    middle = constellation_middle(library, host) + origin
    return posed(start + choices.jitter + origin[:, None], size, middle, choices)


def posed(
    start: Int[np.ndarray, "n slots 2"],
    size: Int[np.ndarray, "n slots 2"],
    middle: Float[np.ndarray, "n 2"],
    choices: Choices,
) -> Layout:
    """Turn, enlarge and shift parts that lie somewhere.

    A part that is neither turned nor enlarged is covered exactly; else its soft border of one pixel counts, too.
    """
    low, high = start, start + size
    still = (choices.rotation == 0) & (choices.scale == 1)
    if not still.all():
        corners = np.stack([start - 1.0, high], axis=2)  # n × slots × (low, high) × 2
        rows, cols = corners[:, :, [0, 0, 1, 1], 0], corners[:, :, [0, 1, 0, 1], 1]
        points = np.stack([rows, cols], axis=-1) - middle[:, None, None, :]
        turned = np.einsum("nij,nskj->nski", pose_matrix(choices.rotation, choices.scale), points)
        turned += middle[:, None, None, :]
        low = np.where(still[:, None, None], low, np.floor(turned.min(axis=2)).astype(int))
        high = np.where(still[:, None, None], high, np.ceil(turned.max(axis=2)).astype(int) + 1)
    shift = choices.shift[:, None]
    return Layout(start, size, middle, low + shift, high + shift)


def unposed(
    layout: Layout, choices: Choices
) -> tuple[Float[np.ndarray, "n 2 2"], Float[np.ndarray, "n slots 2"]]:
    """What shows each pixel of a posed part: a matrix M and an offset b.

    Pixel (r, c) of the box that a part covers shows what the part, with a margin of one pixel so that its soft border
    is interpolated, too, has at M · (r, c) + b.
    """
    inverse = np.linalg.inv(pose_matrix(choices.rotation, choices.scale))
    low = layout.low - choices.shift[:, None] - layout.middle[:, None]
    return inverse, np.einsum("nij,nsj->nsi", inverse, low) + layout.middle[:, None] - layout.start + 1


def inside(
    library: Library, condition: Condition, host: Int[np.ndarray, " n"], layout: Layout
) -> Bool[np.ndarray, "n slots"]:
    """Whether each slot's part lies on its surface, or the slot stays empty."""
    sizes = surface_sizes(library, condition, host)[:, None]
    on = ((layout.low >= 0) & (layout.high <= sizes)).all(axis=2)
    return on | ~np.isin(library.scheme.part_kinds, condition.filled)


def slot_starts(
    library: Library, condition: Condition, host: Int[np.ndarray, " n"]
) -> Int[np.ndarray, "n slots 2"]:
    """First row and column of each slot on the host's canvas."""
    if condition.offset_unit == "pixels":
        unit = library.canvas_sizes[host, 0] / REFERENCE_ROWS
    else:
        ends = [library.scheme.index(kind) for kind in library.scheme.unit.between]
        middle = library.anchors[host][:, ends] + library.part_sizes[host][:, ends] / 2
        unit = np.linalg.norm(middle[:, 1] - middle[:, 0], axis=1)
    offsets = np.array(condition.offsets, float)
    return library.anchors[host] + np.rint(offsets * unit[:, None, None]).astype(int)


def hang(
    scheme: ObjectScheme, condition: Condition, room: Int[np.ndarray, "n slots 2"]
) -> Int[np.ndarray, "n slots 2"]:
    """Rows and columns that a part is moved within its slot if the slot is larger by so many."""
    if condition.spacing == "free":
        return 0 * room
    return room * np.array([[_TWICE[side] for side in scheme.hangs_by(slot)] for slot in scheme.part_kinds]) // 2


def scaled_sizes(
    size: Int[np.ndarray, "*shape"], host_rows: Int[np.ndarray, "*_"] | int, donor_rows: Int[np.ndarray, "*_"] | int
) -> Int[np.ndarray, "*shape"]:
    """Rows and columns that a donor's part has on a host of another resolution; at least 1."""
    return np.maximum(1, (2 * size * host_rows + donor_rows) // (2 * donor_rows))  # rounded


def constellation_middle(library: Library, host: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n 2"]:
    """The mean of the middles of the host's own parts, on its canvas: what a constellation turns about."""
    return (library.anchors[host] + (library.part_sizes[host] - 1) / 2).mean(axis=1)


def pose_matrix(rotation: Float[np.ndarray, " n"], scale: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 2 2"]:
    """The matrices that turn (row, column) vectors clockwise by so many degrees and enlarge them."""
    angle = np.deg2rad(rotation)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.stack([np.stack([cos, sin], axis=-1), np.stack([-sin, cos], axis=-1)], axis=-2)


def surface_sizes(
    library: Library, condition: Condition, host: Int[np.ndarray, " n"]
) -> Int[np.ndarray, "n 2"]:
    """Rows and columns of what parts are put on: the host's canvas, or for other backgrounds the whole square."""
    sizes = library.canvas_sizes[host]
    return sizes if condition.background == "canvas" else np.tile(sizes.max(axis=1, keepdims=True), (1, 2))


def padding(
    sizes: Int[np.ndarray, "n 2"], placement: Sequence[str] | np.ndarray
) -> Int[np.ndarray, "n 2"]:
    """Rows above and columns left of portraits that bring them to squares.

    Args:
        sizes: Rows and columns of the portraits.
        placement: left (or top, of portraits wider than high), middle or right (or bottom), one for each.
    """
    placement = np.asarray(placement)[:, None]
    spare = sizes.max(axis=1, keepdims=True) - sizes
    return np.select([placement == "left", placement == "middle"], [0 * spare, spare // 2], default=spare)


def surface_start(
    library: Library, condition: Condition, host: Int[np.ndarray, " n"], placement: np.ndarray
) -> Int[np.ndarray, "n 2"]:
    """The row and column of the surface at which the host's own first row and column lie."""
    if condition.background == "canvas":
        return np.zeros((len(host), 2), int)
    return padding(library.canvas_sizes[host], placement)
