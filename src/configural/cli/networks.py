"""The command that shows the networks."""

from typing import Annotated

import typer

from configural.cli.tables import print_network

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
