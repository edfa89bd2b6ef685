"""The audit is audited: classifiers with known answers, broken ones, and intervals on simulated exemplars."""

import itertools
import math
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from configural import models
from configural.audit import (
    Audit,
    AuditInterruptedError,
    BackgroundRemoval,
    Bootstrap,
    Displacement,
    Factorial,
    ForcedChoice,
    Interactions,
    Inversion,
    audit,
    headline,
    observers,
    sentences,
)
from configural.audit.auditing import make_material
from configural.audit.intervals import interval
from configural.audit.positions import fit, part_positions
from configural.audit.probes.displacement import NO_ROOM, ONE_EXEMPLAR, _threshold, relation_index
from configural.audit.probes.forced_choice import kind_of_arrangement
from configural.audit.probes.interactions import coalitions, not_additive, players, weights_of_coalitions
from configural.errors import ConfiguralError
from configural.models.classifiers import CLIP
from configural.objects import FACE
from configural.report import write_audit_report
from configural.stimuli import Renderer, StimulusTable, condition, sample
from configural.wording import in_percent

OBSERVER_TABLE = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "observer_table.py"))
pytestmark = pytest.mark.usefixtures("only_blank_figures")
PROBES = (
    ForcedChoice(),
    Displacement(distances=(15, 60), objects=16),
    BackgroundRemoval(pairs=8),
    Inversion(pairs=8, turned=8, angles=(15, 90)),
    Interactions(objects=6),
)
RELATIONS, NOISY, POSITIONS, BAG, CANVAS, CONSTANT = (
    "relation observer",
    "noisy observer",
    "position observer",
    "bag of parts",
    "canvas observer",
    "constant",
)


@pytest.fixture(scope="module")
def audits(painted):
    made = observers(painted, "baseline")
    return {
        name: audit(one, painted, image_size=32, pairs=60, probes=PROBES, name=name) for name, one in made.items()
    }


@pytest.fixture(scope="module")
def floating(painted):
    made = observers(painted, "floating")
    probes = PROBES[:2]
    return {
        name: audit(made[name], painted, condition="floating", image_size=32, pairs=60, probes=probes, name=name)
        for name in (RELATIONS, POSITIONS)
    }


def value(
    audits: dict[str, Audit], name: str, probe: str, score: str, of: str | None = None, at: float | None = None
) -> float:
    return float(audits[name].score(probe, score, of=of, at=at)["value"])


def test_forced_choice_of_what_is_known(audits):
    for name, fraction in ((RELATIONS, 1), (POSITIONS, 1), (BAG, 0.5), (CANVAS, 0.5), (CONSTANT, 0.5)):
        assert value(audits, name, "forced_choice", "choice", "all") == fraction
    assert 0.9 < value(audits, NOISY, "forced_choice", "choice", "all") <= 1


def test_position_does_not_distinguish_arrangements_where_parts_float(floating):
    assert value(floating, RELATIONS, "forced_choice", "choice", "all") == 1
    assert value(floating, POSITIONS, "forced_choice", "choice", "all") < 0.6
    assert value(floating, RELATIONS, "displacement", "relation_index") == pytest.approx(1, abs=1e-12)


def test_relation_index_orders_and_bounds(audits):
    assert value(audits, RELATIONS, "displacement", "relation_index", None, 60) == pytest.approx(1)
    # Four positions each lose what one does: (1 − 4) / (1 + 4); nearly so, since not every
    # part is moved in every direction.
    assert value(audits, POSITIONS, "displacement", "relation_index", None, 60) == pytest.approx(-0.6, abs=0.02)
    # Where each of the four is moved alone in a direction, what they lose adds up to what all lose.
    answers = audits[POSITIONS].responses["displacement"]
    still = answers[answers["move"] == "none"].set_index(["background", "base"])["log_odds"]
    answers = answers[answers["distance"] == 15]
    moved = answers.assign(drop=still.loc[pd.MultiIndex.from_frame(answers[["background", "base"]])].to_numpy())
    wide = moved.assign(drop=moved["drop"] - moved["log_odds"]).pivot_table(
        index=["background", "base", "direction"], columns="move", values="drop"
    )
    singles = wide[["left eye", "right eye", "nose", "mouth"]].sum(axis=1, skipna=False)
    both = singles.notna() & wide["all"].notna()
    assert both.any()
    np.testing.assert_allclose(singles[both], wide["all"][both], atol=1e-9)
    noisy = audits[NOISY].score("displacement", "relation_index", at=60)
    assert 0.5 < noisy["value"] <= 1
    assert noisy["low"] < noisy["value"]
    for name in (BAG, CANVAS, CONSTANT):
        score = audits[name].relation_index()
        assert math.isnan(score["value"])
        assert "undefined" in score["note"]
        assert headline(audits[name]).startswith("It does not do the task")
        assert "undefined" in " ".join(sentences(audits[name]))


