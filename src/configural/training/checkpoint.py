"""The state of a training between two epochs, in one safetensors file."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

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
    with _opened(path) as file:
        for key in file.keys():  # noqa: SIM118
            owner, rest = key.split("/", 1)
            if owner == "network":
                weights[rest] = file.get_tensor(key)
            else:
                parameter, name = rest.split("/", 1)
                moments.setdefault(int(parameter), {})[name] = file.get_tensor(key)
        network.load_state_dict(weights)
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
        return _history(file)


def read_history(path: Path) -> History:
    """The history up to a checkpoint; of the file only its header is read.

    Raises:
        ConfiguralError: If the file is missing or damaged.
    """
    with _opened(path) as file:
        return _history(file)


def _history(file: Any) -> History:
    return History(tuple(Epoch(**epoch) for epoch in json.loads((file.metadata() or {})["history"])))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ConfiguralError(
            f"{path}: this checkpoint cannot be used ({type(error).__name__}); remove it to train again"
        ) from error
