"""What the figures of probes have in common: panels, dots with intervals, curves, axes."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from textwrap import fill
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter

from configural.evaluation.figures import BLUE, GREEN, GREY, GRID, ORANGE, styled

__all__ = ["BLUE", "GREEN", "GREY", "ORANGE"]
NAT = 1.0
"""Axes and colours of log-odds span at least one nat, so that next to nothing looks like next to nothing."""

SOLID: Mapping[str, Any] = {"color": BLUE, "marker": "o", "linestyle": "-"}
DASHED: Mapping[str, Any] = {"color": ORANGE, "marker": "s", "linestyle": (0, (4, 1.6))}
DOTTED: Mapping[str, Any] = {"color": GREEN, "marker": "^", "linestyle": (0, (1.5, 1.2))}
LOOKS = SOLID, DASHED, DOTTED, {"color": GREY, "marker": "D", "linestyle": (0, (6, 2, 1, 2))}
"""Of curves that stand beside each other."""

AT_REST = pd.DataFrame({"at": [0.0], "value": [0.0], "low": [0.0], "high": [0.0]})
"""Where curves of drops begin: what does not move costs nothing."""


@contextmanager
def panels(number: int, height: float, *, rows: int = 1) -> Generator[tuple[Figure, list[Axes]]]:
    """A styled figure with so many panels side by side in rows so many inches high, drawn inside the block."""
    with styled():
        figure = Figure(figsize=(9.6, height * rows), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
        yield figure, list(figure.subplots(rows, number, squeeze=False).ravel())


def overview(scores: pd.DataFrame) -> Figure:
    """A dot with its interval for each score that is defined."""
    rows = scores[scores["value"].notna()]
    at = rows["at"].map(lambda value: "" if np.isnan(value) else f"{value:g}")
    with panels(1, 0.45 * len(rows) + 1.6) as (figure, (axes,)):
        names = [" ".join(filter(None, words)) for words in zip(rows["score"], rows["of"], at, strict=True)]
        # A name that nobody has shortened would leave no room for the chart.
        dots(axes, rows, [fill(name.replace("_", " "), 36) for name in names])
        axes.axvline(0, color=GREY, linewidth=1)
    return figure


def dots(axes: Axes, rows: pd.DataFrame, names: Sequence[str], *, missing: str = "undefined") -> None:
    """A row for each score: a dot at its value, a line over its interval; a word where there is none."""
    heights = np.arange(len(rows))
    marks(axes, rows, heights, fmt="o", color=BLUE)
    for height, value in zip(heights.tolist(), rows["value"], strict=True):
        if np.isnan(value):
            ground = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # over lines that cross the words
            where = axes.get_yaxis_transform()
            axes.text(0.5, height, missing, transform=where, ha="center", va="center", color=GREY, bbox=ground)
    axes.set_yticks(heights, names)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    grid(axes, "x")


def log_odds_dots(axes: Axes, rows: pd.DataFrame, names: Sequence[str], label: str) -> None:
    """Dots on an axis of log-odds that spans at least a nat around zero."""
    dots(axes, rows, names)
    log_odds_across(axes, label)


def log_odds_across(axes: Axes, label: str) -> None:
    """The horizontal axis of log-odds, which spans at least a nat around zero, with a line there."""
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -NAT / 2), max(high, NAT / 2))
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set_xlabel(label)


def log_odds_axis(axes: Axes, label: str) -> None:
    """The vertical axis of log-odds, which spans at least a nat above zero, with a line there."""
    axes.axhline(0, color=GREY, linewidth=1)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -NAT / 4), max(high, NAT))
    axes.set_ylabel(label)


def fraction_dots(
    axes: Axes,
    rows: pd.DataFrame,
    names: Sequence[str],
    label: str,
    *,
    chance: float | None = None,
    missing: str = "undefined",
) -> None:
    """Dots on an axis from 0 to 100 %; with a line at what is chance."""
    dots(axes, rows, names, missing=missing)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    axes.set_xlabel(label)
    if chance is not None:
        axes.axvline(chance, color=GREY, linewidth=1.4, linestyle=(0, (3, 3)))


def probability_axis(axes: Axes, label: str) -> None:
    """The vertical axis of a probability, with a line at one half."""
    axes.set_ylabel(label)
    axes.set_ylim(-0.02, 1.02)
    axes.axhline(0.5, color=GREY, linewidth=1, linestyle=(0, (3, 3)))


def curve(axes: Axes, rows: pd.DataFrame, name: str, **style: Any) -> None:
    """Values over `at`, with a band over their intervals."""
    axes.fill_between(rows["at"], rows["low"], rows["high"], color=style["color"], alpha=0.22, linewidth=0)
    axes.plot(rows["at"], rows["value"], label=name, linewidth=2.4, markersize=7, **style)
    grid(axes, "y")


def legend_beside(axes: Axes) -> None:
    """The legend on the right of the panel."""
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def marks(axes: Axes, rows: pd.DataFrame, heights: np.ndarray, **style: Any) -> None:
    """A mark at each value, a line over its interval."""
    arms = np.stack([rows["value"] - rows["low"], rows["high"] - rows["value"]])
    style = {"elinewidth": 2.4, "markersize": 8, "capsize": 0, **style}
    axes.errorbar(rows["value"], heights, xerr=np.nan_to_num(np.maximum(arms, 0)), **style)


def surface(background: str) -> str:
    """What lies under the parts, in words that fit any object."""
    return "plain surface" if background == "skin" else background


def words(names: Iterable[str]) -> list[str]:
    """Names as words."""
    return [name.replace("_", " ") for name in names]


def grid(axes: Axes, along: Literal["x", "y"]) -> None:
    """Thin lines under the drawing."""
    axes.grid(axis=along, color=GRID, linewidth=1)
    axes.set_axisbelow(True)
