"""Has the types and shapes of calls checked wherever a module annotates shapes.

To be imported before the package. In all modules the checks would take two fifths of the tests' time, and at every
call still a sixth.
"""

import functools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import jaxtyping

SOURCE = Path(__file__).parents[1] / "src"
CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
CALLS = 20
"""So many calls of each function are checked in each test, its first ones, and then one in as many."""

_every_call = jaxtyping.jaxtyped
_calls: Counter[CodeType] = Counter()


def annotated() -> list[str]:
    """The modules that import jaxtyping."""
    files = (file for file in sorted(SOURCE.rglob("*.py")) if "from jaxtyping import" in file.read_text("utf-8"))
    return [".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__") for file in files]


def begin_test() -> None:
    """Count the calls of every function from zero."""
    _calls.clear()


def _some_calls(*, typechecker: Any) -> Callable[[Any], Any]:
    """A decorator like `jaxtyping.jaxtyped`, which it uses for the calls that are checked."""
    decorate = _every_call(typechecker=typechecker)

    def decorated(made: Any) -> Any:
        if isinstance(made, type):
            plain, of_class = made.__init__, decorate(made)
            if of_class.__init__ is not plain:  # of a dataclass, whose fields it checks
                of_class.__init__ = _at_times(plain, lambda checked=of_class.__init__: checked)
            return of_class
        return _at_times(made, lambda: decorate(made)) if isinstance(made, FunctionType) else decorate(made)

    return decorated


def _at_times(plain: Callable[..., Any], make_checked: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """A function of which some calls are checked; made so at the first call, which many in functions never have."""
    made: list[Callable[..., Any]] = []

    @functools.wraps(plain)
    def call(*args: Any, **kwargs: Any) -> Any:
        _calls[plain.__code__] += 1
        if _calls[plain.__code__] > CALLS and _calls[plain.__code__] % CALLS:
            return plain(*args, **kwargs)
        if not made:
            made.append(make_checked())
        return made[0](*args, **kwargs)

    return call


jaxtyping.jaxtyped = _some_calls
jaxtyping.install_import_hook(annotated(), CHECKER)
