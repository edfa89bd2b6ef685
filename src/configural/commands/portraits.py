"""Portraits: shown as they were understood, and downloaded."""

from pathlib import Path

from configural import progress
from configural.errors import ConfiguralError
from configural.io.files import refuse_used
from configural.portraits import Library, load
from configural.portraits import sheet as face_sheet
from configural.portraits.fetch import FASSEG_URL, fetch_fasseg


def source(source: str | Library, out: Path | str, count: int = 120) -> tuple[Library, list[Path]]:
    """Show what was understood of a face source, in a folder.

    Args:
        source: As in `faces.load`.
        out: Where sheet_001.png and so on, parts.csv and skipped.csv are written; must be new or empty.
        count: Exemplars on the sheets at most; the tables have all of them.

    Returns:
        The library, and the sheets' files.

    Raises:
        ConfiguralError: If the source cannot be used, or `out` holds something else.
    """
    folder = Path(out)
    refuse_used(folder)
    if count < 1:
        raise ConfiguralError(f"--count {count}: at least one exemplar must be on the sheets")
    library = load(source)
    with progress.bar("drawing sheets", 1) as update:
        sheets = face_sheet.write_sheets(library, folder, count, update)
    face_sheet.write_tables(library, folder)
    return library, sheets


def fetch(name: str, base_url: str | None = None) -> Path:
    """Download portraits into the user's cache folder, for use without a path.

    Args:
        name: `fasseg`, the only ones that may be downloaded without asking.
        base_url: Another place than the publisher's to download from.

    Returns:
        The folder that holds them.

    Raises:
        ConfiguralError: If a file cannot be had, or is not the published one; the same call goes on from there.
    """
    if name != "fasseg":
        raise ConfiguralError(f"'{name}' cannot be fetched; what can is: fasseg")
    return fetch_fasseg(base_url or FASSEG_URL)
