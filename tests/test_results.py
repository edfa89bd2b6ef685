"""The pages of findings and of the grid: what they say is what their tables say."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import configural as cf
from configural.study.engines import attempt

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module", autouse=True)
def scripts():
    sys.path.insert(0, str(DOCS))
    yield
    sys.path.remove(str(DOCS))


@pytest.fixture(scope="module")
def making(scripts):
    return importlib.import_module("make_results")


@pytest.fixture(scope="module")
def grid(scripts):
    return importlib.import_module("make_grid")


@pytest.fixture(scope="module")
def results(making):
    return pd.read_csv(making.TABLE)


@pytest.fixture(scope="module")
def pages(making, results):
    return making.render(results)


def test_the_pages_are_those_of_the_table(pages):
    assert set(pages) == {"findings.md", "houses.md"}
    for page, text in pages.items():
        assert (DOCS / page).read_text("utf-8") == text, f"{page}: not as the table has it; run make results"


def test_another_table_makes_another_page_or_contradicts_it(making, results, pages, monkeypatch):
    monkeypatch.setattr(making, "PAGES", ("findings.md",))
    is_index = results["score"] == "index"
    changed = results.assign(value=results["value"].where(~is_index, results["value"] * 0.9))
    assert making.render(changed)["findings.md"] != pages["findings.md"]
    is_relational = results["score"] == "relational"
    turned = results.assign(low=results["low"].where(~is_relational, -results["low"]))
    with pytest.raises(ValueError, match="not borne out"):
        making.render(turned)


def test_the_page_of_the_grid_is_that_of_its_table(grid):
    results = pd.read_csv(grid.TABLE)
    assert (DOCS / "grid.md").read_text("utf-8") == grid.render(results), (
        "not as the table has it; run make results"
    )
    one = (results["network"] == "fcn-14") & (results["seed"] == 2)
    worse = results.assign(accuracy=results["accuracy"].where(~one, 0.5))
    with pytest.raises(ValueError, match="not borne out"):
        grid.render(worse)


def test_the_grid_has_every_training_and_its_totals_follow_from_its_parts(grid):
    """36 trainings of one study, each tested on 900 images of each condition, in the middle and shifted."""
    results = pd.read_csv(grid.TABLE)
    tests = results.groupby(["network", "train_condition", "seed", "test_condition"])
    assert len(tests) == 4 * 3 * 3 * 3
    for _, rows in tests:
        by = rows.set_index("placement")
        assert (by.loc[["middle", "shifted"], "images"] == 900).all()
        parts = by.loc[["left", "middle_third", "right"]]
        assert parts["images"].sum() == 900
        correct = (parts["accuracy"] * parts["images"]).sum()
        assert correct / 900 == pytest.approx(by.loc["shifted", "accuracy"], abs=1e-5)
        off = by.loc[["left", "right"]]
        shifted_only = (off["accuracy"] * off["images"]).sum() / off["images"].sum()
        assert shifted_only == pytest.approx(by.loc["shifted_only", "accuracy"], abs=1e-5)


def test_an_audit_has_every_row_of_the_tables(making):
    """That of houses, whose class and surface have names of their own."""
    library = cf.portraits.load("houses:2")
    observer = cf.audit.observers(library)["relation observer"]
    needed = {row.probe for row in making.ROWS.values()} - {"receptive_field", "attribution"}  # which need pixels
    probes = [name for name in cf.audit.PROBES if name in needed]
    with cf.progress.hidden():
        audit = cf.audit.audit(observer, library, pairs=2, probes=probes)
    for name, row in making.ROWS.items():
        if row.probe in needed:
            assert making._found(audit, row).get("note") != "not measured", name
    found = making._found(audit, making.ROWS["index"])
    assert found["value"] == audit.relation_index()["value"]
    assert not np.isnan(making._found(audit, making.ROWS["canvas_only"])["value"])


@pytest.mark.slow
def test_networks_are_trained_audited_and_told_of(making, tmp_path, monkeypatch):
    """The way of make results, with one small network, in this process and without figures."""

    def in_this_process(jobs, work, workers, report):
        for job in jobs:
            report(job)
            yield job, attempt(work, job)

    monkeypatch.setattr("configural.study.running.find_engine", lambda engine: in_this_process)
    for page in ("run", "study", "audit"):
        monkeypatch.setattr(f"configural.report.write_{page}_report", lambda of: None)
    for module in ("runs.run", "audit.result"):
        monkeypatch.setattr(sys.modules[f"configural.{module}"], "save_figure", lambda figure, path: None)
    plan = "networks: [fcn-14]\nconditions: [baseline]\nseeds: [1]\ntests: [middle]\npreset: quick\n"
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "tiny.yaml").write_text(f"{plan}image_size: 32\ncount: 60\n", "utf-8")
    changed = {"RESULTS": tmp_path / "plans", "NETWORKS": ("fcn-14",), "PAIRS": 2}
    changed["STUDIES"] = (("painted faces", "synthetic:4", "baseline", "tiny"),)
    for name, value in changed.items():
        monkeypatch.setattr(making, name, value)
    with cf.progress.hidden():
        making.train(tmp_path, tmp_path)
        told = making.table(tmp_path)
    assert set(told["score"]) >= {"accuracy", "verdict", *making.ROWS}
    folder = tmp_path / "synthetic:4-tiny" / "runs" / "fcn-14-baseline-1"
    accuracy = told[told["score"] == "accuracy"]["value"].item()
    assert accuracy == cf.load_run(folder).metrics["test_accuracy"]
