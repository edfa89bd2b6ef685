"""The study's networks, their weights in and out, and what they see."""

import importlib
from typing import TYPE_CHECKING, Any

from configural.networks.preprocessing import preprocess as preprocess
from configural.networks.study_nets import ARCHITECTURES as ARCHITECTURES
from configural.networks.study_nets import Architecture as Architecture
from configural.networks.study_nets import StudyNet as StudyNet
from configural.networks.study_nets import architecture as architecture
from configural.networks.study_nets import create as create
from configural.networks.summary import Layer as Layer
from configural.networks.summary import Summary as Summary
from configural.networks.summary import multiply_adds as multiply_adds
from configural.networks.summary import receptive_field as receptive_field
from configural.networks.summary import summarise as summarise
from configural.networks.weights import load_network as load_network
from configural.networks.weights import save_network as save_network

if TYPE_CHECKING:
    from configural.networks import keras_weights as keras_weights


def __getattr__(name: str) -> Any:
    if name == "keras_weights":  # imported when first used, since few need the library that reads HDF5
        return importlib.import_module("configural.networks.keras_weights")
    raise AttributeError(f"module 'configural.networks' has no attribute '{name}'")
