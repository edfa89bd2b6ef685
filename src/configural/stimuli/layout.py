"""Where parts lie: computed once, for whatever draws stimuli at random, draws their images or measures in them.

A part lies on the surface: the host's canvas, or for other backgrounds the whole square. The square is the host's
canvas padded to equal sides, which is then resized to the image.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int

from configural.errors import ConfiguralError
from configural.portraits import Library
from configural.stimuli.conditions import Condition
from configural.stimuli.conditions import condition as find_condition
from configural.stimuli.table import POSE_COLUMNS, Stimulus, StimulusTable

REFERENCE_SIDE = 512
"""Lengths in a condition are pixels of a portrait whose longer side has so many."""

_ALIGNED = {"top": 0, "left": 0, "middle": 1, "bottom": 2, "right": 2}
"""Twice the fraction of the spare room above or left of a part that is smaller than its slot."""

_Poses = Float[np.ndarray, "n #slots"]
_Points = Float[np.ndarray, "n slots 2"]
_Boxes = Int[np.ndarray, "n slots 2"]


@dataclass(frozen=True, eq=False)
class Draws:
    """What is drawn of n stimuli.

    Attributes:
        host: Positions of the exemplars in the library.
        kind: Positions of the part kinds in the scheme, by slot.
        donor: Positions of the exemplars that the parts come from.
        jitter: Rows down and columns to the right by which each part is moved, in pixels of the host.
        shift: Rows down and columns to the right by which the constellation is moved.
        rotation: Degrees clockwise.
        scale: Factor of size.
        part_rotation: Degrees clockwise by which each part is turned about its own middle, besides.
        part_scale: Factor by which it is enlarged, besides.
    """

    host: Int[np.ndarray, " n"]
    kind: Int[np.ndarray, "n slots"]
    donor: Int[np.ndarray, "n slots"]
    jitter: Int[np.ndarray, "n slots 2"]
    shift: Int[np.ndarray, "n 2"]
    rotation: Float[np.ndarray, " n"]
    scale: Float[np.ndarray, " n"]
    part_rotation: Float[np.ndarray, "n slots"]
    part_scale: Float[np.ndarray, "n slots"]


@dataclass(frozen=True, eq=False)
class Layout(Draws):
    """Where the parts of n stimuli lie, in pixels of their hosts.

    Attributes:
        filled: Whether the slot holds a part.
        start: First row and column of each part's box on the surface before the constellation is posed.
        size: Rows and columns of that box. Parts of a donor of other resolution are resampled to the host's.
        middle: What the constellation turns about, on the surface: the mean of the middles of the host's own parts,
            where the middle of pixel 0 is 0.
        pivot: What each part turns about: that, or its own middle if it is also turned or enlarged alone.
        target: Where the pivot lies once the constellation is turned and enlarged, before any shift.
        low: First row and column that each part covers once turned, enlarged and shifted.
        high: One past the last row and column.
        surface: Rows and columns of the surface.
        canvas: Row and column of the surface at which the host's canvas begins.
        corner: Row and column of the square at which the surface begins.
        side: Rows and columns of the square.
    """

    filled: Bool[np.ndarray, "n slots"]
    start: _Boxes
    size: _Boxes
    middle: Float[np.ndarray, "n 2"]
    pivot: _Points
    target: _Points
    low: _Boxes
    high: _Boxes
    surface: Int[np.ndarray, "n 2"]
    canvas: Int[np.ndarray, "n 2"]
    corner: Int[np.ndarray, "n 2"]
    side: Int[np.ndarray, " n"]

    @property
    def inside(self) -> Bool[np.ndarray, "n slots"]:
        """Whether each part lies on the surface, or its slot is empty."""
        within = (self.low >= 0) & (self.high <= self.surface[:, None])
        return within.all(axis=2) | ~self.filled

    @property
    def turned(self) -> Bool[np.ndarray, "n slots"]:
        """Whether each part is turned or enlarged, alone or with the constellation."""
        return ~_still(*_poses(self))

    @property
    def centres(self) -> Float[np.ndarray, "n slots 2"]:
        """Row and column of the middle of each part in the square, where the middle of pixel 0 is 0.5."""
        away = self.start + (self.size - 1) / 2 - self.middle[:, None]
        away = _posed(away[:, :, None], self.rotation[:, None], self.scale[:, None])[:, :, 0]
        # From the host's own canvas on, so that rounding is the same on every background.
        return away + (self.middle - self.canvas)[:, None] + (self.shift + self.canvas + self.corner)[:, None] + 0.5

    def sources(self) -> tuple[Float[np.ndarray, "n slots 2 2"], Float[np.ndarray, "n slots 2"]]:
        """Matrices and offsets: pixel p of a box shows what the part has at matrix · p + offset.

        There, (1, 1) is the part's first pixel, for its border of one pixel is interpolated, too.
        """
        inverse = np.linalg.inv(_pose_matrix(*_poses(self)))
        away = self.low - self.shift[:, None] - self.target
        return inverse, np.einsum("nsij,nsj->nsi", inverse, away) + self.pivot - self.start + 1


def lay_out(library: Library, condition: Condition, *, draws: Draws, placement: np.ndarray) -> Layout:
    """Where the parts of stimuli of one condition lie, wherever that is; placements are strings."""
    n, scheme, host = len(draws.host), library.scheme, draws.host
    side, sizes = library.sides[host], library.canvas_sizes[host]
    padding = square_padding(sizes, placement)
    nothing = np.zeros_like(padding)
    on_canvas = condition.background == "canvas"
    canvas, corner = (nothing, padding) if on_canvas else (padding, nothing)
    surface = sizes if on_canvas else np.stack([side, side], axis=1)

    own_start, own_size = library.anchors[host], library.part_sizes[host]
    if condition.offset_unit == "pixels":
        unit = side / REFERENCE_SIDE
    else:
        one, other = ((own_start + own_size / 2)[:, scheme.index(part)] for part in scheme.unit.between)
        unit = np.linalg.norm(other - one, axis=1)
    offset = np.rint(np.array(condition.offsets, float) * unit[:, None, None]).astype(int)
    size = scaled_sizes(
        library.part_sizes[draws.donor, draws.kind], side[:, None, None], library.sides[draws.donor][..., None]
    )
    start = own_start + offset + draws.jitter
    if condition.spacing == "apart":
        hang = [[_ALIGNED[way] for way in scheme.hangs_by(part)] for part in scheme.part_kinds]
        start = start + (own_size - size) * np.array(hang) // 2
    start = start + canvas[:, None]
    middle = (own_start + (own_size - 1) / 2).mean(axis=1) + canvas
    pivot = target = np.repeat(middle[:, None], len(scheme.part_kinds), axis=1)
    alone = ~_still(draws.part_rotation, draws.part_scale)
    if alone.any():
        pivot = np.where(alone[..., None], start + (size - 1) / 2, pivot)
        away = (pivot - middle[:, None])[:, :, None]
        posed = _posed(away, draws.rotation[:, None], draws.scale[:, None])[:, :, 0] + middle[:, None]
        target = np.where(alone[..., None], posed, target)
    low, high = _extent(start, size, pivot, target, *_poses(draws))
    return Layout(
        **vars(draws),
        filled=np.tile(np.isin(scheme.part_kinds, condition.filled), (n, 1)),
        start=start,
        size=size,
        middle=middle,
        pivot=pivot,
        target=target,
        low=low + draws.shift[:, None],
        high=high + draws.shift[:, None],
        surface=surface,
        canvas=canvas,
        corner=corner,
        side=side,
    )


def layout_of(
    library: Library, stimuli: Sequence[Stimulus], *, position: Callable[[str], int] | None = None
) -> Layout:
    """Where the parts of some stimuli, of whatever conditions, lie; `position` may look for exemplars otherwise.

    Raises:
        ConfiguralError: If a stimulus names an exemplar that the library does not hold.
    """
    find, index = position or library.position, library.scheme.index
    slots = len(library.scheme.part_kinds)
    alike: dict[int, list[int]] = {}  # by identity: to compare whole conditions would take longer than the rest
    for row, stimulus in enumerate(stimuli):
        alike.setdefault(id(stimulus.condition), []).append(row)
    found = []
    for rows in alike.values() or [[]]:
        some = [stimuli[row] for row in rows]
        condition = some[0].condition if some else find_condition("baseline", scheme=library.scheme)
        contents = [content for one in some for content in one.contents]
        draws = Draws(
            host=np.array([find(one.host) for one in some], int),
            kind=np.array([index(content.kind) for content in contents], int).reshape(-1, slots),
            donor=np.array([find(content.donor) for content in contents], int).reshape(-1, slots),
            jitter=np.array([content.jitter for content in contents], int).reshape(-1, slots, 2),
            shift=np.array([one.shift for one in some], int).reshape(-1, 2),
            rotation=np.array([one.rotation for one in some], float),
            scale=np.array([one.scale for one in some], float),
            part_rotation=np.array([content.rotation for content in contents], float).reshape(-1, slots),
            part_scale=np.array([content.scale for content in contents], float).reshape(-1, slots),
        )
        placement = np.array([one.placement for one in some])
        found.append(lay_out(library, condition, draws=draws, placement=placement))
    if len(found) == 1:
        return found[0]
    back = np.argsort(np.concatenate(list(alike.values())))
    return Layout(
        **{one.name: np.concatenate([getattr(each, one.name) for each in found])[back] for one in fields(Layout)}
    )


def drawn(host: np.ndarray, kind: np.ndarray, donor: np.ndarray, jitter: np.ndarray, **pose: np.ndarray) -> Draws:
    """Parts as they are, in a constellation that is moved, turned and enlarged as far as it is said."""
    n = len(host)
    pose = {"shift": np.zeros((n, 2), int), "rotation": np.zeros(n), "scale": np.ones(n), **pose}
    still = {"part_rotation": np.zeros(kind.shape), "part_scale": np.ones(kind.shape)}
    return Draws(host, kind, donor, jitter, **pose, **still)


def layout_of_table(library: Library, table: StimulusTable) -> Layout:
    """`layout_of` all stimuli of a table, straight from its columns.

    Raises:
        ConfiguralError: See `layout_of`.
    """
    slots, index = library.scheme.part_kinds, library.scheme.index

    def column(name: str, kind: type = int) -> np.ndarray:
        if name in table.columns:
            return table.frame[name].to_numpy(kind)
        return np.full(len(table), POSE_COLUMNS[name], kind)

    def by_slot(name: str, find: Callable[[str], int]) -> np.ndarray:
        found = [[find(value) for value in table.frame[f"{slot}_{name}"].tolist()] for slot in slots]
        return np.array(found, int).reshape(len(slots), -1).T

    jitter = [np.stack([column(f"{slot}_{way}") for slot in slots], axis=1) for way in ("row", "col")]
    draws = drawn(
        np.array([library.position(host) for host in table.frame["host"].tolist()], int),
        by_slot("kind", index),
        by_slot("donor", library.position),
        np.stack(jitter, axis=-1),
        shift=np.stack([column("shift_row"), column("shift_col")], axis=1),
        rotation=column("rotation", float),
        scale=column("scale", float),
    )
    return lay_out(library, table.condition, draws=draws, placement=table.frame["placement"].to_numpy(str))


def require_inside(library: Library, stimuli: Sequence[Stimulus], layout: Layout) -> None:
    """Raise a ConfiguralError that names the first stimulus of which a part leaves the surface."""
    outside = np.argwhere(~layout.inside)
    if len(outside):
        row, slot = outside[0].tolist()
        stimulus = stimuli[row]
        content = stimulus.contents[slot]
        raise ConfiguralError(
            f"stimulus {stimulus.index}: the {content.kind} of {content.donor} leaves the canvas of "
            f"{stimulus.host} in its {library.scheme.part_kinds[slot]} slot"
        )


def scaled_sizes(
    size: Int[np.ndarray, "*shape"], host_side: Int[np.ndarray, "*_"] | int, donor_side: Int[np.ndarray, "*_"] | int
) -> Int[np.ndarray, "*shape"]:
    """Rows and columns that a donor's part has on a host of another resolution; at least 1."""
    return np.maximum(1, (2 * size * host_side + donor_side) // (2 * donor_side))  # rounded


def square_padding(sizes: Int[np.ndarray, "n 2"], placement: np.ndarray) -> Int[np.ndarray, "n 2"]:
    """Rows above and columns on the left that bring portraits of some sizes to squares.

    A portrait that is wider than high is at the top, in the middle or at the bottom of the square where one that is
    higher than wide is on the left, in the middle or on the right.
    """
    spare = sizes.max(axis=1, keepdims=True) - sizes
    where = np.asarray(placement)[:, None]
    return np.select([where == "left", where == "middle"], [0 * spare, spare // 2], default=spare)


def _poses(draws: Draws) -> tuple[_Poses, _Poses]:
    """By how much each part is turned and enlarged in all: turns add up, factors multiply."""
    return draws.rotation[:, None] + draws.part_rotation, draws.scale[:, None] * draws.part_scale


def _still(rotation: _Poses, scale: _Poses) -> Bool[np.ndarray, "n slots"]:
    return (rotation == 0) & (scale == 1)


def _pose_matrix(rotation: _Poses, scale: _Poses) -> Float[np.ndarray, "n slots 2 2"]:
    """The matrices that turn (row, column) vectors clockwise by so many degrees and enlarge them."""
    angle = np.deg2rad(rotation)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.stack([np.stack([cos, sin], axis=-1), np.stack([-sin, cos], axis=-1)], axis=-2)


def _posed(
    points: Float[np.ndarray, "n slots points 2"], rotation: _Poses, scale: _Poses
) -> Float[np.ndarray, "n slots points 2"]:
    return np.einsum("nsij,nspj->nspi", _pose_matrix(rotation, scale), points)


def _extent(
    start: _Boxes, size: _Boxes, pivot: _Points, target: _Points, rotation: _Poses, scale: _Poses
) -> tuple[_Boxes, _Boxes]:
    """First and one past the last row and column that each part covers once turned and enlarged, before any shift.

    A part that is neither is covered exactly; else its soft border of one pixel counts, too.
    """
    still = _still(rotation, scale)
    if still.all():
        return start, start + size
    corners = np.stack([start - 1.0, start + size], axis=2)  # n × slots × (low, high) × 2
    points = np.stack([corners[:, :, [0, 0, 1, 1], 0], corners[:, :, [0, 1, 0, 1], 1]], axis=-1)
    posed = _posed(points - pivot[:, :, None], rotation, scale) + target[:, :, None]
    low, high = np.floor(posed.min(axis=2)).astype(int), np.ceil(posed.max(axis=2)).astype(int) + 1
    still = still[..., None]
    return np.where(still, start, low), np.where(still, start + size, high)
