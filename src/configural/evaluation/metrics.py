"""What `metrics.json` holds, of a run and of the test of a saved network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeFloat, NonNegativeInt, model_validator

from configural.config.recipe import ImageSize
from configural.io.reading import read_json


class _Stored(BaseModel):
    """Only what is needed is checked; all else is kept as it is."""

    model_config = ConfigDict(extra="allow")


class _Test(_Stored):
    test_accuracy: Annotated[float, Field(ge=0, le=1)]
    test_loss: FiniteFloat
    confusion_matrix: tuple[tuple[NonNegativeInt, NonNegativeInt], tuple[NonNegativeInt, NonNegativeInt]]
    configural: str

    @model_validator(mode="after")
    def _of_some_images(self) -> "_Test":
        if not any(map(sum, self.confusion_matrix)):
            raise ValueError("the confusion matrix counts no image")
        return self


class _Parameters(_Stored):
    total: NonNegativeInt
    trainable: NonNegativeInt
    non_trainable: NonNegativeInt


class _Tested(_Stored):
    test: NonNegativeInt


class _Images(_Tested):
    train: NonNegativeInt
    valid: NonNegativeInt


class _Seconds(_Stored):
    draw: NonNegativeFloat
    train: NonNegativeFloat
    test: NonNegativeFloat


class RunMetrics(_Test):
    """Of a run."""

    class_names: tuple[str, str]
    parameters: _Parameters
    images: _Images
    seconds: _Seconds
    faces_fingerprint: str
    device: str
    torch: str


class _Settings(_Stored):
    model: str
    network: str
    image_size: ImageSize
    data: str | None = None
    source: str | None = None
    condition: str | None = None
    placement: str | None = None
    split: str | None = None
    count: int | None = None
    seed: int | None = None


class TestMetrics(_Test):
    """Of the test of a saved network."""

    settings: _Settings
    images: _Tested


def read_metrics(path: Path, model: type[_Test] = RunMetrics) -> Mapping[str, Any]:
    """A `metrics.json` as plain values.

    Raises:
        ConfiguralError: If it is missing or damaged.
    """
    said = read_json(path, model, "the metrics of a run", "; is the file damaged?")
    return {**said.model_dump(exclude_unset=True), "confusion_matrix": [list(row) for row in said.confusion_matrix]}
