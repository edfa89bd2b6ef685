"""ONNX files as classifiers."""

from collections.abc import Iterator, Sequence
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
            if (
                numbers.dtype.kind == "f" and np.isnan(numbers).any()
            ):  # infinity may be meant: attention masks are made of it
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
        file=path,
    )


def _columns(rows: list[dict[Any, float]], reading: Reading) -> np.ndarray:
    """Probabilities by class, as skl2onnx writes them by default, as columns; the classes are the labels."""
    reading.labels = {position: str(label) for position, label in enumerate(rows[0])}
    return np.array([[row[label] for label in rows[0]] for row in rows])


def weights_files(path: Path) -> list[Path]:
    """The files beside an ONNX file in which its weights are, such as model.onnx.data."""
    with reading_file(path, "a readable ONNX network"):
        entries = [entry for tensor in _tensors(path) for entry in tensor.external_data]
    return sorted({path.parent / entry.value for entry in entries if entry.key == "location"})


def _weights(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Names and numbers of the weights."""
    to_array = imported("onnx.numpy_helper", "onnx").to_array
    for tensor in _tensors(path):
        yield tensor.name, to_array(tensor, base_dir=str(path.parent))


def _tensors(path: Path) -> Sequence[Any]:
    found: Sequence[Any] = imported("onnx", "onnx").load(path, load_external_data=False).graph.initializer
    return found
