"""What an audit says, in a sentence."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from configural.audit.result import Audit
from configural.errors import ConfiguralError


def headline(audit: Audit) -> str:
    """The answer in a few words: whether the classifier reads relations."""
    if "displacement" not in set(audit.scores["probe"]):
        return "Relations were not measured" if not audit.broken else "The audit was broken off"
    index = audit.relation_index()
    if np.isnan(index["value"]):
        return "Moved parts cost this classifier nothing that can be told from zero: it has no relation index"
    if index["low"] > 0:
        if index["low"] >= 0.5:
            return "It reads mostly how the parts lie to each other"
        return "It reads how the parts lie to each other more than where they lie"
    if index["high"] <= 0:
        return "It reads where the parts lie more than how they lie to each other"
    return "It cannot be told whether it reads relations or places"


def sentences(audit: Audit) -> list[str]:
    """The answer in sentences with their numbers."""
    said = []
    for sentence in (_index, _on_skin, _choice, _sure):
        try:
            said.append(sentence(audit))
        except ConfiguralError:  # that probe was not asked
            continue
    return [sentence for sentence in said if sentence]


def _index(audit: Audit) -> str:
    distance = audit.settings["relation_index_at"]
    index = audit.relation_index()
    one = audit.score("displacement", "drop", "one part", distance)
    every = audit.score("displacement", "drop", "all", distance)
    drops = (
        f"When one part moves by {distance} pixels the log-odds of a face drop by {in_words(one)}, when all move "
        f"together by {in_words(every)}"
    )
    if np.isnan(index["value"]):
        return f"{drops}. Neither is above zero, so the relation index is undefined."
    return f"{drops}: relation index {in_words(index, 2)}."


def _on_skin(audit: Audit) -> str:
    if audit.settings["background"] != "canvas":
        return ""
    index = audit.score("displacement", "relation_index", "skin")
    said = "undefined" if np.isnan(index["value"]) else in_words(index, 2)
    return f"On plain skin, where moving all parts leaves no head behind, the index is {said}."


def _choice(audit: Audit) -> str:
    choice = audit.score("paired_choice", "choice", "all")
    return (
        f"Of two pictures made of the same parts, it prefers the right arrangement in {in_percent(choice)} of "
        f"{choice['pictures']:,} pairs."
    )


def _sure(audit: Audit) -> str:
    accuracy = audit.score("paired_choice", "accuracy")
    return f"Called face or no_face one by one, it is right in {in_percent(accuracy)}."


def in_words(score: Mapping[str, Any], decimals: int = 1) -> str:
    """A score with its interval: 0.68 [0.64, 0.71]."""
    if np.isnan(score["value"]):
        return "undefined"

    def number(value: float) -> str:
        text = f"{value:.{decimals}f}"
        # No number below zero is shown as −0.0.
        return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")

    if np.isnan(score["low"]):
        return number(score["value"])
    return f"{number(score['value'])} [{number(score['low'])}, {number(score['high'])}]"


def in_percent(score: Mapping[str, Any]) -> str:
    """A share with its interval: 93 % [90, 95]."""
    if np.isnan(score["value"]):
        return "undefined"
    value, low, high = (100 * score[name] for name in ("value", "low", "high"))
    short = f"{value:.1f}".removesuffix(".0")
    if short == "100" and value < 100:
        short = "> 99.9"
    return f"{short} % [{low:.0f}, {high:.0f}]" if not np.isnan(low) else f"{short} %"
