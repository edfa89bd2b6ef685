"""How a network is trained, as data."""

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from configural.errors import ConfiguralError
from configural.models import architecture

PRESETS = ("quick", "paper", "fast")


class Recipe(BaseModel):
    """The settings of one training; the defaults are the study's.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images per step; the last, partial batch counts.
        valid_batch_size: Images per batch when nothing is learned.
        learning_rate: Of Adam, at its highest.
        beta_2: Of Adam: how much of its mean of squared gradients is kept from step to step.
        weight_decay: What each step takes off every weight, beside what Adam does: this times the learning rate
            times the weight, as Keras's argument of that name does.
        schedule: `constant`, or `one-cycle`: up over the first quarter of all steps, then down to zero.
        label_smoothing: Share of each label that is spread over both classes, while learning.
        dropout: Share of the values that dropout sets to zero; the network's own, 0.2, where it is not given.
        seed: Of the shuffling and of dropout.
        precision: `32`, `tf32` (faster on GPUs since 2020) or `bf16` (mixed).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(20, ge=1)
    batch_size: int = Field(20, ge=1)
    valid_batch_size: int = Field(10, ge=1)
    learning_rate: float = Field(1e-4, gt=0)
    beta_2: float = Field(0.999, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)
    schedule: Literal["constant", "one-cycle"] = "constant"
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    dropout: float | None = Field(None, ge=0, lt=1)
    seed: int = Field(42, ge=0)
    precision: Literal["32", "tf32", "bf16"] = "32"

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, counted from 0, of so many in all."""
        if self.schedule == "constant":
            return self.learning_rate
        rise = max(1.0, steps / 4)
        if step < rise:
            return self.learning_rate * (step + 1) / (rise + 1)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / (steps - rise)))


def recipe(preset: str = "paper", network: str = "cnn-15", **changes: Any) -> Recipe:
    """The recipe of a preset, with changes.

    Args:
        preset: `paper`, the study's training, `quick`, for two CPU cores, or `fast`, which was sought for the
            least compute that cnn-15 needs to be as right as published (docs/performance.md).
        network: The paper preset trains cnn-15 and fcn-16 for 20 epochs, cnn-13 and fcn-14 for 30.
        changes: Fields of `Recipe` to set otherwise.

    Raises:
        ConfiguralError: If the preset or the network is unknown, or a change is not possible.
    """
    epochs = architecture(network).epochs
    if preset == "paper":
        settings: dict[str, Any] = {"epochs": epochs}
    elif preset == "quick":
        settings = {
            "epochs": 4,
            "batch_size": 32,
            "valid_batch_size": 100,
            "learning_rate": 1e-3,
            "schedule": "one-cycle",
        }
    elif preset == "fast":
        settings = {
            "epochs": 1,
            "batch_size": 16,
            "valid_batch_size": 100,
            "learning_rate": 1.4e-3,
            "beta_2": 0.98,
            "weight_decay": 4.0,
            "schedule": "one-cycle",
            "label_smoothing": 0.1,
            "dropout": 0.0,
        }
    else:
        raise ConfiguralError(f"unknown preset '{preset}': choose one of {', '.join(PRESETS)}")
    try:
        return Recipe(**{**settings, **changes})
    except ValidationError as error:
        raise ConfiguralError(first_problem(error)) from error


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong with some settings, on one line: key, what is wrong, what was given."""
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"])
    given = first["input"]
    said = f" (given: {given!r})" if isinstance(given, str | int | float) else ""
    return f"{where.replace('_', ' ')}: {first['msg'][0].lower()}{first['msg'][1:]}{said}"
