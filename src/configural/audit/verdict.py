"""What an audit says, in sentences."""

import numpy as np

from configural.audit.probes.displacement import ALL, ONE, UNDEFINED
from configural.audit.result import NOT_MEASURED, Audit
from configural.errors import ConfiguralError
from configural.models.classifiers import CLIP
from configural.wording import in_percent, in_words

_SAID = ("index", "choice", "accuracy")
"""Headings of which the sentences tell with words of their own."""


def headline(audit: Audit) -> str:
    """The result in a few words: whether the classifier reads relations.

    Example:
        >>> import configural as cf
        >>> with cf.progress.hidden():
        ...     library = cf.portraits.load("synthetic:6")
        ...     observer = cf.audit.observers(library)["relation observer"]
        ...     found = cf.audit.audit(observer, library, pairs=20, probes=["forced_choice", "displacement"])
        >>> cf.audit.headline(found)
        'It reads mostly how the parts lie to each other'
    """
    if "displacement" not in set(audit.scores["probe"]):
        return "The audit was interrupted" if audit.interruption else "Relations were not measured"
    index, choice = audit.relation_index(), audit.headed("choice")
    if choice["high"] < 0.5:
        return "It prefers scrambled arrangements to correct ones: are its classes the other way round?"
    if np.isnan(index["value"]):
        if index["note"] != UNDEFINED:
            return "Relations were not measured: " + str(index["note"]).removeprefix("undefined: ")
        if _saturated(audit) > 0.5:
            return (
                "Its probabilities are too near to 0 or 1 to tell what moved parts cost: it has no relation index"
            )
        return "Moved parts cost this classifier nothing distinguishable from zero: it has no relation index"
    if index["low"] > 0:
        mostly = index["low"] >= 0.5
        said = "It reads mostly how the parts lie to each other"
        said = said if mostly else "It reads how the parts lie to each other more than where they lie"
        # What is lost by moved parts says little of a classifier that does not prefer the correct arrangement.
        return said + (
            ", but it is not shown to prefer correct arrangements to scrambled ones" if choice["low"] <= 0.5 else ""
        )
    if index["high"] <= 0:
        # Parts that move together leave a visible canvas: what is lost is then a position in the image or on it.
        where = ", in the image or on the canvas," if audit.facts.background == "canvas" else ""
        return f"It reads where the parts lie{where} more than how they lie to each other"
    return "Relations and positions count about alike, or too little was measured to say which counts more"


def _saturated(audit: Audit) -> float:
    """The fraction of responses about moved parts whose probability was clipped near 0 or 1."""
    responses = audit.responses.get("displacement")
    if responses is None or not len(responses):
        return 0.0
    edge = np.log(1 - CLIP) - np.log(CLIP)
    return float(np.isclose(responses["log_odds"].abs(), edge, rtol=0, atol=1e-6).mean())


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
    for sentence in (_index, _clipped, _on_skin, _choice, _accuracy):
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
        f"When one part moves by {which.at:g} pixels the log-odds of {audit.facts.class_names[1]} drop by "
        f"{in_words(one)}, when all move together by {in_words(every)}"
    )
    if np.isnan(index["value"]):
        return f"{drops}. Neither interval lies above zero, so the relation index is undefined."
    return f"{drops}: relation index {in_words(index, 2)}."


def _clipped(audit: Audit) -> str:
    fraction = _saturated(audit)
    if fraction < 0.05:
        return ""
    return (
        f"In {100 * fraction:.0f} % of the responses about moved parts the probability was 0 or 1 to six digits: "
        "log-odds end there at ±13.8, and what is lost beyond is not seen. Log-odds in their place would tell more."
    )


def _on_skin(audit: Audit) -> str:
    if audit.facts.background != "canvas":
        return ""
    index = audit.score("displacement", "relation_index", of="skin")
    said = "undefined" if np.isnan(index["value"]) else in_words(index, 2)
    return f"On plain skin, where moving all parts leaves no canvas behind, the index is {said}."


def _choice(audit: Audit) -> str:
    choice = audit.score("forced_choice", "choice", of="all")
    correct = audit.facts.class_names[1]
    turned = (
        f" That is below chance: name the position of {correct} among its classes." if choice["high"] < 0.5 else ""
    )
    return (
        f"Of two images made of the same parts, it prefers the correct arrangement in {in_percent(choice)} of "
        f"{choice['images']:,} pairs.{turned}"
    )


def _accuracy(audit: Audit) -> str:
    accuracy = audit.score("forced_choice", "accuracy")
    scrambled, correct = audit.facts.class_names
    return f"One by one, it predicts {correct} or {scrambled} correctly for {in_percent(accuracy)} of the images."