def test_background_removal_finds_who_needs_the_canvas(audits):
    assert value(audits, CANVAS, "background_removal", "drop", "grey") > 6
    assert value(audits, CANVAS, "background_removal", "drop", "canvas only") == 0
    for name in (RELATIONS, POSITIONS, BAG):
        assert value(audits, name, "background_removal", "drop", "grey") == pytest.approx(0)
        assert value(audits, name, "background_removal", "drop", "canvas only") > 5


def test_inversion_finds_who_sees_parts_upside_down(audits):
    # The bag does not know parts that are upside down: 3 of 4 lost upright, and found again where all is inverted.
    assert value(audits, BAG, "inversion", "drop", "Thatcher effect") == pytest.approx(12)
    assert value(audits, BAG, "inversion", "choice", "inverted") == 0.5
    for name in (RELATIONS, POSITIONS, CANVAS, CONSTANT):
        assert value(audits, name, "inversion", "drop", "Thatcher effect") == pytest.approx(0)
    assert value(audits, RELATIONS, "inversion", "drop", "inverted") > 8
    drops = [value(audits, RELATIONS, "inversion", "drop", "rotation", angle) for angle in (15, 90)]
    assert 0 < drops[0] < drops[1]


def test_interactions_find_who_adds_up(audits):
    for player in FACE.part_kinds:
        assert value(audits, BAG, "interactions", "shapley", player) == pytest.approx(2)
        assert value(audits, CANVAS, "interactions", "shapley", player) == pytest.approx(0)
    for name in (BAG, POSITIONS, CANVAS):
        assert value(audits, name, "interactions", "not_additive") == pytest.approx(0, abs=1e-9)
    assert value(audits, RELATIONS, "interactions", "not_additive") > 0.1
    assert value(audits, RELATIONS, "interactions", "interaction", "nose × mouth") > 1
    assert value(audits, RELATIONS, "interactions", "interaction", "nose × canvas") == pytest.approx(0, abs=1e-9)
    assert math.isnan(value(audits, CONSTANT, "interactions", "not_additive"))


def test_the_table_says_what_a_probe_cannot_distinguish(audits):
    indistinct, table = OBSERVER_TABLE["indistinct"], OBSERVER_TABLE["table"]
    assert (BAG, CONSTANT) in indistinct(audits, "forced_choice")
    assert (RELATIONS, POSITIONS) not in indistinct(audits, "displacement")
    assert (CANVAS, CONSTANT) not in indistinct(audits, "background_removal")
    assert f"{CANVAS} and {CONSTANT}" in table(audits)


@pytest.mark.parametrize("slots", [(), ("nose",)])
def test_images_without_parts_can_be_drawn(painted, slots):
    rows = sample(painted, condition="baseline", count=42)
    bare = replace(rows, condition=rows.condition.model_copy(update={"arrangement": "correct", "filled": slots}))
    assert Renderer(painted, size=48).draw_masks(bare[0]).any(axis=(1, 2)).sum() == len(slots)
    with pytest.raises(ConfiguralError, match="filled"):
        condition(rows.condition.model_copy(update={"filled": ()}))


@pytest.mark.parametrize("name", ["ffa", "floating", "upright-inverted"])
def test_positions_are_where_the_pixels_are(painted, name):
    turned = (
        condition(name).model_copy(update={"rotation": (-25, 25), "placement": "shifted"})
        if name == "floating"
        else name
    )
    stimuli = list(sample(painted, condition=turned, count=42, seed=3))[-12:]
    renderer = Renderer(painted, size=256)
    places = part_positions(painted, stimuli)
    for stimulus, place in zip(stimuli, places, strict=True):
        masks = renderer.draw_footprints(stimulus)
        for kind in range(4):  # of a face: slot = kind
            rows, cols = np.nonzero(masks[kind])
            middle = (rows.min() + rows.max() + 1) / 2, (cols.min() + cols.max() + 1) / 2
            tolerance = 8 if stimulus.rotation else 2  # the box of a turned outline has another middle
            assert np.abs(256 * place[kind] - middle).max() < tolerance


