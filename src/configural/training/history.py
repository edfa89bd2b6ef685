"""What a training reported, epoch by epoch, and its state between two epochs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from configural.errors import ConfiguralError
from configural.io import files


@dataclass(frozen=True)
class Epoch:
    """One epoch's figures.

    Attributes:
        epoch: From 1.
        train_loss: Mean cross-entropy over the training images, as seen while learning.
        train_accuracy: Fraction of training images predicted correctly while learning, 0 to 1.
        valid_loss: Mean cross-entropy over the validation images, after the epoch.
        valid_accuracy: Fraction of validation images predicted correctly after the epoch, 0 to 1.
        seconds: How long the epoch took, validation included.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    valid_loss: float
    valid_accuracy: float
    seconds: float


@dataclass(frozen=True)
class History:
    """All epochs of a training, in order."""

    epochs: tuple[Epoch, ...] = ()

    def as_frame(self) -> pd.DataFrame:
        """One row per epoch, columns as the fields of `Epoch`."""
        return pd.DataFrame([asdict(epoch) for epoch in self.epochs])

    def save(self, path: Path) -> None:
        """Write as CSV."""
        files.write_text(path, self.as_frame().to_csv(index=False))

    @classmethod
    def load(cls, path: Path) -> "History":
        """Read what `save` wrote.

        Raises:
            ConfiguralError: If the file is missing or damaged.
        """
        try:
            rows = pd.read_csv(path).to_dict(orient="records")
            if not rows:
                raise ValueError("no epochs")
            return cls(tuple(Epoch(**{str(name): value for name, value in row.items()}) for row in rows))
        except (OSError, TypeError, ValueError) as error:
            raise ConfiguralError(f"{path}: not a readable history of epochs") from error


def save_checkpoint(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, history: History) -> None:
    """Write weights, the optimizer's moments and the history into one safetensors file, whole or not at all."""
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
    return read_history(path)


def read_history(path: Path) -> History:
    """The history up to a checkpoint; of the file only its header is read.

    Raises:
        ConfiguralError: If the file is missing or damaged.
    """
    with _opened(path) as file:
        epochs = json.loads((file.metadata() or {})["history"])
        return History(tuple(Epoch(**epoch) for epoch in epochs))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ConfiguralError(
            f"{path}: this checkpoint cannot be used ({type(error).__name__}); remove it to train again"
        ) from error
