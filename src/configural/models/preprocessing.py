"""From images as bytes to what the networks take."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

VGG16_MEANS_BGR = (103.939, 116.779, 123.68)
"""The mean colour of ImageNet as VGG16's preprocessing subtracts it."""


def preprocess(images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Prepare RGB images as for VGG16: BGR order, the mean colour subtracted, no scaling.

    Args:
        images: RGB, 0 to 255.

    Returns:
        BGR, about −124 to 151, in channels-last memory, on the same device.
    """
    means = torch.tensor(VGG16_MEANS_BGR, device=images.device).view(1, 3, 1, 1)
    batch = images.flip(1).to(torch.float32) - means
    return batch.contiguous(memory_format=torch.channels_last)
