"""Figures show the numbers they are given, are readable, and come out the same every time."""

import struct

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from configural.evaluation import accuracy_figure, confusion_matrix_figure, loss_figure, save_figure
from configural.evaluation.predictions import Metrics
from configural.training.history import Epoch, History
from configural.wording import percent


def history(train_loss, valid_loss, train_accuracy=None, valid_accuracy=None):
    n = len(train_loss)
    train_accuracy = train_accuracy or np.linspace(0.8, 0.99, n).tolist()
    valid_accuracy = valid_accuracy or np.linspace(0.85, 0.98, n).tolist()
    rows = zip(train_loss, train_accuracy, valid_loss, valid_accuracy, strict=True)
    return History(tuple(Epoch(1 + i, *map(float, row), 1.5) for i, row in enumerate(rows)))


def falling(n, start=0.6, end=0.05):
    return np.geomspace(start, end, n).tolist()


HISTORIES = [history(falling(n), falling(n, 0.5, 0.06)) for n in (1, 2, 4, 30, 120)]


def grey(colour):
    """Luminance by ITU-R BT.709 of an sRGB colour."""
    rgb = np.array(to_rgb(colour))
    return float(np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("told", HISTORIES, ids=lambda told: str(len(told.epochs)))
def test_curves_are_the_history(told):
    for figure, what, factor in ((accuracy_figure(told), "accuracy", 100), (loss_figure(told), "loss", 1)):
        lines = {line.get_label(): line for line in figure.axes[0].lines}
        assert set(lines) == {"train", "valid"}
        for name, line in lines.items():
            np.testing.assert_array_equal(line.get_xdata(), [epoch.epoch for epoch in told.epochs])
            expected = [factor * getattr(epoch, f"{name}_{what}") for epoch in told.epochs]
            np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-12)


@pytest.mark.parametrize("told", HISTORIES, ids=lambda told: str(len(told.epochs)))
@pytest.mark.parametrize("draw", [accuracy_figure, loss_figure])
def test_every_point_lies_within_the_axes_and_ticks_are_epochs(told, draw):
    axes = draw(told).axes[0]
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    for line in axes.lines:
        assert left < min(line.get_xdata())
        assert max(line.get_xdata()) < right
        assert low < min(line.get_ydata())
        assert max(line.get_ydata()) < high
    ticks = [tick for tick in axes.get_xticks() if left <= tick <= right]
    assert ticks
    assert len(ticks) <= 15
    assert set(ticks) <= {epoch.epoch for epoch in told.epochs}


@pytest.mark.parametrize(
    ("accuracies", "start"),
    [((0.3, 0.9), 0), ((0.5, 0.9), 0), ((0.7, 0.9), 50), ((0.93, 0.999), 90), ((0.9995, 1.0), 99.9)],
)
def test_accuracy_axis_says_where_it_starts(accuracies, start):
    axes = accuracy_figure(history([0.5, 0.4], [0.5, 0.4], list(accuracies), list(accuracies))).axes[0]
    assert axes.get_ylim()[0] == start
    assert (f"axis starts at {start:g}" in axes.get_ylabel()) == (start > 0)
    assert max(axes.get_yticks()) == 100


def test_loss_axis_is_logarithmic_only_over_more_than_two_decades():
    assert loss_figure(history([1, 0.02], [1, 0.02])).axes[0].get_yscale() == "linear"
    assert loss_figure(history([1, 0.02], [1, 0.02])).axes[0].get_ylim()[0] == 0
    wide = loss_figure(history([1, 0.009], [1, 0.02])).axes[0]
    assert wide.get_yscale() == "log"
    assert "log scale" in wide.get_ylabel()


def test_loss_of_zero_can_be_drawn():
    for told in (history([1, 0], [1, 0.001]), history([0], [0])):
        assert loss_figure(told).axes[0].get_yscale() == "linear"


@pytest.mark.usefixtures("every_format")
@pytest.mark.parametrize("last", [(0.9, 0.9), (0.9, 0.901), (1.0, 1.0), (0.801, 0.8), (0.7, 0.99)])
@pytest.mark.parametrize("n", [1, 30])
def test_names_at_the_curves_neither_overlap_nor_leave_the_figure(last, n):
    accuracies = [[*np.linspace(0.65, end, n).tolist()[:-1], end] for end in last]
    figure = accuracy_figure(history(falling(n), falling(n), *accuracies))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    names = [text for text in figure.axes[0].texts if text.get_text().split("\n")[0] in ("train", "valid")]
    first, second = (text.get_window_extent(canvas.get_renderer()) for text in names)
    assert not first.overlaps(second)
    for box in (first, second):
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0
        assert box.y1 <= figure.bbox.y1
    # The higher curve has the higher name.
    heights = {text.get_text().split("\n")[0]: text.get_position()[1] for text in names}
    assert last[0] == last[1] or (heights["train"] > heights["valid"]) == (last[0] > last[1])


