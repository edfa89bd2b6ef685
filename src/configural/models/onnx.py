"""ONNX files as classifiers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from configural.errors import ConfiguralError, first_line
from configural.io.reading import reading as reading_file
from configural.models.inputs import image_input, in_batches
from configural.models.opening import Options, imported
from configural.models.outputs import OpenedClassifier, Reading

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}


def open_onnx(path: Path, options: Options) -> OpenedClassifier:
    """A network of one input of RGB images; see `inputs.image_input` for how they may lie in it.

    Whole numbers, such as the class that scikit-learn's classifiers give beside its probability, are no responses.
    """
    runtime = imported("onnxruntime", "onnx")
    session_options = runtime.SessionOptions()
    session_options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = runtime.InferenceSession(str(path), session_options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class of its own for each failure
        raise ConfiguralError(f"{path}: not a readable ONNX network ({first_line(error)})") from error
    taken = session.get_inputs()
    if len(taken) != 1:
        raise ConfiguralError(f"{path}: takes {[one.shape for one in taken]}; wanted is one input of RGB images")
    if taken[0].type not in _TYPES:
        raise ConfiguralError(f"{path}: takes {taken[0].type}; wanted are {', '.join(_TYPES)}")
    with reading_file(path, "a readable ONNX network"):
        for name, numbers in _weights(path):
            if np.isnan(numbers).any():  # infinity may be meant: attention masks are made of it
                raise ConfiguralError(f"{path}: damaged, its {name} holds NaN")
    batch, *shape = taken[0].shape
    dtype = _TYPES[taken[0].type]
    given = image_input(shape, options, dtype=dtype)
    reading = Reading(options.positive, options.output)
    reading.guessed += given.guessed
    names = [one.name for one in session.get_outputs() if one.type in _TYPES or "map(" in one.type]
    if not names:
        raise ConfiguralError(f"{path}: gives {[one.type for one in session.get_outputs()]}; wanted are numbers")
    if not reading.output:
        reading.output = "logits" if "logits" in names else names[0]
        reading.guessed += ["which output"] if len(names) > 1 else []

    def call(values: Any) -> list[np.ndarray]:
        try:
            found = session.run(names, {taken[0].name: np.asarray(values, dtype)})
        except Exception as error:
            raise ConfiguralError(f"{path}: does not take images of this shape ({first_line(error)})") from error
        return [_columns(output, reading) if isinstance(output, list) else output for output in found]

    def respond(images: UInt8[np.ndarray, "n h w 3"]) -> dict[str, np.ndarray]:
        return dict(zip(names, in_batches(call, given.prepare(images), batch), strict=True))

    return OpenedClassifier(
        reading=reading,
        kind=".onnx",
        preparation=given.preparation,
        name=options.name,
        image_size=given.image_size,
        respond=respond,
    )


def _columns(rows: list[dict[Any, float]], reading: Reading) -> np.ndarray:
    """Probabilities by class, as skl2onnx writes them by default, as columns; the classes are the labels."""
    reading.labels = {position: str(label) for position, label in enumerate(rows[0])}
    return np.array([[row[label] for label in rows[0]] for row in rows])


def weights_files(path: Path) -> list[Path]:
    """The files beside an ONNX file in which its weights are, such as model.onnx.data; none if it is damaged."""
    try:
        stored = [_stored_outside(tensor) for tensor in _tensors(path)]
    except (IndexError, TypeError, ValueError, OSError):
        return []
    return sorted({path.parent / where["location"] for where in stored if "location" in where})


def _weights(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Names and numbers of the weights that are stored as floats."""
    for tensor in _tensors(path):
        dtype = _FLOATS.get(tensor.get(_TYPE, [0])[0], "")
        parts: list[Any] = [part for key in _NUMBERS for part in tensor.get(key, [])]
        if outside := _stored_outside(tensor):
            start, length = (int(outside.get(key, 0)) for key in ("offset", "length"))
            whole = np.memmap(path.parent / outside["location"], np.uint8, "r")
            parts = [whole[start : start + length if length else None]]
        for part in parts if dtype else ():
            yield str(tensor[_NAME][0], "utf-8"), np.frombuffer(part, dtype)


def _tensors(path: Path) -> list[dict[int, list[Any]]]:
    """The fields of each of its graph's initialisers, by their numbers in onnx.proto."""
    model = _fields(memoryview(path.read_bytes()))
    return [_fields(tensor) for graph in model.get(_GRAPH, []) for tensor in _fields(graph).get(_INITIALISER, [])]


def _stored_outside(tensor: dict[int, list[Any]]) -> dict[str, str]:
    """Where a tensor lies that is not in the file: location, and maybe offset and length."""
    entries = [_fields(entry) for entry in tensor.get(_EXTERNAL, [])]
    return {str(entry[1][0], "utf-8"): str(entry[2][0], "utf-8") for entry in entries if {1, 2} <= entry.keys()}


def _fields(message: memoryview) -> dict[int, list[Any]]:
    """What a message of Protocol Buffers holds, by its fields' numbers: whole numbers, or bytes of anything else.

    So no package is needed to look into an ONNX file (https://protobuf.dev/programming-guides/encoding).
    """
    found: dict[int, list[Any]] = {}
    at = 0

    def number() -> int:
        nonlocal at
        value = 0
        for shift in range(0, 70, 7):
            byte = message[at]
            at, value = at + 1, value | (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("a number of more than ten bytes")

    while at < len(message):
        key = number()
        if key & 7 == 0:
            found.setdefault(key >> 3, []).append(number())
            continue
        length = {1: 8, 5: 4}.get(key & 7) or number()
        found.setdefault(key >> 3, []).append(message[at : at + length])
        at += length
    return found


_GRAPH, _INITIALISER = 7, 5
_TYPE, _NAME, _EXTERNAL = 2, 8, 13
_NUMBERS = (4, 9, 10)
"""Fields of a model, a graph and a tensor in onnx.proto (onnx 1.23)."""

_FLOATS = {1: "<f4", 10: "<f2", 11: "<f8"}
"""Types of tensors there, as NumPy names them."""