def test_what_fits_can_be_drawn_and_what_does_not_cannot(painted):
    rows = sample(painted, condition="floating", count=42, seed=1)
    pushed = replace(rows, frame=rows.frame.assign(shift_col=rows.frame["shift_col"] + 60))
    fits = fit(painted, pushed)
    assert fits.any()
    assert not fits.all()
    renderer = Renderer(painted, size=32)
    for row, stimulus in enumerate(pushed):
        if fits[row]:
            renderer.draw(stimulus)
        else:
            with pytest.raises(ConfiguralError, match="leaves the canvas"):
                renderer.draw(stimulus)


def test_displacements_move_what_they_say_where_it_fits(painted):
    probe = Displacement(distances=(40, 160), at=40, objects=8)
    trials = probe.trials(make_material(painted, "baseline", pairs=20))
    places = part_positions(painted, trials.stimuli) * 512
    notes = trials.notes
    assert (fit(painted, replace(trials.tables[0], frame=pd.concat([t.frame for t in trials.tables[:50]])))).all()
    still = dict(zip(notes["base"][:8], places[:8], strict=True))
    for row in np.flatnonzero((notes["distance"] == 40) & (notes["move"] == "both eyes")):
        moved = places[row] - still[notes["base"][row]]
        step = {"up": (-40, 0), "down": (40, 0), "left": (0, -40), "right": (0, 40)}[notes["direction"][row]]
        np.testing.assert_allclose(moved[:2], [step, step], atol=1)
        np.testing.assert_allclose(moved[2:], 0)
    far = notes[notes["distance"] == 160]
    assert 0 < len(far) < len(notes[notes["distance"] == 40])
    # Where all parts fit together, single ones do; these are asked about only where they hide nothing.
    asked = far.groupby(["direction", "move"])["base"].agg(frozenset)
    for direction, objects in asked.groupby("direction"):
        assert all(of_move <= objects[direction, "all"] for of_move in objects)


class SeenParts:
    """Counts how much of each part is to be seen, by the drawn masks, wherever it is."""

    def __init__(self, library):
        self.renderer = Renderer(library, size=128)

    def log_odds_of(self, stimuli):
        shares = [
            self.renderer.draw_masks(one).sum(axis=(1, 2)) / self.renderer.draw_footprints(one).sum(axis=(1, 2))
            for one in stimuli
        ]
        return 2 * np.array(shares).sum(axis=1) - 5


def test_a_part_that_covers_another_is_not_taken_for_a_relation(painted):
    """Who counts parts that are seen reads no relations, though a nose on the mouth hides half of it."""
    probe = Displacement(distances=(60,), objects=8)
    found = audit(SeenParts(painted), painted, image_size=64, pairs=24, probes=[probe])
    for move in ("one part", "all"):
        # Some pixels of the drawn masks lie on the border of two parts.
        assert abs(found.score("displacement", "drop", of=move, at=60)["value"]) < 0.02


def test_kinds_of_scrambled_arrangements():
    orders = itertools.permutations(FACE.part_kinds)
    counted = pd.Series([kind_of_arrangement(order, FACE) for order in orders]).value_counts()
    assert counted.to_dict() == {
        "all misplaced": 9,
        "three parts misplaced": 8,
        "two parts swapped": 4,
        "both eyes swapped": 1,
        "nose and mouth swapped": 1,
        "a part moved": 1,
    }


def drops(one: list[float], every: list[float]) -> pd.DataFrame:
    n = len(one)
    exemplars = [f"h{number % 12}" for number in range(n)]
    return pd.DataFrame({"host": exemplars * 2, "move": ["nose"] * n + ["all"] * n, "drop": [*one, *every]})


def test_relation_index_of_negative_drops_and_of_noise():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2, 240))
    undefined = relation_index(drops(*noise.tolist()), Bootstrap(), singles=["nose"])
    assert math.isnan(undefined.value)
    # Both clearly below zero: nothing is lost by moving, so there is nothing to divide up.
    assert math.isnan(relation_index(drops(*(noise - 5).tolist()), Bootstrap(), singles=["nose"]).value)
    # A gain when all move counts as no loss; the index does not pass 1.
    gained = relation_index(drops((noise[0] + 5).tolist(), (noise[1] - 2).tolist()), Bootstrap(), singles=["nose"])
    assert (gained.value, gained.low, gained.high) == (1, 1, 1)
    known = relation_index(drops([14.4] * 24, [2.7] * 24), Bootstrap(), singles=["nose"])
    assert known.value == pytest.approx((14.4 - 2.7) / (14.4 + 2.7))


