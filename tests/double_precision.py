"""A network whose rounding cannot hide a mistake."""

import torch

from configural import models


class BothInDoublePrecision(torch.nn.Module):
    """A CNN and an FCN that answer together with the sum of their logits; every weight of both learns.

    They compute with 64 bits, so that rounding cannot hide a mistake.
    """

    def __init__(self, image_size: int = 32) -> None:
        torch.manual_seed(0)
        super().__init__()
        self.cnn = models.create("cnn-13", image_size).double()
        self.fcn = models.create("fcn-14", image_size).double()

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.cnn(batch.double()) + self.fcn(batch.double())
