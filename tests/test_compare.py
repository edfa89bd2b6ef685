"""The findings hold for the table they come from, not for its opposite, and stay open where nothing is decided."""

import io
import itertools

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from configural.errors import ConfiguralError
from configural.replication.comparison import compare_results, study_image_size
from configural.replication.fields import CLOSEST_PARTS, closest_parts, receptive_fields
from configural.replication.findings import Check, Verdict, findings
from configural.replication.published import published_results
from configural.replication.spread import Spread, spread_of_mean
from configural.replication.tables import (
    can_be_tested,
    cells_table,
    compare,
    comparison_text,
    findings_table,
    markdown,
)
from configural.study import StudyPlan
from configural.study.record import StudyRecord
from configural.wording import points

OWN, CNNS, FCNS, CROSS, FIELD = (
    "own condition",
    "CNNs fall when shifted",
    "FCNs do not fall when shifted",
    "ffa→baseline falls more",
    "smallest receptive field falls most",
)
HOLDS, FAILS, UNDECIDED = Verdict.HOLDS, Verdict.FAILS, Verdict.UNDECIDED


@pytest.fixture
def published():
    return published_results()


def verdicts(results, size=224):
    return {finding.key: finding.verdict for finding in findings(results, size)}


def rows(frame, **wanted):
    """Which rows have these values; a value may be a tuple of several, or a function of the column."""
    chosen = pd.Series(True, index=frame.index)
    for name, value in wanted.items():
        column = frame[name]
        chosen &= value(column) if callable(value) else column.isin(value if isinstance(value, tuple) else (value,))
    return chosen


def cnn(column):
    return column.str.startswith("cnn")


def fcn(column):
    return column.str.startswith("fcn")


# Intervals


def test_interval_of_a_difference_is_that_of_all_resamples():
    values, others = np.array([0.0123, 0.06, 0.03]), np.array([0.001, 0.02, 0.008])
    means = [[np.mean(draw) for draw in itertools.product(sample, repeat=3)] for sample in (values, others)]
    exact = np.sort(np.subtract.outer(*means).ravel())
    spread = spread_of_mean(values, less=others)
    assert spread.repeats == 3
    assert spread.mean == pytest.approx(values.mean() - others.mean())
    for found, share in ((spread.low, 0.025), (spread.high, 0.975)):
        # The drawn resamples are a sample of all 729; allow for half a percent of them.
        assert np.quantile(exact, share - 0.005) <= found <= np.quantile(exact, share + 0.005)


@pytest.mark.parametrize("values", [[0.2, 0.9], [0.986, 0.99, 1.0], [1.0, 1.0, 1.0]])
def test_interval_of_two_or_three_is_their_range(values):
    spread = spread_of_mean(np.array(values))
    assert (spread.low, spread.high) == (pytest.approx(min(values)), pytest.approx(max(values)))


def test_range_of_three_holds_the_expected_value_in_three_of_four_cases():
    draws = np.random.default_rng(0).normal(size=(20_000, 3))
    covered = (draws.min(axis=1) < 0) & (draws.max(axis=1) > 0)
    assert covered.mean() == pytest.approx(0.75, abs=0.02)


def test_interval_of_many_is_that_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(0.9, 0.02, 80)
    spread = spread_of_mean(values)
    assert spread.high - spread.low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(80), rel=0.05)
    assert spread_of_mean(np.array([])).repeats == 0
    assert np.isnan(spread_of_mean(np.array([0.5])).low)


@pytest.mark.parametrize(
    ("wanted", "interval", "verdict"),
    [
        ("at least", (0.02, 0.03), HOLDS),
        ("at least", (0.01, 0.0199), FAILS),
        ("at least", (0.01, 0.02), UNDECIDED),
        ("less than", (0.01, 0.0199), HOLDS),
        ("less than", (0.02, 0.03), FAILS),
        ("less than", (0.01, 0.02), UNDECIDED),
        ("more than", (0.0201, 0.03), HOLDS),
        ("more than", (0.01, 0.02), FAILS),
        ("more than", (0.01, 0.0201), UNDECIDED),
    ],
)
def test_a_bound_is_met_broken_or_straddled(wanted, interval, verdict):
    check = Check("some fall", Spread(3, np.mean(interval), *interval), wanted, 0.02)
    assert check.verdict is verdict
    assert Check("some fall", Spread(1, 0.5, np.nan, np.nan), wanted, 0.02).verdict is UNDECIDED


