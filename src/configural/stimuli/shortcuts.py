"""How well the classes can be distinguished without seeing how parts relate."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.optimize import minimize
from scipy.special import expit

from configural.portraits import Library
from configural.stimuli.conditions import Condition
from configural.stimuli.rendering import Renderer
from configural.stimuli.sampling import sample
from configural.stimuli.table import StimulusTable

CUES = ("histogram", "thumbnail", "geometry")
"""Colours; an 8 × 8 image; how much parts overlap and hide, how large they are and how far from the edges."""

_BINS = 16
_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_FOLDS = 5


def shortcut_accuracies(
    library: Library,
    condition: str | Condition,
    *,
    count: int = 10000,
    seed: int = 0,
    split: str = "paper",
    size: int = 224,
) -> dict[str, float]:
    """Balanced accuracy of a logistic regression on each of `CUES`, on the test images of a fresh sample.

    It is trained on the training images; its penalty is chosen there, by cross-validation that keeps pairs
    together. The paper split's test images are new collages of the same exemplars; the identity split's of others.

    Args:
        library: The exemplars.
        condition: What `configural.stimuli.condition` understands.
        count: Images in all; 80 % of them train and 15 % test.
        seed: Of the stimuli.
        split: paper or identity.
        size: Rows and columns of the images; a multiple of 8.

    Returns:
        Per cue, from 0 to 1; 0.5 is chance.
    """
    table = sample(library, condition=condition, split=split, count=count, seed=seed)
    features: dict[str, list[np.ndarray]] = {cue: [] for cue in CUES}
    renderer = Renderer(library, size=size)
    for stimulus in table:
        image = renderer.draw(stimulus)
        features["histogram"].append(colour_histogram(image))
        features["thumbnail"].append(thumbnail(image))
        kinds = [content.kind for content in stimulus.contents]
        by_slot = renderer.draw_footprints(stimulus)
        features["geometry"].append(part_geometry(by_slot, kinds, library.scheme.part_kinds))
    return {cue: _accuracy(np.array(values, float), table) for cue, values in features.items()}


def colour_histogram(image: UInt8[np.ndarray, "rows cols 3"]) -> Float[np.ndarray, " features"]:
    """Per colour channel the fraction of pixels in each of 16 ranges."""
    levels = image.transpose(2, 0, 1) // (256 // _BINS)
    counts = [np.bincount(channel.ravel(), minlength=_BINS) for channel in levels]
    return np.concatenate(counts) / image[..., 0].size


def thumbnail(image: UInt8[np.ndarray, "rows cols 3"]) -> Float[np.ndarray, " features"]:
    """The image as 8 × 8 means."""
    step = image.shape[0] // 8
    return image[: 8 * step, : 8 * step].reshape(8, step, 8, step, 3).mean(axis=(1, 3)).ravel() / 255


def part_geometry(
    footprints: Bool[np.ndarray, "slots rows cols"], kinds: Sequence[str], part_kinds: Sequence[str]
) -> Float[np.ndarray, " features"]:
    """Overlaps, sizes and distances to the edges, without saying which part lies in which slot.

    Of each slot's footprint and part kind, these are: pixels shared by any two parts; in the order of all part
    kinds each one's size and how much of it is hidden; the constellation's distance from each edge.
    """
    hidden_by_later = [part & footprints[slot + 1 :].any(axis=0) for slot, part in enumerate(footprints)]
    order = [kinds.index(kind) for kind in part_kinds]
    size = footprints.sum(axis=(1, 2))[order]
    hidden = np.sum(hidden_by_later, axis=(1, 2))[order]
    edges: list[int] = []
    for along in ((0, 2), (0, 1)):
        line = np.asarray(footprints.any(axis=along))
        edges += [int(line.argmax()), int(line[::-1].argmax())]
    shared = np.maximum(footprints.sum(axis=0) - 1, 0).sum()
    return np.array([shared, *size, *hidden, *edges], float)


def _accuracy(features: Float[np.ndarray, "n features"], table: StimulusTable) -> float:
    subset = table.frame["subset"].to_numpy()
    label, index = table.frame["label"].to_numpy(), table.frame["index"].to_numpy()
    train, test = subset == "train", subset == "test"
    spread = features[train].std(axis=0)
    kept = spread > 1e-9
    scaled = (features[:, kept] - features[train][:, kept].mean(axis=0)) / spread[kept]
    scaled = np.hstack([scaled, np.ones((len(scaled), 1))])
    fold = index[train] % _FOLDS  # a pair has one index, so that its two images are on the same side
    scores = []
    for penalty in _PENALTIES:
        hits = []
        for held_out in range(_FOLDS):
            fitting = fold != held_out
            weights = _regression(scaled[train][fitting], label[train][fitting], penalty)
            hits.append(_balanced(scaled[train][~fitting] @ weights > 0, label[train][~fitting]))
        scores.append(np.mean(hits))
    weights = _regression(scaled[train], label[train], _PENALTIES[int(np.argmax(scores))])
    return _balanced(scaled[test] @ weights > 0, label[test])


def _regression(
    features: Float[np.ndarray, "n features"], label: Int[np.ndarray, " n"], penalty: float
) -> Float[np.ndarray, " features"]:
    """The weights of a logistic regression; the last feature is 1 and its weight is free."""
    sign = 2.0 * label - 1
    shrunk = np.append(np.full(features.shape[1] - 1, penalty), 0)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (features @ weights)
        slope = -(features * (sign * expit(-margin))[:, None]).mean(axis=0) + shrunk * weights
        return float(np.logaddexp(0, -margin).mean() + (shrunk * weights**2).sum() / 2), slope

    solution: Float[np.ndarray, " features"] = minimize(
        loss, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500}
    ).x
    return solution


def _balanced(said: Bool[np.ndarray, " n"], label: Int[np.ndarray, " n"]) -> float:
    return float(np.mean([(said == bool(value))[label == value].mean() for value in (0, 1)]))
