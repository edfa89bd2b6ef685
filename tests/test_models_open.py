"""Any kind of model as a classifier: the right class, the right reading, and every option used or refused."""

import contextlib
import hashlib
import json
import math
import os
import pickle
import re
import struct
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
import torch
import transformers
from command_line import program
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array, to_array
from scipy.special import expit, logit
from test_hugging_face import SIDE, saved
from torch import nn

from configural import models
from configural.errors import ConfiguralError
from configural.models import Classifier, Differentiable
from configural.models.inputs import in_batches
from configural.models.opening import KINDS, Options


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def network() -> models.StudyNet:
    torch.manual_seed(0)
    return models.create("fcn-14", 32)


class Last(nn.Module):
    """Some numbers per image that differ much, and then a last step."""

    def __init__(self, outputs: int, last) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.linspace(-1, 2, outputs))
        self.last = last

    def raw(self, batch: torch.Tensor) -> torch.Tensor:
        return (20 * batch.mean(dim=(1, 2, 3)) - 9)[:, None] * self.weights

    def forward(self, batch: torch.Tensor):
        return self.last(self.raw(batch))


def raw(module: Last, images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return module.raw(torch.from_numpy(images).permute(0, 3, 1, 2).double() / 255).numpy()


def test_a_run_s_network(images, network, tmp_path):
    """Its log-odds are those of its test; it opens from every kind of file, by both names of its classes."""
    models.save_network(network, tmp_path / "net.safetensors")
    models.save_network(network, tmp_path / "run" / "model.safetensors")
    (tmp_path / "run" / "config.yaml").write_text("network: evil:code")  # not read here
    models.save_keras(network, tmp_path / "net.h5")
    (tmp_path / "net.keras").write_bytes((tmp_path / "net.h5").read_bytes())  # as TensorFlow 2.12 does
    with torch.no_grad():
        logits = network.eval()(models.preprocess(torch.from_numpy(images).permute(0, 3, 1, 2)))
    expected = (logits[:, 1] - logits[:, 0]).numpy()
    np.testing.assert_allclose(models.open(network).log_odds(images), expected, rtol=1e-5, atol=1e-6)
    for name in ("net.safetensors", "run", "net.h5", "net.keras"):
        opened = models.open(tmp_path / name)
        assert (opened.name, opened.image_size) == (name, 32 if name != "net.keras" else opened.image_size)
        assert isinstance(opened, Classifier)
        assert isinstance(opened, Differentiable)
        np.testing.assert_allclose(opened.log_odds(images), expected, rtol=1e-5)
        np.testing.assert_allclose(
            models.open(str(tmp_path / name), positive="0").log_odds(images), -expected, rtol=1e-5
        )
        assert opened.describe()["output"] == "logits"
        assert opened.describe()["guessed"] == (["positive"] if "net." in name and name[4] in "hk" else [])
    for name in ("net.safetensors", "run"):
        np.testing.assert_allclose(
            models.open(tmp_path / name, positive="no_face").log_odds(images), -expected, rtol=1e-5
        )
        with pytest.raises(ConfiguralError, match=r"positive 'cat': .* 0 to 1"):
            models.open(tmp_path / name, positive="cat").log_odds(images)
        with pytest.raises(ConfiguralError, match=r"image_size 64: .* takes 32 pixels"):
            models.open(tmp_path / name, image_size=64)
    (tmp_path / "run" / "model.safetensors").unlink()
    with pytest.raises(ConfiguralError, match="not finished"):
        models.open(tmp_path / "run")


def test_one_class_among_many(images):
    module = Last(5, nn.Identity())
    p = np.exp(raw(module, images))
    expected = np.log(p[:, 3] / (p.sum(1) - p[:, 3]))
    opened = models.open(module, positive=3)
    np.testing.assert_allclose(opened.log_odds(images), expected, rtol=1e-4)
    assert opened.describe() == {
        "kind": "a torch module",
        "preparation": "RGB from 0 to 1",
        "output": "logits",
        "positive": "3",
        "guessed": ["preparation", "output"],
    }
    with pytest.raises(ConfiguralError, match=r"which class .* choose from 0 to 4"):
        models.open(module).log_odds(images)
    with pytest.raises(ConfiguralError, match="'7': there is no such class; choose from 0 to 4"):
        models.open(module, positive=7).log_odds(images)


@pytest.mark.parametrize("positive", [0, 1])
def test_one_number_per_image_is_asked_about_where_it_may_be_either(images, positive):
    """Of one output, class 0 is what it is not: Keras sorts folders by name, face before no_face."""
    sign = 1 if positive else -1
    certain, module = Last(1, nn.Sigmoid()), Last(1, lambda value: value[:, 0])
    for shown in (images, images[:1]):
        with pytest.raises(ConfiguralError, match="output probabilities or logits"):
            models.open(certain, positive=positive).log_odds(shown)
    found = models.open(certain, positive=positive, output="probabilities").log_odds(images)
    np.testing.assert_allclose(found, sign * raw(certain, images)[:, 0], rtol=1e-3)
    np.testing.assert_allclose(
        models.open(module, positive=positive).log_odds(images), sign * raw(module, images)[:, 0], rtol=1e-3
    )
    as_logits = models.open(certain, positive=positive, output="logits").log_odds(images)
    np.testing.assert_allclose(as_logits, sign * expit(raw(certain, images)[:, 0]), rtol=1e-3)
    with pytest.raises(ConfiguralError, match="outside of 0 to 1"):
        models.open(module, output="probabilities").log_odds(images)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_softmax_in_any_precision_is_no_logits(images, dtype):
    module = Last(2, lambda logits: logits.to(dtype).softmax(1).float())
    for output in (None, "probabilities"):
        opened = models.open(module, output=output)
        # However few images are shown together, each is read in the same way.
        found = np.concatenate([opened.log_odds(images[row : row + 1]) for row in range(len(images))])
        p = raw(module, images)
        np.testing.assert_allclose(found, p[:, 1] - p[:, 0], atol=0.1)
        assert opened.describe()["output"] == "probabilities"


def test_two_sigmoids_are_asked_about_and_what_is_said_counts(images):
    module = Last(2, nn.Sigmoid())
    with pytest.raises(ConfiguralError, match="do not sum to 1: say what they are"):
        models.open(module).log_odds(images)
    found = models.open(module, output="probabilities").log_odds(images)
    np.testing.assert_allclose(found, raw(module, images)[:, 1], rtol=1e-3)
    found = models.open(module, output="logits").log_odds(images)
    np.testing.assert_allclose(found, np.subtract(*expit(raw(module, images)).T[::-1]), rtol=1e-3)


@dataclass
class Out:
    aux: torch.Tensor | None
    mine: torch.Tensor


class Pair(NamedTuple):
    aux: torch.Tensor
    mine: torch.Tensor


def test_networks_return_all_sorts_of_things(images):
    expected = models.open(Last(2, nn.Identity())).log_odds(images)
    for last, output in (
        (lambda z: {"logits": z, "more": z[:, 0]}, None),
        (lambda z: {"mine": z, "more": 0 * z}, "mine"),
        (lambda z: {"mine": z, "more": 0 * z}, "mine:logits"),
        (lambda z: (z, 0 * z), None),
        (lambda z: [0 * z, z], "1"),
        (lambda z: {"mine": z, "loss": None}, None),
        (lambda z: {"a": 0 * z, "b": z}, "1"),
        (lambda z: Out(None, z), None),
        (lambda z: Out(0 * z, z), "mine:logits"),
        (lambda z: Pair(0 * z, z), "mine"),
        (lambda z: SimpleNamespace(logits=z, mine=0 * z), None),
        (lambda z: z[:, :, None, None], None),
        (lambda z: z.bfloat16().double(), None),
    ):
        np.testing.assert_allclose(models.open(Last(2, last), output=output).log_odds(images), expected, atol=0.1)
    assert "which output" in models.open(Last(2, lambda z: (z, z)), image_size=32).describe()["guessed"]
    for last, output, culprit in (
        (lambda z: {"a": z, "b": z}, None, "the outputs a, b; name one"),
        (lambda z: {"a": z, "b": z}, "c", "'c': the model has the outputs a, b"),
        (lambda z: z, "c", "one output without a name"),
        (lambda z: z, "T", "one output without a name"),
        (lambda z: Out(z, z), None, "the outputs aux, mine; name one"),
        (lambda z: z / 0, None, "NaN or infinity for 5 of 5 images"),
        (lambda z: (z, z), "2", "has the outputs 0, 1; name one"),
        (lambda z: z[:, None, :, None].expand(-1, 3, -1, 4), None, r"shape \(5, 3, 2, 4\)"),
        (lambda z: "no", None, "returned a str"),
    ):
        with pytest.raises(ConfiguralError, match=culprit):
            models.open(Last(2, last), output=output).log_odds(images)


@pytest.mark.filterwarnings("ignore:.torch.jit.script_method:DeprecationWarning")
def test_half_precision_and_preparation(images):
    expected = models.open(Last(2, nn.Identity())).log_odds(images)
    inside = Last(2, nn.Identity())
    compiled = models.open(torch.compile(inside))  # compiles when it is called, which it is not
    assert compiled.module is inside
    np.testing.assert_array_equal(compiled.log_odds(images), expected)
    assert np.allclose(models.open(Last(2, nn.Identity()).bfloat16()).log_odds(images), expected, atol=0.3)
    for options in ({"prepare": lambda x: x / 255}, {"scale": 1 / 255}):
        np.testing.assert_allclose(
            models.open(Last(2, nn.Identity()), **options).log_odds(images), expected, rtol=1e-4
        )
    own = Last(2, nn.Identity())
    own.prepare = lambda x: (255 - x.float()) / 255
    np.testing.assert_allclose(
        models.open(own).log_odds(images), models.open(Last(2, nn.Identity())).log_odds(255 - images), rtol=1e-4
    )
    with pytest.raises(ConfiguralError, match="scale: what the network takes is known"):
        models.open(own, scale=2.0)
    subject = models.open(own)
    values = torch.from_numpy(images).permute(0, 3, 1, 2).float().requires_grad_()
    subject.scores(values).sum().backward()
    assert values.grad.abs().max() > 0


def test_a_network_is_given_back_in_its_owner_s_mode(images):
    """It responds as in evaluation, also where it is trained on between; a layer that was frozen stays it."""
    network = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(3), Last(2, nn.Identity()))
    expected = models.open(network.eval()).log_odds(images)
    network.train()[0].eval()
    before = [layer.training for layer in network.modules()]
    opened = models.open(network)
    values = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    for _ in range(2):
        np.testing.assert_array_equal(opened.log_odds(images), expected)
        np.testing.assert_allclose(opened.scores(values).detach(), expected, rtol=1e-5)
        assert [layer.training for layer in network.modules()] == before
        network.train()
        before = [True] * len(before)


