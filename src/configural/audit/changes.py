"""Stimuli with something changed: a key of their condition, a column, parts in other slots, parts moved."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Int

from configural.audit.probe import Material
from configural.errors import ConfiguralError
from configural.portraits import Library
from configural.stimuli import StimulusTable
from configural.stimuli.layout import REFERENCE_SIDE
from configural.stimuli.table import POSE_COLUMNS


def under(table: StimulusTable, **changes: Any) -> StimulusTable:
    """The same stimuli under a condition with some keys changed; correct ones may then lack parts."""
    changed = table.condition.model_copy(update={"arrangement": "correct", **changes})
    return replace(table, condition=changed)


def with_columns(table: StimulusTable, **columns: Any) -> StimulusTable:
    """The same stimuli with some columns changed; a ConfiguralError if stimuli have no such column."""
    known = dict.fromkeys((*table.columns, *POSE_COLUMNS))
    if unknown := [name for name in columns if name not in known]:
        raise ConfiguralError(f"stimuli have no column '{unknown[0]}': choose from {', '.join(known)}")
    return replace(table, frame=table.frame.assign(**columns))


def plain(material: Material, table: StimulusTable) -> StimulusTable:
    """Correct arrangements without a visible canvas, so that no part leaves or covers anything of one."""
    own = material.condition.background
    return under(table, background="skin" if own == "canvas" else own)


def rearranged(table: StimulusTable, orders: Int[np.ndarray, "n slots"]) -> StimulusTable:
    """The same parts in other slots: of each stimulus slot i holds the part that slot `orders[i]` held."""
    slots = table.scheme.part_kinds
    columns: dict[str, np.ndarray] = {}
    for what in ("kind", "donor"):
        held = table.frame[[f"{slot}_{what}" for slot in slots]].to_numpy()
        now = np.take_along_axis(held, np.asarray(orders), axis=1)
        columns |= {f"{slot}_{what}": now[:, number] for number, slot in enumerate(slots)}
    return with_columns(table, **columns)


def rotated(table: StimulusTable, slots: Sequence[str], *, by: int) -> StimulusTable:
    """The parts of some slots each put into the slot that is so many further on."""
    order, which = np.arange(len(table.scheme.part_kinds)), [table.scheme.index(slot) for slot in slots]
    order[which] = np.roll(which, by)
    return rearranged(table, np.tile(order, (len(table), 1)))


def exchanged(table: StimulusTable, first: str, second: str) -> StimulusTable:
    """The parts of two slots exchanged."""
    return rotated(table, (first, second), by=1)


def steps(library: Library, table: StimulusTable, distance: float) -> Int[np.ndarray, " n"]:
    """A distance, in pixels of a portrait whose longer side has 512, in pixels of each stimulus's host."""
    hosts = table.frame["host"].map(library.position).to_numpy()
    return np.asarray(np.rint(distance * library.sides[hosts] / REFERENCE_SIDE).astype(int))


Moves = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""By slot, how many rows down and columns to the right of the host each stimulus's part is moved."""


def each_moved(table: StimulusTable, moves: Sequence[Moves]) -> StimulusTable:
    """All stimuli with the first moves, then all with the second, and so on."""
    nothing = np.zeros(len(table), int)
    columns = {}
    for slot in table.scheme.part_kinds:
        for axis, name in enumerate(("row", "col")):
            away = [move[slot][axis] if slot in move else nothing for move in moves]
            columns[f"{slot}_{name}"] = (table.frame[f"{slot}_{name}"].to_numpy() + np.array(away)).ravel()
    return with_columns(table.take(np.tile(np.arange(len(table)), len(moves))), **columns)


def shifted(table: StimulusTable, slots: tuple[str, ...], down: np.ndarray, across: np.ndarray) -> StimulusTable:
    """The same stimuli with the parts in some slots moved by so many rows and columns of the host."""
    return each_moved(table, [dict.fromkeys(slots, (down, across))])
