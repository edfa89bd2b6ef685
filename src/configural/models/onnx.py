"""ONNX files as classifiers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8

from configural.errors import ConfiguralError
from configural.models.opening import Options, agreed, first_line, imported
from configural.models.outputs import Reading

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}


@dataclass(frozen=True, eq=False)
class OnnxClassifier:
    """An ONNX file as a classifier, on the CPU.

    Attributes:
        session: Of onnxruntime.
        channels_first: Whether it takes (n, 3, h, w); else (n, h, w, 3).
        dtype: Of what it takes.
        scale: What the bytes of an image are multiplied by where it takes floats.
        batch: How many images it takes at a time; None if any number.
        reading: Of its outputs.
        name: What to call it.
        image_size: Rows and columns that it takes; None if any.
    """

    session: Any
    channels_first: bool
    dtype: Any
    scale: float
    batch: int | None
    reading: Reading
    name: str
    image_size: int | None

    def log_odds(self, images: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, " n"]:
        """Log-odds of the correct class; of probabilities, clipped to `CLIP` from 0 and 1."""
        outputs = self._outputs(images)
        self.reading.decide(outputs, self._outputs, images.shape[1])
        return np.asarray(self.reading.log_odds(outputs).double().numpy())

    def describe(self) -> dict[str, Any]:
        """What was understood."""
        if self.image_size is not None and not self.reading.decided:
            self.log_odds(np.zeros((1, self.image_size, self.image_size, 3), np.uint8))
        words = "RGB bytes" if self.dtype == np.uint8 else f"RGB times {self.scale:g}"
        return {"kind": ".onnx", "preparation": words, **self.reading.describe()}

    def _outputs(self, images: UInt8[np.ndarray, "n h w 3"]) -> dict[str, np.ndarray]:
        taken = images.transpose(0, 3, 1, 2) if self.channels_first else images
        if self.dtype != np.uint8:
            taken = (taken.astype(np.float32) * np.float32(self.scale)).astype(self.dtype)
        step = self.batch or len(taken)
        names = [output.name for output in self.session.get_outputs()]
        batches = []
        for first in range(0, len(taken), step):
            some = taken[first : first + step]
            filled = np.resize(some, (step, *some.shape[1:]))  # the last of fixed batches, by images again
            found = self.session.run(None, {self.session.get_inputs()[0].name: np.ascontiguousarray(filled)})
            batches.append([np.asarray(output)[: len(some)] for output in found])
        return {name: np.concatenate(parts) for name, parts in zip(names, zip(*batches, strict=True), strict=True)}


def open_onnx(path: Path, options: Options) -> OnnxClassifier:
    """A network in an ONNX file.

    Args:
        path: Takes one input of RGB images, (n, 3, h, w) or (n, h, w, 3), as bytes or floats.
        options: `scale` is what bytes are multiplied by where it takes floats; 1/255 for images of 0 to 1.

    Raises:
        ConfiguralError: If onnxruntime is not installed, or the file holds no such network.
    """
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
    reading = Reading.of(options.positive, options.output)
    names = [output.name for output in session.get_outputs()]
    if not reading.output:
        reading.output = "logits" if "logits" in names else names[0]
        reading.guessed += ["which output"] if len(names) > 1 else []
    if dtype is not np.uint8 and options.scale is None:
        reading.guessed.append("preparation")
    rows = shape[2] if shape[1] == 3 else shape[1]
    return OnnxClassifier(
        session,
        shape[1] == 3,
        dtype,
        1.0 if options.scale is None else options.scale,
        shape[0] if isinstance(shape[0], int) else None,
        reading,
        options.name,
        agreed(rows if isinstance(rows, int) else None, options.image_size, options.name),
    )
