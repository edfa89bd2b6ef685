"""Plans of studies, read and checked against the networks and conditions that there are."""

from functools import partial
from importlib import resources
from pathlib import Path

import torch

from configural import config, models
from configural.config.study import StudyPlan
from configural.io.yamls import parse_document, read_document, validated
from configural.objects import FACE, ObjectScheme
from configural.stimuli import condition as find_condition

PLAN_PRESETS = ("quick", "paper")
"""The plans that come with the package."""


def read_plan(plan: str | Path | StudyPlan, *, scheme: ObjectScheme = FACE) -> StudyPlan:
    """Read a plan.

    Args:
        plan: The name of one of `PLAN_PRESETS`, or a YAML file. A plan is returned as it is.
        scheme: What the object of the conditions consists of.

    Raises:
        ConfiguralError: If there is no such plan, or it has an unknown key or an impossible value; file, line and
            key are named.

    Example:
        >>> read_plan("paper").seeds
        (42, 43, 44)
    """
    if isinstance(plan, StudyPlan):
        return plan
    if str(plan) in PLAN_PRESETS:
        name = f"study-{plan}.yaml"
        text = (resources.files(config) / "presets" / name).read_text("utf-8")
        document = parse_document(text, name)
    else:
        document = read_document(Path(plan))
    return validated(
        StudyPlan, document, context={"condition": partial(find_condition, scheme=scheme), "network": check_network}
    )


def check_network(name: str, image_size: int | None) -> None:
    """Raise a ConfiguralError if there is no such network, or it cannot take images of a size, where that is given.

    Nothing is initialised: no random numbers are drawn.
    """
    models.NETWORKS.find(name)
    if image_size is not None:
        with torch.device("meta"):
            models.create(name, image_size)
