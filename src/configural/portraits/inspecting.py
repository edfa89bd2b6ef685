"""What was understood of a source: contact sheets and tables."""

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from jaxtyping import UInt8
from PIL import Image

from configural import progress
from configural.errors import ConfiguralError
from configural.io import files
from configural.objects import FACE, ObjectScheme
from configural.portraits.label_folder import LabelFolder, found_by_landmarks
from configural.portraits.library import Exemplar, Library
from configural.portraits.sources import load

PER_PAGE = 12

_COLUMNS = 3  # exemplars side by side
_SIDE = 200  # longer side of each image, in pixels
_CAPTION, _GAP, _FOOT = 24, 14, 34
COLOURS = (
    *((0, 114, 178), (86, 180, 233), (230, 159, 0), (204, 121, 167)),
    *((0, 158, 115), (213, 94, 0), (240, 228, 66), (60, 60, 60)),
)
"""Of part kinds in paste order: those of Okabe and Ito, which colour-blind readers can distinguish."""

PALETTE = np.array([(0, 0, 0), *COLOURS, *[(0, 0, 0)] * (255 - len(COLOURS))], np.uint8)
"""The same for label images, in which a part kind is 1 + its position; all else is black."""

_DOT = (0, 255, 160)  # of a landmark
_COVER = 0.6  # of the colours over the portrait


