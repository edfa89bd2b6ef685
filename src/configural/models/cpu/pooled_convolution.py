"""Convolution, 2×2 max-pool and ReLU in one step of training on a CPU.

Layer by layer, the convolution's output and its gradient are each four times as large as what leaves the pool; at
the study's size that is 128 MB, which the operating system hands out again and clears in every step. Here a few
images at a time go through all three layers, in memory that stays warm, and only what the backward pass reads is
kept: the pool's output and which of its four numbers was the largest.

Where images have shrunk to a few pixels, a convolution is a product of two matrices instead: the library that
PyTorch calls for convolutions takes up to three times as long there. With more pixels, all layers but the first
are Winograd convolutions, which need about a quarter of the multiplications (docs/performance.md).
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from configural.models.cpu.winograd import WinogradConvolution

_CHUNK_BYTES = 2**24
"""The convolution's output for the images that are taken at a time; larger ones were not faster."""

_FEW_PIXELS = 16
"""Up to so many pixels an image, a convolution is a product of matrices; with more that was no faster."""

_MANY_PIXELS = 49
_MANY_CHANNELS = 32
"""From so many pixels an image and channels on, a Winograd convolution is faster; at 5 × 5 pixels it is not."""

_POOL = ([2, 2], [2, 2], [0, 0], [1, 1], False)
_CONVOLUTION = ([1, 1], [1, 1], [1, 1], False, [0, 0], 1)


def convolve_pool_rectify(
    batch: Float[Tensor, "n c h w"], weight: Float[Tensor, "k c 3 3"], bias: Float[Tensor, " k"]
) -> Float[Tensor, "n k h//2 w//2"]:
    """What `relu(max_pool2d(conv2d(batch, weight, bias, padding=1), 2))` gives, and its gradients up to rounding.

    Where several of a pool's four numbers are the largest but for rounding, any of them may get the gradient.
    Gradients of gradients are not to be had.
    """
    if torch.is_autocast_enabled("cpu"):
        # Processors that multiply 16 bits at once do so fastest directly, and Winograd's transforms would round.
        half = torch.get_autocast_dtype("cpu")
        with torch.autocast("cpu", enabled=False):
            rounded: Tensor = _PooledConvolution.apply(batch.to(half), weight.to(half), bias.to(half))
        return rounded
    _, channels, h, w = batch.shape
    many = h * w >= _MANY_PIXELS and channels >= _MANY_CHANNELS
    result: Tensor = (WinogradConvolution if many else _PooledConvolution).apply(batch, weight, bias)
    return result


