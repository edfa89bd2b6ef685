"""Which pixels the score is attributed to, counted by the exact masks of the parts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, UInt8
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from torch import Tensor

from configural.audit import plotting
from configural.audit.overlays import heat
from configural.audit.positions import padding
from configural.audit.probe import Inspection, Material, Score, Trials
from configural.audit.probes.receptive_field import LEGIBLE, as_tensor, fields_of, last_convolution
from configural.audit.respondents import Respondent, checked
from configural.cores import on_cores
from configural.models.classifiers import Differentiable
from configural.models.networks import threads_for
from configural.models.study_networks import StudyNet
from configural.objects import ObjectScheme
from configural.stimuli import Renderer, Stimulus

_BLANK = 128.0
_STYLES = {
    "area": ("fraction of the area", plotting.GREY, "|", -0.26),
    "gradients": ("Integrated Gradients", plotting.BLUE, "o", 0.0),
    "occlusion": ("occlusion", plotting.ORANGE, "s", 0.26),
}
"""What is counted per region; its label, colour, mark and height in the figure."""


@dataclass(frozen=True)
class Attribution(Inspection):
    """Integrated Gradients from a grey image, and occlusion by grey squares, summed over regions.

    Attributes:
        objects: How many images.
        steps: Of the integral.
        patches: Squares along each side of the image that are blanked one at a time.
    """

    objects: int = 40
    steps: int = 24
    patches: int = 12
    name: str = "attribution"
    title = "Attribution inside parts"
    question = "How much of the score do attribution methods place on each part, on the canvas, on the padding?"
    how_to_read = (
        "Fractions of absolute attribution, from a grey image, by exact masks. A fraction well above that of the "
        "area means the method points there; it does not say that relations are used or not."
    )
    fractions = tuple(f"fraction_{key}" for key in _STYLES)
    needs = "captum"

    def inspect(self, classifier: Any, stimuli: list[Stimulus], *, renderer: Renderer) -> dict[str, np.ndarray]:
        """Per image each region's fraction of the area, and of each method's absolute attribution."""
        names = regions(renderer.library.scheme)
        masks = np.stack([_masks(renderer, stimulus) for stimulus in stimuli])
        columns = {f"area {name}": masks[:, number].mean(axis=(1, 2)) for number, name in enumerate(names)}
        for key, relevance in self.relevance(classifier, renderer.draw_batch(stimuli)).items():
            strength = np.abs(relevance).sum(axis=1)
            total = strength.sum(axis=(1, 2))
            for number, name in enumerate(names):
                with np.errstate(all="ignore"):
                    fraction = (strength * masks[:, number]).sum(axis=(1, 2)) / total
                columns[f"{key} {name}"] = np.where(total > 1e-9, fraction, np.nan)
        return columns

    def relevance(
        self, classifier: Any, images: UInt8[np.ndarray, "n size size 3"]
    ) -> dict[str, Float[np.ndarray, "n 3 size size"]]:
        """Per method what it attributes to each pixel and colour."""
        module = getattr(classifier, "module", None)
        threads = threads_for(module, next(module.parameters()).device) if isinstance(module, StudyNet) else 1
        parts = np.array_split(images, max(1, min(threads, len(images))))
        found = on_cores(lambda rank, _: self._relevance(classifier, parts[rank]), len(parts))
        return {key: np.concatenate([part[key] for part in found]) for key in found[0]}

    def _relevance(
        self, classifier: Any, images: UInt8[np.ndarray, "n size size 3"]
    ) -> dict[str, Float[np.ndarray, "n 3 size size"]]:
        from captum.attr import IntegratedGradients, Occlusion

        values, size = as_tensor(images), len(images[0])
        found, squares = {}, 1
        if isinstance(classifier, Differentiable) and _has_gradients(classifier, values[:1]):
            # As many images at a time as take no more than a few gigabytes in the study's networks; without
            # gradients they take less.
            at_once = max(len(values), min(200, 2_000_000 // size**2))
            squares = at_once // len(values)
            method = IntegratedGradients(classifier.scores, multiply_by_inputs=True)
            found["gradients"] = method.attribute(
                values.requires_grad_(), _BLANK, n_steps=self.steps, internal_batch_size=at_once
            )
        side = -(-size // self.patches)

        def respond(batch: Tensor) -> Tensor:
            shown = batch.detach().permute(0, 2, 3, 1).round().to(torch.uint8).numpy()
            return torch.from_numpy(checked(classifier.log_odds(np.ascontiguousarray(shown)), len(shown)))

        with torch.no_grad():
            found["occlusion"] = Occlusion(respond).attribute(
                values.detach(),
                (3, side, side),
                strides=(3, side, side),
                baselines=_BLANK,
                perturbations_per_eval=squares,
            )
        return {key: relevance.detach().numpy().astype(float) for key, relevance in found.items()}

    def examples(self, shown: pd.DataFrame) -> dict[int, str]:
        """None: the maps show the same images, too."""
        return {}

    def maps(self, classifier: Respondent, trials: Trials, *, image_size: int) -> Iterator[tuple[str, np.ndarray]]:
        """Two images, each beside what both methods attribute to its pixels, and what one unit sees of it."""
        some = trials.stimuli[:2]
        if not some:
            return
        large = Renderer(trials.library, size=max(image_size, LEGIBLE)).draw_batch(some)
        images = Renderer(trials.library, size=image_size).draw_batch(some)
        relevance, name = self.relevance(classifier, images), trials.library.scheme.class_names[1]
        for number, image in enumerate(large):
            yield f"{name} {number + 1}", image
            for key, values in relevance.items():
                yield f"{_STYLES[key][0]}: blue for {name}, orange against", heat(image, values[number].sum(axis=0))
            if not (isinstance(classifier, Differentiable) and "gradients" in relevance):
                continue
            if last_convolution(classifier.module) is not None:
                yield fields_of(classifier, images[number], over=image)

    def score(self, responses: pd.DataFrame, material: Material) -> list[Score]:
        """Fractions per region and method, next to the region's fraction of the area."""
        return [
            Score(f"fraction_{key}", material.bootstrap.mean(responses[f"{key} {name}"], responses["host"]), name)
            for key in _STYLES
            for name in regions(material.scheme)
            if f"{key} {name}" in responses
        ]

    def figure(self, scores: pd.DataFrame) -> Figure:
        """Fraction of the attribution that falls into each region, next to its fraction of the area."""
        names = plotting.words(scores[scores["score"] == "fraction_area"]["of"])
        with plotting.panels(1, 0.6 * len(names) + 1) as (figure, (axes,)):
            for key, (label, colour, marker, up) in _STYLES.items():
                rows = scores[scores["score"] == f"fraction_{key}"]
                if len(rows):
                    plotting.marks(
                        axes, rows, np.arange(len(rows)) + up, fmt=marker, color=colour, label=label, elinewidth=2,
                        markersize=12 if marker == "|" else 8, markeredgewidth=2.5, clip_on=False,
                    )  # fmt: skip
            axes.set_yticks(range(len(names)), names)
            axes.invert_yaxis()
            # Parts take up little: on a straight axis all that is theirs would lie on one spot.
            axes.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
            axes.set_xlim(0, 1)
            axes.set_xticks([0.01, 0.05, 0.1, 0.25, 0.5, 1])
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
            axes.xaxis.set_minor_locator(NullLocator())
            plotting.grid(axes, "x")
            axes.set_xlabel("fraction (axis by square roots)")
            plotting.legend_beside(axes)
        return figure


def regions(scheme: ObjectScheme) -> tuple[str, ...]:
    """What attribution is summed over: every part, the canvas around them, the padding beside a portrait."""
    return (*scheme.part_kinds, "canvas", "padding")


def _has_gradients(classifier: Differentiable, values: Tensor) -> bool:
    """Whether they go through the whole network, which they do not if it is quantised, or in part without them."""
    with torch.enable_grad():
        try:
            values = values.detach().clone().requires_grad_()
            torch.autograd.grad(classifier.scores(values).sum(), values)
        except RuntimeError:  # PyTorch's
            return False
    return True


def _masks(renderer: Renderer, stimulus: Stimulus) -> Bool[np.ndarray, "regions size size"]:
    """Which pixels belong to each region."""
    by_slot = renderer.draw_masks(stimulus)
    scheme = renderer.library.scheme
    found = np.zeros((len(regions(scheme)), *by_slot.shape[1:]), bool)
    for mask, content in zip(by_slot, stimulus.contents, strict=True):
        found[scheme.index(content.kind)] |= mask
    found[-1] = padding(renderer.library, stimulus, renderer.size) & ~found[:-2].any(axis=0)
    found[-2] = ~found.any(axis=0)
    return found
