"""How images go into a network of another framework: the shape of its one input says it, or a person."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
from jaxtyping import Num, UInt8

from configural.errors import ConfiguralError
from configural.models.opening import Options

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
        options.refuse("scale", "layout", because="of no use where there is a prepare")
        size = options.image_size or _fitting(edges).get(options.layout or "hwc")
        return ImageInput(image_size=size, preparation="yours", guessed=(), prepare=options.prepare)
    layout, size = _layout(edges, options)
    if dtype is np.uint8:
        options.refuse("scale", because=f"{options.name or 'the model'} takes bytes")
        usual = ("RGB bytes", lambda images: images)
    said = options.scale is not None
    words, scaled = (
        usual if usual and not said else (f"RGB times {options.scale or 1:g}", _times(options.scale or 1.0))
    )

    def prepare(images: UInt8[np.ndarray, "n h w 3"]) -> Any:
        values = scaled(images).transpose(LAYOUTS[layout]).astype(dtype)
        return np.ascontiguousarray(values.reshape(len(images), -1) if len(edges) == 1 else values)

    return ImageInput(
        image_size=options.agreed_size(size),
        preparation=words + (f", in a row ({layout})" if len(edges) == 1 else ""),
        guessed=() if said or dtype is np.uint8 else ("preparation",),
        prepare=prepare,
    )


def _times(scale: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda images: images * scale


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
