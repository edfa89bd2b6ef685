"""Keras models other than the study's, through Keras itself, after a look at what their files would have it do."""

import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import UInt8

from configural.errors import ConfiguralError, first_line
from configural.models.inputs import image_input, in_batches
from configural.models.keras import check_claims, opened_file
from configural.models.opening import Options, imported
from configural.models.outputs import OpenedClassifier, Reading
from configural.models.study_networks import VGG16_MEANS_BGR

_MODELS = {"Sequential", "Functional", "Model"}

_UNCHANGING = {
    *("InputLayer", "Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout"),
    *("ActivityRegularization", "RandomBrightness", "RandomContrast", "RandomCrop", "RandomFlip", "RandomHue"),
    *("RandomRotation", "RandomTranslation", "RandomZoom", "RandomSaturation", "RandomGrayscale", "Identity"),
}
"""Layers that leave images as they are, once a network is trained."""

_SCALING = {"Rescaling", "Normalization"}

_LAYERS = {
    *(_MODELS | _UNCHANGING | _SCALING),
    *("Conv1D", "Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D", "Dense", "EinsumDense"),
    *("MaxPooling2D", "AveragePooling2D", "GlobalMaxPooling2D", "GlobalAveragePooling2D", "MaxPooling1D"),
    *("GlobalMaxPooling1D", "GlobalAveragePooling1D", "UpSampling2D", "ZeroPadding2D", "Cropping2D", "Resizing"),
    *("CenterCrop", "BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization"),
    *("SpectralNormalization", "RMSNormalization", "Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax"),
    *("Flatten", "Reshape", "Permute", "RepeatVector", "Add", "Subtract", "Multiply", "Average", "Maximum"),
    *("Minimum", "Concatenate", "Dot", "MultiHeadAttention", "Attention", "Embedding", "TimeDistributed"),
    *("LSTM", "GRU", "Bidirectional", "Divide", "TrueDivide", "GetItem"),
}
"""What may be in a file: layers and sums that compute and do nothing else."""

