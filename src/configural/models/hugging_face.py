"""Folders that transformers' `save_pretrained` wrote, as classifiers."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from configural.errors import ConfiguralError, first_line
from configural.models.opening import Options, imported
from configural.models.outputs import Reading
from configural.models.torch_modules import Prepare, TorchClassifier, of_floats, torch_classifier


def open_folder(folder: Path, options: Options) -> TorchClassifier:
    """An image classifier with its preprocessor's settings, or with `prepare` in their place.

    Without preprocessor_config.json, which holds size, scale, mean and deviation of the input, what the network
    takes would be a guess.
    """
    transformers = imported("transformers", "huggingface")
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
            f"{folder}: not an image classifier of transformers with safetensors weights ({first_line(error)})"
        ) from error
    # What a file lacks, such as the last layer of a network without one, transformers fills at random.
    if absent := sorted(loaded["missing_keys"]):
        raise ConfiguralError(f"{folder}: its file lacks the weights {absent[0]}; is it an image classifier's?")
    size, own = None, of_floats(options.prepare or nn.Identity())
    if not options.prepare:
        size, own = _preprocessor(folder, getattr(module.config, "image_size", None))
    labels = {int(position): str(label) for position, label in module.config.id2label.items()}
    return torch_classifier(
        module,
        own,
        options=options,
        size=size,
        reading=Reading(options.positive, options.output, labels, known="logits"),
        kind="a folder that transformers saved",
        preparation="yours" if options.prepare else "preprocessor_config.json, without its crop",
    )


def _preprocessor(folder: Path, image_size: Any) -> tuple[int | None, Prepare]:
    """The rows that it takes, and what transformers' image processors do: resize, flip channels, scale, normalise.

    A crop after resizing is left out, since the images are square and whole.
    """
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        raise ConfiguralError(
            f"{folder}: lacks preprocessor_config.json, which says how images are scaled; save the image "
            "processor into the folder, too"
        )
    try:
        settings: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ConfiguralError(f"{path}: not readable as JSON") from error
    crop = settings.get("crop_size") if settings.get("do_center_crop") else None
    size = crop or (settings.get("size") if settings.get("do_resize", True) else None) or image_size
    if isinstance(size, dict):
        edge = size.get("shortest_edge")
        size = (size.get("height", edge), size.get("width", edge))
    size = (size, size) if isinstance(size, int) else tuple(size or ())
    factor = settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 1.0
    offset = -1.0 if settings.get("rescale_offset") else 0.0
    mean, deviation = torch.zeros(1), torch.ones(1)
    if settings.get("do_normalize", "image_mean" in settings):
        mean, deviation = (torch.tensor(settings.get(name, [0.5] * 3)) for name in ("image_mean", "image_std"))

    def prepare(images: Tensor) -> Tensor:
        images = images.float()
        if size and tuple(images.shape[2:]) != size:
            images = nn.functional.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
        if settings.get("do_flip_channel_order"):
            images = images.flip(1)
        subtracted, divisor = (values.to(images.device).view(1, -1, 1, 1) for values in (mean, deviation))
        return (images * factor + offset - subtracted) / divisor

    return size[0] if size else None, prepare
