"""The published table is the study's, cell by cell, and what is estimated from it follows from its parts."""

import csv
from importlib import resources

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configural.replication.published import RESULT_COLUMNS, estimated_shifted_only, published_results

NETWORKS = ("cnn-15", "cnn-13", "fcn-16", "fcn-14")
CONDITIONS = ("baseline", "ffa", "fct")


@pytest.fixture(scope="module")
def published():
    return published_results()


def test_there_are_96_tests_of_36_networks(published):
    assert tuple(published.columns) == RESULT_COLUMNS
    assert len(published) == 96
    assert not published.drop(columns="run").isna().any().any()
    trained = published.groupby(["network", "train_condition", "repeat"]).size()
    assert set(trained.index) == {(n, c, r) for n in NETWORKS for c in CONDITIONS for r in (1, 2, 3)}
    assert set(published["seed"]) == {42}
    keys = ["network", "train_condition", "repeat", "test_condition", "placement"]
    assert not published.duplicated(keys).any()


def test_which_cells_are_there_and_which_are_not(published):
    cells = published.groupby(["train_condition", "test_condition", "placement"]).size().to_dict()
    own = {(name, name, placement): 12 for name in CONDITIONS for placement in ("middle", "shifted")}
    assert cells == own | {("baseline", "ffa", "middle"): 12, ("ffa", "baseline", "middle"): 12}


@pytest.mark.parametrize(
    ("cell", "loss", "accuracy", "errors"),
    [
        (("cnn-15", "baseline", 3, "baseline", "shifted"), 1.762, 0.732333, (794, 9)),
        (("cnn-13", "fct", 1, "fct", "middle"), 0.00073945, 0.999667, (0, 1)),
        (("fcn-16", "baseline", 2, "ffa", "middle"), 0.0316, 0.991333, (21, 5)),
        (("fcn-14", "ffa", 1, "baseline", "middle"), 0.9878, 0.787667, (601, 36)),
        (("fcn-14", "baseline", 3, "baseline", "middle"), 0.0292, 0.986, (0, 42)),
    ],
)
def test_cells_are_as_published(published, cell, loss, accuracy, errors):
    keys = ["network", "train_condition", "repeat", "test_condition", "placement"]
    row = published.set_index(keys).loc[cell]
    assert (row["loss"], row["accuracy"]) == (loss, accuracy)
    assert (row["face_as_no_face"], row["no_face_as_face"]) == errors


def test_sums_are_those_of_the_file(published):
    text = resources.files("configural.replication").joinpath("published_results.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert published["face_as_no_face"].sum() == sum(int(row["face_called_no_face"]) for row in rows) == 13_347
    assert published["no_face_as_face"].sum() == sum(int(row["no_face_called_face"]) for row in rows) == 2_161
    assert published["loss"].sum() == pytest.approx(sum(float(row["test_loss"]) for row in rows))


def test_accuracy_is_what_the_error_counts_leave_of_3000(published):
    wrong = published["face_as_no_face"] + published["no_face_as_face"]
    np.testing.assert_allclose(published["accuracy"], 1 - wrong / published["images"], atol=5e-7)


def a_table(*rows):
    cells = [("cnn-15", "ffa", 1, 42, "ffa", placement, 3000, 0.1, share, 0, 0, "") for placement, share in rows]
    return pd.DataFrame(cells, columns=list(RESULT_COLUMNS))


@given(*[st.floats(0, 1)] * 3)
def test_estimate_is_the_mean_of_left_and_right_where_the_assumption_is_true(left, middle, right):
    mixed = (left + middle + right) / 3
    (row,) = estimated_shifted_only(a_table(("middle", middle), ("shifted", mixed))).to_dict("records")
    assert row["accuracy"] == pytest.approx((left + right) / 2, abs=1e-12)
    assert (row["placement"], row["images"]) == ("shifted_only", 2000)
    assert np.isnan(row["loss"])


def test_estimate_is_an_accuracy_and_needs_both_tests():
    low_middle = a_table(("middle", 0.9), ("shifted", 1.0))
    assert estimated_shifted_only(low_middle)["accuracy"].tolist() == [1.0]
    assert estimated_shifted_only(a_table(("shifted", 0.8))).empty
    assert estimated_shifted_only(a_table(("middle", 0.8))).empty


def test_published_cnn_13_only_guesses_when_shifted(published):
    """By the estimate, by hand: (3 · 0.686667 − 1) / 2, (3 · 0.674333 − 1) / 2, (3 · 0.685333 − 1) / 2."""
    estimated = estimated_shifted_only(published)
    rows = estimated[(estimated["network"] == "cnn-13") & (estimated["train_condition"] == "baseline")]
    np.testing.assert_allclose(rows["accuracy"], [0.53, 0.5115, 0.528], atol=1e-5)
    assert len(estimated) == 36
