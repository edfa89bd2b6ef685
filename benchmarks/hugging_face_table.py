"""The table of docs/hugging_face.md: `python benchmarks/hugging_face_table.py`.

For every family of image classifiers that transformers knows, a small random network and the family's own image
processor are saved into a folder and opened. Its log-odds must be those of the network for what the processor
itself gives, and what reaches the network where gradients are taken is compared with that.
"""

import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES

from configural import models
from configural.errors import ConfiguralError, first_line
from configural.models import Differentiable

LABELS = {0: "face", 1: "no_face"}
SMALLER: Mapping[str, Any] = {"num_hidden_layers": 2, "num_self_attends_per_block": 2}
"""What is made smaller where a configuration has it; lists of depths become ones."""

CLUSTERS = np.random.default_rng(0).uniform(-1, 1, (512, 3)).tolist()

VARIANTS: Mapping[str, list[tuple[str, Mapping[str, Any]]]] = {
    "resnet": [("crop_pct", {"size": {"shortest_edge": 224}, "crop_pct": 0.875})],
    "convnext": [("crop_pct", {"size": {"shortest_edge": 224}, "crop_pct": 0.875})],
    "efficientnet": [("rescale_offset", {"rescale_offset": True, "rescale_factor": 1 / 127.5})],
    "vit": [("bicubic", {"resample": 3}), ("not square", {"size": {"height": 192, "width": 224}})],
    "imagegpt": [
        (
            "",
            {
                "size": {"height": 32, "width": 32},
                "clusters": np.random.default_rng(0).uniform(-1, 1, (512, 3)).tolist(),
            },
        )
    ],
    "donut-swin": [("", {"size": {"height": 320, "width": 240}})],
}
"""Further settings of a family's processor, by what they are about; one without a name replaces the defaults."""


def main() -> None:
    """Print the table."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    print(f"transformers {version('transformers')}\n")
    print("| family | image processor | drawn | prepared | range | off by | gradients |")
    print("|---|---|---|---|---|---|---|")
    for family in sys.argv[1:] or MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES:
        given = VARIANTS.get(family, [])
        for name, settings in given if given and not given[0][0] else [("", {}), *given]:
            print("| " + " | ".join([f"{family} {name}".strip(), *row(family, settings)]) + " |", flush=True)


def row(family: str, settings: Mapping[str, Any]) -> list[str]:
    """One row's cells after the first."""
    names = IMAGE_PROCESSOR_MAPPING_NAMES.get(family) or {"pil": "BitImageProcessorPil"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            processor = getattr(transformers, names.get("pil") or names["torchvision"])(**settings)
            processor.save_pretrained(folder)
            build(family, processor).save_pretrained(folder)
        except Exception as error:  # of a package that is not there, or of a family that needs more than a picture
            return [f"not built here: {first_line(error)[:70]}…", *[""] * 5]
        try:
            return compare(folder)
        except ConfiguralError as error:
            return [f"refused: {first_line(error).replace(str(folder), 'FOLDER')}", *[""] * 5]


def build(family: str, processor: Any) -> Any:
    """A network of a family, small where that is easy, for images as its processor prepares them."""
    default = CONFIG_MAPPING[family]()
    depths = getattr(default, "depths", None)
    if isinstance(depths, list | tuple):
        smaller: dict[str, Any] = {"depths": [1] * len(depths)}
    else:
        smaller = {key: value for key, value in SMALLER.items() if hasattr(default, key)}
    config = CONFIG_MAPPING[family](
        **smaller, id2label=LABELS, label2id={label: at for at, label in LABELS.items()}
    )
    if config.num_labels != len(LABELS):  # a field of its own in PVT's
        config.num_labels = len(LABELS)
    classes = MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES[family]
    config.architectures = [classes if isinstance(classes, str) else classes[0]]
    prepared = next(iter(processor([Image.new("RGB", (64, 64))], return_tensors="pt").values()))
    for one in (config, getattr(config, "vision_config", None)):
        if prepared.ndim == 4 and hasattr(one, "image_size"):
            rows, columns = prepared.shape[2:]
            listed = rows != columns or isinstance(one.image_size, list | tuple)
            one.image_size = [rows, columns] if listed else rows
    torch.manual_seed(0)
    return transformers.AutoModelForImageClassification.from_config(config).eval()


def compare(folder: Path) -> list[str]:
    """What reaches the network when it is opened, against its processor for images of every contrast."""
    opened = models.open(folder)
    size = opened.image_size or 224
    rng = np.random.default_rng(1)
    shapes = [(size, size, 3), (size // 16 + 1, size // 16 + 1, 3)]
    noise, blocks = (rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes)
    images = np.stack([noise, np.kron(blocks, np.ones((16, 16, 1), np.uint8))[:size, :size]])
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    real = processor([Image.fromarray(image) for image in images], return_tensors="pt")
    pixels = next(iter(real.values())).float()
    module = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = module(**real)[0].double()  # PP-LCNet names them otherwise
    np.testing.assert_allclose(opened.log_odds(images), logits[:, 0] - logits[:, 1], rtol=1e-3, atol=1e-3)
    off, gradients = "", "no"
    if isinstance(opened, Differentiable):
        seen: list[torch.Tensor] = []
        with opened.module.register_forward_pre_hook(lambda _, given: seen.append(given[0])):
            opened.scores(torch.from_numpy(images).permute(0, 3, 1, 2).float())
        off = f"{float((seen[-1] - pixels).abs().max() / (pixels.max() - pixels.min())):.0e}"
        gradients = "yes"
    shape = " × ".join(map(str, pixels.shape[1:]))
    return [
        f"`{type(processor).__name__}`",
        str(opened.image_size or "any"),
        shape,
        f"{pixels.min():.3g} to {pixels.max():.3g}",
        off,
        gradients,
    ]


if __name__ == "__main__":
    main()
