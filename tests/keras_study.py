"""The study's networks written down in Keras itself, layer by layer, to compare with."""

import os
from typing import Any

import numpy as np
import pytest

os.environ["KERAS_BACKEND"] = "torch"  # Keras looks at it once, when it is imported

FILTERS = (32, 64, 128, 256, 512)


def import_keras() -> Any:
    return pytest.importorskip("keras", reason="Keras is not installed (extra 'keras')")


def build(name: str, image_size: int, dropout: float = 0.2, dtype: str = "float32") -> Any:
    keras = import_keras()
    layers = keras.layers
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    model = keras.Sequential(name="study")
    model.add(keras.Input((image_size, image_size, 3)))
    for block in range(1, 6 if name in ("cnn-15", "fcn-16") else 5):
        filters = FILTERS[block - 1]
        model.add(layers.Conv2D(filters, (3, 3), padding="same", activation="relu", name=f"Conv_{block}"))
        model.add(layers.MaxPooling2D((2, 2), name=f"Max_{block}"))
        if block in (1, 3):
            model.add(layers.Dropout(dropout, name=f"DO_{block}"))
        if block == 1:
            model.add(layers.BatchNormalization(name="BN_1"))
    if name.startswith("cnn"):
        model.add(layers.Flatten(name="Flat_con"))
        model.add(layers.Dense(2, activation="softmax", name="D_con"))
    else:
        model.add(layers.Conv2D(2, (1, 1), name="Conv_con"))
        model.add(layers.GlobalMaxPooling2D(name="GMax_con"))
        model.add(layers.Activation("softmax", name="softmax"))
    keras.config.set_dtype_policy(before)
    return model


def roughen(model: Any, seed: int = 0) -> None:
    """Give biases and batch normalisation numbers that show when they are mixed up.

    The running values have about the size of Conv_1's output, so that the softmax is not saturated.
    """
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        weights = layer.get_weights()
        if layer.name == "BN_1":
            ranges = ((0.5, 1.5), (-0.5, 0.5), (0, 60), (500, 3000))
            layer.set_weights([rng.uniform(*r, 32).astype(np.float32) for r in ranges])
        elif weights:
            kernel, bias = weights
            layer.set_weights([kernel, rng.uniform(-0.3, 0.3, bias.shape).astype(np.float32)])


def images(count: int, image_size: int, seed: int = 0) -> np.ndarray:
    """Random RGB images, uint8, count × rows × columns × 3; each of another contrast and colour."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (count, image_size, image_size, 3))
    low, high = np.sort(rng.uniform(0, 1, (2, count, 1, 1, 3)), axis=0)
    return np.round(noise * (high - low) + 255 * low).clip(0, 255).astype(np.uint8)


def prepared(rgb: np.ndarray) -> np.ndarray:
    keras = import_keras()
    return keras.applications.vgg16.preprocess_input(rgb.astype(np.float32))


def softmax(model: Any, rgb: np.ndarray) -> np.ndarray:
    return np.asarray(model.predict_on_batch(prepared(rgb)))


def numbers(model: Any) -> dict[str, np.ndarray]:
    """All numbers of a Keras model by the names and in the order of ours."""
    result = {}
    for layer in model.layers:
        match layer.get_weights():
            case [gamma, beta, mean, variance]:
                values = {"weight": gamma, "bias": beta, "running_mean": mean, "running_var": variance}
            case [kernel, bias]:
                values = {"weight": out_first(kernel), "bias": bias}
            case _:
                values = {}
        result |= {f"{layer.name}.{name}": value for name, value in values.items()}
    return result


def out_first(kernel: np.ndarray) -> np.ndarray:
    """A Keras kernel in PyTorch's order, cell by cell for the dense layer."""
    if kernel.ndim == 4:
        return np.moveaxis(kernel, (3, 2), (0, 1))
    channels = next(f for f in (512, 256) if (len(kernel) / f) ** 0.5 % 1 == 0)
    side = round((len(kernel) / channels) ** 0.5)
    result = np.empty_like(kernel.T)
    for row in range(side):
        for column in range(side):
            for channel in range(channels):
                ours = channel * side * side + row * side + column
                result[:, ours] = kernel[row * side * channels + column * channels + channel]
    return result
