"""What the pages have in common: the environment of their templates, images inside them, words for settings."""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from configural.errors import ConfiguralError
from configural.io import files, manifest
from configural.io.images import PNG
from configural.wording import percent

CONDITIONS = {
    "baseline": "parts where their portraits have them",
    "ffa": "parts further apart",
    "fct": "parts closer together",
}
SPLITS = {
    "paper": "test images are new collages of exemplars that training images are made of too",
    "identity": "no person, and of other objects no exemplar, is in two of train, valid and test",
}
PREPARATIONS = dict.fromkeys(("cnn-15", "cnn-13", "fcn-16", "fcn-14"), "BGR, less the mean colour of ImageNet")
PLACEMENTS = {"shifted": "a third each on the left, in the middle and on the right"}

Rows = list[tuple[str, str, str]]
"""Settings as (name, value, remark)."""


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


def plain(value: Any) -> str:
    """A setting in words."""
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value)) or "nothing"
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(inner)}" for key, inner in value.items())
    if isinstance(value, int) and abs(value) >= 10_000:
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def weights(metrics: Mapping[str, Any]) -> Rows:
    """The beginning of the digest of a network's weights, where it was told."""
    digest = metrics.get("weights", "")
    return [("weights (SHA-256)", digest[:16], "the first 16 digits")] if digest else []


def reading(network: str, metrics: Mapping[str, Any]) -> Rows:
    """How its outputs are read, and how images are prepared for it."""
    correct = f"class taken as {metrics['class_names'][1]}" if "class_names" in metrics else "class"
    if (told := metrics.get("classifier")) is not None:
        rows = {correct: told.get("positive", ""), **{k: value for k, value in told.items() if k != "positive"}}
        return [(key.replace("_", " "), plain(value), "") for key, value in rows.items()]
    return [
        (correct, "1", "of two outputs, counted from 0"),
        ("preparation", "the network's own", PREPARATIONS.get(network, "")),
    ]


def made_with(metrics: Mapping[str, Any]) -> Rows:
    """When, and with which versions."""
    versions = {"PyTorch": metrics.get("torch"), **metrics.get("versions", {})}
    told = {"date": metrics.get("date"), "configural": metrics["configural"], **versions}
    return [(name, value, "") for name, value in told.items() if value]
