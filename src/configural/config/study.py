"""The plan of a study: which networks are trained on which conditions, how often, and what they are tested on."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, field_validator, model_validator

from configural.config.recipe import Settings
from configural.config.run import EXECUTION, RunConfig, resolved, run_fields
from configural.errors import ConfiguralError
from configural.io import files
from configural.io.yamls import ImpossibleKeyError

_OF_AXES = ("source", "condition", "network", "seed", *EXECUTION)
"""Settings of a run that a plan's axes, or the study's own options, say."""


class StudyPlan(Settings):
    """A grid of trainings, every network on every condition by every seed, and the tests of each.

    In a file, any setting of a run (see `run_fields`) may stand beside the axes: one value for all networks, or a
    mapping such as `epochs: {cnn-15: 4, fcn-14: 8}`.
    """

    description: str = Field("", description="what the plan is for")
    networks: tuple[str, ...] = Field(min_length=1, description="names of networks")
    conditions: tuple[str, ...] = Field(
        min_length=1, description="conditions, each a preset's name, some joined by +, or a .yaml file"
    )
    seeds: tuple[int, ...] = Field(
        min_length=1,
        description="one per repeat: of the initial weights, the shuffling and dropout; repeats share their images",
    )
    tests: tuple[Literal["middle", "shifted"], ...] = Field(
        ("middle", "shifted"),
        min_length=1,
        description="placements of the test sets; every network is tested on all conditions under each of them",
    )
    settings: Mapping[str, Any] = Field({}, description="settings of the runs by name, where not the preset's")

    @classmethod
    def known_keys(cls) -> list[str]:
        """What a file may state: the axes, and the settings of runs that stand beside them."""
        beside = [name for name in run_fields() if name not in _OF_AXES]
        return [*(name for name in cls.model_fields if name != "settings"), *beside]

    @model_validator(mode="before")
    @classmethod
    def _settings_beside_axes(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        beside = [name for name in values if name in run_fields() and name not in _OF_AXES]
        stated = {name: values[name] for name in beside if values[name] is not None}
        rest = {name: value for name, value in values.items() if name not in beside}
        return {**rest, "settings": {**rest.get("settings", {}), **stated}}

    @field_validator("networks", "conditions", "seeds", "tests", mode="before")
    @classmethod
    def _a_list(cls, values: Any) -> Any:
        if not isinstance(values, list | tuple):
            raise ValueError(f"expected a list, such as [{values}]")
        return values

    @field_validator("networks", "conditions", "seeds", "tests")
    @classmethod
    def _each_once(cls, values: tuple[Any, ...], info: Any) -> tuple[Any, ...]:
        for position, value in enumerate(values):
            if value in values[:position]:
                raise ValueError(f"{value} is stated twice")
            if info.field_name == "seeds" and not 0 <= value < 2**63:
                raise ValueError(f"seed {value} must be 0 or above and below 2^63")
        return values

    @model_validator(mode="after")
    def _possible(self, info: Any) -> "StudyPlan":
        labels = [condition_label(name) for name in self.conditions]
        for name, label in zip(self.conditions, labels, strict=True):
            if labels.count(label) > 1:
                raise ImpossibleKeyError(
                    "conditions", f"{name}: another condition is called {label} too; give its file another name"
                )
        for key, value in self.settings.items():
            for name in value if isinstance(value, Mapping) else ():
                if name not in self.networks:
                    raise ImpossibleKeyError(key, f"{name} is not among the plan's networks")
        checks = info.context or {}
        for condition in self.conditions:
            _attributed("conditions", checks.get("condition"), condition)
        for network in self.networks:
            _attributed("networks", checks.get("network"), network, None)
            try:
                settings = self.run(network=network)
            except ConfiguralError as error:
                key, _, problem = str(error).partition(": ")
                raise ImpossibleKeyError(key, problem) from None
            _attributed("image_size", checks.get("network"), network, settings.image_size)
        return self

    def run(self, **given: Any) -> RunConfig:
        """The settings of one of its runs.

        Args:
            given: Settings by name, at least the network's.

        Raises:
            ConfiguralError: If a value is not possible; it is named.
        """
        return resolved({"data_seed": 42, **self.settings, **given})

    def stated(self) -> dict[str, Any]:
        """All that the plan says, as its file does: the settings of runs beside the axes."""
        axes = self.model_dump(mode="json")
        settings = axes.pop("settings")
        return {**axes, **settings}

    def save(self, path: Path | str) -> None:
        """Write as YAML, which `study.read_plan` reads."""
        files.write_text(path, yaml.safe_dump(self.stated(), sort_keys=False))


def _attributed(key: str, check: Any, *given: Any) -> None:
    """Let a check that only later packages can do, such as whether there is such a network, name its key."""
    if check is not None:
        try:
            check(*given)
        except ConfiguralError as error:
            raise ImpossibleKeyError(key, str(error)) from None


def difference(stored: StudyPlan, given: StudyPlan) -> str | None:
    """The first key in which two plans differ, with both values, or None; descriptions do not count.

    Example:
        >>> plan = StudyPlan(networks=("cnn-15",), conditions=("ffa",), seeds=(1,))
        >>> difference(plan, plan.model_copy(update={"seeds": (1, 2)}))
        'seeds [1], not [1, 2]'
    """
    before, now = stored.stated(), given.stated()
    for key in dict.fromkeys((*before, *now)):
        if key != "description" and before.get(key) != now.get(key):
            return f"{key} {_shown(before.get(key))}, not {_shown(now.get(key))}"
    return None


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {item}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value)) + "]"
    return "of the preset" if value is None else str(value)


def condition_label(name: str) -> str:
    """The name of a condition in tables and folders: its name, without folder and ending where it is a file.

    Example:
        >>> condition_label("mine/own one.yaml+matched")
        'own-one+matched'
    """
    parts = [Path(part).stem if part.endswith((".yaml", ".yml")) else Path(part).name for part in name.split("+")]
    return re.sub(r"[^A-Za-z0-9+._]+", "-", "+".join(parts))
