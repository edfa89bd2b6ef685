"""The options of the commands: those that models of settings describe, and those that several commands share."""

import inspect
import re
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import typer
from pydantic.fields import FieldInfo

Command = TypeVar("Command", bound=Callable[..., Any])

Placement = Annotated[str | None, typer.Option("--placement", help="left, middle, right or shifted")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="folder to write; must be new or empty")]
RequiredOut = Annotated[Path, typer.Option("--out", metavar="DIR", help="folder to write; must be new or empty")]
Format = Annotated[
    str | None,
    typer.Option("--format", help="module:name of a format that dataset.json names and nobody has registered"),
]

_OF_THE_EXPLORER = ("exemplars", "host", "port")

_KNOWN: set[str] = set()
"""The names of all settings that are options of some command."""


def with_settings(fields: Mapping[str, FieldInfo], *names: str) -> Callable[[Command], Command]:
    """Give a command an option for each of these fields of a model, or all: name, type and help are the field's.

    The command gets the options that were given as its keyword arguments; what was not given is not passed on, so
    that it stays distinguishable from the default.
    """
    chosen = {name: fields[name] for name in names or fields}
    _KNOWN.update(chosen)
    keyword_only = inspect.Parameter.KEYWORD_ONLY

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(**given: Any) -> Any:
            return command(
                **{name: value for name, value in given.items() if name not in chosen or value is not None}
            )

        own = [p for p in inspect.signature(command).parameters.values() if p.kind is not p.VAR_KEYWORD]
        options = [
            inspect.Parameter(name, keyword_only, default=None, annotation=_option(name, field))
            for name, field in chosen.items()
        ]
        # Arguments come first, and the command's own options last: where to write, and how.
        parameters = sorted((*options, *(p.replace(kind=keyword_only) for p in own)), key=_is_option)
        run.__signature__ = inspect.Signature(parameters)  # pyrefly: ignore[missing-attribute]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run  # pyrefly: ignore[bad-return]

    return decorate


def as_options(message: str) -> str:
    """A message of the library, which names arguments, in the words of the command line."""
    names = "|".join(
        sorted(
            _KNOWN | {"out", "workers", "sample", "size", "placement", "resume", "data", *_OF_THE_EXPLORER}, key=len
        )
    )
    message = re.sub(rf"^({names})(?=[: ])", _dashed, message)
    message = re.sub(rf"\b({'|'.join(name for name in _KNOWN if '_' in name)})\b", _dashed, message)
    named = r"(?<=another )(out|seed)\b|(?<=are, )output\b|(?<=with )resume\b"
    named += r"|(?<=\()(network|source|format|probe)(?=\))"
    return re.sub(named, lambda found: "--" + found[0], message)


def _dashed(match: re.Match[str]) -> str:
    return "--" + match[1].replace("_", "-")


def _is_option(parameter: inspect.Parameter) -> bool:
    return not any(isinstance(note, typer.models.ArgumentInfo) for note in get_args(parameter.annotation))


def _option(name: str, field: FieldInfo) -> Any:
    # What the command line reads; what it may be the model knows.
    plain = [kind for kind in (field.annotation, *get_args(field.annotation)) if kind in (str, int, float, bool)]
    kind: Any = plain[0] if len(plain) == 1 else str
    flag = f"--{name.replace('_', '-')}"
    flags = f"{flag}/--no-{flag[2:]}" if kind is bool else flag
    return Annotated[kind | None, typer.Option(flags, help=field.description)]
