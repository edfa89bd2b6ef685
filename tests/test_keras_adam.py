"""Training as in Keras: its Adam, its batch normalisation, and whole steps of the networks."""

import copy
import math

import keras_study
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from configural.models import create, preprocess
from configural.training import KerasAdam, keras_adam


def gradients(steps, seed=0):
    """Gradients of all magnitudes from 1e-10, where epsilon rules, to 1."""
    rng = np.random.default_rng(seed)
    magnitude = 10 ** rng.uniform(-10, 0, 300)
    return (rng.normal(size=(steps, 300)) * magnitude).astype(np.float32)


def descend(optimizer_class, all_gradients, **options):
    weights = nn.Parameter(torch.zeros(300))
    optimizer = optimizer_class([weights], **options)
    for gradient in all_gradients:
        weights.grad = torch.from_numpy(gradient)
        optimizer.step()
    return weights.detach().numpy()


@pytest.mark.parametrize("steps", [1, 3, 40])
def test_adam_follows_the_formula(steps):
    lr, beta_1, beta_2, epsilon = 1e-4, 0.9, 0.999, 1e-7
    weights, m, v = np.zeros((3, 300))
    for t, gradient in enumerate(gradients(steps).astype(np.float64), start=1):
        m = beta_1 * m + (1 - beta_1) * gradient
        v = beta_2 * v + (1 - beta_2) * gradient**2
        weights -= lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (np.sqrt(v) + epsilon)
    ours = descend(KerasAdam, gradients(steps))
    np.testing.assert_allclose(ours, weights, rtol=1e-5, atol=1e-9)
    plain = descend(torch.optim.Adam, gradients(steps), lr=lr, eps=epsilon)
    assert np.abs(plain - weights).max() > 0.2 * lr  # the difference that KerasAdam is for


@pytest.mark.parametrize("weight_decay", [0, 4])
def test_adam_follows_keras(weight_decay):
    keras = keras_study.import_keras()
    weights = keras.Variable(np.zeros(300, np.float32))
    optimizer = keras.optimizers.Adam(
        learning_rate=3e-3, beta_1=0.8, beta_2=0.99, epsilon=1e-6, weight_decay=weight_decay
    )
    for gradient in gradients(20):
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weights])
    options = {"lr": 3e-3, "betas": (0.8, 0.99), "eps": 1e-6}
    ours = descend(KerasAdam, gradients(20), weight_decay=weight_decay, **options)
    np.testing.assert_allclose(ours, weights.numpy(), rtol=2e-5, atol=1e-8)
    without = descend(KerasAdam, gradients(20), **options)
    assert (np.abs(ours - without).max() > 1e-3) == (weight_decay > 0)


def test_defaults_are_those_of_the_study():
    adam = KerasAdam([nn.Parameter(torch.zeros(1))])
    assert (adam.lr, adam.betas, adam.eps, adam.weight_decay) == (1e-4, (0.9, 0.999), 1e-7, 0)


@pytest.mark.parametrize("gone_on", [False, True])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_resuming_is_exact(memory, gone_on):
    """From tensors as a file has them, without a memory format; also by one that is set back."""
    all_gradients = torch.from_numpy(gradients(9)).reshape(9, 5, 5, 4, 3)

    def descend_with_a_break(after):
        weights = nn.Parameter(torch.zeros(5, 5, 4, 3).to(memory_format=memory))
        optimizer = KerasAdam([weights])
        for step, gradient in enumerate(all_gradients):
            if step == after:
                stored = {name: value.clone().contiguous() for name, value in optimizer.tensors().items()}
                kept = weights.detach().clone()
                if gone_on:
                    weights.grad = torch.ones_like(weights)
                    optimizer.step()
                    weights.data.copy_(kept)
                else:
                    optimizer = KerasAdam([weights])
                optimizer.load(stored)
            weights.grad = gradient.to(memory_format=memory)
            optimizer.step()
        return weights.detach()

    assert descend_with_a_break(after=4).equal(descend_with_a_break(after=None))


def test_tensors_of_other_weights_are_refused():
    adam, other = KerasAdam([nn.Parameter(torch.ones(2))]), KerasAdam([nn.Parameter(torch.ones(1))])
    with pytest.raises(ValueError, match="0/exp_avg is of other weights"):
        adam.load(other.tensors())
    with pytest.raises(ValueError, match="step must be 0 or more"):
        adam.load({**adam.tensors(), "step": torch.tensor(-3)})
    with pytest.raises(KeyError):
        adam.load({})


