"""Opening anybody's model: one table of the kinds there are, a file for each."""

import importlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from configural.errors import ConfiguralError
from configural.models.classifiers import Classifier
from configural.registry import Registry

PerColour = str | float | Sequence[float] | None
"""One number, or one for each of three channels; as text with commas between."""


@dataclass(frozen=True)
class Options:
    """What a user said of a model; see `open`."""

    positive: str | int | None = None
    output: str | None = None
    scale: float | None = None
    image_size: int | None = None
    prepare: Callable[[Any], Any] | None = None
    layout: str | None = None
    mean: PerColour = None
    std: PerColour = None
    channels: str | None = None
    network: str | None = None
    device: str = "cpu"
    name: str = ""

    def refuse(self, *options: str, because: str) -> None:
        """Raise a ConfiguralError if one of these options, whose default is None, is given."""
        for option in options:
            if getattr(self, option) is not None:
                raise ConfiguralError(f"{option}: {because}; leave it out")

    def agreed_size(self, known: int | None) -> int | None:
        """The image size, where a model or a user says one.

        Raises:
            ConfiguralError: If they contradict each other.
        """
        if known is not None and self.image_size is not None and known != self.image_size:
            raise ConfiguralError(
                f"image_size {self.image_size}: {self.name or 'the model'} takes {known} pixels, keep that"
            )
        return known if self.image_size is None else self.image_size


@dataclass(frozen=True)
class Kind:
    """One kind of model.

    Attributes:
        name: In words.
        fits: Whether a source is of this kind.
        opener: `module:name` in this package; from the source and `Options` to a classifier.
        uses: The options that mean something for it; others are refused.
    """

    name: str
    fits: Callable[[Any], bool]
    opener: str
    uses: tuple[str, ...]


def _file(*suffixes: str) -> Callable[[Any], bool]:
    return lambda source: isinstance(source, Path) and source.suffix in suffixes and not source.is_dir()


def _folder_with(name: str) -> Callable[[Any], bool]:
    return lambda source: isinstance(source, Path) and (source / name).is_file()


def _has(attribute: str) -> Callable[[Any], bool]:
    return lambda source: not isinstance(source, type) and hasattr(source, attribute)


_READING = ("positive", "output", "image_size")
PIXELS = ("scale", "mean", "std", "channels")
"""What is done to each pixel; see `inputs.pixels`."""

_TORCH = (*_READING, "prepare", "device")
_INPUT = (*PIXELS, "layout")

KINDS = (
    Kind("a run folder", _folder_with("config.yaml"), "weights:open_weights", (*_TORCH, "network")),
    Kind(
        "a folder that transformers saved",
        _folder_with("config.json"),
        "hugging_face:open_folder",
        (*_TORCH, *PIXELS),
    ),
    Kind(".safetensors of this library", _file(".safetensors"), "weights:open_weights", (*_TORCH, "network")),
    Kind("Keras .h5 or .keras", _file(".h5", ".hdf5", ".keras"), "keras:open_keras", (*_TORCH, *_INPUT)),
    Kind(".onnx", _file(".onnx"), "onnx:open_onnx", (*_READING, "prepare", *_INPUT)),
    Kind("module:name", lambda it: isinstance(it, str), "opening:open_named", (*_TORCH, *_INPUT, "network")),
    Kind("a classifier", _has("log_odds"), "opening:open_classifier", ()),
    Kind("a torch module", _has("named_parameters"), "torch_modules:open_module", (*_TORCH, *PIXELS)),
    Kind(
        "an estimator with predict_proba",
        _has("predict_proba"),
        "python_things:open_estimator",
        ("positive", "image_size", "prepare", *_INPUT),
    ),
    Kind("a function of images", _has("__call__"), "python_things:open_function", (*_READING, "prepare", *PIXELS)),
)
"""What can be opened; the first kind that fits a source opens it."""

MODELS: Registry[Any] = Registry("model", "configural.models")
"""Models by name: anything that `open` takes from Python."""


