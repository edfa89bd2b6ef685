"""The command line: reads arguments, calls the jobs, prints what came of them."""

import errno
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from configural.errors import ConfiguralError, PortraitSkippedWarning

if TYPE_CHECKING:
    from configural.commands import Evaluation
    from configural.networks import Summary
    from configural.study import Run

# Everything that needs torch is imported inside the commands, so that --help answers at once.

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Does an image classifier use how parts relate, or only which parts are there and where they sit?",
    epilog="First steps: [bold]configural run --out runs/first[/bold] trains and tests a small network in about a "
    "minute.",
)

_Faces = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--faces", metavar="SOURCE", help="synthetic, synthetic:N or fasseg:FOLDER"),
]
_Condition = Annotated[
    str | None, typer.Option("--condition", help="a preset such as ffa or floating+matched, or a .yaml file")
]
_Placement = Annotated[str | None, typer.Option("--placement", help="left, middle, right or shifted")]
_Split = Annotated[str | None, typer.Option("--split", help="paper or identity")]
_Count = Annotated[int | None, typer.Option("--count", help="pictures in train, valid and test together")]
_Seed = Annotated[int | None, typer.Option("--seed", help="of everything random")]
_Device = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or mps")]
_Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="folder to write; must be new or empty")]
_ImageSize = Annotated[int | None, typer.Option("--image-size", help="rows and columns of the pictures")]


@app.command(
    epilog="Examples:\n\n"
    "configural run --out runs/demo\n\n"
    "configural run --faces fasseg:FASSEG/V2 --condition fct --network fcn-14 --preset paper --keras\n\n"
    "configural run --out runs/demo --resume"
)
def run(
    faces: _Faces = None,
    condition: _Condition = None,
    split: _Split = None,
    network: Annotated[str | None, typer.Option(help="cnn-15, cnn-13, fcn-16 or fcn-14")] = None,
    preset: Annotated[str | None, typer.Option(help="quick (two CPU cores) or paper (as in the study)")] = None,
    image_size: _ImageSize = None,
    count: _Count = None,
    epochs: Annotated[int | None, typer.Option(help="passes over the training pictures")] = None,
    batch_size: Annotated[int | None, typer.Option(help="pictures per training step")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="of Adam, at its highest")] = None,
    precision: Annotated[str | None, typer.Option(help="32, tf32 or bf16")] = None,
    seed: _Seed = None,
    device: _Device = None,
    out: _Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the run that DIR holds")] = False,
    keras: Annotated[bool, typer.Option("--keras", help="also save the network as model.h5")] = False,
) -> None:
    """Draw pictures, train a network, save, load, test and report: the main job.

    Defaults: synthetic faces, ffa, paper split, cnn-15, quick preset, seed 42, device auto, DIR runs/<date-time>.
    """
    from configural import commands

    finished = commands.run(
        faces,
        condition,
        split,
        network,
        preset,
        image_size,
        count,
        epochs,
        batch_size,
        learning_rate,
        precision,
        seed,
        device,
        out,
        resume,
        keras,
    )
    _print_run(finished)


@app.command(
    epilog="Examples:\n\n"
    "configural evaluate runs/demo --placement shifted --out runs/demo-shifted\n\n"
    "configural evaluate model.h5 --data pictures --out runs/old-model"
)
def evaluate(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_MODEL", help="run folder, .safetensors or Keras .h5")],
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="pictures in no_face/ and face/, instead of drawing some"),
    ] = None,
    faces: _Faces = None,
    condition: _Condition = None,
    placement: _Placement = None,
    split: _Split = None,
    count: _Count = None,
    seed: _Seed = None,
    image_size: _ImageSize = None,
    device: _Device = None,
    out: _Out = None,
) -> None:
    """Test a saved network on another set of pictures.

    What is drawn follows the run's own settings wherever no option says otherwise.
    """
    from configural import commands

    done = commands.evaluate(
        model, data, faces, condition, placement, split, count, seed, image_size, device or "auto", out
    )
    _print_evaluation(done)


@app.command(
    epilog="Examples:\n\n"
    "configural generate --condition ffa --count 2000 --out pictures/ffa\n\n"
    "configural generate --faces fasseg:FASSEG/V2 --placement shifted --count 20000 --masks --out pictures/shifted"
)
def generate(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder to write; must be new or empty")],
    faces: _Faces = "synthetic",
    condition: Annotated[str, typer.Option(help="a preset such as ffa or floating+matched, or a .yaml")] = "ffa",
    placement: Annotated[str, typer.Option(help="left, middle, right or shifted")] = "middle",
    split: Annotated[str, typer.Option(help="paper or identity")] = "paper",
    count: Annotated[int, typer.Option(help="pictures in train, valid and test together")] = 2000,
    size: Annotated[int, typer.Option(help="rows and columns of the pictures")] = 224,
    seed: Annotated[int, typer.Option(help="of everything random")] = 0,
    masks: Annotated[
        bool, typer.Option("--masks", help="also write a label picture of the parts for each")
    ] = False,
) -> None:
    """Draw a set of pictures to disk, for use with other tools.

    Writes train/, valid/ and test/ with no_face/ and face/, stimuli.parquet and dataset.json. Broken off, the same
    command goes on where it stopped.
    """
    from configural import commands

    table = commands.generate(faces or "synthetic", condition, placement, split, count, size, seed, out, masks)
    counts = ", ".join(f"{len(table.subset(name)):,} {name}" for name in ("train", "valid", "test"))
    typer.echo(f"{out}: {len(table):,} pictures ({counts})")


