"""Each classifier of known strategy gets a headline that is true of it."""

import importlib
from dataclasses import dataclass, field, replace
from typing import Any

import known_strategies
import numpy as np
import pandas as pd
import pytest
import torch
from known_strategies import (
    BagOfTemplates,
    BatchNormed,
    Mixed,
    NoiseEachTime,
    Pixels,
    brightness,
    described,
    edges,
)

from configural import models
from configural.audit import (
    Audit,
    Bootstrap,
    Consistency,
    Displacement,
    Factorial,
    ForcedChoice,
    SpatialRelations,
    headline,
    observers,
    sentences,
)
from configural.audit.asking import Asking
from configural.audit.auditing import _scored, make_material
from configural.audit.positions import part_positions
from configural.audit.probe import ProbeCard, scores_frame
from configural.audit.result import Facts
from configural.audit.verdict import smallest_effect
from configural.config.audit import AuditConfig
from configural.stimuli import Renderer
from configural.stimuli import condition as find_condition

SIZE = 48
RELATIONS = "It reads how the parts lie to each other"
ALONE = f"{RELATIONS}; that it reads positions is not shown"
POSITIONS = "It reads where the parts lie in the image; that it reads relations is not shown"
EITHER_FRAME = (
    "It reads where the parts lie, in the image or on the portrait; that it reads relations is not shown; moving"
)
EXCHANGES = "Exchanged parts cost it something, moved parts on average next to nothing"
BOTH = "It reads both how the parts lie to each other and where they lie"
NOT_ADDED = "It reads how the parts lie to each other and where they lie; their costs do not add up"
NO_TASK = "It does not do the task, so there is no verdict"
CANVAS = "Moved parts cost it something on the visible canvas alone"
ON_CANVAS = f"{RELATIONS} on the visible canvas; where none is visible"
NOTHING = "Moved parts cost it next to nothing"

DESCRIBED = {
    "relation observer": ALONE,
    "noisy observer": ALONE,
    "position observer": POSITIONS,
    "bag of parts": NO_TASK,
    "canvas observer": NO_TASK,
    "constant": NO_TASK,
    "half and half": BOTH,
    "a quarter relations": "It reads mostly where the parts lie, and a little how they lie to each other",
    "half and half, saturated": NOT_ADDED,
    "all positions needed, product": POSITIONS,
    "all positions needed, min": POSITIONS,
    "all heights needed, min": EITHER_FRAME,
    "positions, bent": POSITIONS,
    "positions, hard labels": POSITIONS,
    "relations, min": ALONE,
    "relations, hard labels": ALONE,
    "relations, temperature 10": ALONE,
    "relations in a window": "It reads mostly how the parts lie to each other, and a little where they lie",
    "floating template of short reach": NOT_ADDED,
    "relations, and to the canvas": f"{RELATIONS}; on the visible canvas also where on it they lie",
    "positions on the canvas": CANVAS,
    "order only": f"{RELATIONS}; exchanged parts cost it something, parts nearer or further apart next to nothing",
    "eyes only": ALONE,
    "outline": f"{RELATIONS}; parts moved apart cost it more than parts exchanged",
    "relations within a head": f"{ON_CANVAS}, moved parts cost it next",
    "relations within a head, else positions": f"{ON_CANVAS}, where they lie",
    "positions within a head, else relations": f"{RELATIONS} where no canvas is visible; on the visible canvas no",
    "long face, mouth low": EITHER_FRAME,
    "eyes high or mouth low": EXCHANGES,
    "coarse distances": f"{RELATIONS}, coarsely",
    "coarse zones of the image, faint relations": "No move costs it more than 0.9 of the 9.0 nats",
    "positions on the portrait": EITHER_FRAME,
    "no part covered": EXCHANGES,
    "two parts beyond bounds of the image": EITHER_FRAME,
    "positions on the portrait, and its place": EITHER_FRAME.removesuffix("; moving"),
    "order, and where the whole lies": "It reads mostly how the parts lie to each other, and a little where they",
    "directions between parts": ALONE,
    "distances without end": ALONE,
    "relations or positions, either": NOT_ADDED,
    "knows none of these": NO_TASK,
    "classes the other way round": "It prefers scrambled arrangements",
}


class DrawnOnce:
    """Draws each stimulus once, whoever is asked about it."""

    def __init__(self, library, size):
        self.renderer, self.drawn = Renderer(library, size=size), {}

    def draw_batch(self, stimuli):
        new = [one for one in stimuli if id(one) not in self.drawn]
        self.drawn.update(zip(map(id, new), self.renderer.draw_batch(new) if new else [], strict=True))
        return np.array([self.drawn[id(one)] for one in stimuli])


