"""Doing a piece of work again and again, with an eye on two clocks; and training as such work."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from configural.models import create, fast_on_cpu, prepare

Work = Callable[[], object]


@dataclass(frozen=True)
class Rounds:
    """How long a piece of work took, each time.

    Attributes:
        count: What one round gets done: images, say, or operations.
        seconds: Of each round, by the clock.
        processor_seconds: Of each round, of this process, all its threads added up.
    """

    count: float
    seconds: tuple[float, ...]
    processor_seconds: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Count per second by the clock, in the median round."""
        return self.count / statistics.median(self.seconds)

    @property
    def highest(self) -> float:
        """Count per second in the fastest round."""
        return self.count / min(self.seconds)

    @property
    def lowest(self) -> float:
        """Count per second in the slowest round."""
        return self.count / max(self.seconds)

    @property
    def processor_rate(self) -> float:
        """Count per second of processor time, in the median round; other programs hardly count in it."""
        return self.count / max(statistics.median(self.processor_seconds), 1e-9)


def in_turn(works: Sequence[tuple[Work, float]], seconds: float) -> list[Rounds]:
    """Let pieces of work take turns, once to warm up and then until the time is over.

    In turn, so that whatever else the machine does strikes each alike.

    Args:
        works: Each with what it gets done.
        seconds: The rounds that begin within these count, and the first in any case.
    """
    for work, _ in works:
        work()
    taken: list[list[tuple[float, float]]] = [[] for _ in works]
    end = time.perf_counter() + seconds
    while not taken[-1] or time.perf_counter() < end:
        for (work, _), times in zip(works, taken, strict=True):
            started, used = time.perf_counter(), time.process_time()
            work()
            times.append((time.perf_counter() - started, time.process_time() - used))
    return [
        Rounds(count, tuple(wall for wall, _ in times), tuple(used for _, used in times))
        for (_, count), times in zip(works, taken, strict=True)
    ]


def operations(name: str, size: int) -> int:
    """Floating-point operations of one image's forward and backward pass, as direct convolutions take them."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.random.fork_rng(devices=[]):
        network = create(name, size)
    images = torch.zeros(2, 3, size, size, dtype=torch.uint8)
    with FlopCounterMode(display=False) as counter, torch.random.fork_rng(devices=[]):
        F.cross_entropy(network(prepare(network, images)), torch.tensor([0, 1])).backward()
    return int(counter.get_total_flops()) // 2


def matrix_product(side: int = 2048, device: torch.device | None = None) -> Work:
    """A function that multiplies two square matrices, 2·side³ floating-point operations."""
    left, right = torch.randn(side, side, device=device), torch.randn(side, side, device=device)

    def product() -> None:
        _ = left @ right
        _wait(device)

    return product


def training_step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    size: int,
    batch: int,
    device: torch.device | None = None,
) -> Work:
    """A function that makes one step on images of noise: prepare them, forward, backward, and the optimizer.

    Args:
        network: In training mode, on the device.
        optimizer: Of its weights.
        size: Rows and columns of the images.
        batch: Images per step.
        device: Where the images go; the CPU if not given.
    """
    images = torch.randint(0, 256, (batch, size, size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    labels = (torch.arange(batch) % 2).to(device)

    def step() -> None:
        with fast_on_cpu(network):
            optimizer.zero_grad()
            F.cross_entropy(network(prepare(network, images.to(device))), labels).backward()
            optimizer.step()
        _wait(device)

    return step


def _wait(device: torch.device | None) -> None:
    """Until the device has done what it was given."""
    if device is not None and device.type != "cpu":
        getattr(torch, device.type).synchronize()