def inspect(
    source: str | Library, out: Path | str, *, count: int = 120, labels: bool = False
) -> tuple[Library, list[Path]]:
    """Show what was understood of a source, in a folder.

    There are `sheet_001.png` and so on: portrait, landmarks if parts were found by them, parts, and canvas of the
    first exemplars, twelve on a page. `parts.csv` has a row per exemplar: name, person, rows and columns of the
    portrait, for each part kind the row and column of its anchor and its rows and columns, in pixels, and for
    photographs how the parts were found. `skipped.csv` has portrait and reason.

    Args:
        source: As in `load`.
        out: The folder; must be new or empty.
        count: Exemplars on the sheets at most; the tables have all of them.
        labels: Also write the masks of photographs as label images into the folder beside theirs, from which they
            are taken from then on; label images that are there stay as they are.

    Returns:
        The library, and the sheets' files.

    Raises:
        ConfiguralError: If the source cannot be used, or `out` holds something else.
    """
    folder = Path(out)
    files.refuse_used(folder)
    if count < 1:
        raise ConfiguralError(f"count {count}: at least one exemplar must be on the sheets")
    library = load(source)
    photographs = found_by_landmarks(library)
    if labels:
        if photographs is None:
            raise ConfiguralError(f"labels: {library.source} has labels; they are written of portraits:FOLDER")
        write_labels(photographs, [exemplar.name for exemplar in library.exemplars])
    count = min(count, len(library))
    starts, paths = range(0, count, PER_PAGE), []
    with progress.bar("drawing sheets", len(starts)) as update:
        for page, start in enumerate(starts, start=1):
            exemplars = [library[position] for position in range(start, min(start + PER_PAGE, count))]
            paths.append(folder / f"sheet_{page:03d}.png")
            files.write_bytes(paths[-1], sheet(exemplars, scheme=library.scheme, photographs=photographs))
            update(page)
    columns = {
        "name": [exemplar.name for exemplar in library.exemplars],
        "person": library.persons,
        **dict(zip(("rows", "cols"), library.canvas_sizes.T, strict=True)),
    }
    for position, kind in enumerate(library.scheme.part_kinds):
        numbers = np.concatenate([library.anchors[:, position], library.part_sizes[:, position]], axis=1)
        columns |= {f"{kind}_{what}": numbers[:, i] for i, what in enumerate(("row", "col", "rows", "cols"))}
    if photographs:
        columns["note"] = [exemplar.note for exemplar in library.exemplars]
    skipped = pd.DataFrame(library.skipped, columns=["portrait", "reason"])
    for name, table in (("parts", pd.DataFrame(columns)), ("skipped", skipped)):
        files.write_text(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
    return library, paths


def write_labels(photographs: LabelFolder, names: Sequence[str]) -> None:
    """Write the masks of photographs as palette images with the ids 1, 2 … where there are none yet."""
    with progress.bar("writing labels", len(names)) as update:
        for done, name in enumerate(names, start=1):
            path = photographs.correction(name)
            if path and not path.exists():
                _, masks, _ = photographs.photograph(name)
                ids = np.zeros(next(iter(masks.values())).shape, np.uint8)
                for number, kind in enumerate(photographs.scheme.part_kinds, start=1):
                    ids[masks[kind]] = number
                image, content = Image.fromarray(ids), io.BytesIO()
                image.putpalette(PALETTE.tobytes())
                image.save(content, "PNG")
                files.write_bytes(path, content.getvalue())
            update(done)


def sheet(
    exemplars: Sequence[Exemplar], *, scheme: ObjectScheme = FACE, photographs: LabelFolder | None = None
) -> bytes:
    """A PNG of portrait, landmarks if any, parts and canvas of each exemplar, under its name, with a legend."""
    from matplotlib.figure import Figure

    strips = [_strip(exemplar, photographs) for exemplar in exemplars]
    across = min(2 if photographs else _COLUMNS, len(strips))
    height, width = (max(strip.shape[axis] for strip in strips) for axis in (0, 1))
    lines = -(-len(strips) // across)
    page_rows = _GAP + lines * (_CAPTION + height + _GAP) + _FOOT
    page_cols = max(_GAP + across * (width + 2 * _GAP) - _GAP, 560)
    page = np.full((page_rows, page_cols, 3), 255, np.uint8)
    corners = []
    for position, strip in enumerate(strips):
        line, column = divmod(position, across)
        top = _GAP + line * (_CAPTION + height + _GAP) + _CAPTION
        left = _GAP + column * (width + 2 * _GAP)
        page[top : top + len(strip), left : left + strip.shape[1]] = strip
        corners.append((left, top))

    figure = Figure(figsize=(page_cols / 100, page_rows / 100), dpi=100)
    figure.figimage(page)

    def write(text: str, left: float, bottom: float, colour: str = "black") -> None:
        # A name is the user's: a dollar sign in it is no formula.
        figure.text(left / page_cols, 1 - bottom / page_rows, text, fontsize=10, color=colour, parse_math=False)

    for exemplar, (left, top) in zip(exemplars, corners, strict=True):
        person = "" if exemplar.person == exemplar.name else f"  (person {exemplar.person})"
        rows, cols = exemplar.size
        write(_shortened(f"{exemplar.name}{person}  {cols}×{rows}", width), left, top - 6)
    left = _GAP
    for kind, colour in zip(scheme.part_kinds, COLOURS, strict=False):
        write("■", left, page_rows - 12, "#{:02x}{:02x}{:02x}".format(*colour))
        write(kind, left + 16, page_rows - 12)
        left += 34 + 8 * len(kind)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return content.getvalue()


def _strip(exemplar: Exemplar, photographs: LabelFolder | None) -> UInt8[np.ndarray, "rows width 3"]:
    """Portrait, its landmarks if any, parts over the portrait in grey, and canvas, side by side."""
    rows, cols = exemplar.size
    scale = _SIDE / max(rows, cols)
    size = max(1, round(cols * scale)), max(1, round(rows * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    grey = cv2.cvtColor(exemplar.portrait, cv2.COLOR_RGB2GRAY)
    # The darker and the lighter half are brought nearer to the middle, for the colours to be seen.
    over = np.repeat(60 + 0.6 * grey[..., None].astype(np.float32), 3, axis=2)
    for number, colour in enumerate(COLOURS, start=1):
        mask = exemplar.segmentation == number
        over[mask] = (1 - _COVER) * over[mask] + _COVER * np.array(colour, np.float32)
    three = (exemplar.portrait, np.rint(over).astype(np.uint8), exemplar.canvas)
    images = [np.asarray(cv2.resize(image, size, interpolation=method), np.uint8) for image in three]
    points = photographs.landmarks(exemplar.portrait) if photographs else None
    if photographs:
        dotted = images[0].copy()
        for column, row in [] if points is None else np.rint((points + 0.5) * scale).astype(int).tolist():
            cv2.circle(dotted, (column, row), 0, _DOT, -1)
        images.insert(1, dotted)
    return np.concatenate(images, axis=1)


def _shortened(text: str, width: int) -> str:
    letters = max(8, width // 7)
    return text if len(text) <= letters else f"{text[: letters - 1]}…"
