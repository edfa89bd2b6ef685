"""The commands for audits: make one, put several side by side."""

from pathlib import Path
from typing import Annotated, Any

import typer

import configural
from configural.cli.groups import DefaultCommand, GroupWithDefault
from configural.cli.options import Out, with_settings
from configural.cli.tables import print_audit, print_audits, print_plan
from configural.config.audit import OPENING, AuditConfig
from configural.errors import ConfiguralError

app = typer.Typer(
    cls=GroupWithDefault,
    help="Ask whether a classifier uses how the parts of an object relate, by probes with intervals.",
)


@app.command(
    cls=DefaultCommand,
    epilog="Examples:\n\n"
    "configural audit runs/demo --out audits/demo\n\n"
    "configural audit model.onnx --source fasseg --condition floating --image-size 224 --out audits/mine\n\n"
    "configural audit runs/demo --out audits/demo --resume\n\n"
    "configural audit compare audits/demo audits/mine",
)
@with_settings(
    AuditConfig.model_fields,
    *("source", "condition", "pairs", "seed", "image_size", *OPENING, "device"),
)
def audit(
    *,
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            help="run folder, .safetensors, Keras .h5 or .keras, .onnx, Hugging Face folder or module:name",
        ),
    ],
    probes: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="names of probes with commas between, such as forced_choice,factorial; all by default",
        ),
    ] = None,
    probe: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="one probe, by name or module:name; may be repeated")
    ] = None,
    out: Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="resume the audit that DIR holds")] = False,
    **given: Any,
) -> None:
    """Ask whether a classifier uses how the parts of an object relate, by probes with intervals.

    Source and condition follow the run's own, else synthetic and baseline. Writes audit.json, audit.csv,
    responses/, figures/, examples/ and report.html.
    """
    if len(models) > 1:
        raise ConfiguralError(f"'{models[1]}': one model at a time; to put audits side by side write compare first")
    if out is None:
        raise ConfiguralError("--out is missing: name the folder to write")
    names = [*(name.strip() for name in (probes or "").split(",") if name.strip()), *(probe or [])]
    if resume and not (out / "audit.json").is_file():
        typer.echo(f"{out}: holds no audit to resume, so a new one begins", err=True)
    try:
        done = configural.api.audit(models[0], out, probes=names or None, resume=resume, **given)
    except KeyboardInterrupt as stopped:
        if str(stopped):
            typer.secho(str(stopped), fg="yellow", err=True)
        raise
    print_audit(done)
    typer.echo(f"report: {out / 'report.html'}")


@app.command(
    epilog="Examples:\n\n"
    "configural audit compare audits/demo audits/mine\n\n"
    "configural audit compare cnn=audits/cnn-1,audits/cnn-2 fcn=audits/fcn-1,audits/fcn-2 --out audits/both"
)
def compare(
    folders: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DIR",
            help="audits, two or more, and people's answers (.csv); NAME=DIR names one, NAME=DIR,DIR counts as one",
        ),
    ] = None,
    out: Out = None,
) -> None:
    """Put audits side by side, each score with its interval, and test their differences.

    Differences are drawn in pairs over exemplars and p-values corrected by Holm's method; that takes audits of the
    same images. With --out also writes comparison.csv, differences.csv, scores.csv, figures and
    report.html.
    """
    print_audits(configural.api.compare_audits(folders or [], out))


@app.command(epilog="Example:\n\nconfigural audit publish audits/demo --out paper/demo")
def publish(
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder of a finished audit")],
    out: Out = None,
) -> None:
    """Write a methods paragraph, its references (BibTeX) and the scores as LaTeX and CSV, ready to paste."""
    if out is None:
        raise ConfiguralError("--out is missing: name the folder to write")
    typer.echo(configural.api.publish(folder, out).methods)
    typer.echo(f"written: {out / 'methods.tex'}, references.bib, scores.tex, scores.csv")


@app.command(
    epilog="Examples:\n\nconfigural audit plan --width 0.1 --fraction 0.9\n\n"
    "configural audit plan --width 0.05 --pilot audits/demo"
)
def plan(
    *,
    width: Annotated[float, typer.Option(help="wished width of the 95 % interval, from end to end")] = 0.1,
    fraction: Annotated[float, typer.Option(help="expected 2AFC or accuracy")] = 0.9,
    correlation: Annotated[float, typer.Option(help="how alike two pairs of one exemplar are, 0 to 1")] = 0.1,
    pilot: Annotated[
        Path | None, typer.Option(metavar="DIR", help="an audit to take both from, by its forced choice")
    ] = None,
) -> None:
    """Say how many exemplars and pairs an interval of a fraction needs."""
    print_plan(configural.api.plan_audit(width, fraction=fraction, correlation=correlation, pilot=pilot), width)