def open(
    source: Any,
    *,
    positive: str | int | None = None,
    output: str | None = None,
    scale: float | None = None,
    image_size: int | None = None,
    prepare: Callable[[Any], Any] | None = None,
    layout: str | None = None,
    mean: PerColour = None,
    std: PerColour = None,
    channels: str | None = None,
    network: str | None = None,
    device: str = "cpu",
) -> Classifier:
    """Open any kind of model as a classifier that gives log-odds, so that one that is sure does not saturate.

    What a kind needs beyond the library is imported when it is used. Nothing in a file is ever executed.

    Args:
        source: A run folder, .safetensors of this library, Keras .h5 or .keras (other models than the study's by
            Keras itself), .onnx, a folder that transformers saved; `module:name`, which is imported; or from Python
            a torch module, an estimator with `predict_proba`, a function from uint8 RGB images (n, h, w, 3) to n
            probabilities, or whatever has `log_odds`.
        positive: The class of the correct arrangement, by position or label. By default that of this library (1),
            the one label that is the correct class's name in an object scheme, or 1 of two without labels.
        output: `logits` or `probabilities`, or of several outputs the name of one, or `name:logits`. By default
            what a kind is known to give, else what the outputs for images of noise are, decided once.
        scale: What the bytes of images are multiplied by; by default 1/255 for torch modules, else 1.
        image_size: Rows and columns of images, where the model does not say it.
        prepare: From images to what the model takes: for torch, floats (n, 3, h, w) of 0 to 255 on the device; for
            anything else, bytes (n, h, w, 3).
        layout: How an image lies in what the model takes, where its shape does not tell it, such as in a row of
            numbers: `hwc`, pixel by pixel, as an estimator's rows by default, or `chw`, one colour after the other.
        mean: What is subtracted from scaled pixels, such as 0.5 or 0.485,0.456,0.406 for each channel; where
            mean or std is given, pixels are scaled to 0 to 1 unless `scale` says otherwise.
        std: What they are divided by after that.
        channels: The order of the channels: rgb, or bgr, in which mean and std are then given, too.
        network: The `module:name` of the network, where that is what a file names.
        device: cpu, cuda or mps.

    Raises:
        ConfiguralError: If it is none of these, is damaged, or an option is impossible or of no use for its kind.

    Example:
        >>> import numpy as np
        >>> bright = open(lambda images: images.mean(axis=(1, 2, 3)) / 255)
        >>> bright.log_odds(np.full((1, 8, 8, 3), 204, np.uint8)).round(4).tolist()
        [1.3863]
        >>> bright.describe()["output"]
        'probabilities'
    """
    options = Options(positive, output, scale, image_size, prepare, layout, mean, std, channels, network, device)
    if isinstance(source, str):
        from configural.models.networks import NETWORKS

        named = ":" in source or MODELS.knows(source) or NETWORKS.knows(source)
        source = source if named and not Path(source).exists() else Path(source)
    if isinstance(source, Path):
        options = replace(options, name=source.resolve().name)
    return _opened(source, options)


_CURES = {
    (
        ".pkl",
        ".pickle",
        ".joblib",
    ): "load it in Python and give models.open what it holds, or save that as .onnx by skl2onnx",
    (".pt", ".pth", ".ckpt", ".bin", ".pt2"): "name as module:name a function that makes the network and loads its "
    "weights, or save it as .onnx by torch.onnx.export",
    (".tflite", ".pb"): "save it as .onnx by tf2onnx, or as .keras if Keras made it",
}
"""What to do about files that run code when they are read, or that nothing here reads, by their suffixes."""


def _cure(source: Any) -> str:
    """What to do about a file of such a suffix, a folder that holds one, or a margin; nothing about others."""
    if hasattr(source, "decision_function"):
        return "give a function of images that returns its decision_function of them, with output='logits'"
    if not isinstance(source, Path):
        return ""
    there = {path.suffix.lower() for path in ([source, *source.iterdir()] if source.is_dir() else [source])}
    return next((cure for suffixes, cure in _CURES.items() if there.intersection(suffixes)), "")


def _opened(source: Any, options: Options) -> Classifier:
    kind = next((kind for kind in KINDS if kind.fits(source)), None)
    missing = isinstance(source, Path) and not source.exists()
    if kind is None or missing:
        *most, last = (kind.name for kind in KINDS[:6])
        why = "there is no such model" if missing else "not a kind of model that is known"
        shown = str(source) if isinstance(source, Path) else f"a {type(source).__name__}"
        cure = "" if missing else _cure(source)
        raise ConfiguralError(f"{shown}: {why}; " + (cure or f"give {', '.join(most)} or {last}"))
    for option, default in vars(Options()).items():
        if option not in kind.uses and option != "name" and getattr(options, option) != default:
            raise ConfiguralError(f"{option}: of no use for {kind.name}; leave it out")
    module, _, name = kind.opener.partition(":")
    classifier: Classifier = getattr(importlib.import_module(f"configural.models.{module}"), name)(source, options)
    return classifier


def open_named(name: str, options: Options) -> Classifier:
    """A registered model or network, or what `module:name` is; a function of nothing or `image_size` makes it."""
    from configural.models.networks import NETWORKS

    options = replace(options, name=name)
    found: Any = NETWORKS.known(name) if NETWORKS.knows(name) else MODELS.find(name)
    if callable(found) and not any(kind.fits(found) for kind in KINDS[5:-1]):
        try:
            parameters = list(inspect.signature(found).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        needed = [one.name for one in parameters if one.default is one.empty]
        if not needed:
            found = found()
        elif needed == ["image_size"]:
            options = replace(options, image_size=options.image_size or 224)
            found = found(options.image_size)
    if isinstance(found, str):
        raise ConfiguralError(f"model '{name}' is a text; give its path or name itself")
    return _opened(found, options)


def open_classifier(source: Classifier, options: Options) -> Classifier:
    """What gives log-odds is a classifier already."""
    return source


def imported(module: str, extra: str) -> Any:
    """A package that one kind needs, or an error that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfiguralError(f"this model needs {module}: pip install 'configural[{extra}]'") from error
