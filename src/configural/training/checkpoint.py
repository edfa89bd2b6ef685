"""The state of a training between two epochs, in one safetensors file."""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from configural.errors import ConfiguralError
from configural.io import files
from configural.training.history import Epoch, History


def save_checkpoint(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, history: History) -> None:
    """Write weights, the optimizer's moments and the history, whole or not at all."""
    tensors = {f"network/{name}": value for name, value in network.state_dict().items()}
    for parameter, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{parameter}/{name}": torch.as_tensor(value) for name, value in state.items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    header = {"history": json.dumps([asdict(epoch) for epoch in history.epochs])}
    files.write_bytes(path, save(tensors, metadata=header), durable=True)


def load_checkpoint(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> History:
    """Put a saved state into the network and its optimizer.

    Returns:
        The history up to the checkpoint.

    Raises:
        ConfiguralError: If the file is damaged or belongs to another network.
    """
    weights: dict[str, Tensor] = {}
    moments: dict[int, dict[str, Tensor]] = {}
    try:
        with safe_open(path, framework="pt") as file:
            history = json.loads((file.metadata() or {})["history"])
            for key in file.keys():  # noqa: SIM118
                owner, rest = key.split("/", 1)
                if owner == "network":
                    weights[rest] = file.get_tensor(key)
                else:
                    parameter, name = rest.split("/", 1)
                    moments.setdefault(int(parameter), {})[name] = file.get_tensor(key)
        network.load_state_dict(weights)
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise ConfiguralError(
            f"{path}: this checkpoint cannot be used ({type(error).__name__}); remove it to train anew"
        ) from error
    return History(tuple(Epoch(**epoch) for epoch in history))


def read_history(path: Path) -> History:
    """The history up to a checkpoint; of the file only its header is read.

    Raises:
        ConfiguralError: If the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            epochs = json.loads((file.metadata() or {})["history"])
        return History(tuple(Epoch(**epoch) for epoch in epochs))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ConfiguralError(
            f"{path}: this checkpoint cannot be used ({type(error).__name__}); remove it to train anew"
        ) from error
