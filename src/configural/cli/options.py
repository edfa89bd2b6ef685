"""The options that several commands share."""

from pathlib import Path
from typing import Annotated, Optional

import typer

SOURCES = "synthetic, synthetic:N, fasseg (fetched), fasseg:FOLDER, celebamask:FOLDER or folder:FOLDER"

Faces = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--source", metavar="SOURCE", help=SOURCES),
]
Condition = Annotated[
    str | None, typer.Option("--condition", help="a preset such as ffa or floating+matched, or a .yaml file")
]
Placement = Annotated[str | None, typer.Option("--placement", help="left, middle, right or shifted")]
Split = Annotated[str | None, typer.Option("--split", help="paper or identity")]
Count = Annotated[int | None, typer.Option("--count", help="images in train, valid and test together")]
Seed = Annotated[int | None, typer.Option("--seed", help="of everything random")]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or mps")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="folder to write; must be new or empty")]
RequiredOut = Annotated[Path, typer.Option("--out", metavar="DIR", help="folder to write; must be new or empty")]
ImageSize = Annotated[int | None, typer.Option("--image-size", help="rows and columns of the images")]
