"""Measures of the user's own machine."""

from pathlib import Path

from configural import benchmark
from configural.benchmark import Benchmark
from configural.io import files
from configural.portraits import Library, load


def bench(
    source: str | Library = "synthetic:8",
    network: str = "cnn-15",
    *,
    image_size: int = 224,
    device: str = "auto",
    seconds: float = 8.0,
    json: Path | str | None = None,
) -> Benchmark:
    """Measure drawing, training and start-up (see `benchmark.measure`), and write the figures to a file as JSON."""
    done = benchmark.measure(load(source), network, image_size=image_size, device=device, seconds=seconds)
    if json is not None:
        files.write_text(Path(json), done.as_json())
    return done
