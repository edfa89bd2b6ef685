"""The settings of an audit."""

from typing import Literal

from pydantic import Field

from configural.config.recipe import ImageSize, Seed, Settings

EXECUTION = ("batch_size", "device")
"""Settings that say how an audit is carried out; it may be resumed in another way."""

OPENING = ("positive", "output", "scale", "layout", "mean", "std", "channels", "network")
"""Settings that say how a model is opened, beside its image size and device; see `models.open`."""


class AuditConfig(Settings):
    """What an audit measures on which stimuli, and how a saved model is opened for it."""

    source: str = Field("synthetic", description="source of the exemplars; of a run its own by default")
    condition: str = Field("baseline", description="condition of the images; of a run its own by default")
    split: Literal["paper", "identity"] = Field(
        "paper",
        description="paper: all exemplars; identity: those of the test persons; of a run its own by default",
    )
    pairs: int = Field(500, ge=2, le=10**6, description="matched pairs of a correct and a scrambled arrangement")
    seed: Seed = Field(0, description="seed of the stimuli; for a run, by default one that it was not trained with")
    image_size: ImageSize = Field(
        224, description="rows and columns of the images, where the model does not say it"
    )
    probes: tuple[str, ...] = Field((), description="names of probes, or module:name; all by default")
    batch_size: int = Field(100, ge=1, description="images at a time")
    positive: str | int | None = Field(
        None, description="label or position of the correct class among the model's outputs"
    )
    output: str | None = Field(None, description="what the outputs of the model are: logits or probabilities")
    scale: float | None = Field(None, gt=0, description="what pixels of 0 to 255 are multiplied by")
    layout: Literal["hwc", "chw"] | None = Field(
        None,
        description="how an image lies in a row of numbers: hwc, pixel by pixel, or chw, colour after colour",
    )
    mean: str | None = Field(
        None, description="what is subtracted from scaled pixels: one number, or three such as 0.485,0.456,0.406"
    )
    std: str | None = Field(None, description="what they are divided by after that: one number, or three")
    channels: Literal["rgb", "bgr"] | None = Field(None, description="order of the channels: rgb, or bgr")
    network: str | None = Field(
        None, description="module:name of the network, where that is what the model's file names"
    )
    device: str = Field("cpu", description="cpu, cuda or mps")
