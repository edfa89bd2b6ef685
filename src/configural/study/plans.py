"""Plans of studies, read and checked against the networks and conditions that there are, and their jobs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import torch

from configural import config, models
from configural.config.run import RunConfig
from configural.config.study import StudyPlan, condition_label
from configural.io.yamls import Document, parse_document, read_document, validated
from configural.objects import FACE, ObjectScheme
from configural.runs.run import is_finished
from configural.stimuli import condition as find_condition

PLAN_PRESETS = ("quick", "grid", "paper")
"""The plans that come with the package."""


def read_plan(plan: str | Path | StudyPlan, *, scheme: ObjectScheme | None = FACE) -> StudyPlan:
    """Read a plan.

    Args:
        plan: The name of one of `PLAN_PRESETS`, or a YAML file, whose conditions in .yaml files are looked for
            beside it and then in the working folder. A plan is returned as it is.
        scheme: What the object of the conditions consists of; None if that is not known yet, so that they are not
            checked.

    Raises:
        ConfiguralError: If there is no such plan, or it has unknown keys or impossible values; file, line and
            key of each are named.

    Example:
        >>> read_plan("paper").seeds
        (42, 43, 44)
    """
    if isinstance(plan, StudyPlan):
        return plan
    if str(plan) in PLAN_PRESETS:
        name = f"study-{plan}.yaml"
        document = parse_document((resources.files(config) / "presets" / name).read_text("utf-8"), name)
    else:
        document = _beside(Path(plan), read_document(Path(plan)))
    checks: dict[str, Any] = {"network": _check_network}
    if scheme is not None:
        checks["condition"] = partial(find_condition, scheme=scheme)
    return validated(StudyPlan, document, context=checks)


def _beside(plan: Path, document: Document) -> Document:
    """What a plan says, with the way to its conditions' files that lie beside it."""
    conditions = document.values.get("conditions")
    if not isinstance(conditions, list):
        return document

    def found(part: str) -> str:
        beside = plan.parent / part
        return str(beside) if part.endswith((".yaml", ".yml")) and beside.is_file() else part

    def told(name: str) -> str:  # a file's own name may hold a plus
        whole = found(name)
        return whole if whole != name else "+".join(map(found, name.split("+")))

    every = [told(name) if isinstance(name, str) else name for name in conditions]
    return replace(document, values={**document.values, "conditions": every})


def _check_network(name: str, image_size: int | None) -> None:
    """Raise a ConfiguralError if there is no such network, or it cannot take images of a size, where that is given.

    Nothing is initialised: no random numbers are drawn.
    """
    models.NETWORKS.find(name)
    if image_size is not None:
        with torch.device("meta"):
            models.create(name, image_size)


@dataclass(frozen=True)
class Job:
    """One training with all its tests, as plain data that can be sent to another process.

    Attributes:
        condition: What it is trained under, as the plan writes it.
        repeat: Which of the plan's seeds it is trained by, from 1 on.
        tests: (condition, placement) of every test set, the placement middle or shifted.
        own: (condition, placement) under which images of each condition are trained on.
    """

    network: str
    condition: str
    repeat: int
    settings: RunConfig
    tests: tuple[tuple[str, str], ...]
    own: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """Of its run folder, such as cnn-15-ffa-1."""
        return f"{self.network}-{condition_label(self.condition)}-{self.repeat}"

    @property
    def run(self) -> str:
        """Its run folder, seen from the study's folder."""
        return f"runs/{self.name}"

    def is_finished(self, folder: Path) -> bool:
        """Whether it has all its results in a study's folder; of what has been damaged since, see `jobs.mend`."""
        return (folder / self.run / "tests.csv").is_file() and is_finished(folder / self.run)


def plan_jobs(
    plan: StudyPlan,
    source: str = "synthetic",
    *,
    device: str = "auto",
    own: Mapping[str, str] | None = None,
) -> tuple[Job, ...]:
    """All jobs of a plan: first every cell's first repeat, then every second one, and so on.

    `own` is by condition the placement that it is trained under, of the conditions for faces if not given.
    """
    if own is None:
        own = {name: find_condition(name).placement for name in plan.conditions}
    tests = tuple((condition, placement) for condition in plan.conditions for placement in plan.tests)
    return tuple(
        Job(
            *(network, condition, repeat),
            plan.run(source=source, device=device, network=network, condition=condition, seed=seed),
            tests,
            tuple(own.items()),
        )
        for repeat, seed in enumerate(plan.seeds, start=1)
        for network in plan.networks
        for condition in plan.conditions
    )
