"""A study's progress on the terminal."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from configural import progress
from configural.study.status import JobStatus, StudyStatus
from configural.wording import about, percent

_FAILED_SHOWN = 8


def progress_table(status: StudyStatus) -> RenderableType:
    """The whole grid: how many jobs are in which state, each cell's repeats, what is running and what failed."""
    networks = list(dict.fromkeys(each.job.network for each in status.jobs))
    conditions = list(dict.fromkeys(each.job.condition for each in status.jobs))
    grid = Table("% correct, trained on", *conditions, box=None, padding=(0, 2, 0, 0))
    for network in networks:
        cells: dict[str, list[str]] = {condition: [] for condition in conditions}
        for each in status.jobs:
            if each.job.network == network:
                cells[each.job.condition].append(_short(each))
        grid.add_row(network, *map("  ".join, cells.values()))
    failed = status.of("failed")
    told = [f"failed {each.job.name}: {each.failure}" for each in failed[:_FAILED_SHOWN]]
    if len(failed) > _FAILED_SHOWN:
        told.append(f"failed {len(failed) - _FAILED_SHOWN} more")
    return Group(Text(_summary(status), style="bold"), grid, *(Text(line, style="red") for line in told))


@contextmanager
def live(read: Callable[[], StudyStatus]) -> Generator[Callable[[str], None]]:
    """Show a study's progress on standard error while the block runs.

    On a terminal the whole grid is kept up to date; elsewhere, as in a log file, there is a line for each event.
    `read` says how far the study is; yields a function to tell an event by.
    """
    if not progress.shown():
        yield lambda event: None
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda event: console.print(event, highlight=False, markup=False, soft_wrap=True)
        return
    with Live(get_renderable=lambda: progress_table(read()), console=console, refresh_per_second=0.5):
        yield lambda event: console.print(event, style="dim", highlight=False, markup=False)


def describe_event(status: StudyStatus, name: str) -> str:
    """One job's end in a line."""
    each = next(each for each in status.jobs if each.job.name == name)
    done = len(status.of("finished"))
    if each.state == "failed":
        return f"{name}: failed: {each.failure}"
    left = "" if status.seconds_left is None or not status.at_work else f", about {about(status.seconds_left)} left"
    return f"{name}: finished, {_accuracy(each)} % correct ({done} of {len(status.jobs)} jobs{left})"


def _summary(status: StudyStatus) -> str:
    counts = [f"{len(status.of('finished'))} of {len(status.jobs)} jobs finished"]
    counts += [f"{len(status.of(state))} {state}" for state in ("running", "failed", "waiting") if status.of(state)]
    said = ", ".join(counts)
    unfinished = len(status.of("finished")) < len(status.jobs)
    if not status.at_work:
        return said + ("; no process is at work on it, repeat the command to resume" if unfinished else "")
    if status.seconds_left is not None and unfinished:
        said += f", about {about(status.seconds_left)} left"
    return said


def _short(status: JobStatus) -> str:
    """A job in a few characters: its accuracy, its epoch, or a sign."""
    if status.state == "failed":
        return "failed"
    if status.state == "finished":
        return _accuracy(status)
    epochs = f"{len(status.history.epochs)}/{status.job.settings.recipe.epochs}"
    if status.state == "running":
        return f"epoch {epochs}" + (f" {_accuracy(status)}" if status.history.epochs else "")
    return f"({epochs})" if status.history.epochs else "–"


def _accuracy(status: JobStatus) -> str:
    """Percent correct."""
    return "?" if status.accuracy is None else percent(status.accuracy)
