"""Whole Keras models that are not the study's, against Keras itself: they open through it, or are refused."""

import functools
import itertools
import json
import sys
import zipfile
from typing import Any

import h5py
import keras_study
import numpy as np
import pytest
from test_cli import assert_one_line, configural

from configural import models
from configural.errors import ConfiguralError

keras = keras_study.import_keras  # called where it is needed, since importing it takes seconds
pytestmark = pytest.mark.filterwarnings("ignore:.*HDF5 file.*")


def layers() -> Any:
    return keras().layers


@pytest.fixture
def images() -> np.ndarray:
    return keras_study.images(5, 32)


@functools.cache
def fcn_14():
    """The layers of the study's fcn-14, by name: their classes and settings."""
    return {layer.name: (type(layer), layer.get_config()) for layer in keras_study.build("fcn-14", 32).layers}


def variant(first=(), **changed):
    """The study's fcn-14 with other layers in the place of some."""
    keras().utils.set_random_seed(1)
    layers = [changed.pop(name, None) or made.from_config(config) for name, (made, config) in fcn_14().items()]
    assert not changed
    model = keras().Sequential([keras().Input((32, 32, 3)), *first, *layers])
    keras_study.roughen(model)
    return model


def residual():
    """The same layers under the same names, of which one is taken twice."""
    model = variant()
    x = inputs = keras().Input((32, 32, 3))
    for layer in model.layers:
        y = type(layer).from_config(layer.get_config())(x)
        x = layers().Add(name="add")([x, y]) if layer.name == "DO_3" else y
    made = keras().Model(inputs, x)
    made.set_weights(model.get_weights())
    return made


VARIANTS = {
    "'BN_1' .*epsilon=0.1": lambda: variant(BN_1=layers().BatchNormalization(epsilon=0.1, name="BN_1")),
    "'Conv_2' .*activation=elu": lambda: variant(
        Conv_2=layers().Conv2D(64, 3, padding="same", activation="elu", name="Conv_2")
    ),
    "'Max_2' .*AveragePooling2D": lambda: variant(Max_2=layers().AveragePooling2D(2, name="Max_2")),
    "'Max_2' .*strides=.1, 1.": lambda: variant(Max_2=layers().MaxPooling2D(strides=1, name="Max_2")),
    "'Max_3' .*padding=same": lambda: variant(Max_3=layers().MaxPooling2D(padding="same", name="Max_3")),
    "'GMax_con' .*GlobalAverage": lambda: variant(GMax_con=layers().GlobalAveragePooling2D(name="GMax_con")),
    "'Conv_4' .* padding=same": lambda: variant(Conv_4=layers().Conv2D(256, 3, activation="relu", name="Conv_4")),
    "'Conv_1' .*dilation_rate": lambda: variant(
        Conv_1=layers().Conv2D(32, 3, dilation_rate=2, padding="same", activation="relu", name="Conv_1")
    ),
    "'rescaling' .*Rescaling": lambda: variant([layers().Rescaling(0.5, name="rescaling")]),
    "'random_flip'": lambda: variant(
        [layers().RandomFlip(name="random_flip"), layers().Rescaling(0.5, name="rescaling")]
    ),
    "'add' does not follow": residual,
}


@pytest.mark.parametrize(("said", "suffix"), [*zip(VARIANTS, itertools.cycle(["h5", "keras"]), strict=False)])
def test_what_differs_from_the_study_s_network_is_named_and_opens_through_keras(images, tmp_path, said, suffix):
    model, path = VARIANTS[said](), tmp_path / f"net.{suffix}"
    model.save(path)
    with pytest.raises(ConfiguralError, match=f"^{path}: .*{said}"):
        models.load_keras(path)
    scales = "rescaling" in said or "flip" in said
    p = np.asarray(model.predict_on_batch(images * 1.0 if scales else keras_study.prepared(images))).astype(float)
    opened = models.open(path)
    assert np.ptp(opened.log_odds(images)) > 0.01
    np.testing.assert_allclose(opened.log_odds(images), np.log(p[:, 1] / p[:, 0]), atol=1e-4)
    if said == "'add' does not follow":
        other = models.open(path, positive=0).log_odds(images)
        np.testing.assert_allclose(other, np.log(p[:, 0] / p[:, 1]), atol=1e-4)
    assert opened.image_size == 32
    assert ("preparation" in opened.describe()["guessed"]) == (not scales)


