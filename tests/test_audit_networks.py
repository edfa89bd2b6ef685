"""Probes that look into networks, probes from outside, other objects, the page, and the command."""

import importlib
import json
import math
import re
import shutil
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit
from test_cli import assert_one_line, configural
from torch import nn

import configural as cf
from configural import models
from configural.audit import (
    PROBES,
    Attribution,
    Audit,
    AuditInterruptedError,
    BackgroundRemoval,
    Displacement,
    ForcedChoice,
    Inspection,
    Interactions,
    Inversion,
    Probe,
    ReceptiveField,
    Score,
    Trials,
    audit,
    compare_audits,
    fit,
    observers,
    sentences,
    with_columns,
)
from configural.audit.probe import ProbeCard
from configural.audit.probes.receptive_field import evidence_map
from configural.errors import ConfiguralError
from configural.objects import ObjectScheme
from configural.portraits import Exemplar, Library
from configural.report import write_audit_report
from configural.wording import in_percent

FEW = "forced_choice,background_removal"


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def network() -> models.StudyNet:
    torch.manual_seed(0)
    return models.create("fcn-14", 32)


class Flat(nn.Module):
    """Log-odds of face as a weighted sum of pixels."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return (batch * self.weights).sum(dim=(1, 2, 3))


def test_receptive_field_of_two_convolutions(painted):
    # Two 3×3 convolutions of equal positive weights: 5×5 pixels, of which the corner weighs 1/9 of the middle, more
    # than 4.55 %, so that the effective field is all 25.
    chain = nn.Sequential(
        nn.Conv2d(3, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1), nn.Flatten(), nn.LazyLinear(2)
    )
    chain(torch.zeros(1, 3, 48, 48))
    for one in chain[:2]:
        nn.init.ones_(one.weight)
    found = audit(models.open(chain), painted, image_size=48, pairs=8, probes=[ReceptiveField(objects=4)])
    assert found.score("receptive_field", "receptive_field", of="theoretical")["value"] == 5
    assert found.score("receptive_field", "receptive_field", of="effective")["value"] == 5
    assert found.score("receptive_field", "pairs_in_receptive_field")["value"] == 0
    # The eyes' distance, from the exemplars themselves.
    eyes = painted.anchors[:, :2] + painted.part_sizes[:, :2] / 2
    apart = np.abs(eyes[:, 0] - eyes[:, 1]).max(axis=1) * 48 / painted.canvas_sizes.max(axis=1)
    measured = found.score("receptive_field", "distance", of="left_eye – right_eye")["value"]
    assert measured == pytest.approx(apart.mean(), rel=0.2)


def test_evidence_of_an_fcn_is_what_its_response_is_the_maximum_of(images, network):
    classifier = models.open(network)
    assert evidence_map(classifier, images[0]).shape == (2, 2)
    assert evidence_map(models.open(models.create("cnn-13", 32)), images[0]) is None


def test_attribution_falls_where_a_linear_network_looks(painted):
    weights = torch.zeros(3, 64, 64)
    weights[:, :, :4] = 0.01  # the leftmost columns: padding in portraits that are higher than wide
    found = audit(
        models.open(Flat(weights)),
        painted,
        image_size=64,
        pairs=8,
        probes=[Attribution(objects=6, patches=16)],
    )
    by_gradients = {
        r: found.score("attribution", "fraction_gradients", of=r)["value"] for r in ("padding", "mouth")
    }
    assert by_gradients["mouth"] == 0
    padding = found.score("attribution", "fraction_area", of="padding")["value"] * 64 / 2  # columns on each side
    assert padding > 4
    assert by_gradients["padding"] == pytest.approx(1)
    # 16 squares of four columns: the first ones hold all the weights.
    assert found.score("attribution", "fraction_occlusion", of="padding")["value"] == pytest.approx(1)
    areas = [found.score("attribution", "fraction_area", of=r)["value"] for r in ("mouth", "canvas", "padding")]
    assert sum(areas) < 1


def test_probes_that_look_inside_are_left_out_of_what_has_no_inside(painted):
    found = audit(
        lambda p: np.full(len(p), 0.4), painted, image_size=16, pairs=8, probes=["forced_choice", "receptive_field"]
    )
    assert "torch" in found.left_out["receptive_field"]


class Frozen(nn.Module):
    """Features without gradients, as of a frozen backbone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return self.network(batch)