def test_it_is_pytorchs_adam_with_another_epsilon():
    """Bit by bit, also of two types, and of weights that have no gradient."""
    start = [torch.randn(7, 3, 3, 3), torch.randn(5, dtype=torch.float64), torch.randn(4)]
    ours, theirs = ([nn.Parameter(each.clone()) for each in start] for _ in range(2))
    adam = KerasAdam(ours, lr=1e-2, weight_decay=0.1)
    plain = torch.optim.AdamW(theirs, lr=1e-2, eps=1e-7, weight_decay=0.1, fused=True)
    for step in range(1, 6):
        for both in list(zip(ours, theirs, strict=True))[:2]:
            both[0].grad = both[1].grad = torch.randn_like(both[0])
        plain.param_groups[0]["eps"] = 1e-7 / math.sqrt(1 - 0.999**step)
        adam.step()
        plain.step()
    assert all(torch.equal(*both) for both in zip(ours, theirs, strict=True))
    assert torch.equal(ours[2], start[2])
    assert not torch.equal(ours[1], start[1])


def test_batch_normalisation_follows_keras():
    """But for the running variance: of a batch, Keras 3 takes the plain variance, Keras 2 n / (n − 1) of it."""
    keras = keras_study.import_keras()
    theirs = keras.layers.BatchNormalization()
    theirs.build((None, None, None, 5))
    study = create("fcn-14", 16).BN_1
    assert type(study) is nn.BatchNorm2d
    unbiased = plain = np.ones(5)
    ours = nn.BatchNorm2d(5, eps=study.eps, momentum=study.momentum)
    rng = np.random.default_rng(0)
    scale, shift = rng.uniform(0.5, 2, (2, 5)).astype(np.float32)
    theirs.set_weights([scale, shift, *theirs.get_weights()[2:]])
    with torch.no_grad():
        ours.weight.copy_(torch.from_numpy(scale))
        ours.bias.copy_(torch.from_numpy(shift))

    def assert_same(batch, training):
        expected = keras.ops.convert_to_numpy(theirs(batch, training=training))
        got = ours.train(training)(torch.from_numpy(batch).permute(0, 3, 1, 2))
        np.testing.assert_allclose(got.permute(0, 2, 3, 1).detach().numpy(), expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(ours.running_mean.numpy(), theirs.get_weights()[2], rtol=1e-5, atol=1e-6)

    # Few numbers per channel, so that dividing by n and by n − 1 differ much.
    for shape in [(2, 3, 1, 5), (3, 2, 2, 5), (1, 1, 5, 5)] * 20:
        batch = rng.normal(rng.normal(0, 2, 5), rng.uniform(1, 3, 5), shape).astype(np.float32)
        assert_same(batch, training=True)
        values = batch.reshape(-1, 5).astype(float)
        unbiased = 0.99 * unbiased + 0.01 * values.var(axis=0, ddof=1)
        plain = 0.99 * plain + 0.01 * values.var(axis=0)
        np.testing.assert_allclose(ours.running_var.numpy(), unbiased, rtol=1e-5)
        np.testing.assert_allclose(theirs.get_weights()[3], plain, rtol=1e-5)
        theirs.set_weights([*theirs.get_weights()[:3], ours.running_var.numpy()])
        plain = unbiased
    before = ours.running_var.clone()
    assert_same(batch, training=False)
    assert ours.running_var.equal(before)


def differences_after_training(name, dtype, steps, seed):
    """Train in Keras and here, without dropout, from the same numbers on the same images.

    Returns:
        The largest difference of any weight, and of any running value in relation to its size.
    """
    keras = keras_study.import_keras()
    keras.utils.set_random_seed(seed)
    model = keras_study.build(name, 32, dropout=0, dtype=dtype)
    keras_study.roughen(model, seed)
    model.compile(optimizer=keras.optimizers.Adam(1e-4), loss=keras.losses.CategoricalCrossentropy(dtype=dtype))
    start = keras_study.numbers(model)

    network = create(name, 32).to(getattr(torch, dtype)).train()
    network.load_state_dict({key: torch.from_numpy(value) for key, value in start.items()}, strict=False)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    optimizer = KerasAdam(network.parameters())
    normalisation, n = model.get_layer("BN_1"), 8 * 16 * 16

    rng = np.random.default_rng(seed)
    for _ in range(steps):
        rgb = rng.integers(0, 256, (8, 32, 32, 3), np.uint8)
        labels = np.arange(8) % 2
        before = normalisation.moving_variance.numpy().copy()
        their_loss = model.train_on_batch(keras_study.prepared(rgb), np.eye(2)[labels])
        # Keras 3 has taken the plain variance of n values, the study's Keras 2 takes n / (n − 1) of it.
        taken = normalisation.moving_variance.numpy() - 0.99 * before
        normalisation.moving_variance.assign(0.99 * before + taken * (n / (n - 1)))
        batch = preprocess(torch.from_numpy(rgb).permute(0, 3, 1, 2)).to(getattr(torch, dtype))
        network.zero_grad()
        loss = F.cross_entropy(network(batch), torch.from_numpy(labels))
        loss.backward()
        optimizer.step()
        assert 0.2 < loss.item() < 2  # not saturated, where Keras clips its probabilities
        assert loss.item() == pytest.approx(float(their_loss), abs=1e-5)

    expected = keras_study.numbers(model)
    assert all(np.abs(value - start[key]).max() > 5e-5 for key, value in expected.items())  # all have moved
    change = {key: np.abs(network.state_dict()[key].numpy() - value) for key, value in expected.items()}
    running = ("BN_1.running_mean", "BN_1.running_var")
    return (
        max(value.max() for key, value in change.items() if key not in running),
        max((change[key] / np.abs(expected[key]).clip(1)).max() for key in running),
    )


@pytest.mark.parametrize(
    ("name", "dtype", "steps", "tolerance"),
    [
        *((name, "float32", 1, 1e-5) for name in ("cnn-15", "cnn-13", "fcn-16", "fcn-14")),
        *((name, "float64", 3, 2e-6) for name in ("cnn-15", "fcn-14")),
    ],
)
def test_training_moves_all_numbers_as_in_keras(name, dtype, steps, tolerance):
    # In one draw of sixty, rounding decides which of two nearly equal numbers wins a max-pool, and Adam makes
    # full steps of the difference. So one of two draws has to agree.
    for seed in (0, 1):
        weights, running = differences_after_training(name, dtype, steps, seed)
        if weights <= tolerance and running <= 5e-6:
            return
    pytest.fail(f"the weights differ by up to {weights:.1e}, the running values by {running:.1e} of their size")


def test_moments_that_fade_become_zero_and_no_weight_notices(monkeypatch):
    """What a gradient that was there but once leaves is never too small for full precision."""
    tiny = torch.finfo(torch.float32).tiny

    def train(steps: int) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor], int]:
        torch.manual_seed(0)
        weights = torch.nn.Parameter(torch.randn(6, 5, 3, 3).to(memory_format=torch.channels_last))
        optimizer = KerasAdam([weights], lr=1e-2, betas=(0.9, 0.9))
        slow = 0
        for step in range(steps):
            gradient = torch.randn_like(weights) * (torch.rand(6)[:, None, None, None] * 1e-3)
            if step:
                gradient[3:] = 0
            weights.grad = gradient
            optimizer.step()
            slow += sum(int(((m != 0) & (m.abs() < tiny)).sum()) for m in optimizer.moments[0])
        return weights.detach(), optimizer.moments[0], slow

    swept, (first, second), slow = train(1200)
    assert slow == 0
    assert not first[3:].any()
    assert not second[3:].any()
    assert first[:3].all()
    monkeypatch.setattr(keras_adam, "_SWEPT_EVERY", 10**9)
    plain, _, slow = train(1200)
    assert slow > 0  # or the test could not fail
    assert torch.equal(swept, plain)


def test_parts_of_the_weights_learn_as_the_whole():
    """Bit by bit, also where small moments are swept, for which nobody may touch another's part."""
    start = [torch.randn(8, 4, 3, 3).contiguous(memory_format=torch.channels_last), torch.randn(5)]
    whole, parts = ([nn.Parameter(each.clone()) for each in start] for _ in range(2))
    one = KerasAdam(whole, lr=1e-2)
    first = KerasAdam(parts, lr=1e-2)
    others = [first, copy.copy(first), copy.copy(first)]
    for step in range(201):
        gradients = [torch.randn_like(each) * (step % 100 < 3) for each in start]
        for weights, gradient in zip(whole, gradients, strict=True):
            weights.grad = gradient.clone() + gradient / 2
        one.step()
        copies = [[each.clone() for each in gradients], [each / 2 for each in gradients]]
        for rank in (2, 0, 1):
            others[rank].step(of=copies, part=(rank, 3))
        for name, moment in one.tensors().items():
            assert torch.equal(moment, first.tensors()[name] if name != "step" else torch.tensor(others[0].steps))
        assert all(torch.equal(*both) for both in zip(whole, parts, strict=True))
