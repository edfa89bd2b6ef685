"""What an audit says, in sentences."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from configural.audit.plotting import surface
from configural.audit.probes.consistency import AGAIN, COMPANY, SPREAD, unlike
from configural.audit.probes.displacement import ALL, IMAGE, ONE, UNDEFINED
from configural.audit.probes.factorial import (
    ADDITIVITY,
    BALANCED,
    CONJUNCTION,
    FRACTION,
    ONE_WAY,
    POSITIONAL,
    RELATIONAL,
    TOGETHER,
)
from configural.audit.probes.forced_choice import GAP
from configural.audit.probes.spatial_relations import ANY, FIRST, SECOND, SpatialRelations
from configural.audit.result import NOT_MEASURED, Audit
from configural.errors import ConfiguralError
from configural.models.classifiers import CLIP, FINEST
from configural.wording import in_percent, in_words, of_side, without_folders

SMALLEST = 0.05
"""The smallest effect of interest: this fraction of the gap, or of what a correct image is sure of; see below."""

NO_SUM = "undefined: costs do not add up"

_TOLERANCE = 0.1
"""Costs are taken to add up where the relational fraction would be wrong by no more than this if they did not."""

_CLEARLY_BELOW = 0.4
"""Where an interval ends below this, more than chance is against the correct class."""

_MUCH = 0.2
"""Of the gap: where no move costs as much, something else may be what is read above all.

