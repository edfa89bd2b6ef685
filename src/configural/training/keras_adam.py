"""Adam as Keras computes it."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

_NEXT_TO_NOTHING = 1e-30
_SWEPT_EVERY = 100
"""Steps. The moments of a weight whose gradient stays zero shrink until they cannot be told from zero by float32's
full precision, and with such numbers a CPU is slow: a training step can take twice as long. 100 steps take the
larger moment, at β₁ = 0.9, from 1e-30 to 3e-35, short of the 1e-38 where that begins. Below 1e-30, the first moment
moves no weight (it is divided by ε, 1e-7, at the least) and the second changes no step (its root is added to ε)."""


Gradients = Sequence[Tensor | None]
"""Of all weights in their order."""


class KerasAdam:
    """Adam with Keras's epsilon.

    With m and v the running means of the gradient and of its square, Keras changes a weight in step t by

        −lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)

    which is the form at the end of section 2 of Kingma and Ba, *Adam*, 2015. PyTorch has Algorithm 1 of that
    paper, where ε is added after √v is divided by √(1 − β₂ᵗ). The two agree when PyTorch's ε is Keras's
    divided by √(1 − β₂ᵗ): 32 times as large in the first step.

    Before that, weight decay takes lr · weight_decay · w off every weight w. The gradients do not know of it, as in
    Loshchilov and Hutter, *Decoupled weight decay regularization*, 2019, and in Keras.

    It calls PyTorch's fused kernel and is none of `torch.optim`, of which making one imports PyTorch's compiler:
    three seconds.

    Args:
        weights: To be changed, of one device.
        lr: The learning rate, by default the study's; may be set between steps.
        betas: β₁ and β₂.
        eps: ε.
        weight_decay: As above.
    """

    def __init__(
        self,
        weights: Iterable[nn.Parameter],
        *,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-7,
        weight_decay: float = 0.0,
    ) -> None:
        self.weights = list(weights)
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.steps = 0
        # In the memory format of the weights, beside which the kernel walks through them.
        self.moments = [(torch.zeros_like(each), torch.zeros_like(each)) for each in self.weights]

    @torch.no_grad()
    def step(self, *, of: Sequence[Gradients] | None = None, part: tuple[int, int] = (0, 1)) -> None:
        """Change the weights that have a gradient by it once.

        Args:
            of: The gradients of the weights in several copies of the network, instead of their own: they are added
                up, in the memory of the first copy's.
            part: `(i, n)` for the i-th of n parts of every weight alone; others see to the rest.
        """
        self.steps += 1
        copies = of or [[each.grad for each in self.weights]]
        for dtype in {each.dtype for each in self.weights}:
            if not (beside := list(self._beside(dtype, copies, part))):
                continue
            weights, gradients, first, second = map(list, zip(*beside, strict=True))
            count = torch.full((), self.steps, dtype=torch.float32, device=weights[0].device)
            torch._fused_adamw_(
                weights,
                gradients,
                first,
                second,
                [],
                [count] * len(weights),
                lr=self.lr,
                beta1=self.betas[0],
                beta2=self.betas[1],
                weight_decay=self.weight_decay,
                eps=self.eps / math.sqrt(1 - self.betas[1] ** self.steps),
                amsgrad=False,
                maximize=False,
            )
            if self.steps % _SWEPT_EVERY == 0 and weights[0].device.type == "cpu":
                for moment in (*first, *second):  # of this part alone: others may be at theirs
                    moment.masked_fill_(moment.abs() < _NEXT_TO_NOTHING, 0)

    def tensors(self) -> dict[str, Tensor]:
        """What it has learned, by name: `0/exp_avg` and `0/exp_avg_sq` of the first weight, and `step`."""
        moments = {
            f"{position}/{name}": moment
            for position, both in enumerate(self.moments)
            for name, moment in zip(("exp_avg", "exp_avg_sq"), both, strict=True)
        }
        return {**moments, "step": torch.tensor(self.steps)}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Resume with the `tensors` of another one, exactly as if there had been no break.

        Raises:
            KeyError: If one is missing.
            ValueError: If one is of other weights.
        """
        for name, own in self.tensors().items():
            if tensors[name].shape != own.shape:
                raise ValueError(f"{name} is of other weights")
            own.copy_(tensors[name])  # files keep no memory format
        self.steps = int(tensors["step"])
        if self.steps < 0:
            raise ValueError("step must be 0 or more")

    def _beside(
        self, dtype: torch.dtype, copies: Sequence[Gradients], part: tuple[int, int]
    ) -> Iterator[list[Tensor]]:
        """Weight, gradient and moments of all of that type that have a gradient, or their part.

        The kernel copies what is not contiguous, such as channels-last weights; in the order of memory they are.
        """
        for weight, moments, *gradients in zip(self.weights, self.moments, *copies, strict=True):
            if weight.dtype != dtype or gradients[0] is None:
                continue
            beside = [weight, gradients[0], *moments, *gradients[1:]]
            if weight.ndim == 4 and all(each.is_contiguous(memory_format=torch.channels_last) for each in beside):
                beside = [each.permute(0, 2, 3, 1) for each in beside]
            if part != (0, 1):
                start, stop = (weight.numel() * end // part[1] for end in (part[0], part[0] + 1))
                beside = [each.view(-1)[start:stop] for each in beside]
            for added in beside[4:]:
                beside[1] += added
            yield beside[:4]
