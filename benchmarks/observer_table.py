"""The table of the audit's guide: what each probe says of each observer. `python benchmarks/observer_table.py`."""

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np

from configural.audit import Audit, audit, observers
from configural.audit.verdict import in_percent, in_words
from configural.errors import ConfiguralError
from configural.portraits import load

PROBES = (
    *("forced_choice", "factorial", "spatial_relations", "displacement", "anagrams", "scrambling", "part_whole"),
    *("composite", "background_removal", "inversion", "interactions"),
)
COLUMNS: Mapping[str, tuple[str, str, str | None, float | None]] = {
    "2AFC": ("forced_choice", "choice", "all", None),
    "relational effect": ("factorial", "relational_effect", "skin", 60),
    "positional effect": ("factorial", "positional_effect", "skin", 60),
    "balanced relational effect": ("factorial", "balanced_relational_effect", "skin", 60),
    "relational fraction": ("factorial", "relational_fraction", "skin", 60),
    "two parts exchanged": ("spatial_relations", "first_order", "any", None),
    "distances changed by 20": ("spatial_relations", "second_order", "any", 20),
    "drop, one part": ("displacement", "drop", "one part", 60),
    "drop, all": ("displacement", "drop", "all", 60),
    "relation index": ("displacement", "relation_index", None, 60),
    "both correct": ("anagrams", "both_correct", "all", None),
    "displaced by up to 10": ("scrambling", "drop", "parts displaced at random", 10),
    "advantage of the whole": ("part_whole", "advantage", "over the part alone", None),
    "composite effect": ("composite", "composite_effect", None, None),
    "drop, grey instead of canvas": ("background_removal", "drop", "grey", None),
    "drop, canvas only": ("background_removal", "drop", "canvas only", None),
    "drop, inverted": ("inversion", "drop", "inverted", None),
    "Thatcher effect": ("inversion", "drop", "Thatcher effect", None),
    "Shapley, nose": ("interactions", "shapley", "nose", None),
    "Shapley, canvas": ("interactions", "shapley", "canvas", None),
    "not additive": ("interactions", "not_additive", None, None),
}
"""The scores in the table."""


def audit_observers(source: str, condition: str, pairs: int) -> dict[str, Audit]:
    """Audit all observers."""
    library = load(source)
    return {
        name: audit(one, library, condition=condition, image_size=64, pairs=pairs, probes=PROBES, name=name)
        for name, one in observers(library, condition).items()
    }


def table(audits: Mapping[str, Audit]) -> str:
    """The scores as a Markdown table, and below it which observers each probe does not distinguish."""
    lines = ["| score | " + " | ".join(audits) + " |", "|---|" + "---|" * len(audits)]
    for title, which in COLUMNS.items():
        cells = [_cell(one, which) for one in audits.values()]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    lines.append("")
    for probe in PROBES:
        same = [f"{a} and {b}" for a, b in indistinct(audits, probe)]
        said = f"does not distinguish: {'; '.join(same)}" if same else "distinguishes all of them"
        lines.append(f"- *{probe}* {said}.")
    return "\n".join(lines)


def indistinct(audits: Mapping[str, Audit], probe: str) -> list[tuple[str, str]]:
    """Pairs of observers whose intervals overlap in every one of a probe's scores in the table."""
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
    return in_percent(score) if which[1] in ("choice", "both_correct", "not_additive") else in_words(score)


def _score(one: Audit, which: tuple[str, str, str | None, float | None]) -> Mapping[str, Any]:
    try:
        probe, name, of, at = which
        return one.score(probe, name, of=of, at=at)
    except ConfiguralError:  # under a condition without canvas, grey and skin are others
        return {"value": np.nan, "low": np.nan, "high": np.nan}


def main() -> None:
    """Print the table for some source and conditions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("conditions", nargs="*", default=["baseline", "floating"])
    parser.add_argument("--source", default="synthetic:48")
    parser.add_argument("--pairs", type=int, default=300)
    given = parser.parse_args()
    for condition in given.conditions:
        print(f"### {condition}\n\n{table(audit_observers(given.source, condition, given.pairs))}\n")


if __name__ == "__main__":
    main()
