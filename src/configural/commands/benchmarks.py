"""Short forms of the benchmarks on the user's own machine."""

from pathlib import Path

from configural.benchmark import Benchmark, measure
from configural.io import files
from configural.portraits import Library, load


def bench(
    source: str | Library = "synthetic:8",
    network: str = "cnn-15",
    image_size: int = 224,
    device: str = "auto",
    seconds: float = 8.0,
    json: Path | str | None = None,
) -> Benchmark:
    """Measure drawing, training and start-up; see `benchmark.measure`.

    Args:
        source: A source, or a loaded library.
        network: One of the study's.
        image_size: Rows and columns of the images.
        device: auto, cpu, cuda or mps.
        seconds: For each of five measures.
        json: A file to write the figures to, too.

    Raises:
        ConfiguralError: If a setting is not possible.
        OSError: If the file cannot be written.
    """
    done = measure(load(source), network, image_size, device, seconds)
    if json is not None:
        files.write_text(Path(json), done.as_json())
    return done
