"""Any kind of model as a classifier: the right class, the right reading, and every option used or refused."""

import json
import os
import pickle
import re
import subprocess
import sys
import zipfile

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from scipy.special import expit, logit
from torch import nn

from configural import models
from configural.errors import ConfiguralError
from configural.models import Classifier, Differentiable
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
        with pytest.raises(ConfiguralError, match="output='probabilities' or output='logits'"):
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


def test_networks_return_all_sorts_of_things(images):
    expected = models.open(Last(2, nn.Identity())).log_odds(images)
    for last, output in (
        (lambda z: {"logits": z, "more": z[:, 0]}, None),
        (lambda z: {"mine": z, "more": 0 * z}, "mine"),
        (lambda z: {"mine": z, "more": 0 * z}, "mine:logits"),
        (lambda z: (z, 0 * z), None),
        (lambda z: [0 * z, z], "1"),
        (lambda z: z[:, :, None, None], None),
        (lambda z: z.bfloat16().double(), None),
    ):
        np.testing.assert_allclose(models.open(Last(2, last), output=output).log_odds(images), expected, atol=0.1)
    for last, output, culprit in (
        (lambda z: {"a": z, "b": z}, None, "the outputs a, b; name one"),
        (lambda z: {"a": z, "b": z}, "c", "'c': the model has the outputs a, b"),
        (lambda z: z, "c", "one output without a name"),
        (lambda z: (z, z), "2", "has the outputs 0, 1; name one"),
        (lambda z: z[:, None, :, None].expand(-1, 3, -1, 4), None, r"shape \(5, 3, 2, 4\)"),
        (lambda z: "no", None, "returned a str"),
    ):
        with pytest.raises(ConfiguralError, match=culprit):
            models.open(Last(2, last), output=output).log_odds(images)


def test_half_precision_and_preparation(images):
    expected = models.open(Last(2, nn.Identity())).log_odds(images)
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
    for thing in (7, None, [1]):
        with pytest.raises(ConfiguralError, match="not a kind of model"):
            models.open(thing)


def test_every_option_is_used_or_refused_by_name(network, tmp_path):
    """For every kind: what its entry in the table does not use is refused."""
    models.save_network(network, tmp_path / "a.safetensors")
    models.save_network(network, tmp_path / "run" / "model.safetensors")
    (tmp_path / "run" / "config.yaml").write_text("")
    models.save_keras(network, tmp_path / "a.h5")
    onnx.save(network_of_means(False, ["n", 3, 32, 32]), tmp_path / "a.onnx")
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "config.json").write_text("{}")
    sources = [
        tmp_path / "run",
        tmp_path / "hf",
        tmp_path / "a.safetensors",
        tmp_path / "a.h5",
        tmp_path / "a.onnx",
    ]
    sources += ["json:loads", models.open(network), nn.Identity(), Estimator(), lambda x: x]
    given = {"positive": 1, "output": "logits", "scale": 0.5, "image_size": 32, "prepare": abs, "network": "fcn-14"}
    given["device"] = "meta"
    assert given.keys() == vars(Options()).keys() - {"name"}
    refused = 0
    for kind, source in zip(KINDS, sources, strict=True):
        assert kind.fits(source), kind
        for option in given.keys() - set(kind.uses):
            with pytest.raises(ConfiguralError, match=f"{option}: of no use for"):
                models.open(source, **{option: given[option]})
            refused += 1
    assert refused > 15


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


def named(images):
    return expit(images.mean(axis=(1, 2, 3)) - 127)


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
try:
    print(models.open(sys.argv[1], network=sys.argv[2] if len(sys.argv) > 2 else None).describe()["preparation"])
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

    def said(*arguments: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", OPENS, "net.safetensors", *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    (refused,) = said()
    assert "unknown network 'own_network:Net': a module is imported only where you name it yourself" in refused
    assert said("own_network:Net") == ["imported", "the network's own"]
    (refused,) = said("fcn-14")
    assert "network 'fcn-14': the file holds a 'own_network:Net'" in refused


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
    with pytest.raises(ConfiguralError, match="its layer 'evil', a Lambda"):
        models.open(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(2**30 + 1))
    with pytest.raises(ConfiguralError, match="claims 1073741825 bytes"):
        models.open(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ConfiguralError, match="not a readable"):
        models.open(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("layer", "key", "value"),
    [
        ("BN_1", "epsilon", 0.1),
        ("Conv_2", "activation", "elu"),
        ("Conv_2", "activation", "linear"),
        ("Conv_3", "padding", "valid"),
        ("Conv_3", "strides", [2, 2]),
        ("Max_2", "class_name", "AveragePooling2D"),
        ("GMax_con", "class_name", "GlobalAveragePooling2D"),
    ],
)
def test_a_keras_model_that_differs_from_the_study_s_is_refused(layer, key, value, network, tmp_path):
    import h5py

    path = tmp_path / "net.h5"
    models.save_keras(network, path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        (one,) = (one for one in config["config"]["layers"] if one["config"]["name"] == layer)
        (one if key == "class_name" else one["config"])[key] = value
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(ConfiguralError, match=f"its layer {layer} .*{re.escape(str(value))}"):
        models.open(path)


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
