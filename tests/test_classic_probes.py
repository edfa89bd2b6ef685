"""The classic experiments, each held to observers of which the result is known."""

import pytest
from known_strategies import described

from configural.audit import Anagrams, Audit, Composite, PartWhole, Scrambling, SpatialRelations, audit, observers
from configural.audit.probes.composite import halves
from configural.audit.probes.scrambling import orders_by_level
from configural.objects import FACE
from configural.portraits import load

PROBES = (
    Anagrams(),
    SpatialRelations(objects=8, distances=(20,)),
    Scrambling(objects=8, jitters=(8, 60)),
    PartWhole(objects=8),
    Composite(objects=8),
)
OF_FACES = {
    "relation observer": PROBES,
    "position observer": (PROBES[1], *PROBES[3:]),
    "bag of parts": PROBES,
    "order only": PROBES[1:3],
}


def scores_of(library, known, probes) -> dict[str, Audit]:
    found = {}
    for name, some in probes.items():
        done = audit(known[name], library, image_size=32, pairs=30, probes=some)
        assert not done.left_out
        assert set(done.drawings) == {probe.name for probe in some}
        if name == "relation observer":  # who is asked by every probe
            assert all(figure.axes for figure in done.figures.values())
        found[name] = done
    return found


@pytest.fixture(scope="module")
def scores(painted):
    return scores_of(painted, {**observers(painted), **described(painted)}, OF_FACES)


def of(scores, name, probe, score, of=None, at=None):
    return float(scores[name].score(probe, score, of=of, at=at)["value"])


def test_order_and_distances_are_told_apart(scores):
    for name, by_order, by_distance in (
        ("relation observer", True, True),
        ("position observer", True, True),
        ("bag of parts", False, False),
        ("order only", True, False),
    ):
        assert (of(scores, name, "spatial_relations", "first_order", "any") > 0.5) == by_order
        assert (of(scores, name, "spatial_relations", "second_order", "any", 20) > 0.1) == by_distance


def test_both_correct(scores):
    assert of(scores, "relation observer", "anagrams", "both_correct", "all") == 1
    assert of(scores, "bag of parts", "anagrams", "both_correct", "all") == 0


def test_levels(scores):
    for name in ("relation observer", "order only"):
        assert of(scores, name, "scrambling", "recognised", "parts in other slots", 4) < 0.3
    assert of(scores, "order only", "scrambling", "drop", "parts displaced at random", 8) == 0
    for what, level in (("parts in other slots", 4), ("parts displaced at random", 60)):
        assert of(scores, "bag of parts", "scrambling", "drop", what, level) == 0
        assert of(scores, "relation observer", "scrambling", "drop", what, level) > 3
    # Derangements of a face's four parts, three of which can be put so that one alone stays, and so on.
    counts = {level: len(orders) for level, orders in orders_by_level(FACE).items()}
    assert counts == {2: 5, 3: 8, 4: 9}


def test_the_advantage_of_the_whole(scores):
    for context in ("over the part alone", "over a scrambled whole"):
        assert of(scores, "relation observer", "part_whole", "advantage", context) > 5
        for name in ("position observer", "bag of parts"):
            assert of(scores, name, "part_whole", "advantage", context) == pytest.approx(0, abs=1e-9)
    assert of(scores, "relation observer", "part_whole", "choice", "alone") == 0.5
    assert of(scores, "position observer", "part_whole", "choice", "alone") == 1


def test_the_composite_effect_is_one_of_relations_across_the_halves(scores):
    assert of(scores, "relation observer", "composite", "composite_effect") > 5
    for name in ("position observer", "bag of parts"):
        assert of(scores, name, "composite", "composite_effect") == pytest.approx(0, abs=1e-9)
    assert of(scores, "position observer", "composite", "interference", "aligned") > 1


def test_houses_and_objects_without_groups(vans):
    houses = load("houses:4")
    probes = {"relation observer": PROBES, "bag of parts": [Composite(objects=8)]}
    found = scores_of(houses, observers(houses), probes)
    assert of(found, "relation observer", "composite", "composite_effect") > 1
    assert of(found, "relation observer", "part_whole", "advantage", "over the part alone") > 1
    assert of(found, "bag of parts", "composite", "composite_effect") == pytest.approx(0, abs=1e-9)
    stays, changed = halves(vans)
    assert sorted([*stays, *changed]) == sorted(vans.scheme.part_kinds)
    assert not audit(observers(vans)["bag of parts"], vans, image_size=32, pairs=6, probes=PROBES).left_out
