"""One part, a group of parts, or the whole constellation displaced: what does a classifier lose?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.special import expit

from configural.audit import plotting
from configural.audit.changes import Moves, each_moved, steps, under, with_columns
from configural.audit.intervals import Bootstrap, Estimate, interval, mean_of_known
from configural.audit.positions import fit, overlap
from configural.audit.probe import PROBABILITY, Material, Probe, Score, Trials, Which, usual
from configural.errors import ConfiguralError
from configural.objects import ObjectScheme
from configural.stimuli import StimulusTable
from configural.stimuli.layout import REFERENCE_SIDE

ONE = "one part"
GROUP = "a group"
ALL = "all"
IMAGE = "the image"
DIRECTIONS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
UNDEFINED = "undefined: neither drop is above zero"
NO_ROOM = "undefined: there is no room for parts to be moved so far"
ONE_EXEMPLAR = "undefined: one exemplar gives no interval"
CURVES = {ONE: plotting.SOLID, GROUP: plotting.DOTTED, ALL: plotting.DASHED}
_WORDS = {ONE: "#005a8c", GROUP: "#00664b", ALL: "#8a5a00"}


@dataclass(frozen=True)
class Displacement(Probe):
    """Parts moved by so many pixels, up, down, left and right.

    Distances are pixels of a portrait whose longer side has 512, before a condition's scale. An object is asked
    about at a distance in a direction only if its whole constellation fits there, and a part or a group is moved
    only where that hides nothing of another part: else a classifier that counts the parts it sees would lose by one
    part that moves and not by all, as if it read relations.

    Attributes:
        distances: Which.
        at: The one that the relation index is taken at first of all.
        objects: How many objects are taken apart.
    """

    distances: tuple[int, ...] = (10, 20, 40, 60, 80)
    at: int = 60
    objects: int = 100
    name: str = "displacement"
    title = "Displacement"
    question = (
        "How much is lost when one part moves, and how much when all parts move together and keep their relations?"
    )
    how_to_read = (
        "A classifier that reads relations loses when one part moves (blue, solid) and loses nothing when all move "
        "together (orange, dashed); one that reads positions loses most when all move. Distances are up, down, "
        "left and right, in pixels of a portrait whose longer side has 512; a part is not moved where it would "
        "cover another. On a visible canvas, parts that move together still leave their positions on that canvas, "
        "so that the index there is a lower bound for relations among the parts; on the plain colour of the "
        "surface (skin) there is no canvas to leave, but such images may be unlike any that the classifier knows."
    )

    def __post_init__(self) -> None:
        if self.at not in self.distances:
            raise ConfiguralError(f"displacement at {self.at} is not measured: put it among the distances")

    def trials(self, material: Material) -> Trials:
        """Each object as it is, with parts moved, with the portrait moved, and some of it again on plain skin."""
        table = material.some_objects(self.objects)
        of_scheme, own = moves(material.scheme), material.condition.background
        single_and_all = {move: of_scheme[move] for move in (*singles(material.scheme), ALL)}
        versions = [
            *_moved(material, under(table, background=own), self.distances, of_scheme),
            *_placed(material, under(table, background=own)),
        ]
        if own != "skin":
            versions += _moved(material, under(table, background="skin"), (self.at,), single_and_all)
        return Trials.join(material.library, versions)

    def examples(self, shown: pd.DataFrame) -> dict[int, str]:
        """One object at rest, with a part, a group and all moved in the same direction, at about the usual cost."""
        own = shown[shown["background"] == shown["background"].iloc[0]]
        own = own.assign(log_odds=shown.get("log_odds", 0.0))
        still = own[own["move"] == "none"].set_index("base")["log_odds"]
        at = own[(own["distance"] == self.at) & (own["move"] != IMAGE)]
        at = at.assign(row=at.index, drop=still.reindex(at["base"]).to_numpy() - at["log_odds"])
        cells = at[at["parts"] == 1].merge(at[at["move"] == ALL], on=["base", "direction"], suffixes=("", "_all"))
        if not len(cells):
            return {int(own.index[0]): "at rest"}
        one = cells.loc[usual(cells[["drop", "drop_all"]])]
        chosen = {int(own.index[(own["move"] == "none") & (own["base"] == one["base"])][0]): "at rest"}
        alike = at[(at["base"] == one["base"]) & (at["direction"] == one["direction"])]
        wanted = alike[(alike["parts"] > 1) | (alike["move"] == one["move"])]
        chosen |= {int(row): f"{wanted['move'][row]}, {self.at} {one['direction']}" for row in wanted.index}
        plain = shown[(shown["background"] == "skin") & (shown["move"] == ALL) & (shown["base"] == one["base"])]
        plain = plain[plain["direction"] == one["direction"]]
        if len(plain) and own["background"].iloc[0] != "skin":
            chosen[int(plain.index[-1])] = "all, on plain surface"
        return chosen

    def score(self, responses: pd.DataFrame, material: Material) -> list[Score]:
        """Probability and drop by group of moves and distance, where it falls below one half, and the index."""
        bootstrap, single = material.bootstrap, singles(material.scheme)
        still = responses[responses["move"] == "none"].set_index(["background", "base"])["log_odds"]
        moved = responses[responses["move"] != "none"].copy()
        whence = pd.MultiIndex.from_frame(moved[["background", "base"]])
        moved["drop"] = still.loc[whence].to_numpy() - moved["log_odds"].to_numpy()
        backgrounds = list(dict.fromkeys(responses["background"]))
        own = moved[moved["background"] == backgrounds[0]]
        at_rest = responses[(responses["move"] == "none") & (responses["background"] == backgrounds[0])]
        found = [material.probability_score(at_rest, "at rest", at=0.0)]
        of_moves = {ONE: single, GROUP: list(material.scheme.groups)}
        of_moves |= {move: [move] for move in moves(material.scheme)}
        for of, names in of_moves.items():
            if not names:
                continue
            rows_of = own[own["move"].isin(names)]
            for distance, rows in rows_of.groupby("distance"):
                for name, values in ((material.probability, expit(rows["log_odds"])), ("drop", rows["drop"])):
                    found.append(Score(name, _mean(rows, values, names, bootstrap), of, float(distance)))
            found.append(Score("threshold", _threshold(at_rest, rows_of, names, bootstrap), of))
        for distance in self.distances:
            rows = own[(own["move"] != IMAGE) & (own["distance"] == distance)]
            index = relation_index(rows, bootstrap, singles=single)
            found.append(Score("relation_index", index, backgrounds[0], float(distance)))
        for background in backgrounds[1:]:
            rows = moved[(moved["background"] == background) & (moved["distance"] == self.at)]
            index = relation_index(rows, bootstrap, singles=single)
            found.append(Score("relation_index", index, background, self.at))
            for of in (ONE, ALL):
                some = rows[rows["move"].isin(of_moves[of])]
                drop = _mean(some, some["drop"], of_moves[of], bootstrap)
                found.append(Score("drop", drop, f"{of}, on {background}", self.at))
        image = own[own["move"] == IMAGE]
        if len(image):
            drop = bootstrap.mean(image["drop"], image["host"])
            found.append(Score("drop", drop, IMAGE, float(image["distance"].mean())))
        return found

    def figure(self, scores: pd.DataFrame) -> Figure:
        """The log-odds drop, and the probability of the correct class, against the distance of parts moved."""
        probability = scores["score"][scores["score"].str.startswith(PROBABILITY)].iloc[0]
        rest = scores[(scores["score"] == probability) & (scores["of"] == "at rest")]
        with plotting.panels(2, 4.6) as (figure, (left, right)):
            for axes, score, first in ((left, "drop", plotting.AT_REST), (right, probability, rest)):
                for of, style in CURVES.items():
                    rows = scores[(scores["score"] == score) & (scores["of"] == of)].sort_values("at")
                    if len(rows) or of != GROUP:  # some objects have no groups
                        plotting.curve(axes, pd.concat([first, rows]) if len(rows) else first, of, **style)
                axes.set_xlabel("moved by (1/512 of the longer side)")
            plotting.log_odds_axis(left, "log-odds drop")
            plotting.probability_axis(right, probability)
            for text in left.legend(frameon=False, loc="upper left").get_texts():
                text.set_color(_WORDS[text.get_text()])
                text.set_fontweight("bold")
        return figure

    def summary(self) -> Mapping[str, Which]:
        """The relation index at the distance `at`."""
        return {"index": Which("relation_index", at=self.at)}


def moves(scheme: ObjectScheme) -> dict[str, tuple[str, ...]]:
    """What is moved, by name: each part, each group of the scheme, all parts."""
    parts = {kind.replace("_", " "): (kind,) for kind in scheme.part_kinds}
    return parts | dict(scheme.groups) | {ALL: scheme.part_kinds}


def singles(scheme: ObjectScheme) -> list[str]:
    """The moves of one part."""
    return [kind.replace("_", " ") for kind in scheme.part_kinds]


def relation_index(rows: pd.DataFrame, bootstrap: Bootstrap, *, singles: Sequence[str]) -> Estimate:
    """(drop of one part − drop of all) / (their sum), each drop at least 0.

    A drop below zero, an object that scores higher once it is moved, counts as none: the index stays from −1 to 1.
    It is undefined where neither drop's interval lies above zero: the sum is then no more than noise. So it is
    where there is no drop of one kind, or a single exemplar, which tells of no spread. Rows have the columns host,
    move and drop; the mean of the means of all `singles`, the moves of one part, is that of one part.
    """
    columns = _by_move(rows["move"], rows["drop"], [*singles, ALL])
    of_moves, drawn_of_moves, exemplars = bootstrap.draws(columns, rows["host"])
    means, drawn = (
        np.stack([mean_of_known(some[..., :-1]), some[..., -1]], axis=-1) for some in (of_moves, drawn_of_moves)
    )
    images = int((~np.isnan(columns)).any(axis=1).sum())
    note = ""
    if exemplars == 0 or np.isnan(means).any():
        note = NO_ROOM
    elif exemplars == 1:
        note = ONE_EXEMPLAR
    # Rounding in a network's sums is not a drop.
    elif not any(interval(drawn[:, column], exemplars)[0] > 1e-6 for column in range(2)):
        note = UNDEFINED
    if note:
        return Estimate(np.nan, np.nan, np.nan, exemplars, images, note)
    draws = _index(drawn)
    return Estimate(float(_index(means)), *interval(draws, exemplars), exemplars, images, draws=draws)


def _by_move(move: ArrayLike, values: ArrayLike, names: Sequence[str]) -> np.ndarray:
    """A column for each move; nan in the rows of others."""
    known = np.asarray(move, object)[:, None] == np.array(names, object)
    return np.where(known, np.asarray(values, float)[:, None], np.nan)


def _mean(rows: pd.DataFrame, values: pd.Series, names: Sequence[str], bootstrap: Bootstrap) -> Estimate:
    return bootstrap.function(_by_move(rows["move"], values, names), rows["host"], of_means=mean_of_known)


def _index(means: np.ndarray) -> np.ndarray:
    one, every = np.maximum(means[..., 0], 0), np.maximum(means[..., 1], 0)
    with np.errstate(all="ignore"):
        return np.asarray((one - every) / (one + every))


def _threshold(at_rest: pd.DataFrame, moved: pd.DataFrame, names: Sequence[str], bootstrap: Bootstrap) -> Estimate:
    """The distance at which the mean probability falls below one half, on straight lines between those measured."""
    distances = sorted(moved["distance"].unique())
    if not distances:
        return Estimate(np.nan, np.nan, np.nan, 0, 0, "no moved part fits")
    needed = ("log_odds", "distance", "move", "host")
    log_odds, distance, move, host = (np.concatenate([at_rest[name], moved[name]]) for name in needed)
    p = expit(log_odds)
    still = np.where(distance == 0, p, np.nan)[:, None]
    away = [_by_move(move, np.where(distance == one, p, np.nan), names) for one in distances]
    columns = np.concatenate([still, *away], axis=1)
    ends = np.array([0, *distances], float)

    def curve(means: np.ndarray) -> np.ndarray:
        moves = means[..., 1:].reshape(*means.shape[:-1], len(distances), len(names))
        return np.concatenate([means[..., :1], mean_of_known(moves)], axis=-1)

    of_columns, drawn, exemplars = bootstrap.draws(columns, host)
    means, draws = curve(of_columns), _crossing(ends, curve(drawn))
    images = int((~np.isnan(columns)).any(axis=1).sum())
    if means[0] < 0.5 or not (means < 0.5).any():
        note = "below one half from the start" if means[0] < 0.5 else "one half is not reached"
        return Estimate(np.nan, np.nan, np.nan, exemplars, images, note, draws)
    low, high = interval(draws, exemplars)
    note = "the upper end is where measuring ends" if high == ends[-1] else ""
    return Estimate(float(_crossing(ends, means)), low, high, exemplars, images, note, draws)


def _crossing(distances: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Where means fall below one half: 0 if they begin there, the last distance if they never do.

    Draws of exemplars that never do must count, or the interval would be that of the others.
    """
    below = means < 0.5
    first = np.argmax(below, axis=-1)
    after = np.maximum(first, 1)
    high = np.take_along_axis(means, after[..., None] - 1, axis=-1)[..., 0]
    low = np.take_along_axis(means, after[..., None], axis=-1)[..., 0]
    fraction = (high - 0.5) / np.where(high > low, high - low, 1)
    crossing = distances[after - 1] + fraction * (distances[after] - distances[after - 1])
    return np.where(below.any(axis=-1), np.where(first > 0, crossing, 0.0), distances[-1])


