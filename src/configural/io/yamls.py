"""Small YAML files checked against a model, with errors that name file, line and key."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import yaml

from configural.errors import ConfiguralError, first_line
from configural.io.reading import reading

_Model = TypeVar("_Model", bound=pydantic.BaseModel)


class ImpossibleKeyError(ValueError):
    """Raised by a model's validator of several keys: which of them cannot be as it is, and why."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


@dataclass(frozen=True)
class Document:
    """What a YAML file says, not checked against anything yet.

    Attributes:
        name: Of the file, for errors.
        values: By key.
        tree: The same with line numbers; None for values that come from no file.
    """

    name: str
    values: Mapping[str, Any]
    tree: yaml.Node | None = None

    def where(self, steps: list[str]) -> str:
        """File and line of the innermost key or item on the way that the file has."""
        return self.name if self.tree is None else f"{self.name}, line {_line(self.tree, steps)}"


def read_document(path: Path) -> Document:
    """Read a YAML file of keys and values; a ConfiguralError names what is wrong with it."""
    with reading(path, "readable"):
        if path.stat().st_size > _LARGEST:
            raise ConfiguralError(f"{path}: more than {_LARGEST:,} bytes; settings are small")
        content = path.read_bytes()
    with reading(path, "UTF-8 text", "; save it as that"):
        text = content.decode("utf-8")
    return parse_document(text, str(path))


def parse_document(text: str, name: str) -> Document:
    """Parse the text of a YAML file of that name; see `read_document`."""
    try:
        tree = yaml.compose(text, yaml.SafeLoader)
        _refuse_absurd(tree)
        # From the text anew where keys are merged, for the tree would then have those before a mapping's own keys.
        anew = tree is None or "<<" in text
        values = yaml.safe_load(text) if anew else yaml.SafeLoader("").construct_document(tree)
    except Exception as error:  # PyYAML's own, and others for impossible dates and the like
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or first_line(error)
        raise ConfiguralError(f"{name}{line}: not readable as YAML: {problem}") from error
    if not isinstance(values, dict) or not isinstance(tree, yaml.MappingNode):
        raise ConfiguralError(f"{name}: expected lines of the form 'key: value'")
    return Document(name, {str(key): value for key, value in values.items()}, tree)


def _refuse_absurd(tree: yaml.Node | None) -> None:
    """Raise an error of what is no setting: endless values in values, hundreds of digits, a key stated twice."""
    waiting, seen = [(tree, 0)], 0
    while waiting:
        node, depth = waiting.pop()
        seen += 1  # also what an alias stands for, each time
        if depth > _DEEPEST or seen > _MOST:
            raise ValueError("its values lie too deep, or are too many")
        if isinstance(node, yaml.ScalarNode) and node.tag == _INTEGER and len(node.value) > _DIGITS:
            raise ValueError(f"a number of {len(node.value)} digits")
        inside = node.value if isinstance(node, yaml.CollectionNode) else []
        keys = [key for key, _ in inside] if isinstance(node, yaml.MappingNode) else []
        before = set()
        for key in keys:  # of which PyYAML would take the last
            if str(key.value) in before:
                problem = f"the key '{key.value}' is stated twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            before.add(str(key.value))
        parts = [part for each in inside for part in (each if isinstance(each, tuple) else (each,))]
        waiting += [(part, depth + 1) for part in parts]


_LARGEST, _DEEPEST, _MOST, _DIGITS = 2**20, 30, 100_000, 40
"""Bytes of a file, levels, values, and digits of a number."""

_INTEGER = "tag:yaml.org,2002:int"


def validated(model: type[_Model], *documents: Document, context: Mapping[str, Any] | None = None) -> _Model:
    """A model from what documents say; of several, the later wins where two state the same key.

    Raises:
        ConfiguralError: If they say what the model does not allow; each such key is named by file and line.
    """
    values = {key: value for document in documents for key, value in document.values.items()}
    try:
        return model.model_validate(values, context=dict(context or {}))
    except pydantic.ValidationError as error:
        told: dict[str, str] = {}
        # Of one key the first: others are of the other kinds that it might have been.
        for problem in error.errors():
            steps = _steps(problem)
            stating = [document for document in documents if steps and steps[0] in document.values] or documents
            told.setdefault("".join(steps[:1]), f"{stating[-1].where(steps)}: {problem_in_words(problem, model)}")
        raise ConfiguralError("; ".join(told.values())) from None


def problem_in_words(problem: Any, model: type[pydantic.BaseModel]) -> str:
    """What is the matter with a key, on one line, from an entry of pydantic's `ValidationError.errors()`."""
    steps = ".".join(_steps(problem))
    if problem["type"] == "extra_forbidden":
        known = list(getattr(model, "known_keys", lambda: model.model_fields)())
        near = get_close_matches(steps, known, n=1)
        return f"unknown key '{steps}': " + (
            f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}"
        )
    message = problem["msg"].removeprefix("Value error, ")
    return f"{steps}: {message}" if steps else message


def _steps(problem: Any) -> list[str]:
    """The key that a problem is about, and the way into its value."""
    raised = problem.get("ctx", {}).get("error")
    return [raised.key] if isinstance(raised, ImpossibleKeyError) else [str(step) for step in problem["loc"]]


def read_yaml(path: Path, model: type[_Model]) -> _Model:
    """Read a YAML file into a pydantic model; see `read_document` and `validated`."""
    return validated(model, read_document(path))


def _line(node: yaml.Node | None, steps: list[str]) -> int:
    """The line of the innermost key or item on the way that the file has, from 1 on."""
    line = 1
    for step in steps:
        following: tuple[yaml.Node, yaml.Node] | None = None
        if isinstance(node, yaml.MappingNode):
            following = next((pair for pair in node.value if pair[0].value == step), None)
        elif isinstance(node, yaml.SequenceNode) and step.isdecimal() and int(step) < len(node.value):
            following = (node.value[int(step)], node.value[int(step)])
        if following is None:
            continue  # pydantic also names the branch of a union, which the file does not have
        line, node = following[0].start_mark.line + 1, following[1]
    return line
