"""Two classifiers asked about the very same images: parts moved one by one, and all together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from configural import progress
from configural.audit import plotting
from configural.audit.auditing import make_material
from configural.audit.probe import scores_frame
from configural.audit.probes.displacement import ALL, CURVES, ONE, Displacement, singles
from configural.audit.probes.receptive_field import LEGIBLE
from configural.audit.respondents import RespondsToImages
from configural.errors import ConfiguralError
from configural.portraits import Library
from configural.stimuli import Renderer, Stimulus

AT = 60
"""The distance that is told of, among those measured."""

_PROBE = Displacement(distances=(20, 40, AT), at=AT, objects=16)
_TOGETHER = 100


@dataclass(frozen=True, eq=False)
class Shown:
    """One image that both were asked about.

    Attributes:
        caption: What was done to the object.
        stimulus: Its description.
        image: It drawn large, RGB.
        log_odds: By name, what each responded, in nats.
    """

    caption: str
    stimulus: Stimulus
    image: UInt8[np.ndarray, "rows cols 3"]
    log_odds: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Pair:
    """What two classifiers made of the same images.

    Attributes:
        scores: By name, the scores of the probe `displacement`.
        shown: One typical object as it is, with all parts moved and with one part moved, in two ways each, and
            scrambled.
        gaps: By name, what scrambling costs in the mean, in nats: log-odds of correct arrangements less those of
            scrambled ones of the same parts.
    """

    scores: Mapping[str, pd.DataFrame]
    shown: tuple[Shown, ...]
    gaps: Mapping[str, float]

    def of_gap(self, shown: Shown, name: str) -> float:
        """What one of them loses by what was done to the object that is shown, as a fraction as in `lost`."""
        whole, scrambled = (one.log_odds[name] for one in (self.shown[0], self.shown[-1]))
        return float(_fraction(whole - shown.log_odds[name], whole - scrambled))

    def index(self, name: str) -> dict[str, Any]:
        """The relation index of one of them at `AT`, as it is measured on the images as they are."""
        found = self.scores[name]
        return found[(found["score"] == "relation_index") & (found["at"] == AT)].iloc[0].to_dict()

    def drop(self, name: str, of: str) -> dict[str, Any]:
        """The log-odds drop of one of them when `one part` or `all` move by `AT`."""
        found = self.scores[name]
        return found[(found["score"] == "drop") & (found["of"] == of) & (found["at"] == AT)].iloc[0].to_dict()

    def lost(self, name: str, of: str) -> float:
        """What one of them loses when `one part` or `all` move by `AT`, as a fraction of what scrambling costs it.

        So two classifiers can be compared whose log-odds are not equally large; nan if scrambling costs nothing.
        """
        return float(_fraction(self.drop(name, of)["value"], self.gaps[name]))

    @property
    def mirrored(self) -> bool:
        """Whether the first goes by positions and the second by relations, beyond chance.

        And the first loses the greater fraction when all parts move, the second when one does.
        """
        a, b = self.scores
        crossed = self.lost(a, ALL) > self.lost(b, ALL) and self.lost(a, ONE) < self.lost(b, ONE)
        return bool(self.index(a)["high"] < 0 < self.index(b)["low"]) and crossed

    def figure(self, name: str) -> Figure:
        """What one of them loses against the distance, on the scale of what scrambling costs it."""
        drops = self.scores[name]
        with plotting.panels(1, 4.2) as (figure, (panel,)):
            figure.set_size_inches(5.8, 4.2)  # of two that stand beside each other
            for of in (ONE, ALL):
                rows = drops[(drops["score"] == "drop") & (drops["of"] == of)].sort_values("at")
                rows = rows.assign(
                    **{end: _fraction(rows[end], self.gaps[name]) for end in ("value", "low", "high")}
                )
                plotting.curve(panel, pd.concat([plotting.AT_REST, rows]), f"{of} moved", **CURVES[of])
            panel.set_title(name, loc="left", fontweight="bold")
            panel.set_xlabel("moved by (1/512 of the portrait)")
            panel.set_ylabel("lost, of what scrambling costs")
            panel.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
            panel.axhline(0, color=plotting.GREY, linewidth=1)
            panel.set_ylim(-0.05, max(1.0, panel.get_ylim()[1]))
            panel.legend(frameon=False, loc="upper left")
        return figure


def _fraction(part: Any, whole: float) -> Any:
    """A number, or each of several, as a fraction of the whole; nan if that is nothing."""
    return part / whole if whole > 0 else np.nan


def compare_pair(
    classifiers: Mapping[str, RespondsToImages],
    library: Library,
    *,
    condition: str,
    image_sizes: Mapping[str, int],
    seed: int = 1,
) -> Pair:
    """Ask two classifiers about the same objects with parts moved by 20, 40 and 60 pixels.

    Args:
        classifiers: By name.
        library: What the images are made of.
        condition: That of the images.
        image_sizes: By name, the rows and columns that each takes; both are shown the same stimuli.
        seed: Of the objects and of the bootstrap.

    Raises:
        ConfiguralError: If no object has room for its parts to be moved so far.
    """
    material = make_material(library, condition, pairs=_PROBE.objects, seed=seed)
    trials, frame = _PROBE.trials(material), material.pairs.frame
    scrambled = material.pairs.take(np.flatnonzero(frame["label"] == 0))
    stimuli = [*trials.stimuli, *scrambled]
    renderers = {size: Renderer(library, size=size) for size in {LEGIBLE, *image_sizes.values()}}
    answers: dict[str, list[np.ndarray]] = {name: [] for name in classifiers}
    with progress.bar("moving parts", len(stimuli)) as update:
        for first in range(0, len(stimuli), _TOGETHER):
            some = stimuli[first : first + _TOGETHER]
            images = {size: renderers[size].draw_batch(some) for size in set(image_sizes.values())}
            for name, classifier in classifiers.items():
                answers[name].append(classifier.log_odds(images[image_sizes[name]]))
            update(first + len(some))
    said = {name: np.concatenate(given).astype(float) for name, given in answers.items()}
    responses = {name: trials.notes.assign(log_odds=given[: len(trials)]) for name, given in said.items()}
    of_scrambled = pd.DataFrame(
        {name: given[len(trials) :] for name, given in said.items()}, scrambled.frame["index"]
    )
    scores = {name: scores_frame({_PROBE.name: _PROBE.score(given, material)}) for name, given in responses.items()}
    own = trials.notes[trials.notes["background"] == material.condition.background]
    log_odds = pd.DataFrame({name: given["log_odds"] for name, given in responses.items()}).loc[own.index]
    single, far = singles(library.scheme), own["distance"] == AT
    still = log_odds[own["move"] == "none"].set_axis(own["base"][own["move"] == "none"])
    drops = still.loc[own["base"]].set_axis(own.index) - log_odds
    rows = _typical(own, drops, [far & (own["move"] == ALL), far & own["move"].isin(single)])
    base = own["base"][next(iter(rows))]
    listed = [(caption, stimuli[row], log_odds.loc[row]) for row, caption in rows.items()]
    position = scrambled.frame["index"].tolist().index(base)
    listed.append(("scrambled", stimuli[len(trials) + position], of_scrambled.loc[base]))
    shown = tuple(
        Shown(caption, one, renderers[LEGIBLE].draw(one), dict(values)) for caption, one, values in listed
    )
    return Pair(scores, shown, dict((still - of_scrambled).mean()))


def _typical(own: pd.DataFrame, drops: pd.DataFrame, groups: list[pd.Series]) -> dict[int, str]:
    """Rows of one object, with captions: as it is, and for each group the two moves nearest to the mean drop."""
    versions: list[tuple[str, str]] = [("none", "")]
    for group in groups:
        means = drops[group].mean()
        by_move = [own["move"][group], own["direction"][group]]
        # Moves that most objects have room for; of each kind of move the most typical direction.
        roomy = own[group].groupby(["move", "direction"]).size()
        off = (drops[group].groupby(by_move).mean() - means).abs().sum(axis=1)[roomy >= roomy.median()]
        ways = off.sort_values().index.tolist()
        other = [way for way in ways[1:] if way[0] != ways[0][0]]
        versions += [ways[0], (other or ways[1:] or ways)[0]]
    keys = list(zip(own["move"], own["direction"], strict=True))
    wanted = pd.Series([key in versions for key in keys], own.index) & (own["distance"].isin((0, AT)))
    typical = drops[wanted].groupby([own["move"][wanted], own["direction"][wanted]]).transform("median")
    off = (drops[wanted] - typical).abs().sum(axis=1).groupby(own["base"][wanted])
    whole = off.size() == len(set(versions))
    if not whole.any():
        raise ConfiguralError("no object has room for its parts to be moved so far; take another condition")
    base = off.sum()[whole].idxmin()
    one = own[wanted & (own["base"] == base)]
    rows = {(row.move, row.direction): int(row.Index) for row in one.itertuples()}
    return {rows[way]: _caption(*way) for way in versions}


def _caption(move: str, direction: str) -> str:
    if move == "none":
        return "as it is"
    return f"{'all parts' if move == ALL else move} moved {direction}"
