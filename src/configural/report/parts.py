"""What the pages have in common: the environment of their templates, images inside them, words for settings."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from configural.io import files
from configural.wording import percent

CONDITIONS = {
    "baseline": "features where they were photographed",
    "ffa": "features further apart",
    "fct": "features closer together",
}
SPLITS = {
    "paper": "test images are new collages of exemplars that training images are made of too",
    "identity": "the persons of train, valid and test are different ones",
}
PLACEMENTS = {"shifted": "a third each on the left, in the middle and on the right"}

Rows = list[tuple[str, str, str]]
"""Settings as (name, value, remark)."""


@dataclass(frozen=True)
class Image:
    """A PNG as a page holds it: the whole file as a data URI."""

    source: str
    width: int
    height: int


def write_page(folder: Path, template: str, **said: Any) -> Path:
    """Write `report.html` into a folder from a template; what it shows is escaped, an unknown name is an error."""
    environment = Environment(
        loader=PackageLoader("configural.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": lambda value: f"{value:,}",
        "percent": percent,
        "capitalize_first": lambda text: text[:1].upper() + text[1:],
    }
    path = folder / "report.html"
    files.write_text(path, environment.get_template(template).render({"name": folder.resolve().name, **said}))
    return path


def embedded(path: Path) -> Image | None:
    """A PNG for the page; None if the file is gone."""
    if not path.is_file():
        return None
    content = path.read_bytes()
    # Width and height stand at a fixed place in a PNG's first chunk.
    width, height = (int.from_bytes(content[start : start + 4]) for start in (16, 20))
    return Image(f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}", width, height)


def plain(value: Any) -> str:
    """A setting in words."""
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value)) or "nothing"
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(inner)}" for key, inner in value.items())
    if isinstance(value, int) and abs(value) >= 10_000:
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)
