"""What a network consists of, as a table."""

import math
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from configural.models.networks import evaluating, made_from, prepare
from configural.models.study_networks import StudyNet


@dataclass(frozen=True)
class Layer:
    """One row of the layer table.

    Attributes:
        name: The study's name of the layer, or the module's in its network.
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
        receptive_field: Rows and columns of input pixels that one unit of the last feature map sees, of which no
            more than the input size exist; None where the layers do not tell it.
    """

    network: str
    image_size: int
    layers: tuple[Layer, ...]
    receptive_field: int | None

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


_KINDS = {
    "Conv": "convolution 3×3, ReLU",
    "Conv_con": "convolution 1×1, linear",
    "Max": "max-pool 2×2",
    "DO": "dropout {0.p:g}",
    "BN": "batch normalisation",
    "Flat": "flatten",
    "D": "dense, softmax",
    "GMax": "global max-pool",
}
"""What the layers of the study's networks do, by how their names begin."""


def summarise(network: nn.Module) -> Summary:
    """List the layers of a network that `create` made, by sending one empty image through it.

    Every module without modules inside is a layer, and every other one with parameters of its own.

    Example:
        >>> from configural.models import create
        >>> summary = summarise(create("fcn-14"))
        >>> summary.layers[0].name, summary.total, summary.receptive_field
        ('Conv_1', 389058, 46)
    """
    name, image_size = made_from(network)
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def note(module: nn.Module, _: object, output: object) -> None:
        shapes.setdefault(module, tuple(output.shape[1:]) if isinstance(output, Tensor) else ())

    with ExitStack() as hooks:
        for module in network.modules():
            hooks.callback(module.register_forward_hook(note).remove)
        _pass(network, image_size)
    study = isinstance(network, StudyNet)
    layers = []
    for path, module in network.named_modules():
        weights, inside = list(module.parameters(recurse=False)), list(module.children())
        # In the study's counting, a ReLU is part of its convolution.
        if module not in shapes or (inside and not weights) or (study and isinstance(module, nn.ReLU)):
            continue
        kind = type(module).__name__ if inside else str(module)
        if study:
            kind = (_KINDS.get(path) or _KINDS.get(path.partition("_")[0], kind)).format(module)
        running = [values for key, values in module.named_buffers(recurse=False) if key.startswith("running_")]
        numbers = sum(values.numel() for values in (*weights, *running))
        trainable = sum(values.numel() for values in weights if values.requires_grad)
        layers.append(Layer(path, kind, shapes[module], numbers, trainable))
    if isinstance(network, StudyNet) and network.architecture.fully_convolutional:
        layers.append(Layer("softmax", "softmax", layers[-1].output_shape, 0, 0))
    return Summary(name, image_size, tuple(layers), receptive_field(network))


def multiply_adds(network: nn.Module) -> int:
    """Multiply-adds of one image's forward pass through all products of matrices and convolutions.

    Example:
        >>> from configural.models import create
        >>> multiply_adds(create("fcn-14", 32))
        15042560
    """
    if type(network) is StudyNet:  # whose layers tell; the counter takes two seconds of imports
        shapes = {layer.name: layer.output_shape for layer in summarise(network).layers}
        return sum(
            layer.weight.numel() * math.prod(shapes[name][1:])
            for name, layer in network.named_children()
            if isinstance(layer, nn.Conv2d | nn.Linear)
        )
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        _pass(network, made_from(network)[1])
    return int(counter.get_total_flops()) // 2


def _pass(network: nn.Module, image_size: int) -> None:
    """Send one empty image through, as if tested."""
    first = next(network.parameters(), torch.zeros(0))
    with evaluating(network), torch.no_grad():
        image = torch.zeros(1, 3, image_size, image_size, dtype=torch.uint8, device=first.device)
        network(prepare(network, image).to(first.dtype))


def receptive_field(network: nn.Module) -> int | None:
    """Rows (and columns) of input that one unit before the global pool or the dense layer can see.

    By the recurrence r ← r + (k − 1)·j, j ← j·s over the layers' kernel k and stride s, which holds for a network
    that is one chain of layers; None for others.

    Example:
        >>> receptive_field(nn.Sequential(nn.Conv2d(3, 8, 3), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3)))
        8
    """
    if not isinstance(network, nn.Sequential) or any(list(layer.children()) for layer in network):
        return None
    field, jump = 1, 1
    for layer in network:
        if isinstance(layer, nn.AvgPool2d | nn.Upsample | nn.ConvTranspose2d):
            return None
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            if layer.dilation not in (1, (1, 1)):
                return None
            sizes = (layer.kernel_size, layer.stride)
            kernel, stride = (size if isinstance(size, int) else size[0] for size in sizes)
            field += (kernel - 1) * jump
            jump *= stride
    return field
