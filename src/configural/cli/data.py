"""The commands for images and the portraits they are made of."""

import shlex
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

import configural
from configural.cli.options import Format, Placement, RequiredOut, with_settings
from configural.cli.tables import print_library
from configural.config.run import RunConfig
from configural.errors import ConfiguralError, PortraitSkippedWarning, one_line
from configural.io.manifest import MANIFEST

app = typer.Typer()


@app.command(
    epilog="Examples:\n\n"
    "configural generate --condition ffa --count 2000 --out images/ffa\n\n"
    "configural generate --source fasseg:FASSEG/V2 --placement shifted --count 2000 --masks --out images/moved\n\n"
    "configural generate --count 1000000 --size 64 --format webdataset --workers 8 --out images/million"
)
@with_settings(RunConfig.model_fields, "source", "condition", "split", "count", "seed")
def generate(
    *,
    out: RequiredOut,
    placement: Placement = None,
    size: Annotated[int, typer.Option(help="rows and columns of the images")] = 224,
    masks: Annotated[bool, typer.Option("--masks", help="also write a label image of the parts for each")] = False,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="match the classes: a pair differs in the arrangement alone")
    ] = False,
    format: Annotated[
        str, typer.Option(help="imagefolder, coco, parquet, webdataset, psychopy, jspsych or module:name")
    ] = "imagefolder",
    shard_size: Annotated[int, typer.Option(metavar="N", help="images per file of parquet and webdataset")] = 2000,
    workers: Annotated[int, typer.Option(metavar="N", help="processes that draw; the files are the same")] = 1,
    **given: Any,
) -> None:
    """Draw a set of images to disk, for use with other tools.

    Writes the images in the format asked for, stimuli.parquet, dataset.json and a data card, README.md.
    Interrupted, the same command resumes where it stopped.
    """
    table = configural.api.generate(
        placement=placement,
        size=size,
        out=out,
        masks=masks,
        format=format,
        pairs=pairs,
        shard_size=shard_size,
        workers=workers,
        **given,
    )
    counts = ", ".join(f"{count:,} {name}" for name, count in table.counts().items())
    typer.echo(f"{out}: {len(table):,} images ({counts})")
    said = {"source": given.get("source"), "condition": given.get("condition") or table.condition.name}
    alike = " ".join(f"--{name} {shlex.quote(value)}" for name, value in said.items() if value)
    typer.echo(
        f"to audit a model that learned them: configural audit MODEL {alike} --image-size {size} --out audits/mine"
    )


@app.command(
    epilog="Examples:\n\n"
    "configural verify images/ffa\n\n"
    "configural verify images/shifted --sample all --source fasseg:FASSEG/V2\n\n"
    "configural verify runs/demo"
)
@with_settings(RunConfig.model_fields, "source")
def verify(
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a finished folder of any command")],
    sample: Annotated[str, typer.Option(metavar="N", help="how many images to draw again, or all")] = "200",
    format: Format = None,
    **given: Any,
) -> None:
    """Check a dataset, run, evaluation, study or audit: name missing, extra, changed and damaged files.

    Compares every file with its SHA-256 in SHA256SUMS; exit status 1 if there are any. Of a dataset, also draws a
    sample again from its stimuli.parquet and compares the bytes. The exemplars are loaded from where dataset.json
    says, unless --source names another one.
    """
    if sample != "all" and not sample.isdecimal():
        raise ConfiguralError(f"--sample '{sample}' must be a whole number of at least 1, or all")
    done = configural.api.verify(folder, sample=None if sample == "all" else int(sample), format=format, **given)
    for fault in done.faults:
        typer.echo(one_line(f"{fault.kind}: {fault.where}" + (f" ({fault.why})" if fault.why else "")))
    repacked = f"; {done.repacked:,} were packed by another PNG library, pixels the same" if done.repacked else ""
    number = len(done.faults)
    found = {0: "nothing is wrong", 1: "1 fault"}.get(number, f"{number:,} faults")
    drawn = f"{done.sampled:,} of {done.images:,} images drawn again"
    what = drawn if done.images else f"{done.files:,} files compared with {MANIFEST}"
    typer.echo(f"{folder}: {what}, {found}{repacked}")
    if not done.sound:
        raise typer.Exit(1)


@app.command(
    epilog="Examples:\n\n"
    "configural inspect fasseg:FASSEG/V2 --out sheets/fasseg\n\n"
    "configural inspect folder:my_portraits --out sheets/mine"
)
def inspect(
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help=RunConfig.model_fields["source"].description),
    ],
    out: RequiredOut,
    count: Annotated[int, typer.Option(help="exemplars on the sheets at most; the tables have all")] = 120,
    labels: Annotated[
        bool,
        typer.Option(
            "--labels", help="also write masks of photographs as label images to edit, beside their folder"
        ),
    ] = False,
) -> None:
    """Show what was understood of a source: contact sheets, part sizes, skipped portraits.

    Writes sheet_001.png and so on (portrait, parts and canvas of each exemplar), parts.csv and skipped.csv. With
    --labels, also FOLDER_labels/NAME.png of every photograph of portraits:FOLDER: what you change there is used
    instead of the landmarks, and what is missing there is found by them.
    """
    # Each portrait that is skipped is in the table; the warnings would only repeat it.
    warnings.simplefilter("ignore", PortraitSkippedWarning)
    library, sheets = configural.api.inspect(source, out, count=count, labels=labels)
    print_library(library, sheets)


@app.command(
    epilog="Examples:\n\nconfigural fetch fasseg\n\nconfigural fetch fasseg --set V3\n\nconfigural fetch landmarks"
)
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="fasseg, or landmarks")],
    base_url: Annotated[
        str | None, typer.Option("--from", metavar="URL", help="download from here instead of the publisher")
    ] = None,
    version: Annotated[
        str, typer.Option("--set", metavar="SET", help="of fasseg: V2, or V3, with turned heads")
    ] = "V2",
    sha256: Annotated[
        str | None, typer.Option("--sha256", metavar="DIGEST", help="of the archive that V3 is taken from")
    ] = None,
) -> None:
    """Download public portraits into the cache folder; then --source fasseg needs no path.

    Or download what finds faces in photographs, which --source portraits:FOLDER needs.

    Every file is checked against its SHA-256, which of V3 is for you to state. Interrupted, the same command
    resumes where it stopped. The environment variable CONFIGURAL_CACHE names another cache folder than the user's.
    """
    typer.echo(f"{name}: {configural.api.fetch(name, base_url=base_url, version=version, sha256=sha256)}")
