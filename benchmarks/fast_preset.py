"""The accuracy of `configural run --preset fast` over ten initial weights, and what it takes.

    python benchmarks/fast_preset.py --source fasseg:FASSEG/V2

Each seed is a real `configural run` on images of data seed 42, timed by the clock from its start to its end. Its
network is then asked about the same images for all seeds: the 3,000 test images of 20,000 of data seed 42, and
further ones (train and test images of 20,000 of data seed 8), since ten tests of 3,000 cannot tell 99.95 from
99.98 %. Under the identity split there are no further ones, because other seeds deal the persons out otherwise.

Prints a JSON line for each seed and one for all. The compute is that of every image trained on, forward and
backward, by formula; the published one is that of 20 epochs of 16,002 images of 224 pixels.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import configural as cf
from configural.benchmark import operations
from configural.config import RunConfig

DATA_SEED, FURTHER_SEED, COUNT = 42, 8, 20000


def trained(options: list[str], out: Path) -> dict[str, Any]:
    """Run the command; its metrics, and its seconds by the clock."""
    command = [sys.executable, "-m", "configural", "run", "--preset", "fast", *options, "--out", str(out)]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stderr)
    metrics: dict[str, Any] = json.loads((out / "metrics.json").read_text("utf-8"))
    return metrics | {"command_seconds": seconds}


def drawn(faces: cf.portraits.Library, settings: RunConfig, seed: int, subset: str) -> cf.stimuli.StimulusDataset:
    """A subset of 20,000 images like those of the run."""
    drawn = {"condition": settings.condition, "split": settings.split}
    table = cf.stimuli.sample(faces, **drawn, count=COUNT, seed=seed).subset(subset)
    return cf.stimuli.dataset(faces, table, size=settings.image_size)


def spread(values: list[float]) -> list[float]:
    """Least, median and most."""
    return [round(value, 2) for value in (min(values), statistics.median(values), max(values))]


def main() -> None:
    """Train and test every seed, and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", default="synthetic")
    parser.add_argument("--split", default="paper")
    parser.add_argument("--seeds", type=int, default=10, help="how many initial weights, from 0 on")
    parser.add_argument("--count", type=int, help="images of a run, instead of the preset's; 20000 or fewer")
    arguments = parser.parse_args()
    if arguments.count is not None and arguments.count > COUNT:
        parser.error(f"--count {arguments.count}: with more than {COUNT}, test images would be trained on")
    faces = cf.portraits.load(arguments.faces)
    options = ["--source", arguments.faces, "--split", arguments.split, "--data-seed", str(DATA_SEED)]
    options += [] if arguments.count is None else ["--count", str(arguments.count)]
    asked: dict[str, list[cf.stimuli.StimulusDataset]] = {}
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        for seed in range(arguments.seeds):
            out = Path(place) / str(seed)
            metrics = trained([*options, "--seed", str(seed)], out)
            run = cf.load_run(out)
            settings = run.settings
            if not asked:
                asked["test"] = [drawn(faces, settings, DATA_SEED, "test")]
                if settings.split == "paper":
                    asked["further"] = [drawn(faces, settings, FURTHER_SEED, name) for name in ("train", "test")]
            line: dict[str, Any] = {"seed": seed}
            for name, sets in asked.items():
                wrong = [cf.evaluation.predict(run.network, images).incorrect().values() for images in sets]
                line[f"{name}_wrong"] = sum(len(rows) for of_set in wrong for rows in of_set)
                line[f"{name}_images"] = sum(len(images) for images in sets)
            own = metrics["images"]["test"]
            line["own_test"] = [round(own * (1 - metrics["test_accuracy"])), own]
            line["train_seconds"] = round(metrics["seconds"]["train"], 1)
            line["command_seconds"] = round(metrics["command_seconds"], 1)
            print(json.dumps(line), flush=True)
            lines.append(line)
    summary: dict[str, Any] = {"faces": arguments.faces.partition(":")[0], "split": arguments.split}
    for name in asked:
        accuracies = [100 * (1 - line[f"{name}_wrong"] / line[f"{name}_images"]) for line in lines]
        summary |= {
            f"{name}_wrong": [line[f"{name}_wrong"] for line in lines],
            f"{name}_accuracy": round(statistics.mean(accuracies), 4),
            f"{name}_standard_deviation": round(statistics.stdev(accuracies), 4) if len(lines) > 1 else None,
        }
    trained_on = metrics["images"]["train"] * settings.recipe.epochs
    compute = operations(settings.network, settings.image_size) * trained_on
    published = operations("cnn-15", 224) * 16002 * 20
    summary |= {
        "train_images": metrics["images"]["train"],
        "epochs": settings.recipe.epochs,
        "image_size": settings.image_size,
        "tflop": round(compute / 1e12, 3),
        "published_tflop": round(published / 1e12),
        "less_compute": round(published / compute),
        "train_seconds": spread([line["train_seconds"] for line in lines]),
        "command_seconds": spread([line["command_seconds"] for line in lines]),
        "threads": torch.get_num_threads(),
        "configural": cf.__version__,
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
    }
    print(json.dumps(summary), flush=True)


if __name__ == "__main__":
    main()
