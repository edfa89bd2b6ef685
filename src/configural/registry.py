"""Open doors: things of one kind by name, whoever they come from."""

import importlib
import inspect
import re
import sys
from collections import UserDict
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar, cast

from configural.errors import ConfiguralError

T = TypeVar("T")


def made_by(make: Callable[..., T], where: str, /, *given: Any, **named: Any) -> T:
    """What somebody's function or class makes of arguments.

    Raises:
        ConfiguralError: If it does not take them, or is a class that lacks a method; it begins with `where`.

    Example:
        >>> made_by(lambda size: size + 1, "network 'mine'")
        Traceback (most recent call last):
        configural.errors.ConfiguralError: network 'mine': missing a required argument: 'size'
    """
    if lacking := sorted(getattr(make, "__abstractmethods__", ())):
        raise ConfiguralError(f"{where}: the class lacks {', '.join(lacking)}")
    try:
        inspect.signature(make).bind(*given, **named)
    except TypeError as error:
        raise ConfiguralError(f"{where}: {error}") from error
    except ValueError:  # of a class in C, which says nothing of its arguments
        pass
    return make(*given, **named)


class Registry(UserDict[str, T]):
    """Networks, sources, conditions, probes or formats by name.

    A name is one that the package registers, one that somebody else has registered (`NETWORKS["mine"] = make`),
    one that an installed package declares as an entry point, or `module:name`, which imports the module, as uvicorn
    does. The last is for names that a person wrote on the command line or in a call: `find` is for those, `known`
    for names that are read from data or model files.

    Attributes:
        kind: What the things are, for error messages, such as `network`.
        group: Of entry points, such as `configural.networks`.
        accepted: What a `module:name` may be: objects or subclasses of these; anything where there are none.
    """

    def __init__(self, kind: str, group: str, *accepted: Any) -> None:
        super().__init__()
        self.kind, self.group, self.accepted = kind, group, accepted

    _own: frozenset[str] = frozenset()

    def seal(self) -> None:
        """Let nothing take the names that are registered by now, which are the package's own."""
        self._own = frozenset(self.data)

    def __setitem__(self, key: str, item: T) -> None:
        if key in self._own and key in self.data:
            raise ConfiguralError(f"{self.kind} '{key}': the package has one of this name; choose another")
        super().__setitem__(key, item)

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that registers what it decorates under a name."""

        def remember(thing: T) -> T:
            self[name] = thing
            return thing

        return remember

    def find(self, name: str) -> T:
        """The thing of a name that a person wrote.

        What a `module:name` gave is known by that name from then on, so that files which name it can be read.

        Raises:
            ConfiguralError: If there is none, its module cannot be imported, or it is something else.
        """
        module, colon, attribute = name.partition(":")
        if colon and name not in self and re.fullmatch(r"[^\W\d][\w.]*:[^\W\d][\w.]*", name):
            self[name] = self._imported(module, attribute)
        return self.known(name)

    def known(self, name: str) -> T:
        """The thing of a name that a file holds: registered or declared; nothing else is ever imported.

        Raises:
            ConfiguralError: If there is none.
        """
        if name in self:
            return self[name]
        for entry in entry_points(group=self.group, name=name):
            return cast(T, entry.load())
        why = f"choose one of {', '.join(self.names())}, or write module:name"
        if ":" in name:
            why = f"a module is imported only where you name it yourself ({self.kind})"
        raise ConfiguralError(f"unknown {self.kind} '{name[:80]}': {why}")

    def knows(self, name: str) -> bool:
        """Whether it is one of `names`; to list them all takes far longer."""
        return ":" not in name and (name in self or bool(entry_points(group=self.group, name=name)))

    def names(self) -> list[str]:
        """All names but `module:name` ones, the package's own first."""
        declared = (entry.name for entry in entry_points(group=self.group))
        return [name for name in dict.fromkeys((*self, *declared)) if ":" not in name]

    def _imported(self, module: str, attribute: str) -> Any:
        here = str(Path.cwd())
        if here not in sys.path and "" not in sys.path:
            sys.path.insert(0, here)  # a console script does not look into the current folder
        try:
            found: Any = importlib.import_module(module)
            for step in attribute.split("."):
                found = getattr(found, step)
        except (ImportError, AttributeError) as error:
            cure = ""
            if isinstance(error, ModuleNotFoundError) and module.startswith(str(error.name)):
                cure = "; a module is named without .py, and lies in the current folder or is installed"
            raise ConfiguralError(f"{self.kind} '{module}:{attribute}': {error}{cure}") from error
        fits = not self.accepted or isinstance(found, self.accepted)
        if not fits and not (isinstance(found, type) and issubclass(found, self.accepted)):
            wanted = " or ".join(
                f"a {'.'.join(one.__module__.split('.')[:2])}.{one.__name__}" for one in self.accepted
            )
            raise ConfiguralError(
                f"{self.kind} '{module}:{attribute}': expected {wanted}, found {type(found).__name__}"
            )
        return found
