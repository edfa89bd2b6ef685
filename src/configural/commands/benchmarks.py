"""Short forms of the benchmarks on the user's own machine."""

from pathlib import Path

from configural import files
from configural.benchmark import Benchmark, measure
from configural.faces import FaceLibrary, load


def bench(
    faces: str | FaceLibrary = "synthetic:8",
    network: str = "cnn-15",
    image_size: int = 224,
    device: str = "auto",
    seconds: float = 8.0,
    json: Path | str | None = None,
    show_progress: bool = True,
) -> Benchmark:
    """Measure drawing, training and start-up; see `benchmark.measure`.

    Args:
        faces: A source, or a loaded library.
        network: One of the study's.
        image_size: Rows and columns of the pictures.
        device: auto, cpu, cuda or mps.
        seconds: For each of five measures.
        json: A file to write the figures to, too.
        show_progress: Show a bar on standard error.

    Raises:
        ConfiguralError: If a setting is not possible.
        OSError: If the file cannot be written.
    """
    done = measure(load(faces, show_progress=show_progress), network, image_size, device, seconds, show_progress)
    if json is not None:
        files.write_text(Path(json), done.as_json())
    return done
