"""Probes that look into networks, and the command."""

import math
import re
import shutil
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
from configural.audit import Attribution, Audit, Displacement, ForcedChoice, ReceptiveField, audit
from configural.audit.probes import PROBES
from configural.audit.probes.receptive_field import evidence_map
from configural.audit import compare_audits
from configural.errors import ConfiguralError
from configural.report import write_audit_report

FEW = "forced_choice,context"


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


def test_reach_of_two_convolutions(painted):
    # Two 3×3 convolutions of equal positive weights: 5×5 pixels, of which the corner weighs 1/9 of the middle, more
    # than 4.55 %, so that the effective field is all 25.
    chain = nn.Sequential(
        nn.Conv2d(3, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1), nn.Flatten(), nn.LazyLinear(2)
    )
    chain(torch.zeros(1, 3, 48, 48))
    for one in chain[:2]:
        nn.init.ones_(one.weight)
    found = audit(models.open(chain), painted, image_size=48, pairs=8, probes=[ReceptiveField(source=4)])
    assert found.score("reach", "field", "theoretical")["value"] == 5
    assert found.score("reach", "field", "effective")["value"] == 5
    assert found.score("reach", "pairs_in_field")["value"] == 0
    # The eyes' distance, from the exemplars themselves.
    eyes = painted.anchors[:, :2] + painted.part_sizes[:, :2] / 2
    apart = np.abs(eyes[:, 0] - eyes[:, 1]).max(axis=1) * 48 / painted.canvas_sizes.max(axis=1)
    measured = found.score("reach", "distance", "left_eye – right_eye")["value"]
    assert measured == pytest.approx(apart.mean(), rel=0.2)


def test_evidence_of_an_fcn_is_what_its_answer_is_the_maximum_of(images, network):
    subject = models.open(network)
    assert evidence_map(subject, images[0]).shape == (2, 2)
    assert evidence_map(models.open(models.create("cnn-13", 32)), images[0]) is None


def test_attribution_falls_where_a_linear_network_looks(painted):
    weights = torch.zeros(3, 64, 64)
    weights[:, :, :4] = 0.01  # the leftmost columns: padding in portraits that are higher than wide
    found = audit(
        models.open(Flat(weights)),
        painted,
        image_size=64,
        pairs=8,
        probes=[Attribution(source=6, patches=16)],
    )
    by_gradients = {r: found.score("attribution", "share_gradients", r)["value"] for r in ("padding", "mouth")}
    assert by_gradients["mouth"] == 0
    padding = found.score("attribution", "share_area", "padding")["value"] * 64 / 2  # columns on each side
    assert padding > 4
    assert by_gradients["padding"] == pytest.approx(1)
    # 16 squares of four columns: the first ones hold all the weights.
    assert found.score("attribution", "share_occlusion", "padding")["value"] == pytest.approx(1)
    areas = [found.score("attribution", "share_area", r)["value"] for r in ("mouth", "canvas", "padding")]
    assert sum(areas) < 1


def test_probes_that_look_inside_are_left_out_of_what_has_no_inside(painted):
    found = audit(
        lambda p: np.full(len(p), 0.4), painted, image_size=16, pairs=8, probes=["forced_choice", "reach"]
    )
    assert "torch" in found.left_out["reach"]


def test_page_and_comparison(painted, network, tmp_path):
    probes = (
        ForcedChoice(),
        Displacement(distances=(60,), source=4),
        ReceptiveField(source=3),
        Attribution(source=2, steps=4),
    )
    for name, subject in (
        ("net", models.open(network)),
        ("<b>", lambda p: expit(p.mean(axis=(1, 2, 3)) - 99)),
    ):
        folder = tmp_path / name
        done = audit(subject, painted, "baseline", 32, 20, probes=probes, name=name, out=folder)
        read = Audit.load(folder)
        pd.testing.assert_frame_equal(read.scores, done.scores, check_dtype=False)
        assert read.answers.keys() == done.answers.keys()
        page = write_audit_report(folder).read_text("utf-8")
        assert not re.search(r"(src|href)=[\"'](?!data:|#)", page)
        for probe in done.answers:
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
    # Networks in folders of the same name are told apart by those of their audits.
    twins = compare_audits([tmp_path / "net", shutil.copytree(tmp_path / "net", tmp_path / "twin")])
    assert list(twins.summary["name"]) == ["net (net)", "net (twin)"]
    with pytest.raises(ConfiguralError, match="two"):
        compare_audits([tmp_path / "net"])
    with pytest.raises(ConfiguralError, match="holds no audit"):
        compare_audits([tmp_path, tmp_path])


def test_command(network, tmp_path):
    models.save_network(network, tmp_path / "net.safetensors")
    common = f"--source synthetic:4 --pairs 12 --probes {FEW}".split()
    for out in ("a", "b"):
        done = configural("audit", tmp_path / "net.safetensors", *common, "--out", tmp_path / out)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == f"report: {tmp_path / out / 'report.html'}"
    for file in ("audit.csv", "answers/context.parquet"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    done = configural("audit", "compare", tmp_path / "a", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("net.safetensors") == 2
    done = configural("audit", "compare", "--out", tmp_path / "both", tmp_path / "a", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "both" / "comparison.csv").is_file()
    assert_one_line(configural("audit", "compare", tmp_path / "a"), "needs two folders")
    assert_one_line(configural("audit", tmp_path / "a", tmp_path / "b"), "one model at a time", "compare first")
    again = configural("audit", tmp_path / "net.safetensors", *common, "--out", tmp_path / "a")
    assert_one_line(again, "not empty")
    assert_one_line(configural("audit", tmp_path / "net.safetensors"), "--out")
    assert_one_line(configural("audit", "no.onnx", "--out", tmp_path / "c"), "no.onnx")


def test_guide(tmp_path, monkeypatch):
    """The ten lines of the guide do what it says, on fewer and smaller images."""
    guide = (Path(__file__).parents[1] / "docs" / "audit.md").read_text("utf-8")
    code = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    assert 1 <= len(code[0].strip().splitlines()) <= 12
    monkeypatch.chdir(tmp_path)
    original = cf.audit.audit
    small = {"source": "synthetic:4", "image_size": 32, "pairs": 8, "probes": ["forced_choice", "displacement"]}
    monkeypatch.setattr(cf.audit, "audit", lambda predict, **given: original(predict, **{**given, **small}))
    exec(compile("\n".join(code), "audit.md", "exec"), {})
    for name in ("mine", "module"):
        assert (tmp_path / "audits" / name / "report.html").is_file()
    for probe in PROBES:
        assert f"`{probe.name}`" in guide