def _moved(
    material: Material, table: StimulusTable, distances: tuple[int, ...], which: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[StimulusTable, dict[str, Any]]]:
    library, n, background = material.library, len(table), table.condition.background
    yield table, {"move": "none", "distance": 0, "direction": "", "parts": 0, "background": background}
    step = {distance: steps(library, table, distance) for distance in distances}
    ways = list(product(distances, DIRECTIONS))
    cells = [(*way, move) for way in ways for move in which]

    def by(distance: int, direction: str, move: str) -> Moves:
        down, across = DIRECTIONS[direction]
        return dict.fromkeys(which[move], (down * step[distance], across * step[distance]))

    fits = fit(library, each_moved(table, [by(*way, ALL) for way in ways])).reshape(len(ways), n)
    moved = each_moved(table, [by(*cell) for cell in cells])
    shown = np.repeat(fits, len(which), axis=0)
    alone = np.array([which[move] != which[ALL] for *_, move in cells])
    shown &= (overlap(library, moved).reshape(-1, n) <= overlap(library, table)) | ~alone[:, None]
    distance, direction, move = (np.repeat(values, n)[shown.ravel()] for values in zip(*cells, strict=True))
    parts = np.array([len(which[name]) for name in move])
    notes = {"move": move, "distance": distance, "direction": direction, "parts": parts, "background": background}
    yield moved.take(np.flatnonzero(shown)), notes


def _placed(material: Material, table: StimulusTable) -> Iterator[tuple[StimulusTable, dict[str, Any]]]:
    """The whole portrait, canvas and all, as far to either side as the square image allows."""
    frame = table.frame
    rows, cols = material.library.canvas_sizes[frame["host"].map(material.library.position).to_numpy()].T
    room = np.abs(rows - cols) / 2 / np.maximum(rows, cols) * REFERENCE_SIDE
    movable = (room > 0) & (frame["placement"] == "middle").to_numpy() & (table.condition.background == "canvas")
    for side in ("left", "right"):
        moved = with_columns(table.take(np.flatnonzero(movable)), placement=side)
        notes = {"move": IMAGE, "distance": room[movable], "direction": side, "parts": 0}
        yield moved, {**notes, "background": table.condition.background}
