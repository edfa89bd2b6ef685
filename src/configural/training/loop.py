"""The training loop."""

import copy
import math
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, SequentialSampler, default_collate

from configural import progress
from configural.config.recipe import Recipe
from configural.errors import ConfiguralError
from configural.models import preprocess
from configural.processes import in_processes
from configural.training.checkpoint import load_checkpoint, save_checkpoint
from configural.training.distributed import Share, check_devices, join, spread
from configural.training.history import Epoch, History
from configural.training.keras_adam import KerasAdam

if TYPE_CHECKING:
    import lightning_fabric

Images = Dataset[tuple[Tensor, int]]

_FABRIC_PRECISION = {"32": "32-true", "tf32": "32-true", "bf16": "bf16-mixed"}


def fit(
    network: nn.Module,
    train: Images,
    valid: Images,
    recipe: Recipe,
    device: str = "auto",
    checkpoint: Path | None = None,
    devices: int = 1,
    compile: bool = False,
) -> History:
    """Train a network in place.

    Args:
        network: Takes preprocessed batches and returns logits of (no_face, face).
        train: Items of (uint8 RGB image 3 × size × size, label).
        valid: The same, to report on after each epoch; nothing is chosen by it.
        recipe: How to train.
        device: `auto` (a GPU where there is one), `cpu`, `cuda` or `mps`.
        checkpoint: Where to keep the state after each epoch. If the file exists, training goes on from it,
            and on a CPU ends with the same weights as if it had never stopped.
        devices: How many GPUs, or processes on a CPU, learn together; they share each batch out and end with the
            weights of one process up to rounding.
        compile: Let PyTorch translate the network into few kernels first, which on a CUDA GPU are started
            together. It takes minutes; rounding and, on some devices, the draws of dropout are other ones then.

    Returns:
        Loss and accuracy per epoch.

    Raises:
        ConfiguralError: If the device is missing, the checkpoint does not fit, the loss is not a number, one of
            several processes was killed, or the network cannot be compiled.
    """
    for name, images in (("train", train), ("valid", valid)):
        if not len(cast(Sized, images)):
            raise ConfiguralError(f"there are no {name} images: use a larger count (42 or more)")
    fabric = open_device(device, recipe.precision)
    check_devices(fabric.device, devices, recipe.batch_size)
    if devices == 1:
        return _fit(network, train, valid, recipe, fabric, Share(), checkpoint, compile)
    kind = fabric.device.type
    history, weights = in_processes(devices, _fit_share, network, train, valid, recipe, kind, checkpoint, compile)
    network.load_state_dict(load(weights))
    network.to(fabric.device).eval()
    return history


def _fit_share(
    rank: int,
    processes: int,
    meeting: Path,
    network: nn.Module,
    train: Images,
    valid: Images,
    recipe: Recipe,
    device: str,
    checkpoint: Path | None,
    compile: bool,
) -> tuple[History, bytes]:
    """What one of several processes does; returns the history and the trained weights."""
    share = Share(rank, processes)
    fabric = join(share, meeting, device, _FABRIC_PRECISION[recipe.precision])
    network = copy.deepcopy(network)  # what came in lies in memory that all processes see
    spread(network, share)
    history = _fit(network, train, valid, recipe, fabric, share, checkpoint, compile)
    torch.distributed.destroy_process_group()
    weights = {name: value.cpu().contiguous() for name, value in network.state_dict().items()} if rank == 0 else {}
    return history, save(weights)