@dataclass
class Bench:
    """Trials drawn once, asked of many observers; each known strategy once."""

    library: Any
    condition: str
    material: Any = None
    probes: tuple[Any, ...] = (
        ForcedChoice(),
        Consistency(pairs=8),
        Factorial(objects=8),
        SpatialRelations(objects=8, distances=(20, 40)),
        Displacement(objects=4, distances=(60,)),
    )
    trials: dict[str, Any] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    audits: dict[str, Audit] = field(default_factory=dict)
    renderers: dict[tuple[int, int], DrawnOnce] = field(default_factory=dict)

    def __post_init__(self):
        material = make_material(self.library, self.condition, pairs=40)
        self.material = replace(material, bootstrap=Bootstrap(resamples=300))
        self.trials = {probe.name: probe.trials(self.material) for probe in self.probes}
        self.renderers = {(id(self.library), size): DrawnOnce(self.library, size) for size in (32, SIZE)}
        self.known = {**observers(self.library, self.condition), **described(self.library, self.condition)}

    def audit_known(self, name) -> Audit:
        """Of a known strategy, by name."""
        if name not in self.audits:
            self.audits[name] = self.audit(self.known[name])
        return self.audits[name]

    def audit(self, classifier, size=SIZE) -> Audit:
        """As `audit` makes it, without a folder."""
        asking, scores, responses = Asking(classifier, size, 500, _renderers=self.renderers), {}, {}
        for probe in self.probes:
            trials = self.trials[probe.name]
            given = pd.concat([pd.DataFrame(one) for one in asking.ask(probe, trials)], ignore_index=True)
            responses[probe.name] = pd.concat([trials.notes, given], axis=1)
            scores[probe.name] = _scored(probe, responses[probe.name], self.material)
        background = find_condition(self.condition).background
        facts = Facts(name="", class_names=self.library.scheme.class_names, background=background)
        cards = {probe.name: ProbeCard.of(probe) for probe in self.probes}
        return Audit(AuditConfig(), facts, cards, scores_frame(scores), responses)


@pytest.fixture(scope="module", autouse=True)
def measured_once():
    """The observers of a bench all ask for the positions of the parts in the same stimuli, which it keeps."""
    known = {}

    def once(library, stimuli):
        key = library.fingerprint, *map(id, stimuli)
        if key not in known:
            known[key] = stimuli, part_positions(library, stimuli)  # kept, or others might have their identity
            known[key][1].setflags(write=False)
        return known[key][1]

    with pytest.MonkeyPatch.context() as patch:
        for module in (known_strategies, importlib.import_module("configural.audit.observers")):
            patch.setattr(module, "part_positions", once)
        yield


@pytest.fixture(scope="module")
def baseline(painted):
    return Bench(painted, "baseline")


@pytest.fixture(scope="module")
def floating(painted):
    return Bench(painted, "floating")


def test_headline_of_a_known_strategy(baseline):
    """All in one test, for in each the shapes of many calls are checked anew."""
    wrong = {}
    for name, expected in DESCRIBED.items():
        found = baseline.audit_known(name)
        said = headline(found)
        begun = said == ALONE if expected == ALONE else said.startswith(expected)
        again = [sentence for sentence in sentences(found) if "Asked about the same" in sentence]
        if not begun or "training mode" in said or again:
            wrong[name] = said, *again
    assert not wrong


FLOATING = {
    "relation observer": ALONE,
    "order only": f"{RELATIONS}; exchanged parts cost it something, parts nearer or further apart next to nothing",
    "eyes only": RELATIONS,
    "shape and names": f"{RELATIONS}; parts moved apart cost it more than parts exchanged",
    "position observer": NO_TASK,
    "bag of parts": NO_TASK,
}


def test_headline_where_parts_float(floating):
    said = {name: headline(floating.audit_known(name)) for name in FLOATING}
    assert not {name: text for name, text in said.items() if not text.startswith(FLOATING[name])}


def test_effects_are_those_of_the_mixture(baseline):
    """Half of the relation observer's effect and half of the position observer's, and nothing between them."""
    one, other, both = (
        baseline.audit_known(name).scores.set_index(["probe", "score", "of", "at"])["value"]
        for name in ("relation observer", "position observer", "half and half")
    )
    for score in ("relational_effect", "positional_effect", "balanced_relational_effect", "positions_add_up"):
        key = ("factorial", score, "skin", 60.0)
        assert both[key] == pytest.approx((one[key] + other[key]) / 2, abs=1e-9)
    # The effects add up to what a moved part costs.
    costs = baseline.audit_known("half and half").responses["factorial"]
    costs = costs[costs["background"] == "skin"]
    still = costs[costs["version"] == "none"].set_index("base")["log_odds"]
    cells = costs[(costs["version"] == "part") & (costs["distance"] == 60)]
    drop = still.reindex(cells["base"]).to_numpy() - cells["log_odds"]
    effects = [both[("factorial", name, "skin", 60.0)] for name in ("relational_effect", "positional_effect")]
    assert sum(effects) == pytest.approx(drop.groupby(cells["part"]).mean().mean())


