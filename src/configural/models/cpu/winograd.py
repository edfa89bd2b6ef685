"""Winograd convolution: 3×3 convolution, 2×2 max-pool and ReLU of a training step, with a quarter of the products.

Lavin and Gray, *Fast algorithms for convolutional neural networks*, 2016, F(4×4, 3×3): a tile of 4×4 outputs
depends on 6×6 inputs. Those and the 3×3 weights are each transformed into 36 numbers by fixed matrices, and in
these, the convolution is 36 products of matrices (tiles × channels by channels × filters), where it takes 144
directly. The gradients are the same steps backwards. Results are those of a direct convolution up to rounding,
whose errors are about twice as large forward (benchmarks/LOG.md); libraries for GPUs do 3×3 convolutions so, too.

Tiles lie in memory as 36 (6×6) slabs of tiles × channels, so that every transform is one product of two matrices.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.autograd.function import once_differentiable

_CHUNK_BYTES = 2**23
"""The 36 slabs of output for the images that are taken at a time; more fall out of the processor's cache."""

_POINTS = (0, 2 / 3, -2 / 3, 3 / 2, -3 / 2)
"""Where polynomials are evaluated, beside infinity. With the paper's 0, ±1 and ±2, rounding errors are more than
twice as large (benchmarks/LOG.md)."""