def test_relation_index_of_nothing_and_of_one_exemplar():
    nothing = relation_index(drops([], []), Bootstrap(), singles=["nose"])
    assert (nothing.exemplars, nothing.note) == (0, NO_ROOM)
    single = relation_index(drops([5.0] * 12, [1.0] * 12).assign(host="h"), Bootstrap(), singles=["nose"])
    assert (single.exemplars, single.note) == (1, ONE_EXEMPLAR)
    both = drops([5.0] * 12, [1.0] * 12)
    one_kind = relation_index(both[both["move"] == "nose"], Bootstrap(), singles=["nose"])
    assert one_kind.note == NO_ROOM


def test_an_audit_without_room_says_so(painted, tmp_path):
    probes = [Displacement(distances=(900,), at=900, objects=4), Factorial(distances=(900,), at=900, objects=4)]
    found = audit(redness, painted, image_size=16, pairs=10, probes=probes, out=tmp_path / "audit")
    assert headline(found) == "Relations were not measured: there is no room for parts to be moved so far"
    assert all("there is no room" in sentence for sentence in sentences(found)[:2])
    assert "there is no room" in write_audit_report(tmp_path / "audit").read_text("utf-8")
    for probe in (Displacement, Factorial):
        with pytest.raises(ConfiguralError, match="at 60 is not measured"):
            probe(distances=(20,))


def test_probabilities_of_one_are_not_taken_for_no_cost(painted):
    found = audit(
        lambda p: np.ones(len(p)),
        painted,
        condition="baseline",
        image_size=16,
        pairs=10,
        probes=[ForcedChoice(), Factorial(distances=(60,), objects=4)],
    )
    assert headline(found).startswith("Its probabilities are too near to 0 or 1")
    assert "In 100 % of the responses" in " ".join(sentences(found))


@pytest.mark.parametrize(
    ("fraction", "said"),
    [
        ((0.93, 0.901, 0.95), "93 % [90.1, 95]"),
        ((0.999, 0.9962, 1.0), "99.9 % [99.6, 100]"),
        ((0.9996, 0.9988, 0.99992), "> 99.9 % [99.8, 100]"),
        ((0.0002, 0.0, 0.0004), "< 0.1 % [0, 0.1]"),
        ((1e-16, -1e-16, 1e-15), "0 % [0, 0]"),
        ((0.5, 0.5, 0.5), "50 % [50, 50]"),
    ],
)
def test_intervals_in_percent_hold_their_value(fraction, said):
    assert in_percent(dict(zip(("value", "low", "high"), fraction, strict=True))) == said


def test_the_threshold_s_interval_counts_exemplars_that_never_fall_below_one_half():
    # Ten exemplars fall to 0.1, ten stay at 0.89: the mean is just below one half, and so is half of the draws'.
    exemplars = [f"h{number}" for number in range(20)]
    still = pd.DataFrame({"host": exemplars, "log_odds": logit(0.9), "distance": 0, "move": "none"})
    fallen = still.assign(log_odds=logit(np.repeat([0.1, 0.89], 10)), distance=60, move="all")
    found = _threshold(still, fallen, ["all"], Bootstrap())
    assert found.value == pytest.approx(60 * 0.4 / 0.405)
    assert found.high == 60
    assert "where measuring ends" in found.note


def scores_of(painted, predict, *probes) -> pd.DataFrame:
    frame = audit(predict, painted, image_size=24, pairs=30, probes=probes).scores
    return frame.set_index(["probe", "score", "of", "at"])[["value", "low", "high"]]


def redness(images: np.ndarray) -> np.ndarray:
    """Some function of pixels with values well inside 0 to 1."""
    weights = np.random.default_rng(0).normal(size=images.shape[1:]) / 2000
    return 1 / (1 + np.exp(-((images - 100.0) * weights).sum(axis=(1, 2, 3))))


def test_forced_choice_does_not_change_with_the_scale(painted):
    before = scores_of(painted, redness, ForcedChoice()).xs("choice", level="score")
    after = scores_of(painted, lambda p: redness(p) ** 3, ForcedChoice()).xs("choice", level="score")
    pd.testing.assert_frame_equal(before, after)


