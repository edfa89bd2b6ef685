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
from configural.models.outputs import Reading

Prepare = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class TorchClassifier:
    """A torch network as a classifier.

    Attributes:
        module: In evaluation mode.
        prepare: From RGB images of 0 to 255 (n, 3, h, w) to what the network takes; differentiable.
        reading: Of its outputs.
        name: What to call it.
        image_size: Rows and columns that it takes; None if any.
        device: Where the network is.
        kind: What it was opened from.
        preparation: What `prepare` does, in words.
    """

    module: nn.Module
    prepare: Prepare
    reading: Reading
    name: str
    image_size: int | None
    device: str = "cpu"
    kind: str = "a torch module"
    preparation: str = "yours"

    def scores(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"]:
        """Log-odds of the correct class, differentiable."""
        return self._log_odds(images)

    def log_odds(self, images: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, " n"]:
        """Log-odds of the correct class, in nats."""
        with torch.inference_mode():
            return np.asarray(self._log_odds(_channels_first(images)).double().cpu().numpy())

    def describe(self) -> dict[str, Any]:
        """What was understood."""
        if self.image_size is not None and not self.reading.decided:
            self.log_odds(np.zeros((1, self.image_size, self.image_size, 3), np.uint8))
        return {"kind": self.kind, "preparation": self.preparation, **self.reading.describe()}

    def _log_odds(self, images: Tensor) -> Tensor:
        outputs = self._outputs(images)
        self.reading.decide(outputs, lambda noise: self._outputs(_channels_first(noise)), images.shape[-1])
        return self.reading.log_odds(outputs)

    def _outputs(self, images: Tensor) -> Any:
        prepared = self.prepare(images.to(self.device))
        first = next((one for one in self.module.parameters() if one.is_floating_point()), None)
        if first is not None and prepared.is_floating_point() and prepared.dtype != first.dtype:
            prepared = prepared.to(first.dtype)  # of a network in half or double precision
        return self.module(prepared)


def _channels_first(images: UInt8[np.ndarray, "n h w 3"]) -> UInt8[Tensor, "n 3 h w"]:
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)


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
        module.to(options.device).eval(),
        prepared,
        reading,
        options.name or type(module).__name__,
        agreed(size, options.image_size, options.name),
        options.device,
        kind,
        words,
    )
