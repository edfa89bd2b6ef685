"""How fast this machine does what the library does, in about two minutes."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import Dataset, Subset, TensorDataset

from configural import __version__, progress
from configural.cores import usable
from configural.errors import ConfiguralError
from configural.export import FORMATS, Plan
from configural.io.temporary import temporary_folder
from configural.models import create, fast_on_cpu, prepare
from configural.portraits import Library
from configural.stimuli import Renderer, sample
from configural.training import KerasAdam, Recipe, fit, open_device

Work = Callable[[], object]

BATCH = 20
"""Images per training step, as the study has it."""

_SIDE = 2048
"""Rows and columns of the matrices that are multiplied."""

_DRAWN = 60
"""Images per round of drawing."""

_TRAINED = 4
"""Batches per round of training."""


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


@dataclass(frozen=True)
class Measure:
    """One thing that was measured.

    Attributes:
        name: What was done.
        unit: Of the figures below.
        median: Of all rounds by the clock, as are lowest and highest.
        by_processor: The median per second of processor time, or seconds of it; None where that says nothing.
        rounds: How many.
        note: What else to know.
    """

    name: str
    unit: str
    median: float
    lowest: float
    highest: float
    by_processor: float | None
    rounds: int
    note: str = ""


@dataclass(frozen=True)
class Benchmark:
    """What was measured, and on what.

    Attributes:
        machine: See `machine`.
        network: The network that made training steps.
        image_size: Rows and columns of all images.
        exemplars: How many the images were made of.
        fraction_of_limit: A training step's operations per second by those of the matrix product; counted as for
            direct convolutions, so that Winograd convolutions, with fewer products, can exceed 1.
        measures: All figures.
    """

    machine: dict[str, str | int | float]
    network: str
    image_size: int
    exemplars: int
    fraction_of_limit: float
    measures: tuple[Measure, ...]

    def as_json(self) -> str:
        """All of it as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def __getitem__(self, name: str) -> Measure:
        """The measure of that name."""
        return next(measure for measure in self.measures if measure.name == name)


def measure(
    library: Library,
    network: str = "cnn-15",
    *,
    image_size: int = 224,
    device: str = "auto",
    seconds: float = 8.0,
) -> Benchmark:
    """Measure drawing, training and start-up on this machine.

    Args:
        library: What to draw from.
        network: A network's name.
        image_size: Rows and columns of the images.
        device: auto, cpu, cuda or mps.
        seconds: For each of the measures; each makes one round in any case, after one to warm up.

    Raises:
        ConfiguralError: If the device is missing, the size too small or the time none.
    """
    if not seconds > 0:
        raise ConfiguralError(f"seconds {seconds:g} must be more than 0")
    where = open_device(device)
    flop = BATCH * operations(network, image_size)  # raises where it cannot take images of this size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = create(network, image_size).train()
        model.to(where, memory_format=torch.channels_last)  # pyrefly: ignore[no-matching-overload]
        adam = KerasAdam(model.parameters())
        step = training_step(model, adam, size=image_size, batch=BATCH, device=where)
    table = sample(library, condition="ffa", count=_DRAWN, seed=1)
    stimuli, renderer = list(table), Renderer(library, size=image_size)
    measures: list[Measure] = []
    with temporary_folder() as temporary, progress.bar("measuring", 6) as update:

        def write_folder() -> None:
            folder = Path(tempfile.mkdtemp(dir=temporary))
            FORMATS["imagefolder"].write(Plan(table, renderer, True), folder, update=lambda done: None, each=map)

        drawings: dict[str, Work] = {
            "drawing with masks": lambda: renderer.draw_batch_with_masks(stimuli),
            "drawing": lambda: renderer.draw_batch(stimuli),
            "PNG folder with masks": write_folder,
        }
        for name, work in drawings.items():
            update(len(measures), note=name)
            measures.append(_per_second(name, "images/s", in_turn([(work, _DRAWN)], seconds)[0]))
        update(3, note="training")
        limit, steps = in_turn([(matrix_product(_SIDE, where), 2 * _SIDE**3), (step, flop)], seconds)
        fraction = steps.highest / limit.highest  # of the rounds that other programs slowed down least
        note = f"{_SIDE} × {_SIDE}, float32"
        measures.append(_per_second("matrix product", "GFLOP/s", limit, note=note, scale=1e-9))
        note = f"batches of {BATCH}, {fraction:.0%} of the matrix product's rate"
        measures.append(_per_second("training step", "images/s", steps, note=note, scale=BATCH / flop))
        if where.type == "cpu" and usable() > 1:
            update(4, note="all cores")
            measures += _on_all_cores(network, image_size, seconds)
        update(5, note="start-up")
        measures.append(_startup(seconds / 2))
        held = round(peak_bytes() / 2**20)
        measures.append(Measure("peak memory of this command", "MiB", held, held, held, None, 1))
        update(6)
    return Benchmark(machine(where), network, image_size, len(library), fraction, tuple(measures))


