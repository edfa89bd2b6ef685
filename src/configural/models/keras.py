"""Keras's files: the study's networks, read and written with h5py alone, and any other by Keras itself.

Four layouts are read: a whole model in HDF5 (`model.save("x.h5")` of Keras 2 and 3), a `.keras` archive, and
weights alone as Keras 2 and as Keras 3 (and TensorFlow from 2.12 on) write them. What is written is a whole model
in HDF5 that both open. Numbers and names are all that is taken from a file; nothing in it is ever executed.
"""

import io
import json
import re
import zipfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from math import isqrt
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor, nn

from configural.errors import ConfiguralError
from configural.io import files
from configural.models.networks import recreate
from configural.models.opening import PIXELS, Options
from configural.models.outputs import OpenedClassifier
from configural.models.study_networks import ARCHITECTURES, Architecture, GlobalMaxPool, StudyNet
from configural.models.torch_modules import open_module
from configural.models.weights import check_numbers

_Variables = dict[str, h5py.Dataset]
_Step = tuple[Any, Any, dict[str, Any]]

# What Keras calls the weights, in the order in which Keras 3 numbers them, and what PyTorch does.
_KERNEL_AND_BIAS = (("kernel", "weight"), ("bias", "bias"))
_BATCH_NORM = (
    ("gamma", "weight"),
    ("beta", "bias"),
    ("moving_mean", "running_mean"),
    ("moving_variance", "running_var"),
)

_ROOTS = ("model_weights", "layers", "_layer_checkpoint_dependencies")
"""Where layers lie: in a whole model, in Keras 3's weights, and in those of TensorFlow 2.12 to 2.14."""

_LARGEST_ARCHIVE = 2**30
"""Bytes in a `.keras` archive that is not as large itself; the study's largest has 20 million with its moments."""


class OtherNetworkError(ConfiguralError):
    """A whole model in a Keras file is none of the study's."""


def load_keras(path: Path | str, image_size: int | None = None) -> StudyNet:
    """Read one of the study's networks from a Keras file.

    Which of the four it is follows from the layers in the file.

    Args:
        path: A whole model or weights alone (`.h5`, `.keras`, `.weights.h5`).
        image_size: Rows and columns of the network's input. Left out, the file decides: by its model
            configuration, else by the size of its dense layer, else it is 224, the study's.

    Returns:
        The network in evaluation mode, on the CPU.

    Raises:
        ConfiguralError: If the file is missing or damaged, holds another network, or contradicts the image size.
    """
    path = Path(path)
    with opened_file(path) as (file, config):
        network = _read(file, config, image_size)
    check_numbers(network, path)
    return network.eval()


def open_keras(path: Path, options: Options) -> OpenedClassifier:
    """One of the study's networks, without its softmax, so that it gives logits; or any other, by Keras itself."""
    try:
        network = load_keras(path, options.image_size)
    except OtherNetworkError as error:
        from configural.models.keras_itself import open_other

        return open_other(path, options, why=error)
    options.refuse(*PIXELS, "layout", because=f"{path} is of the study, which says what it takes")
    kind = "a Keras file of the study"
    return open_module(network, options, kind=kind, known="logits", size=network.image_size)


@contextmanager
def opened_file(path: Path) -> Generator[tuple[h5py.File, Any]]:
    """The weights of a Keras file, and its configuration; None if it holds weights alone.

    Raises:
        ConfiguralError: If it is missing or damaged; what else is raised inside names the file, too.
    """
    if not path.is_file():
        raise ConfiguralError(f"{path}: there is no such file; expected a Keras model saved as .h5 or .keras")
    try:
        if zipfile.is_zipfile(path):
            config, weights = _unpacked(path)
            with h5py.File(io.BytesIO(weights), "r") as file:
                yield file, _json(config)
        else:
            with h5py.File(path, "r") as file:
                config = file.attrs.get("model_config")
                yield file, None if config is None else _json(config)
    except ConfiguralError as error:
        raise type(error)(f"{path}: {error}") from error
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        # h5py has all of these for damaged files.
        raise ConfiguralError(
            f"{path}: not a readable HDF5 file; expected a Keras model saved as .h5 ({error})"
        ) from error


