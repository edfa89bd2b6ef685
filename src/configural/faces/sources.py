"""From a source, as users write it, to a face library."""

import warnings
from pathlib import Path

from configural import progress
from configural.errors import ConfiguralError, PortraitSkippedWarning
from configural.faces.fasseg import fasseg_heads
from configural.faces.library import FaceLibrary
from configural.faces.synthetic import synthetic_head

DEFAULT_HEADS = 48


def load(source: str | FaceLibrary = "synthetic", seed: int = 0, show_progress: bool = False) -> FaceLibrary:
    """Load a face library.

    Args:
        source: `synthetic` (48 painted heads), `synthetic:N` (N of them), or `fasseg:FOLDER` (a folder with
            Train_RGB, Train_Labels, Test_RGB and Test_Labels). A library is returned as it is.
        seed: Which synthetic heads to paint; the other sources do not depend on it.
        show_progress: Show a bar on standard error.

    Raises:
        ConfiguralError: If the source is not understood or has fewer than two usable portraits.

    Warns:
        PortraitSkippedWarning: For each portrait that cannot be used.
    """
    if isinstance(source, FaceLibrary):
        return source
    kind, _, rest = source.partition(":")
    if kind == "synthetic":
        return _synthetic(source, rest, seed, show_progress)
    if kind == "fasseg" and rest:
        return _fasseg(source, Path(rest).expanduser(), show_progress)
    raise ConfiguralError(
        f"faces '{source}' is not understood: write synthetic, synthetic:N (such as synthetic:48) or fasseg:FOLDER"
    )


def _synthetic(source: str, number: str, seed: int, show_progress: bool) -> FaceLibrary:
    if number and not (number.isascii() and number.isdecimal() and int(number) >= 2):
        raise ConfiguralError(f"faces '{source}': the number of heads must be a whole number of at least 2")
    count = int(number) if number else DEFAULT_HEADS
    heads = []
    with progress.bar("painting heads", count, show_progress) as update:
        for index in range(count):
            heads.append(synthetic_head(seed, index))
            update(index + 1)
    return FaceLibrary(source, heads)


def _fasseg(source: str, folder: Path, show_progress: bool) -> FaceLibrary:
    with progress.bar("reading heads", 1, show_progress) as update:
        heads, skipped = fasseg_heads(folder, update)
    for name, reason in skipped:
        warnings.warn(f"{folder}: skipped {name}: {reason}", PortraitSkippedWarning, stacklevel=3)
    return FaceLibrary(source, heads, tuple(skipped))
