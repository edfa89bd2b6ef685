"""Networks by name, their weights in and out, what they see, and anybody's model as a classifier.

Names are imported when they are first used, so that what does without torch stays quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from configural.models.classifiers import Classifier as Classifier
    from configural.models.classifiers import Differentiable as Differentiable
    from configural.models.cpu import fast_on_cpu as fast_on_cpu
    from configural.models.keras import load_keras as load_keras
    from configural.models.keras import save_keras as save_keras
    from configural.models.networks import NETWORKS as NETWORKS
    from configural.models.networks import create as create
    from configural.models.networks import made_from as made_from
    from configural.models.networks import prepare as prepare
    from configural.models.opening import MODELS as MODELS
    from configural.models.opening import open as open
    from configural.models.study_networks import ARCHITECTURES as ARCHITECTURES
    from configural.models.study_networks import Architecture as Architecture
    from configural.models.study_networks import StudyNet as StudyNet
    from configural.models.study_networks import architecture as architecture
    from configural.models.study_networks import preprocess as preprocess
    from configural.models.summary import Layer as Layer
    from configural.models.summary import Summary as Summary
    from configural.models.summary import multiply_adds as multiply_adds
    from configural.models.summary import receptive_field as receptive_field
    from configural.models.summary import summarise as summarise
    from configural.models.weights import load_network as load_network
    from configural.models.weights import save_network as save_network

_NAMES = {
    "classifiers": ("Classifier", "Differentiable"),
    "cpu": ("fast_on_cpu",),
    "keras": ("load_keras", "save_keras"),
    "networks": ("NETWORKS", "create", "made_from", "prepare"),
    "opening": ("MODELS", "open"),
    "study_networks": ("ARCHITECTURES", "Architecture", "StudyNet", "architecture", "preprocess"),
    "summary": ("Layer", "Summary", "multiply_adds", "receptive_field", "summarise"),
    "weights": ("load_network", "save_network"),
}

__all__ = sorted(name for names in _NAMES.values() for name in names)


def __getattr__(name: str) -> Any:
    for module, names in _NAMES.items():
        if name in names:
            return getattr(importlib.import_module(f"configural.models.{module}"), name)
    raise AttributeError(f"module 'configural.models' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
