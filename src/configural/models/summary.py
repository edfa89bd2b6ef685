"""What a network consists of, as a table."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from configural.models.networks import made_from, prepare
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
    shapes = _output_shapes(network, image_size)
    layers = []
    for path, module in network.named_modules():
        own = sum(weights.numel() for weights in module.parameters(recurse=False))
        # In the study's counting, a ReLU is part of its convolution.
        if module not in shapes or (not own and list(module.children())) or _is_part(network, module):
            continue
        trainable = sum(w.numel() for w in module.parameters(recurse=False) if w.requires_grad)
        tracked = isinstance(module, _BatchNorm) and module.running_mean is not None
        running = 2 * module.num_features if tracked else 0
        layers.append(Layer(path, _kind(network, module), shapes[module], own + running, trainable))
    if isinstance(network, StudyNet) and network.architecture.fully_convolutional:
        layers.append(Layer("softmax", "softmax", layers[-1].output_shape, 0, 0))
    return Summary(name, image_size, tuple(layers), receptive_field(network))


def _output_shapes(network: nn.Module, image_size: int) -> dict[nn.Module, tuple[int, ...]]:
    """What each module gives for one image, in the order of their first use; without the batch."""
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def note(module: nn.Module, _: object, output: object) -> None:
        shapes.setdefault(module, tuple(output.shape[1:]) if isinstance(output, Tensor) else ())

    handles = [module.register_forward_hook(note) for module in network.modules()]
    try:
        _pass(network, image_size)
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def _pass(network: nn.Module, image_size: int) -> None:
    """Send one empty image through, as if tested."""
    first = next(network.parameters(), torch.zeros(0))
    was_training = network.training
    network.eval()
    with torch.no_grad():
        image = torch.zeros(1, 3, image_size, image_size, dtype=torch.uint8, device=first.device)
        network(prepare(network, image).to(first.dtype))
    network.train(was_training)


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
            kernel, stride = _first(layer.kernel_size), _first(layer.stride)
            field += (kernel - 1) * jump
            jump *= stride
    return field


def _first(value: int | tuple[int, ...]) -> int:
    return value if isinstance(value, int) else value[0]


def _is_part(network: nn.Module, module: nn.Module) -> bool:
    return isinstance(network, StudyNet) and isinstance(module, nn.ReLU)


def _kind(network: nn.Module, module: nn.Module) -> str:
    """In words for the study's networks, as PyTorch writes it for others."""
    if not isinstance(network, StudyNet):
        return type(module).__name__ if list(module.children()) else str(module)
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


def multiply_adds(network: nn.Module) -> int:
    """Multiply-adds of one image's forward pass through all products of matrices and convolutions.

    Example:
        >>> from configural.models import create
        >>> multiply_adds(create("fcn-14", 32))
        15042560
    """
    from torch.utils.flop_counter import FlopCounterMode  # takes a while to import

    with FlopCounterMode(display=False) as counter:
        _pass(network, made_from(network)[1])
    return int(counter.get_total_flops()) // 2