def _unpacked(path: Path) -> tuple[bytes, bytes]:
    """The configuration and the weights in a `.keras` archive."""
    with zipfile.ZipFile(path) as archive:
        members = [archive.getinfo(name) for name in ("config.json", "model.weights.h5")]
        claimed = max(member.file_size for member in archive.infolist())
        if claimed > max(_LARGEST_ARCHIVE, path.stat().st_size):
            raise ConfiguralError(f"claims {claimed} bytes, more than the file holds")
        config, weights = map(archive.read, members)
        return config, weights


def _json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfiguralError(f"damaged, its model configuration cannot be read ({error})") from error


def save_keras(network: nn.Module, path: Path | str) -> None:
    """Write a network as a whole Keras model.

    Keras takes it by `keras.models.load_model(path)`, or by `model.load_weights(path)` into a model of the
    same layers. Keras goes by the file's name: it must end in `.h5`, but not in `.weights.h5`.

    Raises:
        ConfiguralError: If it is not one of the study's.

    Example:
        >>> import tempfile
        >>> from configural.models import create
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_keras(create("cnn-13", 64), f"{folder}/net.h5")
        ...     load_keras(f"{folder}/net.h5").name
        'cnn-13'
    """
    if not isinstance(network, StudyNet):
        raise ConfiguralError(f"a {type(network).__name__} has no Keras form; only the study's networks have")
    layers = _keras_layers(network)
    weights: dict[str, dict[str, np.ndarray]] = {name: {} for name in layers}
    for layer, variable, _, tensor, shape in _weights(network):
        weights[layer][f"{layer}/{variable}:0"] = tensor.cpu().reshape(shape).contiguous().numpy()
    size = [network.image_size] * 2
    images = {"name": "images", "batch_input_shape": [None, *size, 3], "dtype": "float32"}
    config = {"name": network.name, "layers": [{"class_name": "InputLayer", "config": images}, *layers.values()]}
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        group = file.create_group("model_weights")
        for holder in (file, group):
            # The layout is that of Keras 2.4; Keras 3 reads it as well.
            holder.attrs["keras_version"] = "2.4.0"
            holder.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config})
        group.attrs["layer_names"] = _names(weights)
        for layer, variables in weights.items():
            layer_group = group.create_group(layer)
            layer_group.attrs["weight_names"] = _names(variables)
            for variable, values in variables.items():
                layer_group[variable] = values
    files.write_bytes(Path(path), content.getvalue())


def _read(file: h5py.File, config: Any, image_size: int | None) -> StudyNet:
    layers = _layers(file)
    chosen = _architecture(layers, OtherNetworkError if config is not None else ConfiguralError)
    configured = _size_in_config(config)
    size = _image_size(layers, chosen, configured if image_size is None else image_size)
    network = recreate(chosen.name, size)
    assert isinstance(network, StudyNet)
    _check_config(config, network)
    for layer, variable, position, tensor, expected in _weights(network):
        dataset = _dataset(layers, layer, variable, position)
        if dataset.shape != expected:
            raise ConfiguralError(
                f"the {variable} of {layer} has the shape {dataset.shape}; {chosen.name} expects {expected}"
            )
        tensor.copy_(torch.from_numpy(dataset[()].astype(np.float32)).view(tensor.shape))
    return network


