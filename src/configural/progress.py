"""Progress bars on the terminal and in notebooks."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

_SHOWN: ContextVar[bool] = ContextVar("shown", default=True)

Update = Callable[..., None]
"""Tells a bar how far the work is; see `bar`."""


@contextmanager
def hidden() -> Generator[None]:
    """Show no progress while the block runs.

    Example:
        >>> import configural as cf
        >>> with cf.progress.hidden():
        ...     library = cf.portraits.load("synthetic:2")
    """
    token = _SHOWN.set(False)
    try:
        yield
    finally:
        _SHOWN.reset(token)


def shown() -> bool:
    """Whether bars are shown here."""
    return _SHOWN.get()


@contextmanager
def bar(task: str, total: int) -> Generator[Update]:
    """Show a bar on standard error for a task of `total` units while the block runs, unless bars are `hidden`.

    Args:
        task: What is being done, such as `drawing train`.
        total: Units of work.

    Yields:
        `update(done, note="")`, to call with the units done so far and a short note behind the bar.
    """
    if not _SHOWN.get():
        yield lambda done, note="": None
        return
    from importlib.util import find_spec

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:<15}"),
        BarColumn(14),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[note]}"),
    )
    # On standard error, so that a command's standard output stays its result; in a notebook that cannot show
    # widgets, too, where rich would only warn of it.
    console = Console(stderr=True, force_jupyter=None if find_spec("ipywidgets") else False)
    with Progress(*columns, console=console, refresh_per_second=5) as progress:
        identifier = progress.add_task(task, total=total, note="")

        def update(done: int, note: str = "") -> None:
            progress.update(identifier, completed=done, note=note)

        yield update
