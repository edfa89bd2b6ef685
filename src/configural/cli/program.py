"""The whole command line, and how it ends."""

import errno
import io
import re
import sys
import warnings
from typing import Annotated, Any

import typer

from configural import __version__
from configural.cli import audits, data, explorer, networks, runs, studies
from configural.cli.options import as_options
from configural.errors import ConfiguralError, ConfiguralWarning
from configural.io.files import refuse_no_text

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Does an image classifier use how parts relate, or only which parts are there and where they sit?",
    epilog="First steps: [bold]configural run --out runs/first[/bold] trains and tests a small network in about a "
    "minute.",
)
# In the order of `configural --help`.
app.add_typer(runs.app)
app.add_typer(studies.study_app, name="study")
app.add_typer(studies.status_app)
app.add_typer(audits.app, name="audit")
app.add_typer(explorer.app)
app.add_typer(data.app)
app.add_typer(networks.app)


def _print_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"configural {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def configural(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Does an image classifier use how parts relate, or only which parts are there and where they sit?"""


_STOPPED = 130


def main() -> None:
    """Run the command line; a user's mistake ends in one line and exit status 2."""
    import configural.rare_garbage  # noqa: F401

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # it may not know a table's rules, a minus or a file's name
            stream.reconfigure(errors="replace")
    warnings.simplefilter("always", ConfiguralWarning)
    show_others = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
        if issubclass(category, ConfiguralWarning):
            typer.secho(f"warning: {message}", fg="yellow", err=True)
        else:
            show_others(message, category, *where)

    warnings.showwarning = show  # pyrefly: ignore[bad-assignment]
    try:
        for word in sys.argv[1:]:
            refuse_no_text(word)
        status = app(standalone_mode=False)
        if status == _STOPPED:  # Typer's answer to Ctrl-C
            raise KeyboardInterrupt
        sys.exit(status)
    except ConfiguralError as error:
        _fail(as_options(str(error)))
    except typer.TyperException as error:
        if not error.format_message():  # no command given: the help has been shown
            sys.exit(2)
        _fail(error.format_message())
    except (MemoryError, RuntimeError) as error:
        # PyTorch has no class of its own for a memory that is full.
        if isinstance(error, RuntimeError) and not re.search("allocate memory|out of memory", str(error)):
            raise
        _fail("not enough memory: try a smaller --image-size, --count or --batch-size")
    except OSError as error:
        _fail(_describe(error))
    except KeyboardInterrupt:
        how = "a run or an audit with --resume and --out its folder"
        typer.secho(f"stopped; repeat the command to resume, {how}", fg="yellow", err=True)
        sys.exit(_STOPPED)


def _describe(error: OSError) -> str:
    if error.errno == errno.ENOENT and not error.filename:  # as os.getcwd raises it
        return "the current folder was removed: change to one that is there"
    said = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        said += "; make room and repeat the command to resume, a run or an audit with --resume"
    return said


def _fail(message: str) -> None:
    typer.secho(f"error: {message}", fg="red", err=True)
    sys.exit(2)