def network_of_means(probabilities: bool, shape: list, kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """Mean of all pixels, then two logits: 0.1·mean − 12 and 3 − 0.01·mean."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "one"], ["column"]),
        helper.make_node("Gemm", ["column", "weights", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["p"], axis=1),
    ]
    out = "p" if probabilities else "logits"
    graph = helper.make_graph(
        nodes if probabilities else nodes[:-1],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(out, TensorProto.FLOAT, [shape[0], 2])],
        [
            helper.make_tensor("one", TensorProto.INT64, [1], [1]),
            helper.make_tensor("weights", TensorProto.FLOAT, [1, 2], [0.1, -0.01]),
            helper.make_tensor("bias", TensorProto.FLOAT, [2], [-12, 3]),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize("shape", [["n", 32, 32, 3], ["n", 3, 32, 32], [1, 3, 32, 32], [4, 3, 32, 32]])
@pytest.mark.parametrize("probabilities", [False, True])
def test_onnx(images, tmp_path, shape, probabilities):
    onnx.save(network_of_means(probabilities, shape), tmp_path / "net.onnx")
    opened = models.open(tmp_path / "net.onnx", positive="0")
    assert (opened.name, opened.image_size) == ("net.onnx", 32)
    mean = images.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(opened.log_odds(images), 0.11 * mean - 15, rtol=1e-3, atol=1e-3)
    told = opened.describe()
    assert told["output"] == ("p: probabilities" if probabilities else "logits: logits")
    assert told["guessed"] == ["preparation", "output"]
    brighter = models.open(tmp_path / "net.onnx", positive=0, scale=2.0)
    if not probabilities:
        np.testing.assert_allclose(brighter.log_odds(images), 0.22 * mean - 15, rtol=1e-3, atol=1e-3)
    with pytest.raises(ConfiguralError, match="image_size 64"):
        models.open(tmp_path / "net.onnx", image_size=64)


@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE])
def test_an_onnx_network_of_damaged_weights_is_refused(tmp_path, outside, kind):
    """NaN, which a maximum or a comparison swallows; infinity stands in masks."""
    for value, refused in ((math.nan, True), (-math.inf, False)):
        network = network_of_means(False, ["n", 32, 32, 3])
        mask = helper.make_tensor("mask", kind, [3], [0, value, 1])  # as numbers
        network.graph.initializer.append(from_array(to_array(mask), "mask") if outside else mask)  # as bytes
        path = tmp_path / f"{value}.onnx"
        onnx.save(network, path, save_as_external_data=outside, location=f"{value}.data", size_threshold=0)
        with pytest.raises(ConfiguralError, match="its mask holds NaN") if refused else contextlib.nullcontext():
            models.open(path)


def test_an_onnx_file_s_weights_are_those_of_the_file_beside_it_too(images, tmp_path):
    """As torch.onnx.export writes them: two networks whose .onnx files are the same, byte for byte."""
    digests = []
    for folder, slope in ((tmp_path / "a", 0.1), (tmp_path / "b", 0.2)):
        folder.mkdir()
        network = network_of_means(False, ["n", 32, 32, 3])
        weights = network.graph.initializer[1]
        weights.CopyFrom(from_array(np.array([[slope, -0.01]], np.float32), "weights"))
        onnx.save(
            network, folder / "net.onnx", save_as_external_data=True, location="net.onnx.data", size_threshold=0
        )
        mean = images.mean(axis=(1, 2, 3))
        opened = models.open(folder / "net.onnx", positive="0")
        found = opened.log_odds(images)
        np.testing.assert_allclose(found, (slope + 0.01) * mean - 15, rtol=1e-3, atol=1e-3)
        digests.append(models.digest(folder / "net.onnx"))
        assert models.digest(opened) == digests[-1]
        both = (folder / "net.onnx").read_bytes() + (folder / "net.onnx.data").read_bytes()
        assert digests[-1] == hashlib.sha256(both).hexdigest()
    assert (tmp_path / "a" / "net.onnx").read_bytes() == (tmp_path / "b" / "net.onnx").read_bytes()
    assert digests[0] != digests[1]
    (tmp_path / "a" / "net.onnx.data").unlink()
    with pytest.raises(ConfiguralError, match=r"net\.onnx"):
        models.open(tmp_path / "a" / "net.onnx")


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (("normal_face", "scrambled_face"), None),
        (("face", "no_face"), "0 (face)"),
        (("No Face", "Face"), "1 (Face)"),
        (("LABEL_0", "LABEL_1"), None),
        (("0", "1"), "1 (1)"),
        (("unknown_face", "face"), "1 (face)"),
        (("nonface", "no face"), None),
        (("face_intact", "face_scrambled"), None),
        (("face", "Face"), None),
        (("house", "no house"), None),
        (("cat", "dog"), None),
    ],
)
def test_labels_are_matched_as_whole_words_or_asked_about(labels, found):
    from configural.models.outputs import Reading

    if found is None and "house" in labels and "house" in models.outputs.OBJECTS:
        found = "0 (house)"
    if found is None:
        with pytest.raises(ConfiguralError, match="which class is the correct arrangement's"):
            Reading(None, None, dict(enumerate(labels)))
    else:
        assert Reading(None, None, dict(enumerate(labels))).describe()["positive"] == found


def test_what_is_no_model_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.onnx").write_bytes(b"no")
    (tmp_path / "net.pt").write_bytes(b"no")
    (tmp_path / "net.keras").write_bytes(b"no")
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "config.json").write_text("{}")
    for name in ("empty", "bad.onnx", "net.pt", "net.keras", "missing.h5", "missing", "hf"):
        with pytest.raises(ConfiguralError, match=re.escape(name)) as caught:
            models.open(tmp_path / name)
        assert "\n" not in str(caught.value)
    for name, cure in {
        "a.pkl": "skl2onnx",
        "a.PT": "torch.onnx",
        "a.tflite": "tf2onnx",
        "s/saved_model.pb": "tf2onnx",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no")
        with pytest.raises(ConfiguralError, match=cure):
            models.open(path.parent if "/" in name else path)
    for thing in (7, None, [1]):
        with pytest.raises(ConfiguralError, match="not a kind of model"):
            models.open(thing)


def sources(network, folder) -> dict[str, Any]:
    """One of each kind, in the order of the table."""
    models.save_network(network, folder / "a.safetensors")
    models.save_network(network, folder / "run" / "model.safetensors")
    (folder / "run" / "config.yaml").write_text("")
    models.save_keras(network, folder / "a.h5")
    onnx.save(network_of_means(False, ["n", 3, 32, 32]), folder / "a.onnx")
    saved(folder / "hf", transformers.ViTImageProcessorPil(size=SIDE), {0: "no face", 1: "face"})
    found = [folder / name for name in ("run", "hf", "a.safetensors", "a.h5", "a.onnx")]
    found += ["test_models_open:a_network", models.open(network), Last(2, nn.Identity()), Estimator(), named]
    assert all(kind.fits(source) for kind, source in zip(KINDS, found, strict=True))
    return {kind.name: source for kind, source in zip(KINDS, found, strict=True)}


OPTIONS: dict[str, Any] = {
    "positive": 0,
    "output": "probabilities",
    "scale": 0.5,
    "image_size": 48,
    "prepare": lambda values: 0.3 * values,
    "layout": "chw",
    "mean": "0.4,0.5,0.6",
    "std": 0.3,
    "channels": "bgr",
    "network": "cnn-15",
    "device": "meta",
}


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_every_option_is_used_or_refused_by_name(network, images, tmp_path, kind):
    """It changes what comes out or the image size, or an error names it or says what contradicts it."""
    assert OPTIONS.keys() == vars(Options()).keys() - {"name"}
    source = sources(network, tmp_path)[kind]
    usual = models.open(source)
    expected = usual.log_odds(images)

    def refusal(**given) -> str:
        try:
            opened = models.open(source, **given)
            if "image_size" in given:
                assert opened.image_size == 48
            elif "device" in given:
                assert next(opened.module.parameters()).is_meta
            elif usual.describe()["output"] != given.get("output"):
                found = opened.log_odds(images)  # of a row's mean, the layout shows in words alone
                told = opened.describe()["preparation"] != usual.describe()["preparation"]
                assert told or not np.allclose(found, expected, rtol=1e-3), given
        except ConfiguralError as error:
            return str(error)
        return "used: " + ", ".join(given)

    other: dict[str, Any] = {"positive": 1 - int(usual.describe()["positive"][0])}
    if kind == ".onnx":
        other |= {"prepare": lambda images: 0.3 * images.transpose(0, 3, 1, 2), "layout": "hwc"}
    elif "estimator" in kind:
        other["prepare"] = lambda images: 0.3 * images.reshape(len(images), -1)
    for option, value in (OPTIONS | other).items():
        said = {"output": "output|are these logits", "device": "device|meta tensors"}.get(option, option)
        assert re.search(said, refusal(**{option: value}))


class Estimator:
    """As scikit-learn's classifiers: takes rows of numbers."""

    classes_ = np.array(["face", "no_face"])

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        assert rows.ndim == 2
        p = expit(rows.mean(axis=1) - 127)
        return np.stack([p, 1 - p], axis=1)


def test_estimators_and_functions(images):
    expected = images.mean(axis=(1, 2, 3)) - 127
    assert np.abs(expected).max() < 5
    opened = models.open(Estimator())
    np.testing.assert_allclose(opened.log_odds(images), expected)
    assert opened.describe()["positive"] == "0 (face)"
    np.testing.assert_allclose(models.open(Estimator(), positive="no_face").log_odds(images), -expected)
    np.testing.assert_allclose(
        models.open(Estimator(), prepare=lambda x: x.reshape(len(x), -1) * 1.0).log_odds(images), expected
    )

    def both(images):
        return Estimator().predict_proba(images.reshape(len(images), -1))

    np.testing.assert_allclose(models.open(both).log_odds(images), -expected)
    np.testing.assert_allclose(models.open(both, positive=0).log_odds(images), expected)
    one = models.open(lambda x: both(x)[:, :1], positive=0)
    np.testing.assert_allclose(one.log_odds(images), -expected)
    logits = models.open(lambda x: logit(both(x)[:, 0]), output="logits")
    np.testing.assert_allclose(logits.log_odds(images), expected)


@pytest.mark.parametrize(
    ("classes", "positive", "found"),
    [
        *(((1, 2), given, found) for given, found in ((1, None), (2, None), ("1", 1), ("2", 2), (0, 1))),
        *(((-1, 1), given, found) for given, found in ((-1, None), (1, 1), ("-1", -1), ("1", 1))),
        *(((1, 0), given, found) for given, found in ((1, None), (0, None), ("1", 1), ("0", 0))),
        ((0, 1), 0, 0),
    ],
)
def test_a_number_that_may_be_a_label_or_a_position_is_never_guessed(images, classes, positive, found):
    """`positive=1` of the classes 1 and 2 would be class 2 by its position; nobody would see it in the numbers."""
    estimator, first = Estimator(), images.mean(axis=(1, 2, 3)) - 127
    estimator.classes_ = np.array(classes)
    if found is None:
        with pytest.raises(ConfiguralError, match=f"positive '?{positive}'?: .*{classes[1]}"):
            models.open(estimator, positive=positive)
    else:
        right = first if found == classes[0] else -first
        np.testing.assert_allclose(models.open(estimator, positive=positive).log_odds(images), right)


def test_what_a_function_does_to_its_images_stays_there(images):
    before = images.copy()

    def inverting(given):
        given[...] = 255 - given
        return 1 - given.mean(axis=(1, 2, 3)) / 255

    class Means(torch.nn.Module):
        def prepare(self, batch):
            return batch.sub_(batch // 2).float().mean(dim=(2, 3))[:, :2]

        def forward(self, means):
            return means

    estimator = models.open(Estimator(), prepare=lambda x: inverting(x)[:, None] * 255)
    for opened in (models.open(inverting), estimator, models.open(Means(), output="logits", positive=1)):
        first = opened.log_odds(images)
        np.testing.assert_array_equal(images, before)
        np.testing.assert_array_equal(opened.log_odds(images), first)


def test_an_estimator_of_margins_alone_is_told_what_to_give():
    class Margins:
        def decision_function(self, rows): ...

    with pytest.raises(ConfiguralError, match=r"a Margins: .* decision_function .* output='logits'"):
        models.open(Margins())


def test_two_columns_of_64_bits_tell_log_odds_beyond_what_one_probability_can(images):
    """Each says how near it is to 0, where one alone ends at 10⁻⁶."""
    wanted = np.linspace(-34, 34, len(images))

    def columns(images):
        size = len(images)
        of = np.resize(wanted, size)
        return np.stack([expit(-of), expit(of)], axis=1)

    np.testing.assert_allclose(models.open(columns).log_odds(images), wanted, rtol=1e-9)
    ends = models.open(lambda x: np.stack([np.zeros(len(x)), np.ones(len(x))], axis=1)).log_odds(images)
    np.testing.assert_allclose(ends, 53 * np.log(2))
    alone = models.open(lambda x: columns(x).astype(np.float32)).log_odds(images)
    assert np.abs(alone).max() == pytest.approx(np.log(1e6), rel=1e-3)


@pytest.mark.parametrize("shape", [["n", 3072], [1, 3072], [2, 3072]])
@pytest.mark.parametrize("layout", ["hwc", "chw"])
@pytest.mark.parametrize("labels", [None, ["face", "no_face"]])
def test_scikit_learn_s_onnx(images, tmp_path, shape, layout, labels):
    """As skl2onnx writes a classifier: takes a row of numbers, gives the class, and probabilities in two ways."""
    rng = np.random.default_rng(0)
    shown = rng.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8) // rng.integers(1, 5, (40, 1, 1, 1), np.uint8)
    classes = labels or [0, 1]
    which = np.array(classes)[(shown[..., 0].mean((1, 2)) > shown[..., 2].mean((1, 2))).astype(int)]

    def rows(images):
        return (images if layout == "hwc" else images.transpose(0, 3, 1, 2)).reshape(len(images), -1) / 255

    from sklearn.linear_model import LogisticRegression  # takes a second

    real = LogisticRegression(max_iter=20).fit(rows(shown), which)
    save_as_skl2onnx(real, shape, tmp_path / "net.onnx")
    p = real.predict_proba(rows(images))
    opened = models.open(tmp_path / "net.onnx", layout=layout, scale=1 / 255)
    assert opened.image_size == 32
    sign = 1 if labels is None else -1
    np.testing.assert_allclose(opened.log_odds(images), sign * logit(p[:, 1]), rtol=1e-3, atol=1e-4)
    assert opened.describe()["positive"] == ("1" if labels is None else "0 (face)")
    found = models.open(tmp_path / "net.onnx", layout=layout, scale=1 / 255, positive=1).log_odds(images)
    np.testing.assert_allclose(found, logit(p[:, 1]), rtol=1e-3, atol=1e-4)
    here = models.open(real, layout=layout, scale=1 / 255)
    assert here.image_size == 32
    np.testing.assert_allclose(here.log_odds(images), opened.log_odds(images), rtol=1e-3, atol=1e-4)
    for wrong, culprit in (
        ({}, "layout: .* say 'hwc' if"),
        ({"layout": "rgb"}, "layout 'rgb': .* choose from hwc, chw"),
        ({"layout": layout, "output": "label"}, "the outputs probabilities"),
    ):
        with pytest.raises(ConfiguralError, match=culprit):
            models.open(tmp_path / "net.onnx", **wrong).log_odds(images)


def save_as_skl2onnx(real, shape, path) -> None:
    texts = real.classes_.dtype.kind == "U"
    classes = {"classlabels_strings" if texts else "classlabels_ints": real.classes_.tolist()}
    both = {"coefficients": np.concatenate([-real.coef_, real.coef_]).ravel().tolist()}
    both["intercepts"] = [-real.intercept_[0], real.intercept_[0]]
    nodes = [
        helper.make_node(
            "LinearClassifier",
            ["x"],
            ["label", "p"],
            domain="ai.onnx.ml",
            post_transform="LOGISTIC",
            **classes,
            **both,
        )
    ]
    label = helper.make_tensor_value_info("label", TensorProto.STRING if texts else TensorProto.INT64, [None])
    if texts:  # as by default, a dictionary for each image
        nodes.append(helper.make_node("ZipMap", ["p"], ["probabilities"], domain="ai.onnx.ml", **classes))
        row = helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
        gives = helper.make_value_info("probabilities", helper.make_sequence_type_proto(row))
    else:
        nodes.append(helper.make_node("Identity", ["p"], ["probabilities"]))
        gives = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "g", [taken], [label, gives])
    versions = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.ml", 1)]
    onnx.save(helper.make_model(graph, opset_imports=versions, ir_version=8), path)