def _per_second(name: str, unit: str, rounds: Rounds, *, note: str = "", scale: float = 1.0) -> Measure:
    rates = (rounds.rate, rounds.lowest, rounds.highest, rounds.processor_rate)
    median, lowest, highest, by_processor = (rate * scale for rate in rates)
    return Measure(name, unit, median, lowest, highest, by_processor, len(rounds.seconds), note)


def _on_all_cores(network: str, size: int, seconds: float) -> Iterator[Measure]:
    """Training by all cores and by one, in turn, with nothing beside it and with one core kept busy."""
    cores = usable()
    works = [(_training(network, size, threads), _TRAINED * BATCH) for threads in (cores, 1)]
    for beside in (False, True):
        with _busy_core() if beside else nullcontext():
            both, one = in_turn(works, seconds)
        name = f"training by {cores} cores" + (", beside a busy program" if beside else "")
        yield _per_second(name, "images/s", both, note=f"{both.rate / one.rate:.2f} times what one core makes")


def _training(network: str, size: int, threads: int) -> Work:
    """A function that trains a fresh network by so many threads, on images of noise."""
    pixels = torch.randint(0, 256, (_TRAINED * BATCH, 3, size, size), dtype=torch.uint8)
    images: Dataset[Any] = TensorDataset(pixels, torch.arange(len(pixels)) % 2)

    def train() -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            with torch.random.fork_rng(devices=[]), progress.hidden():
                recipe = Recipe(epochs=1, batch_size=BATCH)
                fit(create(network, size), images, valid=Subset(images, [0]), recipe=recipe, device="cpu")
        finally:
            torch.set_num_threads(before)

    return train


@contextmanager
def _busy_core() -> Generator[None]:
    """Keep one core busy while the block runs."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as program:
        try:
            yield
        finally:
            program.kill()


def _startup(seconds: float) -> Measure:
    used: list[float] = []

    def start() -> None:
        before = os.times()
        subprocess.run([sys.executable, "-m", "configural", "--help"], stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        used.append(after.children_user - before.children_user + after.children_system - before.children_system)

    taken = in_turn([(start, 1)], seconds)[0].seconds
    by_processor = statistics.median_high(used[1:]) or None  # not counted on Windows
    median = statistics.median(taken)
    return Measure("configural --help", "s", median, min(taken), max(taken), by_processor, len(taken))


def in_turn(works: Sequence[tuple[Work, float]], seconds: float) -> list[Rounds]:
    """Let pieces of work take turns, once to warm up and then until the time is over.

    In turn, so that whatever else the machine does strikes each alike.

    Of the works, each with the count that it gets done, the rounds that begin within the seconds are taken, and the
    first in any case.
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
    return [Rounds(count, *zip(*times, strict=True)) for (_, count), times in zip(works, taken, strict=True)]


def operations(name: str, size: int) -> int:
    """Floating-point operations of one image's forward and backward pass, as direct convolutions take them."""
    from torch.utils.flop_counter import FlopCounterMode  # takes a while to import

    with torch.random.fork_rng(devices=[]):
        network = create(name, size)
        images = torch.zeros(2, 3, size, size, dtype=torch.uint8)
        with FlopCounterMode(display=False) as counter:
            F.cross_entropy(network(prepare(network, images)), torch.tensor([0, 1])).backward()
    return int(counter.get_total_flops()) // 2


def matrix_product(side: int = _SIDE, device: torch.device | None = None) -> Work:
    """A function that multiplies two square matrices, 2·side³ floating-point operations."""
    left, right = torch.randn(side, side, device=device), torch.randn(side, side, device=device)

    def product() -> None:
        _ = left @ right
        _wait(device)

    return product


def training_step(
    network: nn.Module,
    optimizer: KerasAdam | torch.optim.Optimizer,
    *,
    size: int,
    batch: int,
    device: torch.device | None = None,
) -> Work:
    """A function that makes one step on images of noise: prepare them, forward, backward, and the optimizer.

    The network is in training mode and on the device, by default the CPU; images have `size` rows and columns.
    """
    images = torch.randint(0, 256, (batch, size, size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    labels = (torch.arange(batch) % 2).to(device)

    def step() -> None:
        with fast_on_cpu(network):
            network.zero_grad()
            F.cross_entropy(network(prepare(network, images.to(device))), labels).backward()
            optimizer.step()
        _wait(device)

    return step


def _wait(device: torch.device | None) -> None:
    """Until the device has done what it was given."""
    if device is not None and device.type != "cpu":
        getattr(torch, device.type).synchronize()


def machine(device: torch.device) -> dict[str, str | int | float]:
    """Versions, processor and memory of this machine, and the device that is trained on; no names and no paths."""
    return {
        "configural": __version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "torch": torch.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count() or 1,
        "threads": usable(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # in bytes there, in KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _processor() -> str:
    """Its name, which on Linux Python itself does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"
