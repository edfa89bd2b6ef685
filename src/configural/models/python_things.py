"""Functions and estimators from Python, as classifiers."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import UInt8

from configural.errors import ConfiguralError
from configural.models.opening import Options
from configural.models.outputs import OpenedClassifier, Reading

Predict = Callable[[Any], Any]


def open_function(predict: Predict, options: Options) -> OpenedClassifier:
    """A function from uint8 images (n, h, w, 3) to n probabilities of the correct class, or one for each class."""
    reading = Reading(options.positive, options.output, known="probabilities")
    return OpenedClassifier(
        reading=reading,
        kind="a function",
        preparation="yours" if options.prepare else "RGB bytes",
        name=options.name or getattr(predict, "__name__", type(predict).__name__),
        image_size=options.image_size,
        respond=_checked(predict, options.prepare, reading),
    )


def open_estimator(estimator: Any, options: Options) -> OpenedClassifier:
    """What has `predict_proba`, and `classes_` as labels, as scikit-learn's; it takes an image as a row of numbers.

    Bytes are multiplied by `scale`, or `prepare` makes features of the images (n, h, w, 3).
    """
    if options.scale is not None and options.prepare is not None:
        raise ConfiguralError("scale: of no use where there is a prepare; leave one of them out")
    scale = options.scale or 1.0
    labels = {position: str(label) for position, label in enumerate(getattr(estimator, "classes_", ()))}
    reading = Reading(options.positive, None, labels or None, known="probabilities")
    prepare = options.prepare or (lambda images: images.reshape(len(images), -1) * scale)
    return OpenedClassifier(
        reading=reading,
        kind="an estimator",
        preparation="yours" if options.prepare else f"RGB bytes in a row, times {scale:g}",
        name=options.name or type(estimator).__name__,
        image_size=options.image_size,
        respond=_checked(estimator.predict_proba, prepare, reading),
    )


def _checked(predict: Predict, prepare: Predict | None, reading: Reading) -> Predict:
    """Say what a function was to return where it returns something else."""

    def respond(images: UInt8[np.ndarray, "n h w 3"]) -> Any:
        n = len(images)
        came = predict(images if prepare is None else prepare(images))
        wanted = f"wanted are {n} {reading.given} of the correct class, of shape ({n},)"
        try:
            values = reading.numbers(came)
        except ConfiguralError as error:
            raise ConfiguralError(f"predict: {error}; {wanted}") from error
        if len(values) != n:
            raise ConfiguralError(f"predict returned shape {tuple(np.shape(came))}; {wanted}")
        if missing := int(values.isnan().any(dim=1).sum()):
            raise ConfiguralError(f"predict returned NaN for {missing} of {n} images; {wanted}")
        return came

    return respond
