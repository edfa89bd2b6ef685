"""The four networks of the study, layer by layer."""

from collections import OrderedDict
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from configural.errors import ConfiguralError
from configural.models.pooled_convolution import convolve_pool_rectify

_CLASSES = 2


@dataclass(frozen=True)
class Architecture:
    """What tells the four networks apart.

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

_FILTERS = (32, 64, 128, 256, 512)
_DROPOUT_AFTER = (1, 3)
_BATCH_NORM_AFTER = (1,)


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation with the defaults of Keras: momentum 0.99, epsilon 1e-3.

    The running variance follows the batch's plain variance, as in Keras 3, where PyTorch would multiply it
    by n / (n − 1).
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-3, momentum=0.01)

    def forward(self, batch: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Normalise over all positions of all images; in training mode also update the running values."""
        if not self.training:
            return super().forward(batch)
        assert self.running_var is not None
        before = self.running_var.clone()
        normalised = super().forward(batch)
        n = batch.numel() // batch.shape[1]
        # PyTorch gave 0.99·before + 0.01·n/(n − 1)·variance; this takes the n/(n − 1) out again. By way of `data`,
        # since autograd has noted the buffer, although in training its backward pass does not read it.
        self.running_var.data.lerp_(0.99 * before, 1 / n)
        return normalised


class Dropout(nn.Dropout):
    """Dropout that on a CPU draws its numbers from 32 random bits each, four times as fast as PyTorch's own."""

    def forward(self, batch: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Set each value to 0 with probability `p` and divide the others by 1 − p; outside training do nothing."""
        if not self.training or not 0 < self.p < 1 or batch.device.type != "cpu":
            return super().forward(batch)
        scale = torch.empty_like(batch, requires_grad=False)
        values = batch.numel()
        bits = torch.empty((values + 1) // 2, dtype=torch.int64).random_(-(2**63), None).view(torch.int32)[:values]
        # In the order of memory, whatever the format. p is met to within 2⁻³³.
        torch.ge(bits, round(self.p * 2**32) - 2**31, out=scale.as_strided((values,), (1,)))
        return batch * scale.mul_(1 / (1 - self.p))


class GlobalMaxPool(nn.Module):
    """The largest value of each channel."""

    def forward(self, batch: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c"]:
        """Take the maximum over all positions."""
        return batch.amax(dim=(2, 3))


class StudyNet(nn.Sequential):
    """One of the study's networks: a preprocessed NCHW batch in, logits of no_face and face out.

    Layers carry the study's names. Each ReLU stands behind its max-pool instead of before it, which gives
    the same values and gradients on a quarter of the data. In training on a CPU, the three layers of a block are
    one (see `convolve_pool_rectify`), unless somebody watches them by hooks.

    Attributes:
        architecture: Which of the four it is.
        image_size: Rows and columns of its input.
    """

    def __init__(self, architecture: Architecture, image_size: int) -> None:
        super().__init__(_layers(architecture, image_size))
        self.architecture = architecture
        self.image_size = image_size
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                # The defaults of Keras.
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, input: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 2"]:
        """Logits of no_face and face for a preprocessed batch."""
        on_cpu = input.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
        if not (self.training and torch.is_grad_enabled() and on_cpu):
            return super().forward(input)
        value, layers = input, list(self)
        while layers:
            match layers:
                case [
                    nn.Conv2d(weight=weight, bias=Tensor() as bias),
                    nn.MaxPool2d(),
                    nn.ReLU(),
                    *rest,
                ] if not any(_is_watched(layer) for layer in layers[:3]):
                    value, layers = convolve_pool_rectify(value, weight, bias), rest
                case [layer, *rest]:
                    value, layers = layer(value), rest
        return value

    @property
    def name(self) -> str:
        """The network's name, such as `cnn-15`."""
        return self.architecture.name


def architecture(name: str) -> Architecture:
    """The architecture of that name.

    Raises:
        ConfiguralError: If there is none.
    """
    for candidate in ARCHITECTURES:
        if candidate.name == name:
            return candidate
    known = ", ".join(candidate.name for candidate in ARCHITECTURES)
    raise ConfiguralError(f"unknown network '{name}': choose one of {known}")


def create(name: str, image_size: int = 224) -> StudyNet:
    """Make a freshly initialised network, by PyTorch's global random state.

    Args:
        name: cnn-15, cnn-13, fcn-16 or fcn-14.
        image_size: Rows and columns of its input images; at least 32 for five blocks, 16 for four.

    Raises:
        ConfiguralError: If the name is unknown or the images are too small for the pools.
    """
    chosen = architecture(name)
    smallest = 2**chosen.convolutions
    if image_size < smallest:
        raise ConfiguralError(
            f"image size {image_size} is too small for {name}: its {chosen.convolutions} max-pools need at "
            f"least {smallest} pixels"
        )
    return StudyNet(chosen, image_size)


def _is_watched(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or nn.modules.module._has_any_global_hook()
    )


def _layers(architecture: Architecture, image_size: int) -> OrderedDict[str, nn.Module]:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels, side = 3, image_size
    for block in range(1, architecture.convolutions + 1):
        filters = _FILTERS[block - 1]
        layers[f"Conv_{block}"] = nn.Conv2d(channels, filters, 3, padding=1)
        layers[f"Max_{block}"] = nn.MaxPool2d(2)
        layers[f"ReLU_{block}"] = nn.ReLU()
        if block in _DROPOUT_AFTER:
            layers[f"DO_{block}"] = Dropout(0.2)
        if block in _BATCH_NORM_AFTER:
            layers[f"BN_{block}"] = BatchNorm(filters)
        channels, side = filters, side // 2
    if architecture.fully_convolutional:
        layers["Conv_con"] = nn.Conv2d(channels, _CLASSES, 1)
        layers["GMax_con"] = GlobalMaxPool()
    else:
        layers["Flat_con"] = nn.Flatten()
        layers["D_con"] = nn.Linear(channels * side * side, _CLASSES)
    return layers
