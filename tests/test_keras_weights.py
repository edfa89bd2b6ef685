"""Keras files, against Keras 3 itself and against files written by hand in the older layouts."""

import functools
import json
import pickle
from pathlib import Path

import h5py
import keras_study
import numpy as np
import pytest
import torch

from configural import models
from configural.errors import ConfiguralError
from configural.models import create, load_keras, preprocess, save_keras, summarise

NAMES = ("cnn-15", "cnn-13", "fcn-16", "fcn-14")
NAMES_AND_SIZES = [*((name, 64) for name in NAMES), ("cnn-15", 224), ("fcn-14", 224)]


def softmax(network, rgb):
    with torch.no_grad():
        logits = network(preprocess(torch.from_numpy(rgb).permute(0, 3, 1, 2)))
    return logits.softmax(dim=1).numpy()


def assert_same_answers(model, network, image_size):
    rgb = keras_study.images(4, image_size)
    expected = keras_study.softmax(model, rgb)
    assert 1e-3 < expected.min() < expected.max() < 1 - 1e-3  # a saturated softmax would hide differences
    assert np.ptp(expected[:, 0]) > 1e-3
    np.testing.assert_allclose(softmax(network, rgb), expected, rtol=0, atol=1e-5)


@functools.cache
def rough_model(name, image_size):
    keras_study.import_keras().utils.set_random_seed(1)
    model = keras_study.build(name, image_size)
    keras_study.roughen(model)
    return model


def rough_network(name, image_size):
    torch.manual_seed(2)
    network = create(name, image_size)
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if key.endswith("bias"):
                value.uniform_(-0.3, 0.3)
        network.BN_1.weight.uniform_(0.5, 1.5)
        network.BN_1.running_mean.uniform_(0, 60)
        network.BN_1.running_var.uniform_(500, 3000)
    return network.eval()


@pytest.mark.parametrize(("name", "image_size"), NAMES_AND_SIZES)
def test_a_keras_model_loaded_here_answers_alike(name, image_size, tmp_path):
    model = rough_model(name, image_size)
    model.save(tmp_path / "model.h5")
    network = load_keras(tmp_path / "model.h5")
    assert (network.name, network.image_size, network.training) == (name, image_size, False)
    assert_same_answers(model, network, image_size)


@pytest.mark.parametrize(("name", "image_size"), NAMES_AND_SIZES)
def test_a_network_saved_here_answers_alike_and_trains_on_in_keras_as_one_built_there(name, image_size, tmp_path):
    keras = keras_study.import_keras()
    network = rough_network(name, image_size)
    save_keras(network, tmp_path / "model.h5")
    model = keras.models.load_model(tmp_path / "model.h5", compile=False)
    assert_same_answers(model, network, image_size)
    reference = keras_study.build(name, image_size)
    ignored = {"kernel_initializer", "dtype"}  # for these Keras has two ways to say the same
    for ours, theirs in zip(model.layers, reference.layers, strict=True):
        assert (type(ours), ours.name) == (type(theirs), theirs.name)
        expected = {key: value for key, value in theirs.get_config().items() if key not in ignored}
        assert {key: ours.get_config()[key] for key in expected} == expected
    assert model.count_params() == reference.count_params()
    reference.load_weights(tmp_path / "model.h5")
    assert_same_answers(reference, network, image_size)


