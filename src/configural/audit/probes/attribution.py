"""Which pixels the score is attributed to, counted by the exact masks of the parts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from configural.audit.intervals import Bootstrap
from configural.audit.probe import OfFaces, Score, missing
from configural.audit.probes.receptive_field import as_tensor
from configural.models.classifiers import Differentiable, RespondsToImages, Subject, checked
from configural.portraits import PART_KINDS
from configural.stimuli import Renderer, Stimulus
from configural.stimuli.layout import left_padding

REGIONS = (*PART_KINDS, "canvas", "padding")
METHODS = {"gradients": "Integrated Gradients", "occlusion": "occlusion"}
_BLANK = 128.0


@dataclass(frozen=True)
class Attribution(OfFaces):
    """Integrated Gradients from a grey image, and occlusion by grey squares, summed over regions.

    Attributes:
        faces: How many faces.
        steps: Of the integral.
        patches: Squares along each side of the image that are blanked one at a time.
    """

    faces: int = 40
    steps: int = 24
    patches: int = 12
    name: str = "attribution"
    title: str = "Attribution inside parts"
    question: str = (
        "How much of the score do attribution methods place on each part, on the canvas, on the padding?"
    )

    def obstacle(self, subject: Subject) -> str:
        """Pixels are needed, and captum; gradients where a torch network is given."""
        if not isinstance(subject, RespondsToImages):
            return "needs a classifier of images"
        return missing("captum")

    def look(
        self,
        subject: Any,
        stimuli: list[Stimulus],
        images: UInt8[np.ndarray, "n size size 3"],
        renderer: Renderer,
    ) -> dict[str, np.ndarray]:
        """Per image each region's share of the area, and of each method's absolute attribution."""
        from captum.attr import IntegratedGradients, Occlusion

        values = as_tensor(images)
        found = {}
        if isinstance(subject, Differentiable):
            # As many images at a time as take no more than a few gigabytes in the study's networks.
            at_once = max(len(values), min(200, 2_000_000 // renderer.size**2))
            method = IntegratedGradients(subject.scores, multiply_by_inputs=True)
            found["gradients"] = method.attribute(
                values.requires_grad_(), _BLANK, n_steps=self.steps, internal_batch_size=at_once
            )
        side = -(-renderer.size // self.patches)

        def answer(batch: Tensor) -> Tensor:
            shown = batch.detach().permute(0, 2, 3, 1).round().to(torch.uint8).numpy()
            return torch.from_numpy(checked(subject.log_odds(np.ascontiguousarray(shown)), len(shown)))

        with torch.no_grad():
            found["occlusion"] = Occlusion(answer).attribute(
                values.detach(), (3, side, side), strides=(3, side, side), baselines=_BLANK
            )
        regions = np.stack([_regions(renderer, stimulus) for stimulus in stimuli])
        columns = {f"area {name}": regions[:, position].mean(axis=(1, 2)) for position, name in enumerate(REGIONS)}
        for key, relevance in found.items():
            strength = relevance.detach().abs().sum(dim=1).numpy().astype(float)
            total = strength.sum(axis=(1, 2))
            for position, name in enumerate(REGIONS):
                with np.errstate(all="ignore"):
                    share = (strength * regions[:, position]).sum(axis=(1, 2)) / total
                columns[f"{key} {name}"] = np.where(total > 1e-9, share, np.nan)
        return columns

    def score(self, answers: pd.DataFrame, bootstrap: Bootstrap) -> list[Score]:
        """Shares per region and method, next to the region's share of the area."""
        exemplars = answers["host"].to_numpy()
        found = []
        for key in ("area", *METHODS):
            for region in REGIONS:
                if f"{key} {region}" in answers:
                    values = answers[f"{key} {region}"].to_numpy(float)
                    found.append(Score(f"share_{key}", bootstrap.mean(values, exemplars), region))
        return found


def _regions(renderer: Renderer, stimulus: Stimulus) -> Bool[np.ndarray, "6 size size"]:
    """The parts by kind, the canvas around them, and the padding beside a portrait."""
    by_slot = renderer.draw_masks(stimulus)
    regions = np.zeros((len(REGIONS), *by_slot.shape[1:]), bool)
    for mask, content in zip(by_slot, stimulus.contents, strict=True):
        regions[PART_KINDS.index(content.kind)] |= mask
    regions[5] = _padding(renderer, stimulus)
    regions[5] &= ~regions[:4].any(axis=0)
    regions[4] = ~regions.any(axis=0)
    return regions


def _padding(renderer: Renderer, stimulus: Stimulus) -> Bool[np.ndarray, "size size"]:
    beside = np.zeros((renderer.size, renderer.size), bool)
    if stimulus.condition.background != "canvas":
        return beside
    height, width = next(exemplar for exemplar in renderer.library.exemplars if exemplar.name == stimulus.host).size
    left = left_padding(height, width, stimulus.placement)
    middles = (np.arange(renderer.size) + 0.5) * max(height, width) / renderer.size
    beside[:, (middles < left) | (middles > left + width)] = True
    return beside[::-1, ::-1] if stimulus.inverted else beside
