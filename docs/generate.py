"""What the site takes from elsewhere: pages of the repository's root, and the reference from the code.

A hook of mkdocs (`hooks` in mkdocs.yml). No option, key or signature is written down a second time.
"""

import ast
import base64
import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from griffe import Extension, Object
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from configural.cli.groups import DefaultCommand

ROOT = Path(__file__).parents[1]
PAGES = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "log.md": "benchmarks/LOG.md",
}
"""Pages of the site that are files of the repository, read as well by those who look into it."""

NOTEBOOKS = {"notebook.md": "examples/cnn_ffa_15_layers.ipynb"}
"""Pages of the site that are notebooks with their outputs, stored by docs/make_notebook.py."""


class Examples(Extension):
    """Takes the section that docstrings call "Example" for what Griffe calls "Examples"."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Rename it in one object's docstring."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    made = {page: (ROOT / source).read_text("utf-8") for page, source in PAGES.items()}
    made |= {
        "reference/command_line.md": command_line(),
        "reference/configuration.md": configuration(),
        "reference/api.md": api(),
    }
    for page, source in NOTEBOOKS.items():
        made[page], images = notebook(json.loads((ROOT / source).read_text("utf-8")), page.removesuffix(".md"))
        for path, image in images.items():
            files.append(File.generated(config, path, content=image))
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let links between files of the repository lead to their pages."""
    for page, source in (PAGES | NOTEBOOKS).items():
        markdown = re.sub(rf"\]\((?:\.\./)*{re.escape(source)}(#[\w-]+)?\)", rf"]({page}\1)", markdown)
    return re.sub(r"\]\((?:\.\./)?docs/", "](", markdown)


