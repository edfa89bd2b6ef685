"""What can be audited: anything that responds to images, or to the stimuli that images are drawn from."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from configural import models
from configural.errors import ConfiguralError
from configural.models.classifiers import Classifier, RespondsToImages
from configural.stimuli import Stimulus


@runtime_checkable
class Observer(Protocol):
    """A classifier that reads what images are made of, not their pixels."""

    def log_odds_of(self, stimuli: Sequence[Stimulus]) -> Float[np.ndarray, " n"]:
        """Log-odds of the correct class in nats, one per stimulus."""


Respondent = RespondsToImages | Observer
Predict = Callable[[np.ndarray], Any]
"""From uint8 RGB images (n, h, w, 3) to n probabilities of the correct class."""


def respondent(predict: Any) -> Respondent:
    """What is audited, from what a user gives: what responds as it is, anything else as `models.open` opens it.

    Raises:
        ConfiguralError: If it is nothing that responds.
    """
    return predict if isinstance(predict, RespondsToImages | Observer) else models.open(predict)


def described(classifier: Respondent) -> dict[str, Any]:
    """What is known of a classifier."""
    if isinstance(classifier, Classifier):
        return classifier.describe()
    return {
        "kind": "observer" if isinstance(classifier, Observer) else "classifier",
        "type": type(classifier).__name__,
    }


def checked(log_odds: np.ndarray, n: int) -> Float[np.ndarray, " n"]:
    """A classifier's responses to n images, refused if they are not one finite number each."""
    log_odds = np.asarray(log_odds, float)
    if log_odds.shape != (n,):
        raise ConfiguralError(f"it gave log-odds of shape {log_odds.shape} for {n} images; wanted is ({n},)")
    if not np.isfinite(log_odds).all():
        bad = (~np.isfinite(log_odds)).sum()
        raise ConfiguralError(f"it gave NaN or infinity for {bad} of {n} images; wanted are finite log-odds")
    return log_odds
