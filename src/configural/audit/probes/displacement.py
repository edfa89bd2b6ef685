"""One part, two, or the whole constellation out of place: what does a classifier lose?"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from configural.audit.intervals import Bootstrap, Estimate, interval
from configural.audit.positions import fit, overlap
from configural.audit.probe import Material, Score, Trials, under, with_columns
from configural.errors import ConfiguralError
from configural.portraits import PART_KINDS
from configural.stimuli import StimulusTable
from configural.stimuli.layout import REFERENCE_ROWS

MOVES = {
    "left eye": ("left_eye",),
    "right eye": ("right_eye",),
    "nose": ("nose",),
    "mouth": ("mouth",),
    "both eyes": ("left_eye", "right_eye"),
    "nose and mouth": ("nose", "mouth"),
    "all": PART_KINDS,
}
SINGLE = tuple(move for move, slots in MOVES.items() if len(slots) == 1)
ONE = "one part"
PAIR = "a pair"
IMAGE = "the image"
DIRECTIONS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
UNDEFINED = "undefined: neither drop is above zero"
NO_ROOM = "undefined: no face has room for its parts to be moved so far"
ONE_EXEMPLAR = "undefined: one exemplar gives no interval"


@dataclass(frozen=True)
class Displacement:
    """Parts moved by so many pixels, up, down, left and right.

    Distances are pixels of a 512-row portrait, before a condition's scale. A distance in a direction is asked
    about for a face only if its whole constellation fits there, and a part or a pair is moved only where that
    hides nothing of another part: else a classifier that counts the parts it sees would lose by one part that
    moves and not by all, as if it read relations.

    Attributes:
        distances: Which.
        at: The one that the relation index is taken at first of all.
        faces: How many faces are taken apart.
    """

    distances: tuple[int, ...] = (10, 20, 40, 60, 80)
    at: int = 60
    faces: int = 100
    name: str = "displacement"
    title: str = "Displacement"
    question: str = (
        "How much of a face is lost when one part moves, and how much when all parts move together and keep their "
        "relations?"
    )

    def __post_init__(self) -> None:
        if self.at not in self.distances:
            raise ConfiguralError(f"displacement at {self.at} is not measured: put it among the distances")

    def trials(self, material: Material) -> Trials:
        """Each face as it is, with parts moved, with the portrait moved, and some of it again on plain skin."""
        table = material.some_faces(self.faces)
        versions: list[tuple[StimulusTable, dict[str, Any]]] = []
        own = material.condition.background
        for background in dict.fromkeys((own, "skin")):
            here = under(table, background=background)
            distances = self.distances if background == own else (self.at,)
            moves = MOVES if background == own else {name: MOVES[name] for name in (*SINGLE, "all")}
            versions += self._moved(material, here, distances, moves, background)
            if background == own:
                versions += _placed(material, here, background)
        return Trials.join(material.faces, versions)

    def _moved(
        self,
        material: Material,
        table: StimulusTable,
        distances: tuple[int, ...],
        moves: dict[str, tuple[str, ...]],
        background: str,
    ) -> Iterator[tuple[StimulusTable, dict[str, Any]]]:
        def notes(move: str, distance: float, direction: str) -> dict[str, Any]:
            return {"move": move, "distance": distance, "direction": direction, "background": background}

        yield table, notes("none", 0, "")
        positions = {exemplar.name: position for position, exemplar in enumerate(material.faces.exemplars)}
        hosts = table.frame["host"].map(positions).to_numpy()
        scale = material.faces.canvas_sizes[hosts, 0] / REFERENCE_ROWS
        hidden = overlap(material.faces, table)
        for distance in distances:
            step = np.rint(distance * scale).astype(int)
            for direction, (down, across) in DIRECTIONS.items():
                whole = _shifted(table, PART_KINDS, down * step, across * step)
                fits = fit(material.faces, whole)
                for move, slots in moves.items():
                    moved = _shifted(table, slots, down * step, across * step)
                    shown = fits
                    if slots != PART_KINDS:
                        shown = fits & (overlap(material.faces, moved) <= hidden)
                    moved = replace(moved, frame=moved.frame[shown].reset_index(drop=True))
                    yield moved, notes(move, distance, direction)

    def examples(self, notes: pd.DataFrame) -> dict[int, str]:
        """One face at rest and with parts moved down."""
        one = notes[notes["base"] == notes["base"].iloc[0]]
        own = one[one["background"] == one["background"].iloc[0]]
        chosen = {int(own.index[0]): "at rest"}
        for move in ("nose", "both eyes", "all"):
            rows = own[(own["move"] == move) & (own["distance"] == self.at)]
            chosen |= {int(row): f"{move}, {self.at} {rows['direction'][row]}" for row in rows.index[-1:]}
        moved = one[(one["background"] == "skin") & (one["move"] == "all")]
        if len(moved) and own["background"].iloc[0] != "skin":
            chosen[int(moved.index[-1])] = "all, on plain skin"
        return chosen

    def score(self, answers: pd.DataFrame, bootstrap: Bootstrap) -> list[Score]:
        """P(face) and drop of the log-odds by move and distance, thresholds, and the relation index."""
        still = answers[answers["move"] == "none"].set_index(["background", "base"])["log_odds"]
        moved = answers[answers["move"] != "none"].copy()
        whence = pd.MultiIndex.from_frame(moved[["background", "base"]])
        moved["still"] = still.loc[whence].to_numpy()
        moved["drop"] = moved["still"] - moved["log_odds"]
        backgrounds = list(dict.fromkeys(answers["background"]))
        own = moved[moved["background"] == backgrounds[0]]
        at_rest = answers[(answers["move"] == "none") & (answers["background"] == backgrounds[0])]
        rest = bootstrap.mean(expit(at_rest["log_odds"].to_numpy()), at_rest["host"].to_numpy())
        found = [Score("P(face)", rest, "at rest", 0)]
        groups = {ONE: list(SINGLE), PAIR: ["both eyes", "nose and mouth"]} | {move: [move] for move in MOVES}
        for group, names in groups.items():
            of_group = own[own["move"].isin(names)]
            for place, rows in of_group.groupby("distance"):
                distance = float(place)
                exemplars = rows["host"].to_numpy()
                for name, values in (("P(face)", expit(rows["log_odds"])), ("drop", rows["drop"])):
                    columns = _by_move(rows["move"], values, names)
                    found.append(
                        Score(name, bootstrap.function(columns, exemplars, _mean_of_moves), group, distance)
                    )
            found.append(Score("threshold", _threshold(at_rest, of_group, names, bootstrap), group))
        for distance in self.distances:
            rows = own[(own["move"] != IMAGE) & (own["distance"] == distance)]
            found.append(Score("relation_index", relation_index(rows, bootstrap), backgrounds[0], float(distance)))
        for background in backgrounds[1:]:
            rows = moved[(moved["background"] == background) & (moved["distance"] == self.at)]
            found.append(Score("relation_index", relation_index(rows, bootstrap), background, self.at))
            for group in (ONE, "all"):
                some = rows[rows["move"].isin(groups[group])]
                columns = _by_move(some["move"], some["drop"], groups[group])
                drop = bootstrap.function(columns, some["host"].to_numpy(), _mean_of_moves)
                found.append(Score("drop", drop, f"{group}, on {background}", self.at))
        image = own[own["move"] == IMAGE]
        if len(image):
            exemplars = image["host"].to_numpy()
            distance = float(image["distance"].mean())
            found.append(Score("drop", bootstrap.mean(image["drop"].to_numpy(), exemplars), IMAGE, distance))
        return found


def relation_index(rows: pd.DataFrame, bootstrap: Bootstrap) -> Estimate:
    """(drop of one part − drop of all) / (their sum), each drop at least 0.

    A drop below zero, a face that becomes more of one by being moved, counts as none: the index stays from −1 to 1.
    It is undefined where neither drop's interval lies above zero: the sum is then no more than noise. So it is
    where there is no drop of one kind, or a single exemplar, which tells of no spread.

    Args:
        rows: With the columns host, move and drop; the mean of the single parts' means is that of one part.
        bootstrap: How exemplars are drawn.
    """
    columns = _by_move(rows["move"], rows["drop"], [*SINGLE, "all"])
    of_moves, drawn_of_moves, exemplars = bootstrap.draws(columns, rows["host"].to_numpy())
    means, drawn = (
        np.stack([_mean_of_moves(some[..., :-1]), some[..., -1]], axis=-1) for some in (of_moves, drawn_of_moves)
    )
    images = int((~np.isnan(columns)).any(axis=1).sum())
    lows = [interval(drawn[:, column], exemplars)[0] for column in range(2)]
    if exemplars == 0 or np.isnan(means).any():
        return Estimate(np.nan, np.nan, np.nan, exemplars, images, NO_ROOM)
    if exemplars == 1:
        return Estimate(np.nan, np.nan, np.nan, exemplars, images, ONE_EXEMPLAR)
    # Rounding in a network's sums is not a drop.
    if not any(low > 1e-6 for low in lows):
        return Estimate(np.nan, np.nan, np.nan, exemplars, images, UNDEFINED)
    value, draws = _index(means), _index(drawn)
    low, high = interval(draws, exemplars)
    return Estimate(float(value), low, high, exemplars, images)


def _by_move(move: pd.Series, values: pd.Series, names: list[str]) -> np.ndarray:
    """A column for each move; nan in the rows of others."""
    return np.stack([np.where(move == name, values, np.nan) for name in names], axis=-1).astype(float)


def _mean_of_moves(means: np.ndarray) -> np.ndarray:
    """The mean over moves, each counting as much as the others in however many directions it hides nothing."""
    known = ~np.isnan(means)
    with np.errstate(all="ignore"):
        return np.asarray(np.where(known, means, 0).sum(axis=-1) / known.sum(axis=-1))


def _index(means: np.ndarray) -> np.ndarray:
    one, every = np.maximum(means[..., 0], 0), np.maximum(means[..., 1], 0)
    with np.errstate(all="ignore"):
        return np.asarray((one - every) / (one + every))


def _threshold(at_rest: pd.DataFrame, moved: pd.DataFrame, names: list[str], bootstrap: Bootstrap) -> Estimate:
    """The distance at which the mean P(face) falls below one half, on straight lines between those measured."""
    distances = sorted(moved["distance"].unique())
    if not distances:
        return Estimate(np.nan, np.nan, np.nan, 0, 0, "no moved part fits")
    rows = pd.concat([at_rest, moved])
    p = expit(rows["log_odds"])
    still = np.where(rows["distance"] == 0, p, np.nan)[:, None]
    away = [_by_move(rows["move"], p.where(rows["distance"] == distance), names) for distance in distances]
    columns = np.concatenate([still, *away], axis=1)
    places = np.array([0, *distances], float)

    def curve(means: np.ndarray) -> np.ndarray:
        moves = means[..., 1:].reshape(*means.shape[:-1], len(distances), len(names))
        return np.concatenate([means[..., :1], _mean_of_moves(moves)], axis=-1)

    exemplars = rows["host"].to_numpy()
    found = bootstrap.function(columns, exemplars, lambda means: _crossing(places, curve(means)))
    means = curve(bootstrap.draws(columns, exemplars)[0])
    if means[0] < 0.5:
        return replace(found, value=np.nan, low=np.nan, high=np.nan, note="below one half from the start")
    if not (means < 0.5).any():
        return replace(found, value=np.nan, low=np.nan, high=np.nan, note="one half is not reached")
    if found.high == places[-1]:
        return replace(found, note="the upper end is where measuring ends")
    return found


def _crossing(places: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Where means fall below one half: 0 if they begin there, the last place if they never do.

    Draws of exemplars that never do must count, or the interval would be that of the others.
    """
    below = means < 0.5
    first = np.argmax(below, axis=-1)
    after = np.maximum(first, 1)
    high = np.take_along_axis(means, after[..., None] - 1, axis=-1)[..., 0]
    low = np.take_along_axis(means, after[..., None], axis=-1)[..., 0]
    share = (high - 0.5) / np.where(high > low, high - low, 1)
    crossing = places[after - 1] + share * (places[after] - places[after - 1])
    return np.where(below.any(axis=-1), np.where(first > 0, crossing, 0.0), places[-1])


def _shifted(table: StimulusTable, slots: tuple[str, ...], down: np.ndarray, across: np.ndarray) -> StimulusTable:
    columns = {}
    for slot in slots:
        columns[f"{slot}_row"] = table.frame[f"{slot}_row"] + down
        columns[f"{slot}_col"] = table.frame[f"{slot}_col"] + across
    return with_columns(table, **columns)


def _placed(
    material: Material, table: StimulusTable, background: str
) -> Iterator[tuple[StimulusTable, dict[str, Any]]]:
    """The whole portrait, exemplar and all, as far to the left and to the right as the square image allows."""
    sizes = {
        exemplar.name: size
        for exemplar, size in zip(material.faces.exemplars, material.faces.canvas_sizes, strict=True)
    }
    frame = table.frame
    room = np.array(
        [(rows - cols) / 2 / rows * REFERENCE_ROWS for rows, cols in (sizes[host] for host in frame["host"])]
    )
    movable = (room > 0) & (frame["placement"] == "middle") & (background == "canvas")
    for side in ("left", "right"):
        moved = replace(table, frame=frame[movable].assign(placement=side).reset_index(drop=True))
        yield moved, {"move": IMAGE, "distance": room[movable], "direction": side, "background": background}
