"""What an audit says, in a sentence."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from configural.audit.probes.displacement import UNDEFINED
from configural.audit.result import Audit
from configural.errors import ConfiguralError
from configural.models.classifiers import CLIP


def headline(audit: Audit) -> str:
    """The answer in a few words: whether the classifier reads relations."""
    if "displacement" not in set(audit.scores["probe"]):
        return "Relations were not measured" if not audit.broken else "The audit was broken off"
    index = audit.relation_index()
    if _preference(audit)[1] < 0.5:
        return "It prefers wrong arrangements to right ones: are its classes the other way round?"
    if np.isnan(index["value"]):
        if index["note"] != UNDEFINED:
            return "Relations were not measured: " + str(index["note"]).removeprefix("undefined: ")
        if _saturated(audit) > 0.5:
            return (
                "Its probabilities are too near to 0 or 1 to tell what moved parts cost: it has no relation index"
            )
        return "Moved parts cost this classifier nothing that can be told from zero: it has no relation index"
    if index["low"] > 0:
        said = "It reads how the parts lie to each other more than where they lie"
        if index["low"] >= 0.5:
            said = "It reads mostly how the parts lie to each other"
        return said + _but(audit)
    if index["high"] <= 0:
        # Parts that move together leave a visible exemplar: what is lost is then a place in the image or on the exemplar.
        where = ", in the image or on the exemplar," if audit.settings["background"] == "canvas" else ""
        return f"It reads where the parts lie{where} more than how they lie to each other"
    return "Relations and places count about alike, or too little was measured to tell which counts more"


def _but(audit: Audit) -> str:
    """What is lost by moved parts says little of a classifier to which the right arrangement is none."""
    if _preference(audit)[0] > 0.5:
        return ""
    return ", but it is not shown to prefer right arrangements to wrong ones"


def _preference(audit: Audit) -> tuple[float, float]:
    """The interval of the paired choice; 1 if it was not asked."""
    try:
        choice = audit.score("forced_choice", "choice", "all")
    except ConfiguralError:
        return 1.0, 1.0
    return float(choice["low"]), float(choice["high"])


def _saturated(audit: Audit) -> float:
    """The share of answers about moved parts whose probability was cut off near 0 or 1."""
    answers = audit.answers.get("displacement")
    if answers is None or not len(answers):
        return 0.0
    edge = np.log(1 - CLIP) - np.log(CLIP)
    return float(np.isclose(answers["log_odds"].abs(), edge, rtol=0, atol=1e-6).mean())


def sentences(audit: Audit) -> list[str]:
    """The answer in sentences with their numbers."""
    said = []
    for sentence in (_index, _cut_off, _on_skin, _choice, _sure):
        try:
            said.append(sentence(audit))
        except ConfiguralError:  # that probe was not asked
            continue
    return [sentence for sentence in said if sentence]


def _index(audit: Audit) -> str:
    distance = audit.settings["relation_index_at"]
    index = audit.relation_index()
    if np.isnan(index["value"]) and index["note"] != UNDEFINED:
        return f"The relation index is {index['note']}."
    one = audit.score("displacement", "drop", "one part", distance)
    every = audit.score("displacement", "drop", "all", distance)
    drops = (
        f"When one part moves by {distance} pixels the log-odds of a face drop by {in_words(one)}, when all move "
        f"together by {in_words(every)}"
    )
    if np.isnan(index["value"]):
        return f"{drops}. Neither interval lies above zero, so the relation index is undefined."
    return f"{drops}: relation index {in_words(index, 2)}."


def _cut_off(audit: Audit) -> str:
    share = _saturated(audit)
    if share < 0.05:
        return ""
    return (
        f"In {100 * share:.0f} % of the answers about moved parts the probability was 0 or 1 to six digits: "
        "log-odds end there at ±13.8, and what is lost beyond is not seen. Log-odds in their place would tell more."
    )


def _on_skin(audit: Audit) -> str:
    if audit.settings["background"] != "canvas":
        return ""
    index = audit.score("displacement", "relation_index", "skin")
    said = "undefined" if np.isnan(index["value"]) else in_words(index, 2)
    return f"On plain skin, where moving all parts leaves no exemplar behind, the index is {said}."


def _choice(audit: Audit) -> str:
    choice = audit.score("forced_choice", "choice", "all")
    turned = (
        " That is less than by chance: name the place of face among its classes." if choice["high"] < 0.5 else ""
    )
    return (
        f"Of two images made of the same parts, it prefers the right arrangement in {in_percent(choice)} of "
        f"{choice['images']:,} pairs.{turned}"
    )


def _sure(audit: Audit) -> str:
    accuracy = audit.score("forced_choice", "accuracy")
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
    """A share with its interval: 93 % [90.1, 95.4]."""
    if np.isnan(score["value"]):
        return "undefined"
    # Less what is no more than floating point.
    value, low, high = (round(100 * score[name], 9) for name in ("value", "low", "high"))

    def number(percent: float) -> str:
        return f"{percent + 0.0:.1f}".removesuffix(".0")  # −0.0 + 0.0 is 0.0

    short = number(value)
    if short == "100" and value < 100:
        short = "> 99.9"
    if short == "0" and value > 0:
        short = "< 0.1"
    if np.isnan(low):
        return f"{short} %"
    # Rounded outwards, so that no interval is shown that lacks its value.
    low, high = np.floor(round(10 * low, 6)) / 10, np.ceil(round(10 * high, 6)) / 10
    return f"{short} % [{number(low)}, {number(high)}]"