class WinogradConvolution(torch.autograd.Function):
    """`relu(max_pool2d(conv2d(batch, weight, bias, padding=1), 2))` of an NCHW batch."""

    @staticmethod
    def forward(ctx: Any, batch: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The rectified pools."""
        n, _, h, w = batch.shape
        filters = len(weight)
        transforms, kernels = _transforms(batch.dtype), _transform_weights(weight)
        pooled = batch.new_empty(n, h // 2, w // 2, filters)
        largest = []
        for some in _chunks(batch, filters):
            tiling = _Tiling(len(batch[some]), h, w)
            products = torch.bmm(_transform_inputs(batch[some], tiling), kernels.transpose(1, 2))
            # Rows of the window, rows in it, columns of the window, columns in it.
            outputs = (transforms.outputs @ products.view(36, -1)).view(2, 2, 2, 2, tiling.tiles, filters)
            del products
            most, *positions = _largest_of_four(outputs)
            pooled[some] = tiling.of_windows(most)
            largest.extend(positions)
        pooled += bias
        pooled.relu_()
        result = pooled.permute(0, 3, 1, 2)
        ctx.save_for_backward(batch, weight, kernels, result, *largest)
        return result

    @staticmethod
    @once_differentiable
    # pyrefly: ignore[bad-override]  # once_differentiable forgets that ctx has a name
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients; that of the batch where it needs one."""
        batch, weight, kernels, pooled, *largest = ctx.saved_tensors
        _, _, h, w = batch.shape
        transforms, filters = _transforms(batch.dtype), len(weight)
        rectified = torch.ops.aten.threshold_backward(gradient, pooled, 0)
        of_kernels, of_batch = torch.zeros_like(kernels), None
        if ctx.needs_input_grad[0]:
            of_batch = torch.empty_like(batch, memory_format=torch.channels_last)
        for some, lower, right in zip(_chunks(batch, filters), largest[::2], largest[1::2], strict=True):
            tiling = _Tiling(len(batch[some]), h, w)
            of_most = tiling.to_windows(rectified[some].permute(0, 2, 3, 1))
            of_outputs = _spread_over_four(of_most, lower, right)
            of_products = (transforms.outputs.T @ of_outputs.view(16, -1)).view(36, tiling.tiles, filters)
            del of_outputs
            # Transformed again instead of kept: cheaper than the new memory that keeping takes.
            of_kernels.baddbmm_(of_products.transpose(1, 2), _transform_inputs(batch[some], tiling))
            if of_batch is not None:
                of_tiles = torch.bmm(of_products, kernels).view(36, -1)
                of_batch[some] = tiling.of_inputs(transforms.inputs.T @ of_tiles).permute(0, 3, 1, 2)
        flat = transforms.weights.T @ of_kernels.view(36, -1)
        of_weight = torch.empty_like(weight).copy_(flat.view(3, 3, filters, -1).permute(2, 3, 0, 1))
        return of_batch, of_weight, rectified.sum((0, 2, 3))


@dataclass(frozen=True)
class _Tiling:
    """Where the 4×4 tiles of n images of h × w pixels are; what hangs over the edges counts as zero."""

    n: int
    h: int
    w: int

    @property
    def rows(self) -> int:
        return -(-self.h // 4)

    @property
    def columns(self) -> int:
        return -(-self.w // 4)

    @property
    def tiles(self) -> int:
        return self.n * self.rows * self.columns

    def to_inputs(self, batch: Float[Tensor, "{self.n} {self.h} {self.w} c"]) -> Float[Tensor, "36 {self.tiles}*c"]:
        """For each tile, the 6×6 pixels that its outputs depend on."""
        padded = batch.new_zeros(self.n, 4 * self.rows + 2, 4 * self.columns + 2, batch.shape[3])
        padded[:, 1 : self.h + 1, 1 : self.w + 1] = batch
        image, row, column, channel = padded.stride()
        shape = (6, 6, self.n, self.rows, self.columns, batch.shape[3])
        return padded.as_strided(shape, (row, column, image, 4 * row, 4 * column, channel)).reshape(36, -1)

    def of_inputs(self, tiles: Float[Tensor, "36 tiles_c"]) -> Float[Tensor, "{self.n} {self.h} {self.w} c"]:
        """What `to_inputs` spreads out, added up again where tiles share pixels."""
        slabs = tiles.view(6, 6, self.n, self.rows, self.columns, -1)
        padded = tiles.new_zeros(self.n, self.rows + 1, 4, self.columns + 1, 4, slabs.shape[-1])
        # The last two rows and columns of a tile's 6×6 are the first two of the next tile's.
        for down, rows in enumerate((slice(0, 4), slice(4, 6))):
            for right, columns in enumerate((slice(0, 4), slice(4, 6))):
                some = slabs[rows, columns]
                padded[
                    :, down : down + self.rows, : some.shape[0], right : right + self.columns, : some.shape[1]
                ] += some.permute(2, 3, 0, 4, 1, 5)
        whole = padded.view(self.n, 4 * self.rows + 4, 4 * self.columns + 4, -1)
        return whole[:, 1 : self.h + 1, 1 : self.w + 1]

    def of_windows(
        self, most: Float[Tensor, "2 2 {self.tiles} k"]
    ) -> Float[Tensor, "{self.n} {self.h//2} {self.w//2} k"]:
        """From the pool's windows by tile to rows and columns of an image."""
        slabs = most.view(2, 2, self.n, self.rows, self.columns, -1).permute(2, 3, 0, 4, 1, 5)
        whole = slabs.reshape(self.n, 2 * self.rows, 2 * self.columns, -1)
        return whole[:, : self.h // 2, : self.w // 2]

    def to_windows(
        self, pooled: Float[Tensor, "{self.n} {self.h//2} {self.w//2} k"]
    ) -> Float[Tensor, "2 2 {self.tiles} k"]:
        """The way back; windows that are not in the image get zero."""
        whole = pooled
        if pooled.shape[1:3] != (2 * self.rows, 2 * self.columns):
            whole = pooled.new_zeros(self.n, 2 * self.rows, 2 * self.columns, pooled.shape[3])
            whole[:, : self.h // 2, : self.w // 2] = pooled
        slabs = whole.reshape(self.n, self.rows, 2, self.columns, 2, -1).permute(2, 4, 0, 1, 3, 5)
        return slabs.reshape(2, 2, self.tiles, -1)


def _transform_inputs(batch: Float[Tensor, "n c h w"], tiling: _Tiling) -> Float[Tensor, "36 {tiling.tiles} c"]:
    flat = _transforms(batch.dtype).inputs @ tiling.to_inputs(batch.permute(0, 2, 3, 1))
    return flat.view(36, tiling.tiles, -1)


def _transform_weights(weight: Float[Tensor, "k c 3 3"]) -> Float[Tensor, "36 k c"]:
    flat = _transforms(weight.dtype).weights @ weight.permute(2, 3, 0, 1).reshape(9, -1)
    return flat.view(36, len(weight), -1)


def _largest_of_four(
    outputs: Float[Tensor, "2 2 2 2 tiles k"],
) -> tuple[Float[Tensor, "2 2 tiles k"], UInt8[Tensor, "2 2 tiles k"], UInt8[Tensor, "2 2 tiles k"]]:
    """Of each window the largest number, and whether it is in the lower row and in the right column.

    Of equals it is the first in the order of reading. `outputs` is written over.
    """
    first, second, third, fourth = (outputs[:, row, :, column] for row in range(2) for column in range(2))
    above, below = torch.maximum(first, second), torch.maximum(third, fourth)
    most = torch.maximum(above, below)
    # Comparisons in place give 1.0 and 0.0, several times as fast as truth values.
    lower = below.gt_(above)
    right = torch.lerp(second.gt_(first), fourth.gt_(third), lower)
    return most, lower.byte(), right.byte()


def _spread_over_four(
    of_most: Float[Tensor, "2 2 tiles k"], lower: UInt8[Tensor, "2 2 tiles k"], right: UInt8[Tensor, "2 2 tiles k"]
) -> Float[Tensor, "2 2 2 2 tiles k"]:
    """Each window's gradient goes to the number that was its largest."""
    _, _, tiles, filters = of_most.shape
    of_outputs = of_most.new_empty(2, 2, 2, 2, tiles, filters)
    in_right = right.to(of_most.dtype)
    of_lower = of_most * lower.to(of_most.dtype)
    for row, of_row in enumerate((of_most - of_lower, of_lower)):
        torch.mul(of_row, in_right, out=of_outputs[:, row, :, 1])
        torch.sub(of_row, of_outputs[:, row, :, 1], out=of_outputs[:, row, :, 0])
    return of_outputs


@dataclass(frozen=True)
class _Transforms:
    """Bᵀ, G and Aᵀ of the paper, each for rows and columns at once, to be multiplied from the left.

    Attributes:
        inputs: From the 6×6 pixels of a tile.
        weights: From 3×3 weights.
        outputs: To the 4×4 outputs of a tile.
    """

    inputs: Float[Tensor, "36 36"]
    weights: Float[Tensor, "36 9"]
    outputs: Float[Tensor, "16 36"]


@cache
def _transforms(dtype: torch.dtype) -> _Transforms:
    """A product of two polynomials from its values at six points (Toom and Cook), transposed."""

    def powers(count: int) -> Tensor:
        infinity = [0] * (count - 1) + [1]
        rows = [[point**power for power in range(count)] for point in _POINTS]
        return torch.tensor([*rows, infinity], dtype=torch.float64, device="cpu")

    once = (powers(6).inverse().T, powers(3), powers(4).T)
    return _Transforms(*(torch.kron(matrix, matrix).to(dtype) for matrix in once))


def _chunks(batch: Tensor, filters: int) -> list[slice]:
    one = _Tiling(1, *batch.shape[2:])
    step = max(1, _CHUNK_BYTES // (batch.element_size() * 36 * one.tiles * filters))
    return [slice(first, first + step) for first in range(0, len(batch), step)]
