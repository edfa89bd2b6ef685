"""Has the types and shapes of a call checked wherever a module annotates shapes.

To be imported before the package. In all modules the checks would take two fifths of the tests' time.
"""

from pathlib import Path

from jaxtyping import install_import_hook

SOURCE = Path(__file__).parents[1] / "src"
CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"


def annotated() -> list[str]:
    """The modules that import jaxtyping."""
    files = (file for file in sorted(SOURCE.rglob("*.py")) if "from jaxtyping import" in file.read_text("utf-8"))
    return [".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__") for file in files]


install_import_hook(annotated(), CHECKER)