def test_curves_differ_without_colour():
    train, valid = accuracy_figure(HISTORIES[2]).axes[0].lines
    assert abs(grey(train.get_color()) - grey(valid.get_color())) > 0.2
    assert train.get_marker() != valid.get_marker()
    assert train.is_dashed() != valid.is_dashed()


def cell_texts(figure):
    cells = {}
    for text in figure.axes[0].texts:
        column, row = text.get_position()
        cells.setdefault((round(row), round(column)), []).append(text)
    return cells


def test_confusion_matrix_shows_counts_and_percent_of_each_true_class():
    figure = confusion_matrix_figure(Metrics(0.7, 0.5, ((1200, 300), (2, 398))))
    words = {cell: " ".join(text.get_text() for text in texts) for cell, texts in cell_texts(figure).items()}
    assert words == {
        (0, 0): "1,200 80.00 % of no_face",
        (0, 1): "300 20.00 % of no_face",
        (1, 0): "2 0.50 % of face",
        (1, 1): "398 99.50 % of face",
    }
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["no_face", "face"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["no_face", "face"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "no_face is to be the upper row"


def test_confusion_matrix_without_images_of_a_class_makes_no_share_up():
    cells = cell_texts(confusion_matrix_figure(Metrics(1.0, 0.1, ((0, 0), (0, 5)))))
    assert [text.get_text() for text in cells[0, 0]] == ["0", "–", "of no_face"]


@pytest.mark.parametrize("share", range(0, 101, 5))
def test_words_stand_out_from_their_cell(share):
    figure = confusion_matrix_figure(Metrics(0.5, 0.5, ((share, 100 - share), (50, 50))))
    image = figure.axes[0].images[0]
    colours = image.to_rgba(image.get_array())
    for (row, column), texts in cell_texts(figure).items():
        dark, light = sorted((grey(colours[row, column, :3]), grey(texts[0].get_color())))
        assert (light + 0.05) / (dark + 0.05) > 4


def test_confusion_matrix_darkens_with_the_share_in_grey_too():
    image = confusion_matrix_figure(Metrics(0.5, 0.5, ((1, 1), (1, 1)))).axes[0].images[0]
    tones = [grey(colour[:3]) for colour in image.to_rgba(np.linspace(0, 1, 50))]
    assert all(np.diff(tones) < 0)


def png_chunks(content):
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(content):
        length = struct.unpack(">I", content[at : at + 4])[0]
        chunks.setdefault(content[at + 4 : at + 8], content[at + 8 : at + 8 + length])
        at += 12 + length
    return chunks


@pytest.mark.usefixtures("every_format")
def test_saved_figures_are_equal_bytes_whatever_the_users_settings(tmp_path):
    told, metrics = HISTORIES[2], Metrics(0.7, 0.5, ((1200, 300), (2, 398)))

    def save(name):
        for draw, data in ((accuracy_figure, told), (loss_figure, told), (confusion_matrix_figure, metrics)):
            save_figure(draw(data), tmp_path / name / f"{draw.__name__}.png")
        return {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}

    first = save("first")
    with matplotlib.rc_context(
        {"font.size": 30, "axes.grid": True, "savefig.facecolor": "red", "axes.spines.left": False}
    ):
        before = dict(matplotlib.rcParams)
        second = save("second")
        assert dict(matplotlib.rcParams) == before
    assert len(first) == 3 * 3
    assert first == second
    for content in (content for name, content in first.items() if name.endswith(".png")):
        chunks = png_chunks(content)
        assert b"tEXt" not in chunks
        across, down, per_metre = struct.unpack(">IIB", chunks[b"pHYs"])
        assert across == down == round(150 / 0.0254)
        assert per_metre == 1


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_percent_is_100_only_if_all_are_right_and_0_only_if_none_is(counts):
    right, total = counts
    text = percent(right / total)
    assert (text == "100") == (right == total)
    assert (text == "0") == (right == 0)
    if text[0] not in "<>":
        assert abs(float(text) - 100 * right / total) <= 0.005 + 1e-9
