"""Small YAML files checked against a model, with errors that name the line."""

from pathlib import Path
from typing import TypeVar

import pydantic
import yaml

from configural.errors import ConfiguralError

_Model = TypeVar("_Model", bound=pydantic.BaseModel)


def read_yaml(path: Path, model: type[_Model]) -> _Model:
    """Read a YAML file into a pydantic model.

    Args:
        path: The file.
        model: What it must say.

    Raises:
        ConfiguralError: If the file is missing, no YAML, or says what the model does not allow; the first such
            place is named by its line.
    """
    try:
        text = path.read_text("utf-8")
        tree = yaml.compose(text, yaml.SafeLoader)
        values = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfiguralError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not understood"
        raise ConfiguralError(f"{path}{line}: no YAML: {problem}") from error
    if not isinstance(values, dict):
        raise ConfiguralError(f"{path}: expected lines of the form 'key: value'")
    try:
        return model.model_validate(values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = [str(step) for step in first["loc"]]
        message = f"unknown key, known are {_known(model)}" if first["type"] == "extra_forbidden" else first["msg"]
        named = f" {'.'.join(where)}:" if where else ""
        message = message.removeprefix("Value error, ")
        raise ConfiguralError(f"{path}, line {_line(tree, where)}:{named} {message}") from None


def _known(model: type[pydantic.BaseModel]) -> str:
    return ", ".join(model.model_fields)


def _line(node: yaml.Node | None, where: list[str]) -> int:
    """The line of the innermost key or item on the way that the file has, from 1 on."""
    line = 1
    for step in where:
        following: tuple[yaml.Node, yaml.Node] | None = None
        if isinstance(node, yaml.MappingNode):
            following = next((pair for pair in node.value if pair[0].value == step), None)
        elif isinstance(node, yaml.SequenceNode) and step.isdecimal() and int(step) < len(node.value):
            following = (node.value[int(step)], node.value[int(step)])
        if following is None:
            continue  # pydantic also names the branch of a union, which the file does not have
        line, node = following[0].start_mark.line + 1, following[1]
    return line
