"""Folders that transformers' `save_pretrained` wrote, as classifiers."""

import json
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

from configural.errors import ConfiguralError, first_line
from configural.io.reading import reading
from configural.models.inputs import pixels
from configural.models.opening import Options, imported
from configural.models.outputs import OpenedClassifier, Reading, noise
from configural.models.torch_modules import Prepare, TorchClassifier, of_floats, torch_classifier
from configural.models.weights import check_numbers

_TRIED = 499
"""Rows and columns of the image that tells which size an image processor resizes to; none resizes to it."""

_LINES, _WIDTH = (0.4, 0.6), 0.02
"""Where that image's lines lie, and how wide they are, in parts of its rows."""

_EQUAL = 0.02
"""Of the prepared images' range; what differs by more is another preparation."""


def open_folder(folder: Path, options: Options) -> OpenedClassifier:
    """An image classifier with its own image processor, or with `prepare` in its place.

    Unless `image_size` says another one, images have the size that the processor resizes to, so that it resamples
    nothing. Gradients can be taken where it then does no more than crop or pad, mix channels and scale.

    Args:
        folder: Holds config.json, model.safetensors and preprocessor_config.json, without which what the network
            takes would be a guess.
        options: What a user said of it.

    Raises:
        ConfiguralError: If transformers is not installed, the folder holds no image classifier with its processor,
            or they do not fit each other.
    """
    transformers = imported("transformers", "huggingface")
    _refuse_more_layers(folder)
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
    if absent := sorted(map(str, [*loaded["missing_keys"], *loaded.get("mismatched_keys", ())])):
        raise ConfiguralError(f"{folder}: its file lacks the weights {absent[0]}; is it an image classifier's?")
    check_numbers(module, folder)
    config = module.config
    outputs = Reading(
        options.positive,
        options.output,
        {int(position): str(label) for position, label in (config.id2label or {}).items()} or None,
        known="" if config.problem_type == "regression" else "logits",
        # As transformers' pipeline for image classification has it.
        apart=config.problem_type == "multi_label_classification" or config.num_labels == 1,
    )
    opened = partial(torch_classifier, module, options=options, reading=outputs, kind="a folder of transformers")
    if (said := pixels(options, axis=1)) is not None:
        return opened(of_floats(said[1]), size=None, preparation=said[0])
    if options.prepare is not None:
        return opened(of_floats(options.prepare), size=None, preparation="yours")
    processor = _processor(transformers, folder)
    with reading(folder, "a folder whose preprocessor_config.json can be used"):
        preparation = _Preparation(processor)
    known = options.image_size or preparation.size or getattr(config, "image_size", None)
    size = known if isinstance(known, int) else None
    words = type(processor).__name__
    classifier: TorchClassifier = opened(preparation, size=size, preparation=words)
    shown = noise(size or _TRIED, 1)
    try:
        classifier.log_odds(shown)
    except ConfiguralError:
        raise
    except Exception as error:  # whatever the network raises
        raise ConfiguralError(
            f"{folder}: its network does not take what its {words} makes of images of {len(shown[0])} pixels "
            f"({first_line(error)})"
        ) from error
    if preparation.picked(len(shown[0])):
        return classifier
    told = {name: value for name, value in vars(classifier).items() if name in OpenedClassifier.__annotations__}
    return OpenedClassifier(**told | {"preparation": f"{words}, of which there are no gradients at this size"})


def _refuse_more_layers(folder: Path) -> None:
    """Raise if a folder's config.json counts more layers than its files hold bytes, before they are made."""
    with reading(folder, "a folder of transformers that can be read"):
        held = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        waiting = [json.loads((folder / "config.json").read_bytes())]
        while waiting:
            inside = waiting.pop()
            for key, value in inside.items() if isinstance(inside, dict) else ():
                counts = value if isinstance(value, list) else [value]
                waiting += counts
                for count in counts if any(word in key for word in ("layer", "depth", "block")) else ():
                    if isinstance(count, int) and count > held:
                        raise ConfiguralError(
                            f"{folder}: its config.json has {key} {str(count)[:20]}; is it damaged?"
                        )