def _fit(
    network: nn.Module,
    train: Images,
    valid: Images,
    recipe: Recipe,
    fabric: "lightning_fabric.Fabric",
    share: Share,
    checkpoint: Path | None,
    compile: bool,
) -> History:
    optimizer = KerasAdam(
        network.parameters(),
        lr=recipe.learning_rate,
        betas=(0.9, recipe.beta_2),
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model, stepper = fabric.setup(_compiled(network) if compile else network, optimizer)
    history = History()
    if checkpoint is not None and checkpoint.exists():
        history = load_checkpoint(checkpoint, network, optimizer)
    steps = math.ceil(len(cast(Sized, train)) / recipe.batch_size)
    with matmul_precision(recipe.precision), _dropout(network, recipe.dropout), _compiling(compile):
        for epoch in range(len(history.epochs) + 1, recipe.epochs + 1):
            start = time.perf_counter()
            with (
                _seeded(recipe.seed, epoch, fabric.device) as shuffling,
                progress.bar(f"epoch {epoch}/{recipe.epochs}", steps) as update,
            ):
                model.train()
                seen = _Averages(fabric.device, share)
                for step, (batch, labels) in enumerate(batches(train, recipe.batch_size, shuffling, share)):
                    for group in optimizer.param_groups:
                        group["lr"] = recipe.rate((epoch - 1) * steps + step, recipe.epochs * steps)
                    labels = labels.to(fabric.device)
                    stepper.zero_grad()
                    if compile:
                        torch.compiler.cudagraph_mark_step_begin()  # what the last step gave is not read any more
                    logits = model(preprocess(batch.to(fabric.device)))
                    loss = share.loss(logits, labels, recipe.label_smoothing)
                    fabric.backward(loss)
                    stepper.step()
                    seen.add(loss.detach(), logits, labels)
                    if step % 10 == 9 or step == steps - 1:
                        if not math.isfinite(seen.loss):
                            raise ConfiguralError(
                                f"training came apart in epoch {epoch}: the loss is {seen.loss}; lower the "
                                "learning rate"
                            )
                        update(step + 1, note=f"loss {seen.loss:.4f} accuracy {seen.accuracy:.2%}")
                checked = _validate(model, valid, recipe.valid_batch_size, fabric.device, share)
                note = f"loss {seen.loss:.4f} accuracy {seen.accuracy:.2%} valid {checked.accuracy:.2%}"
                update(steps, note=note)
            seconds = time.perf_counter() - start
            figures = Epoch(epoch, seen.loss, seen.accuracy, checked.loss, checked.accuracy, seconds)
            history = History((*history.epochs, figures))
            if checkpoint is not None and share.rank == 0:
                save_checkpoint(checkpoint, network, optimizer, history)
    network.eval()
    return history


def open_device(device: str, precision: str = "32") -> "lightning_fabric.Fabric":
    """A Fabric on the asked-for device.

    Raises:
        ConfiguralError: If this machine has no such device.
    """
    from lightning_fabric import Fabric  # takes seconds, so not before a device is needed

    try:
        return Fabric(accelerator=device, devices=1, precision=cast(Any, _FABRIC_PRECISION[precision]))
    except (RuntimeError, ValueError) as error:
        raise ConfiguralError(f"device '{device}' cannot be used here; try --device auto or cpu") from error


def batches(
    images: Images, batch_size: int, shuffling: torch.Generator | None = None, share: Share | None = None
) -> Iterable[tuple[Tensor, Tensor]]:
    """Batches of (images, labels), shuffled if a generator is given; the last may be smaller.

    Of several processes that share them out, each gets its own rows.
    """
    source = cast(Sized, images)
    sampler = SequentialSampler(source) if shuffling is None else RandomSampler(source, generator=shuffling)
    every = BatchSampler(sampler, batch_size, drop_last=False)
    if share is not None:
        return share.batches(images, every, _collate)
    return DataLoader(cast(Any, images), batch_sampler=every, collate_fn=_collate)


def _collate(batch: Any) -> Any:
    """A dataset that fetches whole batches has collated already."""
    return batch if isinstance(batch, tuple) else default_collate(batch)


class _Averages:
    """Loss and accuracy over all images that all processes have seen so far, summed on the device."""

    def __init__(self, device: torch.device, share: Share) -> None:
        self._sums = torch.zeros(2, dtype=torch.float64, device=device)
        self._images = 0
        self._share = share

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        right = (logits.argmax(1) == labels).sum()
        self._sums += torch.stack([loss * (self._share.images / self._share.processes), right])
        self._images += self._share.images

    @property
    def loss(self) -> float:
        return float(self._share.total(self._sums)[0]) / self._images

    @property
    def accuracy(self) -> float:
        return float(self._share.total(self._sums)[1]) / self._images


def _validate(model: nn.Module, valid: Images, batch_size: int, device: torch.device, share: Share) -> _Averages:
    model.eval()
    seen = _Averages(device, share)
    with torch.inference_mode():
        for batch, labels in batches(valid, batch_size, share=share):
            labels = labels.to(device)
            logits = model(preprocess(batch.to(device)))
            seen.add(share.loss(logits, labels), logits, labels)
    return seen


@contextmanager
def _seeded(seed: int, epoch: int, device: torch.device) -> Iterator[torch.Generator]:
    """Seed shuffling and dropout by the epoch alone, so that nothing random has to be kept between epochs."""
    shuffling, dropout = (int(word) for word in np.random.SeedSequence([seed, epoch]).generate_state(2))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(dropout)
        yield torch.Generator().manual_seed(shuffling)


@contextmanager
def _dropout(network: nn.Module, share: float | None) -> Iterator[None]:
    """Have the network's dropout set that share of the values to zero while the block runs."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Dropout) and share is not None]
    before = [layer.p for layer in layers]
    for layer in layers:
        layer.p = cast(float, share)
    try:
        yield
    finally:
        for layer, p in zip(layers, before, strict=True):
            layer.p = p


def _compiled(network: nn.Module) -> nn.Module:
    """The network, translated when it is first called; for CUDA, into graphs that are started as a whole."""
    # Not for any number of images: an epoch has two kinds of batches, full ones and its last.
    return cast(nn.Module, torch.compile(network, mode="reduce-overhead", dynamic=False))


@contextmanager
def _compiling(compile: bool) -> Iterator[None]:
    """Tell in one line what is wrong if the network cannot be compiled while the block runs."""
    if not compile:
        yield
        return
    from torch._dynamo.exc import BackendCompilerFailed  # takes a second to import

    try:
        yield
    except BackendCompilerFailed as error:
        reason = str(error.inner_exception).partition("\n")[0]
        raise ConfiguralError(f"the network cannot be compiled here ({reason}); leave out --compile") from error


@contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    """Let matrix products on GPUs round to TF32 for `tf32`, and not at all otherwise, while the block runs."""
    before = torch.get_float32_matmul_precision()
    tf32 = torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        torch.backends.cudnn.allow_tf32 = tf32
