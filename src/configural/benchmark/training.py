"""A training step by itself, and what limits it."""

import torch
from torch import nn
from torch.nn import functional as F

from configural.benchmark.timing import Work
from configural.models import create, multiply_adds, preprocess


def operations(name: str, size: int) -> int:
    """Floating-point operations of one image's way forward and back; the first layer's input has no gradient."""
    network = create(name, size)
    first = network.Conv_1
    assert isinstance(first, nn.Conv2d)
    return 3 * 2 * multiply_adds(network) - 2 * first.weight.numel() * size**2


def matrix_product(side: int = 2048, device: torch.device | None = None) -> Work:
    """A function that multiplies two square matrices, 2·side³ floating-point operations."""
    left, right = torch.randn(side, side, device=device), torch.randn(side, side, device=device)

    def product() -> None:
        _ = left @ right
        wait(device)

    return product


def training_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    size: int,
    batch: int,
    device: torch.device | None = None,
    channels_last: bool = True,
) -> Work:
    """A function that makes one step on images of noise: prepare them, forward, backward, and the optimizer.

    Args:
        model: A network in training mode, on the device.
        optimizer: Of its weights.
        size: Rows and columns of the images.
        batch: Images per step.
        device: Where the images go; the CPU if not given.
        channels_last: Keep the colours of a pixel beside each other.
    """
    images = torch.randint(0, 256, (batch, size, size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    labels = (torch.arange(batch) % 2).to(device)

    def step() -> None:
        prepared = preprocess(images.to(device))
        optimizer.zero_grad()
        logits = model(prepared if channels_last else prepared.contiguous())
        F.cross_entropy(logits, labels).backward()
        optimizer.step()
        wait(device)

    return step


def wait(device: torch.device | None) -> None:
    """Until the device has done what it was given."""
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device is not None and device.type == "mps":
        torch.mps.synchronize()
