"""Relations against positions: one part moved, the others moved the other way, or all moved together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure
from scipy.special import expit

from configural.audit import plotting
from configural.audit.changes import Moves, each_moved, plain, steps, under
from configural.audit.intervals import Bootstrap, Estimate, interval, mean_of_known
from configural.audit.positions import fit, overlap
from configural.audit.probe import Material, Probe, Score, Trials, Which, usual
from configural.audit.probes.displacement import DIRECTIONS, NO_ROOM, ONE_EXEMPLAR, singles
from configural.errors import ConfiguralError
from configural.stimuli import StimulusTable

RELATIONAL, POSITIONAL, FRACTION = "relational_effect", "positional_effect", "relational_fraction"
BALANCED, TOGETHER = "balanced_relational_effect", "all_together"
FOLLOWED, ALONE = "part_follows", "part_against_others"
ADDITIVITY, CONJUNCTION = "positions_add_up", "relational_less_balanced"
ONE_WAY = "all_together_one_way"
_IMAGES = ("R", "A", "B", "C+", "C-", "D", "H+", "H-")
NO_COST = "undefined: a moved part costs nothing above zero"
INCOMPLETE = "undefined: not every part can be moved so far"
_OPPOSITE = {"up": "down", "down": "up", "left": "right", "right": "left"}
_EFFECTS = {BALANCED: plotting.DOTTED, RELATIONAL: plotting.SOLID, POSITIONAL: plotting.DASHED}


@dataclass(frozen=True)
class Factorial(Probe):
    """What a moved part costs, divided into what its relations cost and what its position costs.

    Of one object there are the image at rest (R), one part moved (A), the other parts moved by as much the other
    way (B), which has the relations of A and leaves the part where it was, and all parts moved either way (C, the
    mean of both), which has the relations of R. The relational effect is ((C − A) + (R − B)) / 2, the positional
    one ((B − A) + (R − C)) / 2; they add up to R − A.

    A classifier that needs several positions at once breaks this: the second part that moves costs it something
    other than the first. So there are two images more: the part moved by half the distance and the others by half
    the other way (D), which has the relations of A and B, and all parts moved by half either way (H), which has
    those of R. In both every part lies equally far from its position: the balanced relational effect H − D is zero
    for every classifier that reads positions alone, and equal to the relational one where costs add up. A part is
    moved only where all images fit and nothing is hidden.

    Attributes:
        distances: In pixels of a portrait whose longer side has 512, before a condition's scale; on plain surface.
        at: The one that is also measured on a visible canvas, and that the fraction is first taken at.
        objects: How many objects are taken apart.
    """

    distances: tuple[int, ...] = (20, 60, 120)
    at: int = 60
    objects: int = 30
    name: str = "factorial"
    title = "Relations and positions"
    question = "Of what a moved part costs, how much is lost with its relations and how much with its position?"
    how_to_read = (
        "Relational (blue, solid) and positional effect (orange, dashed) of a moved part add up to what it costs. "
        "For a classifier that reads relations alone the positional effect is zero, for one that reads positions "
        "the relational effect; the relational fraction is 1, 0, or one half where both cost alike. It holds where "
        "costs add up: positions add up, and relational less balanced, are then zero. The balanced relational "
        "effect (green, dotted) needs no adding up: with and without their relations, all parts lie equally far "
        "from their positions, so that it is zero for all who read positions alone. What all cost together is zero "
        "for all who read relations alone."
    )

    def __post_init__(self) -> None:
        if self.at not in self.distances:
            raise ConfiguralError(f"factorial at {self.at} is not measured: put it among the distances")

    def trials(self, material: Material) -> Trials:
        """The images of each object, part and direction; on plain surface, and at `at` on a visible canvas."""
        table = material.some_objects(self.objects)
        own, bare = material.condition.background, plain(material, table)
        versions = [*_versions(material, bare, self.distances)]
        if bare.condition.background != own:
            versions += _versions(material, under(table, background=own), (self.at,))
        return Trials.join(material.library, versions)

    def examples(self, shown: pd.DataFrame) -> dict[int, str]:
        """One object at rest, with a part moved, with the others moved the other way, with all moved."""
        if not len(shown):
            return {}
        cells = matched_cells(shown.assign(log_odds=shown.get("log_odds", 0.0)))
        cells = cells[(cells["distance"] == self.at) & (cells["background"] == shown["background"].iloc[0])]
        if not len(cells):
            return {0: "at rest"}
        key = cells.loc[usual(cells[["A", "B", "C+", "D", "H+"]].rsub(cells["R"], axis=0))]
        alike = shown[(shown["base"] == key["base"]) & (shown["background"] == key["background"])]
        chosen = {int(alike.index[alike["version"] == "none"][0]): "R: at rest"}
        cell = alike[(alike["distance"] == self.at) & (alike["direction"] == key["direction"])]
        cell = cell[cell["part"].isin([key["part"], ""])]  # of all that move, no part is named
        captions = {
            "part": f"A: {key['part']} moved",
            "others": "B: the others, the other way",
            "apart": "D: half each",
            "all": "C: all moved",
            "half": "H: all moved by half",
        }
        return chosen | {int(cell.index[cell["version"] == name][0]): said for name, said in captions.items()}

    def score(self, responses: pd.DataFrame, material: Material) -> list[Score]:
        """Effects in log-odds and in probability, their fraction and the checks, by background and distance."""
        found: list[Score] = []
        parts = singles(material.scheme)
        cells = matched_cells(responses)
        for background in dict.fromkeys(responses["background"]):
            wanted = self.distances if background == responses["background"].iloc[0] else (self.at,)
            for distance in wanted:
                some = cells[(cells["background"] == background) & (cells["distance"] == distance)]
                found += effects(some, parts, material, of=background, at=float(distance))
        return found

    def figure(self, scores: pd.DataFrame) -> Figure:
        """Both effects against the distance on plain surface, and the relational fraction at each."""
        mine = scores[scores["of"] == (scores["of"].iloc[0] if len(scores) else "")]
        with plotting.panels(2, 4.4) as (figure, (left, right)):
            for effect, style in _EFFECTS.items():
                rows = mine[mine["score"] == effect].sort_values("at")
                plotting.curve(left, rows, effect.replace("_", " "), **style)
            plotting.log_odds_axis(left, "cost of a moved part (log-odds)")
            left.set_xlabel("moved by (1/512 of the longer side)")
            left.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1))  # above curves that cross anywhere
            rows = scores[scores["score"] == FRACTION]
            names = [f"on {plotting.surface(of)}, {at:g}" for of, at in zip(rows["of"], rows["at"], strict=True)]
            plotting.dots(right, rows, names)
            right.set_xlim(min(-0.05, rows["low"].min()), max(1.05, rows["high"].max()))
            right.axvline(0.5, color=plotting.GREY, linewidth=1.4, linestyle=(0, (3, 3)))
            right.set_xlabel("relational fraction")
        return figure

    def summary(self) -> Mapping[str, Which]:
        """The relational fraction and both effects at the distance `at`."""
        return {
            "relational_fraction": Which(FRACTION, at=self.at),
            "relational_effect": Which(BALANCED, at=self.at),
            "positional_effect": Which(POSITIONAL, at=self.at),
        }


def matched_cells(responses: pd.DataFrame) -> pd.DataFrame:
    """A row for each object, part, direction, distance and background of which all images were asked about.

    Returns:
        The columns that say which, host, and the log-odds R, A, B, C+ (all moved as the part is), C- (all moved the
        other way), D (both by half), H+ and H- (all moved by half).
    """
    where = ["background", "base", "distance", "direction", "part"]
    rows = list(responses[["version", *where, "host"]].itertuples(index=False, name=None))
    known = dict(zip((row[:-1] for row in rows), responses["log_odds"], strict=True))
    found = []
    for version, *cell, host in rows:
        if version == "part":
            background, base, *one = cell
            distance, direction, _ = one
            ways = [(distance, way, "") for way in (direction, _OPPOSITE[direction])]
            shown = [("none", 0.0, "", ""), ("part", *one), ("others", *one), *(("all", *way) for way in ways)]
            shown += [("apart", *one), *(("half", *way) for way in ways)]
            images = [(name, background, base, *which) for name, *which in shown]
            if all(image in known for image in images):
                found.append((*cell, host, *(known[image] for image in images)))
    words = dict.fromkeys(("background", "direction", "part", "host"), object)  # as in the responses
    return pd.DataFrame(found, columns=pd.Index([*where, "host", *_IMAGES], dtype=object)).astype(words)


_Weights = Float[np.ndarray, " images"]
_CONTRASTS: Mapping[str, _Weights] = {
    name: np.array(weights)
    for name, weights in {
        # Of R, A, B, C+, C-, D, H+, H-.
        RELATIONAL: (0.5, -0.5, -0.5, 0.25, 0.25, 0, 0, 0),
        POSITIONAL: (0.5, -0.5, 0.5, -0.25, -0.25, 0, 0, 0),
        BALANCED: (0.0, 0, 0, 0, 0, -1, 0.5, 0.5),
        CONJUNCTION: (0.5, -0.5, -0.5, 0.25, 0.25, 1, -0.5, -0.5),
        TOGETHER: (1.0, 0, 0, -0.5, -0.5, 0, 0, 0),
        FOLLOWED: (0.0, 0, -1, 0, 1, 0, 0, 0),
        ALONE: (0.0, 1, -1, 0, 0, 0, 0, 0),
    }.items()
}
"""What is told from the images, each a sum of responses with these weights."""

_ONE_WAY: _Weights = np.array((0, 0, 0, -0.5, 0.5, 0, 0, 0))
"""Half of what the way ahead costs more than the way back, which their mean hides."""


def effects(cells: pd.DataFrame, parts: Sequence[str], material: Material, *, of: str, at: float) -> list[Score]:
    """What the cells of one background and distance say: all effects, their fraction and the checks.

    The mean over parts is that of their means.
    """
    log_odds = cells[list(_IMAGES)].to_numpy(float)
    in_log_odds = _drawn(cells, log_odds, parts, material.bootstrap)
    in_probability = _drawn(cells, expit(log_odds), parts, material.bootstrap)
    found = [Score(name, in_log_odds.over_parts(weights), of, at) for name, weights in _CONTRASTS.items()]
    excess = len(parts) * _CONTRASTS[POSITIONAL] - _CONTRASTS[TOGETHER]
    adds_up = in_log_odds.over_parts(excess, needs_all=True)
    found += [Score(FRACTION, in_log_odds.fraction(), of, at), Score(ADDITIVITY, adds_up, of, at)]
    direction = cells["direction"].to_numpy()
    for way in ("down", "right"):
        rows = (direction == way) | (direction == _OPPOSITE[way])
        ahead = np.where(direction[rows] == way, 1, -1)[:, None]
        both_ways = _drawn(cells[rows], ahead * log_odds[rows], parts, material.bootstrap)
        found.append(Score(ONE_WAY, both_ways.over_parts(_ONE_WAY), f"{way}, on {of}", at))
    main = (RELATIONAL, POSITIONAL, BALANCED)
    for name in main:
        estimate = in_probability.over_parts(_CONTRASTS[name])
        found.append(Score(f"{name}_on_{material.probability}", estimate, of, at))
    for (number, part), name in product(enumerate(parts), main):
        found.append(Score(name, in_log_odds.of_part(_CONTRASTS[name], number), f"{part}, on {of}", at))
    return found


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Mean responses by part and image, of all exemplars and in each draw of them."""

    means: Float[np.ndarray, "parts images"]
    draws: Float[np.ndarray, "b parts images"]
    exemplars: Sequence[int]
    cells: Sequence[int]
    hosts: int

    def over_parts(self, weights: _Weights, *, needs_all: bool = False) -> Estimate:
        """A sum of responses, each part counting as much as the others, in however many directions it fits."""
        if not self.hosts:
            return Estimate(np.nan, np.nan, np.nan, 0, 0, NO_ROOM)
        if needs_all and not all(self.cells):
            return Estimate(np.nan, np.nan, np.nan, self.hosts, sum(self.cells), INCOMPLETE)
        draws = mean_of_known(self.draws @ weights)
        value = float(mean_of_known(self.means @ weights))
        return Estimate(value, *interval(draws, self.hosts), self.hosts, sum(self.cells), draws=draws)

    def of_part(self, weights: _Weights, part: int) -> Estimate:
        """The same sum of one part."""
        images, exemplars = self.cells[part], self.exemplars[part]
        if not images:
            return Estimate(np.nan, np.nan, np.nan, 0, 0, NO_ROOM)
        ends = interval(self.draws[:, part] @ weights, exemplars)
        return Estimate(float(self.means[part] @ weights), *ends, exemplars, images)

    def fraction(self) -> Estimate:
        """Relational effect / (relational + positional); undefined unless their sum is above zero."""
        one, both = _CONTRASTS[RELATIONAL], _CONTRASTS[RELATIONAL] + _CONTRASTS[POSITIONAL]
        cost, note = self.over_parts(both), ""
        if not self.hosts:
            note = NO_ROOM
        elif self.hosts == 1:
            note = ONE_EXEMPLAR
        elif not cost.low > 1e-6:
            note = NO_COST
        if note:
            return Estimate(np.nan, np.nan, np.nan, self.hosts, sum(self.cells), note)
        with np.errstate(all="ignore"):
            draws = mean_of_known(self.draws @ one) / mean_of_known(self.draws @ both)
        value = float(mean_of_known(self.means @ one)) / cost.value
        return Estimate(value, *interval(draws, self.hosts), self.hosts, sum(self.cells), draws=draws)