def _layers(file: h5py.File) -> dict[str, _Variables]:
    """The layers that have weights: their names, and their datasets by name or (in Keras 3) by position.

    A dataset's path is `model_weights/Conv_1/…/kernel:0` in a whole model, `Conv_1/…/kernel:0` in the weights
    of Keras 2, and `layers/conv2d/vars/0` in those of Keras 3. Keras 3 leaves the `:0` out.
    """
    datasets: _Variables = {}

    def note(name: str | bytes, item: h5py.Group | h5py.Dataset) -> None:
        # A name that is no UTF-8 stays bytes; no layer of the study has such a name. Nor is one a single number.
        if isinstance(name, str) and isinstance(item, h5py.Dataset) and item.shape:
            datasets[name] = item

    file.visititems(note)  # goes along hard links alone, so never to another file
    root = next((f"{group}/" for group in _ROOTS if group in file), "")
    layers: dict[str, _Variables] = {}
    for name, dataset in datasets.items():
        if name.startswith(root):
            parts = name.removeprefix(root).split("/")
            layers.setdefault(parts[0], {})[parts[-1].removesuffix(":0")] = dataset
    return _named(layers) if root in ("layers/", f"{_ROOTS[2]}/") else layers


def _named(groups: dict[str, _Variables]) -> dict[str, _Variables]:
    """Layers by their own names, from groups named by their class and a number that rises with the layers.

    Newer versions of Keras 3 note the name beside the variables; older ones do not.
    """
    named: dict[str, _Variables] = {}
    block = 0
    for group in sorted(groups, key=lambda name: int((re.findall(r"_(\d+)$", name) or ["0"])[0])):
        variables = groups[group]
        first = next(iter(variables.values()))
        name = first.parent.attrs.get("name")
        if not isinstance(name, str):
            name = {"batch_normalization": "BN_1", "dense": "D_con"}.get(group, group)
            if group.startswith("conv2d") and first.shape[:2] == (1, 1):
                name = "Conv_con"
            elif group.startswith("conv2d"):
                block += 1
                name = f"Conv_{block}"
        named[name] = variables
    return named


def _architecture(layers: dict[str, _Variables], otherwise: type[ConfiguralError]) -> Architecture:
    """The network that has just these layers."""
    for candidate in ARCHITECTURES:
        convolutions = {f"Conv_{block}" for block in range(1, candidate.convolutions + 1)}
        head = "Conv_con" if candidate.fully_convolutional else "D_con"
        if layers.keys() == {*convolutions, "BN_1", head}:
            return candidate
    names = [repr(name) for name in layers]
    found = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    raise otherwise(
        f"not one of the study's networks, which have weights in Conv_1 to Conv_4 or Conv_5, BN_1, "
        f"and D_con or Conv_con; this file has them in {found or 'no layer'}"
    )


def _size_in_config(config: Any) -> int | None:
    """Rows and columns of the input by the model configuration, None if that says nothing."""
    match shape := _input_shape(config):
        case None | [_, None, None, 3]:
            return None
        case [_, int(rows), int(columns), 3] if rows == columns:
            return rows
    raise ConfiguralError(
        f"the model takes input of the shape {str(shape)[:80]}; expected square colour images, "
        "[null, size, size, 3]"
    )


def _input_shape(config: Any) -> Any:
    """The first input shape anywhere in a model configuration: that of the input layer."""
    if isinstance(config, dict):
        for key in ("batch_shape", "batch_input_shape"):
            if key in config:
                return config[key]
        config = list(config.values())
    if isinstance(config, list):
        return next((shape for part in config if (shape := _input_shape(part)) is not None), None)
    return None


def _check_config(config: Any, network: StudyNet) -> None:
    """Raise if a whole model does anything else than the study's network, in anything that changes its numbers."""
    if config is None:
        return
    try:
        found = _steps(config)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfiguralError("damaged, its model configuration describes no layers") from error
    wanted = _steps({"config": [*_keras_layers(network).values()]})
    for theirs, ours in zip_longest(found, wanted, fillvalue=_NOTHING):
        gives_logits = theirs is _NOTHING and ours[2] == {"activation": "softmax"}
        if theirs[1:] != ours[1:] and not gives_logits:
            raise OtherNetworkError(f"has {_shown(theirs)} as a layer where the study's network has {_shown(ours)}")