def test_an_onnx_softmax_in_8_bits_is_no_logits(images, tmp_path):
    """Rounded to 1/256, as onnxruntime quantises it, its rows sum to 0.996 or 1.004."""
    model = network_of_means(True, ["n", 3, 32, 32])
    model.graph.node[0].input[0] = "small"
    more = [
        ("step", TensorProto.FLOAT, 1 / 256),
        ("zero", TensorProto.UINT8, 0),
        ("tenth", TensorProto.FLOAT, 0.05),
    ]
    model.graph.initializer.extend(helper.make_tensor(name, kind, [], [value]) for name, kind, value in more)
    model.graph.initializer[2].float_data[:] = [-0.5, 0.5]
    model.graph.node.insert(0, helper.make_node("Mul", ["x", "tenth"], ["small"]))
    model.graph.node[-1].output[0] = "exact"
    model.graph.node.append(helper.make_node("QuantizeLinear", ["exact", "step", "zero"], ["whole"]))
    model.graph.node.append(helper.make_node("DequantizeLinear", ["whole", "step", "zero"], ["p"]))
    onnx.save(model, tmp_path / "net.onnx")
    opened = models.open(tmp_path / "net.onnx")
    found = np.concatenate([opened.log_odds(images[row : row + 1]) for row in range(len(images))])
    expected = 0.05 * images.mean(axis=(1, 2, 3)) * -0.11 + 1
    np.testing.assert_allclose(found, expected, atol=0.05)
    assert opened.describe()["output"] == "p: probabilities"


