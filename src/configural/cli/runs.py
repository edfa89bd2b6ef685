"""The commands that train a network and test it."""

from pathlib import Path
from typing import Annotated, Any

import typer

import configural
from configural.cli.options import Format, Out, Placement, with_settings
from configural.cli.tables import print_evaluation, print_run
from configural.config.audit import OPENING, AuditConfig
from configural.config.run import RunConfig, run_fields

app = typer.Typer()


@app.command(
    epilog="Examples:\n\n"
    "configural run --out runs/demo\n\n"
    "configural run --source fasseg:FASSEG/V2 --condition fct --network fcn-14 --preset paper --keras\n\n"
    "configural run --out runs/demo --resume"
)
@with_settings(run_fields())
def run(
    *,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE.yaml", help="settings by name, which options overrule")
    ] = None,
    out: Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="resume the run that DIR holds")] = False,
    keras: Annotated[bool, typer.Option("--keras", help="also save the network as model.h5")] = False,
    **given: Any,
) -> None:
    """Draw images, train a network, save, load, test and report: the main job.

    What is not given is the preset's. Defaults: synthetic faces, ffa, paper split, cnn-15, quick preset, seed 42,
    device auto, DIR runs/<date-time>.
    """
    folder = out
    if folder is None and not resume:
        folder = configural.api.dated_folder()
        typer.echo(f"run folder: {folder}", err=True)
    elif resume and folder is not None and not (folder / "config.yaml").is_file():
        typer.echo(f"{folder}: holds no run to resume, so a new one begins", err=True)
    print_run(configural.api.run(config=config, out=folder, resume=resume, keras=keras, **given))


@app.command(epilog="Example:\n\nconfigural demo")
def demo(
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="folder of the run; the page goes to DIR-pair")
    ] = Path("runs/demo"),
) -> None:
    """See the effect on one page: two networks, both hardly ever wrong, that read different things.

    Trains one on painted faces, takes the other from the package, and puts the same images to both, on one page.
    """
    page = configural.api.demo(out, say=typer.echo)
    typer.echo(f"report: {page}, in a browser {page.absolute().as_uri()}")
    typer.echo("to move the parts yourself: configural explore")


@app.command(
    epilog="Examples:\n\n"
    "configural evaluate runs/demo --placement shifted --out runs/demo-shifted\n\n"
    "configural evaluate model.h5 --data images --out runs/old-model"
)
@with_settings(AuditConfig.model_fields, *OPENING)
@with_settings(RunConfig.model_fields, "source", "condition", "split", "count", "seed", "image_size", "device")
def evaluate(
    *,
    model: Annotated[
        str,
        typer.Argument(
            metavar="RUN_OR_MODEL",
            help="run folder, .safetensors, Keras .h5 or .keras, .onnx, Hugging Face folder or module:name",
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="images by class or a written dataset, instead of drawing some"),
    ] = None,
    format: Format = None,
    placement: Placement = None,
    out: Out = None,
    **given: Any,
) -> None:
    """Test a saved network on another set of images.

    What is drawn follows the run's own settings wherever no option says otherwise. For a single file that is: the
    3,000 test images of 20,000, synthetic faces, ffa, middle, paper split, seed 0.
    """
    print_evaluation(configural.api.evaluate(model, data, format=format, placement=placement, out=out, **given))


@app.command(epilog="Example:\n\nconfigural index runs")
def index(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a folder of runs, tests and audits")] = Path(
        "runs"
    ),
) -> None:
    """Write a page over all runs, tests and audits below a folder, to sort, filter and lay over each other."""
    typer.echo(f"index: {configural.api.write_index(folder)}")
