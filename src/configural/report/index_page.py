"""One self-contained page over all runs, tests and audits below a folder, to sort, filter and overlay."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from configural import __version__
from configural.audit import Audit, headline
from configural.config import AuditConfig, RunConfig
from configural.errors import ConfiguralError
from configural.evaluation.metrics import RunMetrics, TestMetrics, read_metrics
from configural.report.parts import write_page
from configural.training import History
from configural.wording import percent, without_folders

_DEEPEST = 4
"""Folders below the one that is looked through."""


@dataclass(frozen=True)
class Entry:
    """A line of the page."""

    name: str  # of its folder, below the page's
    kind: str  # run, test, audit or damaged
    link: str = ""  # to its page
    network: str = ""
    condition: str = ""
    source: str = ""
    image_size: int = 0
    seed: str = ""
    date: str = ""
    accuracy: float | None = None
    said: str = ""  # the headline of an audit, or why it cannot be read
    curve: tuple[float, ...] = ()  # accuracy of valid by epoch


def write_index(folder: Path | str = "runs") -> Path:
    """Write `index.html` into a folder that holds runs, tests and audits at any depth; returns its path.

    Raises:
        ConfiguralError: If there is no such folder, or it holds none of these.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as empty:
        ...     write_index(empty)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        configural.errors.ConfiguralError: ...: holds no run, test or audit
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ConfiguralError(f"{folder}: there is no such folder")
    entries = list(_entries(folder, folder))
    if not entries:
        raise ConfiguralError(f"{folder}: holds no run, test or audit")
    script = (resources.files("configural.report") / "templates" / "index.js").read_text("utf-8")
    curves = {entry.name: entry.curve for entry in entries if entry.curve}
    return write_page(
        folder,
        "index.html.j2",
        file="index.html",
        entries=entries,
        percent_of=lambda value: "" if value is None else percent(value),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        # As JSON no text can end the element that it stands in.
        curves=json.dumps(curves).replace("<", "\\u003c"),
        version=__version__,
    )


def _entries(folder: Path, top: Path) -> Iterator[Entry]:
    name = folder.relative_to(top).as_posix()
    link = quote(f"{name}/report.html") if (folder / "report.html").is_file() else ""
    try:
        if (folder / "audit.json").is_file():
            yield Entry(name, "audit", link, **_of_audit(folder))
        elif (folder / "metrics.json").is_file():
            kind, of = ("run", _of_run) if (folder / "config.yaml").is_file() else ("test", _of_test)
            yield Entry(name, kind, link, **of(folder))
    except ConfiguralError as error:
        yield Entry(name, "damaged", link, said=without_folders(str(error)))
    if len(folder.relative_to(top).parts) < _DEEPEST:
        for below in sorted(folder.iterdir()):
            if below.is_dir() and not below.is_symlink() and not below.name.startswith("."):
                yield from _entries(below, top)


def _made_of(settings: RunConfig | AuditConfig) -> dict[str, Any]:
    """What images were made of."""
    told = {name: without_folders(getattr(settings, name)) for name in ("condition", "source")}
    return {**told, "image_size": settings.image_size, "seed": str(settings.seed)}


def _of_run(folder: Path) -> dict[str, Any]:
    settings, metrics = RunConfig.load(folder / "config.yaml"), read_metrics(folder / "metrics.json", RunMetrics)
    history = History.load(folder / "history.csv")
    return {
        **_made_of(settings),
        "network": settings.network,
        "date": metrics.get("date", ""),
        "accuracy": metrics["test_accuracy"],
        "curve": tuple(round(epoch.valid_accuracy, 4) for epoch in history.epochs),
    }


def _of_test(folder: Path) -> dict[str, Any]:
    metrics = read_metrics(folder / "metrics.json", TestMetrics)
    settings: dict[str, Any] = metrics["settings"]
    placed = f", {settings['placement']}" if settings.get("placement") not in (None, "middle") else ""
    return {
        "network": settings["network"],
        "condition": f"{settings.get('condition') or ''}{placed}",
        "source": str(settings.get("source") or settings.get("data") or ""),
        "image_size": settings["image_size"],
        "seed": str(settings.get("seed", "")),
        "date": metrics.get("date", ""),
        "accuracy": metrics["test_accuracy"],
    }


def _of_audit(folder: Path) -> dict[str, Any]:
    audit = Audit.load(folder)
    accuracy = float(audit.headed("accuracy")["value"])
    return {
        **_made_of(audit.settings),
        "network": audit.facts.name,
        "date": audit.facts.date,
        "accuracy": None if accuracy != accuracy else accuracy,
        "said": headline(audit),
    }
