"""Networks written as ONNX, asked by onnxruntime alone."""

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import configural as cf
from configural import models
from configural.errors import ConfiguralError

SIZE = 32


class Plain(nn.Module):
    """Without a preparation of its own, and with one thing that training alone does."""

    def __init__(self, image_size):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(3 * image_size**2, 2))

    def forward(self, images):
        return self.layers(images)


class Unknown(nn.Module):
    def __init__(self, image_size):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, images):
        return torch.linalg.svdvals(self.scale * images.mean(dim=1))[:, :2]


@pytest.fixture(scope="module", autouse=True)
def registered():
    cf.models.NETWORKS.update({"plain": Plain, "unknown": Unknown})
    yield
    for name in ("plain", "unknown"):
        del cf.models.NETWORKS[name]


@pytest.mark.parametrize("name", ["cnn-15", "cnn-13", "fcn-16", "fcn-14", "plain"])
def test_onnxruntime_gives_the_same_log_odds_for_bytes_of_any_number(tmp_path, name):
    torch.manual_seed(3)
    network = models.create(name, SIZE)
    models.export_onnx(network, tmp_path / "network.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["network.onnx"]
    assert network.training
    onnx.checker.check_model(str(tmp_path / "network.onnx"), full_check=True)
    session = onnxruntime.InferenceSession(str(tmp_path / "network.onnx"), providers=["CPUExecutionProvider"])
    ours, again = models.open(network), models.open(tmp_path / "network.onnx")
    rng = np.random.default_rng(1)
    for n in (1, 2, 7):
        images = rng.integers(0, 256, (n, SIZE, SIZE, 3), np.uint8)
        (said,) = session.run(["log_odds"], {"images": images})
        np.testing.assert_allclose(said, ours.log_odds(images), atol=1e-3, rtol=1e-5)
        np.testing.assert_array_equal(again.log_odds(images), said)
    assert again.image_size == SIZE


def test_what_cannot_be_written_is_named_and_leaves_no_file(tmp_path):
    with pytest.raises(ConfiguralError, match=r"^network 'unknown': cannot be written as ONNX"):
        models.export_onnx(models.create("unknown", SIZE), tmp_path / "network.onnx")
    with pytest.raises(ConfiguralError, match="register it in NETWORKS"):
        models.export_onnx(nn.Linear(2, 2), tmp_path / "network.onnx")
    assert not any(tmp_path.iterdir())


def test_no_warning_of_the_exporter_is_shown(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        models.export_onnx(models.create("fcn-14", SIZE), tmp_path / "network.onnx")
