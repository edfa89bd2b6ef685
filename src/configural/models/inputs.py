"""How images go into a network of another framework: the shape of its one input says it, or a person."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
from jaxtyping import Num, UInt8

from configural.errors import ConfiguralError
from configural.models.opening import PIXELS, Options, PerColour

LAYOUTS = {"hwc": (0, 1, 2, 3), "chw": (0, 3, 1, 2)}
"""Pixel by pixel with three colours each, or one colour after the other: the axes of images (n, h, w, 3)."""


@dataclass(frozen=True, kw_only=True)
class ImageInput:
    """An input that takes images.

    Attributes:
        image_size: Rows and columns that it takes; None if any.
        preparation: What images go through first, in words.
        guessed: What of it nobody has said.
        prepare: From uint8 RGB images (n, h, w, 3) to what it takes.
    """

    image_size: int | None
    preparation: str
    guessed: tuple[str, ...]
    prepare: Callable[[UInt8[np.ndarray, "n h w 3"]], Any]


def image_input(
    shape: Sequence[Any],
    options: Options,
    *,
    dtype: Any = np.float32,
    usual: tuple[str, Callable[[UInt8[np.ndarray, "n h w 3"]], Num[np.ndarray, "n h w 3"]]] | None = None,
) -> ImageInput:
    """How images go into an input: by `prepare`, else by layout, scaled unless it takes bytes.

    Args:
        shape: Of one image: (rows, columns, 3), (3, rows, columns) or rows · columns · 3 numbers; what is no whole
            number may be any.
        options: What a user said of it.
        dtype: What it takes.
        usual: In words and as a function, what images go through where nobody says it; by default nothing.

    Raises:
        ConfiguralError: If it takes no square RGB images, an option contradicts it, or the layout must be said.
    """
    edges = [edge if isinstance(edge, int) else None for edge in shape]
    if options.prepare is not None:
        options.refuse(*PIXELS, "layout", because="of no use where there is a prepare")
        size = options.image_size or _fitting(edges).get(options.layout or "hwc")
        return ImageInput(image_size=size, preparation="yours", guessed=(), prepare=options.prepare)
    layout, size = _layout(edges, options)
    if dtype is np.uint8:
        options.refuse(*PIXELS, because=f"{options.name or 'the model'} takes bytes")
        usual = ("RGB bytes", lambda images: images)
    own = pixels(options, axis=-1)
    said = own is not None
    words, scaled = own or usual or ("RGB times 1", lambda images: images)

    def prepare(images: UInt8[np.ndarray, "n h w 3"]) -> Any:
        values = scaled(images).transpose(LAYOUTS[layout]).astype(dtype)
        return np.ascontiguousarray(values.reshape(len(images), -1) if len(edges) == 1 else values)

    return ImageInput(
        image_size=options.agreed_size(size),
        preparation=words + (f", in a row ({layout})" if len(edges) == 1 else ""),
        guessed=() if said or dtype is np.uint8 else ("preparation",),
        prepare=prepare,
    )


def pixels(options: Options, *, axis: int) -> tuple[str, Callable[[Any], Any]] | None:
    """What scale, mean, std and channels make of pixels, in words and as a function; None if none is given.

    Args:
        options: What a user said.
        axis: Of the channels, in an array or a tensor.

    Raises:
        ConfiguralError: If one of them is impossible, or there is a `prepare` that does all of it.
    """
    given = [name for name in PIXELS if getattr(options, name) is not None]
    if not given:
        return None
    if options.prepare is not None:
        options.refuse(*given, because="of no use where there is a prepare")
    if options.channels not in (None, "rgb", "bgr"):
        raise ConfiguralError(f"channels '{options.channels}': choose rgb or bgr")
    mean, std = (_per_colour(name, getattr(options, name)) for name in ("mean", "std"))
    normalised = mean is not None or std is not None
    scale = options.scale if options.scale is not None else 1 / 255 if normalised else 1.0
    words: list[str] = [(options.channels or "rgb").upper()]
    words.append("from 0 to 1" if scale == 1 / 255 else f"times {scale:g}")
    for what, values in (("less", mean), ("divided by", std)):
        if values is not None:
            words.append(f"{what} {', '.join(f'{value:g}' for value in dict.fromkeys(values.tolist()))}")

    def prepared(images: Any) -> Any:
        values = images
        if options.channels == "bgr":
            values = values.flip(axis) if hasattr(values, "flip") else np.flip(values, axis)
        values = values * scale
        shape = [1] * values.ndim
        shape[axis] = 3
        for numbers, divides in ((mean, False), (std, True)):
            if numbers is not None:
                fitted = numbers.reshape(shape)
                # A tensor does not mix with double precision on every device.
                fitted = values.new_tensor(fitted) if hasattr(values, "new_tensor") else fitted
                values = values / fitted if divides else values - fitted
        return values

    return " ".join(words), prepared


def _per_colour(name: str, given: PerColour) -> np.ndarray | None:
    if given is None:
        return None
    try:
        said = given.split(",") if isinstance(given, str) else np.ravel(np.asarray(given)).tolist()
        numbers = np.array([float(value) for value in said])
    except (TypeError, ValueError):
        numbers = np.array([])
    usable = len(numbers) in (1, 3) and np.isfinite(numbers).all() and (name == "mean" or (numbers > 0).all())
    if not usable:
        above = "" if name == "mean" else " above 0"
        raise ConfiguralError(f"{name} '{given}': write one number{above}, or three with commas between")
    return np.broadcast_to(numbers, 3).copy()


def _layout(edges: Sequence[int | None], options: Options) -> tuple[str, int | None]:
    """The layout, and the rows where they are known."""
    model, fitting = options.name or "the model", _fitting(edges)
    if not fitting:
        raise ConfiguralError(
            f"{model}: takes images of shape {tuple(edges)}; wanted are square RGB images, (rows, columns, 3), "
            "(3, rows, columns) or rows · columns · 3 numbers"
        )
    if options.layout is not None:
        if options.layout not in LAYOUTS:
            raise ConfiguralError(f"layout '{options.layout}': unknown; choose from {', '.join(LAYOUTS)}")
        if options.layout not in fitting:
            raise ConfiguralError(f"layout '{options.layout}': {model} takes images of shape {tuple(edges)}")
        return options.layout, fitting[options.layout]
    likely = [layout for layout in fitting if edges[2 if layout == "hwc" else 0] == 3] if len(edges) == 3 else []
    if len(likely) != 1 and len(fitting) != 1:
        raise ConfiguralError(
            f"layout: {model} does not say how the numbers of an image lie; say 'hwc' if it is pixel by pixel, "
            "'chw' if one colour comes after the other"
        )
    layout = (likely or list(fitting))[0]
    return layout, fitting[layout]


def _fitting(edges: Sequence[int | None]) -> dict[str, int | None]:
    """The layouts that square RGB images of the shape may have, with their rows."""
    if len(edges) == 1:
        rows = None if edges[0] is None else isqrt(edges[0] // 3)
        return dict.fromkeys(LAYOUTS, rows) if rows is None or (rows and 3 * rows**2 == edges[0]) else {}
    found: dict[str, int | None] = {}
    for layout, colours in (("hwc", 2), ("chw", 0)):
        if len(edges) == 3 and edges[colours] in (3, None):
            sides = {edge for axis, edge in enumerate(edges) if axis != colours and edge is not None}
            if len(sides) < 2:
                found[layout] = next(iter(sides), None)
    return found


_LARGEST = 4096
"""Images of a fixed batch: they are all made, however few are asked about."""


def in_batches(call: Callable[[Any], list[Any]], values: Any, size: Any) -> list[np.ndarray]:
    """Outputs for all values, of a network that may take batches of so many alone; the last one is filled up."""
    step = size if isinstance(size, int) and size > 0 else max(len(values), 1)
    if step > max(_LARGEST, len(values)):
        raise ConfiguralError(f"the model takes batches of {step:,} images alone; at most {_LARGEST:,} are made")
    batches = []
    for first in range(0, len(values), step):
        some = values[first : first + step]
        filled = np.resize(some, (step, *some.shape[1:]))
        batches.append([np.asarray(output)[: len(some)] for output in call(filled)])
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]
