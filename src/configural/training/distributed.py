"""What makes several processes, or threads, learn from a batch as one would.

Every worker works on its own rows of each batch, the *global* batch. Three things depend on all its rows: the mean
loss, the statistics of batch normalisation and the masks of dropout.
"""

import copy
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

from configural.cores import Meeting
from configural.errors import ConfiguralError
from configural.training.keras_adam import KerasAdam


@dataclass(eq=False)
class Portion:
    """The part of every batch that one of several workers works on; by default all of it.

    Attributes:
        rank: Which worker, from 0.
        workers: How many there are.
        images: Images in the batch at hand, of all workers together.
        meeting: Where they meet if they are threads of this process, and share weights; None for processes.
    """

    rank: int = 0
    workers: int = 1
    images: int = 0
    meeting: Meeting | None = None

    @property
    def rows(self) -> slice:
        """The own rows of the batch at hand; none where there are fewer images than workers."""
        return slice(*(self.images * rank // self.workers for rank in (self.rank, self.rank + 1)))

    def batches(
        self, images: Dataset[Any], every: Iterable[list[int]], collate: Callable[[Any], Any]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The own rows of every batch, of whose images `every` tells the positions, the same for all workers."""
        sizes, own = [], []
        for positions in every:
            self.images = len(positions)
            sizes.append(len(positions))
            # Not every dataset can fetch no image at all, so it is one, which is cut off again.
            own.append(positions[self.rows] or positions[:1])
        # A loader draws a number, needed or not: of threads, which have one generator, the first one's loader does.
        elsewhere = None if self.meeting is None or self.rank == 0 else torch.Generator()
        loaded = iter(DataLoader(images, batch_sampler=own, collate_fn=collate, generator=elsewhere))
        self.wait()
        for size, (batch, labels) in zip(sizes, loaded, strict=True):
            self.images = size
            rows = self.rows.stop - self.rows.start
            yield batch[:rows], labels[:rows]

    def learn(self, network: nn.Module, optimizer: KerasAdam) -> None:
        """Take one step by the workers' gradients; all have to call this after `backward`.

        PyTorch's `DistributedDataParallel` meets several times, and making one imports PyTorch's compiler.
        """
        if self.meeting is not None:
            # Each takes its part of every weight, of which there is one, through the sum and the step.
            own = [weights.grad for weights in network.parameters()]
            optimizer.step(of=self.meeting.all(self.rank, own), part=(self.rank, self.workers))
            self.wait()
            return
        gradients = [weights.grad for weights in network.parameters() if weights.grad is not None]
        if self.workers > 1 and gradients:
            together = torch.cat([gradient.flatten() for gradient in gradients])
            distributed.all_reduce(together)
            shared = together.split([gradient.numel() for gradient in gradients])
            for gradient, whole in zip(gradients, shared, strict=True):
                gradient.copy_(whole.view(gradient.shape))
        optimizer.step()

    def loss(
        self, logits: Float[Tensor, "own 2"], labels: Int64[Tensor, " own"], smoothing: float = 0.0
    ) -> Float[Tensor, ""]:
        """The cross-entropy to learn from: its sum over the workers is the mean over the global batch."""
        if self.workers == 1:
            return F.cross_entropy(logits, labels, label_smoothing=smoothing)
        return F.cross_entropy(logits, labels, reduction="sum", label_smoothing=smoothing) / self.images

    def total(self, value: Tensor) -> Tensor:
        """The sum over the workers, the same in each; all have to call this."""
        if self.workers == 1:
            return value
        if self.meeting is None:
            value = value.clone()
            distributed.all_reduce(value)
            return value
        first, *others = self.meeting.all(self.rank, value)
        return sum(others, start=first)

    def mask(self, draw: Callable[[], Tensor]) -> Tensor | None:
        """What is drawn, once for all threads; all have to call this. None for a thread of no image."""
        if self.meeting is None:
            return draw()
        return self.meeting.first(self.rank, draw if len(range(self.images)[self.rows]) else None)

    def wait(self) -> None:
        """Wait until all threads have come here."""
        if self.meeting is not None:
            self.meeting.all(self.rank, None)


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
        """Normalise; in training mode by the statistics of all workers' rows, which also see the gradient."""
        if not self.training:
            return super().forward(input)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        momentum = self.momentum if self.momentum is not None else 1 / (int(self.num_batches_tracked) + 1)
        batch = input.to(torch.promote_types(input.dtype, torch.float32))  # not in half precision
        n = self._portion.images * batch.shape[2:].numel()
        axes, column = (0, *range(2, batch.dim())), (-1, *[1] * (batch.dim() - 2))
        mean: Tensor = _Total.apply(batch.sum(axes), self._portion) / n
        centred = batch - mean.view(column)
        variance: Tensor = _Total.apply(centred.square().sum(axes), self._portion) / n
        if self._portion.rank == 0 or self._portion.meeting is None:  # of threads, all see the same statistics
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

    The whole mask is drawn, from the same generator as one process alone would, so that every image is masked as
    there: by each process, and for all threads by the first.
    """

    def __init__(self, local: nn.Dropout, portion: Portion) -> None:
        super().__init__()
        self.local = local
        self._portion = portion

    def forward(self, batch: Float[Tensor, "own *dims"]) -> Float[Tensor, "own *dims"]:
        """Set some values to zero and the others up, while training."""
        if not self.training:
            return batch
        mask = self._portion.mask(lambda: self._mask(batch))
        return batch if mask is None else batch * mask[self._portion.rows]

    def _mask(self, batch: Tensor) -> Tensor:
        whole = batch.new_ones(self._portion.images, *batch.shape[1:])
        if batch.dim() == 4 and not batch.is_contiguous():
            # The generator fills memory in order, so the whole must lie in memory as it would in one process.
            whole = whole.contiguous(memory_format=torch.channels_last)
        mask: Tensor = self.local(whole)
        return mask


class _Total(torch.autograd.Function):
    """The sum over all workers, of which each passes the gradient of all on; PyTorch's own is deprecated."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, portion: Portion) -> Tensor:
        ctx.portion = portion
        return portion.total(value).clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.portion.total(*gradients), None


def spread(network: nn.Module, portion: Portion) -> None:
    """Replace, in place, the layers that look at more than their own row by such that look at the global batch."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, _BatchNorm):
                setattr(parent, name, GlobalBatchNorm(layer, portion))
            elif isinstance(layer, nn.Dropout):
                setattr(parent, name, GlobalDropout(layer, portion))


def replica(network: nn.Module, portion: Portion) -> nn.Module:
    """A network of the same weights and statistics, with gradients of its own: for one of several threads."""
    same: dict[int, Any] = {id(buffer): buffer for buffer in network.buffers()}
    for weights in network.parameters():
        same[id(weights)] = nn.Parameter(weights.detach(), weights.requires_grad)
    copied = copy.deepcopy(network, same)
    spread(copied, portion)
    return copied


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
    store = distributed.FileStore(str(meeting), portion.workers)
    distributed.init_process_group(backend, store=store, rank=portion.rank, world_size=portion.workers)
    return where
