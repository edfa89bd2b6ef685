"""How far one cell sees, next to how far apart the parts are."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from configural.audit.intervals import Bootstrap, Estimate
from configural.audit.positions import part_positions
from configural.audit.probe import OfFaces, Score
from configural.errors import ConfiguralError
from configural.models import StudyNet, receptive_field
from configural.models.classifiers import Differentiable, Subject
from configural.portraits import PART_KINDS
from configural.stimuli import Renderer, Stimulus

_SHARE_OF_PEAK = 1 - 0.9545
"""A pixel belongs to the effective field if its gradient is above this share of the largest: Luo et al., 2016."""

PAIRS = tuple((a, b) for a in range(4) for b in range(a + 1, 4))


@dataclass(frozen=True)
class ReceptiveField(OfFaces):
    """The field of view of one cell of the last feature map, in pixels of the image.

    Attributes:
        faces: How many images gradients are taken of.
    """

    faces: int = 24
    name: str = "reach"
    title: str = "Reach"
    question: str = "Can one cell of the last feature map see two parts at once, and how much of that does it use?"

    def obstacle(self, subject: Subject) -> str:
        """Gradients need a torch network with a convolution."""
        if not isinstance(subject, Differentiable):
            return "needs a torch network to take gradients of"
        return "" if last_convolution(subject.module) is not None else "the network has no convolution"

    def look(
        self,
        subject: Any,
        stimuli: list[Stimulus],
        images: UInt8[np.ndarray, "n size size 3"],
        renderer: Renderer,
    ) -> dict[str, np.ndarray]:
        """Per image the effective field and the distances between parts, in pixels."""
        size = renderer.size
        places = part_positions(renderer.library, stimuli) * size
        field = np.full(len(images), float(_theoretical(subject.module)))
        columns = {"theoretical": field, "side": np.full(len(images), float(size))}
        columns["effective"] = np.sqrt((_gradients(subject, images)).astype(float))
        for a, b in PAIRS:
            # The side of the smallest square that holds the middles of both.
            columns[f"{PART_KINDS[a]} – {PART_KINDS[b]}"] = np.abs(places[:, a] - places[:, b]).max(axis=1)
        return columns

    def score(self, answers: pd.DataFrame, bootstrap: Bootstrap) -> list[Score]:
        """Fields and distances in pixels; nan for a theoretical field that the layers do not tell."""
        exemplars = answers["host"].to_numpy()
        n, theoretical = len(set(exemplars)), float(answers["theoretical"].iloc[0])
        note = "" if np.isfinite(theoretical) else "not told by this network's layers"
        found = [
            Score("field", Estimate(theoretical, theoretical, theoretical, n, len(exemplars), note), "theoretical"),
            Score("field", bootstrap.mean(answers["effective"].to_numpy(), exemplars), "effective"),
        ]
        names = [f"{PART_KINDS[a]} – {PART_KINDS[b]}" for a, b in PAIRS]
        found += [Score("distance", bootstrap.mean(answers[name].to_numpy(), exemplars), name) for name in names]
        within = np.stack([answers[name] <= answers["effective"] for name in names], axis=1).mean(axis=1)
        return [*found, Score("pairs_in_field", bootstrap.share(within, exemplars), "effective")]


def last_convolution(module: nn.Module) -> nn.Module | None:
    """The last two-dimensional convolution that sees more than single cells, or the last at all."""
    found = [one for one in module.modules() if isinstance(one, nn.Conv2d)]
    wide = [one for one in found if one.kernel_size != (1, 1)]
    return (wide or found)[-1] if found else None


def evidence_map(subject: Differentiable, image: UInt8[np.ndarray, "size size 3"]) -> np.ndarray | None:
    """For a fully convolutional network of the study: each cell's log-odds of face; else nothing."""
    module = subject.module
    if not isinstance(module, StudyNet) or not module.architecture.fully_convolutional:
        return None
    seen: list[Tensor] = []
    handle = module.get_submodule("Conv_con").register_forward_hook(lambda _, __, out: seen.append(out))
    try:
        with torch.no_grad():
            subject.scores(as_tensor(image[None]))
    finally:
        handle.remove()
    return np.asarray((seen[0][0, 1] - seen[0][0, 0]).cpu().numpy())


def as_tensor(images: UInt8[np.ndarray, "n size size 3"]) -> Float[Tensor, "n 3 size size"]:
    """RGB images of 0 to 255 as a network's channels-first numbers."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()


def _theoretical(module: nn.Module) -> float:
    # The recurrence over the layers holds for one chain of layers only.
    plain = isinstance(module, nn.Sequential) and all(not list(child.children()) for child in module.children())
    known = plain and all(
        one.dilation in (1, (1, 1)) for one in module.modules() if isinstance(one, nn.Conv2d | nn.MaxPool2d)
    )
    pooled = any(isinstance(one, nn.AvgPool2d | nn.Upsample | nn.ConvTranspose2d) for one in module.modules())
    return receptive_field(module) if known and not pooled else float("nan")


def _gradients(subject: Differentiable, images: UInt8[np.ndarray, "n size size 3"]) -> np.ndarray:
    """Number of pixels in the effective field of the middle cell, image by image."""
    layer = last_convolution(subject.module)
    assert layer is not None
    seen: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _, __, out: seen.append(out))
    values = as_tensor(images).requires_grad_()
    try:
        with torch.enable_grad():
            subject.scores(values)
            features = seen[0]
            rows, cols = features.shape[2:]
            # As in Luo et al.: a gradient of one at the middle cell of every channel. Their absolute values keep
            # channels of opposite sign from hiding each other.
            middle = features[:, :, rows // 2, cols // 2].abs().sum()
            (gradient,) = torch.autograd.grad(middle, values)
            if not gradient.isfinite().all():
                raise ConfiguralError("its gradients hold NaN or infinity")
    finally:
        handle.remove()
    strength = gradient.abs().sum(dim=1)
    peak = strength.amax(dim=(1, 2), keepdim=True)
    return ((strength > _SHARE_OF_PEAK * peak) & (peak > 0)).sum(dim=(1, 2)).numpy()
