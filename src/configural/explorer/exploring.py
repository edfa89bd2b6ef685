"""Models and exemplars for the page: served, or written into one file."""

import importlib.util
import os
import sys
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from configural import models
from configural.config.audit import OPENING, AuditConfig
from configural.config.run import RunConfig
from configural.errors import ConfiguralError
from configural.evaluation.metrics import read_metrics
from configural.explorer.asking import AskedModel, Panel
from configural.explorer.bundle import ShownModel, bundle
from configural.explorer.one_file import page, write_one_file
from configural.explorer.small import shipped
from configural.models.classifiers import Classifier
from configural.objects import FACE
from configural.portraits import Library, load
from configural.portraits.label_folder import found_by_landmarks
from configural.portraits.landmarks import Landmarker, find_bundle
from configural.portraits.sources import load_recorded

EXEMPLARS = 6
"""How many exemplars the page has, if nobody says it: more take longer to load."""


@dataclass(frozen=True)
class _Opened:
    """A model as the page shows it and as it was opened, and the source of a run's exemplars."""

    shown: ShownModel
    classifier: Classifier
    source: str | None = None


def explore(
    *sources: Any,
    source: str | Library | None = None,
    exemplars: int = EXEMPLARS,
    out: Path | str | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    browser: bool = True,
    say: Callable[[str], object] = print,
    **options: Any,
) -> None:
    """Open a page on which parts are dragged and models respond at once, or write it into one file.

    Serves until Ctrl-C. The file needs no server: the networks run in the browser, so that it can be sent.

    Args:
        sources: Run folders, or whatever else `models.open` opens, to be seen side by side; by default two networks
            that come with the package.
        source: A source of exemplars, or a library; of a run its own by default, else synthetic.
        exemplars: How many of them the page has at most; at least 2.
        out: The file to write instead, such as explorer.html; only for the study's networks.
        host: The address to serve at; any other than this machine's own lets others in.
        port: 8042 by default, or any that is free.
        browser: Open the page in the user's browser, where there is a screen.
        say: Gets lines for the user: the address, or the file.
        options: Of all models: positive, output, scale, layout, mean, std, channels, image_size, network and
            device, as for `models.open`; none without a model.

    Raises:
        ConfiguralError: If a model or a source cannot be used, or the address cannot be had; if `out` is given and
            a model is none of the study's networks; if options are given without a model.

    Example:
        >>> import tempfile
        >>> import configural as cf
        >>> library = cf.portraits.load("synthetic:2")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     cf.models.save_network(cf.models.create("fcn-14", 32), f"{folder}/net.safetensors")
        ...     explore(f"{folder}/net.safetensors", source=library, out=f"{folder}/page.html", say=len)
    """
    if exemplars < 2:
        raise ConfiguralError(f"exemplars {exemplars}: at least 2")
    if out is not None and (folder := Path(out)).is_dir():
        raise ConfiguralError(f"{folder}: a folder; out names a file, such as {folder / 'explorer.html'}")
    if out is None:
        _require_server()
    if not sources and (named := next((name for name, value in options.items() if value is not None), None)):
        raise ConfiguralError(
            f"{named}: says how a model is opened, but no model is named; name one (runs/demo), or leave it out"
        )
    shipped_ones = ((model, models.open(model.network)) for model in shipped())
    opened = _named([_open(one, options) for one in sources] or [_Opened(*one) for one in shipped_ones])
    library = _library(source, opened)
    library = replace(library, exemplars=library.exemplars[:exemplars])
    if out is not None:
        _refuse_foreign(opened, options)
        write_one_file(bundle(library, [one.shown for one in opened]), Path(out))
        say(f"{out}: opens in any browser, offline too")
        return
    from configural.explorer import server

    # First of all, so that a port that is taken is told before anything is drawn.
    with server.listening(host, port) as listener:
        shown = [replace(one.shown, network=None) for one in opened]
        asked = [
            AskedModel(name=one.shown.name, image_size=one.shown.image_size, classifier=one.classifier)
            for one in opened
        ]
        panel, found_by = Panel(library, asked), _landmarker(library)
        app = server.application(page(), bundle(library, shown), panel, host=host, landmarker=found_by)
        address = server.address_of(listener, host)
        if not server.is_loopback(host):
            say(f"warning: {host} lets everyone in who can reach this machine")
        say(f"explorer: {address} (Ctrl-C ends it)")
        wanted = browser and _has_screen()
        server.serve(app, listener, started=lambda: webbrowser.open(address) if wanted else None)


def _landmarker(library: Library) -> Landmarker | None:
    """What finds the parts of a face in a visitor's image: what found the library's, or else what is at hand."""
    if (photographs := found_by_landmarks(library)) is not None:
        return photographs.landmarker
    if library.scheme != FACE or importlib.util.find_spec("ai_edge_litert") is None:
        return None
    try:
        return Landmarker(find_bundle())
    except ConfiguralError:
        return None


def _open(source: Any, options: dict[str, Any]) -> _Opened:
    config = AuditConfig.of(**{name: value for name, value in options.items() if value is not None})
    given = config.model_dump(include={*OPENING, "device"})
    classifier = models.open(source, image_size=options.get("image_size"), **given)
    # Of a model without a name, such as a classifier of somebody's own, its class says most.
    name = getattr(classifier, "name", "") or type(source).__name__
    size = getattr(classifier, "image_size", None) or config.image_size
    shown = ShownModel(name=name, image_size=size, network=getattr(classifier, "module", None))
    if isinstance(source, str | Path) and (Path(source) / "config.yaml").is_file():
        run = RunConfig.load(Path(source) / "config.yaml")
        accuracy = read_metrics(Path(source) / "metrics.json")["test_accuracy"]
        return _Opened(replace(shown, trained_on=run.condition, accuracy=accuracy), classifier, run.source)
    return _Opened(shown, classifier)


def _named(opened: Sequence[_Opened]) -> list[_Opened]:
    """The models by names of their own: of those that are called alike, the later ones get a number."""
    named: list[_Opened] = []
    for one in opened:
        taken, name, number = {other.shown.name for other in named}, one.shown.name, 2
        while name in taken:
            name, number = f"{one.shown.name} ({number})", number + 1
        named.append(replace(one, shown=replace(one.shown, name=name)))
    return named


def _library(source: str | Library | None, opened: Sequence[_Opened]) -> Library:
    if source is not None:
        return load(source)
    recorded = next((one.source for one in opened if one.source is not None), None)
    return load() if recorded is None else load_recorded(recorded)


def _refuse_foreign(opened: Sequence[_Opened], options: dict[str, Any]) -> None:
    """Raise a ConfiguralError if a browser cannot run a model, or would read it otherwise."""
    for one in opened:
        if not isinstance(one.shown.network, models.StudyNet):
            raise ConfiguralError(
                f"{one.shown.name}: does not run in a browser, only the study's networks do; leave out the file "
                "(out), and a server responds"
            )
    for name in ("positive", "output", "scale"):
        if options.get(name) is not None:
            raise ConfiguralError(f"{name}: of no use for a file, whose networks are the study's; leave it out")


def _require_server() -> None:
    missing = [name for name in ("starlette", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfiguralError(
            f"the explorer's server needs {' and '.join(missing)}: pip install 'configural[explore]'"
        )


def _has_screen() -> bool:
    """Whether a browser would have a window; a browser of text would take the terminal."""
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True