def named(images):
    return expit(images.mean(axis=(1, 2, 3)) - 127)


a_network = Last(2, nn.Identity())


def without_arguments():
    return named


def of_image_size(image_size: int) -> nn.Module:
    return models.create("fcn-14", image_size)


def test_by_name(images, monkeypatch):
    for name in ("named", "without_arguments"):
        opened = models.open(f"test_models_open:{name}")
        assert opened.name == f"test_models_open:{name}"
        np.testing.assert_allclose(opened.log_odds(images), images.mean(axis=(1, 2, 3)) - 127)
    made = models.open("test_models_open:of_image_size", image_size=64)
    assert (made.image_size, made.describe()["preparation"]) == (64, "the network's own")
    monkeypatch.setitem(models.MODELS, "mine", named)
    assert models.open("mine").name == "mine"
    with pytest.raises(ConfiguralError, match="No module named 'nowhere'"):
        models.open("nowhere:to_be_found")


OWN_NETWORK = """
from torch import nn

class Net(nn.Module):
    def __init__(self, image_size):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(3 * image_size**2, 2))
    def forward(self, batch):
        return self.layers(batch)
    def prepare(self, images):
        return images.float() / 128 - 1

print("imported")
"""

OPENS = """
import sys
from configural import models
from configural.errors import ConfiguralError
for named in (None, *sys.argv[2:]):
    try:
        print(models.open(sys.argv[1], network=named).describe()["preparation"])
    except ConfiguralError as error:
        print(error)
"""


