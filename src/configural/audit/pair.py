"""Two classifiers asked about the very same images: parts moved one by one, and all together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from matplotlib.figure import Figure
from scipy.special import expit

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
        shown: One typical object as it is, with all parts moved, and with one part moved, in two ways each.
        moved: By name and what was moved (`one part`, `all`), the mean probability of the correct class at `AT`.
    """

    scores: Mapping[str, pd.DataFrame]
    shown: tuple[Shown, ...]
    moved: Mapping[str, Mapping[str, float]]

    def index(self, name: str) -> dict[str, Any]:
        """The relation index of one of them at `AT`, as it is measured on the images as they are."""
        found = self.scores[name]
        return found[(found["score"] == "relation_index") & (found["at"] == AT)].iloc[0].to_dict()

    @property
    def mirrored(self) -> bool:
        """Whether the first goes by positions and the second by relations, beyond chance."""
        first, second = map(self.index, self.scores)
        return bool(first["high"] < 0 < second["low"])

    def figure(self) -> Figure:
        """For each, the log-odds drop against the distance, on a scale of its own."""
        zero = pd.DataFrame({"at": [0.0], "value": [0.0], "low": [0.0], "high": [0.0]})
        with plotting.panels(len(self.scores), 4.2) as (figure, axes):
            for panel, (name, scores) in zip(axes, self.scores.items(), strict=True):
                for of in (ONE, ALL):
                    rows = scores[(scores["score"] == "drop") & (scores["of"] == of)].sort_values("at")
                    plotting.curve(panel, pd.concat([zero, rows]), f"{of} moved", **CURVES[of])
                panel.set_title(name, loc="left", fontweight="bold")
                panel.set_xlabel("moved by (1/512 of the portrait)")
                panel.axhline(0, color=plotting.GREY, linewidth=1)
                panel.set_ylim(bottom=-0.05 * panel.get_ylim()[1])
            axes[0].set_ylabel("log-odds drop")
            axes[0].legend(frameon=False, loc="upper left")
        return figure


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
    trials = _PROBE.trials(material)
    renderers = {size: Renderer(library, size=size) for size in {LEGIBLE, *image_sizes.values()}}
    answers: dict[str, list[np.ndarray]] = {name: [] for name in classifiers}
    with progress.bar("moving parts", len(trials)) as update:
        for first in range(0, len(trials), _TOGETHER):
            some = trials.stimuli[first : first + _TOGETHER]
            images = {size: renderers[size].draw_batch(some) for size in set(image_sizes.values())}
            for name, classifier in classifiers.items():
                answers[name].append(classifier.log_odds(images[image_sizes[name]]))
            update(first + len(some))
    responses = {
        name: trials.notes.assign(log_odds=np.concatenate(given).astype(float)) for name, given in answers.items()
    }
    scores = {name: scores_frame({_PROBE.name: _PROBE.score(given, material)}) for name, given in responses.items()}
    own = trials.notes[trials.notes["background"] == material.condition.background]
    log_odds = pd.DataFrame({name: given["log_odds"] for name, given in responses.items()}).loc[own.index]
    single = singles(library.scheme)
    kinds = {ONE: own["move"].isin(single), ALL: own["move"] == ALL}
    far = own["distance"] == AT
    moved = {
        name: {kind: float(expit(log_odds[name][far & of_kind]).mean()) for kind, of_kind in kinds.items()}
        for name in classifiers
    }
    still = log_odds[own["move"] == "none"].set_axis(own["base"][own["move"] == "none"])
    drops = still.loc[own["base"]].set_axis(own.index) - log_odds
    rows = _typical(own, drops, [far & kinds[kind] for kind in (ALL, ONE)])
    shown = tuple(
        Shown(caption, one, renderers[LEGIBLE].draw(one), dict(log_odds.loc[row]))
        for row, caption in rows.items()
        for one in [trials.stimuli[row]]
    )
    return Pair(scores, shown, moved)


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
