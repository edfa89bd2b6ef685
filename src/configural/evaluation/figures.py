"""Figures of a training and of a test, for pages and talks."""

import base64
import io
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from configural.evaluation.predictions import Metrics
from configural.io import files
from configural.training import History
from configural.wording import percent

INK, GRID, GREY = "#1d2126", "#dcdfe3", "#5b6470"

# Nearly those of Okabe and Ito, but darker: distinguishable in every kind of colour blindness, and in grey; with a
# contrast of 3:1 or more against white, and against the dark ground that pages turn it into.
BLUE, ORANGE, GREEN = "#005a8c", "#d58000", "#009e73"
_STYLE = {
    "font.size": 13,
    "axes.titlesize": 15,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.hashsalt": "configural",
    "pdf.fonttype": 42,  # letters stay letters
}

# Words are set in a darker tone of the same hue, which is easier to read.
_LINE: dict[str, Any] = {"linewidth": 2.4, "clip_on": False, "zorder": 3}
_CURVES: dict[str, dict[str, Any]] = {
    "train": {"color": ORANGE, "linestyle": (0, (4, 1.6)), "marker": "s", "markersize": 6, **_LINE},
    "valid": {"color": BLUE, "linestyle": "-", "marker": "o", "markersize": 7, **_LINE},
}
_WORDS = {"train": "#8a5a00", "valid": "#005a8c"}

_ZOOMS = (0, 50, 80, 90, 95, 98, 99, 99.5, 99.8, 99.9)
"""Where an axis of percentages may start."""

_BLUES = LinearSegmentedColormap.from_list("fraction", ["#f4f8fb", "#9ecae1", "#2b7bba", "#08306b"])


def accuracy_figure(history: History, axes: Axes | None = None) -> Figure:
    """Accuracy, in percent, epoch by epoch, for train and valid.

    The axis ends at 100 % and starts as high as the curves allow; where that is not zero, its label says so.
    """
    curves = {name: 100 * values for name, values in _curves(history, "accuracy").items()}
    start = _start(min(values.min() for values in curves.values()))
    with styled():
        axes = _epochs(history, "Accuracy per epoch", axes=axes)
        axes.set_ylabel("% correct" + (f" (axis starts at {start:g})" if start else ""))
        _percent_axis(axes, start)
        _draw(axes, history, curves, lambda value: f"{percent(value / 100)} %")
    return figure_of(axes)


def loss_figure(history: History, axes: Axes | None = None) -> Figure:
    """The mean cross-entropy in nats, epoch by epoch, for train and valid.

    The axis starts at zero, or is logarithmic where the losses span more than two powers of ten.
    """
    curves = _curves(history, "loss")
    both = np.concatenate(list(curves.values()))
    with styled():
        axes = _epochs(history, "Loss per epoch", axes=axes)
        if both.min() > 0 and both.max() > 100 * both.min():
            axes.set_yscale("log")
            axes.set_ylim(both.min() / 1.6, both.max() * 1.6)
            axes.yaxis.set_major_locator(LogLocator(10))
            axes.yaxis.set_minor_formatter(NullFormatter())
            axes.yaxis.set_major_formatter(
                FuncFormatter(lambda value, _: np.format_float_positional(float(f"{value:.0e}"), trim="-"))
            )
            axes.set_ylabel("mean cross-entropy (log scale)")
        else:
            axes.set_ylim(0, 1.08 * both.max() or 1)
            axes.yaxis.set_major_locator(MaxNLocator(6))
            axes.set_ylabel("mean cross-entropy")
        _draw(axes, history, curves, lambda value: f"{value:#.3g}".rstrip("."))
    return figure_of(axes)


def repeats_figure(title: str, histories: Mapping[str, History], *, start: float, epochs: int) -> Figure:
    """The accuracies of several repeats of one training in one small figure, for a page with many of them.

    Args:
        title: Above it.
        histories: By name of the repeat; at least one.
        start: Where the axis of percentages starts; the same in figures that are to be compared (see `axis_start`).
        epochs: Where the axis of epochs ends.
    """
    longest = max(histories.values(), key=lambda history: history.epochs[-1].epoch)
    with styled():
        axes = _epochs(longest, title, (4.4, 3.1), epochs)
        axes.set_ylabel("% correct")
        _percent_axis(axes, start)
        for name, history in histories.items():
            numbers = [epoch.epoch for epoch in history.epochs]
            for what, values in _curves(history, "accuracy").items():
                look: dict[str, Any] = {**_CURVES[what], "linewidth": 1.6, "markersize": 4}
                every = (len(numbers) - 1, len(numbers))  # only the end, where the repeats are compared
                axes.plot(numbers, 100 * values, label=f"{what} {name}", markevery=every, **look)
    return figure_of(axes)


