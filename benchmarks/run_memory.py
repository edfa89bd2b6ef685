"""Peak memory of `configural run`, with the images kept and with --stream.

    python benchmarks/run_memory.py --count 20000 --size 224

An epoch at that size takes half an hour, so a run is measured in two pieces, each a real `configural run`:

- one that is interrupted after `--steps` training steps; all images are drawn by then, and later steps are alike;
- one that continues from a checkpoint that says that all epochs are over; it draws, tests and writes its folder.

Prints a JSON line for each way. Reads the progress bar from a pseudo-terminal, as Linux and macOS have them.
"""

import argparse
import json
import os
import platform
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import torch

import configural
from configural.config import RunConfig
from configural.models import create, load_network
from configural.training import Epoch, History, KerasAdam
from configural.training.history import save_checkpoint

POLL = 0.02
"""Seconds between two looks at the memory of all processes."""

NOT_TOLD = ("ways", "weights", "without_test")
"""Arguments that are not in the line that is printed."""

COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def watched(options: list[str], steps: int | None) -> dict[str, float]:
    """Run `configural run` to its end, or until so many steps of its first epoch are made.

    Returns:
        MiB: the most that one process ever held, as the system says, and the most that all together held, as seen
        every few milliseconds (pages that processes share count once for each). Seconds by the clock.
    """
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "150"}
    command = [sys.executable, "-m", "configural", "run", *options]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, env=environment)
    os.close(theirs)
    said, together, stopped = "", 0, False
    while True:
        ready, _, _ = select.select([ours], [], [], POLL)
        if ready:
            try:
                read = os.read(ours, 65536)
            except OSError:  # Linux's way of saying that the other side is closed
                break
            if not read:
                break
            said = (said + read.decode(errors="replace"))[-20_000:]
        together = max(together, _resident(process.pid))
        made = re.findall(r"epoch 1/\d+[\s━╸╺]+(\d+)/\d+", COLOURS.sub("", said))
        if steps is not None and not stopped and made and int(made[-1]) >= steps:
            process.terminate()
            stopped = True
    _, status, usage = os.wait4(process.pid, 0)
    os.close(ours)
    if os.waitstatus_to_exitcode(status) != (-signal.SIGTERM if stopped else 0):
        raise SystemExit(f"configural run ended otherwise than it should:\n{said[-2000:]}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    return {
        "mib_largest_process": round(usage.ru_maxrss * unit / 2**20),
        "mib_all_processes": round(together / 2**20),
        "seconds": round(time.perf_counter() - started, 1),
    }


def _resident(pid: int) -> int:
    total = 0
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    for each in family:
        try:
            total += each.memory_info().rss
        except psutil.Error:
            continue
    return total


def end_training(folder: Path, weights: Path | None) -> None:
    """Leave a checkpoint that says that all epochs of a begun run are over, with another run's weights."""
    settings = RunConfig.load(folder / "config.yaml")
    torch.manual_seed(0)
    network = load_network(weights) if weights else create(settings.network, settings.image_size)
    network.to(memory_format=torch.channels_last).train()
    optimizer = KerasAdam(network.parameters(), lr=0.0)
    sum(weights.sum() for weights in network.parameters()).backward()
    optimizer.step()
    epochs = (Epoch(number, 1.0, 0.5, 1.0, 0.5, 1.0) for number in range(1, settings.recipe.epochs + 1))
    save_checkpoint(folder / "checkpoint.safetensors", network, optimizer, History(tuple(epochs)))


def main() -> None:
    """Measure both ways."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", default="synthetic")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--network", default="cnn-15")
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--steps", type=int, default=30, help="training steps before the run is interrupted")
    parser.add_argument("--ways", nargs="+", choices=["kept", "stream"], default=["kept", "stream"])
    # What has learned nothing is wrong on half of the images, which all go into its page.
    parser.add_argument("--weights", type=Path, help="model.safetensors of a run with this network and size")
    parser.add_argument("--without-test", action="store_true", help="leave the second piece out")
    arguments = parser.parse_args()
    options = ["--preset", "paper", "--device", "cpu", "--source", arguments.faces, "--network", arguments.network]
    options += ["--count", str(arguments.count), "--image-size", str(arguments.size)]
    for way in arguments.ways:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "run"
            own = ["--out", str(folder), "--devices", str(arguments.devices)]
            own += ["--stream"] if way == "stream" else []
            pieces = {"draw_and_train": watched([*options, *own], arguments.steps)}
            if not arguments.without_test:
                end_training(folder, arguments.weights)
                pieces["draw_and_test"] = watched([*own, "--resume"], None)
        measured = {
            "way": way,
            "mib_peak": max(piece["mib_all_processes"] for piece in pieces.values()),
            **pieces,
            **{
                name: value
                for name, value in vars(arguments).items()
                if name not in ("ways", "weights", "without_test")
            },
            "threads": torch.get_num_threads(),
            "configural": configural.__version__,
            "torch": torch.__version__,
            "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        }
        print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    main()
