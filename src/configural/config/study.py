"""The plan of a study: which networks are trained on which conditions, how often, and what they are tested on."""

import re
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from configural.io import files
from configural.io.yamls import read_yaml
from configural.models import ARCHITECTURES, create
from configural.stimuli import SPLITS
from configural.stimuli import condition as find_condition

PLAN_PRESETS = ("quick", "paper")
"""The plans that come with the package."""


class StudyPlan(BaseModel):
    """A grid of trainings, every network on every condition by every seed, and the tests of each.

    Attributes:
        description: What the plan is for.
        networks: Names of networks.
        conditions: Conditions, each a preset's name, some joined by `+`, or a .yaml file.
        seeds: One per repeat: of the first weights, the shuffling and dropout. Repeats share their images.
        split: paper or identity.
        tests: Placements of the test sets; every network is tested on all the plan's conditions under each of them.
        data_seed: Of the images.
        preset: quick, paper or fast: where a training's settings are taken from that are not given below.
        image_size: Rows and columns of the images.
        count: Images of a condition; train, valid and test are parts of them.
        epochs: Passes over the training images, a number for all networks or one for each.
        batch_size: Images per step.
        learning_rate: Of Adam, at its highest.
        precision: 32, tf32 or bf16.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str = ""
    networks: tuple[str, ...] = Field(min_length=1)
    conditions: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(min_length=1)
    split: str = "paper"
    tests: tuple[Literal["middle", "shifted"], ...] = Field(("middle", "shifted"), min_length=1)
    data_seed: int = Field(42, ge=0, lt=2**63)
    preset: Literal["quick", "paper", "fast"] = "quick"
    image_size: int | None = None
    count: int | None = Field(None, ge=42)
    epochs: dict[str, int] = {}
    batch_size: int | None = Field(None, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    precision: Literal["32", "tf32", "bf16"] | None = None

    @field_validator("networks", "conditions", "seeds", "tests", mode="before")
    @classmethod
    def _a_list(cls, values: Any) -> Any:
        if not isinstance(values, list | tuple):
            raise ValueError(f"expected a list, such as [{values}]")
        return values

    @field_validator("networks", "conditions", "seeds", "tests")
    @classmethod
    def _each_once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        for position, value in enumerate(values):
            if value in values[:position]:
                raise ValueError(f"{value} is stated twice")
        return values

    @field_validator("networks")
    @classmethod
    def _known_networks(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = [architecture.name for architecture in ARCHITECTURES]
        for name in names:
            if name not in known:
                raise ValueError(f"unknown network '{name}': choose from {', '.join(known)}")
        return names

    @field_validator("conditions")
    @classmethod
    def _known_conditions(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            find_condition(name)
        labels = [condition_label(name) for name in names]
        for name, label in zip(names, labels, strict=True):
            if labels.count(label) > 1:
                raise ValueError(f"{name}: another condition is called {label} too; give its file another name")
        return names

    @field_validator("seeds")
    @classmethod
    def _possible_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        for seed in seeds:
            if not 0 <= seed < 2**63:
                raise ValueError(f"seed {seed} must be 0 or above and below 2^63")
        return seeds

    @field_validator("split")
    @classmethod
    def _known_split(cls, split: str) -> str:
        if split not in SPLITS:
            raise ValueError(f"unknown split '{split}': choose one of {', '.join(SPLITS)}")
        return split

    @field_validator("image_size")
    @classmethod
    def _large_enough(cls, size: int | None, info: Any) -> int | None:
        if size is not None:
            for name in info.data.get("networks", ()):
                create(name, size)  # raises if it cannot take images of this size
        return size

    @field_validator("count")
    @classmethod
    def _even(cls, count: int | None) -> int | None:
        if count is not None and count % 2:
            raise ValueError(f"{count} must be even: half of the images are faces")
        return count

    @field_validator("epochs", mode="before")
    @classmethod
    def _epochs_of_each(cls, epochs: Any, info: Any) -> Any:
        networks = info.data.get("networks", ())
        if epochs is None:
            return {}
        if isinstance(epochs, int):
            epochs = dict.fromkeys(networks, epochs)
        if not isinstance(epochs, dict):
            raise ValueError("expected a number, or one for each network, such as {cnn-15: 4, fcn-14: 8}")
        for name, number in epochs.items():
            if networks and name not in networks:
                raise ValueError(f"{name} is not among the plan's networks")
            if type(number) is not int or number < 1:
                raise ValueError(f"{name}: {number!r} must be a whole number of at least 1")
        return epochs

    @field_validator("precision", mode="before")
    @classmethod
    def _precision_as_text(cls, precision: Any) -> Any:
        return str(precision) if isinstance(precision, int) else precision

    def save(self, path: Path) -> None:
        """Write as YAML, readable by `read_plan`."""
        files.write_text(path, yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False))


def read_plan(plan: str | Path | StudyPlan) -> StudyPlan:
    """Read a plan.

    Args:
        plan: The name of one of `PLAN_PRESETS`, or a YAML file. A plan is returned as it is.

    Raises:
        ConfiguralError: If there is no such plan, or it has an unknown key or an impossible value; file, line and
            key are named.
    """
    if isinstance(plan, StudyPlan):
        return plan
    if str(plan) not in PLAN_PRESETS:
        return read_yaml(Path(plan), StudyPlan)
    with resources.as_file(resources.files(__package__) / "presets" / f"study-{plan}.yaml") as path:
        return read_yaml(path, StudyPlan)


def difference(stored: StudyPlan, given: StudyPlan) -> str | None:
    """The first key in which two plans differ, with both values, or None; descriptions do not count."""
    for key in StudyPlan.model_fields:
        before, now = getattr(stored, key), getattr(given, key)
        if key != "description" and before != now:
            return f"{key} {_shown(before)}, not {_shown(now)}"
    return None


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {item}" for key, item in value.items()) + "}" if value else "of the preset"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(str, value)) + "]"
    return "of the preset" if value is None else str(value)


def condition_label(name: str) -> str:
    """What a condition is called in tables and folders: its name, without folder and ending where it is a file."""
    parts = [Path(part).stem if part.endswith((".yaml", ".yml")) else part for part in name.split("+")]
    return re.sub(r"[^A-Za-z0-9+._]+", "-", "+".join(parts))
