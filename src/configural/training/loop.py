"""The training loop."""

import copy
import math
import time
from collections.abc import Callable, Generator, Iterable, Sized
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.utils.data import BatchSampler, Dataset, RandomSampler, SequentialSampler, default_collate

from configural import progress
from configural.config.recipe import Recipe
from configural.cores import Meeting, on_cores
from configural.errors import ConfiguralError
from configural.models import fast_on_cpu, prepare, threads_for
from configural.processes import in_processes
from configural.training.distributed import Portion, check_devices, join, replica, spread
from configural.training.history import Epoch, History, load_checkpoint, save_checkpoint
from configural.training.keras_adam import KerasAdam

Images = Dataset[tuple[Tensor, int]]
Reporting = Callable[[], AbstractContextManager[Callable[[History], object]]]


def fit(
    network: nn.Module,
    train: Images,
    *,
    valid: Images,
    recipe: Recipe,
    device: str = "auto",
    checkpoint: Path | None = None,
    devices: int = 1,
    compile: bool = False,
    reporting: Reporting | None = None,
) -> History:
    """Train a network in place.

    Args:
        network: Takes batches that its own `prepare` has prepared, and returns logits of the scrambled and the
            correct class; see `models.NETWORKS`.
        train: Items of (uint8 RGB image 3 × size × size, label).
        valid: The same, to report on after each epoch; nothing is chosen by it.
        recipe: How to train.
        device: `auto` (a GPU where there is one), `cpu`, `cuda` or `mps`.
        checkpoint: Where to keep the state after each epoch. If the file exists, training is resumed from it,
            and on a CPU ends with the same weights as if it had never stopped.
        devices: How many GPUs, or processes on a CPU, learn together; each works on its part of every batch, and
            they end with the weights of one process up to rounding.
        compile: Let PyTorch translate the network into few kernels first, which on a CUDA GPU are started
            together. It takes minutes; rounding and, on some devices, the draws of dropout are other ones then.
        reporting: Makes a context, open while the training runs, whose value is called with the history after each
            epoch; the first of several processes makes it.

    Returns:
        Loss and accuracy per epoch.

    Raises:
        ConfiguralError: If the device is missing, the checkpoint does not fit, the loss is not a number, one of
            several processes was killed, or the network cannot be compiled.

    Example:
        >>> import configural as cf
        >>> library = cf.portraits.load("synthetic:2")
        >>> table = cf.stimuli.sample(library, count=42)
        >>> train, valid = (cf.stimuli.dataset(library, table.subset(name), size=16) for name in ("train", "valid"))
        >>> recipe = cf.training.Recipe(epochs=1)
        >>> len(fit(cf.models.create("fcn-14", 16), train, valid=valid, recipe=recipe, device="cpu").epochs)
        1
    """
    for name, images in (("train", train), ("valid", valid)):
        if not len(cast(Sized, images)):
            raise ConfiguralError(f"there are no {name} images: use a larger count (42 or more)")
    where = open_device(device)
    check_devices(where, devices, batch_size=recipe.batch_size)
    job: dict[str, Any] = {"train": train, "valid": valid, "recipe": recipe}
    job |= {"checkpoint": checkpoint, "compile": compile, "reporting": reporting}
    if devices > 1:
        each = max(1, torch.get_num_threads() // devices)
        history, weights = in_processes(devices, _fit_portion, network, where.type, each, job)
        network.load_state_dict(load(weights))
        network.to(where).eval()
        return history
    network.to(where, memory_format=torch.channels_last)  # pyrefly: ignore[no-matching-overload]
    begun = _begin(network, recipe, checkpoint)
    threads = 1 if compile else min(threads_for(network, where), recipe.batch_size)

    def part(rank: int, meeting: Meeting) -> History:
        portion = Portion(rank, threads, meeting=meeting)
        return _fit(network if threads == 1 else replica(network, portion), where, portion, *begun, **job)

    with matmul_precision(recipe.precision):
        history, *_ = on_cores(part, threads)
    network.eval()
    return history


def _fit_portion(
    rank: int, processes: int, meeting: Path, network: nn.Module, device: str, threads: int, job: dict[str, Any]
) -> tuple[History, bytes]:
    """What one of several processes does, by so many threads; returns the history and the trained weights."""
    torch.set_num_threads(threads)
    portion = Portion(rank, processes)
    where = join(portion, meeting, device)
    network = copy.deepcopy(network)  # what came in lies in memory that all processes see
    spread(network, portion)
    network.to(where, memory_format=torch.channels_last)  # pyrefly: ignore[no-matching-overload]
    with matmul_precision(job["recipe"].precision):
        history = _fit(network, where, portion, *_begin(network, job["recipe"], job["checkpoint"]), **job)
    torch.distributed.destroy_process_group()
    weights = {name: value.cpu().contiguous() for name, value in network.state_dict().items()} if rank == 0 else {}
    return history, save(weights)


def _begin(network: nn.Module, recipe: Recipe, checkpoint: Path | None) -> tuple[KerasAdam, History]:
    """What the network is to be trained by, and its epochs so far; both, as the weights, by the checkpoint."""
    optimizer = KerasAdam(
        network.parameters(),
        lr=recipe.learning_rate,
        betas=(0.9, recipe.beta_2),
        weight_decay=recipe.weight_decay,
    )
    if checkpoint is None or not checkpoint.exists():
        return optimizer, History()
    return optimizer, load_checkpoint(checkpoint, network, optimizer)


def _fit(
    network: nn.Module,
    device: torch.device,
    portion: Portion,
    optimizer: KerasAdam,
    history: History,
    *,
    train: Images,
    valid: Images,
    recipe: Recipe,
    checkpoint: Path | None,
    compile: bool,
    reporting: Reporting | None,
) -> History:
    optimizer = copy.copy(optimizer)  # of the same moments, but with a count and a rate of its own
    model = network
    if compile:
        # For CUDA, into graphs that are started as a whole. Not for any number of images: an epoch has two kinds of
        # batches, full ones and its last.
        model = cast(nn.Module, torch.compile(network, mode="reduce-overhead", dynamic=False))

    precision = precision_on(device, recipe.precision)

    def logits_of(batch: Tensor) -> Tensor:
        prepared = prepare(network, batch.to(device))
        if precision != "bf16":
            return cast(Tensor, model(prepared))
        with torch.autocast(device.type, torch.bfloat16):
            return cast(Tensor, model(prepared)).float()

    steps = math.ceil(len(cast(Sized, train)) / recipe.batch_size)
    with (
        _dropout(network, recipe.dropout),
        fast_on_cpu(network),
        _compiling() if compile else nullcontext(),
        reporting() if reporting and portion.rank == 0 else nullcontext(lambda history: None) as report,
    ):
        for epoch in range(len(history.epochs) + 1, recipe.epochs + 1):
            start = time.perf_counter()
            with (
                _seeded(recipe.seed, epoch, device, portion) as shuffling,
                progress.bar(f"epoch {epoch}/{recipe.epochs}", steps) as update,
            ):
                model.train()
                seen = _Averages(device, portion)
                for step, (batch, labels) in enumerate(
                    batches(train, recipe.batch_size, shuffling=shuffling, portion=portion)
                ):
                    optimizer.lr = recipe.rate((epoch - 1) * steps + step, recipe.epochs * steps)
                    labels = labels.to(device)
                    network.zero_grad()
                    if compile and device.type == "cuda":
                        torch.compiler.cudagraph_mark_step_begin()  # what the last step gave is not read any more
                    logits = logits_of(batch)
                    loss = portion.loss(logits, labels, recipe.label_smoothing)
                    loss.backward()
                    portion.learn(network, optimizer)
                    seen.add(loss.detach(), logits, labels)
                    if step % 10 == 9 or step == steps - 1:
                        if not math.isfinite(seen.loss):
                            raise ConfiguralError(
                                f"training diverged in epoch {epoch}: the loss is {seen.loss}; lower learning_rate"
                            )
                        update(step + 1, note=str(seen))
                model.eval()
                tested = _Averages(device, portion)
                with torch.inference_mode():
                    for batch, labels in batches(valid, recipe.valid_batch_size, portion=portion):
                        labels = labels.to(device)
                        logits = logits_of(batch)
                        tested.add(portion.loss(logits, labels), logits, labels)
                update(steps, note=f"{seen} valid {tested.accuracy:.2%}")
            seconds = time.perf_counter() - start
            figures = Epoch(epoch, seen.loss, seen.accuracy, tested.loss, tested.accuracy, seconds)
            history = History((*history.epochs, figures))
            if checkpoint is not None and portion.rank == 0:
                save_checkpoint(checkpoint, network, optimizer, history)
            report(history)
    network.eval()
    return history


def open_device(device: str) -> torch.device:
    """The device of that name; for `auto` a GPU where there is one.

    Raises:
        ConfiguralError: If this machine has no such device.
    """
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    name = next(name for name in here if here[name]) if device == "auto" else device
    if not here.get(name):
        raise ConfiguralError(f"device '{device}' cannot be used here; try device auto or cpu")
    return torch.device(name) if name == "cpu" else torch.device(name, 0)


def precision_on(device: torch.device, precision: str) -> str:
    """The precision of a training's products: the recipe's, and for `auto` bf16 where that is faster, else 32.

    It is faster on GPUs that have it and on processors with AMX (docs/performance.md). With the instructions that
    AVX-512 has for it, it was slower.

    Example:
        >>> precision_on(torch.device("cpu"), "bf16")
        'bf16'
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "32"
    return "bf16" if device.type == "cpu" and torch.cpu.get_capabilities().get("amx_bf16") else "32"


def batches(
    images: Images, batch_size: int, *, shuffling: torch.Generator | None = None, portion: Portion | None = None
) -> Iterable[tuple[Tensor, Tensor]]:
    """Batches of (images, labels), shuffled if a generator is given; the last may be smaller.

    Of several processes, each gets the rows of its portion.
    """
    source = cast(Sized, images)
    sampler = SequentialSampler(source) if shuffling is None else RandomSampler(source, generator=shuffling)
    return (portion or Portion()).batches(images, BatchSampler(sampler, batch_size, drop_last=False), _collate)


def _collate(batch: Any) -> Any:
    """A dataset that fetches whole batches has collated already."""
    return batch if isinstance(batch, tuple) else default_collate(batch)


class _Averages:
    """Loss and accuracy over all images that all processes have seen so far, summed on the device."""

    def __init__(self, device: torch.device, portion: Portion) -> None:
        exact = torch.float32 if device.type == "mps" else torch.float64  # which Apple's GPUs do not have
        self._sums = torch.zeros(2, dtype=exact, device=device)
        self._images = 0
        self._portion = portion

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        correct = (logits.argmax(1) == labels).sum()
        self._sums += torch.stack([loss * self._portion.images, correct])
        self._images += self._portion.images

    @property
    def loss(self) -> float:
        return float(self._portion.total(self._sums)[0]) / self._images

    @property
    def accuracy(self) -> float:
        return float(self._portion.total(self._sums)[1]) / self._images

    def __str__(self) -> str:
        return f"loss {self.loss:.4f} accuracy {self.accuracy:.2%}"


@contextmanager
def _seeded(seed: int, epoch: int, device: torch.device, portion: Portion) -> Generator[torch.Generator]:
    """Seed shuffling and dropout by the epoch alone, so that nothing random has to be kept between epochs."""
    shuffling, dropout = (int(word) for word in np.random.SeedSequence([seed, epoch]).generate_state(2))
    ours = portion.rank == 0 or portion.meeting is None  # threads have one generator for dropout
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else [], enabled=ours):
        if ours:
            torch.manual_seed(dropout)
        portion.wait()
        yield torch.Generator().manual_seed(shuffling)
        portion.wait()


@contextmanager
def _dropout(network: nn.Module, p: float | None) -> Generator[None]:
    """Have every dropout of the network set that fraction of the values to zero while the block runs."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Dropout) and p is not None]
    before = [layer.p for layer in layers]
    for layer in layers:
        layer.p = cast(float, p)
    try:
        yield
    finally:
        for layer, own in zip(layers, before, strict=True):
            layer.p = own


@contextmanager
def _compiling() -> Generator[None]:
    """Say in one line why, if the network cannot be compiled while the block runs."""
    from torch._dynamo.exc import BackendCompilerFailed  # takes a second to import

    try:
        yield
    except BackendCompilerFailed as error:
        reason = str(error.inner_exception).partition("\n")[0]
        raise ConfiguralError(f"the network cannot be compiled here ({reason}); leave out compile") from error


@contextmanager
def matmul_precision(precision: str) -> Generator[None]:
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