def axis_start(histories: Iterable[History]) -> float:
    """The percentage at which an axis may start that is to hold all of the accuracies."""
    return _start(
        min(values.min() for history in histories for values in _curves(history, "accuracy").values()) * 100
    )


def shade(fraction: float) -> tuple[str, str]:
    """The colour of a fraction from 0 (pale) to 1 (dark), and one for words on it; as a page writes colours."""
    colour = _BLUES(float(fraction))  # of a whole number matplotlib takes the entry of that number
    return to_hex(colour), to_hex(_readable_on(colour))


def confusion_matrix_figure(metrics: Metrics, axes: Axes | None = None) -> Figure:
    """How many images of each true class (rows) were predicted as which class (columns).

    Each cell has the count and its fraction of the true class, in percent.
    """
    counts = np.array(metrics.confusion_matrix)
    totals = counts.sum(axis=1)
    fractions = counts / np.maximum(totals, 1)[:, None]
    with styled():
        axes = titled((5.2, 5.2), "Confusion matrix of the test", axes=axes)
        axes.imshow(fractions, cmap=_BLUES, vmin=0, vmax=1)
        for (row, column), fraction in np.ndenumerate(fractions):
            word: dict[str, Any] = {"ha": "center", "va": "center", "color": _readable_on(_BLUES(fraction))}
            axes.text(column, row - 0.12, f"{counts[row, column]:,}", fontsize=28, **word)
            axes.text(column, row + 0.13, f"{percent(fraction)} %" if totals[row] else "–", fontsize=16, **word)
            axes.text(column, row + 0.28, f"of {metrics.class_names[row]}", fontsize=12, **word)
        axes.set_xticks([0, 1], metrics.class_names, fontsize=14)
        axes.set_yticks([0, 1], metrics.class_names, fontsize=14, rotation=90, va="center")
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        # White lines part the cells, which otherwise run together where both are pale.
        axes.set_xticks([0.5], minor=True)
        axes.set_yticks([0.5], minor=True)
        axes.grid(which="minor", color="white", linewidth=4)
        axes.tick_params(which="minor", length=0)
    return figure_of(axes)


FORMATS: Mapping[str, Mapping[str, Any]] = {
    "png": {"dpi": 150, "metadata": {"Software": None}},
    "svg": {"metadata": {"Date": None, "Creator": None}},
    "pdf": {"metadata": {"CreationDate": None, "Creator": None, "Producer": None}},
}
"""What figures are written as: for screens, to edit, to print; without a date, so that equal ones are equal."""


def save_figure(figure: Figure, path: Path | str, *, formats: Iterable[str] = tuple(FORMATS)) -> list[Path]:
    """Write a figure as PNG with 150 dots per inch, and beside it as SVG and PDF; equal figures give equal bytes.

    Returns:
        The files.

    Raises:
        OSError: If the place cannot be written.
    """
    engine, bounds, dpi = figure.get_layout_engine(), _bounds(figure), figure.dpi
    written = []
    with styled():
        if engine is not None:  # once for all; left to it, matplotlib would draw each figure twice
            figure.set_dpi(FORMATS["png"]["dpi"])
            engine.execute(figure)
            figure.set_dpi(dpi)
            figure.set_layout_engine(None)
        for kind in formats:
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, facecolor="white", bbox_inches=bounds, **FORMATS[kind])
            written.append(Path(path).with_suffix(f".{kind}"))
            files.write_bytes(written[-1], buffer.getvalue())
    figure.set_layout_engine(engine)
    return written


def as_html(figure: Figure, what: str) -> str:
    """A figure as an element of a notebook's page."""
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format="png", facecolor="white", bbox_inches=_bounds(figure), **FORMATS["png"])
    content = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img src="data:image/png;base64,{content}" alt="{escape(what)}" style="max-width: min(40rem, 100%)">'


