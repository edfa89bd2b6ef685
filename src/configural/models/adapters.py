"""Saved networks of several kinds, as classifiers that an audit can ask.

Each gives log-odds, so that a network that is sure of itself does not saturate. What a kind needs beyond the
library is imported when it is used. No adapter runs code from a file.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from configural import models
from configural.errors import ConfiguralError
from configural.models.classifiers import CLIP, RespondsToImages

FORMS = "a run folder, .safetensors, a Keras .h5 of the study, .onnx, or a folder that transformers saved"


@dataclass(frozen=True, eq=False)
class TorchClassifier:
    """A torch network as a classifier.

    Attributes:
        module: In evaluation mode. Gives logits or probabilities per class (n, classes), or the log-odds or
            probability of face (n,) or (n, 1).
        prepare: From RGB images of 0 to 255 (n, 3, h, w), as floats, to what the network takes; differentiable.
        face: The position of face among the classes.
        device: Where the network is.
        gives: See `log_odds_of_outputs`.
    """

    module: nn.Module
    prepare: Callable[[Tensor], Tensor]
    face: int = 1
    device: str = "cpu"
    gives: str = ""

    def scores(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"]:
        """Log-odds of face, differentiable: its logit against the others' log-sum-exp."""
        return log_odds_of_outputs(self.module(self.prepare(images.to(self.device))), self.face, self.gives)

    def log_odds(self, images: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, " n"]:
        """Log-odds of face, in nats."""
        values = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
        with torch.inference_mode():
            return np.asarray(self.scores(values).double().cpu().numpy())


GIVES = ("", "log-odds", "probability")
"""What a network's outputs may be said to be; empty: that is to be seen from them."""

_ENOUGH = 20
"""The log-odds of so many images do not all lie between 0 and 1 but in networks that have learned nothing."""


def log_odds_of_outputs(outputs: Any, face: int, gives: str = "") -> Float[Tensor, " n"]:
    """Log-odds of one class from a network's outputs.

    Args:
        outputs: (n, classes): logits, or probabilities, which all are at least 0 and sum to 1. (n,) or (n, 1): the
            log-odds of face, or with `gives` its probability. Probabilities are clipped to `CLIP` from 0 and 1.
        face: The position of face among the classes.
        gives: `log-odds` or `probability`, where one number per image is given.

    Raises:
        ConfiguralError: If the shape is neither (n,), (n, 1) nor (n, classes), there is no such class, or one
            number per image looks like a probability and nobody has said what it is.
    """
    outputs = getattr(outputs, "logits", outputs)  # of transformers' own output
    if outputs.ndim == 2 and outputs.shape[1] == 1:
        outputs = outputs[:, 0]
    if outputs.ndim == 1:
        if gives == "probability":
            return _log_odds_of_probability(outputs)
        if not gives and len(outputs) >= _ENOUGH and ((outputs >= 0) & (outputs <= 1)).all():
            raise ConfiguralError(
                f"the network's outputs for {len(outputs)} images all lie between 0 and 1: if they are "
                "probabilities give gives='probability' (--gives probability), else gives='log-odds'"
            )
        return outputs
    if outputs.ndim != 2 or not 0 <= face < outputs.shape[1]:
        raise ConfiguralError(
            f"the network's output has shape {tuple(outputs.shape)}; wanted are logits (n, classes), "
            f"with a class {face}"
        )
    # Logits that are all positive and sum to one do not occur by chance.
    if bool((outputs >= 0).all()) and bool(((outputs.sum(dim=1) - 1).abs() < 1e-4).all()):
        return _log_odds_of_probability(outputs[:, face])
    others = [position for position in range(outputs.shape[1]) if position != face]
    return outputs[:, face] - outputs[:, others].logsumexp(dim=1)


