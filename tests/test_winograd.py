"""Convolution with few multiplications against the plain layers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from configural.models.cpu import winograd
from configural.models.cpu.pooled_convolution import convolve_pool_rectify
from configural.models.cpu.winograd import WinogradConvolution


def layer_by_layer(batch, weight, bias):
    return F.relu(F.max_pool2d(F.conv2d(batch, weight, bias, padding=1), 2))


def values_and_gradients(function, tensors, of_pooled, dtype=torch.float64):
    arguments = [tensor.detach().to(dtype).requires_grad_() for tensor in tensors]
    out = function(*arguments)
    out.backward(of_pooled.to(dtype))
    return [out.detach().double(), *(argument.grad.double() for argument in arguments)]


@settings(max_examples=60)
@given(
    n=st.integers(1, 5),
    channels=st.integers(1, 6),
    filters=st.integers(1, 6),
    rows=st.integers(2, 19),
    cols=st.integers(2, 19),
    memory_format=st.sampled_from([torch.contiguous_format, torch.channels_last]),
    chunk=st.sampled_from([1, 20_000, 2**23]),  # bytes: an image at a time, some, all
    seed=st.integers(0, 2**32),
)
def test_values_and_gradients_are_those_of_the_layers(n, channels, filters, rows, cols, memory_format, chunk, seed):
    draw = torch.Generator().manual_seed(seed)
    shapes = ((n, channels, rows, cols), (filters, channels, 3, 3), (filters,), (n, filters, rows // 2, cols // 2))
    *tensors, of_pooled = (torch.randn(shape, generator=draw, dtype=torch.float64) for shape in shapes)
    tensors[0] = tensors[0].to(memory_format=memory_format)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "_CHUNK_BYTES", chunk)
        ours = values_and_gradients(WinogradConvolution.apply, tensors, of_pooled)
    for one, other in zip(ours, values_and_gradients(layer_by_layer, tensors, of_pooled), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


def errors(exact, found):
    """Root mean squares of the differences, by that of what is exact."""
    pairs = zip(exact, found, strict=True)
    return [float((one - other).square().mean() / one.square().mean()) ** 0.5 for one, other in pairs]


def drawn(channels, filters, side):
    draw = torch.Generator().manual_seed(0)
    batch = torch.randn(2, channels, side, side, generator=draw).relu()
    weight = torch.randn(filters, channels, 3, 3, generator=draw) * (2 / (9 * (channels + filters))) ** 0.5
    bias = torch.randn(filters, generator=draw) / 10
    return (batch, weight, bias), torch.randn(2, filters, side // 2, side // 2, generator=draw)


@pytest.mark.parametrize(
    ("channels", "filters", "side"), [(32, 64, 112), (64, 128, 56), (128, 256, 28), (256, 512, 14), (64, 128, 8)]
)
def test_rounding_in_32_bits_at_the_layers_of_the_study(channels, filters, side):
    tensors, of_pooled = drawn(channels, filters, side)
    convolved = F.conv2d(*(tensor.double() for tensor in tensors), padding=1)
    # A gradient for those pools only in which rounding does not decide what the largest is.
    windows = convolved.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
    first, second = windows.topk(2).values.unbind(4)
    clear = (first - second).minimum(first.abs()) > 1e-4
    assert clear.double().mean() > 0.99
    exact = values_and_gradients(layer_by_layer, tensors, of_pooled * clear)
    ours = values_and_gradients(WinogradConvolution.apply, tensors, of_pooled * clear, torch.float32)
    assert all(0 < error < 1.5e-6 for error in errors(exact, ours))


def test_the_points_round_less_than_half_as_coarsely_as_the_paper_s(monkeypatch):
    tensors, of_pooled = drawn(64, 64, 24)
    exact = values_and_gradients(layer_by_layer, tensors, of_pooled)
    ours = values_and_gradients(WinogradConvolution.apply, tensors, of_pooled, torch.float32)
    monkeypatch.setattr(winograd, "_POINTS", (0, 1, -1, 2, -2))
    monkeypatch.setattr(winograd, "_transforms", winograd._transforms.__wrapped__)  # nothing kept of other points
    paper_s = values_and_gradients(WinogradConvolution.apply, tensors, of_pooled, torch.float32)
    assert 2 * errors(exact, ours)[0] < errors(exact, paper_s)[0] < 1e-5


def counted(function, *shapes):
    """Operations of the way forward and of the input's gradient, by PyTorch's names.

    Not of the weights' gradient, since PyTorch does not count products that are added in place.
    """
    arguments = [torch.randn(shape) for shape in shapes]
    arguments[0].requires_grad_()
    with FlopCounterMode(display=False) as counter:
        function(*arguments).sum().backward()
    return {str(name).rpartition(".")[2]: flops for name, flops in counter.get_flop_counts()["Global"].items()}


@pytest.mark.parametrize(("channels", "side"), [(32, 8), (32, 7), (64, 16)])
def test_many_pixels_of_many_channels_take_a_quarter_of_the_multiplications(channels, side):
    shapes = (2, channels, side, side), (64, channels, 3, 3), (64,)
    ours, direct = counted(convolve_pool_rectify, *shapes), counted(layer_by_layer, *shapes)
    whole_tiles = (4 * -(-side // 4) / side) ** 2  # at 7 pixels, tiles hang over
    assert 4 * ours["bmm"] == round(whole_tiles * sum(direct.values()))


@pytest.mark.parametrize(("channels", "side"), [(3, 16), (32, 6), (64, 4)])
def test_few_pixels_or_channels_do_without_it(channels, side):
    ours = counted(convolve_pool_rectify, (2, channels, side, side), (64, channels, 3, 3), (64,))
    assert ours
    assert "bmm" not in ours