def test_a_file_that_names_a_module_has_it_imported_only_if_a_person_names_it_too(tmp_path, monkeypatch):
    (tmp_path / "own_network.py").write_text(OWN_NETWORK)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    models.save_network(models.create("own_network:Net", 16), "net.safetensors")
    opened = models.open("net.safetensors")  # a person named it in this process
    assert (opened.image_size, opened.module.made_from) == (16, ("own_network:Net", 16))

    unnamed, another, *named = program(OPENS, "net.safetensors", "fcn-14", "own_network:Net").splitlines()
    assert "net.safetensors: unknown network 'own_network:Net': a module is imported only where you name" in unnamed
    assert "network 'fcn-14': the file holds a 'own_network:Net'" in another
    assert named == ["imported", "the network's own"]


def test_a_keras_archive(images, network, tmp_path):
    """Weights and configuration in a zip, as Keras 3 writes it; nothing in it is run, nothing absurd unpacked."""
    import keras_study

    model = keras_study.build("fcn-14", 32)
    keras_study.roughen(model)
    path = tmp_path / "net.keras"
    model.save(path)
    p = keras_study.softmax(model, images)
    opened = models.open(path)
    np.testing.assert_allclose(opened.log_odds(images), np.log(p[:, 1] / p[:, 0]), atol=1e-3)
    np.testing.assert_allclose(models.open(path, positive=0).log_odds(images), np.log(p[:, 0] / p[:, 1]), atol=1e-3)

    with zipfile.ZipFile(path) as archive:
        weights = archive.read("model.weights.h5")
        config = json.loads(archive.read("config.json"))
    mark = tmp_path / "mark"
    trap = pickle.dumps(os.mkdir)
    config["config"]["layers"].append({"class_name": "Lambda", "config": {"name": "evil", "function": str(trap)}})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights)
    with pytest.raises(ConfiguralError, match="its layer 'evil', a Lambda, is of no known kind and might run code"):
        models.open(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(98765))
    claims = (struct.pack("<I", size) for size in (98765, 2**30 + 1))
    path.write_bytes(path.read_bytes().replace(*claims))
    with pytest.raises(ConfiguralError, match="claims 1073741825 bytes"):
        models.open(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ConfiguralError, match="not a readable"):
        models.open(path)
    assert not mark.exists()