_NOTHING: _Step = ("", "nothing", {})


def _shown(step: _Step) -> str:
    name, kind, settings = step
    said = " ".join([str(kind), *(f"{key}={value}" for key, value in settings.items())])
    return f"{str(name)[:40]!r} ({said[:90]})" if name else said


_DEFAULTS: dict[str, tuple[Any, ...]] = {
    **{"padding": ("valid",), "dilation_rate": ([1, 1],), "groups": (1,), "use_bias": (True,)},
    **{"data_format": ("channels_last",), "axis": (-1, 3, [3]), "epsilon": (1e-3,)},
    **{"center": (True,), "scale": (True,)},
}
"""What layers do where their settings say nothing else, in all the ways in which it may be said."""

_TRAINING = re.compile(
    "name|trainable|dtype|.*momentum|batch_(input_)?shape|.*_(initializer|regularizer|constraint)"
)
"""Settings that change nothing after training."""


def _steps(config: Any) -> list[_Step]:
    """What a chain of layers does one after the other: name, class, settings; an activation is a step of its own.

    What changes nothing after training is left out.
    """
    inner = config["config"]
    layers = inner if isinstance(inner, list) else inner["layers"]
    names = [layer["config"].get("name") for layer in layers]
    if "output_layers" in inner:  # a functional model, whose layers may take what any others give
        taken = [*(layer["inbound_nodes"] for layer in layers), inner["output_layers"]]
        for name, before, nodes in zip([*names, "output"], [None, *names], taken, strict=True):
            if _mentioned(nodes, names) != [before][before is None :]:
                raise OtherNetworkError(f"its layer {str(name)[:40]!r} does not follow the one before alone")
    steps: list[_Step] = []
    for layer in layers:
        kind, settings = layer["class_name"], layer["config"]
        name, activation = settings.get("name", kind), settings.get("activation") or "linear"
        if kind in ("ReLU", "Softmax"):
            kind, activation = "Activation", kind.lower()
        defaults = {**_DEFAULTS, "strides": (settings.get("pool_size", [1, 1]),), "activation": (activation,)}
        counting = {
            key: value
            for key, value in settings.items()
            if not _TRAINING.fullmatch(key) and value not in defaults.get(key, (False, 0)) and value is not None
        }
        if kind not in ("InputLayer", "Dropout", "Activation"):
            steps.append((name, kind, counting))
            counting = {}
        if activation != "linear":
            steps.append((name, "Activation", {"activation": activation, **counting}))
    return steps


def _mentioned(part: Any, names: list[Any]) -> list[Any]:
    """The layers that are named anywhere in a part of a configuration."""
    if isinstance(part, dict | list):
        return [
            name for one in (part.values() if isinstance(part, dict) else part) for name in _mentioned(one, names)
        ]
    return [part] if isinstance(part, str) and part in names else []


