"""The study's networks, their weights in and out, and what they see."""

import importlib
from typing import TYPE_CHECKING, Any

from configural.models.preprocessing import preprocess as preprocess
from configural.models.study_networks import ARCHITECTURES as ARCHITECTURES
from configural.models.study_networks import Architecture as Architecture
from configural.models.study_networks import StudyNet as StudyNet
from configural.models.study_networks import architecture as architecture
from configural.models.study_networks import create as create
from configural.models.summary import Layer as Layer
from configural.models.summary import Summary as Summary
from configural.models.summary import multiply_adds as multiply_adds
from configural.models.summary import receptive_field as receptive_field
from configural.models.summary import summarise as summarise
from configural.models.weights import load_network as load_network
from configural.models.weights import save_network as save_network

if TYPE_CHECKING:
    from configural.models import keras_weights as keras_weights


def __getattr__(name: str) -> Any:
    if name == "keras_weights":  # imported when first used, since few need the library that reads HDF5
        return importlib.import_module("configural.models.keras_weights")
    raise AttributeError(f"module 'configural.models' has no attribute '{name}'")
