"""The measures, one after the other."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from configural import progress
from configural.benchmark.machine import machine, peak_bytes
from configural.benchmark.timing import Rounds, in_turn, matrix_product, operations, training_step
from configural.errors import ConfiguralError
from configural.export import FORMATS, Plan
from configural.models import create
from configural.portraits import Library
from configural.stimuli import Renderer, sample
from configural.training import KerasAdam, open_device

BATCH = 20
"""Images per training step, as the study has it."""

_SIDE = 2048
_DRAWN = 60
"""Images per round of drawing."""


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

    @classmethod
    def of_rate(cls, name: str, unit: str, *, rounds: Rounds, note: str = "", scale: float = 1.0) -> "Measure":
        """Counts per second, each `scale` of the unit."""
        median, lowest, highest, by_processor = (
            rate * scale for rate in (rounds.rate, rounds.lowest, rounds.highest, rounds.processor_rate)
        )
        return cls(name, unit, median, lowest, highest, by_processor, len(rounds.seconds), note)


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
        seconds: For each of the five measures; each makes one round in any case, after one to warm up.

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
        model.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
        step = training_step(
            model, KerasAdam(model.parameters(), fused=True), size=image_size, batch=BATCH, device=where
        )
    table = sample(library, condition="ffa", count=_DRAWN, seed=1)
    stimuli, renderer = list(table), Renderer(library, size=image_size)
    measures: list[Measure] = []
    with tempfile.TemporaryDirectory() as temporary, progress.bar("measuring", 5) as update:

        def draw(name: str, work: Callable[[], object]) -> None:
            update(len(measures), note=name)
            (rounds,) = in_turn([(work, _DRAWN)], seconds)
            measures.append(Measure.of_rate(name, "images/s", rounds=rounds))

        def write_folder() -> None:
            folder = Path(tempfile.mkdtemp(dir=temporary))
            FORMATS["imagefolder"].write(Plan(table, renderer, True), folder, update=lambda done: None, each=map)

        draw("drawing with masks", lambda: renderer.draw_batch_with_masks(stimuli))
        draw("drawing", lambda: renderer.draw_batch(stimuli))
        draw("PNG folder with masks", write_folder)
        update(len(measures), note="training")
        limit, steps = in_turn([(matrix_product(_SIDE, where), 2 * _SIDE**3), (step, flop)], seconds)
        # Of the fastest rounds, which other programs slowed down least.
        fraction = steps.highest / limit.highest
        note = f"{_SIDE} × {_SIDE}, float32"
        measures.append(Measure.of_rate("matrix product", "GFLOP/s", rounds=limit, note=note, scale=1e-9))
        per_image = Rounds(BATCH, steps.seconds, steps.processor_seconds)
        note = f"batches of {BATCH}, {fraction:.0%} of the matrix product's rate"
        measures.append(Measure.of_rate("training step", "images/s", rounds=per_image, note=note))
        update(4, note="start-up")
        measures.append(_startup(seconds))
        held = round(peak_bytes() / 2**20)
        measures.append(Measure("peak memory of this command", "MiB", held, held, held, None, 1))
        update(5)
    return Benchmark(machine(where), network, image_size, len(library), fraction, tuple(measures))


def _startup(seconds: float) -> Measure:
    command = [sys.executable, "-m", "configural.cli", "--help"]
    used: list[float] = []

    def start() -> None:
        before = os.times()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        used.append(after.children_user - before.children_user + after.children_system - before.children_system)

    (rounds,) = in_turn([(start, 1)], seconds / 2)
    by_processor = sorted(used[1:])[len(used[1:]) // 2]
    return Measure(
        "configural --help",
        "s",
        1 / rounds.rate,
        1 / rounds.highest,
        1 / rounds.lowest,
        by_processor or None,  # not counted on Windows
        len(rounds.seconds),
    )
