"""The command for the page on which parts are dragged."""

from pathlib import Path
from typing import Annotated, Any

import typer

import configural
from configural.cli.options import with_settings
from configural.config.audit import OPENING, AuditConfig

app = typer.Typer()


@app.command(
    epilog="Examples:\n\n"
    "configural explore\n\n"
    "configural explore runs/demo\n\n"
    "configural explore runs/demo runs/floating --out explorer.html\n\n"
    "configural explore model.onnx --source fasseg --image-size 224"
)
@with_settings(AuditConfig.model_fields, "source", "image_size", *OPENING, "device")
def explore(
    *,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="run folders, .safetensors, Keras .h5 or .keras, .onnx, Hugging Face folders or module:name; two "
            "networks that come with the package if none",
        ),
    ] = None,
    exemplars: Annotated[int, typer.Option(metavar="N", help="how many the page has at most")] = 6,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="write one file that works without a server, explorer.html"),
    ] = None,
    host: Annotated[str, typer.Option(help="address to serve at; 0.0.0.0 lets others in")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="8042, or any that is free")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="open the page")] = True,
    **given: Any,
) -> None:
    """Drag the parts of an object, and see at once what models make of it.

    Serves a page on this machine until Ctrl-C; several models are shown side by side. With --out it writes the same
    page as one file, in which the networks run in the browser.
    """
    try:
        configural.api.explore(
            *(models or []), exemplars=exemplars, out=out, host=host, port=port, browser=browser, say=_say, **given
        )
    except KeyboardInterrupt:
        if out is not None:
            raise
        typer.echo()  # how such a server ends


def _say(line: str) -> None:
    warning = line.startswith("warning: ")
    typer.secho(line, fg="yellow" if warning else None, err=warning)
