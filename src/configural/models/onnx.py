"""ONNX files as classifiers."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from configural.errors import ConfiguralError, first_line
from configural.models.opening import Options, imported
from configural.models.outputs import OpenedClassifier, Reading

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}


def open_onnx(path: Path, options: Options) -> OpenedClassifier:
    """A network of one input of RGB images, (n, 3, h, w) or (n, h, w, 3), as bytes or, times `scale`, as floats."""
    runtime = imported("onnxruntime", "onnx")
    session_options = runtime.SessionOptions()
    session_options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = runtime.InferenceSession(str(path), session_options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class of its own for each failure
        raise ConfiguralError(f"{path}: not a readable ONNX network ({first_line(error)})") from error
    taken = session.get_inputs()
    shape = taken[0].shape
    if len(taken) != 1 or len(shape) != 4 or 3 not in (shape[1], shape[3]):
        raise ConfiguralError(f"{path}: takes {[one.shape for one in taken]}; wanted is one input of RGB images")
    if taken[0].type not in _TYPES:
        raise ConfiguralError(f"{path}: takes {taken[0].type}; wanted are {', '.join(_TYPES)}")
    dtype = _TYPES[taken[0].type]
    if dtype is np.uint8 and options.scale is not None:
        raise ConfiguralError(f"scale: {path} takes bytes; leave it out")
    scale = 1.0 if options.scale is None else options.scale
    reading = Reading(options.positive, options.output)
    names = [output.name for output in session.get_outputs()]
    if not reading.output:
        reading.output = "logits" if "logits" in names else names[0]
        reading.guessed += ["which output"] if len(names) > 1 else []
    if dtype is not np.uint8 and options.scale is None:
        reading.guessed.append("preparation")

    def run(images: UInt8[np.ndarray, "n h w 3"]) -> dict[str, np.ndarray]:
        values = images.transpose(0, 3, 1, 2) if shape[1] == 3 else images
        if dtype is not np.uint8:
            values = (values.astype(np.float32) * np.float32(scale)).astype(dtype)
        step = shape[0] if isinstance(shape[0], int) else len(values)
        batches = []
        for first in range(0, len(values), step):
            some = values[first : first + step]
            filled = np.resize(some, (step, *some.shape[1:]))  # the last of fixed batches, by images again
            found = session.run(names, {taken[0].name: np.ascontiguousarray(filled)})
            batches.append([np.asarray(output)[: len(some)] for output in found])
        return {name: np.concatenate(parts) for name, parts in zip(names, zip(*batches, strict=True), strict=True)}

    rows = shape[2] if shape[1] == 3 else shape[1]
    return OpenedClassifier(
        reading=reading,
        kind=".onnx",
        preparation="RGB bytes" if dtype is np.uint8 else f"RGB times {scale:g}",
        name=options.name,
        image_size=options.agreed_size(rows if isinstance(rows, int) else None),
        respond=run,
    )
