"""Jobs joined with their pages."""

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from configural import report

P = ParamSpec("P")
T = TypeVar("T")


def write_index(folder: Path | str = "runs") -> Path:
    """A page over all runs, tests and audits below a folder; see `report.write_index`."""
    return report.write_index(folder)


def with_page(job: Callable[P, T], **pages: str) -> Callable[P, T]:
    """The job with its pages, under the job's own name, signature and description.

    Args:
        job: Takes what writes a page.
        pages: For each such argument the name of a function of `report`, imported when there is a page to write.
    """
    return wraps(job)(partial(job, **{name: partial(_write, page) for name, page in pages.items()}))


def _write(page: str, of: Any) -> object:
    return getattr(report, page)(of)
