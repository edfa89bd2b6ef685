"""A condition and a seed become a table of stimuli; a renderer turns its rows into images and masks."""

import importlib
from typing import TYPE_CHECKING, Any

from configural.stimuli.conditions import CONDITIONS as CONDITIONS
from configural.stimuli.conditions import PLACEMENTS as PLACEMENTS
from configural.stimuli.conditions import STUDY_CONDITIONS as STUDY_CONDITIONS
from configural.stimuli.conditions import Condition as Condition
from configural.stimuli.conditions import MovedPart as MovedPart
from configural.stimuli.conditions import condition as condition
from configural.stimuli.conditions import preset_names as preset_names
from configural.stimuli.rendering import Renderer as Renderer
from configural.stimuli.sampling import SPLITS as SPLITS
from configural.stimuli.sampling import sample as sample
from configural.stimuli.sampling import sample_to as sample_to
from configural.stimuli.table import SUBSETS as SUBSETS
from configural.stimuli.table import SlotContent as SlotContent
from configural.stimuli.table import Stimulus as Stimulus
from configural.stimuli.table import StimulusTable as StimulusTable
from configural.stimuli.table import StoredTable as StoredTable

if TYPE_CHECKING:
    from configural.stimuli.datasets import ImageDataset as ImageDataset
    from configural.stimuli.datasets import StimulusDataset as StimulusDataset
    from configural.stimuli.datasets import dataset as dataset
    from configural.stimuli.device_rendering import DeviceRenderer as DeviceRenderer

_OF_TORCH = {
    "ImageDataset": "datasets",
    "StimulusDataset": "datasets",
    "dataset": "datasets",
    "DeviceRenderer": "device_rendering",
}
"""What needs PyTorch, by module. It is imported when first used, for those who only draw can do without."""


def __getattr__(name: str) -> Any:
    if name not in _OF_TORCH:
        raise AttributeError(f"module 'configural.stimuli' has no attribute '{name}'")
    return getattr(importlib.import_module(f"configural.stimuli.{_OF_TORCH[name]}"), name)
