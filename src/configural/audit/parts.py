"""Which part matters: what each costs when it moves, as a table, a chart and in everyday words."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from configural.audit import plotting
from configural.audit.probe import PROBABILITY
from configural.audit.probes.displacement import ALL, ONE
from configural.audit.probes.factorial import BALANCED, POSITIONAL, TOGETHER
from configural.audit.result import Audit
from configural.audit.verdict import backgrounds, smallest_effect
from configural.errors import ConfiguralError
from configural.evaluation.figures import figure_of, styled, titled
from configural.stimuli.layout import REFERENCE_SIDE
from configural.wording import in_words, listed

RELATIONS, POSITION, MOVED = "relations broken", "moved off its position", "moved alone"
_STYLES: dict[str, dict[str, Any]] = {
    RELATIONS: {"color": plotting.BLUE, "fmt": "o"},
    POSITION: {"color": plotting.ORANGE, "fmt": "s"},
    MOVED: {"color": plotting.BLUE, "fmt": "o"},
}


def part_costs(audit: Audit) -> pd.DataFrame:
    """What each part costs when it moves, and all together, in nats; empty where that was not measured.

    By the probe of relations and positions, on plain surface, or on the visible canvas if it counts only there: a
    row for the relations that a part's move breaks and one for the position that it leaves. Else, by that of
    displacement, one for the whole cost.

    Returns:
        The columns part, cost (what of it), value, low, high; and in `attrs` the distance `at` and the background
        `on`.
    """
    floor, shown = smallest_effect(audit), backgrounds(audit)
    measured = [_of_factorial(audit, background) for background in shown] or [_of_displacement(audit)]
    return next((costs for costs in measured if (costs["low"] > floor).any()), measured[0])


def _of_factorial(audit: Audit, background: str) -> pd.DataFrame:
    of, ends = {BALANCED: RELATIONS, POSITIONAL: POSITION, TOGETHER: POSITION}, f", on {background}"
    mine = audit.scores[(audit.scores["probe"] == "factorial") & audit.scores["score"].isin(list(of))]
    together = (mine["score"] == TOGETHER) & (mine["of"] == background)
    mine = mine[together | (mine["of"].str.endswith(ends) & (mine["score"] != TOGETHER))]
    part = mine["of"].str.removesuffix(ends).mask(mine["score"] == TOGETHER, ALL)
    mine = mine.assign(cost=mine["score"].map(of), part=part)
    return _costs(mine, at=audit.summary()["relational_fraction"][1].at, on=background)


def _of_displacement(audit: Audit) -> pd.DataFrame:
    at = next((which.at for probe, which in audit.summary().values() if probe == "displacement"), None)
    drops = audit.scores[(audit.scores["probe"] == "displacement") & (audit.scores["score"] == "drop")]
    mine = drops[drops["of"].isin([*audit.facts.parts, ALL])]
    return _costs(mine.assign(cost=MOVED, part=mine["of"]), at=at, on=audit.facts.background)


def _costs(rows: pd.DataFrame, *, at: float | None, on: str) -> pd.DataFrame:
    found = rows[(rows["at"] == at) & rows["value"].notna()][["part", "cost", "value", "low", "high"]]
    found = found.sort_values("part", key=lambda part: part == ALL, kind="stable").reset_index(drop=True)
    found.attrs = {"at": at, "on": on}
    return found


def parts_figure(audit: Audit, axes: Axes | None = None) -> Figure | None:
    """The table of `part_costs` as a chart; None where it is empty."""
    costs = part_costs(audit)
    if not len(costs):
        return None
    names, kinds = list(dict.fromkeys(costs["part"])), [kind for kind in _STYLES if kind in set(costs["cost"])]
    floor = smallest_effect(audit)
    with styled():
        axes = titled((9.6, 0.55 * len(names) + 2), "", axes=axes)
        axes.axvspan(-floor, floor, color=plotting.GREY, alpha=0.16, linewidth=0, label="too small to count")
        for number, kind in enumerate(kinds):
            rows = costs[costs["cost"] == kind]
            heights = np.array([names.index(part) for part in rows["part"]], float)
            # Of all together, no relation is broken.
            heights += np.where(rows["part"] == ALL, 0, 0.3 * (number - (len(kinds) - 1) / 2))
            plotting.marks(axes, rows, heights, label=kind, **_STYLES[kind])
        axes.set_yticks(range(len(names)), ["all together" if name == ALL else name for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        plotting.log_odds_across(axes, _where(costs))
        plotting.grid(axes, "x")
        plotting.legend_beside(axes)
    return figure_of(axes)


def in_short(audit: Audit) -> str:
    """The chart of the parts as text."""
    costs = part_costs(audit)
    said = [f"{row['part']}, {row['cost']}: {in_words(row)}" for row in costs.to_dict("records")]
    return f"{_where(costs).capitalize()}: {'; '.join(said)}."


def _where(costs: pd.DataFrame) -> str:
    at, on = costs.attrs["at"], plotting.surface(costs.attrs["on"])
    return f"cost in nats, moved by {at:g}/{REFERENCE_SIDE} on {on}"


def everyday(audit: Audit) -> list[str]:
    """What was measured in everyday words: how sure it is when parts move, and which part matters.

    Example:
        >>> import configural as cf
        >>> with cf.progress.hidden():
        ...     library = cf.portraits.load("synthetic:6")
        ...     observer = cf.audit.observers(library)["relation observer"]
        ...     found = cf.audit.audit(observer, library, pairs=20, probes=["displacement"])
        >>> cf.audit.everyday(found)[0][:38]
        'Shown a correct face, it gives “face” '
    """
    return [sentence for sentence in (_when_moved(audit), _which_part(audit)) if sentence]


def _when_moved(audit: Audit) -> str:
    correct = audit.facts.class_names[1]
    at = next((which.at for probe, which in audit.summary().values() if probe == "displacement"), None)

    try:
        rest, one, every = (
            _percent(audit.score("displacement", f"{PROBABILITY}{correct})", of=of, at=distance))
            for of, distance in (("at rest", 0), (ONE, at), (ALL, at))
        )
    except ConfiguralError:
        return ""
    word = correct.replace("_", " ")
    return (
        f"Shown a correct {word}, it gives “{word}” {rest} on average. Move one part by "
        f"{100 * (at or 0) / REFERENCE_SIDE:.0f}\u00a0% of the portrait's longer side, and that is {one}; move all "
        f"parts together as far, and it is {every}."
    )


def _which_part(audit: Audit) -> str:
    costs = part_costs(audit)
    single = costs[costs["part"] != ALL].groupby("part", sort=False)[["value", "low"]].sum()
    single = single.sort_values("value", ascending=False)
    if not len(single):
        return ""
    floor, on = smallest_effect(audit), f" on {plotting.surface(costs.attrs['on'])}"
    sure = costs[(costs["low"] > floor) & (costs["part"] != ALL)]["part"]
    counted = [part for part in single.index if part in set(sure)]
    if not counted:
        return f"No single part that moves{on} costs it more than next to nothing."
    names = [f"the {part}" for part in counted]
    rest = [f"the {part}" for part in single.index if part not in counted]
    first, *others = names
    said = f"What counts most, moved{on}, is {first}" + (f", then {', '.join(others)}" if others else "") + "."
    return said + (f" That {listed(rest)} count{'s' if len(rest) == 1 else ''} is not shown." if rest else "")


def _percent(score: Any) -> str:
    value = 100 * float(score["value"])
    return (
        "less than 1\u00a0%"
        if value < 0.5
        else "more than 99\u00a0%"
        if 99.5 < value < 100
        else f"{value:.0f}\u00a0%"
    )
