"""Trials for people are written for the tools that show them, and people's answers stand beside networks'."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import configural as cf
from configural.errors import ConfiguralError
from configural.export import verify


@pytest.mark.parametrize("form", ["psychopy", "jspsych"])
def test_trials_are_counterbalanced_and_read_back(form, blocks, tmp_path):
    out = tmp_path / "set"
    cf.generate(blocks, "baseline", out=out, count=60, size=24, format=form, pairs=True)
    suffix = {"psychopy": "csv", "jspsych": "json"}[form]
    lists = [
        pd.read_csv(out / f"trials_test_{name}.csv")
        if suffix == "csv"
        else pd.DataFrame(json.loads((out / f"trials_test_{name}.json").read_text()))
        for name in "ab"
    ]
    table = cf.stimuli.StimulusTable.load(out / "stimuli.parquet").frame.set_index("file")
    for trials in lists:
        # What PsychoPy makes of a conditions file: names are variables, and a cell in brackets would be run.
        assert all(re.fullmatch(r"[A-Za-z]\w*", name) for name in trials)
        assert not trials.astype(str).apply(lambda column: column.str.match(r"[\[(].*[\])]$")).any(axis=None)
        sides = trials["correct_side"].value_counts()
        assert abs(sides.get("left", 0) - sides.get("right", 0)) <= 1
        for trial in trials.to_dict("records"):
            shown = {side: table.loc[trial[f"{side}_image"]] for side in ("left", "right")}
            correct = trial["correct_side"]
            (wrong,) = {"left", "right"} - {correct}
            assert (shown[correct]["label"], shown[wrong]["label"]) == (1, 0)
            assert shown["left"]["pair"] == shown["right"]["pair"] == trial["pair"]
            assert trial["correct_key"].endswith(correct)
    a, b = lists
    assert len(a) == 4
    assert (a["left_image"] == b["right_image"]).all()
    assert verify(out, source=blocks).sound
    assert len(cf.export.read(out, size=24).rows) == 8
    path = out / f"trials_test_a.{suffix}"
    path.write_text(path.read_text().replace("left", "right", 1))
    assert [(fault.kind, fault.where) for fault in verify(out, source=blocks).faults] == [("damaged", path.name)]


def test_peoples_answers_stand_beside_a_network(blocks, tmp_path):
    def brightness(images):
        return images.mean(axis=(1, 2, 3)) / 255

    cf.audit.audit(brightness, blocks, image_size=16, pairs=4, probes=["forced_choice"], out=tmp_path / "audit")
    answers = pd.DataFrame({"participant": np.repeat(["p1", "p2", "p3"], 4), "key_resp.corr": [1, 1, 1, 0] * 3})
    answers.loc[12] = ["p3", np.nan]  # a row of PsychoPy's for something else
    answers.to_csv(tmp_path / "answers.csv", index=False)
    compared = cf.audit.compare_audits([tmp_path / "audit", tmp_path / "answers.csv"], tmp_path / "both")
    people = compared.summary.iloc[1]
    assert people["name"] == "people (answers)"
    assert people["choice"] == 0.75
    assert np.isnan(people["accuracy"])
    assert compared.differences.empty
    assert (tmp_path / "both" / "comparison.png").is_file()
    answers.rename(columns={"key_resp.corr": "said"}).to_csv(tmp_path / "answers.csv", index=False)
    with pytest.raises(ConfiguralError, match="needs the columns participant and correct"):
        cf.audit.compare_audits([tmp_path / "audit", tmp_path / "answers.csv"])
