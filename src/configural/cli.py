"""The command line: reads arguments, calls the jobs, prints what came of them."""

import errno
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer
from typer.core import TyperCommand, TyperGroup

from configural import __version__
from configural.errors import ConfiguralError, PortraitSkippedWarning

if TYPE_CHECKING:
    from pandas import DataFrame

    from configural.commands import Audit, Evaluation, Outlook
    from configural.faces import FaceLibrary
    from configural.networks import Summary
    from configural.study import Run

# Everything that needs torch is imported inside the commands, so that --help answers at once.

_STUDY = "run"
"""The name of the command that `configural study` is without any of its own commands."""

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
    typer.Option(
        "--faces",
        metavar="SOURCE",
        help="synthetic, synthetic:N, fasseg (fetched), fasseg:FOLDER, celebamask:FOLDER or folder:FOLDER",
    ),
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


def _print_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"configural {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def configural(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Does an image classifier use how parts relate, or only which parts are there and where they sit?"""


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
    devices: Annotated[
        int | None, typer.Option(metavar="N", help="train on N GPUs, or in N processes on a CPU")
    ] = None,
    out: _Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the run that DIR holds")] = False,
    keras: Annotated[bool, typer.Option("--keras", help="also save the network as model.h5")] = False,
) -> None:
    """Draw pictures, train a network, save, load, test and report: the main job.

    Defaults: synthetic faces, ffa, paper split, cnn-15, quick preset, seed 42, device auto, DIR runs/<date-time>.
    """
    from configural import commands

    folder = out
    if folder is None and not resume:
        folder = commands.dated_folder()
        typer.echo(f"run folder: {folder}", err=True)
    elif resume and folder is not None and not (folder / "config.yaml").is_file():
        typer.echo(f"{folder}: holds no run to go on with, so a new one begins", err=True)
    finished = commands.run(
        faces=faces,
        condition=condition,
        split=split,
        network=network,
        preset=preset,
        image_size=image_size,
        count=count,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        precision=precision,
        seed=seed,
        device=device,
        devices=devices,
        out=folder,
        resume=resume,
        keras=keras,
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

    What is drawn follows the run's own settings wherever no option says otherwise. For a single file that is: the
    3,000 test pictures of 20,000, synthetic faces, ffa, middle, paper split, seed 0.
    """
    from configural import commands

    done = commands.evaluate(
        model,
        data=data,
        faces=faces,
        condition=condition,
        placement=placement,
        split=split,
        count=count,
        seed=seed,
        image_size=image_size,
        device=device or "auto",
        out=out,
    )
    _print_evaluation(done)


@app.command(
    epilog="Examples:\n\n"
    "configural generate --condition ffa --count 2000 --out pictures/ffa\n\n"
    "configural generate --faces fasseg:FASSEG/V2 --placement shifted --count 2000 --masks --out pictures/moved\n\n"
    "configural generate --count 1000000 --size 64 --format webdataset --out pictures/million"
)
def generate(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder to write; must be new or empty")],
    faces: _Faces = "synthetic",
    condition: Annotated[str, typer.Option(help="a preset such as ffa or floating+matched, or a .yaml")] = "ffa",
    placement: Annotated[
        str | None, typer.Option(help="left, middle, right or shifted; the condition's own if not given")
    ] = None,
    split: Annotated[str, typer.Option(help="paper or identity")] = "paper",
    count: Annotated[int, typer.Option(help="pictures in train, valid and test together")] = 2000,
    size: Annotated[int, typer.Option(help="rows and columns of the pictures")] = 224,
    seed: Annotated[int, typer.Option(help="of everything random")] = 0,
    masks: Annotated[
        bool, typer.Option("--masks", help="also write a label picture of the parts for each")
    ] = False,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="match the classes: a pair differs in the arrangement alone")
    ] = False,
    format: Annotated[str, typer.Option(help="imagefolder, coco, parquet or webdataset")] = "imagefolder",
) -> None:
    """Draw a set of pictures to disk, for use with other tools.

    Writes the pictures in the format asked for, stimuli.parquet, dataset.json and a data card, README.md. Broken
    off, the same command goes on where it stopped.
    """
    from configural import commands

    table = commands.generate(
        faces or "synthetic", condition, placement, split, count, size, seed, out, masks, format=format, pairs=pairs
    )
    counts = ", ".join(f"{count:,} {name}" for name, count in table.places().counts.items())
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


@app.command(
    epilog="Examples:\n\n"
    "configural verify pictures/ffa\n\n"
    "configural verify pictures/shifted --sample all --faces fasseg:FASSEG/V2"
)
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a folder that generate wrote")],
    sample: Annotated[str, typer.Option(metavar="N", help="how many pictures to draw again, or all")] = "200",
    faces: _Faces = None,
) -> None:
    """Check a dataset: draw a sample again from its stimuli.parquet and compare the bytes.

    Names missing, extra and damaged files; exit status 1 if there are any. The faces are loaded from where
    dataset.json says, unless --faces names another place.
    """
    from configural import commands

    if sample != "all" and not sample.isdecimal():
        raise ConfiguralError(f"--sample '{sample}' must be a whole number of at least 1, or all")
    done = commands.verify(folder, None if sample == "all" else int(sample), faces)
    for fault in done.faults:
        typer.echo(f"{fault.kind}: {fault.where}" + (f" ({fault.why})" if fault.why else ""))
    repacked = f"; {done.repacked:,} were packed by another PNG library, pixels the same" if done.repacked else ""
    number = len(done.faults)
    found = {0: "nothing is wrong", 1: "1 fault"}.get(number, f"{number:,} faults")
    typer.echo(f"{folder}: {done.sampled:,} of {done.images:,} pictures drawn again, {found}{repacked}")
    if not done.sound:
        raise typer.Exit(1)


@app.command(
    epilog="Examples:\n\n"
    "configural faces fasseg:FASSEG/V2 --out sheets/fasseg\n\n"
    "configural faces folder:my_portraits --out sheets/mine"
)
def faces(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="synthetic, synthetic:N, fasseg (fetched), fasseg:FOLDER, celebamask:FOLDER or folder:FOLDER",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder to write; must be new or empty")],
    count: Annotated[int, typer.Option(help="heads on the sheets at most; the tables have all")] = 120,
) -> None:
    """Show what was understood of a face source: contact sheets, part sizes, skipped portraits.

    Writes sheet_001.png and so on (portrait, parts and canvas of each head), parts.csv and skipped.csv.
    """
    from configural import commands

    # Each portrait that is skipped is in the table; the warnings would only repeat it.
    warnings.simplefilter("ignore", PortraitSkippedWarning)
    library, sheets = commands.faces(source, out, count)
    _print_library(library, sheets)


@app.command(epilog="Example:\n\nconfigural fetch fasseg")
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="fasseg")],
    base_url: Annotated[
        str | None, typer.Option("--from", metavar="URL", help="download from here instead of the publisher")
    ] = None,
) -> None:
    """Download public portraits into the cache folder; then --faces fasseg needs no path.

    Every file is checked against its SHA-256. Broken off, the same command goes on where it stopped. The
    environment variable CONFIGURAL_CACHE names another cache folder than the user's.
    """
    from configural import commands

    typer.echo(f"{name}: {commands.fetch(name, base_url)}")


class _StudyGroup(TyperGroup):
    """`configural study` takes a plan as a command does, and has commands of its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Whatever is not one of its commands is meant for the study itself."""
        return super().parse_args(ctx, args if args and args[0] in self.commands else [_STUDY, *args])


class _StudyCommand(TyperCommand):
    """What `configural study` does without a command; it calls itself so, too."""

    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Take the group's place in the command line."""
        return super().make_context(parent.info_name, args, parent.parent, **extra)


studies = typer.Typer(cls=_StudyGroup, rich_markup_mode="rich")
app.add_typer(studies, name="study", help="Train and test a grid of networks and conditions: the whole study.")


@studies.command(
    _STUDY,
    cls=_StudyCommand,
    hidden=True,
    epilog="Examples:\n\n"
    "configural study --preset quick --faces fasseg:FASSEG/V2 --out studies/quick\n\n"
    "configural study plan.yaml --out studies/mine --dry-run\n\n"
    "configural status studies/quick",
)
def study(
    plan: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(metavar="[PLAN.yaml]", help="what to train and test; a preset's plan if not given"),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="quick (two CPU cores) or paper (as published), instead of a plan")
    ] = None,
    faces: _Faces = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="the study's folder; one that holds it goes on")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="jobs at a time; one per processor core, or two per GPU, if not given")
    ] = None,
    engine: Annotated[str, typer.Option(help="local (processes) or ray (a cluster)")] = "local",
    ray_address: Annotated[
        str | None, typer.Option(help="of a running Ray cluster; else RAY_ADDRESS, or one of this machine alone")
    ] = None,
    gpus_per_job: Annotated[
        float | None, typer.Option(help="on a Ray cluster; 1 where there are any, if not given")
    ] = None,
    device: _Device = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the jobs and what they would take")] = False,
) -> None:
    """Train every network on every condition by every seed, and test each on all conditions.

    Broken off, the same command goes on where it stopped and tries failed jobs again. After every job the results
    are in DIR/results.csv. Exit status 1 if a job failed. Defaults: preset quick, synthetic faces.
    """
    from configural import commands

    if plan is not None and preset is not None:
        raise ConfiguralError(f"{plan} and --preset {preset} exclude each other: a preset is a plan")
    if preset is not None:
        from configural.study import PLAN_PRESETS

        if preset not in PLAN_PRESETS:
            raise ConfiguralError(f"unknown preset '{preset}': choose one of {', '.join(PLAN_PRESETS)}")
    if out is None:
        raise ConfiguralError("--out is missing: name the study's folder, new or one to go on with")
    wanted = preset or (Path(plan) if plan is not None else None)
    if dry_run:
        _print_outlook(commands.plan_study(wanted, faces, out, workers, device or "auto"))
        return
    from configural.study.engines import find_engine

    chosen = find_engine(engine, ray_address, gpus_per_job)
    done = commands.run_study(wanted, faces, out, workers, chosen, device or "auto")
    typer.echo(f"results: {done.folder / 'results.csv'} ({len(done.results):,} tests)")
    typer.echo(f"report: {done.folder / 'report.html'}")
    if done.failed:
        name, reason = next(iter(done.failed.items()))
        more = f", and {len(done.failed) - 1} more" if len(done.failed) > 1 else ""
        typer.secho(f"failed: {name}: {reason}{more}; repeat the command to try again", fg="red", err=True)
        raise typer.Exit(1)


