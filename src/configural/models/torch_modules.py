"""Torch networks as classifiers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from configural.errors import ConfiguralError
from configural.models.networks import prepare
from configural.models.opening import Options, agreed
from configural.models.outputs import ReadClassifier, Reading

Prepare = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False, kw_only=True)
class TorchClassifier(ReadClassifier):
    """A torch network as a classifier.

    Attributes:
        module: In evaluation mode.
        prepare: From RGB images of 0 to 255 (n, 3, h, w) to what the network takes; differentiable.
        device: Where the network is.
    """

    module: nn.Module
    prepare: Prepare
    device: str

    def respond(self, images: UInt8[np.ndarray, "n h w 3"]) -> Any:
        """Its outputs."""
        with torch.inference_mode():
            return self._outputs(torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2))

    def scores(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"]:
        """Log-odds of the correct class, differentiable."""
        outputs = self._outputs(images)
        self.reading.decide(outputs, self.respond, images.shape[-1])
        return self.reading.log_odds(outputs)

    def _outputs(self, images: Tensor) -> Any:
        prepared = self.prepare(images.to(self.device))
        first = next((one for one in self.module.parameters() if one.is_floating_point()), None)
        if first is not None and prepared.is_floating_point() and prepared.dtype != first.dtype:
            prepared = prepared.to(first.dtype)  # of a network in half or double precision
        return self.module(prepared)


def of_floats(own: Prepare) -> Prepare:
    """Somebody's preparation, which is promised floats."""
    return lambda images: own(images.float())


def open_module(
    module: nn.Module, options: Options, *, kind: str = "a torch module", known: str = "", size: int | None = None
) -> TorchClassifier:
    """A torch network as a classifier; it is put into evaluation mode and onto the device.

    Args:
        module: See `networks.NETWORKS`; outputs of other forms are read as `Reading` says.
        options: What a user said of it.
        kind: What it was opened from.
        known: `logits` or `probabilities`, where it is known what the outputs are.
        size: Rows and columns that it takes; None if any.
    """
    reading = Reading.of(options.positive, options.output, known=known)
    own = hasattr(module, "prepare")
    if options.scale is not None and (options.prepare is not None or own):
        raise ConfiguralError("scale: what the network takes is known already; leave it out")
    if options.prepare is not None:
        prepared, words = of_floats(options.prepare), "yours"
    elif options.scale is not None:
        prepared, words = partial(torch.mul, other=options.scale), f"RGB times {options.scale:g}"
    else:
        prepared, words = partial(prepare, module), "the network's own" if own else "RGB from 0 to 1"
        reading.guessed += [] if own else ["preparation"]
    return TorchClassifier(
        reading=reading,
        kind=kind,
        preparation=words,
        name=options.name or type(module).__name__,
        image_size=agreed(size, options.image_size, options.name),
        module=module.to(options.device).eval(),
        prepare=prepared,
        device=options.device,
    )