@pytest.mark.filterwarnings("ignore:torch.*quanti.* deprecated")
@pytest.mark.parametrize("how", ["no_grad", "half", "quantised"])
def test_where_no_gradients_go_through_what_needs_them_is_left_out_and_the_rest_goes_on(painted, how):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 5, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    made = {
        "no_grad": Frozen,
        "half": lambda net: net.bfloat16(),
        "quantised": lambda net: torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, dtype=torch.qint8),
    }
    probes = [ForcedChoice(), Attribution(objects=2, patches=2, steps=2), ReceptiveField(objects=2)]
    found = audit(models.open(made[how](network)), painted, image_size=32, pairs=4, probes=probes)
    reason = "no gradients go through the network" if how == "no_grad" else None
    assert bool(found.left_out) == bool(reason)
    assert reason is None or reason in found.left_out["receptive_field"]
    assert "attribution" in set(found.scores["probe"])
    by_gradients = found.scores["score"].eq("fraction_gradients").any()
    assert by_gradients == (how == "half")


@pytest.mark.slow
def test_page_and_comparison(painted, network, tmp_path, blank_figures):
    probes = (
        ForcedChoice(),
        Displacement(distances=(60,), objects=4),
        ReceptiveField(objects=2),
        Attribution(objects=2, steps=2, patches=4),
    )
    for name, classifier in (
        ("net", models.open(network, image_size=32)),
        ("<b>", lambda p: expit(p.mean(axis=(1, 2, 3)) - 99)),
    ):
        folder = tmp_path / name
        done = audit(classifier, painted, image_size=32, pairs=8, probes=probes, name=name, out=folder)
        read = Audit.load(folder)
        pd.testing.assert_frame_equal(read.scores, done.scores, check_dtype=False)
        assert read.responses.keys() == done.responses.keys()
        page = write_audit_report(folder).read_text("utf-8")
        assert not re.search(r"(src|href)=[\"'](?!data:|#)", page)
        for probe in done.responses:
            assert f'id="{probe}"' in page
    assert "&lt;b&gt;" in page
    assert "<b><b>" not in page
    assert "Not measured: needs a torch network" in page
    compared = compare_audits([tmp_path / "net", tmp_path / "<b>"], tmp_path / "both")
    assert list(compared.summary["name"]) == ["net", "<b>"]
    index = read.relation_index()["value"]
    other = compared.summary["index"][1]
    assert other == index or (math.isnan(other) and math.isnan(index))
    assert (tmp_path / "both" / "comparison.png").is_file()
    # Networks in folders of the same name are distinguished by those of their audits.
    twins = compare_audits([tmp_path / "net", shutil.copytree(tmp_path / "net", tmp_path / "twin")])
    assert list(twins.summary["name"]) == ["net (net)", "net (twin)"]
    with pytest.raises(ConfiguralError, match="two"):
        compare_audits([tmp_path / "net"])
    with pytest.raises(ConfiguralError, match="holds no audit"):
        compare_audits([tmp_path, tmp_path])


