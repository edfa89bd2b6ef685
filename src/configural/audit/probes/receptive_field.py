"""How much of the image one unit of the last feature map sees, next to how far apart the parts are."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure
from torch import Tensor, nn

from configural.audit import plotting
from configural.audit.intervals import Estimate
from configural.audit.overlays import framed, heat
from configural.audit.positions import part_positions
from configural.audit.probe import Inspection, Material, Score, Trials
from configural.audit.respondents import Respondent
from configural.errors import ConfiguralError, first_line
from configural.models import StudyNet, receptive_field
from configural.models.classifiers import Differentiable
from configural.models.outputs import noise
from configural.stimuli import Renderer, Stimulus

_TRIED = (224, 64, 32)
"""Rows of images shown to networks that do not say which they take, to find out whether gradients go through."""

_FRACTION_OF_PEAK = 1 - 0.9545
"""A pixel is in the effective receptive field if its gradient is above this fraction of the largest (Luo, 2016)."""

LEGIBLE = 224
"""Pixels along a side of a map at least."""


@dataclass(frozen=True)
class ReceptiveField(Inspection):
    """The receptive field of one unit of the last feature map, in pixels of the image.

    Attributes:
        objects: How many images gradients are taken of.
    """

    objects: int = 24
    name: str = "receptive_field"
    title = "Receptive field"
    question = "Can one unit of the last feature map see two parts at once, and how much of that does it use?"
    how_to_read = (
        "A distance is the side of the smallest square that holds the middles of both parts. The effective "
        "receptive field is the side of a square of as many pixels as have a gradient above 4.55 % of the largest "
        "(Luo et al., 2016), of a unit before the last pooling; the theoretical one is of a unit after it. Dense "
        "layers, and pooling over all units, may still join what single units see."
    )
    fractions = ("pairs_in_receptive_field",)

    def obstacle(self, classifier: Respondent) -> str:
        """Gradients need a torch network with a convolution, and that they go through it."""
        if not isinstance(classifier, Differentiable):
            return "needs a torch network to take gradients of"
        if last_convolution(classifier.module) is None:
            return "the network has no convolution"
        return _no_gradients(classifier)

    def inspect(self, classifier: Any, stimuli: list[Stimulus], *, renderer: Renderer) -> dict[str, np.ndarray]:
        """Per image the effective receptive field and the distances between parts, in pixels."""
        positions = part_positions(renderer.library, stimuli) * renderer.size
        images = renderer.draw_batch(stimuli)
        columns = {"theoretical": np.full(len(images), float(receptive_field(classifier.module) or np.nan))}
        columns["effective"] = np.sqrt(_pixels_in_field(classifier, images).astype(float))
        kinds = renderer.library.scheme.part_kinds
        for (a, b), name in zip(combinations(range(len(kinds)), 2), _pairs(kinds), strict=True):
            # The side of the smallest square that holds the middles of both.
            columns[name] = np.abs(positions[:, a] - positions[:, b]).max(axis=1)
        return columns

    def score(self, responses: pd.DataFrame, material: Material) -> list[Score]:
        """Fields and distances in pixels; nan for a theoretical field that the layers do not tell."""
        bootstrap, hosts = material.bootstrap, responses["host"].to_numpy()
        theoretical = float(responses["theoretical"].iloc[0])
        note = "" if np.isfinite(theoretical) else "not told by this network's layers"
        known = Estimate(theoretical, theoretical, theoretical, len(set(hosts)), len(hosts), note)
        found = [
            Score("receptive_field", known, "theoretical"),
            Score("receptive_field", bootstrap.mean(responses["effective"], hosts), "effective"),
        ]
        names = _pairs(material.scheme.part_kinds)
        found += [Score("distance", bootstrap.mean(responses[name], hosts), name) for name in names]
        within = np.stack([responses[name] <= responses["effective"] for name in names], axis=1).mean(axis=1)
        return [*found, Score("pairs_in_receptive_field", bootstrap.fraction(within, hosts), "effective")]

    def examples(self, shown: pd.DataFrame) -> dict[int, str]:
        """None: the maps show the same images."""
        return {}

    def maps(self, classifier: Respondent, trials: Trials, *, image_size: int) -> Iterator[tuple[str, np.ndarray]]:
        """Both fields as squares on the first objects; beside each, of some networks, the evidence of the units."""
        if not isinstance(classifier, Differentiable):
            return
        name = trials.library.scheme.class_names[1]
        renderer = Renderer(trials.library, size=image_size)
        large = Renderer(trials.library, size=max(image_size, LEGIBLE))
        for number, stimulus in enumerate(trials.stimuli[:2], 1):
            image, shown = renderer.draw(stimulus), large.draw(stimulus)
            yield fields_of(classifier, image, over=shown)
            evidence = evidence_map(classifier, image)
            if evidence is not None:
                caption = f"evidence of the units, {name} {number}: blue for {name}, orange against"
                yield caption, heat(shown, evidence)

    def figure(self, scores: pd.DataFrame) -> Figure:
        """Distances between parts next to the receptive fields."""
        rows = scores[scores["score"] == "distance"]
        with plotting.panels(1, 0.45 * len(rows) + 1.5) as (figure, (axes,)):
            plotting.dots(axes, rows, plotting.words(rows["of"]))
            for of, colour, style in (
                ("effective", plotting.ORANGE, "-"),
                ("theoretical", plotting.GREY, (0, (4, 2))),
            ):
                value = scores[(scores["score"] == "receptive_field") & (scores["of"] == of)]["value"].iloc[0]
                if np.isfinite(value):
                    label = f"{of} receptive\nfield: {value:.0f}"
                    axes.axvline(value, color=colour, linewidth=2.2, linestyle=style, label=label)
            axes.set_xlim(0, None)
            axes.set_xlabel("pixels of the image")
            plotting.legend_beside(axes)
        return figure


def fields_of(
    classifier: Differentiable,
    image: UInt8[np.ndarray, "size size 3"],
    *,
    over: UInt8[np.ndarray, "large large 3"],
) -> tuple[str, UInt8[np.ndarray, "large large 3"]]:
    """What the middle unit of the last feature map sees of an image, as squares over it, with a caption."""
    sides = {"uses": float(np.sqrt(_pixels_in_field(classifier, image[None])[0]))}
    if known := receptive_field(classifier.module):
        sides["can see"] = float(known)
    caption = "; ".join(f"{what} {side:.0f}" for what, side in sides.items())
    squares = [side * (len(over) / len(image)) for side in sides.values()]
    middle = np.array([len(over) // 2, len(over) // 2])
    return f"one unit, pixels along a side: {caption}", framed(over, middle, squares)


def last_convolution(module: nn.Module) -> nn.Module | None:
    """The last two-dimensional convolution whose kernel is larger than 1×1, or the last at all."""
    found = [one for one in module.modules() if isinstance(one, nn.Conv2d)]
    wide = [one for one in found if one.kernel_size != (1, 1)]
    return (wide or found)[-1] if found else None


def evidence_map(classifier: Differentiable, image: UInt8[np.ndarray, "size size 3"]) -> np.ndarray | None:
    """For a fully convolutional network of the study: each unit's log-odds of the correct class; else nothing."""
    module = classifier.module
    if not isinstance(module, StudyNet) or not module.architecture.fully_convolutional:
        return None
    with _output_of(module.get_submodule("Conv_con")) as seen, torch.no_grad():
        classifier.scores(as_tensor(image[None]))
    return np.asarray((seen[0][0, 1] - seen[0][0, 0]).cpu().numpy())


