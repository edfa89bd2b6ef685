"""The data card: a README.md with the fields that the Hugging Face hub shows."""

import json
import re
from bisect import bisect
from collections.abc import Sequence
from functools import cache
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from configural.export.format import Format
from configural.stimuli.table import SUBSETS

_SPLIT_NAMES = {"train": "train", "valid": "validation", "test": "test"}
"""A subset's name in the `datasets` library."""

_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")
"""The hub's words for numbers of images."""

_PAINTED = (
    "cc0-1.0",
    "The exemplars are painted by a program; no photograph is in them. The images are free for any use. (If you "
    "publish them, change the licence in the header to the one you choose.)",
)

_SOURCES = {
    "synthetic": _PAINTED,
    "houses": _PAINTED,
    "fasseg": (
        "other",
        "The exemplars come from the FASSEG portraits: photographs of people, published without the text of a "
        "licence. **Do not redistribute these images.** Publish the settings above instead: whoever has the "
        "portraits draws the same images from them. Cite Khalil Khan, Massimo Mauro, Riccardo Leonardi, "
        "*Multi-class semantic segmentation of faces*, ICIP 2015.",
    ),
    "celebamask": (
        "other",
        "The exemplars come from CelebAMask-HQ: photographs of people, which its makers allow for non-commercial "
        "research and education only. **Do not redistribute these images** before you have read their terms. "
        "Cite Cheng-Han Lee, Ziwei Liu, Lingyun Wu, Ping Luo, *MaskGAN: Towards Diverse and Interactive Facial "
        "Image Manipulation*, CVPR 2020.",
    ),
}

_UNKNOWN = "**Do not redistribute these images** unless the owners of the source images{} allow it."


def _rights(licence: str, *, people: bool) -> str:
    """What is said of a source that states its licence itself, or states none; see `Library`."""
    stated = licence.strip() or "Nothing is known of a licence."
    stated += "" if stated.endswith(".") else "."
    if re.match(r"[Ff]ree(?=[.:])", stated):
        return f"F{stated[1:]} The images may be passed on."
    return f"{stated} {_UNKNOWN.format(' and the people shown' * people)}"


@cache  # compiling it takes longer than filling it in
def _template() -> Template:
    loader = PackageLoader("configural.export")
    environment = Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.get_template("card.md.j2")


def data_card(description: dict[str, Any], form: Format, *, columns: Sequence[str], licence: str = "") -> str:
    """The text of a dataset's README.md.

    It is Markdown with a YAML header, and names a source by its kind alone, never by its folder.

    Args:
        description: What `dataset.json` holds.
        form: The format.
        columns: The columns of the table of stimuli.
        licence: What is known of the rights in the source images; see `Library`.
    """
    kind, people = description["source"].partition(":")[0], description["class_names"][1] == "face"
    license, note = _SOURCES.get(kind, ("other", _rights(licence, people=people)))
    name, images = description["condition"]["name"], description["images"]
    thing, masked, total = description["object"]["name"], description["masks"] is not None, sum(images.values())
    header: dict[str, Any] = {"license": license}
    if license == "other":
        header["license_name"] = "see-below"
    header |= {
        "pretty_name": f"Picasso {thing}s, {name}, {kind} exemplars",
        "task_categories": ["image-classification"]
        + (["image-segmentation"] if masked or form.holds_parts else []),
        "tags": [f"picasso-{thing}s", "configural-processing", "explainable-ai", "configural"],
        "size_categories": [_SIZES[bisect([10**3, 10**4, 10**5, 10**6, 10**7], total)]],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": _SPLIT_NAMES[subset], "path": form.data_files.format(subset)}
                    for subset in SUBSETS
                    if images[subset]
                ],
            }
        ],
    }
    return _template().render(
        {**description, "source": description["source"] if _SOURCES.get(kind) is _PAINTED else kind},
        header=yaml.safe_dump(header, sort_keys=False),
        title=header["pretty_name"],
        total=total,
        split_names=_SPLIT_NAMES,
        columns=columns,
        usage=form.usage.strip(),
        condition_in_full=json.dumps(description["condition"]),
        note=note,
        people=people,
    )