def _image_size(layers: dict[str, _Variables], architecture: Architecture, stated: int | None) -> int:
    """The stated size if the dense layer allows it; if none is stated, the smallest that it allows."""
    if architecture.fully_convolutional:
        return 224 if stated is None else stated
    last = f"Conv_{architecture.convolutions}"
    channels = _dataset(layers, last, "bias", 1).shape[0]
    values = _dataset(layers, "D_con", "kernel", 0).shape[0]
    side = isqrt(values // max(channels, 1))
    if side == 0 or side * side * channels != values:
        raise ConfiguralError(
            f"D_con takes {values} values, which are no square of the {channels} channels of {last}"
        )
    unit = 2**architecture.convolutions
    smallest, largest = side * unit, (side + 1) * unit - 1
    if stated is None:
        return smallest
    if not smallest <= stated <= largest:
        raise ConfiguralError(
            f"image size {stated} contradicts its D_con, which takes {values} values: that is "
            f"{architecture.name} for images of {smallest} to {largest} pixels"
        )
    return stated


def _dataset(layers: dict[str, _Variables], layer: str, variable: str, position: int) -> h5py.Dataset:
    """One variable, known to hold floating-point numbers that lie in the file itself."""
    variables = layers[layer]
    dataset = variables.get(variable, variables.get(str(position)))
    if dataset is None:
        raise ConfiguralError(f"{layer} has no {variable}, only {', '.join(map(repr, variables))}")
    if dataset.dtype.kind != "f":
        raise ConfiguralError(f"the {variable} of {layer} is not an array of floating-point numbers")
    check_claims(dataset, f"the {variable} of {layer}")
    return dataset


def check_claims(dataset: h5py.Dataset, what: str) -> None:
    """Raise if numbers lie in another file, or there are fewer of them than a dataset claims."""
    if dataset.external or dataset.is_virtual:
        raise ConfiguralError(f"{what} lies in another file")
    # Deflate packs at most about a thousandfold; what claims more would fill the memory with nothing.
    if dataset.nbytes > 1100 * dataset.id.get_storage_size():
        raise ConfiguralError(f"{what} claims more numbers than the file holds")


def _weights(network: StudyNet) -> Iterator[tuple[str, str, int, Tensor, tuple[int, ...]]]:
    """Layer, Keras's name of the variable, its position in the layer, the numbers themselves, and Keras's shape.

    The numbers of kernels are (rows, columns, in, out), also of the dense layer, where Keras has (all three, out).
    """
    side = network.image_size // 2**network.architecture.convolutions
    for layer, module in network.named_children():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            names = _BATCH_NORM if isinstance(module, nn.BatchNorm2d) else _KERNEL_AND_BIAS
            for position, (keras_name, torch_name) in enumerate(names):
                tensor = getattr(module, torch_name).detach()
                shape = tuple(tensor.shape[::-1])
                if tensor.ndim == 2:
                    tensor = tensor.unflatten(1, (-1, side, side)).permute(2, 3, 1, 0)
                elif tensor.ndim == 4:
                    tensor = tensor.permute(2, 3, 1, 0)
                    shape = tuple(tensor.shape)
                yield layer, keras_name, position, tensor, shape


def _keras_layers(network: StudyNet) -> dict[str, dict[str, Any]]:
    """The configuration of each Keras layer by its name; ReLU and softmax may lie inside other layers."""
    layers: dict[str, dict[str, Any]] = {}

    def add(name: str, kind: str, **settings: Any) -> None:
        layers[name] = {"class_name": kind, "config": {"name": name, **settings}}

    for name, module in network.named_children():
        match module:
            case nn.Conv2d(out_channels=filters, kernel_size=(1, 1)):
                add(name, "Conv2D", filters=filters, kernel_size=[1, 1])
            case nn.Conv2d(out_channels=filters):
                add(name, "Conv2D", filters=filters, kernel_size=[3, 3], padding="same", activation="relu")
            case nn.MaxPool2d():
                add(name, "MaxPooling2D", pool_size=[2, 2])
            case nn.Dropout():
                add(name, "Dropout", rate=module.p)
            case nn.BatchNorm2d():
                add(name, "BatchNormalization", momentum=0.99, epsilon=module.eps)
            case nn.Flatten():
                add(name, "Flatten")
            case nn.Linear():
                add(name, "Dense", units=module.out_features, activation="softmax")
            case GlobalMaxPool():
                add(name, "GlobalMaxPooling2D")
    if network.architecture.fully_convolutional:
        add("softmax", "Activation", activation="softmax")
    return layers


def _names(names: Iterable[str]) -> np.ndarray:
    """Names as Keras keeps them in an attribute: bytes of equal length."""
    return np.array([name.encode() for name in names], dtype=np.bytes_)