def functional(*shape, batch=None, **outputs):
    """Outputs of small dense layers, by name."""
    keras().utils.set_random_seed(2)
    inputs = keras().Input(shape, batch)
    x = layers().Rescaling(1 / 40)(layers().Flatten()(inputs))
    made = {name: layers().Dense(units, activation=last, name=name)(x) for name, (units, last) in outputs.items()}
    return keras().Model(inputs, made if len(made) > 1 else next(iter(made.values())))


def test_any_other_model_opens_through_keras(images, tmp_path):
    path = tmp_path / "net.keras"

    def expected(model, values, name=None):
        found = model.predict_on_batch(values)
        return np.asarray(found if name is None else found[name]).astype(float)

    for shape, options, arranged in (
        ((32, 32, 3), {}, images),
        ((3, 32, 32), {}, images.transpose(0, 3, 1, 2)),
        ((None, None, 3), {"image_size": 32}, None),
        ((3072,), {"layout": "hwc"}, images.reshape(5, -1)),
        ((3072,), {"layout": "chw"}, images.transpose(0, 3, 1, 2).reshape(5, -1)),
    ):
        if arranged is None:
            model = keras().Sequential([keras().Input(shape), layers().GlobalAveragePooling2D(), layers().Dense(2)])
            arranged = images
        else:
            model = functional(*shape, out=(2, None))
        (functional(*shape, batch=2, out=(2, None)) if shape[0] == 3 else model).save(path)
        z = expected(model, arranged * np.float32(0.5))
        opened = models.open(path, scale=0.5, **options)
        np.testing.assert_allclose(opened.log_odds(images), z[:, 1] - z[:, 0], rtol=1e-3, atol=1e-3)
        assert opened.describe()["guessed"] == ["positive", "output"]
        own = models.open(path, prepare=lambda _, arranged=arranged: arranged * np.float32(0.5), image_size=32)
        np.testing.assert_allclose(own.log_odds(images), opened.log_odds(images), rtol=1e-3, atol=1e-3)
    with pytest.raises(ConfiguralError, match=r"layout: .* say 'hwc' if"):
        models.open(path)
    model = functional(32, 32, 3, aux=(5, "relu"), face=(1, "sigmoid"), logits=(2, None))
    model.save(path)
    z = expected(model, images * np.float32(1), "logits")
    np.testing.assert_allclose(models.open(path).log_odds(images), z[:, 1] - z[:, 0], rtol=1e-3, atol=1e-3)
    p = expected(model, images * np.float32(1), "face")[:, 0]
    opened = models.open(path, output="face:probabilities")
    np.testing.assert_allclose(opened.log_odds(images), np.log(p / (1 - p)), rtol=1e-3, atol=1e-3)
    with pytest.raises(ConfiguralError, match="all lie between 0 and 1"):
        models.open(path, output="face").log_odds(images)
    with pytest.raises(ConfiguralError, match=r"device: .* Keras, which chooses it itself"):
        models.open(path, device="meta")


def test_without_keras_the_cure_is_named(tmp_path, monkeypatch):
    variant([layers().Rescaling(0.5, name="rescaling")]).save(tmp_path / "net.keras")
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ConfiguralError, match=r"'rescaling' .*pip install 'configural\[keras\]'$") as caught:
        models.open(tmp_path / "net.keras")
    assert "\n" not in str(caught.value)


def reconfigure(path, change) -> None:
    """Change the configuration in a file, and nothing else."""
    if path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = change(file.attrs["model_config"])
        return
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["config.json"] = change(content["config.json"].decode())
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in content.items():
            archive.writestr(name, value)


TRAPS = [
    {"class_name": "Lambda", "config": {"name": "trap", "function": ["code", None, None]}},
    {"class_name": "Dense", "config": {"name": "trap", "units": 1, "activation": {"class_name": "function"}}},
    {"module": "os", "class_name": "Dense", "config": {"name": "trap"}},
    {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"name": "trap"}},
    {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"name": "trap"}},
    {"module": "keras.utils", "class_name": "function", "config": "get_file"},
    {"class_name": ["Dense"], "config": {"name": "trap"}},
    {
        "class_name": "Dense",
        "config": {"name": "trap", "kernel_initializer": {"class_name": "Lambda", "module": "keras.layers"}},
    },
]