@app.command(epilog="Examples:\n\nconfigural networks\n\nconfigural networks fcn-14 --image-size 64")
def networks(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="all four if none")] = None,
    image_size: Annotated[int, typer.Option(help="rows and columns of the pictures")] = 224,
) -> None:
    """Print the networks layer by layer: output shapes and parameters."""
    from configural.networks import ARCHITECTURES, create, summarise

    for name in names or [architecture.name for architecture in ARCHITECTURES]:
        _print_network(summarise(create(name, image_size)))


def main() -> None:
    """Run the command line; a user's mistake ends in one line and exit status 2."""
    warnings.simplefilter("always", PortraitSkippedWarning)
    show_others = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
        if issubclass(category, PortraitSkippedWarning):
            typer.secho(f"warning: {message}", fg="yellow", err=True)
        else:
            show_others(message, category, *where)

    warnings.showwarning = show  # type: ignore[assignment]
    try:
        sys.exit(app(standalone_mode=False))
    except ConfiguralError as error:
        _fail(str(error))
    except typer.TyperException as error:
        _fail(error.format_message())
    except OSError as error:
        _fail(_describe(error))
    except (KeyboardInterrupt, typer.Abort):
        typer.secho("stopped; repeat the command to go on, a run with --resume", fg="yellow", err=True)
        sys.exit(130)


def _describe(error: OSError) -> str:
    said = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        said += "; make room and repeat the command to go on, a run with --resume"
    return said


def _fail(message: str) -> None:
    typer.secho(f"error: {message}", fg="red", err=True)
    sys.exit(2)


def _print_run(finished: "Run") -> None:
    metrics, settings = finished.metrics, finished.settings
    images, seconds, parameters = metrics["images"], metrics["seconds"], metrics["parameters"]
    _print_table(
        f"{settings.network} on {settings.condition}, {settings.faces} faces",
        [
            ("pictures", f"{images['train']:,} train, {images['valid']:,} valid, {images['test']:,} test"),
            ("picture size", f"{settings.image_size} × {settings.image_size}"),
            ("parameters", f"{parameters['total']:,}"),
            ("epochs", str(len(finished.history.epochs))),
            (
                "seconds",
                f"{seconds['draw']:.0f} draw, {seconds['train']:.0f} train, {seconds['test']:.0f} test",
            ),
            *_scores(metrics["test_accuracy"], metrics["test_loss"], metrics["confusion_matrix"]),
        ],
    )
    typer.echo(f"report: {finished.folder / 'report.html'}")


def _print_evaluation(done: "Evaluation") -> None:
    scores = done.metrics
    rows = _scores(scores.accuracy, scores.loss, scores.confusion_matrix)
    _print_table(f"{len(done.predictions.frame):,} test pictures", rows)
    typer.echo(f"report: {done.folder / 'report.html'}")


def _scores(accuracy: float, loss: float, matrix: Sequence[Sequence[int]]) -> list[tuple[str, str]]:
    from configural.evaluation.figures import percent

    return [
        ("test accuracy", f"{percent(accuracy)} %"),
        ("test loss", f"{loss:.4g}"),
        ("no_face", f"{matrix[0][0]:,} right, {matrix[0][1]:,} called face"),
        ("face", f"{matrix[1][1]:,} right, {matrix[1][0]:,} called no_face"),
    ]


def _print_table(title: str, rows: list[tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", show_header=False)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _print_network(summary: "Summary") -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"{summary.network}, pictures of {summary.image_size} × {summary.image_size}"
    table = Table(title=title, title_justify="left", title_style="bold")
    for heading in ("layer", "what it does"):
        table.add_column(heading)
    for heading in ("output shape", "parameters"):
        table.add_column(heading, justify="right")
    for layer in summary.layers:
        shape = " × ".join(f"{side:,}" for side in layer.output_shape)
        table.add_row(layer.name, layer.kind, shape, f"{layer.parameters:,}")
    Console().print(table)
    seen = min(summary.receptive_field, summary.image_size)
    typer.echo(
        f"total {summary.total:,}, trainable {summary.trainable:,}, non-trainable {summary.non_trainable:,}; "
        f"before the head, one cell sees {seen} × {seen} pixels\n"
    )


if __name__ == "__main__":
    main()
