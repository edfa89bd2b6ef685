"""The settings of one run, and how presets, files and what a person gives become them."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, field_validator, model_validator
from pydantic.fields import FieldInfo

from configural.config.recipe import ImageSize, Recipe, Seed, Settings
from configural.errors import ConfiguralError
from configural.io import files
from configural.io.yamls import Document, parse_document, read_document, validated

PRESETS = ("quick", "paper", "fast")
"""The partial settings that come with the package."""

EXECUTION = ("device", "devices", "stream", "compile", "tracker")
"""Settings that say how a run is carried out; it may be resumed in another way."""


class RunConfig(Settings):
    """Everything that a run's result depends on, and how it is carried out."""

    source: str = Field(
        "synthetic", description="source of the exemplars, such as synthetic, houses or folder:FOLDER"
    )
    condition: str = Field(
        "ffa",
        description="a preset such as ffa or floating+matched, or a .yaml file; baseline by default of objects "
        "that have no ffa",
    )
    split: Literal["paper", "identity"] = Field(
        "paper", description="paper: all subsets from all exemplars; identity: from different persons"
    )
    network: str = Field("cnn-15", description="cnn-15, cnn-13, fcn-16, fcn-14, or module:name")
    preset: Literal["quick", "paper", "fast"] = Field(
        "quick", description="quick (two CPU cores), paper (as in the study) or fast (least compute)"
    )
    image_size: ImageSize = Field(64, description="rows and columns of the images")
    count: int = Field(4000, ge=42, le=10**8, description="images in train, valid and test together; even")
    recipe: Recipe = Recipe()
    seed: Seed = Field(42, description="of everything random")
    data_seed: Seed = Field(42, description="seed of the images, if different from seed")
    device: str = Field("auto", description="auto, cpu, cuda or mps")
    devices: int = Field(1, ge=1, description="train on so many GPUs, or in so many processes on a CPU")
    stream: bool = Field(False, description="draw images when they are needed, and keep none")
    compile: bool = Field(False, description="compile the network first: for long trainings on a GPU")
    tracker: Literal["none", "tensorboard", "mlflow", "wandb"] = Field(
        "none", description="where each epoch's figures also go: tensorboard, mlflow or wandb"
    )

    @model_validator(mode="before")
    @classmethod
    def _one_seed_for_all(cls, values: Any) -> Any:
        if isinstance(values, dict) and "data_seed" not in values:
            return {**values, "data_seed": values.get("seed", 42)}
        return values

    @field_validator("count")
    @classmethod
    def _even(cls, count: int) -> int:
        if count % 2:
            raise ValueError(f"{count} must be even: half of the images are of each class")
        return count

    def save(self, path: Path | str) -> None:
        """Write as YAML."""
        files.write_text(path, yaml.safe_dump(self.model_dump(), sort_keys=False), durable=True)

    @classmethod
    def load(cls, path: Path | str) -> "RunConfig":
        """Read what `save` wrote.

        Raises:
            ConfiguralError: If the file is missing, or a key or value in it is not understood.
        """
        path = Path(path)
        if not path.is_file():
            why = "it holds no config.yaml" if path.parent.is_dir() else "there is no such folder"
            raise ConfiguralError(f"{path.parent}: {why}; name a run folder, which 'configural run --out' wrote")
        return validated(cls, read_document(path))


def run_fields() -> dict[str, FieldInfo]:
    """All settings of a run by name, those of the recipe among them: its options, arguments and keys.

    Example:
        >>> run_fields()["learning_rate"].description
        'peak learning rate of Adam'
    """
    return flat({**RunConfig.model_fields, "recipe": Recipe.model_fields})


def run_config(*, config: Path | str | None = None, **given: Any) -> RunConfig:
    """A run's settings from a preset, a file and single values, of which the later win.

    Args:
        config: A YAML file of some settings by name.
        given: Settings by name (see `run_fields`); what is None counts as not given. A mapping from networks to
            values gives each network its own.

    Raises:
        ConfiguralError: If a name is unknown or a value is not possible; it is named, with file and line if it is
            stated in one.

    Example:
        >>> run_config(preset="paper", network="fcn-14").recipe.epochs
        30
    """
    document = Document("", {}) if config is None else read_document(Path(config))
    values = flat(document.values)
    try:
        return resolved({**values, **{name: value for name, value in given.items() if value is not None}})
    except ConfiguralError as error:
        key = str(error).partition(":")[0]
        if key in values and given.get(key) is None:
            raise ConfiguralError(f"{document.where([key])}: {error}") from None
        raise


def recipe(preset: str = "paper", network: str = "cnn-15", **changes: Any) -> Recipe:
    """The recipe of a preset, with changes; see `run_config`.

    Example:
        >>> recipe("quick", dropout=0.1).dropout
        0.1
    """
    return run_config(preset=preset, network=network, **changes).recipe


def resolved(stated: Mapping[str, Any]) -> RunConfig:
    """A run's settings from those that are stated by name, and for the others its preset's."""
    for name in stated:
        if name not in run_fields():
            raise ConfiguralError(f"{name}: unknown setting; known are {', '.join(run_fields())}")
    preset, network = stated.get("preset", "quick"), stated.get("network", "cnn-15")
    if preset not in PRESETS:
        raise ConfiguralError(f"preset: unknown preset '{preset}'; choose one of {', '.join(PRESETS)}")
    text = (resources.files("configural.config") / "presets" / f"{preset}.yaml").read_text("utf-8")
    values: dict[str, Any] = {}
    for name, value in (*parse_document(text, f"{preset}.yaml").values.items(), *stated.items()):
        if not isinstance(value, Mapping):
            values[name] = value
        elif isinstance(network, str) and network in value:
            values[name] = value[network]
    recipe = {name: values.pop(name) for name in Recipe.model_fields if name != "seed" and name in values}
    recipe |= {"seed": values["seed"]} if "seed" in values else {}
    return RunConfig.of(**{**values, "preset": preset, "recipe": recipe})


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name, those of the recipe, but for its seed, in the place of the recipe."""
    lifted: dict[str, Any] = {}
    for name, value in values.items():
        if name != "recipe":
            lifted[name] = value
        elif isinstance(value, Mapping):
            lifted |= {key: each for key, each in value.items() if key != "seed"}
    return lifted


def resumed_config(stored: RunConfig, given: Mapping[str, Any], *, folder: Path) -> RunConfig:
    """The settings to resume the folder's run with: the stored ones, which those given must not contradict.

    Raises:
        ConfiguralError: If another value than the stored one is given of what is not among `EXECUTION`.
    """
    known = flat(stored.model_dump())
    for name, value in given.items():
        if name not in EXECUTION and value != known[name]:
            raise ConfiguralError(
                f"{folder}: holds a run with {name} {known[name]}, not {value}; repeat its settings or choose "
                "another out"
            )
    changed = {name: value for name, value in given.items() if name in EXECUTION}
    return RunConfig.of(**{**stored.model_dump(), **changed})
