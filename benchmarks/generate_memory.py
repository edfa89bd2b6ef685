"""Peak memory and speed of writing a dataset, against the number of images.

    python benchmarks/generate_memory.py --counts 10000 50000 100000 --format webdataset --size 64

Every count runs in a process of its own, as peak memory never falls again within one. Prints a JSON line for each.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

import configural
from configural.benchmark import peak_bytes
from configural.export import FORMATS, write
from configural.portraits import load
from configural.stimuli import sample_to


def measure(count: int, size: int, form: str, faces: str, folder: Path) -> dict[str, object]:
    """Write one dataset and say what it took.

    Returns:
        Seconds by the clock and of the processor; resident memory in MiB before sampling (Python, its libraries,
        the faces), after it, and at its highest while sampling and in all; MiB written.
    """
    library = load(faces)
    before = _resident()
    started = time.perf_counter()
    table = sample_to(folder / "stimuli.parquet", library, count=count)
    sampled = time.perf_counter()
    after, highest_sampling, processor = _resident(), _highest(), time.process_time()
    write(table, folder / "set", library=library, size=size, format=form)
    written, processor = time.perf_counter(), time.process_time() - processor
    return {
        "count": count,
        "format": form,
        "image_size": size,
        "faces": faces,
        "seconds_sample": round(sampled - started, 1),
        "seconds_write": round(written - sampled, 1),
        "images_per_second": round(count / (written - sampled)),
        "images_per_processor_second": round(count / processor),
        "mib_before": round(before),
        "mib_after_sampling": round(after),
        "mib_peak_sampling": round(highest_sampling),
        "mib_peak": round(_highest()),
        "mib_written": round(sum(path.stat().st_size for path in (folder / "set").rglob("*.*")) / 2**20),
        "configural": configural.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
    }


def _resident() -> float:
    return psutil.Process().memory_info().rss / 2**20


def _highest() -> float:
    return peak_bytes() / 2**20


def main() -> None:
    """Read the arguments; measure one count here, several in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 50_000, 100_000])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--format", choices=list(FORMATS), default="webdataset")
    parser.add_argument("--source", default="synthetic:8")
    parser.add_argument("--dir", type=Path, help="where to write; the sets are removed afterwards")
    arguments = parser.parse_args()
    for count in arguments.counts:
        if len(arguments.counts) > 1:
            options = ["--size", arguments.size, "--format", arguments.format, "--source", arguments.faces]
            options += ["--dir", arguments.dir] if arguments.dir else []
            command = [sys.executable, __file__, "--counts", count, *options]
            subprocess.run([str(word) for word in command], check=True)
            continue
        with tempfile.TemporaryDirectory(dir=arguments.dir) as folder:
            measured = measure(count, arguments.size, arguments.format, arguments.faces, Path(folder))
        print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    main()