def as_tensor(images: UInt8[np.ndarray, "n size size 3"]) -> Float[Tensor, "n 3 size size"]:
    """RGB images of 0 to 255 as a network's channels-first numbers."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()


@contextmanager
def _output_of(layer: nn.Module) -> Generator[list[Tensor]]:
    """What a layer gives while the block runs, call by call."""
    seen: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _, __, out: seen.append(out))
    try:
        yield seen
    finally:
        handle.remove()


def _pairs(kinds: Sequence[str]) -> list[str]:
    return [f"{first} – {second}" for first, second in combinations(kinds, 2)]


def _no_gradients(classifier: Differentiable) -> str:
    """Why there are none of an image that it does respond to, as in a quantised network; or nothing."""
    known = getattr(classifier, "image_size", None)
    for size in [known] if known else _TRIED:
        image = noise(size, 1)
        try:
            classifier.log_odds(image)
        except Exception:  # it takes another size
            continue
        try:
            _pixels_in_field(classifier, image)
        except Exception as error:  # whatever the network raises
            return f"no gradients go through the network ({first_line(error)})"
        break
    return ""


def _pixels_in_field(classifier: Differentiable, images: UInt8[np.ndarray, "n size size 3"]) -> np.ndarray:
    """Number of pixels in the effective receptive field of the middle unit, image by image."""
    layer = last_convolution(classifier.module)
    assert layer is not None
    values = as_tensor(images).requires_grad_()
    with _output_of(layer) as seen, torch.enable_grad():
        classifier.scores(values)
        if not seen:
            raise ConfiguralError(
                "its last convolution is not called as a layer, so that nobody can see what it gives"
            )
        rows, cols = seen[0].shape[2:]
        # As in Luo et al.: a gradient of one at the middle unit of every channel. Their absolute values keep
        # channels of opposite sign from hiding each other.
        middle = seen[0][:, :, rows // 2, cols // 2].abs().sum()
        (gradient,) = torch.autograd.grad(middle, values)
    if not gradient.isfinite().all():
        raise ConfiguralError("its gradients hold NaN or infinity")
    strength = gradient.abs().sum(dim=1)
    peak = strength.amax(dim=(1, 2), keepdim=True)
    return ((strength > _FRACTION_OF_PEAK * peak) & (peak > 0)).sum(dim=(1, 2)).numpy()
