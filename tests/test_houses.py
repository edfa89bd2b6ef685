"""Houses, the painted control object."""

import warnings

import numpy as np
import pytest

import configural as cf
from configural.config.study import StudyPlan
from configural.errors import ConfiguralError
from configural.objects import HOUSE
from configural.study.engines import attempt


@pytest.fixture(scope="module")
def houses() -> cf.portraits.Library:
    return cf.portraits.load("houses:8")


def test_the_same_seed_paints_the_same_houses(houses):
    again, other = cf.portraits.load("houses:3"), cf.portraits.load("houses:3", seed=1)
    assert [one.digest for one in again.exemplars] == [one.digest for one in houses.exemplars[:3]]
    assert not {one.digest for one in again.exemplars} & {one.digest for one in other.exemplars}
    assert houses.scheme == HOUSE
    with pytest.raises(ConfiguralError, match="whole number of at least 2"):
        cf.portraits.load("houses:one")


def test_a_canvas_is_its_portrait_without_the_parts(houses):
    for house in houses.exemplars:
        outside = house.segmentation == 0
        np.testing.assert_array_equal(house.portrait[outside], house.canvas[outside])
        rows, cols = house.size
        assert rows == 512
        assert 380 <= cols <= 460
        middles = {part.kind: np.add(part.anchor, np.array(part.mask.shape) / 2) for part in house.parts}
        assert middles["left_window"][1] < middles["sign"][1] < middles["right_window"][1]
        assert middles["left_window"][0] < middles["sign"][0] < middles["door"][0]
        for part in house.parts:
            inside = house.segmentation == 1 + HOUSE.index(part.kind)
            changed = (house.portrait != house.canvas).any(axis=2)
            assert changed[inside].mean() > 0.9
            assert 0.12 * cols < part.mask.shape[1] < 0.35 * cols


@pytest.mark.parametrize("condition", ["baseline", "ffa", "fct", "matched", "floating+matched", "seamless"])
def test_every_house_can_be_a_host(houses, condition):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = cf.stimuli.sample(houses, condition=condition, count=200)
    assert set(table.frame["host"]) == {house.name for house in houses.exemplars}
    assert set(table.frame["class_name"]) == {"no_house", "house"}
    if "floating" in condition:
        renderer = cf.stimuli.Renderer(houses, size=128)
        for stimulus in list(table)[::25]:
            assert renderer.draw_footprints(stimulus).sum(axis=0).max() <= 1


def test_a_dataset_of_houses_has_their_classes_and_parts(houses, tmp_path):
    cf.generate(houses, "ffa", count=42, size=32, masks=True, out=tmp_path / "set")
    assert sorted(path.name for path in (tmp_path / "set" / "train").iterdir() if path.is_dir()) == [
        "house",
        "no_house",
    ]
    assert cf.verify(tmp_path / "set", source=houses).sound
    images = cf.export.read(tmp_path / "set", size=32)
    assert images.class_names == ("no_house", "house")


def test_a_study_of_houses_is_set_against_nothing_published(tmp_path, monkeypatch):
    """Carried out in this process, and without pages of its runs."""
    monkeypatch.setattr("configural.report.write_run_report", lambda run: None)

    def in_this_process(jobs, work, workers, report):
        for job in jobs:
            report(job)
            yield job, attempt(work, job)

    plan = {"networks": ("fcn-14",), "conditions": ("baseline",), "seeds": (1,), "tests": ("middle",)}
    small = {"image_size": 32, "count": 42, "epochs": 1, "batch_size": 20}
    done = cf.run_study(StudyPlan(**plan, **small), "houses:3", out=tmp_path / "s", engine=in_this_process)
    assert not done.failed
    assert {"house_as_no_house", "no_house_as_house"} < set(done.results)
    page = (tmp_path / "s" / "report.html").read_text("utf-8")
    assert "trainings are finished" in page
    assert "published finding" not in page
    with pytest.raises(ConfiguralError, match="the published results are of faces"):
        cf.api.compare(tmp_path / "s")
