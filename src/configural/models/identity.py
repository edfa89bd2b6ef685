"""Which model it was, and what it ran on: for records and pages."""

import hashlib
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from configural.models.onnx import weights_files
from configural.models.outputs import OpenedClassifier

_WEIGHTS = "model.safetensors"
"""The file that counts in a folder."""

_RUN_ON = {
    **{"torch": "PyTorch", "onnxruntime": "ONNX Runtime", "keras": "Keras", "tensorflow": "TensorFlow"},
    **{"sklearn": "scikit-learn", "transformers": "transformers", "jax": "JAX"},
}
"""Modules that compute responses, and what they are called."""

_PACKAGES = {"sklearn": "scikit-learn"}


def digest(model: Any) -> str:
    """SHA-256 of a model's weights, or nothing where they cannot be told.

    Args:
        model: A file, as `sha256sum` tells it, an ONNX file with those of its weights behind it; what `models.open`
            made of an ONNX file; a folder with a model.safetensors; or a torch module, or what has one as `module`,
            by names and values of its state.

    Example:
        >>> import configural as cf
        >>> len(digest(cf.models.create("fcn-14", 16)))
        64
    """
    model = model.file if isinstance(model, OpenedClassifier) and model.file else model
    if isinstance(model, str | Path):
        path = Path(model)
        path = path / _WEIGHTS if path.is_dir() else path
        if not path.is_file():
            return ""
        found = hashlib.sha256()
        for one in (path, *(weights_files(path) if path.suffix == ".onnx" else ())):
            with one.open("rb") as file:
                hashlib.file_digest(file, lambda: found)
        return found.hexdigest()
    module = getattr(model, "module", model)
    if not hasattr(module, "state_dict"):
        return ""
    found = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        if not hasattr(value, "detach") or value.is_quantized:
            return ""
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def versions() -> dict[str, str]:
    """Of Python and of what responses may have been computed with, by name."""
    found = {"Python": ".".join(map(str, sys.version_info[:3]))}
    for module, name in _RUN_ON.items():
        if module in sys.modules:
            try:
                found[name] = metadata.version(_PACKAGES.get(module, module))
            except metadata.PackageNotFoundError:
                continue
    return found
