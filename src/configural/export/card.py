"""The data card: a README.md with the fields that the Hugging Face hub shows."""

import json
from typing import Any

import yaml

from configural.stimuli.table import CLASS_NAMES, SUBSETS

_SPLIT_NAMES = {"train": "train", "valid": "validation", "test": "test"}
"""A subset's name in the `datasets` library."""

_SOURCES = {
    "synthetic": (
        "cc0-1.0",
        "The faces are painted by a program; no photograph is in them. The images are free for any use. (If you "
        "publish them, change the licence in the header to the one you choose.)",
    ),
    "fasseg": (
        "other",
        "The faces come from the FASSEG portraits: photographs of people, published without the text of a licence. "
        "**Do not redistribute these images.** Publish the settings above instead: whoever has the portraits "
        "draws the same images from them. Cite Khalil Khan, Massimo Mauro, Riccardo Leonardi, *Multi-class "
        "semantic segmentation of faces*, ICIP 2015.",
    ),
    "celebamask": (
        "other",
        "The faces come from CelebAMask-HQ: photographs of people, which its makers allow for non-commercial "
        "research and education only. **Do not redistribute these images** before you have read their terms. "
        "Cite Cheng-Han Lee, Ziwei Liu, Lingyun Wu, Ping Luo, *MaskGAN: Towards Diverse and Interactive Facial "
        "Image Manipulation*, CVPR 2020.",
    ),
}

_UNKNOWN = (
    "other",
    "The faces come from a folder of portraits of whose licence nothing is known here. **Do not redistribute these "
    "images** unless the portraits' owners and the people shown allow it.",
)

_USE = {
    "imagefolder": """\
```python
from datasets import load_dataset

images = load_dataset("imagefolder", data_dir="FOLDER")  # train, validation, test
```

Take the label from the column `label`. A reader that numbers the folders by the alphabet (such as torchvision's
ImageFolder) calls face 0 and no_face 1, the other way round.
""",
    "coco": """\
```python
from pycocotools.coco import COCO

annotations = COCO("FOLDER/annotations/test.json")  # file names are relative to FOLDER
```

The categories are the part kinds; an image's class is its `label`. An annotation's `slot` is the place that the
part was put into, and its `donor` the exemplar that it comes from.
""",
    "parquet": """\
```python
from datasets import load_dataset

images = load_dataset("FOLDER")  # train, validation, test
```
""",
    "webdataset": """\
```python
import webdataset

shard = webdataset.WebDataset("FOLDER/train-000000.tar", shardshuffle=False)
images = shard.decode("rgb8").to_tuple("png", "cls")
```

A sample has the members `png`, `cls` (the label), `json` (all columns) and, if there are masks, `mask.png`.
""",
}


def data_card(description: dict[str, Any], data_files: str, columns: list[str]) -> str:
    """The text of a dataset's README.md.

    Args:
        description: What `dataset.json` holds.
        data_files: Pattern of the files of a subset, `{}` for its name.
        columns: The columns of the table of stimuli.

    Returns:
        Markdown with a YAML header. It names a source of faces by its kind alone, never by its folder.
    """
    kind = description["source"].partition(":")[0]
    license, note = _SOURCES.get(kind, _UNKNOWN)
    name, images = description["condition"]["name"], description["images"]
    masked, total = description["masks"] is not None, sum(images.values())
    header: dict[str, Any] = {"license": license}
    if license == "other":
        header["license_name"] = "see-below"
    header |= {
        "pretty_name": f"Picasso faces, {name}, {kind} exemplars",
        "task_categories": ["image-classification"]
        + (["image-segmentation"] if masked or description["format"] == "coco" else []),
        "tags": ["picasso-faces", "configural-processing", "explainable-ai", "configural"],
        "size_categories": [_size_category(total)],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": _SPLIT_NAMES[subset], "path": data_files.format(subset)}
                    for subset in SUBSETS
                    if images[subset]
                ],
            }
        ],
    }
    size = description["image_size"]
    counts = "\n".join(f"| {_SPLIT_NAMES[subset]} | `{subset}` | {images[subset]:,} |" for subset in SUBSETS)
    labels = ", ".join(f"{label} {class_name}" for label, class_name in enumerate(CLASS_NAMES))
    values = (description["masks"] or {"values": {}})["values"]
    masks = ", ".join(f"{value} {part}" for value, part in values.items())
    return f"""---
{yaml.safe_dump(header, sort_keys=False)}---

# {header["pretty_name"]}

{total:,} images of {size} × {size} pixels in two classes. A *face* has every part (left eye, right eye, nose,
mouth) in its own place; a *no_face* has them shuffled. The parts come from different exemplars and are put onto a
canvas: an exemplar whose own parts were taken out and filled in with skin. The same settings give the same images.

| split | written as | images |
|---|---|---|
{counts}

Labels: {labels}.{f" Masks: {masks}." if masks else ""}

Columns: {", ".join(f"`{column}`" for column in columns)}.

For each of the four slots, they tell the `kind` of part that it holds, the `donor` exemplar that the part comes from,
and by how many rows and columns it was moved. The columns of all images together are in `stimuli.parquet`.

## Use

{_USE[description["format"]]}
## How it was made

| setting | value |
|---|---|
| faces | {description["source"] if kind == "synthetic" else kind} |
| fingerprint of the faces | `{description["fingerprint"]}` |
| condition | {name} |
| placement | {description["placement"]} |
| split | {description["split"]} |
| count | {description["count"]:,} |
| seed | {description["seed"]} |
| image size | {size} |
| configural | {description["configural"]} |

The condition in full:

```json
{json.dumps(description["condition"])}
```

`configural verify FOLDER` draws a sample again and compares it with what is stored.

## Licence of the faces

{note}

## How to cite

Cite the software configural by its CITATION.cff, and the work it repeats:

- Lisa Lengenfelder, *Are Relations Relevant in CNNs? A Study Based on a Facial Dataset*, Bachelor thesis, 2021.
- Johannes Rabold, Gesina Schwalbe, Ute Schmid, *Expressive explanations of DNNs by combining concept analysis with
  ILP*, Lecture Notes in Computer Science, 2020 (the Picasso dataset).
"""


def _size_category(total: int) -> str:
    """The hub's word for a number of images."""
    limits = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]
    return next((word for limit, word in limits if total < limit), "1M<n<10M")