@pytest.mark.parametrize(("trap", "suffix"), [*zip(TRAPS, itertools.cycle(["h5", "keras"]), strict=False)])
def test_what_might_run_code_never_reaches_keras(tmp_path, monkeypatch, trap, suffix):
    path = tmp_path / f"net.{suffix}"
    functional(8, 8, 3, out=(2, None)).save(path)

    def trapped(text):
        config = json.loads(text)
        config["config"]["layers"].append(trap)
        return json.dumps(config)

    reconfigure(path, trapped)
    monkeypatch.setattr(keras().saving, "load_model", lambda *args, **kwargs: pytest.fail("Keras has seen it"))
    with pytest.raises(ConfiguralError, match="is of no known kind and might run code"):
        models.open(path)


def test_links_and_weights_that_are_no_numbers_are_refused(tmp_path):
    path = tmp_path / "net.h5"
    model = functional(8, 8, 3, out=(2, None))
    for value in (np.nan, np.inf):
        kernel, bias = model.layers[-1].get_weights()
        kernel[3, 1] = value
        model.layers[-1].set_weights([kernel, bias])
        for name in ("net.h5", "net.keras"):
            model.save(tmp_path / name)
            with pytest.raises(ConfiguralError, match=f"{name}: damaged, its out/kernel holds NaN"):
                models.open(tmp_path / name)
    negative = variant(BN_1=layers().BatchNormalization(epsilon=0.1, name="BN_1"))
    negative.get_layer("BN_1").moving_variance.assign(-np.ones(32))
    negative.save(tmp_path / "negative.h5")
    with pytest.raises(ConfiguralError, match="moving_variance holds NaN, infinity or a negative variance"):
        models.open(tmp_path / "negative.h5")
    with h5py.File(path, "r+") as file:
        file["model_weights/elsewhere"] = h5py.ExternalLink("other.h5", "/")
    with pytest.raises(ConfiguralError, match="elsewhere is a link"):
        models.open(path)


@pytest.mark.usefixtures("blank_figures")
def test_command(tmp_path):
    """HDF5 under the name .keras, as TensorFlow 2.12 writes it, and a layout."""
    functional(768, out=(2, "softmax")).save(tmp_path / "net.h5")
    (tmp_path / "net.h5").rename(tmp_path / "net.keras")
    common = ("audit", tmp_path / "net.keras", "--source", "synthetic:3", "--pairs", "4")
    common += ("--probe", "forced_choice")
    assert_one_line(configural(*common, "--out", tmp_path / "a"), "--layout")
    done = configural(*common, "--layout", "chw", "--out", tmp_path / "a")
    assert done.returncode == 0, done.stderr
    said = json.loads((tmp_path / "a" / "audit.json").read_text("utf-8"))
    assert "in a row (chw)" in json.dumps(said)


@pytest.mark.parametrize("last", ["dense", "activation", "nested"])
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_one_sigmoid_says_itself_what_it_gives(images, tmp_path, last, suffix):
    """The commonest last layer; nobody has to say that it gives probabilities."""
    inputs = keras().Input((32, 32, 3))
    x = layers().GlobalAveragePooling2D()(layers().Rescaling(1 / 255)(inputs))
    if last == "dense":
        outputs = layers().Dense(1, activation="sigmoid")(x)
    elif last == "activation":
        outputs = layers().Activation("sigmoid")(layers().Dense(1)(x))
    else:
        outputs = keras().Sequential([keras().Input((3,)), layers().Dense(1, activation="sigmoid")])(x)
    model = keras().Model(inputs, outputs)
    model.save(tmp_path / f"model.{suffix}")
    opened = models.open(tmp_path / f"model.{suffix}", positive=1)
    probability = model.predict_on_batch(images.astype(np.float32))[:, 0].astype(float)
    np.testing.assert_allclose(opened.log_odds(images), np.log(probability / (1 - probability)), atol=1e-4)


@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_layers_larger_than_their_weights_are_refused_before_they_are_made(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"net.{suffix}"
    functional(8, 8, 3, out=(2, None)).save(path)
    reconfigure(path, lambda text: text.replace('"units": 2', f'"units": {10**9}'))
    made = []
    monkeypatch.setattr(keras().Variable, "_initialize", lambda self, value: made.append(self.path))
    with pytest.raises(ConfiguralError, match=f"^{path}: Keras cannot load it"):
        models.open(path)
    assert made == []