def test_command(network, tmp_path, blank_figures):
    models.save_network(network, tmp_path / "net.safetensors")
    common = f"--source synthetic:4 --pairs 6 --probes {FEW}".split()
    for out in ("a", "b"):
        done = configural("audit", tmp_path / "net.safetensors", *common, "--out", tmp_path / out)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == f"report: {tmp_path / out / 'report.html'}"
    for file in ("audit.csv", "responses/background_removal.parquet"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    done = configural("audit", "compare", tmp_path / "a", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    assert "(a)" in done.stdout
    assert "(b)" in done.stdout
    done = configural("audit", "compare", "--out", tmp_path / "both", tmp_path / "a", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "both" / "comparison.csv").is_file()
    assert_one_line(configural("audit", "compare", tmp_path / "a"), "needs two folders")
    assert_one_line(configural("audit", tmp_path / "a", tmp_path / "b"), "one model at a time", "compare first")
    again = configural("audit", tmp_path / "net.safetensors", *common, "--out", tmp_path / "a")
    assert_one_line(again, "not empty")
    assert_one_line(configural("audit", tmp_path / "net.safetensors"), "--out")
    assert_one_line(configural("audit", "no.onnx", "--out", tmp_path / "c"), "no.onnx")


def test_guide(tmp_path, monkeypatch, blank_figures):
    """The ten lines of the guide do what it says, on fewer and smaller images."""
    docs = Path(__file__).parents[1] / "docs"
    guide = (docs / "own_model.md").read_text("utf-8")
    code = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    assert 1 <= len(code[0].strip().splitlines()) <= 12
    monkeypatch.chdir(tmp_path)
    original = cf.audit.audit
    probes = ["forced_choice", Displacement(distances=(60,), objects=4)]
    small = {"source": "synthetic:4", "image_size": 32, "pairs": 8, "probes": probes}
    monkeypatch.setattr(cf.audit, "audit", lambda predict, **given: original(predict, **{**given, **small}))
    exec(compile("\n".join(code), "own_model.md", "exec"), {})
    for name in ("mine", "module"):
        assert (tmp_path / "audits" / name / "report.html").is_file()
    explained = (docs / "probes.md").read_text("utf-8")
    for probe in PROBES:
        assert f"`{probe}`" in explained


# --- probes from outside the package

OUTSIDE = """
from dataclasses import dataclass

from configural import audit
from configural.audit import plotting


@dataclass(frozen=True)
class Brightness(audit.Probe):
    name: str = "brightness"
    title = "Brightness <of all>"
    question = "Does the classifier prefer bright backgrounds?"
    how_to_read = "Above one half it does & likes it."
    fractions = ("bright",)

    def trials(self, material):
        table = material.some_objects(6)
        return audit.Trials.join(material.library, [(table, {"shown": "as it is"})])

    def score(self, responses, material):
        return [audit.Score("bright", material.bootstrap.fraction(responses["log_odds"] > 0, responses["host"]))]

    def figure(self, scores):
        with plotting.panels(1, 2.0) as (figure, (axes,)):
            plotting.fraction_dots(axes, scores, ["bright"], "bright")
        return figure

    def summary(self):
        return {"bright": audit.Which("bright")}


@dataclass(frozen=True)
class Plain(audit.Probe):
    name: str = "plain"
    title = "Plain"
    question = "What does a probe with nothing but the necessary show?"
    trials = Brightness.trials

    def score(self, responses, material):
        return [audit.Score("mean", material.bootstrap.mean(responses["log_odds"], responses["host"]))]


brightness = Brightness()
"""


def bright(images: np.ndarray) -> np.ndarray:
    return images.mean(axis=(1, 2, 3)) / 255


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A module of a user's own, with probes."""
    (tmp_path / "my_probes.py").write_text(OUTSIDE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("my_probes")
    sys.modules.pop("my_probes")


def shown_everywhere(folder: Path) -> None:
    """The outside probe is in the table, on the page with its figure and words, and in a comparison."""
    assert "brightness,bright" in (folder / "audit.csv").read_text("utf-8")
    assert (folder / "figures" / "brightness.png").is_file()
    assert (folder / "responses" / "brightness.parquet").is_file()
    page = write_audit_report(folder).read_text("utf-8")
    assert 'id="brightness"' in page
    for words in (
        "Brightness &lt;of all&gt;",
        "prefer bright backgrounds?",
        "it does &amp; likes it",
        'alt="Brightness &lt;of all&gt;. ',
    ):
        assert words in page
    score = Audit.load(folder).score("brightness", "bright")
    assert in_percent(score) in page  # a fraction is shown as per cent
    summary = compare_audits([folder, folder]).summary
    assert list(summary["bright"]) == [score["value"]] * 2
    assert "Brightness <of all>: bright" in " ".join(sentences(Audit.load(folder)))


def test_a_probe_from_outside_shows_everywhere(painted, outside, tmp_path, monkeypatch):
    """In whichever way it is given, the same is written."""
    declared = EntryPoint("brightness", "my_probes:Brightness", "configural.probes")
    ways = {"object": outside.Brightness(), "class": outside.Brightness, "module:name": "my_probes:brightness"}
    written = {}
    for way in (*ways, "registered", "entry point"):
        with monkeypatch.context() as patch:
            if way == "registered":
                patch.setitem(PROBES, "brightness", outside.brightness)
            elif way == "entry point":
                patch.setattr(
                    "configural.registry.entry_points",
                    lambda group, **given: (
                        [declared] if group == "configural.probes" and given in ({}, {"name": "brightness"}) else []
                    ),
                )
                assert "brightness" in PROBES.names()
            else:
                assert "brightness" not in PROBES.names()
            probes = ["forced_choice", ways.get(way, "brightness")]
            found = audit(bright, painted, image_size=16, pairs=8, probes=probes, out=tmp_path / way)
        assert list(found.probes) == ["forced_choice", "brightness"]
        files = (path for path in (tmp_path / way).rglob("*") if path.is_file())
        written[way] = {str(path.relative_to(tmp_path / way)): path.read_bytes() for path in files}
    assert all(one == written["object"] for one in written.values())
    # Whoever opens the folder later need not have the module.
    sys.modules.pop("my_probes")
    (tmp_path / "my_probes.py").unlink()
    shown_everywhere(tmp_path / "object")
    sys.modules["my_probes"] = outside


def test_a_probe_from_outside_on_the_command_line(outside, network, tmp_path):
    models.save_network(network, tmp_path / "net.safetensors")
    common = ("audit", tmp_path / "net.safetensors", "--source", "synthetic:4", "--pairs", 6)
    probes = ("--probe", "my_probes:Brightness", "--probe", "forced_choice")
    done = configural(*common, *probes, "--out", tmp_path / "a")
    assert done.returncode == 0, done.stderr
    assert "Brightness <of all>: bright" in done.stdout
    shown_everywhere(tmp_path / "a")
    done = configural("audit", "compare", tmp_path / "a", tmp_path / "a")
    assert done.returncode == 0, done.stderr
    assert "bright" in done.stdout
    again = configural(*common, "--probe", "my_probes:Dark", "--out", tmp_path / "b")
    assert_one_line(again, "my_probes:Dark")


def test_a_probe_needs_no_figure_nor_examples_of_its_own(painted, outside, tmp_path):
    found = audit(bright, painted, image_size=16, pairs=8, probes=[outside.Plain], out=tmp_path / "a")
    assert (tmp_path / "a" / "figures" / "plain.png").is_file()
    assert [example.caption for example in found.examples["plain"]][:2] == [
        "object 1, as it is",
        "object 2, as it is",
    ]
    assert 'id="plain"' in write_audit_report(tmp_path / "a").read_text("utf-8")


def test_captions_of_examples_say_what_their_notes_say(painted, outside):
    shown = pd.DataFrame(
        {
            "base": [7, 9, 7, 9, 9],
            "host": ["a", "b", "a", "b", "b"],
            "what": ["tilt", "tilt", "tilt", "", "tilt"],
            "angle": [np.nan, 0.0, 22.5, 22.5, np.nan],
            "way": [(0, 1)] * 5,
            "upside_down": [False, False, True, False, False],
            "label": [1, 1, 1, 1, 1],
            "log_odds": [0.5, 1.5, 2.5, 3.5, 4.5],
        }
    )
    assert outside.Plain().examples(shown) == {
        0: "object 1, tilt, (0, 1), not upside down",
        2: "object 1, tilt, angle 22.5, (0, 1), upside down",
        1: "object 2, tilt, angle 0, (0, 1), not upside down",
        3: "object 2, angle 22.5, (0, 1), not upside down",
    }


@pytest.mark.parametrize("kind", [Probe, Inspection])
def test_stimuli_that_cannot_be_drawn_are_the_fault_of_the_probe_not_of_the_classifier(kind, painted):
    class Pushed(kind):
        name, title, question = "pushed", "Pushed", "What is lost at the edge?"
        push, fitting = 400, False

        def trials(self, material):
            moved = with_columns(material.some_objects(4), shift_col=[self.push, 0, 0, 0])
            if self.fitting:
                moved = moved.take(np.flatnonzero(fit(material.library, moved)))
            return Trials.join(material.library, [(moved, {})])

        def inspect(self, classifier, stimuli, *, renderer):
            return {"log_odds": classifier.log_odds(renderer.draw_batch(stimuli))}

        def score(self, responses, material):
            return [Score("seen", material.bootstrap.mean(responses["log_odds"], responses["host"]))]

    probe = Pushed()
    with pytest.raises(AuditInterruptedError) as caught:
        audit(bright, painted, image_size=16, pairs=4, probes=[probe])
    said = str(caught.value)
    assert said.startswith("probe pushed: image 1 to 4 of 4 cannot be drawn: stimulus ")
    assert "leaves the canvas of" in said
    assert "classifier" not in said
    probe.fitting = True
    assert audit(bright, painted, image_size=16, pairs=4, probes=[probe]).score("pushed", "seen")["images"] == 3


def test_what_is_no_probe_is_refused(painted, outside):
    for probes, words in (
        (["json:dumps"], "expected a configural.audit.Probe, found function"),
        ([outside.Brightness(name="../up")], "letters"),
        ([outside.Brightness(), outside.Brightness()], "same name"),
    ):
        with pytest.raises(ConfiguralError, match=words):
            audit(bright, painted, image_size=16, pairs=8, probes=probes)


def test_names_in_a_folder_open_no_other_files(painted, tmp_path):
    audit(bright, painted, image_size=16, pairs=8, probes=["forced_choice"], out=tmp_path / "a")
    path = tmp_path / "a" / "audit.json"
    path.write_text(path.read_text("utf-8").replace('"forced_choice": {', '"../forced_choice": {'), "utf-8")
    with pytest.raises(ConfiguralError, match="damaged"):
        Audit.load(tmp_path / "a")


@pytest.mark.parametrize("name", PROBES)
def test_every_probe_says_what_it_is(name):
    probe = PROBES[name]
    assert probe.name == name
    assert probe.question.endswith("?")
    for words in (probe.title, probe.how_to_read):
        assert len(words) > 5
    # Each draws a figure of its own, and the scores that sum it up are among its fractions or not by intent.
    assert type(probe).figure is not Probe.figure
    assert type(probe).examples is not Probe.examples or isinstance(probe, Inspection)
    card = ProbeCard.of(probe)
    assert ProbeCard.model_validate(json.loads(card.model_dump_json())) == card


# --- other objects

HOUSE = ObjectScheme(
    name="block_house",
    class_names=("no_block_house", "block_house"),
    part_kinds=("left_window", "right_window", "door", "sign", "lamp"),
    interchangeable=(("left_window", "right_window"),),
    unit={"name": "window_distance", "between": ("left_window", "right_window")},
    groups={"both windows": ("left_window", "right_window")},
    thatcher=("door", "sign"),
)


@pytest.fixture(scope="module")
def block_houses() -> Library:
    """Six walls, wider than high, of which every number is known."""
    boxes = [(20, 20, 18, 16), (20, 90, 18, 16), (58, 56, 30, 14), (10, 50, 8, 30), (60, 92, 10, 8)]
    exemplars = []
    for number in range(6):
        segmentation = np.zeros((100, 130 + 2 * number), np.uint8)
        for kind, (top, left, height, width) in enumerate(boxes, 1):
            segmentation[top : top + height + number % 3, left : left + width] = kind
        canvas = np.full((*segmentation.shape, 3), 90 + 10 * number, np.uint8)
        colours = np.array([(0, 0, 0), *((50 * kind, 255 - 50 * kind, 40) for kind in range(5))], np.uint8)
        portrait = np.where(segmentation[..., None] > 0, colours[segmentation], canvas)
        exemplars.append(
            Exemplar.cut(f"house/{number}", portrait, segmentation=segmentation, canvas=canvas, scheme=HOUSE)
        )
    return Library("block houses", exemplars, scheme=HOUSE)


def test_observers_of_another_object(block_houses, tmp_path, blank_figures):
    """Two windows, a door, a sign and a lamp on a wall that is wider than high."""
    probes = (
        ForcedChoice(),
        Displacement(distances=(30,), at=30, objects=8),
        BackgroundRemoval(pairs=6),
        Inversion(pairs=6, turned=4, angles=(90,)),
        Interactions(objects=4),
    )
    known = observers(block_houses)
    relations, positions, bag = (
        audit(known[name], block_houses, image_size=48, pairs=30, probes=some, name=name, out=out)
        for name, some, out in (
            ("relation observer", probes, tmp_path / "audit"),
            ("position observer", probes[1:2], None),
            ("bag of parts", (*probes[:2], probes[-1]), None),
        )
    )
    assert relations.relation_index()["value"] > 0.95
    assert positions.relation_index()["value"] < -0.3
    assert math.isnan(bag.relation_index()["value"])
    assert relations.score("forced_choice", "choice", of="all")["value"] == 1
    assert bag.score("forced_choice", "choice", of="all")["value"] == 0.5
    assert relations.score("interactions", "not_additive")["value"] > 0.1
    assert bag.score("interactions", "shapley", of="sign")["value"] == pytest.approx(2)
    assert bag.score("interactions", "not_additive")["value"] == pytest.approx(0, abs=1e-9)
    # Nothing says face where houses are audited.
    table = (tmp_path / "audit" / "audit.csv").read_text("utf-8")
    page = write_audit_report(tmp_path / "audit").read_text("utf-8")
    assert "P(block_house)" in table
    assert "P(block house)" in page
    for word in ("face", "eye", "nose", "mouth"):
        assert not re.search(rf"(?<!sur){word}", table)
    assert "no_face" not in page


def test_networks_on_another_object(block_houses):
    found = audit(
        models.open(models.create("fcn-14", 32), image_size=32),
        block_houses,
        image_size=32,
        pairs=8,
        probes=[ReceptiveField(objects=2), Attribution(objects=2, steps=2, patches=4)],
    )
    kinds = block_houses.scheme.part_kinds
    distances = found.scores[found.scores["score"] == "distance"]
    assert len(distances) == len(kinds) * (len(kinds) - 1) // 2
    areas = found.scores[found.scores["score"] == "fraction_area"].set_index("of")["value"]
    assert list(areas.index) == [*kinds, "canvas", "padding"]
    assert areas.sum() == pytest.approx(1, abs=0.02)
    assert areas["padding"] > 0.1  # above and below: a portrait wider than high


def test_scheme_without_groups(block_houses):
    """Neither groups nor parts to turn need be named."""
    scheme = block_houses.scheme.model_copy(update={"groups": {}, "thatcher": (), "interchangeable": ()})
    library = replace(block_houses, scheme=scheme)
    probes = (
        ForcedChoice(),
        Displacement(distances=(30,), at=30, objects=4),
        Inversion(pairs=4, turned=2, angles=(90,)),
    )
    found = audit(observers(library)["relation observer"], library, image_size=32, pairs=12, probes=probes)
    assert "a group" not in set(found.scores["of"])
    assert found.relation_index()["value"] > 0.9
    assert found.score("inversion", "drop", of="Thatcher effect")["exemplars"] > 0