def notebook(stored: Mapping[str, Any], name: str) -> tuple[str, dict[str, bytes]]:
    """A notebook with its outputs as a page, and the images that the page shows by their path on the site.

    Args:
        stored: What the file holds.
        name: Of the page, and of the folder of its images.
    """
    parts, images, section = [], {}, ""
    for cell in stored["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code":
            section = source.partition("\n")[0].lstrip("# ")
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            data = {kind: "".join(content) for kind, content in output.get("data", {}).items()}
            if "image/png" in data:
                path = f"{name}/{len(images) + 1}.png"
                images[path] = base64.b64decode(data["image/png"])
                parts.append(f"![Output: {section}]({path})")
            elif "text/html" in data:
                html = re.sub(r"<style.*?</style>", "", data["text/html"], flags=re.DOTALL)
                html = html.replace('<table border="1" class="dataframe">', "<table>")  # for the site's own look
                parts.append(f'<div class="output" tabindex="0">{html}</div>')
            else:
                parts.append(f"```text\n{''.join(output.get('text', '')) or data['text/plain']}\n```")
    return "\n\n".join(parts) + "\n", images


def command_line() -> str:
    """Every command by its object: what it says with --help."""
    from typer.main import get_command

    from configural.cli import app

    parts = ["# Command line\n\nWhat `configural COMMAND --help` says, of every command.\n"]
    parts += _command(get_command(app), ("configural",))
    return "\n".join(parts)


def _command(command: Any, path: tuple[str, ...]) -> list[str]:
    """A command's section and those of its commands; a group's default command goes by the group's name."""
    inner = dict(getattr(command, "commands", {}))
    default = next((each for each in inner.values() if isinstance(each, DefaultCommand)), None)
    shown = default or command
    arguments = [each for each in shown.params if each.param_type_name == "argument"]
    options = [each for each in shown.params if each.param_type_name == "option"]
    usage = " ".join([*path, *(each.metavar or each.name.upper() for each in arguments)])
    parts = [f"## {' '.join(path)}\n", f"    {usage}{' [OPTIONS]' if options else ' COMMAND'}\n"]
    parts += [f"{_plain(shown.help)}\n"]
    if arguments:
        rows = [f"| `{each.metavar or each.name.upper()}` | {_escape(each.help or '')} |" for each in arguments]
        parts += ["\n".join(["| argument | |", "|---|---|", *rows]) + "\n"]
    if options:
        rows = [f"| {_flags(each)} | {_cell(_value(each))} | {_escape(each.help or '')} |" for each in options]
        parts += ["\n".join(["| option | value | |", "|---|---|---|", *rows]) + "\n"]
    _, _, examples = (shown.epilog or "").partition("\n\n")
    if examples:
        parts += ["```sh\n" + examples.replace("\n\n", "\n") + "\n```\n"]
    for name, each in inner.items():
        parts += _command(each, (*path, name)) if each is not default else []
    return parts


def _flags(option: Any) -> str:
    return " ".join(f"`{flag}`" for flag in (*option.opts, *option.secondary_opts))


def _value(option: Any) -> str:
    """What an option takes, and what it is by default where the command itself has one."""
    if option.is_flag:
        return ""
    taken = option.metavar or _shown(option.type_descriptor.annotation).upper()
    default = option.default
    return f"{taken} = {default}" if isinstance(default, str | int | float) and default != "" else taken


def _plain(text: str | None) -> str:
    return re.sub(r"\[/?\w+\]", "", inspect.cleandoc(text or "")).replace("<", "&lt;")


def configuration() -> str:
    """The keys of every model that a YAML file fills in."""
    from configural import config, objects, stimuli
    from configural.config import run
    from configural.portraits import description

    chapters = {
        "A run": (
            config.RunConfig,
            "`config.yaml` of a run folder, the presets, and the options of `configural run` and arguments of "
            "`configural.run`. What is not stated comes from the preset; the defaults are those of preset quick.",
        ),
        "A study's plan": (
            config.StudyPlan,
            "The file that `configural study PLAN` reads. Any setting "
            "of a run may stand beside these keys, as one value or as a mapping from networks to values.",
        ),
        "An audit": (config.AuditConfig, "The options of `configural audit`, kept in `audit.json`."),
        "A condition": (
            stimuli.Condition,
            "The file that `--condition FILE.yaml` names; see [Conditions](../conditions.md).",
        ),
        "A folder of portraits": (description.Description, "The file `portraits.yaml` in a `folder:FOLDER`."),
        "An object scheme": (objects.ObjectScheme, "The file that says what an object consists of."),
    }
    parts = [
        "# Configuration keys\n\nEvery key with its type, bounds and default, as the models state them. An "
        "unknown key and an impossible value are errors that name file, line and key.\n"
    ]
    for title, (model, where) in chapters.items():
        usual = run.resolved({}) if model is config.RunConfig else None
        parts.append(f"## {title}\n\n{where}\n\n{_table(model, usual)}")
        parts += [
            f"### {title}: `{name}`\n\n{_table(section, getattr(usual, name, None))}"
            for name, section in _sections(model)
        ]
    return "\n".join(parts)


def _sections(model: type[BaseModel]) -> list[tuple[str, type[BaseModel]]]:
    """Models in the fields of a model, and in theirs."""
    found = []
    for name, field in model.model_fields.items():
        for kind in (field.annotation, *get_args(field.annotation)):
            if inspect.isclass(kind) and issubclass(kind, BaseModel):
                found += [(name, kind), *((f"{name}.{inner}", its) for inner, its in _sections(kind))]
    return found


def _table(model: type[BaseModel], usual: BaseModel | None) -> str:
    described = _attributes(model)
    rows = ["| key | type | default | |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        description = field.description or described.get(name, "")
        default = _default(field) if usual is None else _said(getattr(usual, name))
        rows.append(f"| `{name}` | {_cell(_type(field))} | {_cell(default)} | {_escape(description)} |")
    return "\n".join(rows) + "\n"


def _attributes(model: type[BaseModel]) -> dict[str, str]:
    """What a model's docstring says of its fields."""
    lines = inspect.getdoc(model) or ""
    _, _, section = lines.partition("Attributes:\n")
    entries = re.split(r"^    (?=\w+: )", section, flags=re.MULTILINE)
    pairs = (entry.partition(": ") for entry in entries if ": " in entry)
    return {name.strip(): " ".join(text.split()) for name, _, text in pairs}


def _type(field: FieldInfo) -> str:
    bounds = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "min_length": "at least", "max_length": "at most"}
    said = [
        f"{sign} {value:,}".replace(f"{2**63:,}", "2⁶³")
        for bound in field.metadata
        for key, sign in bounds.items()
        if (value := getattr(bound, key, None)) is not None
    ]
    return ", ".join([_shown(field.annotation), *said])


def _shown(annotation: Any) -> str:
    """A type as people write it: no modules, no typing machinery."""
    kind, of = get_origin(annotation), get_args(annotation)
    if kind is Annotated:
        return _shown(of[0])
    if kind is Literal:
        return " or ".join(map(str, of))
    if kind in (Union, UnionType):
        return " or ".join(map(_shown, of))
    if kind is tuple and of[-1] is ...:
        return f"list of {_shown(of[0])}"
    if of:
        return f"{kind.__name__}[{', '.join(map(_shown, of))}]"
    return "None" if annotation is NoneType else getattr(annotation, "__name__", str(annotation))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    return _said(field.get_default(call_default_factory=True))


def _said(value: Any) -> str:
    if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return "" if value in (None, "", ()) or isinstance(value, BaseModel | Mapping) else f"{value}"


def _cell(text: str) -> str:
    return f"`{text}`" if text and text != "must be given" else text


def _escape(text: str) -> str:
    return text.replace("|", "\\|")


PACKAGES = (
    *("portraits", "objects", "stimuli", "export", "models", "config", "training", "evaluation", "runs", "study"),
    *("replication", "audit", "report", "explorer", "benchmark", "progress", "registry", "errors"),
)


def api() -> str:
    """What each package makes public, by the docstrings."""
    parts = [
        "# Python\n\n`import configural as cf`; packages are imported when they are first used.\n\n## configural\n"
    ]
    parts += [_entry(_defined(name)) for name in _public(ROOT / "src/configural/__init__.pyi", "api")]
    for package in PACKAGES:
        folder = ROOT / "src" / "configural" / package
        file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
        parts.append(f"## configural.{package}\n\n{ast.get_docstring(ast.parse(file.read_text('utf-8'))) or ''}\n")
        stub = file.with_suffix(".pyi")  # of a package whose names are imported when they are first used
        parts += [_entry(f"configural.{package}.{name}") for name in _public(stub if stub.is_file() else file)]
    return "\n".join(parts)


def _defined(name: str) -> str:
    """Where one of the whole jobs is described: `configural.api` wraps some to add their page."""
    from configural import api

    job = inspect.unwrap(getattr(api, name))
    return f"{job.__module__}.{job.__qualname__}"


def _entry(path: str) -> str:
    return f"::: {path}\n"


def _public(file: Path, only: str = "") -> list[str]:
    """The names that a package imports as themselves, or that a module defines."""
    tree = ast.parse(file.read_text("utf-8"))
    if file.stem != "__init__":
        defined = (node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef))
        return [name for name in defined if not name.startswith("_")]
    names = [
        (alias.name, node.module or "")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    ]
    known = {name for name, module in names if not only or module == only}
    return sorted(known, key=lambda name: (name.lower(), name))
