"""What all models of settings share, and how a network is trained, as data."""

import math
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from configural.errors import ConfiguralError

Model = TypeVar("Model", bound=BaseModel)
Seed = Annotated[int, Field(ge=0, lt=2**63)]
ImageSize = Annotated[int, Field(ge=8, le=2048)]
"""Rows and columns of square images; more would only be a mistake, and take gigabytes."""

Precision = Annotated[
    Literal["32", "tf32", "bf16", "auto"],
    BeforeValidator(lambda given: str(given) if type(given) is int else given),  # YAML reads 32 as a number
]


class Settings(BaseModel):
    """Settings of a job; not to be changed, and none beside those that are stated here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def of(cls: type[Model], **values: Any) -> Model:
        """These settings, checked.

        Raises:
            ConfiguralError: If one is unknown or impossible; it is named, with what is wrong and what was given.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"] if step != "recipe")
        said = f" (given: {first['input']!r})" if isinstance(first["input"], str | int | float) else ""
        message = first["msg"].removeprefix("Value error, ")
        raise ConfiguralError(f"{where}: {message[0].lower()}{message[1:]}{said}" if where else message)


class Recipe(Settings):
    """The settings of one training; the defaults are the study's."""

    epochs: int = Field(20, ge=1, le=10**6, description="passes over the training images")
    batch_size: int = Field(20, ge=1, description="images per step; the last, partial batch counts")
    valid_batch_size: int = Field(10, ge=1, description="images per batch when nothing is learned")
    learning_rate: float = Field(1e-4, gt=0, allow_inf_nan=False, description="peak learning rate of Adam")
    beta_2: float = Field(
        0.999,
        ge=0,
        lt=1,
        description="Adam's β₂, the decay rate of its running mean of squared gradients",
    )
    weight_decay: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="decoupled: each step subtracts learning rate × this × weight",
    )
    schedule: Literal["constant", "one-cycle"] = Field(
        "constant", description="one-cycle: up over the first quarter of all steps, then down to zero"
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="fraction of each label that is spread over both classes while training"
    )
    dropout: float | None = Field(
        None, ge=0, lt=1, description="fraction of values that dropout sets to zero; the network's own if not given"
    )
    seed: Seed = Field(42, description="of the shuffling and of dropout")
    precision: Precision = Field(
        "32",
        description="32, tf32 (faster on GPUs since 2020), bf16 (mixed), or auto: bf16 where that is faster",
    )

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, counted from 0, of so many in all.

        Example:
            >>> Recipe(learning_rate=0.1).rate(3, 100)
            0.1
        """
        if self.schedule == "constant":
            return self.learning_rate
        rise = max(1.0, steps / 4)
        if step < rise:
            return self.learning_rate * (step + 1) / (rise + 1)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / (steps - rise)))
