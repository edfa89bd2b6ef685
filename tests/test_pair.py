"""The page of the demo: two networks as accurate as each other, and what each loses when parts move."""

import re
from dataclasses import replace

import numpy as np
import pytest

import configural as cf
from configural.audit import pair as compared
from configural.explorer.small import shipped
from configural.report import Member, pair_sentence, write_pair_report

NETWORKS = {model.name: cf.models.open(model.network) for model in shipped()}
OBJECTS = 8
"""Half of those that the demo compares them on; and parts are moved by one distance, which all is told of."""


@pytest.fixture(scope="module")
def library():
    return cf.portraits.load("synthetic:6")


@pytest.fixture(scope="module")
def pair(library):
    few = replace(compared._PROBE, objects=OBJECTS, distances=(compared.AT,))
    with cf.progress.hidden(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(compared, "_PROBE", few)
        return cf.audit.compare_pair(
            NETWORKS, library, condition="baseline", image_sizes=dict.fromkeys(NETWORKS, 64)
        )


def test_the_shipped_networks_are_mirror_images(pair):
    assert pair.mirrored
    assert pair.index("A")["value"] < -0.2
    assert pair.index("B")["value"] > 0.2
    assert pair.lost("A", "all") > 2 * pair.lost("A", "one part") > 0
    assert pair.lost("B", "one part") > 2 * pair.lost("B", "all") > 0
    assert re.search(
        r"A loses \d+ % of .* B only \d+ %.*the other way round: A loses \d+ %, B \d+ %", pair_sentence(pair)
    )


def test_what_is_lost_is_a_fraction_of_what_scrambling_costs(pair, library):
    table = cf.stimuli.sample(library, condition="baseline+matched", count=2 * OBJECTS, seed=1, pairs=True)
    images = np.stack([image.permute(1, 2, 0).numpy() for image, _ in cf.stimuli.dataset(library, table, size=64)])
    labels = table.frame["label"].to_numpy()
    for name, network in NETWORKS.items():
        said = network.log_odds(images)
        assert pair.gaps[name] == pytest.approx(said[labels == 1].mean() - said[labels == 0].mean(), abs=1e-3)


def test_both_respond_to_the_images_that_are_shown(pair, library):
    captions = [one.caption for one in pair.shown]
    assert captions[0] == "as it is"
    assert captions[-1] == "scrambled"
    assert [caption.startswith("all parts moved") for caption in captions[1:-1]] == [True, True, False, False]
    renderer = cf.stimuli.Renderer(library, size=64)
    for one in pair.shown:
        image = renderer.draw(one.stimulus)
        for name, network in NETWORKS.items():
            assert np.isclose(network.log_odds(image[None])[0], one.log_odds[name], atol=1e-3)


def test_no_more_is_said_than_was_measured(pair):
    alike = cf.audit.Pair(dict.fromkeys("AB", pair.scores["A"]), pair.shown, dict.fromkeys("AB", 1.0))
    assert not alike.mirrored
    # Both indices are as before, but scrambling costs B so much that A loses the greater fraction either way.
    apart = cf.audit.Pair(pair.scores, pair.shown, {"A": pair.gaps["A"], "B": 100 * pair.gaps["B"]})
    assert apart.index("B")["low"] > 0 > apart.index("A")["high"]
    assert not apart.mirrored
    assert "does not clearly divide A from B" in pair_sentence(alike)


def test_who_loses_nothing_by_scrambling_has_no_fraction(pair, tmp_path):
    still = [
        cf.audit.pair.Shown(one.caption, one.stimulus, one.image, dict.fromkeys("AB", 1.0)) for one in pair.shown
    ]
    constant = cf.audit.Pair(pair.scores, tuple(still), dict.fromkeys("AB", 0.0))
    assert np.isnan([constant.lost("A", "all"), constant.of_gap(still[1], "B")]).all()
    members = {name: Member(0.5, "baseline", "Made for a test.") for name in "AB"}
    page = write_pair_report(constant, tmp_path / "pair", members=members).read_text("utf-8")
    assert "nan" not in re.sub(r"data:image/png;base64,[^\"]*", "", page)


def test_the_page_holds_all_it_shows(pair, tmp_path):
    members = {name: Member(0.99, "baseline", "Made for a test.") for name in "AB"}
    page = write_pair_report(pair, tmp_path / "pair", members=members).read_text("utf-8")
    assert page.count("data:image/png") == 8
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert str(tmp_path) not in page