def _bounds(figure: Figure) -> str | None:
    """All that is drawn, of a figure that somebody has not laid out: nothing is cut off then."""
    return "tight" if figure.get_layout_engine() is None else None


@contextmanager
def styled() -> Generator[None]:
    """Draw alike whatever the user's own settings are, and leave those as they were."""
    with matplotlib.style.context(["default", _STYLE]):
        yield


def _curves(history: History, what: str) -> dict[str, np.ndarray]:
    frame = history.as_frame()
    return {name: frame[f"{name}_{what}"].to_numpy() for name in _CURVES}


def titled(inches: tuple[float, float], title: str, *, axes: Axes | None = None) -> Axes:
    """Axes with a title: those that are given, or those of a new figure of so many inches; within `styled`."""
    if axes is None:
        axes = Figure(figsize=inches, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)).add_subplot()
    axes.set_title(title)
    return axes


def figure_of(axes: Axes) -> Figure:
    """The figure that axes lie in."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def _start(lowest: float) -> float:
    return max((zoom for zoom in _ZOOMS if zoom < lowest), default=0)


def _percent_axis(axes: Axes, start: float) -> None:
    # A little air above, so that a curve at 100 % is seen whole.
    axes.set_ylim(start, 100 + 0.04 * (100 - start))
    axes.set_yticks([tick for tick in MaxNLocator(6).tick_values(start, 100) if start <= tick <= 100])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _epochs(
    history: History,
    title: str,
    inches: tuple[float, float] = (6.4, 4.2),
    epochs: int = 0,
    *,
    axes: Axes | None = None,
) -> Axes:
    axes = titled(inches, title, axes=axes)
    axes.set_xlabel("epoch")
    first, last = history.epochs[0].epoch, max(history.epochs[-1].epoch, epochs)
    margin = max(0.5, 0.02 * (last - first))
    axes.set_xlim(first - margin, last + margin)
    axes.set_xticks(_whole_ticks(first, last))
    axes.grid(axis="y", color=GRID, linewidth=1)
    axes.set_axisbelow(True)
    return axes


def _whole_ticks(first: int, last: int) -> list[int]:
    """Every epoch where there are few, else the round ones, and always the first."""
    if last - first < 10:
        return list(range(first, last + 1))
    step = 5 if last - first < 50 else 10 * -(-(last - first) // 100)
    return [first, *(epoch for epoch in range(step, last + 1, step) if epoch > first)]


def _draw(axes: Axes, history: History, curves: dict[str, np.ndarray], number: Callable[[float], str]) -> None:
    """Draw the curves, each with its name and its last value beside its end."""
    epochs = [epoch.epoch for epoch in history.epochs]
    every = -(-len(epochs) // 30)
    marked = ((len(epochs) - 1) % every, every)  # the last one always
    ends = axes.transData.transform([(epochs[-1], values[-1]) for values in curves.values()])[:, 1]
    places = _apart(axes.transAxes.inverted().transform([(0, end) for end in ends])[:, 1])
    for (name, values), place in zip(curves.items(), places, strict=True):
        axes.plot(epochs, values, label=name, markevery=marked, **_CURVES[name])
        axes.annotate(
            f"{name}\n{number(float(values[-1]))}",
            (1.02, place),
            xycoords="axes fraction",
            va="center",
            color=_WORDS[name],
            fontweight="bold",
            annotation_clip=False,
        )


def _readable_on(colour: tuple[float, float, float, float]) -> str:
    """White or black, whichever stands out more: of all colours one of them does by 4.5:1.

    By the contrast ratio of WCAG 2, (lighter luminance + 0.05) / (darker luminance + 0.05).
    """

    def luminance(rgb: tuple[float, ...]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb[:3]]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    ground = luminance(colour) + 0.05
    return "white" if 1.05 / ground > ground / 0.05 else "black"


def _apart(places: Float[np.ndarray, " 2"], gap: float = 0.17) -> list[float]:
    """Move two heights on an axis from 0 to 1 so far apart that words of two lines fit beside them."""
    low, high = np.clip(np.sort(places), gap / 2, 1 - gap / 2).tolist()
    if high - low < gap:
        low = float(np.clip((low + high - gap) / 2, gap / 2, 1 - 1.5 * gap))
        high = low + gap
    return [low, high] if places[0] <= places[1] else [high, low]