def _processor(transformers: Any, folder: Path) -> Any:
    try:
        return transformers.AutoImageProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        raise ConfiguralError(
            f"{folder}: lacks a usable preprocessor_config.json, which says how images are scaled; save the image "
            f"processor into the folder, too ({first_line(error)})"
        ) from error


class _Preparation:
    """What an image processor does.

    Processors of each class have rules of their own, so none of their settings is read: the processor itself is
    called. Where what it does to images of a size is simple, a few images tell it: for gradients, and in less time.

    Attributes:
        size: Rows of the images that it resamples least; None if that is not known, or any.
    """

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self.picked = cache(self._pick)
        self.size = self._resized_to()

    def __call__(self, images: Shaped[Tensor, "n 3 h w"]) -> Any:
        rows, columns = images.shape[2:]
        if rows == columns and (picked := self.picked(rows)):
            return picked(images)
        if images.requires_grad:
            raise ConfiguralError(
                f"images of {rows} × {columns} pixels: {type(self._processor).__name__} has no gradients there"
            )
        prepared = self._process(images.permute(0, 2, 3, 1).to(torch.uint8).cpu().numpy()).to(images.device)
        # Unscaled bytes are no numbers that a network takes.
        return {name: value.float() if value.dtype == torch.uint8 else value for name, value in prepared.items()}

    def _process(self, images: UInt8[np.ndarray, "n h w 3"]) -> Any:
        return self._processor(list(images), return_tensors="pt", input_data_format="channels_last")

    def _resized_to(self) -> int | None:
        """From the distance of two blurred lines, since there is no setting for it that all classes share."""
        across = np.arange(_TRIED)[:, None, None] / _TRIED
        lines = sum(255 * np.exp(-(((across - line) / _WIDTH) ** 2)) for line in _LINES)
        black, shown = self._prepared(_TRIED, 0, lines)
        if black.ndim != 3:
            return None
        strength = (shown - black)[0, :, black.shape[2] // 2].double()
        rows = torch.arange(len(strength), dtype=torch.double)
        below = rows > (strength * rows).sum() / strength.sum()
        low, high = ((strength * rows)[half].sum() / strength[half].sum() for half in (~below, below))
        distance = (high - low) / (_LINES[1] - _LINES[0])
        sizes = [round(float(distance)) if distance.isfinite() else _TRIED, len(rows)]
        return next((size for size in sizes if size != _TRIED and self.picked(size)), None)

    def _prepared(self, size: int, *values: Any) -> Float[Tensor, "n ..."]:
        images = [np.broadcast_to(value, (size, size, 3)).astype(np.uint8) for value in values]
        return next(iter(self._process(np.stack(images)).values())).float()

    @torch.inference_mode(False)  # for gradients later, even if it is first called without them
    def _pick(self, size: int) -> Prepare | None:
        """The same for images of one size, if it only picks pixels, mixes their channels and shifts them."""
        black, *colours = self._prepared(size, 0, *(255 * np.eye(3)))
        if black.ndim != 3:
            return None
        weights = torch.stack([colour - black for colour in colours]) / 255
        # Where a pixel comes from, as two digits to the base of 256: images that grow downwards, then to the right.
        across = np.arange(size)[:, None, None]
        down = np.arange(size)[None, :, None]
        digits = self._prepared(size, across // 256, across % 256, down // 256, down % 256)[:, 0] - black[0]
        digits = (digits / weights.sum(dim=0)[0]).nan_to_num(0, 0, 0).round().clamp(0, 255).long()
        middle = tuple(edge // 2 for edge in black.shape[1:])
        high, low = digits[0::2], digits[1::2]
        found = (256 * high + low).clamp(max=size - 1)
        rows, columns = found[0][:, middle[1]], found[1][middle[0]]

        def pick(images: Shaped[Tensor, "n 3 h w"]) -> Float[Tensor, "n c rows columns"]:
            images = images[:, :, rows.to(images.device)][..., columns.to(images.device)].float()
            mixed = (weights[channel].to(images.device) * images[:, channel, None] for channel in range(3))
            return sum(mixed, start=black.to(images.device))

        shown = noise(size, 4)
        real = next(iter(self._process(shown).values()))
        off = (pick(torch.from_numpy(shown).permute(0, 3, 1, 2)) - real).abs().max()
        return pick if off <= _EQUAL * (real.max() - real.min()) else None
