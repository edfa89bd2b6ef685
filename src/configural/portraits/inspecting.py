"""What was understood of a source, shown in a folder."""

from pathlib import Path

from configural.errors import ConfiguralError
from configural.io.files import refuse_used
from configural.portraits import sheet
from configural.portraits.library import Library
from configural.portraits.sources import load


def inspect(source: str | Library, out: Path | str, *, count: int = 120) -> tuple[Library, list[Path]]:
    """Show what was understood of a source, in a folder.

    Args:
        source: As in `load`.
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
        raise ConfiguralError(f"count {count}: at least one exemplar must be on the sheets")
    library = load(source)
    sheets = sheet.write_sheets(library, folder, count=count)
    sheet.write_tables(library, folder)
    return library, sheets