class _PooledConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, batch: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        shape = (len(batch), len(weight), batch.shape[2] // 2, batch.shape[3] // 2)
        pooled = torch.empty(shape, dtype=batch.dtype, memory_format=torch.channels_last)
        largest = []
        for some in _chunks(batch, weight):
            convolved = _convolve(batch[some], weight, bias)
            positions = torch.empty_like(pooled[some], dtype=torch.int64)
            torch.ops.aten.max_pool2d_with_indices.out(convolved, *_POOL, out=pooled[some], indices=positions)
            pooled[some].relu_()
            largest.append(positions)
        ctx.save_for_backward(batch, weight, pooled, *largest)
        return pooled

    @staticmethod
    @once_differentiable
    # pyrefly: ignore[bad-override]  # once_differentiable forgets that ctx has a name
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        batch, weight, pooled, *largest = ctx.saved_tensors
        wanted = ctx.needs_input_grad[0]  # not of the images themselves
        most = len(largest[0]) if largest else 0  # of a thread that has no part of a small batch
        shape = (most, len(weight), *batch.shape[2:])
        # Used for one chunk after the other: clearing new memory was a fifth of a step.
        room = torch.empty(shape, dtype=batch.dtype, memory_format=torch.channels_last)
        if len(largest) == 1:
            return _gradients(gradient, batch, weight, pooled, largest[0], room, wanted)
        of_batch = torch.empty_like(batch) if wanted else None
        of_weight, of_bias = torch.zeros_like(weight), weight.new_zeros(len(weight))
        for some, positions in zip(_chunks(batch, weight), largest, strict=True):
            parts = _gradients(gradient[some], batch[some], weight, pooled[some], positions, room, wanted)
            if of_batch is not None:
                of_batch[some] = parts[0]
            of_weight += parts[1]
            of_bias += parts[2]
        return of_batch, of_weight, of_bias


def _gradients(
    gradient: Tensor, batch: Tensor, weight: Tensor, pooled: Tensor, largest: Tensor, room: Tensor, wanted: bool
) -> tuple[Any, Any, Any]:
    """Of some images (None where it is not wanted), of the weights and of the biases; made in `room`."""
    rectified = torch.ops.aten.threshold_backward(gradient, pooled, 0)
    unpooled = room[: len(batch)]
    # Of the convolution's output, the pool's backward pass reads nothing but its shape.
    torch.ops.aten.max_pool2d_with_indices_backward.grad_input(
        rectified, unpooled, *_POOL, largest, grad_input=unpooled
    )
    if _is_small(batch):
        return _gradients_of_products(unpooled, batch, weight, wanted)
    mask = (wanted, True, True)
    parts = torch.ops.aten.convolution_backward(unpooled, batch, weight, [len(weight)], *_CONVOLUTION, mask)
    return parts[0], parts[1], parts[2]


def _is_small(batch: Tensor) -> bool:
    return batch.shape[2] * batch.shape[3] <= _FEW_PIXELS


def _convolve(
    batch: Float[Tensor, "n c h w"], weight: Float[Tensor, "k c 3 3"], bias: Float[Tensor, " k"]
) -> Float[Tensor, "n k h w"]:
    if not _is_small(batch):
        return torch.conv2d(batch, weight, bias, padding=1)
    n, _, h, w = batch.shape
    return torch.addmm(bias, _columns(batch), _rows(weight).T).view(n, h, w, -1).permute(0, 3, 1, 2)


def _gradients_of_products(
    gradient: Float[Tensor, "n k h w"],
    batch: Float[Tensor, "n c h w"],
    weight: Float[Tensor, "k c 3 3"],
    wanted: bool,
) -> tuple[Tensor | None, Tensor, Tensor]:
    (n, c, h, w), k = batch.shape, len(weight)
    flat = gradient.permute(0, 2, 3, 1).reshape(n * h * w, k)
    of_batch = None
    if wanted:
        columns = (flat @ _rows(weight)).view(n, h, w, 3, 3, c)
        padded = batch.new_zeros(n, h + 2, w + 2, c)
        for i in range(3):
            for j in range(3):
                padded[:, i : i + h, j : j + w] += columns[:, :, :, i, j]
        of_batch = padded[:, 1:-1, 1:-1].permute(0, 3, 1, 2)
    of_weight = (flat.T @ _columns(batch)).view(k, 3, 3, c).permute(0, 3, 1, 2)
    return of_batch, of_weight, flat.sum(0)


def _columns(batch: Float[Tensor, "n c h w"]) -> Float[Tensor, "n*h*w 9*c"]:
    """For each pixel, the nine around it."""
    n, c, h, w = batch.shape
    padded = batch.new_zeros(n, h + 2, w + 2, c)
    padded[:, 1:-1, 1:-1] = batch.permute(0, 2, 3, 1)
    return padded.unfold(1, 3, 1).unfold(2, 3, 1).permute(0, 1, 2, 4, 5, 3).reshape(n * h * w, 9 * c)


def _rows(weight: Float[Tensor, "k c 3 3"]) -> Float[Tensor, "k 9*c"]:
    return weight.permute(0, 2, 3, 1).reshape(len(weight), -1)


def _chunks(batch: Tensor, weight: Tensor) -> list[slice]:
    image = batch.element_size() * len(weight) * batch.shape[2] * batch.shape[3]
    step = max(1, _CHUNK_BYTES // image)
    return [slice(first, first + step) for first in range(0, len(batch), step)]
