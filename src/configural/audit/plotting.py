"""What the figures of probes have in common: panels, dots with intervals, curves, axes."""

from collections.abc import Generator, Sequence
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
    axes.errorbar(
        rows["value"], heights, xerr=arms(rows), fmt="o", color=BLUE, elinewidth=2.4, markersize=8, capsize=0
    )
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
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -NAT / 2), max(high, NAT / 2))
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set_xlabel(label)


def fraction_dots(
    axes: Axes,
    rows: pd.DataFrame,
    names: Sequence[str],
    label: str,
    *,
    chance: bool = False,
    missing: str = "undefined",
) -> None:
    """Dots on an axis from 0 to 100 %; with a line at one half where that is chance."""
    dots(axes, rows, names, missing=missing)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    axes.set_xlabel(label)
    if chance:
        axes.axvline(0.5, color=GREY, linewidth=1.4, linestyle=(0, (3, 3)))


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


def arms(rows: pd.DataFrame) -> np.ndarray:
    """From each value to the ends of its interval, as error bars take it."""
    both = np.stack([rows["value"] - rows["low"], rows["high"] - rows["value"]])
    return np.nan_to_num(np.maximum(both, 0))


def surface(background: str) -> str:
    """What lies under the parts, in words that fit any object."""
    return "plain surface" if background == "skin" else background


def words(names: pd.Series) -> list[str]:
    """Names of parts as words."""
    return [name.replace("_", " ") for name in names]


def grid(axes: Axes, along: Literal["x", "y"]) -> None:
    """Thin lines under the drawing."""
    axes.grid(axis=along, color=GRID, linewidth=1)
    axes.set_axisbelow(True)
