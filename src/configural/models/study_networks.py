"""The four networks of the study, layer by layer, under the study's names."""

from collections import OrderedDict
from dataclasses import dataclass

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

from configural.errors import ConfiguralError

CLASSES = 2

VGG16_MEANS_BGR = (103.939, 116.779, 123.68)
"""The mean colour of ImageNet as VGG16's preprocessing subtracts it."""


@dataclass(frozen=True)
class Architecture:
    """What distinguishes the four networks.

    Attributes:
        name: The name users write.
        convolutions: How many of the five convolution blocks it has.
        fully_convolutional: Ends in a 1×1 convolution and a global max-pool instead of a dense layer.
        epochs: How long the study trained it.
    """

    name: str
    convolutions: int
    fully_convolutional: bool
    epochs: int


ARCHITECTURES = (
    Architecture("cnn-15", 5, False, 20),
    Architecture("cnn-13", 4, False, 30),
    Architecture("fcn-16", 5, True, 20),
    Architecture("fcn-14", 4, True, 30),
)


class StudyNet(nn.Sequential):
    """One of the study's networks: a prepared NCHW batch in, logits of the scrambled and the correct class out.

    Each ReLU stands behind its max-pool instead of before it, which gives the same values and gradients on a
    quarter of the data. The pools of five blocks need images of at least 32 rows and columns, of four 16.
    """

    def __init__(self, architecture: Architecture, image_size: int) -> None:
        smallest = 2**architecture.convolutions
        if image_size < smallest:
            raise ConfiguralError(
                f"image_size {image_size} is too small for {architecture.name}: its {architecture.convolutions} "
                f"max-pools need at least {smallest} pixels"
            )
        super().__init__(OrderedDict(_layers(architecture, image_size // smallest)))
        self.architecture = architecture
        self.image_size = image_size
        for layer in self:
            if isinstance(layer, nn.Conv2d | nn.Linear):  # the defaults of Keras
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.get_parameter("bias"))

    @property
    def name(self) -> str:
        """The network's name, such as `cnn-15`."""
        return self.architecture.name

    def prepare(self, images: Num[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
        """Prepare RGB images of 0 to 255 as for VGG16; see `preprocess`."""
        return preprocess(images)


def _layers(architecture: Architecture, side: int) -> list[tuple[str, nn.Module]]:
    """The layers by name; `side` is that of the last feature map."""
    layers: list[tuple[str, nn.Module]] = []
    channels = 3
    for block in range(1, architecture.convolutions + 1):
        filters = 16 * 2**block
        layers += [
            (f"Conv_{block}", nn.Conv2d(channels, filters, 3, padding=1)),
            (f"Max_{block}", nn.MaxPool2d(2)),
            (f"ReLU_{block}", nn.ReLU()),
        ]
        if block in (1, 3):
            layers.append((f"DO_{block}", nn.Dropout(0.2)))
        if block == 1:
            # With the defaults of Keras, where momentum counts what was. The running variance takes n / (n − 1) of
            # a batch's: in PyTorch as in the fused kernel of the study's Keras 2; Keras 3 takes it plain.
            layers.append(("BN_1", nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01)))
        channels = filters
    if architecture.fully_convolutional:
        return [*layers, ("Conv_con", nn.Conv2d(channels, CLASSES, 1)), ("GMax_con", GlobalMaxPool())]
    return [*layers, ("Flat_con", nn.Flatten()), ("D_con", nn.Linear(channels * side * side, CLASSES))]


class GlobalMaxPool(nn.Module):
    """The largest value of each channel."""

    def forward(self, batch: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c"]:
        """Take the maximum over all positions."""
        return batch.amax(dim=(2, 3))


def preprocess(images: Num[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Prepare RGB images as for VGG16: BGR order, the mean colour subtracted, no scaling.

    Args:
        images: RGB, 0 to 255; bytes or floats, through which gradients flow.

    Returns:
        BGR, about −124 to 151, in channels-last memory, on the same device.

    Example:
        >>> import torch
        >>> preprocess(torch.full((1, 3, 1, 1), 128, dtype=torch.uint8)).round().flatten().tolist()
        [24.0, 11.0, 4.0]
    """
    means = torch.tensor(VGG16_MEANS_BGR, device=images.device).view(1, 3, 1, 1)
    batch = images.flip(1).to(torch.float32) - means
    return batch.contiguous(memory_format=torch.channels_last)