One moved part breaks half of the relations among four, so relations that make up two fifths of the gap pass.
"""

_AS_MUCH = 0.75
"""Of what all parts moved cost: if the whole portrait moved costs less, positions may be those on the portrait."""

_GRADED = 0.1
"""Distances within the natural range count for nothing if they cost less than this fraction of larger ones."""

_LIKELY = 0.75
"""What does the task as often as this, but might do it by chance, was asked too little."""

_FAMILIAR = 0.8
"""A classifier that is correct less often may have learned images of another condition."""

_ABSURD = 50.0
"""Nats: a classifier that is fed as in its training is seldom so sure of the usual image."""

_SAID = ("index", "choice", "accuracy", "relational_fraction", "relational_effect", "positional_effect")
"""Headings of which the sentences tell with words of their own."""


@dataclass(frozen=True)
class _Shown:
    """What counts at some distance on one background of the factorial probe."""

    relational: bool
    positional: bool  # or with a visible canvas what the parts cover there
    fraction: Mapping[str, Any] | None  # where costs add up and it is defined


def headline(audit: Audit) -> str:
    """The result in a few words: whether the classifier reads relations, positions or both.

    Example:
        >>> import configural as cf
        >>> with cf.progress.hidden():
        ...     library = cf.portraits.load("synthetic:6")
        ...     observer = cf.audit.observers(library)["relation observer"]
        ...     found = cf.audit.audit(observer, library, pairs=20, probes=["forced_choice", "factorial"])
        >>> cf.audit.headline(found)
        'It reads how the parts lie to each other; that it reads positions is not shown'
    """
    if refused := _refused(audit):
        return refused
    if "factorial" not in set(audit.scores["probe"]):
        if audit.interruption:
            return "The audit was interrupted"
        return "Relations were not measured: that takes the probe factorial"
    plain, *visible = backgrounds(audit)
    reasons = {row["note"] for row in audit.named("factorial", BALANCED, of=plain)}
    if all(reasons):
        return "Relations were not measured: " + sorted(reasons)[0].removeprefix("undefined: ")
    floor = smallest_effect(audit)
    shown = _shown(audit, plain, floor)
    on_canvas = _shown(audit, visible[0], floor) if visible else _Shown(False, False, None)
    if shown.relational and shown.positional:
        reads = _both(shown.fraction)
    elif shown.relational and on_canvas.positional and not on_canvas.relational:
        reads = (
            "It reads how the parts lie to each other where no canvas is visible; on the visible canvas no more is "
            "shown than that it reads where on it they lie, or what they cover"
        )
    elif shown.relational:
        kind = _kind_of_relations(audit, plain, floor)
        also = "; on the visible canvas also where on it they lie, or what they cover" * on_canvas.positional
        reads = f"It reads how the parts lie to each other{kind}{also or '; that it reads positions is not shown'}"
    elif on_canvas.relational and not on_canvas.positional:
        without = "where they lie" if shown.positional else "moved parts cost it next to nothing"
        reads = f"It reads how the parts lie to each other on the visible canvas; where none is visible, {without}"
    elif shown.positional:
        where, also = _where(audit, floor)
        reads = f"It reads where the parts lie{where}; that it reads relations is not shown{also}"
    elif on_canvas.positional:
        reads = (
            "Moved parts cost it something on the visible canvas alone: it reads where on the canvas they lie, or "
            "what they cover; neither relations among parts nor positions in the image are shown"
        )
    elif any(row["low"] > floor for row in audit.named("spatial_relations", FIRST, of=ANY)):
        return (
            "Exchanged parts cost it something, moved parts on average next to nothing: it reads roughly which "
            "part is where, to each other or in the image, or minds what exchanged parts cover of one another"
        )
    else:
        return "Moved parts cost it next to nothing: neither relations nor positions are shown"
    return _within_what_moves_show(reads, audit)


def _where(audit: Audit, floor: float) -> tuple[str, str]:
    """In which frame parts have the positions that it reads, and what moving the whole portrait shows beside."""
    moved, on_it = (audit.named("displacement", "drop", of=of) for of in (IMAGE, ALL))
    # An observer of positions in the image loses as much by the whole portrait as by all parts moved on it.
    as_much = _AS_MUCH * max((row["value"] for row in on_it), default=0.0)
    if any(row["low"] > floor and row["value"] >= as_much for row in moved):
        return " in the image", ""
    nothing = any(row["high"] <= floor for row in moved)
    also = "; moving the whole portrait sideways costs it next to nothing" if nothing else ""
    return ", in the image or on the portrait", also


def _within_what_moves_show(reads: str, audit: Audit) -> str:
    """What it reads, after a word of how little that may be: what no move touches may be read in any other way."""
    gap = _gap(audit)
    costs = [
        abs(row["value"])
        for name in (BALANCED, TOGETHER, POSITIONAL, ONE_WAY)
        for row in audit.named("factorial", name)
        if name == ONE_WAY or ", on " not in row["of"]
    ]
    largest = max((cost for cost in costs if not np.isnan(cost)), default=0.0)
    if largest >= _MUCH * gap:
        return reads
    return (
        f"No move costs it more than {largest:.1f} of the {gap:.1f} nats between correct and scrambled "
        "arrangements, so what it reads above all is not shown; as far as moves show, "
        f"{reads[0].lower()}{reads[1:]}"
    )


_ORDER = "; exchanged parts cost it something, parts nearer or further apart next to nothing"
_EXTENT = "; parts moved apart cost it more than parts exchanged"
_COARSE = ", coarsely: distances within the natural range do not count"


def _kind_of_relations(audit: Audit, background: str, floor: float) -> str:
    """What relations they are, where the probe of first- and second-order relations tells."""
    if _saturated(audit) > 0.05:  # small distances are what is hidden first
        return ""
    first = audit.headed("first_order")
    changed = audit.named("spatial_relations", SECOND)
    natural = [row for row in changed if abs(row["at"]) <= SpatialRelations.natural]
    second = [row for row in natural if row["of"] == ANY]
    if np.isnan(first["value"]) or not second:
        return ""
    one = max((row["value"] for row in audit.named("factorial", BALANCED, of=background)), default=0.0)
    little = all(row["high"] <= floor and row["value"] <= _GRADED * one for row in second)
    # What one way costs and the other wins is nothing on average.
    if first["low"] > floor and little and not _any_beyond(natural, floor):
        # Further apart leaves every order as it is, however far.
        apart = [row for row in changed if row["at"] > 0 and row["of"] != ANY]
        return _ORDER if all(row["high"] <= floor for row in apart) else _COARSE
    return _EXTENT if first["high"] < one / 2 else ""


def _one_way(audit: Audit, background: str) -> list[dict[str, Any]]:
    return [row for row in audit.named("factorial", ONE_WAY) if row["of"].endswith(f", on {background}")]


def _any_beyond(rows: Iterable[Mapping[str, Any]], floor: float) -> bool:
    """Whether one of some scores is further from zero than the smallest effect, with its whole interval."""
    return any(row["low"] > floor or row["high"] < -floor for row in rows)


def _refused(audit: Audit) -> str:
    """Why there can be no verdict, or nothing."""
    floor = smallest_effect(audit)
    differences = _differences(audit)
    if differences and unlike(differences) == "batch" and differences[COMPANY] > floor:
        size = f"{differences[COMPANY]:.1f} nats"
        return f"No verdict: its response to an image depends on the others in the batch, by {size}; training mode?"
    choice, accuracy = audit.headed("choice"), audit.headed("accuracy")
    if _turned(audit):
        return "It prefers scrambled arrangements to correct ones: are its classes the other way round?"
    if choice["low"] <= 0.5 or accuracy["low"] <= 0.5:
        if _saturated(audit) > 0.5:
            return "Its probabilities are too near to 0 or 1 to say what it reads"
        scrambled, correct = audit.facts.class_names
        failed = (
            f"2AFC {in_percent(choice)}"
            if choice["low"] <= 0.5
            else f"it predicts {correct} or {scrambled} correctly for {in_percent(accuracy)}"
        )
        if min(choice["value"], accuracy["value"]) >= _LIKELY:
            return f"Too little was measured for a verdict: {failed}, which may be no more than chance"
        return f"It does not do the task, so there is no verdict: {failed}, which is not above chance"
    return ""


def _turned(audit: Audit) -> bool:
    """Whether 2AFC and accuracy both are so clearly below chance that its classes must be the other way round.

    Not where it responds alike to all images, but for rounding: then both are no more than how ties are counted.
    """
    values = _asked(audit)["log_odds"].to_numpy(float)
    if len(values) > 1 and np.ptp(values) <= 1e-6 * max(1.0, float(np.abs(values).max())):
        return False
    return all(audit.headed(heading)["high"] < _CLEARLY_BELOW for heading in ("choice", "accuracy"))


def _asked(audit: Audit) -> pd.DataFrame:
    """The responses of the forced choice; no row where it was not asked."""
    return audit.responses.get("forced_choice", pd.DataFrame()).reindex(columns=["label", "log_odds"])


def _both(fraction: Mapping[str, Any] | None) -> str:
    if fraction is None:
        return (
            "It reads how the parts lie to each other and where they lie; their costs do not add up, so that no "
            "fraction is given"
        )
    if fraction["high"] - fraction["low"] > 1:
        return (
            "It reads both how the parts lie to each other and where they lie; how much of a moved part's cost is "
            "relations, was measured too coarsely to be said"
        )
    stated = f"of what a moved part costs, relations are {in_words(fraction, 2)} at {of_side(fraction['at'])}"
    if fraction["low"] >= 0.75:
        return f"It reads mostly how the parts lie to each other, and a little where they lie: {stated}"
    if fraction["high"] <= 0.25:
        return f"It reads mostly where the parts lie, and a little how they lie to each other: {stated}"
    return f"It reads both how the parts lie to each other and where they lie: {stated}"


def _shown(audit: Audit, background: str, floor: float) -> _Shown:
    # Conjunctions of positions have an effect of relations, but no balanced one; one-sided bounds the reverse.
    balanced, half, together, positions, fractions = (
        audit.named("factorial", name, of=background)
        for name in (BALANCED, RELATIONAL, TOGETHER, POSITIONAL, FRACTION)
    )
    relational = any(row["low"] > floor and other["low"] > floor for row, other in zip(balanced, half, strict=True))
    positional = any(row["low"] > floor for row in together)
    # For all who read relations alone A equals B, and R equals C whichever way all move.
    positional |= _any_beyond([*positions, *_one_way(audit, background)], floor)
    at = audit.summary()["relational_fraction"][1].at
    defined = [row for row in fractions if not np.isnan(row["value"])]
    first = min(defined, key=lambda row: row["at"] != at, default=None)
    return _Shown(relational, positional, first if first is not None and _adds_up(audit, first) else None)


def stated(audit: Audit, heading: str) -> Mapping[str, Any]:
    """The score under a heading of `summary` as it may be given: a relational fraction only where costs add up."""
    score = audit.headed(heading)
    if heading != "relational_fraction" or np.isnan(score["value"]) or _adds_up(audit, score):
        return score
    return {**score, "value": np.nan, "low": np.nan, "high": np.nan, "note": NO_SUM}


def _adds_up(audit: Audit, fraction: Mapping[str, Any]) -> bool:
    """Whether at that distance neither check shows that costs do not add up."""

    def of(name: str) -> Mapping[str, Any]:
        return audit.score("factorial", name, of=fraction["of"], at=fraction["at"])

    ends = f", on {fraction['of']}"
    parts = len({row["of"] for row in audit.named("factorial", RELATIONAL) if row["of"].endswith(ends)})
    whole = abs(of(RELATIONAL)["value"] + of(POSITIONAL)["value"])
    for name, scale in ((CONJUNCTION, whole), (ADDITIVITY, parts * whole)):
        check = of(name)
        if np.isnan(check["value"]):
            return False
        if (check["low"] > 0 or check["high"] < 0) and abs(check["value"]) > _TOLERANCE * scale:
            return False
    return True


def backgrounds(audit: Audit) -> list[str]:
    """Those of the factorial probe: first the plain one, then a visible canvas if there is one."""
    return [
        of for of in dict.fromkeys(row["of"] for row in audit.named("factorial", BALANCED)) if ", on " not in of
    ]


def smallest_effect(audit: Audit) -> float:
    """The smallest effect of interest in nats; 0 where the gap was not measured.

    It is a fraction of the gap, or of twice what the usual correct image is sure of where that is less: of log-odds
    that fall without end, some scrambled arrangements alone may make the gap as large as one likes.
    """
    return SMALLEST * _measure(audit)[0]


def _measure(audit: Audit) -> tuple[float, str]:
    """What the smallest effect is a fraction of, in nats and in words."""
    try:
        gap = _gap(audit)
    except ConfiguralError:
        return 0.0, ""
    asked = _asked(audit)
    sure = 2 * float(asked["log_odds"][asked["label"] == 1].median())
    if 0 < sure < gap:
        return sure, "twice the log-odds of the usual correct image"
    return gap, "the gap between correct and scrambled arrangements"


def _gap(audit: Audit) -> float:
    """Between correct and scrambled arrangements, nats."""
    return max(float(audit.score("forced_choice", GAP)["value"]), 0.0)


def _differences(audit: Audit) -> dict[str, float]:
    """By what, how much responses differ; empty if that was not measured."""
    found = {row["of"]: float(row["value"]) for row in audit.named("consistency", "difference")}
    return found if {AGAIN, COMPANY, SPREAD} <= found.keys() else {}


def _saturated(audit: Audit) -> float:
    """The fraction of responses about moved parts whose probability was clipped near 0 or 1."""
    responses = audit.responses.get("factorial", audit.responses.get("displacement"))
    if responses is None or not len(responses):
        return 0.0
    edges = [np.log(1 - CLIP) - np.log(CLIP), -np.log(FINEST)]
    return float(max(np.isclose(responses["log_odds"].abs(), edge, rtol=0, atol=1e-6).mean() for edge in edges))


def sentences(audit: Audit) -> list[str]:
    """The result in sentences with their numbers.

    Example:
        >>> import configural as cf
        >>> with cf.progress.hidden():
        ...     library = cf.portraits.load("synthetic:6")
        ...     observer = cf.audit.observers(library)["bag of parts"]
        ...     found = cf.audit.audit(observer, library, pairs=20, probes=["forced_choice"])
        >>> cf.audit.sentences(found)[0]
        'Of two images made of the same parts, it prefers the correct arrangement in 50 % [50, 50] of 20 pairs.'
    """
    said = []
    for sentence in (_choice, _accuracy, _consistency, _effects, _index, _clipped, _absurd):
        try:
            said.append(sentence(audit))
        except ConfiguralError:  # that probe was not asked
            continue
    for heading, (probe, which) in audit.summary().items():
        score = audit.headed(heading)
        if heading not in _SAID and score["note"] != NOT_MEASURED:
            card = audit.probes[probe]
            value = in_percent(score) if card.is_fraction(which.score) else in_words(score, 2)
            said.append(f"{card.title}: {heading.replace('_', ' ')} {value}.")
    return [sentence for sentence in said if sentence]


def _choice(audit: Audit) -> str:
    choice = audit.score("forced_choice", "choice", of="all")
    correct = audit.facts.class_names[1]
    cure = f": name the position of {correct} among its classes (positive)" if _turned(audit) else ""
    below = f" That is below chance{cure}." if choice["high"] < 0.5 else ""
    return (
        f"Of two images made of the same parts, it prefers the correct arrangement in {in_percent(choice)} of "
        f"{choice['images']:,} pairs.{below}"
    )


def _accuracy(audit: Audit) -> str:
    accuracy, choice = audit.score("forced_choice", "accuracy"), audit.score("forced_choice", "choice", of="all")
    scrambled, correct = audit.facts.class_names
    said = f"One by one, it predicts {correct} or {scrambled} correctly for {in_percent(accuracy)} of the images."
    if accuracy["low"] <= 0.5 < choice["low"]:
        said += " Its scores order the arrangements, but a probability of one half does not divide them."
    if (one := {bool(value > 0) for value in _asked(audit)["log_odds"]}) in ({True}, {False}):
        said += f" It calls every one of them {correct if True in one else scrambled}: "
        said += "are images prepared as in its training (scale, mean, std, channels)?"
    if accuracy["value"] < _FAMILIAR:
        said += (
            f" These images were made under the condition {without_folders(audit.settings.condition)}: a "
            "classifier that learned others should be asked under theirs (condition)."
        )
    return said


def _consistency(audit: Audit) -> str:
    differences = _differences(audit)
    kind = unlike(differences) if differences else ""
    if not kind:
        return ""
    spread = f"where responses to different images differ by {differences[SPREAD]:.2g}"
    if kind == "noise":
        return (
            f"Asked about the same image again it responds otherwise, by {differences[AGAIN]:.2g} nats, {spread}: "
            "all its scores hold that noise."
        )
    return (
        f"Its response to an image depends on the other images of the batch, by {differences[COMPANY]:.2g} nats, "
        f"{spread}: put it into evaluation mode."
    )


def _effects(audit: Audit) -> str:
    plain = backgrounds(audit)[:1]
    if not plain:
        return ""
    at = audit.summary()["relational_fraction"][1].at
    one, together = (audit.score("factorial", name, of=plain[0], at=at) for name in (BALANCED, TOGETHER))
    if one["note"]:
        return f"At {of_side(at)}, of relations and positions {one['note'].removeprefix('undefined: ')}."
    name, floor = surface(plain[0]), smallest_effect(audit)
    # So many that one can compare with it; what is left of rounding has no end of them.
    places = min(max(1, -math.floor(math.log10(floor))), 6) if floor > 0 else 1
    said = (
        f"On {name}, with every part equally far from its position, broken relations cost {in_words(one, places)} "
        f"of its log-odds, moved by {of_side(at)} of the image; all parts moved together cost "
        f"{in_words(together, places)} "
        f"({one['images']:,} moves of {one['exemplars']:,} exemplars)."
    )
    if floor:
        of = f"{100 * SMALLEST:.0f} % of {_measure(audit)[1]}"
        said += f" What is not surely above {floor:.2g}, {of}, does not count as shown."
    for row in _one_way(audit, plain[0]):
        if row["at"] == at and _any_beyond([row], floor):
            way = row["of"].partition(",")[0]
            said += f" All parts moved {way} cost {in_words(row, places)} more than the mean of both ways."
    fraction = audit.score("factorial", FRACTION, of=plain[0], at=at)
    if np.isnan(fraction["value"]):
        return said
    if _adds_up(audit, fraction):
        return f"{said} Of what a moved part costs, relations are the fraction {in_words(fraction, 2)}."
    return f"{said} Costs do not add up, so that relations are no fraction of them."


def _index(audit: Audit) -> str:
    probe, which = audit.summary().get("index", ("", None))
    if which is None or which.at is None:
        return ""
    index = audit.relation_index()
    if np.isnan(index["value"]) and index["note"] != UNDEFINED:
        return "" if index["note"] == NOT_MEASURED else f"The relation index is {index['note']}."
    one = audit.score(probe, "drop", of=ONE, at=which.at)
    every = audit.score(probe, "drop", of=ALL, at=which.at)
    drops = (
        f"When one part moves by {of_side(which.at)} of the image the log-odds of {audit.facts.class_names[1]} "
        f"drop by {in_words(one)}, when all move together by {in_words(every)}"
    )
    if np.isnan(index["value"]):
        return f"{drops}. Neither interval lies above zero, so the relation index is undefined."
    return f"{drops}: relation index {in_words(index, 2)}."


def _clipped(audit: Audit) -> str:
    fraction = _saturated(audit)
    if fraction < 0.05:
        return ""
    return (
        f"In {100 * fraction:.0f} % of the responses about moved parts the probability was 0 or 1 to the last "
        "digit that counts: log-odds end there, and what is lost beyond is not seen. Log-odds in their place would "
        "tell more, of scikit-learn its decision_function; and are images prepared as in its training?"
    )


def _absurd(audit: Audit) -> str:
    """A warning where it is surer of the usual image than one that is fed as in its training would be."""
    usual = float(_asked(audit)["log_odds"].astype(float).abs().median())  # nan of none
    if not usual > _ABSURD:
        return ""
    return (
        f"Its log-odds are ±{usual:.0f} nats for the usual image, which is absurdly sure: are images prepared as "
        "in its training? Say so by scale, mean, std and channels; until then its drops in nats mean little."
    )
