"""The pages of findings: what they say is what their table says."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import configural as cf

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def making():
    spec = importlib.util.spec_from_file_location("make_results", DOCS / "make_results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def results(making):
    return pd.read_csv(making.TABLE)


def test_the_pages_are_those_of_the_table(making, results):
    for page, text in making.render(results).items():
        assert (DOCS / page).read_text("utf-8") == text, f"{page}: not as the table has it; run make results"


def test_another_table_makes_another_page_or_contradicts_it(making, results):
    is_index = results["score"] == "index"
    changed = results.assign(value=results["value"].where(~is_index, results["value"] * 0.9))
    assert making.render(changed)["findings.md"] != making.render(results)["findings.md"]
    is_relational = results["score"] == "relational"
    turned = results.assign(low=results["low"].where(~is_relational, -results["low"]))
    with pytest.raises(ValueError, match="not borne out"):
        making.render(turned)


def test_an_audit_has_every_row_of_the_tables(making):
    """That of houses, whose class and surface have names of their own."""
    library = cf.portraits.load("houses:2")
    observer = cf.audit.observers(library)["relation observer"]
    with cf.progress.hidden():
        audit = cf.audit.audit(observer, library, pairs=2)
    for name, row in making.ROWS.items():
        if row.probe not in ("receptive_field", "attribution"):  # which an observer without pixels leaves out
            assert making._found(audit, row).get("note") != "not measured", name
    found = making._found(audit, making.ROWS["index"])
    assert found["value"] == audit.relation_index()["value"]
    assert not np.isnan(making._found(audit, making.ROWS["canvas_only"])["value"])


@pytest.mark.slow
def test_networks_are_trained_audited_and_told_of(making, tmp_path, monkeypatch):
    """The way of make results, with one small network."""
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
