"""The command that measures the machine."""

from pathlib import Path
from typing import Annotated

import typer

from configural.cli.options import SOURCES, Device
from configural.cli.tables import print_benchmark

app = typer.Typer()


@app.command(
    epilog="Examples:\n\n"
    "configural bench\n\n"
    "configural bench --seconds 1 --image-size 64\n\n"
    "configural bench --json figures.json > table.md"
)
def bench(
    source: Annotated[str, typer.Option(metavar="SOURCE", help=SOURCES)] = "synthetic:8",
    network: Annotated[str, typer.Option(help="cnn-15, cnn-13, fcn-16 or fcn-14")] = "cnn-15",
    image_size: Annotated[int, typer.Option(help="rows and columns of the images")] = 224,
    device: Device = None,
    seconds: Annotated[float, typer.Option(help="for each of five measures")] = 8.0,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="also write the figures here")] = None,
) -> None:
    """Measure how fast this machine draws, trains and starts, in about a minute.

    The table tells versions and processor, but no names and no paths: paste it into a bug report. Where the output
    is no terminal it is written in Markdown. Close other programs first; the figures go by the clock.
    """
    from configural import commands

    print_benchmark(commands.bench(source, network, image_size, device or "auto", seconds, json))
