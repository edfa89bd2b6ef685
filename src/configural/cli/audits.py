"""The commands for audits: make one, put several side by side."""

from pathlib import Path
from typing import Annotated

import typer

from configural.cli.groups import DefaultCommand, GroupWithDefault
from configural.cli.options import Condition, Faces, ImageSize, Out, Seed
from configural.cli.tables import print_audit, print_audits
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
    "configural audit compare audits/demo audits/mine",
)
def audit(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL", help="run folder, .safetensors, Keras .h5, .onnx or Hugging Face folder"),
    ],
    source: Faces = None,
    condition: Condition = None,
    pairs: Annotated[int | None, typer.Option(help="matched pairs of a correct and a scrambled arrangement")] = None,
    seed: Seed = None,
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
    image_size: ImageSize = None,
    positive: Annotated[str | None, typer.Option(help="label or position of the correct class")] = None,
    output: Annotated[str | None, typer.Option(help="what the outputs are: logits or probabilities")] = None,
    scale: Annotated[float | None, typer.Option(help="what pixels of 0 to 255 are multiplied by")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps")] = "cpu",
    out: Out = None,
) -> None:
    """Ask whether a classifier uses how the parts of an object relate, by probes with intervals.

    Source and condition follow the run's own, else synthetic and baseline. Writes audit.json, audit.csv, responses/,
    figures/, examples/ and report.html.
    """
    from configural import api

    if len(models) > 1:
        raise ConfiguralError(f"'{models[1]}': one model at a time; to put audits side by side write compare first")
    if out is None:
        raise ConfiguralError("--out is missing: name the folder to write")
    names = [*(name.strip() for name in (probes or "").split(",") if name.strip()), *(probe or [])]
    try:
        done = api.audit(
            models[0],
            out,
            source=source,
            condition=condition,
            pairs=pairs,
            seed=seed,
            probes=names or None,
            image_size=image_size,
            positive=positive,
            output=output,
            scale=scale,
            device=device,
        )
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
    from configural import api

    print_audits(api.compare_audits(folders or [], out))
