"""Does an image classifier use how parts relate, or only which parts are there and where they sit?

The packages follow the way of the data: `portraits`, `stimuli`, `models`, `training`, `evaluation`, `study`,
`audit`, `report`. They are imported when first used, so that `import configural` is quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PACKAGES = (
    *("audit", "benchmark", "config", "errors", "evaluation", "export", "models", "objects", "portraits"),
    *("progress", "replication", "report", "runs", "stimuli", "study", "training"),
)
_COMMANDS = ("Run", "evaluate", "generate", "load_run", "run", "run_study", "study_status", "verify")

__all__ = ["__version__", *_PACKAGES, *_COMMANDS]

if TYPE_CHECKING:
    from configural import audit as audit
    from configural import errors as errors
    from configural import evaluation as evaluation
    from configural import models as models
    from configural import portraits as portraits
    from configural import report as report
    from configural import stimuli as stimuli
    from configural import study as study
    from configural import training as training
    from configural.api import Run as Run
    from configural.api import evaluate as evaluate
    from configural.api import generate as generate
    from configural.api import load_run as load_run
    from configural.api import run as run
    from configural.api import run_study as run_study
    from configural.api import study_status as study_status
    from configural.api import verify as verify


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"configural.{name}")
    if name in _COMMANDS:
        return getattr(importlib.import_module("configural.api"), name)
    raise AttributeError(f"module 'configural' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
