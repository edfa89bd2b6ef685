"""The options of the commands: those that models of settings describe, and those that several commands share."""

import inspect
import re
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

Command = TypeVar("Command", bound=Callable[..., Any])

Placement = Annotated[str | None, typer.Option("--placement", help="left, middle, right or shifted")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="folder to write; must be new or empty")]
RequiredOut = Annotated[Path, typer.Option("--out", metavar="DIR", help="folder to write; must be new or empty")]

_KNOWN: set[str] = set()
"""The names of all settings that are options of some command."""


def with_settings(fields: Mapping[str, FieldInfo], *names: str) -> Callable[[Command], Command]:
    """Give a command an option for each field of a model: name, type and help are the field's.

    Args:
        fields: By name.
        names: Which of them; all if none is named.

    Returns:
        A decorator. The command gets the options that were given as its keyword arguments; what was not given is
        not passed on, so that it stays distinguishable from the default.
    """
    chosen = {name: fields[name] for name in names or fields}
    _KNOWN.update(chosen)

    def decorate(command: Command) -> Command:
        own = [p for p in inspect.signature(command).parameters.values() if p.kind is not p.VAR_KEYWORD]
        options = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_option(name, field))
            for name, field in chosen.items()
        ]

        @wraps(command)
        def run(**given: Any) -> Any:
            return command(
                **{name: value for name, value in given.items() if name not in chosen or value is not None}
            )

        keyword_only = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        # The command's own options come last: where to write, and how.
        arguments = [p for p in keyword_only if _is_argument(p)]
        rest = [p for p in keyword_only if not _is_argument(p)]
        run.__signature__ = inspect.Signature([*arguments, *options, *rest])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*arguments, *options, *rest)}
        return run  # type: ignore[return-value]

    return decorate


def as_options(message: str) -> str:
    """A message of the library, which names arguments, in the words of the command line."""
    names = "|".join(sorted(_KNOWN | {"out", "workers", "sample", "size", "placement", "resume", "data"}, key=len))
    message = re.sub(rf"^({names})(?=[: ])", _dashed, message)
    message = re.sub(rf"\b({'|'.join(name for name in _KNOWN if '_' in name)})\b", _dashed, message)
    return re.sub(r"(?<=another )(out|seed)\b", _dashed, message)


def _dashed(match: re.Match[str]) -> str:
    return "--" + match[1].replace("_", "-")


def _is_argument(parameter: inspect.Parameter) -> bool:
    return any(isinstance(note, typer.models.ArgumentInfo) for note in get_args(parameter.annotation)[1:])


def _option(name: str, field: FieldInfo) -> Any:
    kind = _plain(field.annotation)
    flags = [f"--{name.replace('_', '-')}"]
    if kind is bool:
        flags[0] += f"/--no-{name.replace('_', '-')}"
    return Annotated[kind | None, typer.Option(*flags, help=field.description)]


def _plain(annotation: Any) -> Any:
    """The type that the command line reads an option as; what it may be the model knows."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        kinds = {_plain(one) for one in get_args(annotation) if one is not NoneType}
        return kinds.pop() if len(kinds) == 1 else str
    if get_origin(annotation) is Literal or annotation not in (int, float, bool):
        return str
    return annotation
