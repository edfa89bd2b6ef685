"""How right `configural run --preset fast` is, over ten first weights, and what it takes.

    python benchmarks/fast_preset.py --faces fasseg:FASSEG/V2

Each seed is a real `configural run` on pictures of data seed 42, timed by the clock from its start to its end. Its
network is then asked about the same pictures for all seeds: the 3,000 test pictures of 20,000 of data seed 42, and
further ones (train and test pictures of 20,000 of data seed 8), since ten tests of 3,000 cannot tell 99.95 from
99.98 %. Under the identity split there are no further ones, because other seeds deal the persons out otherwise.

Prints a JSON line for each seed and one for all. The compute is that of every picture trained on, there and back,
by formula; the published one is that of 20 epochs of 16,002 pictures of 224 pixels.
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

DATA_SEED, FURTHER_SEED, COUNT = 42, 8, 20000


def trained(options: list[str], out: Path) -> dict[str, Any]:
    """Run the command; its metrics, and its seconds by the clock."""
    command = [sys.executable, "-m", "configural.cli", "run", "--preset", "fast", *options, "--out", str(out)]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stderr)
    metrics: dict[str, Any] = json.loads((out / "metrics.json").read_text("utf-8"))
    return metrics | {"command_seconds": seconds}


def spread(values: list[float]) -> list[float]:
    """Least, median and most."""
    return [round(value, 2) for value in (min(values), statistics.median(values), max(values))]


def main() -> None:
    """Train and test every seed, and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--faces", default="synthetic")
    parser.add_argument("--split", default="paper")
    parser.add_argument("--seeds", type=int, default=10, help="how many first weights, from 0 on")
    arguments, others = parser.parse_known_args()
    faces = cf.faces.load(arguments.faces)
    options = ["--faces", arguments.faces, "--split", arguments.split, "--data-seed", str(DATA_SEED), *others]
    asked: dict[str, cf.stimuli.StimulusDataset] = {}
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        for seed in range(arguments.seeds):
            out = Path(place) / str(seed)
            metrics = trained([*options, "--seed", str(seed)], out)
            run = cf.load_run(out)
            settings = run.settings
            if not asked:
                table = cf.stimuli.sample(faces, settings.condition, settings.split, COUNT, DATA_SEED)
                asked["test"] = cf.stimuli.dataset(faces, table.subset("test"), settings.image_size)
                if settings.split == "paper":
                    table = cf.stimuli.sample(faces, settings.condition, settings.split, COUNT, FURTHER_SEED)
                    for subset in ("train", "test"):
                        further = cf.stimuli.dataset(faces, table.subset(subset), settings.image_size)
                        asked[f"further {subset}"] = further
            line: dict[str, Any] = {"seed": seed}
            for name, pictures in asked.items():
                wrong = cf.evaluation.predict(run.network, pictures).wrong().values()
                key = name.partition(" ")[0]
                line[f"{key}_wrong"] = line.get(f"{key}_wrong", 0) + sum(len(rows) for rows in wrong)
                line[f"{key}_pictures"] = line.get(f"{key}_pictures", 0) + len(pictures)
            own = metrics["images"]["test"]
            line["own_test"] = [round(own * (1 - metrics["test_accuracy"])), own]
            line["train_seconds"] = round(metrics["seconds"]["train"], 1)
            line["command_seconds"] = round(metrics["command_seconds"], 1)
            print(json.dumps(line), flush=True)
            lines.append(line)
        compute = (
            operations(settings.network, settings.image_size) * metrics["images"]["train"] * settings.recipe.epochs
        )
    summary: dict[str, Any] = {"faces": arguments.faces.partition(":")[0], "split": arguments.split}
    for key in ("test", "further"):
        if f"{key}_wrong" in lines[0]:
            shares = [100 * (1 - line[f"{key}_wrong"] / line[f"{key}_pictures"]) for line in lines]
            summary |= {
                f"{key}_wrong": [line[f"{key}_wrong"] for line in lines],
                f"{key}_accuracy": round(statistics.mean(shares), 4),
                f"{key}_standard_deviation": round(statistics.stdev(shares), 4) if len(shares) > 1 else None,
            }
    published = operations("cnn-15", 224) * 16002 * 20
    summary |= {
        "train_pictures": metrics["images"]["train"],
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