def _log_odds_of_probability(p: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    if bool(((p < 0) | (p > 1)).any()):
        raise ConfiguralError("the network's outputs are not all between 0 and 1: they are no probabilities")
    return torch.logit(p.double(), eps=CLIP)


def _known(gives: str) -> str:
    if gives not in GIVES:
        raise ConfiguralError(f"gives '{gives}': choose from log-odds, probability")
    return gives


def from_module(
    module: nn.Module,
    prepare: Callable[[Tensor], Tensor] | None = None,
    face: int = 1,
    device: str = "cpu",
    gives: str = "",
) -> TorchClassifier:
    """A torch network as a classifier; it is put into evaluation mode and onto the device.

    Args:
        module: Gives logits or probabilities per class, or the log-odds or probability of face.
        prepare: From RGB images of 0 to 255 (n, 3, h, w) to what the network takes; by default that of the
            study's networks, for others division by 255.
        face: The position of face among the classes.
        device: cpu, cuda or mps.
        gives: `log-odds` or `probability`, where it gives one number per image.

    Raises:
        ConfiguralError: If it is no torch module.
    """
    if not isinstance(module, nn.Module):
        raise ConfiguralError(f"a {type(module).__name__} is no torch module")
    if prepare is None:
        prepare = preprocess_floats if isinstance(module, models.StudyNet) else lambda images: images / 255
    return TorchClassifier(module.to(device).eval(), prepare, face, device, _known(gives))


def preprocess_floats(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """`models.preprocess` for images that are no bytes, so that gradients flow."""
    means = torch.tensor(models.preprocessing.VGG16_MEANS_BGR, device=images.device).view(1, 3, 1, 1)
    return (images.flip(1) - means).contiguous(memory_format=torch.channels_last)


def from_hugging_face(folder: Path | str, face: str | int | None = None, device: str = "cpu") -> TorchClassifier:
    """An image classifier in a folder that transformers' `save_pretrained` wrote, with its preprocessor's settings.

    Args:
        folder: Holds config.json, model.safetensors and, for size, scale, mean and deviation of the input,
            preprocessor_config.json. Without this what the network takes would be a guess.
        face: The label of face or its position; by default the only label that contains `face` and not `no`, or 1.
        device: cpu, cuda or mps.

    Raises:
        ConfiguralError: If transformers is not installed, or the folder holds no image classifier.
    """
    folder = Path(folder)
    transformers = _imported("transformers", "huggingface")
    try:
        module, loaded = transformers.AutoModelForImageClassification.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except Exception as error:  # transformers, safetensors and torch each have classes of their own
        raise ConfiguralError(
            f"{folder}: not an image classifier of transformers with safetensors weights ({_first_line(error)})"
        ) from error
    # transformers fills what a file lacks, such as the last layer of a network without one, with chance.
    if absent := sorted(loaded["missing_keys"]):
        raise ConfiguralError(f"{folder}: its file lacks the weights {absent[0]}; is it an image classifier's?")
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        raise ConfiguralError(
            f"{folder}: lacks preprocessor_config.json, which says how images are scaled; save the image "
            "processor into the folder, too"
        )
    try:
        settings = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ConfiguralError(f"{path}: not readable as JSON") from error
    prepare = _Preprocessor.from_settings(settings, getattr(module.config, "image_size", None))
    labels = {int(position): str(label) for position, label in module.config.id2label.items()}
    return TorchClassifier(module.to(device).eval(), prepare, _face_position(labels, face, folder), device)


@dataclass(frozen=True)
class _Preprocessor:
    """What transformers' image processors do: resize, flip channels, scale, subtract the mean, divide."""

    size: tuple[int, int] | None
    factor: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    offset: float = 0.0
    flipped: bool = False

    @classmethod
    def from_settings(cls, settings: dict[str, Any], image_size: int | tuple[int, int] | None) -> "_Preprocessor":
        """Read the settings; a crop after resizing is left out, since the images are square and whole."""
        crop = settings.get("crop_size") if settings.get("do_center_crop") else None
        size = crop or (settings.get("size") if settings.get("do_resize", True) else None) or image_size
        if isinstance(size, dict):
            edge = size.get("shortest_edge")
            size = (size.get("height", edge), size.get("width", edge))
        if isinstance(size, int):
            size = (size, size)
        factor = settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 1.0
        normal = settings.get("do_normalize", "image_mean" in settings)
        mean = tuple(settings.get("image_mean", (0.5,) * 3)) if normal else (0.0,) * 3
        deviation = tuple(settings.get("image_std", (0.5,) * 3)) if normal else (1.0,) * 3
        offset = -1.0 if settings.get("rescale_offset") else 0.0
        flipped = bool(settings.get("do_flip_channel_order"))
        return cls(tuple(size) if size else None, factor, mean, deviation, offset, flipped)

    def __call__(self, images: Tensor) -> Tensor:
        if self.size and tuple(images.shape[2:]) != tuple(self.size):
            images = nn.functional.interpolate(
                images, self.size, mode="bilinear", align_corners=False, antialias=True
            )
        if self.flipped:
            images = images.flip(1)
        mean, deviation = (
            torch.tensor(values, device=images.device).view(1, -1, 1, 1) for values in (self.mean, self.deviation)
        )
        return (images * self.factor + self.offset - mean) / deviation


def _face_position(labels: dict[int, str], face: str | int | None, folder: Path) -> int:
    if face is not None:
        for position, label in labels.items():
            if face in (label, position, str(position)):
                return position
        raise ConfiguralError(f"{folder}: no label '{face}'; it has {', '.join(labels.values())}")
    named = [
        position for position, label in labels.items() if "face" in label.lower() and "no" not in label.lower()
    ]
    if len(named) == 1:
        return named[0]
    if len(labels) == 2 and not named:
        return 1
    raise ConfiguralError(f"{folder}: which label is face? name it with --face: {', '.join(labels.values())}")


@dataclass(frozen=True, eq=False)
class OnnxClassifier:
    """An ONNX file as a classifier.

    Attributes:
        session: Of onnxruntime.
        input: Its input's name.
        channels_first: Whether it takes (n, 3, h, w); else (n, h, w, 3).
        floats: Whether it takes floats; else bytes.
        scale: What the bytes of an image are multiplied by.
        face: The position of face among the classes.
        single: Whether it takes one image at a time.
        gives: See `log_odds_of_outputs`.
    """

    session: Any
    input: str
    channels_first: bool
    floats: bool
    scale: float
    face: int
    single: bool
    gives: str = ""

    def log_odds(self, images: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, " n"]:
        """Log-odds of face; of an output that holds probabilities, clipped to `CLIP` from 0 and 1."""
        values: np.ndarray = images.transpose(0, 3, 1, 2) if self.channels_first else images
        if self.floats:
            values = values.astype(np.float32) * np.float32(self.scale)
        taken = np.ascontiguousarray(values)
        batches = [taken[row : row + 1] for row in range(len(taken))] if self.single else [taken]
        outputs = [self.session.run(None, {self.input: batch})[0] for batch in batches]
        found = torch.from_numpy(np.concatenate(outputs).astype(float))
        return np.asarray(log_odds_of_outputs(found, self.face, self.gives).numpy())


def from_onnx(path: Path | str, face: int = 1, scale: float = 1.0, gives: str = "") -> OnnxClassifier:
    """A network in an ONNX file, on the CPU.

    Args:
        path: Takes RGB images, (n, 3, h, w) or (n, h, w, 3), as bytes or floats; gives logits or probabilities
            per class, or the log-odds or probability of face.
        face: The position of face among the classes.
        scale: What the bytes of an image are multiplied by where it takes floats; 1/255 for images of 0 to 1.
        gives: `log-odds` or `probability`, where it gives one number per image.

    Raises:
        ConfiguralError: If onnxruntime is not installed, or the file holds no such network.
    """
    runtime = _imported("onnxruntime", "onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class of its own for each failure
        raise ConfiguralError(f"{path}: not a readable ONNX network ({_first_line(error)})") from error
    taken = session.get_inputs()
    shape = taken[0].shape
    if len(taken) != 1 or len(shape) != 4 or 3 not in (shape[1], shape[3]):
        raise ConfiguralError(f"{path}: takes {[one.shape for one in taken]}; wanted is one input of RGB images")
    floats = taken[0].type == "tensor(float)"
    if not floats and taken[0].type != "tensor(uint8)":
        raise ConfiguralError(f"{path}: takes {taken[0].type}; wanted are tensor(float) or tensor(uint8)")
    return OnnxClassifier(session, taken[0].name, shape[1] == 3, floats, scale, face, shape[0] == 1, _known(gives))


@dataclass(frozen=True, eq=False)
class Opened:
    """A saved classifier with what is known of it.

    Attributes:
        classifier: To be audited.
        name: What to call it.
        image_size: Rows and columns that it takes; None if any.
    """

    classifier: RespondsToImages
    name: str
    image_size: int | None


def open_model(
    path: Path | str,
    face: str | int | None = None,
    scale: float = 1.0,
    image_size: int | None = None,
    device: str = "cpu",
    gives: str = "",
) -> Opened:
    """Open a saved classifier by what its path is; run folders are left to `configural.study.load_run`.

    Args:
        path: .safetensors of this library, a Keras .h5 of the study, .onnx, or a folder of transformers.
        face: The label or position of face, where that is not fixed.
        scale: See `from_onnx`.
        image_size: Of an FCN in a Keras file that does not say it.
        device: cpu, cuda or mps; ONNX stays on the CPU.
        gives: See `from_onnx`.

    Raises:
        ConfiguralError: If it is none of these.
    """
    path = Path(path)
    name = path.resolve().name
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ConfiguralError(f"{path}: neither a run folder nor one of transformers; give {FORMS}")
        found = from_hugging_face(path, face, device)
        size = getattr(found.prepare, "size", None)
        return Opened(found, name, size[0] if size else None)
    if not path.is_file():
        raise ConfiguralError(f"{path}: there is no such model; give {FORMS}")
    if path.suffix == ".onnx":
        position = _position(face)
        onnx = from_onnx(path, position, scale, gives)
        sides = [side for side in onnx.session.get_inputs()[0].shape[1:] if side != 3]
        return Opened(onnx, name, sides[0] if isinstance(sides[0], int) else None)
    if path.suffix in (".h5", ".hdf5"):
        network = models.keras_weights.load(path, image_size)
    elif path.suffix == ".safetensors":
        network = models.load_network(path)
    else:
        raise ConfiguralError(f"{path}: not a kind of model that is known; give {FORMS}")
    return Opened(from_module(network, device=device), name, network.image_size)


def _position(face: str | int | None) -> int:
    if face is None:
        return 1
    try:
        return int(face)
    except ValueError:
        raise ConfiguralError(
            f"--face '{face}': an ONNX file has no labels; give the position, such as 1"
        ) from None


def _imported(module: str, extra: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfiguralError(f"this model needs {module}: pip install 'configural[{extra}]'") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
