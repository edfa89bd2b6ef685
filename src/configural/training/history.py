"""What a training reported, epoch by epoch, and its state between two epochs."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import ConfigDict, Field, FiniteFloat, NonNegativeFloat, PositiveInt, TypeAdapter, with_config
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from configural.io import files
from configural.io.reading import reading
from configural.training.keras_adam import KerasAdam

_Fraction = Annotated[float, Field(ge=0, le=1)]


@with_config(ConfigDict(extra="forbid"))
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

    epoch: PositiveInt
    train_loss: FiniteFloat
    train_accuracy: _Fraction
    valid_loss: FiniteFloat
    valid_accuracy: _Fraction
    seconds: NonNegativeFloat


@dataclass(frozen=True)
class History:
    """All epochs of a training, in order."""

    epochs: tuple[Epoch, ...] = ()

    def as_frame(self) -> pd.DataFrame:
        """One row per epoch, columns as the fields of `Epoch`."""
        return pd.DataFrame([asdict(epoch) for epoch in self.epochs])

    def save(self, path: Path | str) -> None:
        """Write as CSV."""
        files.write_text(path, self.as_frame().to_csv(index=False))

    @classmethod
    def load(cls, path: Path | str) -> "History":
        """Read what `save` wrote.

        Raises:
            ConfiguralError: If the file is missing or damaged.
        """
        with reading(path, "a readable history of epochs"):
            return cls(_checked(pd.read_csv(path).to_dict(orient="records")))


_EPOCHS = TypeAdapter(tuple[Epoch, ...], config={"defer_build": True})  # when a file is read, and then once


def _checked(rows: list[Any]) -> tuple[Epoch, ...]:
    """Epochs as a file has them; a ValueError if they are none."""
    epochs = _EPOCHS.validate_python(rows)
    if not epochs or [epoch.epoch for epoch in epochs] != list(range(1, len(epochs) + 1)):
        raise ValueError("epochs are to be counted from 1")
    return epochs


def save_checkpoint(path: Path, network: nn.Module, optimizer: KerasAdam, history: History) -> None:
    """Write weights, the optimizer's moments and the history into one safetensors file, whole or not at all."""
    tensors = {f"network/{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"optimizer/{name}": value for name, value in optimizer.tensors().items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    header = {"history": json.dumps([asdict(epoch) for epoch in history.epochs])}
    files.write_bytes(path, save(tensors, metadata=header), durable=True)


def load_checkpoint(path: Path, network: nn.Module, optimizer: KerasAdam) -> History:
    """Put a saved state into the network and its optimizer.

    Returns:
        The history up to the checkpoint.

    Raises:
        ConfiguralError: If the file is damaged or belongs to another network.
    """
    stored: dict[str, dict[str, Tensor]] = {"network": {}, "optimizer": {}}
    with _opened(path) as file:
        for key in file.keys():  # noqa: SIM118
            owner, name = key.split("/", 1)
            stored[owner][name] = file.get_tensor(key)
        network.load_state_dict(stored["network"])
        optimizer.load(stored["optimizer"])
    return read_history(path)


def read_history(path: Path) -> History:
    """The history up to a checkpoint; of the file only its header is read.

    Raises:
        ConfiguralError: If the file is missing or damaged.
    """
    with _opened(path) as file:
        return History(_checked(json.loads((file.metadata() or {})["history"])))


@contextmanager
def _opened(path: Path) -> Generator[Any]:
    with (
        reading(path, "a checkpoint that can be used", "; remove it to train again"),
        safe_open(path, framework="pt") as file,
    ):
        yield file