def test_relation_index_does_not_change_with_the_units_of_log_odds(painted):
    known = observers(painted)[NOISY]

    class Scaled:
        def log_odds_of(self, stimuli):
            return 3 * known.log_odds_of(stimuli) + 7

    probe = Displacement(distances=(60,), objects=8)
    before, after = (
        scores_of(painted, one, probe).xs("relation_index", level="score") for one in (known, Scaled())
    )
    pd.testing.assert_frame_equal(before, after)


def test_probabilities_of_nought_and_one_have_finite_log_odds():
    images = np.zeros((3, 4, 4, 3), np.uint8)
    found = models.open(lambda p: [0, 0.5, 1]).log_odds(images)
    edge = math.log((1 - CLIP) / CLIP)
    np.testing.assert_allclose(found, [-edge, 0, edge], atol=1e-9)


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (lambda n: np.full(n, np.nan), ("NaN", "20 of 20 images")),
        (lambda n: np.full((n, 2, 2), 0.5), ("shape (20, 2, 2)",)),
        (lambda n: np.full(n - 1, 0.5), ("shape (19,)",)),
        (lambda n: np.full(n, 1.5), ("1.5", "0 to 1", "logits")),
        (lambda n: np.full(n, -0.1), ("-0.1",)),
        (lambda n: None, ("shape ()",)),
        (lambda n: ["face"] * n, ("list", "probabilities")),
    ],
)
def test_responses_that_are_none(painted, response, words):
    with pytest.raises(ConfiguralError) as caught:
        audit(
            lambda p: response(len(p)),
            painted,
            condition="baseline",
            image_size=16,
            pairs=10,
            probes=["forced_choice"],
        )
    assert "\n" not in str(caught.value)
    for word in (*words, "forced_choice"):
        assert word in str(caught.value)


def test_what_was_measured_is_kept_when_predict_fails_half_way(painted, tmp_path):
    queried = 0

    def predict(images):
        nonlocal queried
        queried += len(images)
        if queried > 60 + 50:
            raise ConnectionError("the server\nis gone")
        return redness(images)

    out = tmp_path / "audit"
    probes = (ForcedChoice(), BackgroundRemoval(pairs=20), Interactions(objects=2))
    with pytest.raises(
        AuditInterruptedError, match=r"76 to 100 of 180 of the probe background_removal: .*server is gone"
    ) as caught:
        audit(predict, painted, image_size=16, pairs=30, probes=probes, batch_size=25, out=out)
    assert str(out) in str(caught.value)
    for kept in (caught.value.audit, Audit.load(out)):
        assert len(kept.responses["forced_choice"]) == 60
        assert len(kept.responses["background_removal"]) == 75  # 40 of them the images of the forced choice
        assert set(kept.scores["probe"]) == {"forced_choice"}
        assert kept.left_out == {"background_removal": "failed"}
        assert "gone" in kept.interruption


def test_what_was_measured_is_kept_on_ctrl_c(painted, tmp_path):
    queried = 0

    def predict(images):
        nonlocal queried
        queried += len(images)
        if queried > 40 + 25:
            raise KeyboardInterrupt
        return redness(images)

    out = tmp_path / "audit"
    probes = (ForcedChoice(), BackgroundRemoval(pairs=20))
    with pytest.raises(
        KeyboardInterrupt, match=r"interrupted at image 51 of 180 of the probe background_removal.*audit"
    ):
        audit(predict, painted, image_size=16, pairs=20, probes=probes, batch_size=25, out=out)
    kept = Audit.load(out)
    assert set(kept.scores["probe"]) == {"forced_choice"}
    assert len(kept.responses["background_removal"]) == 50
    assert kept.left_out == {"background_removal": "interrupted"}
    assert "interrupted" in kept.interruption


@pytest.mark.parametrize(("fault", "raised"), [(ConfiguralError, AuditInterruptedError), (ZeroDivisionError, None)])
def test_what_was_measured_is_kept_when_a_probe_fails(painted, tmp_path, fault, raised):
    class Faulty(ForcedChoice):
        def score(self, answers, bootstrap):
            raise fault("no score")

    probes = (ForcedChoice(), Faulty(name="faulty"))
    with pytest.raises(raised or fault, match="probe faulty: no score" if raised else "no score"):
        audit(redness, painted, image_size=16, pairs=10, probes=probes, out=tmp_path / "audit")
    kept = Audit.load(tmp_path / "audit")
    assert set(kept.scores["probe"]) == {"forced_choice"}
    assert len(kept.responses["faulty"]) == 20
    assert kept.left_out == {"faulty": "failed"}