@studies.command("compare", epilog="Example:\n\nconfigural study compare studies/quick")
def compare_with_published(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a study's folder, finished or not")],
) -> None:
    """Set a study's results beside the published ones, and say which of the study's findings hold.

    Writes comparison.csv and comparison.md into DIR.
    """
    from rich.console import Console

    from configural import commands

    Console(highlight=False).print(commands.comparison_text(commands.compare(folder)))
    typer.echo(f"comparison: {folder / 'comparison.md'}")


@app.command(epilog="Example:\n\nconfigural status studies/quick")
def status(folder: Annotated[Path, typer.Argument(metavar="DIR", help="a study's folder")]) -> None:
    """Show how far a study is, from its folder alone."""
    from rich.console import Console

    from configural import commands
    from configural.study.display import progress_table

    Console(highlight=False).print(progress_table(commands.study_status(folder)))


@app.command(
    epilog="Examples:\n\n"
    "configural audit runs/demo --out audits/demo\n\n"
    "configural audit model.onnx --faces fasseg --condition floating --image-size 224 --out audits/mine\n\n"
    "configural audit compare audits/demo audits/mine"
)
def audit(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            help="run folder, .safetensors, Keras .h5, .onnx or Hugging Face folder; or: compare DIR DIR...",
        ),
    ],
    faces: _Faces = None,
    condition: _Condition = None,
    pairs: Annotated[int, typer.Option(help="matched pairs of a right and a wrong arrangement")] = 500,
    seed: _Seed = None,
    probes: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="paired_choice,displacement,context,inversion,interactions,reach,attribution or some of them",
        ),
    ] = None,
    image_size: _ImageSize = None,
    face: Annotated[str | None, typer.Option(help="label or position of face, of Hugging Face or ONNX")] = None,
    scale: Annotated[float, typer.Option(help="what pixels are multiplied by, of ONNX")] = 1.0,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps")] = "cpu",
    out: _Out = None,
) -> None:
    """Ask whether a classifier uses how the parts of a face relate, by probes with intervals.

    Faces and condition follow the run's own, else synthetic and baseline. Writes audit.json, audit.csv, answers/,
    figures/, examples/ and report.html.
    """
    from configural import commands

    if models[0] == "compare":
        _print_audits(commands.compare_audits(models[1:], out).summary)
        return
    if len(models) > 1:
        raise ConfiguralError(f"'{models[1]}': one model at a time; to put audits side by side write compare first")
    if out is None:
        raise ConfiguralError("--out is missing: name the folder to write")
    names = [name.strip() for name in probes.split(",")] if probes else None
    done = commands.audit(models[0], out, faces, condition, pairs, seed, names, image_size, face, scale, device)
    _print_audit(done)
    typer.echo(f"report: {out / 'report.html'}")