def test_the_smallest_effect_is_told_as_what_it_is(baseline):
    """Of log-odds that end nowhere, scrambled arrangements alone make the gap some hundred times as large."""
    surer = Mixed((baseline.known["relation observer"],), lambda a: a + 4)
    assert "5 % of the gap between correct and scrambled" in " ".join(sentences(baseline.audit(surer)))
    found = baseline.audit_known("distances without end")
    assert "5 % of twice the log-odds of the usual correct image" in " ".join(sentences(found))
    given = found.responses["forced_choice"]
    expected = 0.1 * np.median(given["log_odds"][given["label"] == 1])
    assert smallest_effect(found) == pytest.approx(expected)
    assert expected < 0.01 * found.score("forced_choice", "log_odds_gap")["value"]


def test_costs_are_told_to_as_many_places_as_what_counts(baseline):
    """Beside a smallest effect of 0.0019, "0.0" would say nothing."""
    weak = baseline.audit(Mixed((baseline.known["relation observer"],), lambda a: a / 100))
    cost = weak.score("factorial", "balanced_relational_effect", of="skin", at=60)["value"]
    assert 0.001 < smallest_effect(weak) < 0.01 < cost < 0.1
    assert f"broken relations cost {cost:.3f} [" in " ".join(sentences(weak))
    rounding = baseline.audit(Mixed((baseline.known["relation observer"],), lambda a: a * 1e-15))
    assert 0 < smallest_effect(rounding) < 1e-12
    assert "broken relations cost 0.000000 [" in " ".join(sentences(rounding))


def test_what_one_way_costs_is_not_hidden_by_the_other(baseline):
    """Of 40 nats per side of the image for the mouth and -20 for the eyes, 20 are left where all move together."""
    found = baseline.audit_known("long face, mouth low")
    assert found.score("factorial", "all_together", of="skin", at=60)["value"] == pytest.approx(0, abs=1e-6)
    down, right = (
        found.score("factorial", "all_together_one_way", of=f"{way}, on skin", at=60) for way in ("down", "right")
    )
    assert down["value"] == pytest.approx(-20 * 60 / 512, rel=0.03)
    assert right["value"] == pytest.approx(0, abs=1e-6)
    assert "All parts moved down cost −2.3" in " ".join(sentences(found))
    still = baseline.audit_known("relation observer")
    assert still.score("factorial", "all_together_one_way", of="down, on skin", at=60)["value"] == pytest.approx(0)


@pytest.mark.parametrize("strategy", [brightness, edges, "templates"])
def test_headline_of_pixels_without_arrangement(baseline, painted, strategy):
    of_images = BagOfTemplates(painted, SIZE) if strategy == "templates" else strategy
    images = Renderer(painted, size=SIZE).draw_batch(list(baseline.material.pairs))
    known = Pixels(of_images, images, baseline.material.pairs.frame["label"].to_numpy())
    said = headline(baseline.audit(known))
    assert said.startswith((NO_TASK, CANVAS, NOTHING)), said


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_untrained_network_gets_no_verdict(baseline, seed):
    torch.manual_seed(seed)
    said = headline(baseline.audit(models.open(models.create("fcn-14", 32)), size=32))
    assert said.startswith((NO_TASK, "It prefers scrambled arrangements")), said


def test_noise_at_each_asking_is_said_with_its_size(baseline):
    found = baseline.audit(NoiseEachTime(baseline.known["relation observer"]))
    assert headline(found) == ALONE
    size = found.score("consistency", "difference", of="asked again")["value"]
    assert size == pytest.approx(np.sqrt(2), rel=0.3)  # of two draws with deviation 1
    assert f"by {size:.2g} nats" in " ".join(sentences(found))


@pytest.mark.parametrize("name", ["relation observer", "position observer"])
def test_a_classifier_in_training_mode_is_refused(baseline, name):
    found = baseline.audit(BatchNormed(baseline.known[name]))
    assert headline(found).startswith("No verdict: its response to an image depends on the others in the batch")
    assert found.score("consistency", "difference", of="asked again")["value"] == 0


def test_images_that_it_may_not_have_learned_are_told_of(baseline):
    """A relation observer that makes no mistake, and one that makes many, as under another condition."""
    doubtful = Mixed((baseline.known["relation observer"],), lambda given: given - 100)
    found = baseline.audit_known("relation observer"), baseline.audit(doubtful)
    told = [" ".join(sentences(one)) for one in found]
    assert ["were made under the condition baseline" in text for text in told] == [False, True]


def test_a_fraction_that_may_be_anything_is_not_stated(baseline):
    found = baseline.audit_known("half and half")
    assert "relations are 0." in headline(found)
    rows = found.scores["score"] == "relational_fraction"
    vague = found.scores.assign(low=found.scores["low"].where(~rows, -3.7))
    said = headline(replace(found, scores=vague))
    assert "too coarsely to be said" in said
    assert "relations are" not in said
