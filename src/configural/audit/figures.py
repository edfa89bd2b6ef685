"""Figures of an audit, one or two panels for each probe, from its table of scores."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, NullLocator

from configural.audit.probes.interactions import PLAYERS
from configural.audit.result import Audit
from configural.evaluation import save_figure
from configural.evaluation.figures import _styled

# By Okabe and Ito, as in the figures of a run; marks differ too, so that grey prints can be read.
_BLUE, _ORANGE, _GREEN, _GREY = "#0072b2", "#e69f00", "#009e73", "#5b6470"
_GRID = "#dcdfe3"
_NAT = 1.0
"""Axes and colours of log-odds span at least one nat, so that next to nothing looks like next to nothing."""
_CURVES: dict[str, dict[str, Any]] = {
    "one part": {"color": _BLUE, "marker": "o", "linestyle": "-"},
    "a pair": {"color": _GREEN, "marker": "^", "linestyle": (0, (1.5, 1.2))},
    "all": {"color": _ORANGE, "marker": "s", "linestyle": (0, (4, 1.6))},
}
_WORDS = {"one part": "#005a8c", "a pair": "#00664b", "all": "#8a5a00"}


def write_figures(audit: Audit, folder: Path) -> list[Path]:
    """Draw the figure of each probe that has scores into `figures/`, named by the probe."""
    drawn = {
        "forced_choice": paired_choice_figure,
        "displacement": displacement_figure,
        "context": context_figure,
        "inversion": inversion_figure,
        "interactions": interactions_figure,
        "reach": reach_figure,
        "attribution": attribution_figure,
    }
    paths = []
    for probe, scores in audit.scores.groupby("probe", sort=False):
        if str(probe) in drawn:
            paths.append(folder / "figures" / f"{probe}.png")
            save_figure(drawn[str(probe)](scores), paths[-1])
    return paths


def paired_choice_figure(scores: pd.DataFrame) -> Figure:
    """Share of pairs in which the right arrangement scores higher, by kind of wrong arrangement."""
    with _styled():
        rows = scores[scores["score"] == "choice"]
        figure, (axes,) = _panels(1, 0.55 * len(rows) + 1.9)
        names = [f"{row.of}  (n = {row.images:,})" for row in rows.itertuples()]
        _dots(axes, rows, names, _BLUE)
        _share_axis(axes, "right arrangement preferred", chance=True)
    return figure


def displacement_figure(scores: pd.DataFrame) -> Figure:
    """Drop of the log-odds, and P(face), against the distance by which parts are moved."""
    with _styled():
        figure, (left, right) = _panels(2, 4.6)
        rest = scores[(scores["score"] == "P(face)") & (scores["of"] == "at rest")]
        for axes, score in ((left, "drop"), (right, "P(face)")):
            for name, style in _CURVES.items():
                rows = scores[(scores["score"] == score) & (scores["of"] == name)].sort_values("at")
                start = pd.DataFrame({"at": [0.0], "value": [0.0], "low": [0.0], "high": [0.0]})
                first = start if score == "drop" else rest
                _curve(axes, pd.concat([first, rows]) if len(rows) else first, name, style)
            axes.set_xlabel("moved by (pixels of a 512-row portrait)")
        left.set_ylabel("drop of the log-odds of face")
        low, high = left.get_ylim()
        left.set_ylim(min(low, -_NAT / 4), max(high, _NAT))
        left.axhline(0, color=_GREY, linewidth=1)
        right.set_ylabel("P(face)")
        right.set_ylim(-0.02, 1.02)
        right.axhline(0.5, color=_GREY, linewidth=1, linestyle=(0, (3, 3)))
        _legend(left, _WORDS)
    return figure


def context_figure(scores: pd.DataFrame) -> Figure:
    """Paired choice, and P(face) of faces, in each context."""
    with _styled():
        figure, (left, right) = _panels(2, 3.8)
        choice, face = (scores[scores["score"] == name] for name in ("choice", "P(face)"))
        _dots(left, choice, list(choice["of"]), _BLUE)
        _share_axis(left, "right arrangement preferred", chance=True)
        _dots(right, face, list(face["of"]), _BLUE)
        _share_axis(right, "P(face) of faces")
    return figure


def inversion_figure(scores: pd.DataFrame) -> Figure:
    """Drops by turning upside down, and P(face) against the angle."""
    with _styled():
        figure, (left, right) = _panels(2, 4.2)
        drops = scores[(scores["score"] == "drop") & (scores["of"] != "rotation")]
        names = [
            {
                "inverted": "whole face inverted",
                "eyes and mouth turned, upright": "eyes, mouth turned\nin an upright face",
                "eyes and mouth turned, inverted": "eyes, mouth turned\nin an inverted face",
                "Thatcher effect": "Thatcher effect\n(difference)",
            }[of]
            for of in drops["of"]
        ]
        _dots(left, drops, names, _BLUE)
        left.set_xlabel("drop of the log-odds of face")
        _at_least_a_nat(left)
        left.axvline(0, color=_GREY, linewidth=1)
        curve = scores[(scores["score"] == "P(face)") & (scores["of"] == "rotation")].sort_values("at")
        _curve(right, curve, "rotation", _CURVES["one part"])
        right.set_xlabel("parts turned by (degrees, either way)")
        right.set_ylabel("P(face)")
        right.set_ylim(-0.02, 1.02)
        right.set_xticks([0, 45, 90, 135, 180])
        right.axhline(0.5, color=_GREY, linewidth=1, linestyle=(0, (3, 3)))
    return figure


def interactions_figure(scores: pd.DataFrame) -> Figure:
    """Shapley values of the players, and their interactions in pairs."""
    with _styled():
        figure, (left, right) = _panels(2, 4.6)
        shapley = scores[scores["score"] == "shapley"]
        _dots(left, shapley, [of.replace("_", " ") for of in shapley["of"]], _BLUE)
        left.set_xlabel("Shapley value (log-odds of face)")
        _at_least_a_nat(left)
        left.axvline(0, color=_GREY, linewidth=1)
        pairs = scores[scores["score"] == "interaction"].set_index("of")["value"]
        grid = np.full((len(PLAYERS), len(PLAYERS)), np.nan)
        for a, first in enumerate(PLAYERS):
            for b, second in enumerate(PLAYERS[a + 1 :], a + 1):
                grid[b, a] = pairs[f"{first} × {second}"]
        reach = max(float(np.nanmax(np.abs(grid))), _NAT)
        right.imshow(grid, cmap="PuOr_r", norm=TwoSlopeNorm(0, -reach, reach))
        for (row, column), value in np.ndenumerate(grid):
            if not np.isnan(value):
                colour = "white" if abs(value) > 0.6 * reach else "#1d2126"
                text = "0.0" if abs(value) < 0.05 else f"{value:.1f}".replace("-", "−")
                right.text(column, row, text, ha="center", va="center", color=colour)
        short = [player.replace("_", "\n") for player in PLAYERS]
        right.set_xticks(range(len(PLAYERS) - 1), short[:-1])
        right.set_yticks(range(1, len(PLAYERS)), [player.replace("_", " ") for player in PLAYERS[1:]])
        right.set_ylim(len(PLAYERS) - 0.5, 0.5)
        right.set_xlim(-0.5, len(PLAYERS) - 1.5)
        right.tick_params(length=0)
        right.set_title("interaction in pairs (log-odds)", fontsize=13, fontweight="normal")
    return figure


def reach_figure(scores: pd.DataFrame) -> Figure:
    """Distances between parts next to the fields of view."""
    with _styled():
        figure, (axes,) = _panels(1, 4.2)
        rows = scores[scores["score"] == "distance"]
        _dots(axes, rows, [of.replace("_", " ") for of in rows["of"]], _BLUE)
        for field, colour, style in (("effective", _ORANGE, "-"), ("theoretical", _GREY, (0, (4, 2)))):
            value = scores[(scores["score"] == "field") & (scores["of"] == field)]["value"].iloc[0]
            if np.isfinite(value):
                axes.axvline(
                    value, color=colour, linewidth=2.2, linestyle=style, label=f"{field} field: {value:.0f}"
                )
        axes.set_xlim(0, None)
        axes.set_xlabel("pixels of the image")
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def attribution_figure(scores: pd.DataFrame) -> Figure:
    """Share of the attribution that falls into each region, next to its share of the area."""
    with _styled():
        figure, (axes,) = _panels(1, 4.6)
        regions = list(scores[scores["score"] == "share_area"]["of"])
        styles = {
            "share_area": ("share of the area", _GREY, "|", -0.26),
            "share_gradients": ("Integrated Gradients", _BLUE, "o", 0.0),
            "share_occlusion": ("occlusion", _ORANGE, "s", 0.26),
        }
        for score, (label, colour, marker, up) in styles.items():
            rows = scores[scores["score"] == score]
            if len(rows):
                places = np.arange(len(rows)) + up
                axes.errorbar(
                    rows["value"], places, xerr=_arms(rows), fmt=marker, color=colour, label=label, capsize=0,
                    elinewidth=2, markersize=12 if marker == "|" else 8, markeredgewidth=2.5, clip_on=False,
                )  # fmt: skip
        axes.set_yticks(range(len(regions)), [region.replace("_", " ") for region in regions])
        axes.invert_yaxis()
        # Parts take up little: on a straight axis all that is theirs would lie on one spot.
        axes.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
        axes.set_xlim(0, 1)
        axes.set_xticks([0.01, 0.05, 0.1, 0.25, 0.5, 1])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid(axis="x", color=_GRID, linewidth=1)
        axes.set_axisbelow(True)
        axes.set_xlabel("share (axis by square roots)")
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def compare_figure(rows: pd.DataFrame) -> Figure:
    """Relation index and paired choice of several classifiers: columns name, index, index_low, and so on."""
    with _styled():
        figure, (left, right) = _panels(2, 0.6 * len(rows) + 1.8)
        for axes, what in ((left, "index"), (right, "choice")):
            some = rows[[what, f"{what}_low", f"{what}_high"]].set_axis(["value", "low", "high"], axis=1)
            _dots(axes, some, list(rows["name"]), _BLUE)
        left.set_xlim(-1.05, 1.05)
        left.axvline(0, color=_GREY, linewidth=1)
        left.set_xlabel("relation index")
        _share_axis(right, "right arrangement preferred", chance=True)
        right.set_yticklabels([])
    return figure


def _panels(number: int, height: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(9.6, height), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    return figure, list(figure.subplots(1, number, squeeze=False)[0])


def _dots(axes: Axes, rows: pd.DataFrame, names: list[str], colour: str) -> None:
    places = np.arange(len(rows))
    axes.errorbar(
        rows["value"], places, xerr=_arms(rows), fmt="o", color=colour, elinewidth=2.4, markersize=8, capsize=0
    )
    for place, value in zip(places.tolist(), rows["value"], strict=True):
        if np.isnan(value):
            axes.text(0.02, place, "undefined", transform=axes.get_yaxis_transform(), va="center", color=_GREY)
    axes.set_yticks(places, names)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="x", color=_GRID, linewidth=1)
    axes.set_axisbelow(True)


def _at_least_a_nat(axes: Axes) -> None:
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -_NAT / 2), max(high, _NAT / 2))


def _arms(rows: pd.DataFrame) -> np.ndarray:
    arms = np.stack([rows["value"] - rows["low"], rows["high"] - rows["value"]])
    return np.nan_to_num(np.maximum(arms, 0))


def _curve(axes: Axes, rows: pd.DataFrame, name: str, style: dict[str, Any]) -> None:
    axes.fill_between(rows["at"], rows["low"], rows["high"], color=style["color"], alpha=0.22, linewidth=0)
    axes.plot(rows["at"], rows["value"], label=name, linewidth=2.4, markersize=7, **style)
    axes.grid(axis="y", color=_GRID, linewidth=1)
    axes.set_axisbelow(True)


def _legend(axes: Axes, words: dict[str, str]) -> None:
    legend = axes.legend(frameon=False, loc="upper left")
    for text in legend.get_texts():
        text.set_color(words[text.get_text()])
        text.set_fontweight("bold")


def _share_axis(axes: Axes, label: str, chance: bool = False) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    axes.set_xlabel(label)
    if chance:
        axes.axvline(0.5, color=_GREY, linewidth=1.4, linestyle=(0, (3, 3)))
