"""What makes several processes learn from a batch as one process would.

Every process works on its own rows of each batch, the *global* batch. Three things depend on all its rows: the mean
loss, the statistics of batch normalisation and the masks of dropout.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from jaxtyping import Float, Int64
from torch import Tensor, distributed, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader, Dataset

from configural.errors import ConfiguralError


@dataclass(eq=False)
class Portion:
    """The part of every batch that one of several processes works on; by default all of it.

    Attributes:
        rank: Which process, from 0.
        processes: How many there are.
        images: Images in the batch at hand, in all processes together.
    """

    rank: int = 0
    processes: int = 1
    images: int = 0

    @property
    def rows(self) -> slice:
        """The own rows of the batch at hand; none where there are fewer images than processes."""
        return slice(*(self.images * rank // self.processes for rank in (self.rank, self.rank + 1)))

    def batches(
        self, images: Dataset[Any], every: Iterable[list[int]], collate: Callable[[Any], Any]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The own rows of every batch, of whose images `every` tells the positions, the same in all processes."""
        sizes, own = [], []
        for positions in every:
            self.images = len(positions)
            sizes.append(len(positions))
            # Not every dataset can fetch no image at all, so it is one, which is cut off again.
            own.append(positions[self.rows] or positions[:1])
        loader = DataLoader(images, batch_sampler=own, collate_fn=collate)
        for size, (batch, labels) in zip(sizes, loader, strict=True):
            self.images = size
            rows = self.rows.stop - self.rows.start
            yield batch[:rows], labels[:rows]

    def share_gradients(self, network: nn.Module) -> None:
        """Make every gradient its mean over the processes, in one meeting; all have to call this after `backward`.

        PyTorch's `DistributedDataParallel` meets several times, and making one imports PyTorch's compiler.
        """
        gradients = [weights.grad for weights in network.parameters() if weights.grad is not None]
        if self.processes == 1 or not gradients:
            return
        together = torch.cat([gradient.flatten() for gradient in gradients]) / self.processes
        distributed.all_reduce(together)
        shared = together.split([gradient.numel() for gradient in gradients])
        for gradient, mean in zip(gradients, shared, strict=True):
            gradient.copy_(mean.view(gradient.shape))

    def loss(
        self, logits: Float[Tensor, "own 2"], labels: Int64[Tensor, " own"], smoothing: float = 0.0
    ) -> Float[Tensor, ""]:
        """The cross-entropy to learn from: its mean over the processes is the mean over the global batch."""
        if self.processes == 1:
            return F.cross_entropy(logits, labels, label_smoothing=smoothing)
        loss = F.cross_entropy(logits, labels, reduction="sum", label_smoothing=smoothing)
        return loss * (self.processes / self.images)

    def total(self, sums: Tensor) -> Tensor:
        """The sum over the processes, the same in each; all have to call this."""
        if self.processes == 1:
            return sums
        sums = sums.clone()
        distributed.all_reduce(sums)
        return sums


class GlobalBatchNorm(_BatchNorm):
    """A local layer's batch normalisation by the mean and the variance of the global batch.

    PyTorch's `SyncBatchNorm` does this on GPUs alone.
    """

    def __init__(self, local: _BatchNorm, portion: Portion) -> None:
        super().__init__(local.num_features, local.eps, local.momentum, local.affine)
        self.weight, self.bias = local.weight, local.bias
        self.running_mean, self.running_var = local.running_mean, local.running_var
        self.num_batches_tracked = local.num_batches_tracked
        self._portion = portion

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, input: Float[Tensor, "own c *dims"]) -> Float[Tensor, "own c *dims"]:
        """Normalise; in training mode by the statistics of all processes' rows, which also see the gradient."""
        if not self.training:
            return super().forward(input)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        batch = input.to(torch.promote_types(input.dtype, torch.float32))  # not in half precision
        n = self._portion.images * batch.shape[2:].numel()
        axes, column = (0, *range(2, batch.dim())), (-1, *[1] * (batch.dim() - 2))
        mean: Tensor = _Sum.apply(batch.sum(axes)) / n
        centred = batch - mean.view(column)
        variance: Tensor = _Sum.apply(centred.square().sum(axes)) / n
        momentum = self.momentum if self.momentum is not None else 1 / (int(self.num_batches_tracked) + 1)
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * (n / (n - 1)), momentum)
        scale = (variance + self.eps).rsqrt()
        if not self.affine:
            return (centred * scale.view(column)).to(input.dtype)
        return (centred * (self.weight * scale).view(column) + self.bias.view(column)).to(input.dtype)


class GlobalDropout(nn.Module):
    """A local layer's dropout by the own rows of the mask of the global batch.

    All processes draw the whole mask, from the same generator as one process alone would, so that every image is
    masked as there.
    """

    def __init__(self, local: nn.Dropout, portion: Portion) -> None:
        super().__init__()
        self.local = local
        self._portion = portion

    def forward(self, batch: Float[Tensor, "own *dims"]) -> Float[Tensor, "own *dims"]:
        """Set some values to zero and the others up, while training."""
        if not self.training:
            return batch
        whole = batch.new_ones(self._portion.images, *batch.shape[1:])
        if batch.dim() == 4 and not batch.is_contiguous():
            # The generator fills memory in order, so the whole must lie in memory as it would in one process.
            whole = whole.contiguous(memory_format=torch.channels_last)
        return batch * self.local(whole)[self._portion.rows]


class _Sum(torch.autograd.Function):
    """The sum over all processes, of which each passes the gradient of all on; PyTorch's own is deprecated."""

    @staticmethod
    def forward(context: Any, value: Tensor) -> Tensor:
        total = value.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return _Sum.forward(context, gradient)


def spread(network: nn.Module, portion: Portion) -> None:
    """Replace, in place, the layers that look at more than their own row by such that look at the global batch."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, _BatchNorm):
                setattr(parent, name, GlobalBatchNorm(layer, portion))
            elif isinstance(layer, nn.Dropout):
                setattr(parent, name, GlobalDropout(layer, portion))


def check_devices(device: torch.device, devices: int, *, batch_size: int) -> None:
    """Raise if a training cannot be split up so.

    Raises:
        ConfiguralError: If this machine has fewer devices of that kind, or the batches have fewer images.

    Example:
        >>> check_devices(torch.device("cpu"), 2, batch_size=20)
    """
    why, here = "", torch.cuda.device_count()
    if device.type not in ("cpu", "cuda"):
        why = f"there is one device '{device.type}'; use device cpu or cuda"
    elif device.type == "cuda" and devices > here:
        why = f"this machine has {here} GPU{'s' if here > 1 else ''}; use devices {here} or cpu"
    elif devices > batch_size:
        why = (
            f"batches of {batch_size} leave some without an image; use devices {batch_size} or a larger batch_size"
        )
    if why and devices > 1:
        raise ConfiguralError(f"devices {devices}: {why}")


def join(portion: Portion, meeting: Path, device: str) -> torch.device:
    """Connect this process with the others by a file that none has made yet; returns the device it works on."""
    # Found each other by a file and talking over the loopback interface, they need no free port and no host name.
    for name, addresses in psutil.net_if_addrs().items():
        if any(address.address == "127.0.0.1" for address in addresses):
            os.environ["GLOO_SOCKET_IFNAME"] = name
    where, backend = torch.device(device), "gloo"
    if device == "cuda":
        where, backend = torch.device("cuda", portion.rank), "nccl"
        torch.cuda.set_device(where)
    store = distributed.FileStore(str(meeting), portion.processes)
    distributed.init_process_group(backend, store=store, rank=portion.rank, world_size=portion.processes)
    return where
