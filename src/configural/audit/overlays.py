"""What is drawn over an image: a heat map, the frame of a square."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from matplotlib.colors import to_rgb

from configural.audit.plotting import BLUE, ORANGE

_FINE = 64

Image = UInt8[np.ndarray, "size size 3"]


def heat(image: Image, values: Float[np.ndarray, "rows cols"]) -> Image:
    """Numbers over an image in grey: above zero blue, below orange, the stronger the nearer to the largest one."""
    size = len(image)
    if len(values) > _FINE:  # single pixels are too small to be seen
        values = cv2.GaussianBlur(values, (0, 0), len(values) / _FINE)
    strength = cv2.resize(values.astype(np.float32), (size, size), interpolation=cv2.INTER_NEAREST)
    # The largest of a hundred thousand pixels would leave all others pale.
    strength = np.clip(strength / max(float(np.quantile(np.abs(values), 0.995)), 1e-9), -1, 1)[..., None]
    grey = 128 + 0.5 * (image.mean(axis=2, keepdims=True) - 128)
    blue, orange = (255 * np.array(to_rgb(colour)) for colour in (BLUE, ORANGE))
    colour = np.where(strength > 0, blue, orange)
    mixed = grey * (1 - 0.85 * np.abs(strength)) + colour * 0.85 * np.abs(strength)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def framed(image: Image, middle: Int[np.ndarray, "2"], sides: Sequence[float]) -> Image:
    """An image with frames of squares around a row and column: blue, orange, and dark beyond the largest."""
    drawn, width = image.copy(), max(1, len(image) // 100)
    colours = [[round(255 * part) for part in to_rgb(colour)] for colour in (BLUE, ORANGE)]
    ends = [[np.rint(middle + sign * side / 2).astype(int) for sign in (-1, 1)] for side in sides]
    beyond = np.ones(image.shape[:2], bool)
    for low, high in ends:
        beyond[max(low[0], 0) : max(high[0], 0), max(low[1], 0) : max(high[1], 0)] = False
    drawn[beyond] = drawn[beyond] // 2
    for (low, high), colour in zip(ends, colours, strict=False):
        first, second = (np.clip(corner[::-1], 0, len(image) - 1).tolist() for corner in (low, high))
        cv2.rectangle(drawn, first, second, colour, width)
    return drawn