def _drawn(
    cells: pd.DataFrame, values: Float[np.ndarray, "n images"], parts: Sequence[str], bootstrap: Bootstrap
) -> _Drawn:
    of_part = cells["part"].to_numpy(object)
    mine = [of_part == part for part in parts]
    columns = np.stack([np.where(rows[:, None], values, np.nan) for rows in mine], axis=1)
    shape = len(parts), len(_IMAGES)
    means, draws, hosts = bootstrap.draws(columns.reshape(len(cells), shape[0] * shape[1]), cells["host"])
    drawn_together = bootstrap.clusters(cells["host"])
    exemplars = [len(set(drawn_together[rows])) for rows in mine]
    counts = [int(rows.sum()) for rows in mine]
    return _Drawn(means.reshape(shape), draws.reshape(-1, *shape), exemplars, counts, hosts)


def _versions(
    material: Material, table: StimulusTable, distances: Sequence[int]
) -> Iterator[tuple[StimulusTable, dict[str, Any]]]:
    """The object at rest; at each distance in each direction where all that belongs together fits, the versions."""
    library, n, slots = material.library, len(table), material.scheme.part_kinds
    hidden, background = overlap(library, table), table.condition.background
    yield table, {"version": "none", "part": "", "distance": 0.0, "direction": "", "background": background}
    for distance in distances:
        step = steps(library, table, distance)
        first, second = step // 2, step - step // 2
        by: dict[tuple[str, str, str], Moves] = {}
        for direction, (down, across) in DIRECTIONS.items():
            ahead, away = (first, second) if min(down, across) < 0 else (second, first)
            for slot in slots:
                rest, part = [other for other in slots if other != slot], slot.replace("_", " ")
                by["part", part, direction] = {slot: (down * step, across * step)}
                by["others", part, direction] = dict.fromkeys(rest, (-down * step, -across * step))
                by["apart", part, direction] = {
                    slot: (down * ahead, across * ahead),
                    **dict.fromkeys(rest, (-down * away, -across * away)),
                }
        for version in ("all", "half"):
            for direction, (down, across) in DIRECTIONS.items():
                so_far = step if version == "all" else first if min(down, across) < 0 else second
                by[version, "", direction] = dict.fromkeys(slots, (down * so_far, across * so_far))
        fits = {way: fit(library, each_moved(table, [by["all", "", way]])) for way in DIRECTIONS}
        alone = [key for key in by if key[0] == "part"]
        # Parts hide as much of each other when the others move the other way, or both by half.
        seen = overlap(library, each_moved(table, [by[key] for key in alone])).reshape(-1, n) <= hidden
        room = {
            (part, way): fits[way] & fits[_OPPOSITE[way]] & free
            for (_, part, way), free in zip(alone, seen, strict=True)
        }
        every = {way: np.any([some for (_, one), some in room.items() if one == way], axis=0) for way in DIRECTIONS}
        shown = np.concatenate(
            [room[part, way] if part else every[way] | every[_OPPOSITE[way]] for _, part, way in by]
        )
        version, part, direction = (np.repeat(values, n)[shown] for values in zip(*by, strict=True))
        notes = {"version": version, "part": part, "distance": float(distance), "direction": direction}
        moved = each_moved(table, list(by.values())).take(np.flatnonzero(shown))
        yield moved, {**notes, "background": background}