# Findings


def test_all_findings_hold_for_the_table_they_come_from(published):
    assert verdicts(published) == dict.fromkeys((OWN, CNNS, FCNS, CROSS, FIELD), HOLDS)
    counted = {finding.key: finding.count(HOLDS) for finding in findings(published, 224)}
    assert counted == {OWN: 12, CNNS: 6, FCNS: 6, CROSS: 4, FIELD: 6}


def test_the_order_of_rows_and_the_numbering_of_repeats_do_not_matter(published):
    shuffled = published.sample(frac=1, random_state=0)
    assert verdicts(shuffled.assign(repeat=4 - shuffled["repeat"])) == verdicts(published)


def opposite(published, key):
    """The published table with one finding turned over."""
    table = published.copy()
    accuracy = table["accuracy"].copy()
    own = table["train_condition"] == table["test_condition"]
    middle, shifted = table["placement"] == "middle", table["placement"] == "shifted"
    crossed = table["train_condition"] != table["test_condition"]
    match key:
        case "own condition":
            accuracy[own & middle & rows(table, network="fcn-14", train_condition="fct")] = [0.97, 0.975, 0.98]
        case "CNNs fall when shifted":
            accuracy[shifted & rows(table, network=cnn)] = 0.99
        case "FCNs do not fall when shifted":
            accuracy[shifted & rows(table, network=fcn)] -= 0.2
        case "ffa→baseline falls more":
            accuracy[crossed & rows(table, train_condition="ffa")] = 0.999
            accuracy[crossed & rows(table, train_condition="baseline", network=lambda name: name != "fcn-14")] -= (
                0.05
            )
        case _:
            accuracy[crossed & rows(table, network="fcn-14", train_condition="baseline")] = 0.992
            accuracy[crossed & rows(table, network="fcn-14", train_condition="ffa")] = 0.989
    return table.assign(accuracy=accuracy)


@pytest.mark.parametrize("key", [OWN, CNNS, FCNS, CROSS, FIELD])
def test_the_opposite_does_not_hold(published, key):
    assert verdicts(opposite(published, key))[key] is FAILS


@pytest.mark.parametrize("key", [OWN, CNNS, FCNS])
def test_turning_one_finding_over_leaves_the_others(published, key):
    found = verdicts(opposite(published, key))
    assert {other: verdict for other, verdict in found.items() if verdict is not HOLDS} == {key: FAILS}


def test_noise_around_the_bounds_is_undecided(published):
    own = (published["train_condition"] == published["test_condition"]) & (published["placement"] == "middle")
    shifted = published["placement"] == "shifted"
    noise = published["repeat"].map({1: -0.15, 2: 0.0, 3: 0.15})
    accuracy = pd.Series(0.98 - 0.5, index=published.index) + noise
    table = published.assign(accuracy=accuracy.mask(own, 0.98 + noise / 10).mask(shifted, 0.96 + noise / 4))
    found = {finding.key: finding for finding in findings(table, 224)}
    assert {finding.verdict for finding in found.values()} == {UNDECIDED}
    assert {check.reason for finding in found.values() for check in finding.checks} == {
        "the interval straddles the bound"
    }


def test_one_repeat_decides_nothing(published):
    found = findings(published[published["repeat"] == 2], 224)
    assert {finding.verdict for finding in found} == {UNDECIDED}
    assert {check.reason for finding in found for check in finding.checks} == {"only one repeat"}


def test_what_is_missing_is_undecided_unless_the_rest_decides_against(published):
    part = published[published["network"] != "fcn-16"]
    found = {finding.key: finding for finding in findings(part, 224)}
    assert {key: finding.verdict for key, finding in found.items()} == {
        OWN: UNDECIDED,
        CNNS: HOLDS,
        FCNS: UNDECIDED,
        CROSS: UNDECIDED,
        FIELD: UNDECIDED,
    }
    assert [check.reason for check in found[CROSS].checks if check.reason] == ["not measured"]
    worse = opposite(published, OWN)
    assert verdicts(worse[worse["network"] != "fcn-16"])[OWN] is FAILS
    assert {finding.verdict for finding in findings(published.iloc[:0], 224)} == {UNDECIDED}


