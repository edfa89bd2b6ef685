"""Settings in words, as rows of a page."""

from collections.abc import Mapping
from typing import Any

CONDITIONS = {
    "baseline": "parts where their portraits have them",
    "ffa": "parts further apart",
    "fct": "parts closer together",
}
SPLITS = {
    "paper": "test images are new collages of exemplars that training images are made of too",
    "identity": "no person, and of other objects no exemplar, is in two of train, valid and test",
}
PREPARATIONS = dict.fromkeys(("cnn-15", "cnn-13", "fcn-16", "fcn-14"), "BGR, less the mean colour of ImageNet")
PLACEMENTS = {"shifted": "a third each on the left, in the middle and on the right"}

Rows = list[tuple[str, str, str]]
"""Settings as (name, value, remark)."""


def plain(value: Any) -> str:
    """A setting in words."""
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value)) or "nothing"
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(inner)}" for key, inner in value.items())
    if isinstance(value, int) and abs(value) >= 10_000:
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def weights(metrics: Mapping[str, Any]) -> Rows:
    """The beginning of the digest of a network's weights, where it was told."""
    digest = metrics.get("weights", "")
    return [("weights (SHA-256)", digest[:16], "the first 16 digits")] if digest else []


def reading(network: str, metrics: Mapping[str, Any]) -> Rows:
    """How its outputs are read, and how images are prepared for it."""
    correct = f"class taken as {metrics['class_names'][1]}" if "class_names" in metrics else "class"
    if (told := metrics.get("classifier")) is not None:
        rows = {correct: told.get("positive", ""), **{k: value for k, value in told.items() if k != "positive"}}
        return [(key.replace("_", " "), plain(value), "") for key, value in rows.items()]
    return [
        (correct, "1", "of two outputs, counted from 0"),
        ("preparation", "the network's own", PREPARATIONS.get(network, "")),
    ]


def made_with(metrics: Mapping[str, Any]) -> Rows:
    """When, and with which versions."""
    versions = {"PyTorch": metrics.get("torch"), **metrics.get("versions", {})}
    told = {"date": metrics.get("date"), "configural": metrics["configural"], **versions}
    return [(name, value, "") for name, value in told.items() if value]
