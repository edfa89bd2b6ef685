"""What the pages have in common: the environment of their templates, and images inside them."""

import base64
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from configural.errors import ConfiguralError
from configural.io import files, manifest
from configural.io.images import PNG
from configural.wording import percent


@dataclass(frozen=True)
class Image:
    """A PNG as a page holds it: the whole file as a data URI."""

    source: str
    width: int
    height: int


@cache  # it keeps the templates compiled
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("configural.report"),
        autoescape=lambda name: name is None or not name.endswith(".md.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "number": lambda value: f"{value:,}",
        "percent": percent,
        # Where a line breaks, then before an interval and not within.
        "closed": lambda text: text.replace(", ", ",\u00a0"),
        "capitalize_first": lambda text: text[:1].upper() + text[1:],
    }
    environment.filters |= filters
    return environment


def write_page(folder: Path, template: str, *, file: str = "report.html", **said: Any) -> Path:
    """Write a page into a folder from a template; HTML shows text escaped, an unknown name is an error."""
    path = folder / file
    files.write_text(
        path, _environment().get_template(template).render({"name": folder.resolve().name, "source": "", **said})
    )
    manifest.renew(folder, path.name)
    return path


def embedded(folder: Path, *names: str) -> Image | None:
    """A PNG of a folder for its page; None if the file is gone.

    A page is passed on, so it shows nothing else: no file that a name or a link in the folder leads out to.

    Raises:
        ConfiguralError: If it is another file, or not what was written.
    """
    path = folder.joinpath(*names)
    if not os.path.lexists(path):
        return None
    real = path.resolve()
    if not real.is_file() or not real.is_relative_to(folder.resolve()):
        raise ConfiguralError(f"{path}: no file of {folder}, so its page does not show it; remove it")
    content = real.read_bytes()
    if not content.startswith(PNG):
        raise ConfiguralError(f"{path}: not a PNG file, so the page does not show it; remove it")
    manifest.refuse_changed(folder, path.relative_to(folder).as_posix())
    # Width and height stand at a fixed place in a PNG's first chunk.
    width, height = (int.from_bytes(content[start : start + 4]) for start in (16, 20))
    return Image(f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}", width, height)