def test_images_are_of_the_size_that_the_classifier_takes(painted):
    class Fixed:
        image_size = 24

        def log_odds(self, images):
            assert images.shape[1:] == (24, 24, 3)
            return images.mean(axis=(1, 2, 3)) / 255

    assert audit(Fixed(), painted, pairs=4, probes=["forced_choice"]).settings.image_size == 24
    with pytest.raises(ConfiguralError, match="image_size 32: this classifier takes 24 pixels"):
        audit(Fixed(), painted, image_size=32, pairs=4, probes=["forced_choice"])


def test_probes_without_their_package_are_left_out_and_the_others_asked(painted, monkeypatch):
    monkeypatch.setattr("configural.audit.probe.find_spec", lambda package: None)
    found = audit(
        redness,
        painted,
        condition="baseline",
        image_size=16,
        pairs=10,
        probes=["attribution", "forced_choice"],
    )
    assert set(found.scores["probe"]) == {"forced_choice"}
    assert "needs captum: pip install" in found.left_out["attribution"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"probes": ["reech"]}, "reech"),
        ({"pairs": 1}, "pairs"),
        (
            {"condition": condition("baseline").model_copy(update={"arrangement": "correct"})},
            "scrambled arrangement",
        ),
        ({"batch_size": 0}, "batch.size"),
    ],
)
def test_wrong_arguments(painted, options, word):
    with pytest.raises(ConfiguralError, match=word):
        audit(redness, painted, **options)


def test_the_same_seed_gives_the_same_audit(painted):
    first, second = (
        audit(redness, painted, condition="floating", image_size=16, pairs=20, seed=4, probes=["forced_choice"])
        for _ in range(2)
    )
    pd.testing.assert_frame_equal(first.scores, second.scores)
    pd.testing.assert_frame_equal(first.responses["forced_choice"], second.responses["forced_choice"])


def test_an_audit_of_the_identity_split_asks_about_test_persons_alone(blocks):
    material = make_material(blocks, "baseline", pairs=30, seed=5, split="identity")
    trained = sample(blocks, condition="baseline", split="identity", count=200, seed=5).subset("train").frame
    used = {name for column in ("host", "nose_donor") for name in material.pairs.frame[column]}
    assert used.isdisjoint({name for column in ("host", "nose_donor") for name in trained[column]})
    assert len(material.pairs) == 60
    assert isinstance(material.pairs, StimulusTable)


def test_material_spreads_over_hosts(painted):
    material = make_material(painted, "baseline", pairs=100)
    assert material.some_objects(8).frame["host"].nunique() == 8


# --- intervals


