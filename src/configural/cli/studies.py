"""The commands for studies: train and test a grid, set it against the published one, see how far it is."""

from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from rich.console import Console

import configural
from configural.cli.groups import DefaultCommand, GroupWithDefault
from configural.cli.options import Out, with_settings
from configural.cli.tables import print_outlook
from configural.config.run import RunConfig
from configural.errors import ConfiguralError

study_app = typer.Typer(
    cls=GroupWithDefault, help="Train and test a grid of networks and conditions: the whole study."
)
status_app = typer.Typer()


@study_app.command(
    cls=DefaultCommand,
    epilog="Examples:\n\n"
    "configural study --preset quick --source fasseg:FASSEG/V2 --out studies/quick\n\n"
    "configural study plan.yaml --out studies/mine --dry-run\n\n"
    "configural status studies/quick\n\n"
    "configural study compare studies/quick",
)
@with_settings(RunConfig.model_fields, "source", "device")
def study(
    *,
    plan: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(metavar="[PLAN.yaml]", help="what to train and test; a preset's plan if not given"),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="quick (64 pixels), grid (224, hours of two cores) or paper, instead of a plan"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="the study's folder; one that holds it is resumed")
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the jobs and what they would take")] = False,
    **given: Any,
) -> None:
    """Train every network on every condition by every seed, and test each on all conditions.

    Interrupted, the same command resumes where it stopped and tries failed jobs again. After every job the results
    are in DIR/results.csv; with thousands of jobs, from time to time. Exit status 1 if a job failed. Defaults:
    preset quick, synthetic faces.
    """
    if plan is not None and preset is not None:
        raise ConfiguralError(f"{plan} and --preset {preset} exclude each other: a preset is a plan")
    if preset is not None:
        from configural.study import PLAN_PRESETS

        if preset not in PLAN_PRESETS:
            raise ConfiguralError(f"unknown preset '{preset}': choose one of {', '.join(PLAN_PRESETS)}")
    if out is None:
        raise ConfiguralError("--out is missing: name the study's folder, new or one to resume")
    wanted = preset or (Path(plan) if plan is not None else None)
    if dry_run:
        print_outlook(configural.api.plan_study(wanted, out=out, workers=workers, **given))
        return
    from configural.study.engines import find_engine

    if wanted is None and not (out / "study.yaml").is_file():
        typer.echo("no plan is named, so this is the whole grid of preset quick; --dry-run says what it takes")
    chosen = find_engine(engine, ray_address, gpus_per_job)
    done = configural.api.run_study(wanted, out=out, workers=workers, engine=chosen, **given)
    typer.echo(f"results: {done.folder / 'results.csv'} ({len(done.results):,} tests)")
    typer.echo(f"report: {done.folder / 'report.html'}")
    if done.failed:
        name, reason = next(iter(done.failed.items()))
        more = f", and {len(done.failed) - 1} more" if len(done.failed) > 1 else ""
        typer.secho(f"failed: {name}: {reason}{more}; repeat the command to try again", fg="red", err=True)
        raise typer.Exit(1)


@study_app.command(epilog="Example:\n\nconfigural study compare studies/quick")
def compare(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a study's folder, finished or not")],
) -> None:
    """Set a study's results beside the published ones, and say which of the study's findings hold.

    Writes comparison.csv and comparison.md into DIR, and its page, which has the same, again.
    """
    Console(highlight=False).print(configural.api.comparison_text(configural.api.compare(folder)))
    typer.echo(f"comparison: {folder / 'comparison.md'}")
    typer.echo(f"page: {folder / 'report.html'}")


@study_app.command(epilog="Example:\n\nconfigural study publish studies/quick --out paper/quick")
def publish(
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a study's folder, finished or not")],
    out: Out = None,
) -> None:
    """Write a methods paragraph, its references (BibTeX) and the accuracies as LaTeX, CSV and figure."""
    if out is None:
        raise ConfiguralError("--out is missing: name the folder to write")
    typer.echo(configural.api.publish_study(folder, out).methods)
    typer.echo(f"written: {out / 'methods.tex'}, references.bib, matrix.tex, .csv, .svg, .pdf and .png")


@status_app.command(epilog="Example:\n\nconfigural status studies/quick")
def status(folder: Annotated[Path, typer.Argument(metavar="DIR", help="a study's folder")]) -> None:
    """Show how far a study is, from its folder alone."""
    from configural.study.display import progress_table

    Console(highlight=False).print(progress_table(configural.api.study_status(folder)))
