"""The table of docs/audit.md: what each probe says of each reference classifier. `python -m ...reference_table`."""

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np

from configural.audit.auditing import audit
from configural.audit.observers import references
from configural.audit.result import Audit
from configural.audit.verdict import in_percent, in_words
from configural.errors import ConfiguralError
from configural.portraits import load

PROBES = ("forced_choice", "displacement", "context", "inversion", "interactions")
COLUMNS: Mapping[str, tuple[str, str, str | None, float | None]] = {
    "paired choice": ("forced_choice", "choice", "all", None),
    "drop, one part": ("displacement", "drop", "one part", 60),
    "drop, all": ("displacement", "drop", "all", 60),
    "relation index": ("displacement", "relation_index", None, 60),
    "drop, grey instead of canvas": ("context", "drop", "grey", None),
    "drop, canvas only": ("context", "drop", "canvas only", None),
    "drop, inverted": ("inversion", "drop", "inverted", None),
    "Thatcher effect": ("inversion", "drop", "Thatcher effect", None),
    "Shapley, nose": ("interactions", "shapley", "nose", None),
    "Shapley, canvas": ("interactions", "shapley", "canvas", None),
    "not additive": ("interactions", "not_additive", None, None),
}
"""The scores in the table."""


def audit_references(faces: str, condition: str, pairs: int) -> dict[str, Audit]:
    """Audit all reference classifiers."""
    library = load(faces)
    found = references(library, condition)
    return {
        name: audit(one, library, condition, image_size=64, pairs=pairs, probes=PROBES, name=name)
        for name, one in found.items()
    }


def table(audits: Mapping[str, Audit]) -> str:
    """The scores as a Markdown table, and below it which classifiers each probe does not tell apart."""
    lines = ["| score | " + " | ".join(audits) + " |", "|---|" + "---|" * len(audits)]
    for title, which in COLUMNS.items():
        cells = [_cell(one, which) for one in audits.values()]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    lines.append("")
    for probe in PROBES:
        same = [f"{a} and {b}" for a, b in indistinct(audits, probe)]
        said = "; ".join(same) if same else "none: it tells all apart"
        lines.append(f"- *{probe}* does not tell apart: {said}.")
    return "\n".join(lines)


def indistinct(audits: Mapping[str, Audit], probe: str) -> list[tuple[str, str]]:
    """Pairs of classifiers whose intervals overlap in every one of a probe's scores in the table."""
    names = list(audits)
    columns = [which for which in COLUMNS.values() if which[0] == probe]
    return [
        (a, b)
        for position, a in enumerate(names)
        for b in names[position + 1 :]
        if all(_overlap(audits[a], audits[b], which) for which in columns)
    ]


def _overlap(first: Audit, second: Audit, which: tuple[str, str, str | None, float | None]) -> bool:
    one, other = _score(first, which), _score(second, which)
    if np.isnan(one["value"]) or np.isnan(other["value"]):
        return bool(np.isnan(one["value"]) and np.isnan(other["value"]))
    return bool(one["low"] <= other["high"] + 1e-9 and other["low"] <= one["high"] + 1e-9)


def _cell(one: Audit, which: tuple[str, str, str | None, float | None]) -> str:
    score = _score(one, which)
    return in_percent(score) if which[1] in ("choice", "not_additive") else in_words(score)


def _score(one: Audit, which: tuple[str, str, str | None, float | None]) -> Mapping[str, Any]:
    try:
        return one.score(*which)
    except ConfiguralError:  # under a condition without canvas, grey and skin are other columns
        return {"value": np.nan, "low": np.nan, "high": np.nan}


def main() -> None:
    """Print the table for some faces and conditions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("conditions", nargs="*", default=["baseline", "floating"])
    parser.add_argument("--faces", default="synthetic:48")
    parser.add_argument("--pairs", type=int, default=300)
    asked = parser.parse_args()
    for condition in asked.conditions:
        print(f"### {condition}\n\n{table(audit_references(asked.faces, condition, asked.pairs))}\n")


if __name__ == "__main__":
    main()
