"""Torch networks as classifiers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from configural.cores import Meeting, on_cores
from configural.models.inputs import pixels
from configural.models.networks import evaluating, pieces, prepare, threads_for
from configural.models.opening import PIXELS, Options
from configural.models.outputs import OpenedClassifier, Reading

_WORTH_A_THREAD = 8
"""Images."""

Prepare = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False, kw_only=True)
class TorchClassifier(OpenedClassifier):
    """A torch network as a classifier.

    Attributes:
        module: The network; in evaluation mode while it responds, else in its owner's.
        prepare: From RGB images of 0 to 255 (n, 3, h, w) to what the network takes; differentiable.
        outputs: From the same images to the network's outputs.
    """

    module: nn.Module
    prepare: Prepare
    outputs: Callable[[Tensor], Any]

    def scores(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"]:
        """Log-odds of the correct class, differentiable."""
        with evaluating(self.module):
            outputs = self.outputs(images)
            self.reading.decide(outputs, self.respond, images.shape[-1])
        return self.reading.log_odds(outputs)


def torch_classifier(
    module: nn.Module, prepare: Prepare, *, options: Options, size: int | None, **understood: Any
) -> TorchClassifier:
    """A torch network, put onto the device; `understood` are its other attributes."""
    # What torch.compile gives shows nobody what its layers give; the network inside computes the same.
    module = cast(nn.Module, getattr(module, "_orig_mod", module)).to(options.device)

    def outputs(images: Tensor) -> Any:
        prepared = prepare(images.to(options.device))
        first = next((one for one in module.parameters() if one.is_floating_point()), None)

        def fitted(value: Tensor) -> Tensor:  # to a network in half or double precision
            return value if first is None or not value.is_floating_point() else value.to(first.dtype)

        if isinstance(prepared, Mapping):
            return module(**{name: fitted(value) for name, value in prepared.items()})
        return module(fitted(prepared))

    threads = threads_for(module, torch.device(options.device))

    def respond(images: UInt8[np.ndarray, "n h w 3"]) -> Any:
        # A copy, which somebody's preparation may write into.
        batch = torch.from_numpy(np.array(images, order="C")).permute(0, 3, 1, 2)

        def part(rank: int, meeting: Meeting) -> Any:
            with torch.inference_mode():
                some, *others = pieces(parts[rank], torch.device(options.device))
                first = outputs(some)
                if others and not isinstance(first, Tensor):  # several outputs, which are not ours to join
                    return outputs(parts[rank])
                return torch.cat([first, *map(outputs, others)]) if others else first

        parts = batch.tensor_split(max(1, min(threads, len(batch) // _WORTH_A_THREAD)))
        with evaluating(module):
            found = on_cores(part, len(parts))
        return found[0] if len(found) == 1 else torch.cat(found)

    return TorchClassifier(
        module=module,
        prepare=prepare,
        outputs=outputs,
        respond=respond,
        name=options.name or type(module).__name__,
        image_size=options.agreed_size(size),
        **understood,
    )


def of_floats(own: Prepare) -> Prepare:
    """Somebody's preparation, which is promised floats."""
    return lambda images: own(images.float())


def open_module(
    module: nn.Module, options: Options, *, kind: str = "a torch module", known: str = "", size: int | None = None
) -> TorchClassifier:
    """A torch network as a classifier; see `networks.NETWORKS` and `Reading` for what it takes and gives.

    Args:
        module: It is put onto the device.
        options: What a user said of it.
        kind: What it was opened from.
        known: `logits` or `probabilities`, where it is known what the outputs are.
        size: Rows and columns that it takes; None if any.
    """
    reading = Reading(options.positive, options.output, known=known)
    own = hasattr(module, "prepare")
    if own or options.prepare is not None:
        options.refuse(*PIXELS, because="what the network takes is known already")
    said = pixels(options, axis=1)
    if options.prepare is not None:
        prepared, words = of_floats(options.prepare), "yours"
    elif said is not None:
        words, prepared = said[0], of_floats(said[1])
    else:
        prepared, words = partial(prepare, module), "the network's own" if own else "RGB from 0 to 1"
        reading.guessed += [] if own else ["preparation"]
    return torch_classifier(
        module, prepared, options=options, size=size, reading=reading, kind=kind, preparation=words
    )