@pytest.mark.parametrize("with_names", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_keras_3_weights_alone(name, with_names, tmp_path):
    model = rough_model(name, 64)
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    with h5py.File(path, "r+") as file:
        holders = [layer["vars"] for layer in file["layers"].values()]
        assert {"Conv_1", "BN_1"} < {holder.attrs["name"] for holder in holders}
        if not with_names:  # as Keras 3.4 and TensorFlow 2.15 wrote it
            for holder in holders:
                del holder.attrs["name"]
    network = load_keras(path, 64)
    assert network.name == name
    assert_same_answers(model, network, 64)


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_tensorflow_2_12_to_2_14_weights_alone(name, step, tmp_path):
    """They lie elsewhere and carry no names; 2.12 and 2.13 count convolutions in twos."""
    model = rough_model(name, 64)
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    with h5py.File(path, "r+") as file:
        file.move("layers", "_layer_checkpoint_dependencies")
        layers = file["_layer_checkpoint_dependencies"]
        for layer in layers.values():
            del layer["vars"].attrs["name"]
        for number in range(5, 0, -1):
            if f"conv2d_{number}" in layers:
                layers.move(f"conv2d_{number}", f"conv2d_{step * number}_")
                layers.move(f"conv2d_{step * number}_", f"conv2d_{step * number}")
    network = load_keras(path, 64)
    assert network.name == name
    assert_same_answers(model, network, 64)


@pytest.mark.parametrize("name", NAMES)
def test_layers_have_the_shapes_of_keras_at_an_odd_size(name):
    model = keras_study.build(name, 100)
    expected = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    for layer in summarise(create(name, 100)).layers:
        *positions, channels = expected.pop(layer.name)
        assert layer.output_shape == (channels, *positions)
    assert not expected


def test_an_odd_size_gives_the_same_answers(tmp_path):
    model = rough_model("cnn-15", 100)
    model.save(tmp_path / "model.h5")
    network = load_keras(tmp_path / "model.h5")
    assert network.image_size == 100
    assert_same_answers(model, network, 100)


# From here on Keras is not needed.


def random_weights(name, image_size, seed=0):
    """Layers of a network with arrays as Keras shapes them."""
    rng = np.random.default_rng(seed)
    blocks = 5 if name in ("cnn-15", "fcn-16") else 4
    channels = (3, 32, 64, 128, 256, 512)[: blocks + 1]
    shapes = {f"Conv_{block}": (3, 3, channels[block - 1], channels[block]) for block in range(1, blocks + 1)}
    if name.startswith("cnn"):
        shapes["D_con"] = ((image_size // 2**blocks) ** 2 * channels[-1], 2)
    else:
        shapes["Conv_con"] = (1, 1, channels[-1], 2)
    weights = {}
    for layer, shape in shapes.items():
        weights[layer] = {"kernel": rng.normal(size=shape), "bias": rng.normal(size=shape[-1])}
    weights["BN_1"] = {
        variable: rng.uniform(0.5, 1, 32) for variable in ("moving_variance", "beta", "moving_mean", "gamma")
    }
    return {
        layer: {variable: value.astype(np.float32) for variable, value in variables.items()}
        for layer, variables in weights.items()
    }


def write_as_keras_2(path, weights, config=None, whole=True):
    """The layout of Keras 2: names as arrays of bytes, datasets nested twice, groups in any order."""
    with h5py.File(path, "w") as file:
        if config is not None:
            file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = b"2.4.0"
        group = file.create_group("model_weights") if whole else file
        group.attrs["layer_names"] = np.array([b"Max_1", *(layer.encode() for layer in weights)])
        group.create_group("Max_1").attrs["weight_names"] = np.array([])
        for layer, variables in sorted(weights.items(), reverse=True):
            layer_group = group.create_group(layer)
            layer_group.attrs["weight_names"] = np.array([f"{layer}/{v}:0".encode() for v in variables])
            for variable, value in variables.items():
                layer_group[f"{layer}/{variable}:0"] = value
        if whole:
            file["optimizer_weights/Adam/m/Conv_1/kernel:0"] = np.zeros((3, 3, 3, 32), np.float32)


def keras_2_config(name, input_shape):
    """As older versions of Keras 2 wrote it: the input shape in the first layer, layers in a plain list."""
    layers = []

    def add(kind, layer, **settings):
        shape = {"batch_input_shape": input_shape} if not layers else {}
        common = {"name": layer, "trainable": True, "dtype": "float32", "activation": "linear"}
        layers.append({"class_name": kind, "config": {**common, **shape, **settings}})

    def convolution(layer, filters, size, **settings):
        rest = {"strides": [1, 1], "data_format": "channels_last", "dilation_rate": [1, 1], "use_bias": True}
        glorot = {"class_name": "GlorotUniform", "config": {"seed": None}}
        rest |= {"kernel_initializer": glorot, "bias_constraint": None, "padding": "valid"}
        add("Conv2D", layer, filters=filters, kernel_size=[size, size], **(rest | settings))

    for block in range(1, (5 if name in ("cnn-15", "fcn-16") else 4) + 1):
        convolution(f"Conv_{block}", 16 * 2**block, 3, padding="same", activation="relu")
        pool = {"strides": [2, 2], "padding": "valid", "data_format": "channels_last"}
        add("MaxPooling2D", f"Max_{block}", pool_size=[2, 2], **pool)
        if block in (1, 3):
            add("Dropout", f"DO_{block}", rate=0.2, noise_shape=None, seed=None)
        if block == 1:
            add("BatchNormalization", "BN_1", axis=[3], momentum=0.99, epsilon=0.001, center=True, scale=True)
    if name.startswith("cnn"):
        add("Flatten", "Flat_con", data_format="channels_last")
        add("Dense", "D_con", units=2, use_bias=True, activation="softmax")
    else:
        convolution("Conv_con", 2, 1)
        add("GlobalMaxPooling2D", "GMax_con", data_format="channels_last")
        add("Activation", "softmax", activation="softmax")
    return {"class_name": "Sequential", "config": layers}


def assert_holds(network, weights):
    state = network.state_dict()
    for layer, variables in weights.items():
        if layer == "BN_1":
            names = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean"}
            names["moving_variance"] = "running_var"
        else:
            names = {"kernel": "weight", "bias": "bias"}
        for keras_name, name in names.items():
            expected = variables[keras_name]
            expected = keras_study.out_first(expected) if keras_name == "kernel" else expected
            np.testing.assert_array_equal(state[f"{layer}.{name}"].numpy(), expected)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_keras_2_files(name, whole, tmp_path):
    weights = random_weights(name, 64)
    config = keras_2_config(name, [None, 64, 64, 3]) if whole else None
    write_as_keras_2(tmp_path / "model.h5", weights, config, whole)
    random_state = torch.get_rng_state()
    network = load_keras(str(tmp_path / "model.h5"), image_size=None if whole else 64)
    assert torch.get_rng_state().equal(random_state)
    assert (network.name, network.image_size) == (name, 64)
    assert_holds(network, weights)


def write_as_keras_3(path, weights, names):
    """Weights alone as Keras 3 writes them: classes for names, places for variables, names noted beside."""
    order = ("kernel", "gamma", "bias", "beta", "moving_mean", "moving_variance")
    with h5py.File(path, "w") as file:
        for group, name in names.items():
            variables = file.create_group(f"layers/{group}/vars")
            variables.attrs["name"] = name
            layer = weights.get(name, weights["Conv_1"])
            for place, variable in enumerate(sorted(layer, key=order.index)):
                variables[str(place)] = layer[variable]
        file["optimizer/vars/1"] = np.zeros((3, 3, 3, 32))


def test_names_in_keras_3_weights_count_more_than_classes(tmp_path):
    weights = random_weights("fcn-14", 64)
    names = {"conv2d": "Conv_con", "conv2d_1": "Conv_4", "conv2d_2": "Conv_3", "conv2d_3": "Conv_2"}
    names |= {"special_convolution": "Conv_1", "layer": "BN_1"}
    write_as_keras_3(tmp_path / "model.weights.h5", weights, names)
    assert_holds(load_keras(tmp_path / "model.weights.h5"), weights)

    names = {f"conv2d_{place}" if place else "conv2d": f"stem_{place}" for place in range(5)}
    write_as_keras_3(tmp_path / "model.weights.h5", weights, names | {"batch_normalization": "BN_1"})
    refused(tmp_path / "model.weights.h5", "not one of the study's networks.*'stem_0'")


def test_numbers_of_other_widths_are_read(tmp_path):
    weights = random_weights("fcn-14", 64)
    halves = {
        layer: {v: value.astype(np.float16 if v == "bias" else ">f8") for v, value in variables.items()}
        for layer, variables in weights.items()
    }
    write_as_keras_2(tmp_path / "model.h5", halves)
    network = load_keras(tmp_path / "model.h5")
    assert all(value.dtype == torch.float32 for value in network.parameters())
    np.testing.assert_array_equal(
        network.state_dict()["Conv_2.bias"].numpy(), weights["Conv_2"]["bias"].astype(np.float16)
    )
    np.testing.assert_array_equal(network.state_dict()["BN_1.bias"].numpy(), weights["BN_1"]["beta"])


@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_comes_back_as_it_was(name, tmp_path):
    network = rough_network(name, 100)
    save_keras(network, tmp_path / "model.h5")
    save_keras(network, tmp_path / "again.h5")
    assert (tmp_path / "model.h5").read_bytes() == (tmp_path / "again.h5").read_bytes()
    loaded = load_keras(tmp_path / "model.h5")
    assert (loaded.name, loaded.image_size) == (name, 100)
    expected, got = network.state_dict(), loaded.state_dict()
    assert all(expected[key].equal(got[key]) for key in expected)


@pytest.mark.parametrize(
    ("config", "stated", "size"),
    [
        (None, None, 96),  # the smallest that gives the 3×3 units of 100 pixels
        (None, 100, 100),
        ([None, 100, 100, 3], None, 100),
        ([None, None, None, 3], None, 96),
        ([None, 100, 100, 3], 127, 127),
    ],
)
def test_image_size_of_a_cnn(config, stated, size, tmp_path):
    weights = random_weights("cnn-15", 100)
    write_as_keras_2(tmp_path / "model.h5", weights, config and keras_2_config("cnn-15", config))
    network = load_keras(tmp_path / "model.h5", stated)
    assert network.image_size == size
    assert_holds(network, weights)


@pytest.mark.parametrize(
    ("config", "stated", "size"),
    [
        (None, None, 224),
        (None, 64, 64),
        ([None, 100, 100, 3], None, 100),
        ([None, None, None, 3], None, 224),
        ([None, 100, 100, 3], 64, 64),
    ],
)
def test_image_size_of_a_fully_convolutional_network(config, stated, size, tmp_path):
    config = config and keras_2_config("fcn-14", config)
    write_as_keras_2(tmp_path / "model.h5", random_weights("fcn-14", 100), config)
    assert load_keras(tmp_path / "model.h5", stated).image_size == size


def refused(path, culprit, image_size=None):
    with pytest.raises(ConfiguralError, match=culprit) as caught:
        load_keras(path, image_size)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("config", "stated"), [(None, 64), (None, 128), ([None, 64, 64, 3], None), ([None, 100, 100, 3], 95)]
)
def test_contradicting_image_sizes_are_refused(config, stated, tmp_path):
    path = tmp_path / "model.h5"
    write_as_keras_2(path, random_weights("cnn-15", 100), config and keras_2_config("cnn-15", config))
    refused(path, "image size .* contradicts .* 4608 values: .* cnn-15 for images of 96 to 127", stated)


@pytest.mark.parametrize(
    "shape", [[None, 64, 100, 3], [None, 3, 64, 64], [None, 64, 64, 1], [None, 64.5, 64.5, 3], "64", [64]]
)
def test_models_for_other_images_are_refused(shape, tmp_path):
    path = tmp_path / "model.h5"
    write_as_keras_2(path, random_weights("fcn-14", 64), keras_2_config("fcn-14", shape))
    refused(path, "expected square colour images")


@pytest.mark.parametrize("config", [b"{", b"[" * 60_000, b"7", b'{"config": "batch_shape"}', b"\xff\xfe", 3.5])
def test_a_senseless_configuration_is_refused(config, tmp_path):
    """What the network did where it was trained cannot be known."""
    path = tmp_path / "model.h5"
    write_as_keras_2(path, random_weights("fcn-14", 64))
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = config
    refused(path, "damaged, its model configuration")


def test_missing_files_and_folders_are_refused(tmp_path):
    refused(tmp_path / "model.h5", "no such file")
    refused(tmp_path, "no such file")


def test_files_that_are_no_hdf5_are_refused(tmp_path):
    path = tmp_path / "model.h5"
    for content in (b"", b"PK\x03\x04 a .keras archive", b"\x89HDF\r\n\x1a\n"):
        path.write_bytes(content)
        refused(path, "not a readable HDF5 file")


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
def test_truncated_files_are_refused(share, tmp_path):
    path = tmp_path / "model.h5"
    save_keras(rough_network("fcn-14", 64), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path, "not a readable HDF5 file")


def test_types_that_numpy_does_not_know_are_refused(tmp_path):
    path = tmp_path / "model.h5"
    write_as_keras_2(path, random_weights("fcn-14", 64))
    with h5py.File(path, "r+") as file:
        group = file["model_weights/Conv_1/Conv_1"]
        del group["bias:0"]
        space = h5py.h5s.create_simple((32,))
        h5py.h5d.create(group.id, b"bias:0", h5py.h5t.UNIX_D32LE, space)
    refused(path, "not a readable HDF5 file")


def test_files_of_other_networks_are_refused(tmp_path):
    path = tmp_path / "model.h5"
    kernel = {"kernel": np.zeros((3, 3, 3, 64), np.float32), "bias": np.zeros(64, np.float32)}
    write_as_keras_2(path, {f"block{n}\nconv": kernel for n in range(16)})
    refused(path, r"not one of the study's networks.*D_con or Conv_con.*'block0\\nconv'.* and 13 more")
    write_as_keras_2(path, {})
    refused(path, "has them in no layer")
    with h5py.File(path, "w"):
        pass
    refused(path, "has them in no layer")
    with h5py.File(path, "w") as file:
        file["measurements"] = np.zeros(3)
        file[b"mesures brutes \xe9"] = np.zeros(3)  # not in UTF-8
    refused(path, "has them in 'measurements'")


@pytest.mark.parametrize("missing", ["Conv_1", "Conv_4", "BN_1", "Conv_con"])
def test_a_network_without_a_layer_is_refused(missing, tmp_path):
    weights = random_weights("fcn-14", 64)
    del weights[missing]
    write_as_keras_2(tmp_path / "model.h5", weights)
    refused(tmp_path / "model.h5", "not one of the study's networks")


@pytest.mark.parametrize(
    ("layer", "variable", "value", "culprit"),
    [
        (
            "Conv_2",
            "kernel",
            np.zeros((3, 3, 64, 32), np.float32),
            "kernel of Conv_2 .*expects .3, 3, 32, 64",
        ),
        ("Conv_2", "kernel", np.zeros((5, 5, 32, 64), np.float32), r"\(5, 5, 32, 64\)"),
        ("BN_1", "moving_mean", np.zeros(64, np.float32), r"moving_mean of BN_1 .*\(64,\).*\(32,\)"),
        ("D_con", "kernel", np.zeros((4 * 4 * 256, 3), np.float32), r"kernel of D_con .*\(4096, 3\)"),
        (
            "D_con",
            "kernel",
            np.zeros((4 * 5 * 256, 2), np.float32),
            "5120 values.* no square .* 256 channels",
        ),
        ("D_con", "kernel", np.zeros((0, 2), np.float32), "0 values"),
        ("Conv_4", "bias", np.zeros(0, np.float32), "4096 values.* no square .* 0 channels"),
        ("Conv_4", "bias", np.float32(0), "Conv_4 has no bias, only 'kernel'"),
        ("Conv_4", "bias", h5py.Empty("f"), "Conv_4 has no bias, only 'kernel'"),
        ("Conv_2", "bias", None, "Conv_2 has no bias, only 'kernel'"),
        ("Conv_2", "bias", np.zeros(64, int), "bias of Conv_2 is not an array of floating-point"),
        ("Conv_2", "bias", np.array([b"nonsense"] * 64), "bias of Conv_2 is not an array of floating-point"),
    ],
)
def test_wrong_variables_are_refused(layer, variable, value, culprit, tmp_path):
    weights = random_weights("cnn-13", 64)
    if value is None:
        del weights[layer][variable]
    else:
        weights[layer][variable] = value
    write_as_keras_2(tmp_path / "model.h5", weights)
    refused(tmp_path / "model.h5", culprit)


class Trap:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def test_nothing_in_a_file_is_executed(tmp_path):
    mark = tmp_path / "mark"
    trap = pickle.dumps(Trap(mark))
    pickle.loads(trap)
    assert mark.exists()  # the trap works
    mark.unlink()

    code = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    function = [code, None, None]
    danger = {"class_name": "Lambda", "config": {"name": "Conv_9", "function": function, "code": code}}
    config = keras_2_config("fcn-14", [None, 64, 64, 3])
    config["config"] += [danger, {"class_name": "__lambda__", "module": "os", "config": {"value": code}}]
    path = tmp_path / "model.h5"
    weights = random_weights("fcn-14", 64)
    write_as_keras_2(path, weights, config)
    with h5py.File(path, "r+") as file:
        file.attrs["training_config"] = np.void(trap)
        file["model_weights"].attrs["layer_names"] = np.void(trap)
        file["model_weights/Max_1/pickled"] = np.void(trap)
        file["pickled"] = np.frombuffer(trap, np.uint8)
    refused(path, r"'Conv_9' \(Lambda .* where the study's network has nothing")
    with pytest.raises(
        ConfiguralError, match="its layer 'Conv_9', a Lambda, is of no known kind and might run code"
    ):
        models.open(path)
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = np.void(trap)
    refused(path, "damaged, its model configuration")
    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]
    assert_holds(load_keras(path), weights)
    assert not mark.exists()

    with h5py.File(path, "r+") as file:
        del file["model_weights/Conv_1/Conv_1/bias:0"]
        file["model_weights/Conv_1/Conv_1/bias:0"] = np.full(32, np.void(trap))
    refused(path, "bias of Conv_1 is not an array of floating-point numbers")
    assert not mark.exists()


def test_no_other_file_is_read(tmp_path):
    """Links, external storage and virtual datasets would lead out of the file."""
    weights = random_weights("fcn-14", 64)
    write_as_keras_2(tmp_path / "other.h5", weights)
    path = tmp_path / "model.h5"
    write_as_keras_2(path, weights)
    with h5py.File(path, "r+") as file:
        del file["model_weights/Conv_1"]
        file["model_weights/Conv_1"] = h5py.ExternalLink("other.h5", "/model_weights/Conv_1")
        assert file["model_weights/Conv_1/Conv_1/bias:0"].shape == (32,)
    refused(path, "not one of the study's networks")

    write_as_keras_2(path, weights)
    (tmp_path / "raw").write_bytes(bytes(128))
    with h5py.File(path, "r+") as file:
        del file["model_weights/Conv_1/Conv_1/bias:0"]
        group = file["model_weights/Conv_1/Conv_1"]
        group.create_dataset("bias:0", (32,), np.float32, external=[(str(tmp_path / "raw"), 0, 128)])
    refused(path, "bias of Conv_1 lies in another file")

    write_as_keras_2(path, weights)
    layout = h5py.VirtualLayout((32,), np.float32)
    layout[:] = h5py.VirtualSource("other.h5", "model_weights/Conv_1/Conv_1/bias:0", (32,))
    with h5py.File(path, "r+") as file:
        del file["model_weights/Conv_1/Conv_1/bias:0"]
        file["model_weights/Conv_1/Conv_1"].create_virtual_dataset("bias:0", layout)
    refused(path, "bias of Conv_1 lies in another file")


def test_more_numbers_than_the_file_holds_are_refused(tmp_path):
    path = tmp_path / "model.h5"
    write_as_keras_2(path, random_weights("cnn-15", 64))
    with h5py.File(path, "r+") as file:
        del file["model_weights/D_con/D_con/kernel:0"]
        claimed = (512 * 100_000**2, 2)  # 40 terabytes
        file["model_weights/D_con/D_con"].create_dataset("kernel:0", claimed, np.float32, chunks=(512, 2))
    assert path.stat().st_size < 10_000_000
    refused(path, "kernel of D_con claims more numbers than the file holds")
