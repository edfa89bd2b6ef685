"""Folders that transformers' `save_pretrained` wrote, as classifiers."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from configural.errors import ConfiguralError, first_line
from configural.models.opening import Options, agreed, imported
from configural.models.outputs import Reading
from configural.models.torch_modules import TorchClassifier, of_floats


def open_folder(folder: Path, options: Options) -> TorchClassifier:
    """An image classifier with its preprocessor's settings.

    Args:
        folder: Holds config.json, model.safetensors and, for size, scale, mean and deviation of the input,
            preprocessor_config.json. Without this what the network takes would be a guess.
        options: `prepare` takes the place of the preprocessor.

    Raises:
        ConfiguralError: If transformers is not installed, or the folder holds no image classifier.
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
    own = None if options.prepare else _preprocessor(folder, getattr(module.config, "image_size", None))
    size = own.size[0] if own and own.size else None
    labels = {int(position): str(label) for position, label in module.config.id2label.items()}
    return TorchClassifier(
        reading=Reading.of(options.positive, options.output, labels, known="logits"),
        kind="a folder that transformers saved",
        preparation="yours" if options.prepare else "preprocessor_config.json, without its crop",
        name=options.name,
        image_size=agreed(size, options.image_size, options.name),
        module=module.to(options.device).eval(),
        prepare=own or of_floats(options.prepare or nn.Identity()),
        device=options.device,
    )


def _preprocessor(folder: Path, image_size: Any) -> "_Preprocessor":
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        raise ConfiguralError(
            f"{folder}: lacks preprocessor_config.json, which says how images are scaled; save the image "
            "processor into the folder, too"
        )
    try:
        return _Preprocessor.from_settings(json.loads(path.read_text("utf-8")), image_size)
    except ValueError as error:
        raise ConfiguralError(f"{path}: not readable as JSON") from error


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
        images = images.float()
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
