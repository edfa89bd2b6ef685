"""A network's weights in one safetensors file, and back."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from configural.errors import ConfiguralError
from configural.io import files
from configural.models.study_networks import StudyNet, create


def save_network(network: StudyNet, path: Path | str) -> None:
    """Write weights and running values, with the network's name and image size in the file's header."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    # One entry: the format keeps several in no fixed order, and the same network shall give the same bytes.
    header = {"configural": json.dumps({"network": network.name, "image_size": network.image_size})}
    files.write_bytes(Path(path), save(tensors, metadata=header))


def load_network(path: Path | str) -> StudyNet:
    """Read a network that `save_network` wrote; nothing in the file is ever executed.

    Returns:
        The network in evaluation mode, on the CPU.

    Raises:
        ConfiguralError: If the file is missing, damaged, or not a network of this library.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfiguralError(f"{path}: there is no such file; expected a saved network (.safetensors or .h5)")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("configural", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise ConfiguralError(f"{path}: not a readable safetensors file ({error})") from error
    try:
        # A new network draws its first weights; reading a file leaves the caller's random numbers alone.
        with torch.random.fork_rng(devices=[]):
            network = create(str(header["network"]), int(header["image_size"]))
    except (KeyError, TypeError) as error:
        raise ConfiguralError(f"{path}: holds no network of configural (its header names none)") from error
    except ValueError as error:
        raise ConfiguralError(f"{path}: its header describes no network of configural ({error})") from error
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise ConfiguralError(f"{path}: its weights do not fit {header['network']}") from error
    return network.eval()
