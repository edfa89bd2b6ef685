"""Progress bars on the terminal and in notebooks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable


@runtime_checkable
class Update(Protocol):
    """Tell a bar how far the work is."""

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        """Set the units done so far, the total where it was not known before, and a short note behind the bar."""


@contextmanager
def bar(task: str, total: int, show: bool = True) -> Iterator[Update]:
    """Show a bar for a task of `total` units while the block runs.

    Args:
        task: What is being done, such as `drawing train`.
        total: Units of work.
        show: Otherwise nothing is shown.

    Yields:
        The function to call as the work advances.
    """
    if not show:
        yield lambda done, total=None, note="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:<15}"),
        BarColumn(14),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[note]}"),
    )
    # On standard error, so that a command's standard output stays its result.
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=5) as progress:
        identifier = progress.add_task(task, total=total, note="")

        def update(done: int, total: int | None = None, note: str = "") -> None:
            progress.update(identifier, completed=done, total=total, note=note)

        yield update