def clustered(rng: np.random.Generator, exemplars: int, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of which those of one exemplar are alike; their mean is 0 in the long run."""
    names = np.repeat(np.arange(exemplars), images)
    return rng.normal(size=exemplars)[names] + rng.normal(size=len(names)), names


@pytest.mark.parametrize("exemplars", [8, 45])
def test_intervals_cover_the_truth(exemplars):
    rng = np.random.default_rng(1)
    runs, hits, naive = 600, 0, 0
    for run in range(runs):
        values, names = clustered(rng, exemplars, 10)
        found = Bootstrap(run, 400).mean(values, names)
        hits += found.low <= 0 <= found.high
        if run < 100:
            alone = Bootstrap(run, 400).mean(values, np.arange(len(values)))
            naive += alone.low <= 0 <= alone.high
    # Three standard errors of a share of 0.95 in 600 runs are 0.027; the percentiles' own error is in it, too.
    assert abs(hits / runs - 0.95) < 0.03
    assert naive / 100 < 0.75  # drawing images instead of exemplars would not do


def test_portraits_of_one_person_are_drawn_together(painted):
    """As if they were one exemplar; in an audit, too, which knows who is shown from the library."""
    values, names = clustered(np.random.default_rng(3), 12, 4)
    persons = {f"portrait {name}": f"person {name // 2}" for name in range(12)}
    found = Bootstrap(1, persons=persons).mean(values, [f"portrait {name}" for name in names])
    assert found == Bootstrap(1).mean(values, names // 2)
    assert found.exemplars == 6
    assert found != Bootstrap(1).mean(values, names)
    twins = [replace(one, person=f"twin {number // 2}") for number, one in enumerate(painted.exemplars)]
    observer = observers(painted)[RELATIONS]
    probes = [Factorial(distances=(60,), objects=16)]
    scores = audit(observer, replace(painted, exemplars=twins), pairs=40, probes=probes).scores
    assert scores["exemplars"].max() == len(twins) / 2
    # The hosts of an identity split are drawn by person, those of the study's one by one: the same images.
    apart = audit(observer, painted, pairs=40, probes=probes).scores
    assert np.allclose(scores["value"], apart["value"], equal_nan=True)


def test_the_index_is_covered_too():
    rng = np.random.default_rng(2)
    runs, hits = 300, 0
    for run in range(runs):
        table = pd.concat(
            [
                pd.DataFrame({"host": names, "move": move, "drop": values + mean})
                for move, mean in (("mouth", 6), ("all", 3))
                for values, names in [clustered(rng, 30, 6)]
            ]
        )
        found = relation_index(table, Bootstrap(run, 400), singles=["mouth"])
        hits += found.low <= 1 / 3 <= found.high
    assert abs(hits / runs - 0.95) < 0.04


def test_interval_of_few_exemplars_is_widened_as_published():
    from scipy import stats

    # Hesterberg 2015, expanded percentile: with n = 5 the tail of 2.5 % shrinks to that of √(5/4)·t.
    draws = np.arange(100_001) / 100_000
    tail = stats.norm.cdf(math.sqrt(5 / 4) * stats.t(4).ppf(0.025))
    assert interval(draws, 5) == pytest.approx((tail, 1 - tail), abs=1e-4)
    assert np.isnan(interval(draws, 1)).all()
    assert interval(np.append(draws, np.inf), 5) == interval(draws, 5)  # such as a fraction of no variance


@pytest.mark.parametrize("all_right", [True, False])
def test_shares_of_nought_and_one_have_the_interval_of_clopper_and_pearson(all_right):
    from scipy import stats

    exemplars = np.arange(40) % 20
    found = Bootstrap().fraction(np.full(40, float(all_right)), exemplars)
    exact = stats.binomtest(20 * all_right, 20).proportion_ci(0.95, "exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


# --- the game

PLAYERS = players(FACE)
SETS = coalitions(PLAYERS)


def shapley_by_orders(game: dict[frozenset[str], float], player: str) -> float:
    total = 0.0
    for order in itertools.permutations(PLAYERS):
        before = frozenset(order[: order.index(player)])
        total += game[before | {player}] - game[before]
    return total / math.factorial(len(PLAYERS))


def test_shapley_values_are_those_of_all_orders():
    scores = np.random.default_rng(0).normal(size=32)
    game = {frozenset(c): score for c, score in zip(SETS, scores, strict=True)}
    single, double = weights_of_coalitions(len(PLAYERS))
    for player, weights in zip(PLAYERS, single, strict=True):
        assert scores @ weights == pytest.approx(shapley_by_orders(game, player))
    # Two players who only count together, 3 for both: each gets half, and their interaction is all of it.
    both = np.array([3.0 * {"nose", "mouth"}.issubset(c) for c in SETS])
    couples = list(itertools.combinations(PLAYERS, 2))
    np.testing.assert_allclose(double @ both, [3.0 * (set(c) == {"nose", "mouth"}) for c in couples], atol=1e-9)
    # Of the variance of x·y over coin flips, 3/16, single players account for 2/16.
    found = not_additive(np.tile(both, (6, 1)), np.arange(6), bootstrap=Bootstrap())
    assert found.value == pytest.approx(1 / 3)


@pytest.mark.parametrize("n", [2, 3, 6])
def test_values_and_interactions_are_those_of_shapiq(n):
    from shapiq import ExactComputer

    scores, bits = np.random.default_rng(n).normal(size=2**n), 2 ** np.arange(n)
    computer = ExactComputer(n_players=n, game=lambda sets: scores[np.asarray(sets, int) @ bits])
    single, double = weights_of_coalitions(n)
    values, pairs = computer("SV", order=1), computer("k-SII", order=2)
    np.testing.assert_allclose(single @ scores, [values[(player,)] for player in range(n)], atol=1e-12)
    couples = list(itertools.combinations(range(n), 2))
    np.testing.assert_allclose(double @ scores, [pairs[couple] for couple in couples], atol=1e-12)
