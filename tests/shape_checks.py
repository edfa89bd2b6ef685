"""Has the types and shapes of a call checked wherever a function or a class annotates shapes.

To be imported before the package. Of all functions the checks would take two fifths of the tests' time.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jaxtyping
from jaxtyping import install_import_hook

SOURCE = Path(__file__).parents[1] / "src"
CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"


def annotated() -> list[str]:
    """The modules that import jaxtyping."""
    files = (file for file in sorted(SOURCE.rglob("*.py")) if "from jaxtyping import" in file.read_text("utf-8"))
    return [".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__") for file in files]


def _checked(*, typechecker: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """jaxtyping's decorator, which the hook puts on everything; functions without shapes are left as they are."""

    def decorate(one: Any) -> Any:
        said = getattr(one.__init__ if inspect.isclass(one) else one, "__annotations__", {})
        return _jaxtyped(one, typechecker=typechecker) if "jaxtyping" in str(said) else one

    return decorate


_jaxtyped, jaxtyping.jaxtyped = jaxtyping.jaxtyped, _checked
install_import_hook(annotated(), CHECKER)
