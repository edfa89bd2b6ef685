"""What a network consists of, as a table."""

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from configural.models.study_networks import BatchNorm, StudyNet


@dataclass(frozen=True)
class Layer:
    """One row of the layer table.

    Attributes:
        name: The study's name of the layer.
        kind: What it does, in words.
        output_shape: (channels, rows, columns), (values,) once flattened; without the batch.
        parameters: All of its numbers, running means and variances included.
        trainable: Those that training changes by gradient.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    trainable: int


@dataclass(frozen=True)
class Summary:
    """A network's layer table with its totals.

    Attributes:
        network: Its name.
        image_size: The input size that the shapes are for.
        layers: In order.
        receptive_field: Rows and columns of input pixels that one cell of the last feature map sees; the
            largest input size bounds what it sees in fact.
    """

    network: str
    image_size: int
    layers: tuple[Layer, ...]
    receptive_field: int

    @property
    def total(self) -> int:
        """All parameters."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def trainable(self) -> int:
        """Parameters that training changes by gradient."""
        return sum(layer.trainable for layer in self.layers)

    @property
    def non_trainable(self) -> int:
        """Running means and variances."""
        return self.total - self.trainable


def summarise(network: StudyNet) -> Summary:
    """List a network's layers by sending one empty image through a copy of its shapes."""
    layers = []
    device = next(network.parameters()).device
    value: Tensor = torch.zeros(1, 3, network.image_size, network.image_size, device=device)
    was_training = network.training
    network.eval()
    with torch.no_grad():
        for name, module in network.named_children():
            value = module(value)
            if isinstance(module, nn.ReLU):
                continue  # part of its convolution in the study's counting
            parameters = sum(p.numel() for p in module.parameters())
            running = 2 * module.num_features if isinstance(module, BatchNorm) else 0
            layers.append(Layer(name, _kind(module), tuple(value.shape[1:]), parameters + running, parameters))
    network.train(was_training)
    if network.architecture.fully_convolutional:
        layers.append(Layer("softmax", "softmax", tuple(value.shape[1:]), 0, 0))
    return Summary(network.name, network.image_size, tuple(layers), receptive_field(network))


def receptive_field(network: nn.Module) -> int:
    """Rows (and columns) of input that one cell before the global pool or the dense layer can see.

    By the recurrence r ← r + (k − 1)·j, j ← j·s over the layers' kernel k and stride s.
    """
    field, jump = 1, 1
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            kernel, stride = _first(module.kernel_size), _first(module.stride)
            field += (kernel - 1) * jump
            jump *= stride
    return field


def _first(value: int | tuple[int, ...]) -> int:
    return value if isinstance(value, int) else value[0]


def _kind(module: nn.Module) -> str:
    match module:
        case nn.Conv2d(kernel_size=(1, 1)):
            return "convolution 1×1, linear"
        case nn.Conv2d():
            return "convolution 3×3, ReLU"
        case nn.MaxPool2d():
            return "max-pool 2×2"
        case nn.Dropout():
            return f"dropout {module.p:g}"
        case nn.BatchNorm2d():
            return "batch normalisation"
        case nn.Flatten():
            return "flatten"
        case nn.Linear():
            return "dense, softmax"
        case _:
            return "global max-pool"


def multiply_adds(network: StudyNet) -> int:
    """Multiply-adds of one image's way forward through the convolutions and the dense layer."""
    positions = {layer.name: prod(layer.output_shape[1:]) for layer in summarise(network).layers}
    return sum(
        module.weight.numel() * positions[name]
        for name, module in network.named_children()
        if isinstance(module, nn.Conv2d | nn.Linear)
    )
