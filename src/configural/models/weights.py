"""A network's weights in one safetensors file, and back; also as a classifier, alone or in a run's folder."""

import json
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import nn

from configural.config.recipe import ImageSize
from configural.errors import ConfiguralError
from configural.io import files, manifest
from configural.io.reading import reading
from configural.models.networks import made_from, recreate
from configural.models.opening import Options
from configural.models.torch_modules import TorchClassifier, open_module
from configural.objects import OBJECTS


def save_network(network: nn.Module, path: Path | str) -> None:
    """Write weights and running values of a network that `create` made, its name and image size in a header."""
    name, image_size = made_from(network)
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    # One entry: the format keeps several in no fixed order, and the same network shall give the same bytes.
    header = {"configural": json.dumps({"network": name, "image_size": image_size})}
    files.write_bytes(Path(path), save(tensors, metadata=header))


def load_network(path: Path | str, *, network: str | None = None) -> nn.Module:
    """Read a network that `save_network` wrote; nothing in the file is ever executed.

    Args:
        path: The file.
        network: The network's name, needed only where it is a `module:name`, since no file has anything imported.

    Returns:
        The network in evaluation mode, on the CPU.

    Raises:
        ConfiguralError: If the file is missing, damaged, or not a network of this library.

    Example:
        >>> import tempfile
        >>> from configural.models import create
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_network(create("fcn-14", 64), f"{folder}/net.safetensors")
        ...     load_network(f"{folder}/net.safetensors").image_size
        64
    """
    path = Path(path)
    if not path.is_file():
        raise ConfiguralError(f"{path}: there is no such file; expected a saved network (.safetensors or .h5)")
    with reading(path, "a readable safetensors file"), safe_open(path, framework="pt") as file:
        said = (file.metadata() or {}).get("configural", "{}")
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    with reading(path, "a network of configural by its header"):
        header = _Header.model_validate_json(said)
    try:
        made = recreate(header.network, header.image_size, network=network, shapes=shapes)
    except ConfiguralError as error:
        raise ConfiguralError(f"{path}: {error}") from error
    with reading(path, f"weights that fit {header.network}"):
        made.load_state_dict(load_file(path))
    check_numbers(made, path)
    manifest.refuse_changed(path.parent, path.name)
    return made.eval()


class _Header(BaseModel):
    """What `save_network` writes into a file's header."""

    network: str
    image_size: ImageSize


def check_numbers(network: nn.Module, path: Path) -> None:
    """Raise if some of a network's weights are no numbers, infinite, or a variance below zero."""
    for name, value in network.state_dict().items():
        variance = name.endswith("running_var")
        if not value.isfinite().all() or (variance and bool((value < 0).any())):
            culprit = "NaN, infinity or a negative variance" if variance else "NaN or infinity"
            raise ConfiguralError(f"{path}: damaged, its {name} holds {culprit}")


def open_weights(source: Path, options: Options) -> TorchClassifier:
    """A network of this library, or that of a finished run: logits of the scrambled and the correct class."""
    path, kind = source, ".safetensors of this library"
    if source.is_dir():
        path, kind = source / "model.safetensors", "a run folder"
        if not path.is_file():
            raise ConfiguralError(f"{source}: this run is not finished, it has no model.safetensors")
    module = load_network(path, network=options.network)
    names = {name: position for scheme in OBJECTS.values() for position, name in enumerate(scheme.class_names)}
    positive = 1 if options.positive is None else names.get(str(options.positive), options.positive)
    return open_module(
        module, replace(options, positive=positive), kind=kind, known="logits", size=made_from(module)[1]
    )
