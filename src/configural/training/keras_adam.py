"""Adam as Keras computes it."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

_NEXT_TO_NOTHING = 1e-30
_SWEPT_EVERY = 100
"""Steps. The moments of a weight whose gradient stays zero shrink until they cannot be told from zero by float32's
full precision, and with such numbers a CPU is slow: a training step can take twice as long. 100 steps take the
larger moment, at β₁ = 0.9, from 1e-30 to 3e-35, short of the 1e-38 where that begins. Below 1e-30, the first moment
moves no weight (it is divided by ε, 1e-7, at the least) and the second changes no step (its root is added to ε)."""


class KerasAdam(torch.optim.Adam):
    """Adam with Keras's epsilon.

    With m and v the running means of the gradient and of its square, Keras changes a weight in step t by

        −lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)

    which is the form at the end of section 2 of Kingma and Ba, *Adam*, 2015. PyTorch has Algorithm 1 of that
    paper, where ε is added after √v is divided by √(1 − β₂ᵗ). The two agree when PyTorch's ε is Keras's
    divided by √(1 − β₂ᵗ): 32 times as large in the first step.

    Before that, weight decay takes lr · weight_decay · w off every weight w. The gradients do not know of it, as in
    Loshchilov and Hutter, *Decoupled weight decay regularization*, 2019, and in Keras.

    Arguments are those of `torch.optim.Adam`; ε and weight decay are Keras's, the learning rate the study's.
    """

    _steps: int | None = None  # taken so far; None where only the state knows

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-7,
        weight_decay: float = 0,
        **options: Any,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, decoupled_weight_decay=True, **options)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the weights by their gradients once."""
        if self._steps is None:
            # Read once: with `fused` the counts are on the GPU, and reading them waits for it.
            self._steps = max((int(state["step"]) for state in self.state.values()), default=0)
        self._steps += 1
        keras_eps = [group["eps"] for group in self.param_groups]
        for group in self.param_groups:
            group["eps"] /= math.sqrt(1 - group["betas"][1] ** self._steps)
        try:
            return super().step(closure)
        finally:
            for group, eps in zip(self.param_groups, keras_eps, strict=True):
                group["eps"] = eps
            if self._steps % _SWEPT_EVERY == 0:
                self._sweep()

    def _sweep(self) -> None:
        """Set moments that are next to nothing to zero."""
        for state in self.state.values():
            for moment in (state["exp_avg"], state["exp_avg_sq"]):
                if moment.device.type == "cpu":
                    moment.masked_fill_(moment.abs() < _NEXT_TO_NOTHING, 0)

    def _init_group(self, group: dict[str, Any], params: list[Tensor], *lists: list[Tensor]) -> bool:
        complex_ones = bool(super()._init_group(group, params, *lists))
        # Fused Adam copies what is not contiguous, such as channels-last weights; seen in the order of memory they
        # are. The last list holds the counts of steps.
        beside = (params, *(tensors for tensors in lists[:-1] if tensors))
        for position, of_one in enumerate(zip(*beside, strict=True)):
            if all(tensor.stride() == of_one[0].stride() for tensor in of_one):
                for tensors, tensor in zip(beside, of_one, strict=True):
                    tensors[position] = _in_order_of_memory(tensor)
        return complex_ones

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from a `state_dict()`, exactly as if there had been no break."""
        super().load_state_dict(state_dict)
        self._steps = None
        # Files keep no memory format, and fused Adam walks through weights and moments side by side in memory:
        # where their formats differ it silently pairs numbers that do not belong together.
        for weights, state in self.state.items():
            for name, value in state.items():
                if value.shape == weights.shape:
                    state[name] = torch.empty_like(weights).copy_(value)


def _in_order_of_memory(tensor: Tensor) -> Tensor:
    """The same numbers, with the axes of a channels-last tensor as they lie in memory."""
    channels_last = tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    return tensor.permute(0, 2, 3, 1) if channels_last else tensor
