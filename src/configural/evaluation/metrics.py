"""Scores of one test."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metrics:
    """Scores of one test.

    Attributes:
        accuracy: Share of images right, 0 to 1.
        loss: Mean cross-entropy, in nats.
        confusion_matrix: [[no_face right, no_face as face], [face as no_face, face right]].
    """

    accuracy: float
    loss: float
    confusion_matrix: tuple[tuple[int, int], tuple[int, int]]
