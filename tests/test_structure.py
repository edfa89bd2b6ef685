"""The structure of the package: the direction of imports, and what public functions look like."""

import ast
import importlib
import inspect
import pkgutil
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from jaxtyping import TypeCheckError

import configural
from configural.models import preprocess

ROOT = Path(configural.__file__).parent

BASE = ("errors", "wording", "registry", "progress", "processes", "rare_garbage", "cores", "blas", "io")
"""What everything may use; these import from each other."""

ORDER = (
    *("config", "objects", "portraits", "stimuli", "export", "models", "training", "evaluation"),
    *("runs", "study", "replication", "audit", "report", "explorer", "benchmark", "api", "cli", "__main__"),
)
"""A package imports only from those before it."""

APART = {
    ("audit", "study"),
    ("audit", "runs"),
    ("audit", "replication"),
    ("models", "stimuli"),
    ("models", "portraits"),
}
"""Pairs of which the first does not need the second, although it stands before it."""


def imports() -> Iterator[tuple[str, str, str]]:
    """(file, its package, the package imported) of every import of the package from itself."""
    for path in sorted(ROOT.rglob("*.py")):
        inside = path.relative_to(ROOT)
        package = inside.parts[0].removesuffix(".py")
        if package == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
                if node.module == "configural":
                    names = [f"configural.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                if name.startswith("configural."):
                    yield str(inside), package, name.split(".")[1]


def test_every_package_stands_in_the_order():
    packages = {
        path.name.removesuffix(".py")
        for path in ROOT.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert packages - {"__init__", "__pycache__", "py.typed"} <= {*BASE, *ORDER}


def test_packages_import_only_from_those_before_them():
    wrong = []
    for file, package, imported in imports():
        if imported in (package, "__version__") or imported in BASE:
            continue
        if package in BASE or imported not in ORDER or ORDER.index(imported) > ORDER.index(package):
            wrong.append(f"{file} imports {imported}")
        elif (package, imported) in APART:
            wrong.append(f"{file} imports {imported}, which it should not need")
    assert not wrong, "\n".join(wrong)


def public_functions() -> Iterator[tuple[str, types.FunctionType]]:
    """The functions and methods that users reach by a package's own names."""
    seen = set()
    for module in pkgutil.iter_modules([str(ROOT)]):
        if module.name in ("cli", "api"):
            continue
        package = importlib.import_module(f"configural.{module.name}")
        for name in dir(package):
            thing = getattr(package, name)
            if name.startswith("_") or not getattr(thing, "__module__", "").startswith("configural"):
                continue
            members = [(name, thing)]
            if inspect.isclass(thing):
                members = [
                    (f"{name}.{key}", value) for key, value in vars(thing).items() if not key.startswith("_")
                ]
            for label, member in members:
                function = inspect.unwrap(getattr(member, "__func__", member))
                if isinstance(function, types.FunctionType) and function not in seen:
                    seen.add(function)
                    yield f"{module.name}.{label}", function


def test_public_functions_take_at_most_two_positional_arguments():
    wrong = []
    for name, function in public_functions():
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        names = [p.name for p in inspect.signature(function).parameters.values() if p.kind in kinds]
        if len([each for each in names if each not in ("self", "cls")]) > 2:
            wrong.append(f"{name}({', '.join(names)})")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("word", ["left_eye", "no_face", "PART_KINDS"])
def test_only_schemes_and_painters_know_the_face(word):
    free = (
        "objects",
        "portraits/painters",
        "portraits/plausibility",
        "stimuli/presets",
        "replication",
    )
    found = [
        str(path.relative_to(ROOT))
        for path in sorted(ROOT.rglob("*.py"))
        if not path.relative_to(ROOT).as_posix().startswith(free)
        for line in path.read_text("utf-8").splitlines()
        if word in line.partition("#")[0] and '"""' not in line and "`" not in line
    ]
    assert not found


def test_shapes_are_checked_while_the_tests_run():
    with pytest.raises(TypeCheckError):
        preprocess(torch.zeros(3, 8, dtype=torch.uint8))
