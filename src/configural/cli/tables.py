"""What came of the jobs, printed as tables and lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from configural.audit import Audit, AuditComparison
    from configural.benchmark import Benchmark
    from configural.models import Summary
    from configural.portraits import Library
    from configural.runs import Evaluation, Run
    from configural.study.running import Outlook


def print_run(finished: "Run") -> None:
    """Scores, sizes and times of a run, and where its page is."""
    metrics, settings = finished.metrics, finished.settings
    images, seconds, parameters = metrics["images"], metrics["seconds"], metrics["parameters"]
    _print_table(
        f"{settings.network} on {settings.condition}, {settings.source} faces",
        [
            ("images", f"{images['train']:,} train, {images['valid']:,} valid, {images['test']:,} test"),
            ("image size", f"{settings.image_size} × {settings.image_size}"),
            ("parameters", f"{parameters['total']:,}"),
            ("epochs", str(len(finished.history.epochs))),
            (
                "seconds",
                f"{seconds['draw']:.0f} draw, {seconds['train']:.0f} train, {seconds['test']:.0f} test",
            ),
            *_scores(
                metrics["test_accuracy"],
                metrics["test_loss"],
                metrics["confusion_matrix"],
                finished.predictions.class_names,
            ),
        ],
    )
    typer.echo(f"report: {finished.folder / 'report.html'}")


def print_evaluation(done: "Evaluation") -> None:
    """Scores of a saved network on another set, and where the page is."""
    scores = done.metrics
    rows = _scores(scores.accuracy, scores.loss, scores.confusion_matrix, scores.class_names)
    _print_table(f"{len(done.predictions.frame):,} test images", rows)
    typer.echo(f"report: {done.folder / 'report.html'}")


def _scores(
    accuracy: float, loss: float, matrix: Sequence[Sequence[int]], class_names: Sequence[str]
) -> list[tuple[str, str]]:
    from configural.wording import percent

    return [
        ("test accuracy", f"{percent(accuracy)} %"),
        ("test loss", f"{loss:.4g}"),
        *(
            (name, f"{matrix[row][row]:,} correct, {matrix[row][1 - row]:,} predicted as {class_names[1 - row]}")
            for row, name in enumerate(class_names)
        ),
    ]


def print_network(summary: "Summary") -> None:
    """A network layer by layer, with its totals."""
    from rich.console import Console
    from rich.table import Table

    title = f"{summary.network}, images of {summary.image_size} × {summary.image_size}"
    table = Table(title=title, title_justify="left", title_style="bold")
    for heading in ("layer", "what it does"):
        table.add_column(heading)
    for heading in ("output shape", "parameters"):
        table.add_column(heading, justify="right")
    for layer in summary.layers:
        shape = " × ".join(f"{side:,}" for side in layer.output_shape)
        table.add_row(layer.name, layer.kind, shape, f"{layer.parameters:,}")
    Console().print(table)
    totals = f"total {summary.total:,}, trainable {summary.trainable:,}, non-trainable {summary.non_trainable:,}"
    if summary.receptive_field is not None:
        seen = min(summary.receptive_field, summary.image_size)
        totals += f"; before the head, one unit sees {seen} × {seen} pixels"
    typer.echo(totals + "\n")


def print_outlook(outlook: "Outlook") -> None:
    """What a study would do and take: a line per network and condition, time and disk."""
    from rich.console import Console
    from rich.table import Table

    from configural.study.estimate import JOB_OVERHEAD
    from configural.wording import about

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
            about(estimate.of_job[network]),
            f"{sum(each.state == 'finished' for each in repeats)} of {len(repeats)}",
        )
    Console(highlight=False).print(table)
    first = status.jobs[0].job
    typer.echo(f"every job is tested on {len(first.tests)} sets: {', '.join(f'{c} {p}' for c, p in first.tests)}")
    typer.echo(
        f"estimate for what is left, with {outlook.workers} at a time: {about(estimate.seconds)}, of it "
        f"{about(estimate.of_drawing)} of one worker for drawing"
    )
    for network, source in estimate.source.items():
        typer.echo(f"  {network}: by {source}")
    typer.echo(
        f"  {JOB_OVERHEAD:.0f} s per job for files, figures and the page are a guess; jobs that share a GPU or the "
        "memory's speed may slow each other down"
    )
    mega = 1e6
    typer.echo(
        f"disk: {estimate.result_bytes / mega:,.0f} MB of results, plus the wrongly predicted images; "
        f"{estimate.passing_bytes / mega:,.0f} MB more until the study has ended; "
        f"{outlook.free_bytes / mega:,.0f} MB are free"
    )


def print_audit(done: "Audit") -> None:
    """What an audit found, in sentences, and what it left out and why."""
    from configural.audit import headline, sentences

    typer.echo(headline(done) + ".")
    for sentence in sentences(done):
        typer.echo(sentence)
    for probe, why in done.left_out.items():
        typer.echo(f"{probe} was not measured: {why}")


def print_audits(compared: "AuditComparison") -> None:
    """A line per audit, each figure with its interval."""
    from rich.console import Console
    from rich.table import Table

    from configural.audit.comparison import LABELS
    from configural.wording import in_percent, in_words

    table = Table()
    for heading in ("classifier", "condition", "source", *compared.headings):
        table.add_column(LABELS.get(heading, heading.replace("_", " ")))
    for row in compared.summary.to_dict("records"):
        cells = []
        for heading, fraction in compared.headings.items():
            score = {"value": row[heading], "low": row[f"{heading}_low"], "high": row[f"{heading}_high"]}
            cells.append(in_percent(score) if fraction else in_words(score, 2))
        table.add_row(row["name"], row["condition"], row["source"], *cells)
    Console().print(table)


def print_benchmark(done: "Benchmark") -> None:
    """What was measured, and on what: as tables on a terminal, elsewhere in Markdown."""
    from rich.console import Console
    from rich.table import Table

    from configural.wording import three_digits

    title = f"{done.network}, images of {done.image_size} × {done.image_size} pixels, {done.exemplars} exemplars"
    headings = ("measured", "median", "lowest", "highest", "unit", "by processor time", "rounds", "note")
    rows = [
        (
            each.name,
            *(three_digits(value) for value in (each.median, each.lowest, each.highest)),
            each.unit,
            "" if each.by_processor is None else three_digits(each.by_processor),
            str(each.rounds),
            each.note,
        )
        for each in done.measures
    ]
    about = [(name.replace("_", " "), str(value)) for name, value in done.machine.items()]
    console = Console(highlight=False)
    if not console.is_terminal:
        for exemplars, lines in (((title, ""), about), (headings, rows)):
            for line in (exemplars, ["---"] * len(exemplars), *lines):
                typer.echo("| " + " | ".join(line) + " |")
            typer.echo()
        return
    _print_table(title, about)
    table = Table()
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("measured", "unit", "note") else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_library(library: "Library", sheets: list[Path]) -> None:
    """What was found in a face source: sizes, skipped portraits, sheets."""
    sizes = library.canvas_sizes
    rows, cols = (
        f"{low:,}" if low == high else f"{low:,} to {high:,}"
        for low, high in zip(sizes.min(axis=0), sizes.max(axis=0), strict=True)
    )
    table = [
        ("exemplars", f"{len(library):,}"),
        ("persons", f"{len({exemplar.person for exemplar in library.exemplars}):,}"),
        ("rows, columns", f"{rows}; {cols}"),
    ]
    for kind, (high, wide) in zip(library.scheme.part_kinds, library.part_sizes.mean(axis=0), strict=True):
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


def _print_table(title: str, rows: list[tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", show_header=False)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