_STOPPED = 130


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
        status = app(standalone_mode=False)
        if status == _STOPPED:  # Typer's answer to Ctrl-C
            raise KeyboardInterrupt
        sys.exit(status)
    except ConfiguralError as error:
        _fail(str(error))
    except typer.TyperException as error:
        if not error.format_message():  # no command given: the help has been shown
            sys.exit(2)
        _fail(error.format_message())
    except (MemoryError, RuntimeError) as error:
        # PyTorch has no class of its own for a memory that is full.
        if isinstance(error, RuntimeError) and not re.search("allocate memory|out of memory", str(error)):
            raise
        _fail("not enough memory: try a smaller --image-size, --count or --batch-size")
    except OSError as error:
        _fail(_describe(error))
    except (KeyboardInterrupt, typer.Abort):
        typer.secho(
            "stopped; repeat the command to go on, a run with --resume and --out its folder", fg="yellow", err=True
        )
        sys.exit(_STOPPED)


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


def _print_outlook(outlook: "Outlook") -> None:
    from rich.console import Console
    from rich.table import Table

    from configural.study.display import duration
    from configural.study.estimate import JOB_OVERHEAD

    status, estimate = outlook.status, outlook.estimate
    table = Table(title=f"{len(status.jobs)} jobs", title_justify="left", title_style="bold")
    for heading in ("network", "trained on", "seeds", "epochs", "one job", "finished"):
        table.add_column(heading, justify="left" if heading in ("network", "trained on", "seeds") else "right")
    cells: dict[tuple[str, str], list[Any]] = {}
    for each in status.jobs:
        cells.setdefault((each.job.network, each.job.condition), []).append(each)
    for (network, condition), repeats in cells.items():
        table.add_row(
            network,
            condition,
            ", ".join(str(each.job.settings.seed) for each in repeats),
            str(repeats[0].job.settings.recipe.epochs),
            duration(estimate.of_job[network]),
            f"{sum(each.state == 'finished' for each in repeats)} of {len(repeats)}",
        )
    Console(highlight=False).print(table)
    first = status.jobs[0].job
    typer.echo(f"every job is tested on {len(first.tests)} sets: {', '.join(f'{c} {p}' for c, p in first.tests)}")
    typer.echo(
        f"estimate for what is left, with {outlook.workers} at a time: {duration(estimate.seconds)}, of it "
        f"{duration(estimate.of_drawing)} of one worker for drawing"
    )
    for network, source in estimate.source.items():
        typer.echo(f"  {network}: by {source}")
    typer.echo(
        f"  {JOB_OVERHEAD:.0f} s per job for files, figures and the page are a guess; jobs that share a GPU or the "
        "memory's speed may slow each other down"
    )
    mega = 1e6
    typer.echo(
        f"disk: {estimate.result_bytes / mega:,.0f} MB of results, plus the wrongly predicted pictures; "
        f"{estimate.passing_bytes / mega:,.0f} MB more until the study has ended; "
        f"{outlook.free_bytes / mega:,.0f} MB are free"
    )


