"""The command that measures the machine."""

from pathlib import Path
from typing import Annotated, Any

import typer

from configural.cli.options import with_settings
from configural.cli.tables import print_benchmark
from configural.config.run import RunConfig

app = typer.Typer()


@app.command(
    epilog="Examples:\n\n"
    "configural bench\n\n"
    "configural bench --seconds 1 --image-size 64\n\n"
    "configural bench --json figures.json > table.md"
)
@with_settings(RunConfig.model_fields, "source", "network", "image_size", "device")
def bench(
    *,
    seconds: Annotated[float, typer.Option(help="for each of five measures")] = 8.0,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="also write the figures here")] = None,
    **given: Any,
) -> None:
    """Measure how fast this machine draws, trains and starts, in about a minute.

    The table tells versions and processor, but no names and no paths: paste it into a bug report. Where the output
    is no terminal it is written in Markdown. Close other programs first; the figures go by the clock.
    """
    from configural import api

    print_benchmark(api.bench(seconds=seconds, json=json, **given))
