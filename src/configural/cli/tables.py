"""What came of the jobs, printed as tables and lines."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

from configural.wording import about, in_percent, in_words, p_value, percent, three_digits

if TYPE_CHECKING:
    from configural.audit import Audit, AuditComparison, Plan
    from configural.benchmark import Benchmark
    from configural.evaluation import Metrics
    from configural.models import Summary
    from configural.portraits import Library
    from configural.runs import Evaluation, Run
    from configural.study.estimate import Outlook


def print_run(finished: "Run") -> None:
    """Scores, sizes and times of a run, and where its page is."""
    settings, metrics = finished.settings, finished.metrics
    images, seconds = metrics["images"], metrics["seconds"]
    rows = [
        ("images", f"{images['train']:,} train, {images['valid']:,} valid, {images['test']:,} test"),
        ("image size", f"{settings.image_size} × {settings.image_size}"),
        ("parameters", f"{metrics['parameters']['total']:,}"),
        ("epochs", str(len(finished.history.epochs))),
        ("seconds", ", ".join(f"{seconds[name]:.0f} {name}" for name in ("draw", "train", "test"))),
        *_scores(finished.predictions.metrics()),
    ]
    _print_table(rows, f"{settings.network} on {settings.condition}, {settings.source}")
    typer.echo(f"report: {finished.folder / 'report.html'}")


def print_evaluation(done: "Evaluation") -> None:
    """Scores of a saved network on another set, and where the page is."""
    _print_table(_scores(done.metrics), f"{len(done.predictions.frame):,} test images")
    typer.echo(f"report: {done.folder / 'report.html'}")


def _scores(metrics: "Metrics") -> list[tuple[str, str]]:
    matrix, names = metrics.confusion_matrix, metrics.class_names
    return [
        ("test accuracy", f"{percent(metrics.accuracy)} %"),
        ("test loss", f"{metrics.loss:.4g}"),
        *(
            (name, f"{matrix[row][row]:,} correct, {matrix[row][1 - row]:,} predicted as {names[1 - row]}")
            for row, name in enumerate(names)
        ),
    ]


def print_network(summary: "Summary") -> None:
    """A network layer by layer, with its totals."""
    rows = [
        (layer.name, layer.kind, " × ".join(f"{side:,}" for side in layer.output_shape), f"{layer.parameters:,}")
        for layer in summary.layers
    ]
    title = f"{summary.network}, images of {summary.image_size} × {summary.image_size}"
    headings = ("layer", "what it does", "output shape", "parameters")
    _print_table(rows, title, headings=headings, right=headings[2:])
    totals = f"total {summary.total:,}, trainable {summary.trainable:,}, non-trainable {summary.non_trainable:,}"
    if summary.receptive_field is not None:
        seen = min(summary.receptive_field, summary.image_size)
        totals += f"; before the head, one unit sees {seen} × {seen} pixels"
    typer.echo(totals + "\n")


def print_outlook(outlook: "Outlook") -> None:
    """What a study would do and take: a line per network and condition, time and disk."""
    from configural.study.estimate import JOB_OVERHEAD

    jobs = outlook.status.jobs
    cells: dict[tuple[str, str], list[Any]] = {}
    for each in jobs:
        cells.setdefault((each.job.network, each.job.condition), []).append(each)
    rows = [
        (
            network,
            condition,
            ", ".join(str(each.job.settings.seed) for each in repeats),
            str(repeats[0].job.settings.recipe.epochs),
            about(outlook.of_job[network]),
            f"{sum(each.state == 'finished' for each in repeats)} of {len(repeats)}",
        )
        for (network, condition), repeats in cells.items()
    ]
    headings = ("network", "trained on", "seeds", "epochs", "one job", "finished")
    _print_table(rows, f"{len(jobs)} jobs", headings=headings, right=headings[3:], highlight=False)
    tests = jobs[0].job.tests
    typer.echo(f"every job is tested on {len(tests)} sets: {', '.join(f'{c} {p}' for c, p in tests)}")
    typer.echo(
        f"estimate for what is left, with {outlook.workers} at a time: {about(outlook.seconds)}, of it "
        f"{about(outlook.of_drawing)} of one worker for drawing"
    )
    for network, source in outlook.source.items():
        typer.echo(f"  {network}: by {source}")
    typer.echo(
        f"  {JOB_OVERHEAD:.0f} s per job for files, figures and the page are a guess; jobs that share a GPU "
        "or the memory's speed may slow each other down"
    )
    typer.echo(
        f"disk: {outlook.result_bytes / 1e6:,.0f} MB of results, plus the incorrectly predicted images; "
        f"{outlook.passing_bytes / 1e6:,.0f} MB more until the study has ended; "
        f"{outlook.free_bytes / 1e6:,.0f} MB are free"
    )


def print_audit(done: "Audit") -> None:
    """What an audit found, in sentences, and what it left out and why."""
    from configural.audit import headline, sentences

    typer.echo("\n".join([headline(done) + ".", *sentences(done)]))
    for probe, why in done.left_out.items():
        typer.echo(f"{probe} was not measured: {why}")


def print_audits(compared: "AuditComparison") -> None:
    """A line per score with each audit's value and interval, and what differs between them."""
    from configural.audit.comparison import LABELS

    def label(heading: str) -> str:
        return LABELS.get(heading, heading.replace("_", " "))

    rows = [("condition", *compared.summary["condition"]), ("source", *compared.summary["source"])]
    rows.append(("seed", *map(str, compared.summary["seed"])))
    for heading, fraction in compared.headings.items():
        cells = []
        for row in compared.summary.to_dict("records"):
            score = {"value": row[heading], "low": row[f"{heading}_low"], "high": row[f"{heading}_high"]}
            said = in_percent(score) if fraction else in_words(score, 2)
            if not row["audits"] and score["value"] != score["value"]:  # people, who were not asked that
                said = "–"
            cells.append(said.replace(" [", "\n["))  # a column of figures, readable where lines are short
        rows.append((label(heading), *cells))
    _print_table(rows, headings=["", *compared.summary["name"]])
    lines: list[tuple[str, ...]] = []
    notes: dict[tuple[str, str], list[str]] = {}
    for row in compared.differences.to_dict("records"):
        pair = f"{row['first']} − {row['second']}"
        if row["note"]:
            notes.setdefault((pair, row["note"]), []).append(label(row["score"]))
            continue
        value = {"value": row["difference"], "low": row["low"], "high": row["high"]}
        lines.append(
            (pair, label(row["score"]), in_words(value, 3), *(p_value(row[name]) for name in ("p", "p_holm")))
        )
    if lines:
        headings = ("difference", "score", "value", "p", "p corrected")
        _print_table(lines, "differences, drawn in pairs over exemplars", headings=headings, highlight=False)
    for (pair, note), scores in notes.items():
        which = "any score" if len(scores) == len(compared.headings) else ", ".join(scores)
        typer.echo(fill(f"{pair}: no difference of {which}: {note}", 80))


