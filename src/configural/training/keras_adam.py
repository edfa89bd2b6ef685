"""Adam as Keras computes it."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.optim.optimizer import ParamsT


class KerasAdam(torch.optim.Adam):
    """Adam with Keras's epsilon.

    With m and v the running means of the gradient and of its square, Keras changes a weight in step t by

        −lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)

    which is the form at the end of section 2 of Kingma and Ba, *Adam*, 2015. PyTorch has Algorithm 1 of that
    paper, where ε is added after √v is divided by √(1 − β₂ᵗ). The two agree when PyTorch's ε is Keras's
    divided by √(1 − β₂ᵗ): 32 times as large in the first step.

    Args:
        params: What to train.
        lr: Learning rate; the default is the study's.
        betas: Decay of the two running means.
        eps: Keras's ε.
        options: As for `torch.optim.Adam`, such as `foreach` or `fused`.
    """

    _steps: int | None = None  # taken so far; None where only the state knows

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-7,
        **options: Any,
    ) -> None:
        super().__init__(params, lr, betas, eps, **options)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the weights by their gradients once."""
        if self._steps is None:
            # Asked once: with `fused` the counts are on the GPU, and reading them waits for it.
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

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a `state_dict()`, exactly as if there had been no break."""
        super().load_state_dict(state_dict)
        self._steps = None
        # Files keep no memory format, and fused Adam walks through weights and moments side by side in memory:
        # where their formats differ it silently pairs the wrong numbers.
        for weights, state in self.state.items():
            for name, value in state.items():
                if value.shape == weights.shape:
                    state[name] = torch.empty_like(weights).copy_(value)