@pytest.mark.parametrize(("name", "value"), [("Conv_1.weight", torch.nan), ("BN_1.running_var", -1.0)])
def test_weights_that_are_no_numbers_are_refused(network, tmp_path, name, value):
    network.state_dict()[name].flatten()[3] = value
    models.save_network(network, tmp_path / "net.safetensors")
    models.save_keras(network, tmp_path / "net.h5")
    for file in ("net.safetensors", "net.h5"):
        with pytest.raises(ConfiguralError, match=f"{file}: damaged, its {name} holds"):
            models.open(tmp_path / file)


def test_what_a_classifier_is_needs_no_torch():
    code = "import sys; import configural.models.classifiers; print({'torch', 'h5py', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_fixed_batch_that_no_memory_holds_is_refused():
    with pytest.raises(ConfiguralError, match="takes batches of 1,000,000,000 images alone; at most 4,096"):
        in_batches(lambda values: [values], np.zeros((2, 3, 8, 8)), 10**9)


@pytest.mark.parametrize(("positive", "before"), [(None, "not seen yet"), (0, "0"), (1, "1")])
def test_what_is_not_known_before_the_first_image_is_not_made_up(images, positive, before):
    opened = models.open(Last(2, nn.Identity()), positive=positive)
    assert opened.describe()["positive"] == before
    opened.log_odds(images)
    assert opened.describe()["positive"] == (before if positive is not None else "1")
    assert ("positive" in opened.describe()["guessed"]) == (positive is None)