def print_plan(found: "Plan", width: float) -> None:
    """The width of the interval by exemplars and pairs, and how many are enough."""
    rows = [(str(exemplars), *(f"{one:.3f}" for one in widths)) for exemplars, *widths in found.widths.itertuples()]
    headings = ("exemplars", *(f"{pairs} pairs each" for pairs in found.widths.columns))
    title = f"width of the interval at {found.fraction:.2f}, correlation {found.correlation:.2f}"
    _print_table(rows, title, headings=headings, right=headings, highlight=False)
    for pairs, exemplars in found.enough.items():
        typer.echo(
            f"{width:g} wide with {pairs} pairs each: {exemplars:,} exemplars, {exemplars * pairs:,} pairs in all"
        )


def print_benchmark(done: "Benchmark") -> None:
    """What was measured, and on what: as tables on a terminal, elsewhere in Markdown."""
    title = f"{done.network}, images of {done.image_size} × {done.image_size} pixels, {done.exemplars} exemplars"
    machine = [(name.replace("_", " "), str(value)) for name, value in done.machine.items()]
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
    if Console().is_terminal:
        _print_table(machine, title)
        _print_table(rows, headings=headings, right=(*headings[1:4], *headings[5:7]), highlight=False)
        return
    for first, lines in (((title, ""), machine), (headings, rows)):
        for line in (first, ["---"] * len(first), *lines):
            typer.echo("| " + " | ".join(line) + " |")
        typer.echo()


def print_library(library: "Library", sheets: list[Path]) -> None:
    """What was found in a source: sizes, skipped portraits, sheets."""
    sizes = library.canvas_sizes
    rows, cols = (
        f"{low:,}" if low == high else f"{low:,} to {high:,}"
        for low, high in zip(sizes.min(axis=0), sizes.max(axis=0), strict=True)
    )
    _print_table(
        [
            ("exemplars", f"{len(library):,}"),
            ("persons" if library.scheme.name == "face" else "distinct objects", f"{len(set(library.persons)):,}"),
            ("rows, columns", f"{rows}; {cols}"),
            *(
                (kind, f"{high:.0f} × {wide:.0f} pixels on average")
                for kind, (high, wide) in zip(
                    library.scheme.part_kinds, library.part_sizes.mean(axis=0), strict=True
                )
            ),
            ("skipped", f"{len(library.skipped):,}"),
            *([("licence", library.licence)] if library.licence else []),
        ],
        library.source,
    )
    for name, reason in library.skipped[:5]:
        typer.echo(f"skipped {name}: {reason}")
    if len(library.skipped) > 5:
        typer.echo(f"skipped {len(library.skipped) - 5:,} more, see skipped.csv")
    typer.echo(f"sheets: {sheets[0]}" + (f" to {sheets[-1].name}" if len(sheets) > 1 else ""))


def _print_table(
    rows: Iterable[Sequence[str]],
    title: str | None = None,
    *,
    headings: Sequence[str] = (),
    right: Sequence[str] = (),
    highlight: bool = True,
) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", show_header=bool(headings))
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=highlight).print(table)
