"""The commands that show the networks, and how fast this machine trains them."""

from pathlib import Path
from typing import Annotated, Any

import typer

import configural
from configural.cli.options import with_settings
from configural.cli.tables import print_benchmark, print_network
from configural.config.run import RunConfig

app = typer.Typer()


@app.command(epilog="Examples:\n\nconfigural networks\n\nconfigural networks fcn-14 --image-size 64")
def networks(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="all four if none")] = None,
    image_size: Annotated[int, typer.Option(help="rows and columns of the images")] = 224,
) -> None:
    """Print the networks layer by layer: output shapes and parameters."""
    from configural.models import ARCHITECTURES, create, summarise

    for name in names or [architecture.name for architecture in ARCHITECTURES]:
        print_network(summarise(create(name, image_size)))


@app.command(
    epilog="Examples:\n\n"
    "configural bench\n\n"
    "configural bench --seconds 1 --image-size 64\n\n"
    "configural bench --json figures.json > table.md"
)
@with_settings(RunConfig.model_fields, "source", "network", "image_size", "device")
def bench(
    *,
    seconds: Annotated[float, typer.Option(help="for each measure")] = 8.0,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="also write the figures here")] = None,
    **given: Any,
) -> None:
    """Measure how fast this machine draws, trains and starts, in about two minutes.

    The table tells versions and processor, but no names and no paths: paste it into a bug report. Where the output
    is no terminal it is written in Markdown. Close other programs first; the figures go by the clock.
    """
    print_benchmark(configural.api.bench(seconds=seconds, json=json, **given))
