"""Scores of one test."""

from dataclasses import dataclass

from configural.objects import FACE


@dataclass(frozen=True)
class Metrics:
    """Scores of one test.

    Attributes:
        accuracy: Fraction of images predicted correctly, 0 to 1.
        loss: Mean cross-entropy, in nats.
        confusion_matrix: A row per true class, with the number of images predicted as each class; the scrambled
            class comes first.
        class_names: Of the scrambled and the correct class.
    """

    accuracy: float
    loss: float
    confusion_matrix: tuple[tuple[int, int], tuple[int, int]]
    class_names: tuple[str, str] = FACE.class_names