_PLAIN = {
    *("__keras_tensor__", "__tuple__", "__slice__", "__ellipsis__", "DTypePolicy"),
    *("Zeros", "Ones", "Constant", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling"),
    *("GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform", "Orthogonal"),
    *("OrthogonalInitializer", "L1", "L2", "L1L2", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"),
}
"""What layers' settings may hold."""


_STUDYS = "as in the study, by VGG16's means", lambda images: images[..., ::-1] - np.array(VGG16_MEANS_BGR)


def open_other(path: Path, options: Options, *, why: ConfiguralError) -> OpenedClassifier:
    """A whole Keras model of one input of RGB images; see `inputs.image_input` for how they may lie in it.

    Keras runs on PyTorch unless the environment variable KERAS_BACKEND says otherwise. What might run code, such as
    a Lambda layer, is refused before Keras sees the file, and Keras's safe mode is on besides.

    Args:
        path: The file.
        options: What a user said of it.
        why: What distinguishes it from the study's networks.

    Raises:
        ConfiguralError: If Keras is not installed, the file holds more than layers of known kinds, is damaged, or
            takes something else.
    """
    with opened_file(path) as (file, config):
        # Of the whole model alone, Keras is told not to make what it was trained by.
        kinds = dict(_vetted({key: value for key, value in config.items() if key != "compile_config"}))
        _refuse_other_files(file)
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        keras = imported("keras", "keras")
    except ConfiguralError as error:
        raise ConfiguralError(f"{why}; {error}") from error
    if options.device != "cpu":
        raise ConfiguralError(f"device: {path} is opened through Keras, which chooses it itself; leave it out")
    with tempfile.TemporaryDirectory() as folder:
        # Keras goes by the name, and TensorFlow 2.12 gave HDF5 the name of an archive.
        named = Path(folder, "model.keras" if zipfile.is_zipfile(path) else "model.h5")
        shutil.copyfile(path, named)
        try:
            # First without numbers: what layers ask for is compared with what the file holds before it is made.
            with keras.StatelessScope(initialize_variables=False):
                keras.saving.load_model(named, compile=False, safe_mode=True)
            model = keras.saving.load_model(named, compile=False, safe_mode=True)
            taken = model.inputs
        except Exception as error:  # whatever Keras and its backend raise
            raise ConfiguralError(f"{path}: Keras cannot load it ({first_line(error)})") from error
    _check_numbers(keras, model, path)
    if not taken or len(taken) != 1:
        raise ConfiguralError(f"{path}: takes {len(taken or ())} inputs; wanted is one of RGB images")
    first = next((kind for kind in kinds.values() if kind not in _MODELS | _UNCHANGING), "")
    batch, *shape = taken[0].shape
    integers = "int" in str(taken[0].dtype)
    studys = {"Conv_1", "BN_1"} <= kinds.keys()  # prepared as the network that it is a variant of
    given = image_input(
        shape,
        options,
        dtype=np.uint8 if integers or (first in _SCALING and options.scale is None) else np.float32,
        usual=_STUDYS if studys else None,
    )
    reading = Reading(options.positive, options.output, known=_known(model))
    reading.guessed += given.guessed
    names: list[str] = []

    def call(values: Any) -> list[np.ndarray]:
        found = model.predict_on_batch(values)
        if isinstance(found, dict):
            names[:] = found
            found = list(found.values())
        return found if isinstance(found, list) else [found]

    def respond(images: UInt8[np.ndarray, "n h w 3"]) -> Any:
        found = in_batches(call, given.prepare(images), batch)
        return dict(zip(names, found, strict=True)) if names else found if len(found) > 1 else found[0]

    return OpenedClassifier(
        reading=reading,
        kind=f"a Keras model, through Keras {keras.__version__}",
        preparation=given.preparation,
        name=options.name,
        image_size=given.image_size,
        respond=respond,
    )


def _known(model: Any) -> str:
    """`probabilities` where a sigmoid or a softmax makes the only output; else it is seen from the outputs."""
    if len(model.outputs) != 1:
        return ""
    made_by: Any = model.outputs[0]
    while made_by is not None and not hasattr(made_by, "call"):
        made_by = getattr(getattr(made_by, "_keras_history", None), "operation", None)
        made_by = made_by.outputs[0] if made_by is not None and type(made_by).__name__ in _MODELS else made_by
    kind = getattr(getattr(made_by, "activation", None), "__name__", type(made_by).__name__.lower())
    return "probabilities" if kind in ("sigmoid", "softmax") else ""


def _vetted(part: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Names and classes of all layers in a configuration.

    Raises:
        ConfiguralError: If there is anything else that Keras would make, such as a function.
    """
    if isinstance(part, list):
        for one in part:
            yield from _vetted(one, key)
    if not isinstance(part, dict):
        return
    if "class_name" in part:
        kind, inner = part["class_name"], part.get("config")
        name = str(inner.get("name", kind) if isinstance(inner, dict) else key)
        module = str(part.get("module") or "keras").split(".")[0]
        if not isinstance(kind, str) or kind not in _LAYERS | _PLAIN or module != "keras":
            raise ConfiguralError(
                f"its layer {name[:40]!r}, a {str(kind)[:40]}, is of no known kind and might run code; give its "
                "model as a function of images, from Python"
            )
        if kind in _LAYERS:
            yield name, kind
    for inner_key, one in part.items():
        yield from _vetted(one, inner_key)


def _refuse_other_files(file: h5py.File) -> None:
    links: list[tuple[str, Any]] = []
    file.visititems_links(lambda *found: links.append(found))  # nothing may be raised in there
    for name, link in links:
        if not isinstance(link, h5py.HardLink):
            raise ConfiguralError(f"{name[:80]} is a link; wanted are weights in the file itself")
        if isinstance(file[name], h5py.Dataset):
            check_claims(file[name], name[:80])


def _check_numbers(keras: Any, model: Any, path: Path) -> None:
    for weight in model.weights:
        values = keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32"))
        variance = weight.path.endswith("variance")
        if not np.isfinite(values).all() or (variance and (values < 0).any()):
            raise ConfiguralError(f"{path}: damaged, its {weight.path} holds NaN, infinity or a negative variance")
