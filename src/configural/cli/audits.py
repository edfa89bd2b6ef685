"""The commands for audits: make one, put several side by side."""

from pathlib import Path
from typing import Annotated, Any

import typer

import configural
from configural.cli.groups import DefaultCommand, GroupWithDefault
from configural.cli.options import Out, with_settings
from configural.cli.tables import print_audit, print_audits
from configural.config.audit import AuditConfig
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
    *("source", "condition", "pairs", "seed", "image_size"),
    *("positive", "output", "scale", "layout", "network", "device"),
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
            help="forced_choice,displacement,background_removal,inversion,interactions,receptive_field,attribution "
            "or some of them",
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
    "configural audit compare audits/demo audits/mine --out audits/both"
)
def compare(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="DIR", help="folders of audits, two or more")
    ] = None,
    out: Out = None,
) -> None:
    """Put audits side by side: relation index, 2AFC and what else sums up a probe, each with its interval.

    With --out also writes comparison.csv, scores.csv and comparison.png.
    """
    print_audits(configural.api.compare_audits(folders or [], out))