def _print_library(library: "FaceLibrary", sheets: list[Path]) -> None:
    from configural.faces import PART_KINDS

    sizes = library.canvas_sizes
    rows, cols = (
        f"{low:,}" if low == high else f"{low:,} to {high:,}"
        for low, high in zip(sizes.min(axis=0), sizes.max(axis=0), strict=True)
    )
    table = [
        ("heads", f"{len(library):,}"),
        ("persons", f"{len({head.person for head in library.heads}):,}"),
        ("rows, columns", f"{rows}; {cols}"),
    ]
    for kind, (high, wide) in zip(PART_KINDS, library.part_sizes.mean(axis=0), strict=True):
        table.append((kind, f"{high:.0f} × {wide:.0f} pixels on average"))
    table.append(("skipped", f"{len(library.skipped):,}"))
    if library.licence:
        table.append(("licence", library.licence))
    _print_table(library.source, table)
    for name, reason in library.skipped[:5]:
        typer.echo(f"skipped {name}: {reason}")
    if len(library.skipped) > 5:
        typer.echo(f"skipped {len(library.skipped) - 5:,} more, see skipped.csv")
    typer.echo(f"sheets: {sheets[0]}" + (f" to {sheets[-1].name}" if len(sheets) > 1 else ""))


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


def _print_audit(done: "Audit") -> None:
    from configural.audit import headline, sentences

    typer.echo(headline(done) + ".")
    for sentence in sentences(done):
        typer.echo(sentence)
    for probe, why in done.left_out.items():
        typer.echo(f"{probe} was not measured: {why}")


def _print_audits(summary: "DataFrame") -> None:
    from rich.console import Console
    from rich.table import Table

    from configural.audit.verdict import in_percent, in_words

    table = Table()
    for heading in ("classifier", "condition", "faces", "relation index", "paired choice", "accuracy"):
        table.add_column(heading)
    for row in summary.to_dict("records"):
        index, choice, accuracy = (
            {"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}
            for name in ("index", "choice", "accuracy")
        )
        table.add_row(
            row["name"],
            row["condition"],
            row["faces"],
            in_words(index, 2),
            in_percent(choice),
            in_percent(accuracy),
        )
    Console().print(table)


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
