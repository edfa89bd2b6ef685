"""What a classifier of images is, whatever it was opened from."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

CLIP = 1e-6
"""Probabilities nearer to 0 or 1 than this count as this near: log-odds lie within ±13.8 nats."""

FINEST = 2.0**-53
"""The same of two probabilities of 64 bits, each of which tells how near it is to 0: ±36.7 nats."""


@runtime_checkable
class RespondsToImages(Protocol):
    """Whatever gives log-odds for images."""

    def log_odds(self, images: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, " n"]:
        """Log-odds of the correct class in nats, one per RGB image."""


@runtime_checkable
class Classifier(RespondsToImages, Protocol):
    """A classifier of images, as `models.open` gives it."""

    @property
    def name(self) -> str:
        """What to call it."""

    @property
    def image_size(self) -> int | None:
        """Rows and columns that it takes; None if any."""

    def describe(self) -> dict[str, Any]:
        """What was understood: kind, output, positive (class), preparation, and what of it is guessed; as JSON."""


@runtime_checkable
class Differentiable(RespondsToImages, Protocol):
    """Whatever gives log-odds for images that gradients can be taken of."""

    @property
    def module(self) -> Any:
        """The torch network inside; receptive fields are measured at its last two-dimensional convolution."""

    def scores(self, images: Any) -> Any:
        """Log-odds of the correct class (n,) of RGB images (n, 3, h, w), floats of 0 to 255; differentiable."""