def test_a_network_that_learned_nothing_shows_no_lack_of_falls(published):
    table = published.copy()
    guessed = rows(table, network="cnn-13")
    table.loc[guessed, "accuracy"] = 0.5
    found = {finding.key: finding for finding in findings(table, 224)}
    assert found[CNNS].verdict is UNDECIDED
    reasons = {check.what: check.reason for check in found[CNNS].checks}
    assert reasons["fall of cnn-13 on ffa"] == "cnn-13 has not learned ffa: 50.0 % correct, less than 90 %"
    assert found[OWN].verdict is FAILS


# What a size can show


def test_receptive_fields_are_shares_of_the_image():
    by_name = {field.network: field for field in receptive_fields(64)}
    assert {name: field.pixels for name, field in by_name.items()} == {
        "cnn-13": 46,
        "fcn-14": 46,
        "cnn-15": 94,
        "fcn-16": 94,
    }
    assert round(by_name["fcn-14"].fraction, 2) == 0.72
    assert round(receptive_fields(224)[0].fraction, 2) == 0.21
    assert [name for name, field in by_name.items() if field.single_unit] == ["fcn-14", "fcn-16"]


def test_closest_parts_of_one_exemplar_by_hand(blocks):
    # The closest pair is the right eye and the nose: rows 31 to 56, columns 31 to 54 and up to 3 more.
    # So it takes 25 of 124 rows, but 26 for the three of twelve exemplars whose eye is 3 columns wider.
    assert closest_parts(blocks) == pytest.approx((9 * 25 + 3 * 26) / 12 / 124)


def test_closest_parts_of_the_portraits(real):
    assert closest_parts(real) == pytest.approx(CLOSEST_PARTS, abs=0.0005)


@pytest.mark.parametrize(
    ("size", "limited"),
    [(224, set()), (192, set()), (128, {FIELD}), (64, {FCNS, FIELD}), (24, {FCNS, CROSS, FIELD})],
)
def test_which_findings_a_size_can_show(published, size, limited):
    found = {finding.key: finding for finding in findings(published, size)}
    assert {key for key, finding in found.items() if finding.limits} == limited
    for key, finding in found.items():
        assert finding.verdict is (UNDECIDED if key in limited else HOLDS)
        assert finding.measured is HOLDS
        assert ("can be tested" in can_be_tested(finding, size)) == (key not in limited)


def test_at_64_pixels_one_of_the_fully_convolutional_networks_can_be_tested(published):
    (fcns,) = (finding for finding in findings(published, 64) if finding.key == FCNS)
    assert {check.what.split()[2]: check.verdict for check in fcns.checks} == {"fcn-14": HOLDS, "fcn-16": UNDECIDED}
    assert can_be_tested(fcns, 64).startswith("can only in part be tested")
    # What the testable network shows against the finding counts all the same.
    assert verdicts(opposite(published, FCNS), 64)[FCNS] is FAILS


def test_parts_may_lie_further_apart_than_the_portraits(published):
    assert {f.key for f in findings(published, 128, closest_parts=0.4) if f.limits} == set()


# Side by side


def test_cells_are_means_over_repeats(published):
    own = published.assign(accuracy=published["accuracy"] - 0.01)
    cells = compare_results(own, 224).cells.set_index(["network", "train_condition", "test_condition", "placement"])
    cell = cells.loc[("fcn-14", "ffa", "baseline", "middle")]
    assert cell["published_accuracy"] == pytest.approx((0.787667 + 0.875667 + 0.855333) / 3)
    assert (cell["published_lowest"], cell["published_highest"]) == (0.787667, 0.875667)
    assert (cell["own_repeats"], cell["published_repeats"]) == (3, 3)
    assert cell["difference"] == pytest.approx(-0.01)
    estimated = cells.loc[("cnn-13", "baseline", "baseline", "shifted_only")]
    assert estimated["published_estimated"]
    assert estimated["published_accuracy"] == pytest.approx((0.53 + 0.5115 + 0.528) / 3, abs=1e-5)
    assert estimated["own_repeats"] == 0
    assert np.isnan(estimated["own_accuracy"])
    assert cells["published_estimated"].sum() == 12
    assert len(cells) == 32 + 12


