"""What can be audited: anything that answers images, or answers the stimuli that images are drawn from."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from configural.errors import ConfiguralError
from configural.stimuli import Stimulus

CLIP = 1e-6
"""Probabilities nearer to 0 or 1 than this count as this near: log-odds lie within ±13.8 nats."""


@runtime_checkable
class RespondsToImages(Protocol):
    """A classifier of images that gives log-odds."""

    def log_odds(self, images: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, " n"]:
        """Log-odds of face in nats, one per RGB image."""


@runtime_checkable
class RespondsToStimuli(Protocol):
    """A classifier that reads what images are made of, not their pixels, as the reference classifiers do."""

    def log_odds_of(self, stimuli: Sequence[Stimulus]) -> Float[np.ndarray, " n"]:
        """Log-odds of face in nats, one per stimulus."""


@runtime_checkable
class Differentiable(RespondsToImages, Protocol):
    """A classifier of images that gradients can be taken of.

    Attributes:
        module: The network inside; its last two-dimensional convolution is where fields of view are measured.
    """

    module: nn.Module

    def scores(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"]:
        """Log-odds of face of RGB images of 0 to 255, differentiable."""


Predict = Callable[[np.ndarray], Any]
"""From uint8 images (n, h, w, 3) to n probabilities of face."""

Subject = RespondsToImages | RespondsToStimuli


class FromProbability:
    """A function from images to probabilities, as a classifier that gives log-odds."""

    def __init__(self, predict: Predict) -> None:
        """Take the function.

        Args:
            predict: From uint8 RGB images (n, h, w, 3) to n probabilities of face.
        """
        self.predict = predict

    def log_odds(self, images: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, " n"]:
        """Log-odds of the probabilities, which are clipped to `CLIP` from 0 and 1.

        Raises:
            ConfiguralError: If what the function returns is not one number from 0 to 1 for each image.
        """
        n = len(images)
        wanted = f"wanted are {n} probabilities of face, of shape ({n},)"
        came = self.predict(images)
        try:
            p = np.asarray(came, dtype=float)
        except (TypeError, ValueError):
            raise ConfiguralError(f"predict returned {type(came).__name__}; {wanted}") from None
        if p.shape != (n,):
            cure = ""
            if p.ndim == 2 and len(p) == n and p.shape[1]:
                cure = f"; give its column of face, such as p[:, {min(p.shape[1], 2) - 1}]"
            raise ConfiguralError(f"predict returned shape {p.shape}; {wanted}{cure}")
        if np.isnan(p).any():
            raise ConfiguralError(f"predict returned NaN for {np.isnan(p).sum()} of {n} images; {wanted}")
        wrong = (p < 0) | (p > 1)
        if wrong.any():
            raise ConfiguralError(
                f"predict returned {p[wrong][0]:g}, outside of 0 to 1; {wanted} (are these logits? apply a sigmoid)"
            )
        p = np.clip(p, CLIP, 1 - CLIP)
        return np.log(p) - np.log1p(-p)


def subject(predict: Predict | Subject) -> Subject:
    """What is audited, from what a user gives.

    Raises:
        ConfiguralError: If it is neither a function nor a classifier.
    """
    if isinstance(predict, RespondsToImages | RespondsToStimuli):
        return predict
    if isinstance(predict, nn.Module):
        raise ConfiguralError(
            f"a torch module ({type(predict).__name__}) takes no images of bytes: wrap it, "
            "configural.models.adapters.from_module(module, prepare)"
        )
    if not callable(predict):
        raise ConfiguralError(
            f"a {type(predict).__name__} cannot be audited: give a function from images (n, h, w, 3) to n "
            "probabilities of face"
        )
    return FromProbability(predict)


def checked(log_odds: np.ndarray, n: int) -> Float[np.ndarray, " n"]:
    """A classifier's answers to n images.

    Raises:
        ConfiguralError: If they are not one finite number each.
    """
    log_odds = np.asarray(log_odds, float)
    if log_odds.shape != (n,):
        raise ConfiguralError(f"it gave log-odds of shape {log_odds.shape} for {n} images; wanted is ({n},)")
    if not np.isfinite(log_odds).all():
        bad = (~np.isfinite(log_odds)).sum()
        raise ConfiguralError(f"it gave NaN or infinity for {bad} of {n} images; wanted are finite log-odds")
    return log_odds
