"""The settings of one run."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from configural.errors import ConfiguralError
from configural.io import files
from configural.models import create
from configural.stimuli import SPLITS
from configural.stimuli import condition as find_condition
from configural.training import PRESETS, Recipe, first_problem, recipe

_PRESET_IMAGES = {
    "quick": {"image_size": 64, "count": 4000},
    "paper": {"image_size": 224, "count": 20000},
    "fast": {"image_size": 32, "count": 15000},
}

_EXECUTION = ("device", "devices", "stream", "compile")
"""How a run is carried out; it may be resumed in another way."""


class RunConfig(BaseModel):
    """Everything that a run's result depends on.

    Attributes:
        source: The source of the face library.
        condition: Name of the condition that the images are made under.
        split: paper or identity.
        network: Name of the network.
        preset: What the other settings were taken from where they were not given.
        image_size: Rows and columns of the images.
        count: Images in all; train, valid and test are parts of it.
        recipe: How to train.
        seed: Of the first weights; the recipe has it too.
        data_seed: Of the stimuli; the same as `seed` if not given.
        device: Where to train.
        devices: How many GPUs, or processes on a CPU, train together.
        stream: Whether images are drawn whenever they are needed and none is kept; the result is the same.
        compile: Whether PyTorch translates the network before it trains it; the result is the same up to rounding
            and, on some devices, the draws of dropout.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = "synthetic"
    condition: str = "ffa"
    split: str = "paper"
    network: str = "cnn-15"
    preset: Literal["quick", "paper", "fast"] = "quick"
    image_size: int = Field(64, ge=8)
    count: int = Field(4000, ge=42)
    recipe: Recipe
    seed: int = Field(42, ge=0, lt=2**63)
    data_seed: int = Field(42, ge=0, lt=2**63)
    device: str = "auto"
    devices: int = Field(1, ge=1)
    stream: bool = False
    compile: bool = False

    @model_validator(mode="before")
    @classmethod
    def _one_seed_for_all(cls, values: Any) -> Any:
        if isinstance(values, dict) and "data_seed" not in values:
            return {**values, "data_seed": values.get("seed", 42)}
        return values

    def save(self, path: Path) -> None:
        """Write as YAML."""
        files.write_text(path, yaml.safe_dump(self.model_dump(), sort_keys=False))

    @classmethod
    def load(cls, path: Path) -> "RunConfig":
        """Read what `save` wrote.

        Raises:
            ConfiguralError: If the file is missing, or a key or value in it is not understood.
        """
        try:
            return cls(**yaml.safe_load(path.read_text("utf-8")))
        except FileNotFoundError as error:
            raise ConfiguralError(f"{path}: there is no such file; is its folder a run folder?") from error
        except ValidationError as error:
            raise ConfiguralError(f"{path}: {first_problem(error)}") from error
        except (OSError, TypeError, ValueError, yaml.YAMLError) as error:
            raise ConfiguralError(f"{path}: not a readable configuration") from error


def run_config(
    source: str = "synthetic",
    condition: str = "ffa",
    split: str = "paper",
    network: str = "cnn-15",
    preset: str = "quick",
    image_size: int | None = None,
    count: int | None = None,
    seed: int = 42,
    device: str = "auto",
    data_seed: int | None = None,
    devices: int = 1,
    stream: bool = False,
    compile: bool = False,
    **recipe_changes: Any,
) -> RunConfig:
    """Fill in a run's settings from a preset.

    Args:
        source: See `RunConfig`, as for the arguments below.
        condition: The condition.
        split: The split.
        network: The network.
        preset: quick, paper or fast.
        image_size: Instead of the preset's 64, 224 or 32.
        count: Instead of the preset's 4,000, 20,000 or 15,000.
        seed: Of everything random.
        device: auto, cpu, cuda or mps.
        data_seed: Of the stimuli, where that shall be another than `seed`.
        devices: How many GPUs, or processes on a CPU, train together.
        stream: Draw images whenever they are needed, and keep none.
        compile: Have PyTorch translate the network before it trains it.
        recipe_changes: Fields of `Recipe` to set otherwise than in the preset.

    Raises:
        ConfiguralError: If a value is not possible; it is named.
    """
    if preset not in PRESETS:
        raise ConfiguralError(f"unknown preset '{preset}': choose one of {', '.join(PRESETS)}")
    find_condition(condition)
    if split not in SPLITS:
        raise ConfiguralError(f"unknown split '{split}': choose one of {', '.join(SPLITS)}")
    images = dict(_PRESET_IMAGES[preset])
    images |= {k: v for k, v in (("image_size", image_size), ("count", count)) if v is not None}
    try:
        settings = RunConfig(
            source=source,
            condition=condition,
            split=split,
            network=network,
            preset=preset,  # type: ignore[arg-type]
            recipe=recipe(preset, network, seed=seed, **recipe_changes),
            seed=seed,
            data_seed=seed if data_seed is None else data_seed,
            device=device,
            devices=devices,
            stream=stream,
            compile=compile,
            **images,
        )
    except ValidationError as error:
        raise ConfiguralError(first_problem(error)) from error
    create(network, settings.image_size)  # raises where the network cannot take images of this size
    return settings


def resumed_config(stored: RunConfig, given: dict[str, Any], folder: Path) -> RunConfig:
    """The settings to go on with: the stored ones, which those given now must not contradict.

    Args:
        stored: What the run in the folder was begun with.
        given: Arguments of `run_config`. How it is carried out, `device`, `devices`, `stream` and `compile`, may
            differ from what is stored.
        folder: Named in the error.

    Raises:
        ConfiguralError: If another value than the stored one is given.
    """
    known = {**stored.model_dump(), **stored.recipe.model_dump()}
    for name, value in given.items():
        if name not in _EXECUTION and value != known[name]:
            raise ConfiguralError(
                f"{folder}: holds a run with {name.replace('_', ' ')} {known[name]}, not {value}; repeat its "
                "settings or choose another --out"
            )
    return stored.model_copy(update={name: given[name] for name in _EXECUTION if name in given})
