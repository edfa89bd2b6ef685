"""Functions and estimators from Python, as classifiers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import UInt8

from configural.errors import ConfiguralError
from configural.models.inputs import image_input, pixels
from configural.models.opening import Options
from configural.models.outputs import OpenedClassifier, Reading

Predict = Callable[[Any], Any]


def open_function(predict: Predict, options: Options) -> OpenedClassifier:
    """A function from uint8 images (n, h, w, 3) to n probabilities of the correct class, or one for each class."""
    reading = Reading(options.positive, options.output, known="probabilities")
    words, prepare = pixels(options, axis=-1) or ("yours" if options.prepare else "RGB bytes", options.prepare)
    return OpenedClassifier(
        reading=reading,
        kind="a function",
        preparation=words,
        name=options.name or getattr(predict, "__name__", type(predict).__name__),
        image_size=options.image_size,
        respond=_checked(predict, prepare, reading),
    )


def open_estimator(estimator: Any, options: Options) -> OpenedClassifier:
    """What has `predict_proba`, and `classes_` as labels, as scikit-learn's; it takes an image as a row of numbers.

    These lie pixel by pixel, as in `images.reshape(n, -1)`, unless `layout` says otherwise; bytes are multiplied by
    `scale`. Or `prepare` makes features of the images (n, h, w, 3).
    """
    labels = {position: str(label) for position, label in enumerate(getattr(estimator, "classes_", ()))}
    reading = Reading(options.positive, None, labels or None, known="probabilities")
    rows = replace(options, layout=options.layout or (None if options.prepare else "hwc"))
    given = image_input([getattr(estimator, "n_features_in_", None)], rows, dtype=np.float64)
    reading.guessed += given.guessed
    return OpenedClassifier(
        reading=reading,
        kind="an estimator",
        preparation=given.preparation,
        name=options.name or type(estimator).__name__,
        image_size=given.image_size,
        respond=_checked(estimator.predict_proba, given.prepare, reading),
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
        return came

    return respond