def test_own_cells_that_were_not_published_are_there(published):
    more = published[rows(published, train_condition="fct", placement="middle")].assign(test_condition="ffa")
    other = more.assign(network="resnet", train_condition="blurred", placement="left")
    cells = compare_results(pd.concat([published, more, other]), 224).cells
    found = cells[(cells["own_repeats"] > 0) & (cells["published_repeats"] == 0)]
    assert len(found) == 4 + 1
    assert cells["network"].unique().tolist() == ["cnn-15", "cnn-13", "fcn-16", "fcn-14", "resnet"]
    assert not found["published_estimated"].any()


def test_largest_falls(published):
    falls = compare_results(published.iloc[:0], 64).largest_falls("published").set_index("network")
    assert set(falls["train_condition"] + falls["test_condition"]) == {"ffabaseline"}
    by_hand = {"cnn-15": 0.057, "cnn-13": 0.047111, "fcn-16": 0.022222, "fcn-14": 0.156444}
    assert falls["fall"].to_dict() == pytest.approx(by_hand, abs=1e-5)
    assert set(falls["tests"]) == {2}
    assert compare_results(published.iloc[:0], 64).largest_falls("own").empty


def test_results_without_a_column_are_refused(published):
    with pytest.raises(ConfiguralError, match="no column accuracy"):
        compare_results(published.drop(columns="accuracy"), 224)


def test_text_has_every_cell_and_verdict(published):
    comparison = compare_results(opposite(published, FCNS), 64)
    text = markdown(comparison)
    assert "| FCNs do not fall when shifted | does not hold |" in text
    assert "| smallest receptive field falls most | undecided (as measured: holds) |" in text
    assert "cannot be tested at 64 pixels: a unit of fcn-14 sees 0.72 of the side" in text
    row = "| fcn-14 | ffa | baseline | middle | 3 | 83.96 (78.77–87.57) | 83.96 (78.77–87.57) | 0.00 |"
    assert row in text
    assert "| cnn-13 | baseline | baseline | shifted_only | – | – | ≈ 52.32 (51.15–53.00) | – |" in text
    assert len(cells_table(comparison).rows) == 44
    assert len(findings_table(comparison).rows) == 5
    assert "nan" not in text
    widths = {}
    for line in text.splitlines():
        if line.startswith("|"):
            widths.setdefault(line.count("|"), []).append(line)
        else:
            assert len(widths) <= 1, f"rows of unequal length: {widths}"
            widths = {}


@pytest.mark.parametrize(
    ("share", "text"), [(0.1234, "12.34"), (-0.1, "−10.00"), (-0.00001, "0.00"), (float("nan"), "–")]
)
def test_points(share, text):
    assert points(share) == text


# A study's folder


def begin_study(folder, **plan):
    plan = StudyPlan(networks=["cnn-15"], conditions=["ffa"], seeds=[1], **plan)
    StudyRecord(plan, "synthetic", "0" * 64, {}).save(folder)


def test_a_folder_is_compared(tmp_path, published):
    published.to_parquet(tmp_path / "results.parquet")
    begin_study(tmp_path, image_size=96)
    comparison = compare(tmp_path)
    assert comparison.image_size == 96
    written = pd.read_csv(tmp_path / "comparison.csv")
    pd.testing.assert_frame_equal(written, comparison.cells, check_dtype=False)
    assert (tmp_path / "comparison.md").read_text("utf-8") == markdown(comparison)
    console = Console(file=io.StringIO(), width=100)
    console.print(comparison_text(comparison))
    shown = console.file.getvalue()
    assert "does not hold" not in shown
    assert "undecided" in shown
    assert "83.96" in shown


def test_image_size_is_that_of_the_plan_or_its_preset(tmp_path):
    begin_study(tmp_path, preset="paper")
    assert study_image_size(tmp_path) == 224
    begin_study(tmp_path, preset="paper", image_size=96)
    assert study_image_size(tmp_path) == 96


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "it holds no results.parquet; name the folder that 'configural study --out' wrote"),
        ({"results.parquet": "no table"}, "results.parquet: not a readable table of results"),
        ({"plan.yaml": "networks: [cnn-15]"}, "it holds no study.yaml; name the folder"),
        ({"study.yaml": "plan: {}"}, "study.yaml, line 1: configural: Field required"),
    ],
)
def test_a_folder_that_is_no_study_is_named(tmp_path, published, files, said):
    if files:
        published.to_parquet(tmp_path / "results.parquet")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfiguralError) as error:
        compare(tmp_path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
