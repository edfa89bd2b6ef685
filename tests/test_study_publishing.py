"""A study made ready for a paper: its accuracies as table and figure, and the texts around them."""

import numpy as np
import pandas as pd
import pytest
from command_line import assert_one_line, configural
from matplotlib.colors import to_hex
from test_study_page import write_plan, write_run

from configural.evaluation.figures import INK
from configural.replication.published import published_results
from configural.study.publishing import publish_study

NETWORKS, CONDITIONS = ["fcn-14", "cnn-15"], ["ffa", "baseline"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of two networks and two conditions, in another order than the published results that it has."""
    folder = tmp_path_factory.mktemp("study")
    write_plan(folder, NETWORKS, CONDITIONS, source="fasseg:/somewhere/V2")
    results = published_results()
    mine = results["network"].isin(NETWORKS) & results["train_condition"].isin(CONDITIONS)
    results = results[mine].assign(seed=lambda frame: frame["repeat"] + 6)
    results["run"] = "runs/" + results["network"] + "-" + results["train_condition"] + "-1"
    results.to_parquet(folder / "results.parquet")
    for network in NETWORKS:
        for condition in CONDITIONS:
            write_run(folder, network, condition, 1)
    return folder, results


@pytest.mark.usefixtures("every_format")
def test_the_table_has_number_mean_and_spread_of_each_cell(study, tmp_path):
    folder, results = study
    made = publish_study(folder, tmp_path / "paper")
    written = pd.read_csv(tmp_path / "paper" / "matrix.csv")
    assert len(written) == len(results) / 3
    for row in written.itertuples():
        mine = results[
            (results["network"] == row.network)
            & (results["train_condition"] == row.train_condition)
            & (results["test_condition"] == row.test_condition)
            & (results["placement"] == row.placement)
        ]
        assert row.mean == pytest.approx(np.mean(mine["accuracy"]))
        assert row.sd == pytest.approx(np.std(mine["accuracy"], ddof=1))
        assert (row.seeds, row.repeats, row.images) == ("7, 8, 9", 3, 3000)
    lines = (tmp_path / "paper" / "matrix.tex").read_text("utf-8").splitlines()
    assert lines[2].endswith(r"\multicolumn{2}{c}{ffa} & \multicolumn{2}{c}{baseline} \\")
    cells = {
        (row.network, row.train_condition, row.test_condition, row.placement): f"{100 * row.mean:.2f} "
        + rf"$\pm$ {100 * row.sd:.2f}"
        for row in written.itertuples()
    }
    columns = [(condition, placement) for condition in CONDITIONS for placement in ("middle", "shifted")]
    rows = [(network, condition) for network in NETWORKS for condition in CONDITIONS]
    for line, (network, train) in zip(lines[5:9], rows, strict=True):
        wanted = [network, train, "3", "3,000", *(cells.get((network, train, *test), "--") for test in columns)]
        assert line == " & ".join(wanted) + r" \\"

    assert all((tmp_path / "paper" / f"matrix.{kind}").is_file() for kind in ("svg", "pdf", "png"))
    (axes,) = made.plot().axes
    framed = [patch for patch in axes.patches if to_hex(patch.get_edgecolor()) == INK]
    assert len(framed) == (written["train_condition"] == written["test_condition"]).sum()
    assert {text.get_text() for text in axes.texts} == {cell.replace(r" $\pm$", "\n±") for cell in cells.values()}


def test_the_paragraph_has_the_settings_and_cites_what_it_rests_on(study, tmp_path):
    made = publish_study(study[0], tmp_path / "paper")
    for said in ("fcn-14 and cnn-15", "ffa and baseline", "seeds 7, 8 and 9", "16,002 images", "224 by 224", "V2"):
        assert said in made.methods
    assert "somewhere" not in made.methods
    assert "12 of 12 trainings" in made.methods
    for key in ("configural", "lengenfelder2021", "rabold2020", "khan2015"):
        assert f"\\cite{{{key}}}" in made.methods
        assert f"{{{key}," in made.references
    assert "year = {2026}" in made.references


def test_a_comparison_writes_the_page_anew(study, blank_figures):
    folder, _ = study
    (folder / "report.html").unlink(missing_ok=True)
    assert "report.html" in configural("study", "compare", folder).stdout
    assert 'id="findings"' in (folder / "report.html").read_text("utf-8")


def test_the_command_names_what_it_wrote_and_what_is_missing(study, tmp_path):
    said = configural("study", "publish", study[0], "--out", tmp_path / "paper")
    assert "matrix.tex" in said.stdout
    assert_one_line(configural("study", "publish", study[0], "--out", tmp_path / "paper"))
    assert_one_line(configural("study", "publish", study[0]))
    assert_one_line(configural("study", "publish", tmp_path / "none", "--out", tmp_path / "new"))
