"""Reading what files hold, checked against what they are to hold: damage becomes one line that names the file."""

import io
import math
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from configural.errors import ConfiguralError, first_line

if TYPE_CHECKING:  # half a second, and settings are read without
    import pandas as pd


@contextmanager
def reading(path: Path | str, what: str, cure: str = "") -> Generator[None]:
    """Turn whatever a file's content makes a reader raise into a ConfiguralError.

    Readers of damaged files raise errors of any class, so that none is singled out.

    Args:
        path: The file.
        what: It is to be, such as `a readable history of epochs`.
        cure: What to do about it.

    Example:
        >>> with reading("x.csv", "a table", "; write it again"):
        ...     {}["column"]
        Traceback (most recent call last):
        configural.errors.ConfiguralError: x.csv: not a table ('column'); write it again
    """
    try:
        yield
    except ConfiguralError:
        raise
    except FileNotFoundError as error:
        raise ConfiguralError(f"{path}: there is no such file{cure}") from error
    except Exception as error:
        raise ConfiguralError(f"{path}: not {what} ({_said(error)}){cure}") from error


def _said(error: Exception) -> str:
    if isinstance(error, pydantic.ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        steps = ".".join(str(step)[:40] for step in first["loc"][:6])
        return f"{steps}: {first['msg']}" if steps else first["msg"]
    return (isinstance(error, OSError) and error.strerror) or first_line(error)


def read_json(path: Path, model: Any, what: str, cure: str = "") -> Any:
    """A JSON file as a model, or as a list of some; a ConfiguralError says what it does not allow."""
    with reading(path, what, cure):
        return pydantic.TypeAdapter(model).validate_json(path.read_bytes())


def read_csv(path: Path | str, columns: Mapping[str, str], what: str) -> "pd.DataFrame":
    """A CSV file.

    Args:
        path: The file.
        columns: By the names of those that it must have, one of `KINDS`; all others are text. Numbers are the very
            ones that were written.
        what: It is to be.

    Raises:
        ConfiguralError: If it is missing or damaged, or lacks a column, or one holds something else.
    """
    import pandas as pd

    with reading(path, what):
        frame = pd.read_csv(io.StringIO(Path(path).read_text("utf-8")), dtype=str, keep_default_na=False)
        for name, kind in columns.items():
            if name in frame and kind != "text":
                values = frame[name].map(int if kind in ("whole", "label") else lambda text: float(text or "nan"))
                frame[name] = values.astype("int64" if kind in ("whole", "label") else "float64")
    return check_columns(frame, columns, path)


def read_parquet(path: Path | str, columns: Mapping[str, str], what: str) -> "pd.DataFrame":
    """The same of a Parquet file, whose other columns are as they are."""
    import pandas as pd

    with reading(path, what):
        frame = pd.read_parquet(path)
    return check_columns(frame, columns, path)


def check_columns(frame: "pd.DataFrame", columns: Mapping[str, str], where: Path | str) -> "pd.DataFrame":
    """The table, or a ConfiguralError if it lacks one of these columns or one is of another kind (`KINDS`)."""
    for name, kind in columns.items():
        if name not in frame:
            raise ConfiguralError(f"{where}: lacks the column {name}")
        in_words, holds = KINDS[kind]
        with reading(where, f"a sound table: its column {name} is to be {in_words}"):
            if len(frame) and not holds(frame[name]):
                raise ValueError("it is not")
    return frame


def _numbers(values: Any) -> bool:
    return values.dtype.kind in "iuf"


def _texts(values: Any) -> bool:
    import pandas as pd

    different = values.cat.categories if isinstance(values.dtype, pd.CategoricalDtype) else values
    # Asking the values one by one would take half a minute of a million.
    return pd.api.types.infer_dtype(different) in ("string", "empty") and not values.isna().any()


KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "text": ("text", _texts),
    "flag": ("true or false", lambda values: values.dtype.kind == "b"),
    "whole": ("whole numbers", lambda values: values.dtype.kind in "iu" and not values.isna().any()),
    "label": ("0 or 1", lambda values: values.dtype.kind in "iu" and bool(values.isin([0, 1]).all())),
    "number": ("numbers", lambda values: _numbers(values) and all(map(math.isfinite, values))),
    "fraction": ("numbers from 0 to 1", lambda values: _numbers(values) and bool(values.between(0, 1).all())),
    "score": ("numbers or empty", lambda values: _numbers(values) and not values.abs().eq(math.inf).any()),
}
"""What a column of a table may be, in words, and whether it is."""
