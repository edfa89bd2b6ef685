"""Functions and estimators from Python, as classifiers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from configural.errors import ConfiguralError
from configural.models.opening import Options
from configural.models.outputs import Reading


@dataclass(frozen=True, eq=False)
class FunctionClassifier:
    """A function from images to probabilities, or what `output` says, as a classifier.

    Attributes:
        predict: From uint8 RGB images (n, h, w, 3), or what `prepare` makes of them, to outputs.
        reading: Of its outputs.
        name: What to call it.
        image_size: Rows and columns that it takes; None if any.
        kind: What it was opened from.
        prepare: What the images go through first.
        preparation: What that does, in words.
    """

    predict: Callable[[Any], Any]
    reading: Reading
    name: str
    image_size: int | None
    kind: str
    prepare: Callable[[np.ndarray], Any] | None = None
    preparation: str = "RGB bytes"

    def log_odds(self, images: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, " n"]:
        """Log-odds of the correct class; probabilities are clipped to `CLIP` from 0 and 1.

        Raises:
            ConfiguralError: If what the function returns is not a number, or one per class, for each image.
        """
        n = len(images)
        came = self._outputs(images)
        wanted = f"wanted are {n} {self.reading.given} of the correct class, of shape ({n},)"
        try:
            values = self.reading.numbers(came)
        except ConfiguralError as error:
            raise ConfiguralError(f"predict returned {_what(came)}; {wanted} ({error})") from error
        if len(values) != n:
            raise ConfiguralError(f"predict returned shape {tuple(np.shape(came))}; {wanted}")
        if missing := int(values.isnan().any(dim=1).sum()):
            raise ConfiguralError(f"predict returned NaN for {missing} of {n} images; {wanted}")
        self.reading.decide(came, self._outputs, images.shape[1])
        return np.asarray(self.reading.log_odds(came).double().numpy())

    def _outputs(self, images: UInt8[np.ndarray, "n h w 3"]) -> Any:
        return self.predict(images if self.prepare is None else self.prepare(images))

    def describe(self) -> dict[str, Any]:
        """What was understood."""
        return {"kind": self.kind, "preparation": self.preparation, **self.reading.describe()}


def _what(came: Any) -> str:
    try:
        return f"shape {np.asarray(came, float).shape}"
    except (TypeError, ValueError):
        return type(came).__name__


def open_function(predict: Callable[[Any], Any], options: Options) -> FunctionClassifier:
    """A function from uint8 images (n, h, w, 3) to n probabilities of the correct class, or one for each class."""
    reading = Reading.of(options.positive, options.output, known="probabilities")
    name = options.name or getattr(predict, "__name__", type(predict).__name__)
    words = "RGB bytes" if options.prepare is None else "yours"
    return FunctionClassifier(predict, reading, name, options.image_size, "a function", options.prepare, words)


def open_estimator(estimator: Any, options: Options) -> FunctionClassifier:
    """What has `predict_proba`, as scikit-learn's classifiers: it takes rows of numbers, an image each.

    Args:
        estimator: Its `classes_` are its labels.
        options: `scale` multiplies bytes, or `prepare` makes features of the images (n, h, w, 3).
    """
    if options.scale is not None and options.prepare is not None:
        raise ConfiguralError("scale: of no use where there is a prepare; leave one of them out")
    scale = options.scale or 1.0

    def rows(images: UInt8[np.ndarray, "n h w 3"]) -> np.ndarray:
        return images.reshape(len(images), -1) * scale

    labels = {position: str(label) for position, label in enumerate(getattr(estimator, "classes_", ()))}
    return FunctionClassifier(
        estimator.predict_proba,
        Reading.of(options.positive, None, labels or None, known="probabilities"),
        options.name or type(estimator).__name__,
        options.image_size,
        "an estimator",
        options.prepare or rows,
        "yours" if options.prepare else f"RGB bytes in a row, times {scale:g}",
    )
