"""Has the types and shapes of calls checked wherever a module annotates shapes.

To be imported before the package. In all modules the checks would take two fifths of the tests' time, and at every
call still a sixth.
"""

import functools
import inspect
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import is_dataclass
from pathlib import Path
from types import FunctionType
from typing import Any, get_type_hints

import jaxtyping
from beartype import BeartypeConf, beartype

SOURCE = Path(__file__).parents[1] / "src"
CALLS = 20
"""So many calls of each function are checked in each test, its first ones, and then one in as many."""
INNER_CALLS = 2
"""The same of functions in functions, whose check is made anew for each that is made."""

_typechecker = beartype(conf=BeartypeConf(is_pep484_tower=True, violation_type=jaxtyping.TypeCheckError))
_jaxtyped = jaxtyping.jaxtyped
_calls: Counter[int] = Counter()


def annotated() -> list[str]:
    """The modules that import jaxtyping, or from another module the name of a shape."""
    texts = {
        ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): file.read_text("utf-8")
        for file in sorted(SOURCE.rglob("*.py"))
    }
    own = {name: text for name, text in texts.items() if "from jaxtyping import" in text}
    named = {
        name: rf"from {re.escape(name)} import [^\n]*(\n    [^\n]*)*\b({'|'.join(shapes)})\b"
        for name, text in own.items()
        if (shapes := re.findall(r"^(\w+) = \w+\[(?:np\.ndarray|Tensor),", text, re.MULTILINE))
    }
    return [
        name for name, text in texts.items() if name in own or any(re.search(one, text) for one in named.values())
    ]


def begin_test() -> None:
    """Count the calls of every function from zero."""
    _calls.clear()


def _some_calls(made: Any) -> Any:
    """The decorator in the place of `jaxtyping.jaxtyped`."""
    if isinstance(made, FunctionType):
        return _at_times(made)
    if is_dataclass(made) and not hasattr(made.__init__, "__wrapped__"):  # whose fields are checked
        made.__init__ = _at_times(made.__init__)
    return made


def _at_times(plain: Callable[..., Any]) -> Callable[..., Any]:
    """A function of which some calls are checked; made so at the first call, which many in functions never have."""
    made: list[Callable[..., Any]] = []
    code = id(plain.__code__)  # the same for all functions that another one makes
    calls = INNER_CALLS if "<locals>" in plain.__qualname__ else CALLS

    @functools.wraps(plain)
    def call(*args: Any, **kwargs: Any) -> Any:
        _calls[code] += 1
        if _calls[code] > calls and _calls[code] % CALLS:
            return plain(*args, **kwargs)
        if not made:
            made.append(_checked(plain))
        return made[0](*args, **kwargs)

    return call


def _checked(plain: Callable[..., Any]) -> Callable[..., Any]:
    """Checked within a context of its own. `jaxtyped` by itself looks at arguments twice, to tell more of them."""
    whole = _jaxtyped(typechecker=_typechecker)
    try:
        plain.__annotations__ = get_type_hints(plain, include_extras=True)
    except NameError:  # imported for type checkers alone
        return whole(plain)
    by_arguments = "{" in repr([*plain.__annotations__.values()])  # such a shape depends on an argument's value
    if by_arguments or inspect.isgeneratorfunction(plain) or inspect.iscoroutinefunction(plain):
        return whole(plain)
    checked = _typechecker(plain)

    def call(*args: Any, **kwargs: Any) -> Any:
        with _jaxtyped("context"):
            return checked(*args, **kwargs)

    return call


jaxtyping.jaxtyped = lambda *, typechecker: _some_calls
jaxtyping.install_import_hook(annotated(), "beartype.beartype")
