"""Networks by name: the study's, and anybody's."""

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Num
from torch import Tensor, nn

from configural.cores import usable
from configural.errors import ConfiguralError
from configural.models.study_networks import ARCHITECTURES, StudyNet
from configural.registry import Registry, made_by

NETWORKS: Registry[Callable[[int], nn.Module]] = Registry("network", "configural.networks", Callable)
"""What makes a network for images of so many rows and columns, by name.

A network is any torch module that takes a batch and returns logits of the scrambled and the correct class, (n, 2).
A method `prepare(images)` says how it takes RGB images, uint8 (n, 3, h, w); without one they are divided by 255.

Example:
    >>> from torch import nn
    >>> NETWORKS["linear"] = lambda image_size: nn.Sequential(nn.Flatten(), nn.Linear(3 * image_size**2, 2))
    >>> create("linear", 8)(torch.zeros(5, 3, 8, 8)).shape
    torch.Size([5, 2])
    >>> del NETWORKS["linear"]
"""

for _architecture in ARCHITECTURES:
    NETWORKS[_architecture.name] = partial(StudyNet, _architecture)
NETWORKS.seal()


def create(name: str, image_size: int = 224) -> nn.Module:
    """Make a freshly initialised network, by PyTorch's global random state.

    Args:
        name: cnn-15, cnn-13, fcn-16, fcn-14, another registered name, or `module:name`; one that a person wrote.
        image_size: Rows and columns of its input images.

    Raises:
        ConfiguralError: If the name is unknown, the images are too small, or what is made is no network.

    Example:
        >>> create("fcn-14", 64)(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 2])
    """
    return _made(NETWORKS.find(name), name, image_size)


def recreate(
    name: str,
    image_size: int,
    *,
    network: str | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> nn.Module:
    """Make the network that a file names, without changing PyTorch's global random state.

    Nothing that a file names is ever imported. Where it names a `module:name`, a person has to name that, too, as
    `network` or before in this process.

    Args:
        name: By the file.
        image_size: By the file.
        network: What a person says.
        shapes: Of the weights in the file: what claims to be larger is refused before it takes memory.

    Raises:
        ConfiguralError: As for `create`; if `network` is another one, or no person has named a `module:name`; if
            the weights do not fit.
    """
    if network is not None and network != name:
        raise ConfiguralError(f"network '{network}': the file holds a '{name[:80]}'")
    make = NETWORKS.find(name) if network is not None else NETWORKS.known(name)
    with torch.random.fork_rng(devices=[]):
        if shapes is not None:
            _check_shapes(make, name, image_size, shapes)
        return _made(make, name, image_size)


def _check_shapes(
    make: Callable[[int], nn.Module], name: str, image_size: int, shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise if the network would have other weights than these; on the meta device it has shapes alone."""
    try:
        with torch.device("meta"):
            wanted = {key: tuple(value.shape) for key, value in make(image_size).state_dict().items()}
    except ConfiguralError:
        raise
    except Exception:  # somebody's network that cannot be made there
        return
    other = sorted(key for key in {*wanted, *shapes} if wanted.get(key) != shapes.get(key))
    if other:
        raise ConfiguralError(
            f"{name} for {image_size} pixels has {other[0]} {wanted.get(other[0])}, the file {shapes.get(other[0])}"
        )


def _made(make: Callable[[int], nn.Module], name: str, image_size: int) -> nn.Module:
    if isinstance(make, nn.Module):
        raise ConfiguralError(f"network '{name}' is made already; name its class, or a function of an image size")
    module = made_by(make, f"network '{name}' is to be made for an image size alone", image_size)
    if not isinstance(module, nn.Module):
        raise ConfiguralError(f"network '{name}' makes a {type(module).__name__}; wanted is a torch module")
    if not isinstance(module, StudyNet):
        with evaluating(module), torch.no_grad():
            logits = module(prepare(module, torch.zeros(1, 3, image_size, image_size, dtype=torch.uint8)))
        if tuple(getattr(logits, "shape", ())) != (1, 2):
            found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ConfiguralError(
                f"network '{name}' gives {found} for one image; wanted are logits of the scrambled and the correct "
                "class, (1, 2)"
            )
    # What it was made from is kept with it: its file says so, and it is made again from there.
    module.made_from = (name, image_size)  # pyrefly: ignore[bad-argument-type]
    return module


def made_from(network: nn.Module) -> tuple[str, int]:
    """The name and the image size that `create` made a network from.

    Raises:
        ConfiguralError: If another one made it.
    """
    found = network.__dict__.get("made_from")
    if not isinstance(found, tuple):
        raise ConfiguralError(
            f"a {type(network).__name__} that models.create has not made: register it in NETWORKS"
        )
    return found


def threads_for(network: nn.Module, device: torch.device) -> int:
    """How many threads can work on parts of a batch beside each other: one for every core, or one alone.

    Only of the study's networks is it known that threads may ask one at a time, and that normalisation and dropout
    alone look at the whole batch.

    Example:
        >>> threads_for(nn.Linear(2, 2), torch.device("cpu"))
        1
    """
    return usable() if type(network) is StudyNet and device.type == "cpu" else 1


@contextmanager
def evaluating(module: nn.Module) -> Generator[None]:
    """A network in evaluation mode while the block runs; then every layer is in the mode that it was in.

    Threads may be in such blocks beside each other; the last to leave gives the modes back.
    """
    with _MODES:
        inside, training = _EVALUATED.get(module, (0, []))
        training = [*training, *(layer for layer in module.modules() if layer.training)]
        if training:
            module.eval()
        _EVALUATED[module] = inside + 1, training
    try:
        yield
    finally:
        with _MODES:
            inside, training = _EVALUATED.pop(module)
            if inside > 1:
                _EVALUATED[module] = inside - 1, training
            else:
                for layer in training:
                    layer.training = True


_MODES = threading.Lock()
"""Held by whoever changes networks' modes, which are those of all threads."""

_EVALUATED: dict[nn.Module, tuple[int, list[nn.Module]]] = {}
"""How many blocks each network is in, and which of its layers were in training mode before."""


_PIXELS = 2**17
"""Of the images that a CPU takes at a time: with more, a layer's output is new memory that has to be cleared."""


def pieces(batch: Num[Tensor, "n 3 h w"], device: torch.device) -> tuple[Tensor, ...]:
    """A batch as what a network responds to fastest on a device: on a CPU a few images each, on others all at once.

    None is of a single image if the batch is of several, since some networks drop an axis of length one.

    Example:
        >>> [len(some) for some in pieces(torch.zeros(7, 3, 224, 224), torch.device("cpu"))]
        [3, 2, 2]
    """
    if device.type != "cpu":
        return (batch,)
    at_once = max(2, _PIXELS // (batch.shape[2] * batch.shape[3]))
    return batch.tensor_split(max(1, len(batch) // at_once))


def prepare(network: nn.Module, images: Num[Tensor, "n 3 h w"]) -> Tensor:
    """RGB images of 0 to 255 as a network takes them: by its own `prepare`, else divided by 255.

    Example:
        >>> prepare(nn.Identity(), torch.full((1, 3, 1, 1), 51, dtype=torch.uint8)).max()
        tensor(0.2000)
    """
    own: Any = getattr(network, "prepare", None)
    result: Tensor = images.float() / 255 if own is None else own(images)
    return result
