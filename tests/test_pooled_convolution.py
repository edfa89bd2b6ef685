"""A block in one step against the same block layer by layer."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from configural.models import create, fast_on_cpu, preprocess
from configural.models.cpu import pooled_convolution
from configural.models.cpu.pooled_convolution import convolve_pool_rectify
from configural.models.cpu.switch import dropout
from configural.models.cpu.winograd import WinogradConvolution


def layer_by_layer(batch, weight, bias):
    return F.relu(F.max_pool2d(F.conv2d(batch, weight, bias, padding=1), 2))


def tensors(n, channels, filters, rows, cols, dtype):
    generator = torch.Generator().manual_seed(0)
    shapes = [(n, channels, rows, cols), (filters, channels, 3, 3), (filters,)]
    return [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("chunk", [1, 3000, 2**24])  # bytes: one image at a time, two or three, all
@pytest.mark.parametrize(("rows", "cols"), [(12, 12), (11, 14), (4, 4), (3, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_those_of_the_layers(monkeypatch, chunk, rows, cols, dtype, memory_format):
    monkeypatch.setattr(pooled_convolution, "_CHUNK_BYTES", chunk)
    results = []
    for function in (convolve_pool_rectify, layer_by_layer):
        batch, weight, bias = tensors(7, 4, 5, rows, cols, dtype)
        out = function(batch.to(memory_format=memory_format), weight, bias)
        torch.manual_seed(1)
        out.backward(torch.randn(out.shape, dtype=dtype))
        results.append((out.detach(), batch.grad, weight.grad, bias.grad))
    for ours, theirs in zip(*results, strict=True):
        assert theirs.abs().max() > 0
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels", [3, 40])  # of the second, single precision would take Winograd's way
@pytest.mark.parametrize(("chunk", "rows"), [(1, 8), (2**24, 8), (2**24, 4)])
def test_in_16_bits_values_and_gradients_are_those_of_the_layers(monkeypatch, channels, chunk, rows):
    """Of whole numbers so few and small that 16 bits hold every sum."""
    monkeypatch.setattr(pooled_convolution, "_CHUNK_BYTES", chunk)
    generator = torch.Generator().manual_seed(2)
    results = []
    given = [torch.randint(-1, 2, shape, generator=generator).float() for shape in
             [(3, channels, rows, rows), (5, channels, 3, 3), (5,)]]  # fmt: skip
    given[0] *= torch.rand(given[0].shape, generator=generator) < 4 / channels
    for function in (convolve_pool_rectify, layer_by_layer):
        batch, weight, bias = [one.clone().requires_grad_() for one in given]
        with torch.autocast("cpu", torch.bfloat16, enabled=function is convolve_pool_rectify):
            out = function(batch.to(memory_format=torch.channels_last), weight, bias)
        (2 * out.float()).sum().backward()
        results.append((out.detach().float(), batch.grad, weight.grad, bias.grad))
    for ours, theirs in zip(*results, strict=True):
        assert ours.dtype == torch.float32
        assert 0 < theirs.abs().max() < 256
        assert torch.equal(ours, theirs)


def test_of_equal_numbers_the_first_gets_the_gradient_and_zero_none():
    # An image of one colour: all four numbers of each pool are equal; one filter gives exactly 0.
    results = []
    for function in (convolve_pool_rectify, layer_by_layer):
        batch = torch.full((2, 1, 6, 6), 3.0, requires_grad=True)
        weight = torch.zeros(2, 1, 3, 3)
        weight[1, 0, 1, 1] = 1.0
        weight, bias = weight.requires_grad_(), torch.zeros(2, requires_grad=True)
        function(batch, weight, bias).sum().backward()
        results.append((batch.grad, weight.grad, bias.grad))
    for ours, theirs in zip(*results, strict=True):
        assert torch.equal(ours, theirs)
    assert results[0][0].eq(1).sum() == 2 * 9
    assert results[0][2].tolist() == [0, 2 * 9]


@pytest.mark.parametrize("function", [convolve_pool_rectify, WinogradConvolution.apply])
@pytest.mark.parametrize("frozen", [{0}, {1}, {2}, {0, 2}, {0, 1}])
def test_only_the_gradients_asked_for(frozen, function):
    arguments = tensors(3, 2, 4, 8, 8, torch.float32)
    for place in frozen:
        arguments[place].requires_grad_(False)
    function(*arguments).sum().backward()
    assert {place for place, argument in enumerate(arguments) if argument.grad is None} == frozen


def gradients(network, batch):
    network.zero_grad()
    torch.manual_seed(3)  # the same dropout
    logits = network(batch)
    logits.logsumexp(dim=1).sum().backward()
    return logits.detach(), {name: value.grad.clone() for name, value in network.named_parameters()}


@pytest.mark.parametrize("name", ["cnn-15", "fcn-14"])
def test_a_network_that_is_watched_sees_every_layer_and_comes_to_the_same(name):
    torch.manual_seed(0)
    network = create(name, 64).train()
    batch = preprocess(torch.randint(0, 256, (5, 3, 64, 64), dtype=torch.uint8))
    with fast_on_cpu(network):
        logits, expected = gradients(network, batch)
    shapes = {}
    for layer, module in network.named_children():
        module.register_forward_hook(lambda _, __, out, layer=layer: shapes.update({layer: tuple(out.shape[1:])}))
    with fast_on_cpu(network):
        watched_logits, watched = gradients(network, batch)
    assert set(shapes) == {layer for layer, _ in network.named_children()}
    assert shapes["Conv_1"] == (32, 64, 64)
    torch.testing.assert_close(logits, watched_logits, rtol=1e-5, atol=1e-5)
    for key, gradient in expected.items():
        torch.testing.assert_close(gradient, watched[key], rtol=1e-4, atol=1e-5 * float(gradient.abs().max()))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_dropout(memory_format):
    torch.manual_seed(0)
    batch = torch.full((4, 30, 41, 51), 2.0).to(memory_format=memory_format).requires_grad_()
    layer = nn.Dropout(0.2)
    out = dropout(layer, batch)
    out.sum().backward()
    # 250,920 values: four standard deviations of the share that is dropped are 0.0032.
    assert out.eq(0).double().mean().item() == pytest.approx(0.2, abs=0.0032)
    assert out.unique().tolist() == [0, 2.5]
    assert torch.equal(batch.grad, out / 2)
    for dim in range(4):  # no image, channel, row or column is favoured: six standard deviations of the rarest
        other = [place for place in range(4) if place != dim]
        share = out.eq(0).double().mean(dim=other)
        assert (share - 0.2).abs().max() < 6 * (0.16 / (out.numel() / out.shape[dim])) ** 0.5
    torch.manual_seed(0)
    assert torch.equal(dropout(layer, batch), out)
    assert not torch.equal(dropout(layer, batch), out)
    assert torch.equal(dropout(layer.eval(), batch), batch)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_dropout_of_nothing_and_of_all(p):
    batch = torch.ones(10)
    assert torch.equal(dropout(nn.Dropout(p), batch), nn.functional.dropout(batch, p))
