import math

import numpy as np
import pytest
import torch
from double_precision import BothInDoublePrecision
from torch._subclasses import FakeTensorMode
from torch.nn import functional as F

from configural import models
from configural.errors import ConfiguralError
from configural.stimuli import dataset, sample
from configural.training import History, KerasAdam, Recipe, fit, loop, recipe
from configural.training.distributed import Portion
from configural.training.history import load_checkpoint


@pytest.fixture(scope="module")
def sets(blocks):
    table = sample(blocks, condition="baseline", count=240, seed=1)
    return {name: dataset(blocks, table.subset(name), size=16) for name in ("train", "valid", "test")}


def _network(seed: int = 0) -> models.StudyNet:
    torch.manual_seed(seed)
    return models.create("cnn-13", 16)


SHORT = Recipe(epochs=3, batch_size=20, learning_rate=1e-3, seed=5)


def test_the_recipe_of_the_paper():
    assert recipe("paper", "cnn-15") == Recipe(
        epochs=20,
        batch_size=20,
        valid_batch_size=10,
        learning_rate=1e-4,
        schedule="constant",
        seed=42,
        precision="32",
    )
    assert [recipe("paper", name).epochs for name in ("cnn-15", "cnn-13", "fcn-16", "fcn-14")] == [20, 30, 20, 30]
    adam = KerasAdam(_network().parameters())
    assert adam.betas == (0.9, 0.999)


def test_learning_rates():
    constant = Recipe(learning_rate=0.5)
    assert {constant.rate(step, 100) for step in range(100)} == {0.5}
    rates = [Recipe(learning_rate=0.5, schedule="one-cycle").rate(step, 100) for step in range(100)]
    assert max(rates) == pytest.approx(0.5)
    assert rates[:26] == sorted(rates[:26])
    assert rates[25:] == sorted(rates[25:], reverse=True)
    assert 0 < rates[-1] < 0.001
    assert all(math.isfinite(Recipe(schedule="one-cycle").rate(0, steps)) for steps in (1, 2, 3))


def test_smoothed_labels_another_adam_weight_decay_and_no_dropout(sets):
    """One step on all images at once, against the formulas; with 32 bits, rounding decides what a pool takes."""
    ours, literal = BothInDoublePrecision(16), BothInDoublePrecision(16)
    n = 40
    settings = Recipe(
        epochs=1,
        batch_size=n,
        learning_rate=1e-3,
        beta_2=0.5,
        weight_decay=100,
        label_smoothing=0.3,
        dropout=0.0,
    )
    train = torch.utils.data.Subset(sets["train"], range(n))
    history = fit(ours, train, valid=sets["valid"], recipe=settings, device="cpu")
    assert {layer.p for layer in ours.modules() if isinstance(layer, torch.nn.Dropout)} == {0.2}

    images, labels = sets["train"].__getitems__(list(range(n)))
    literal.train()
    for layer in literal.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    logits = literal(models.prepare(literal, images))
    right = torch.nn.functional.one_hot(labels, 2)
    target = right * 0.85 + (1 - right) * 0.15
    loss = -(target * torch.log_softmax(logits, 1)).sum(1).mean()
    loss.backward()
    with torch.no_grad():
        for weights in literal.parameters():
            weights *= 1 - 1e-3 * 100
    KerasAdam(literal.parameters(), lr=1e-3, betas=(0.9, 0.5)).step()
    assert history.epochs[0].train_loss == pytest.approx(loss.item(), rel=1e-5)
    # Adam's first step is as long for every weight, so compare where the gradient's sign is no matter of rounding.
    for (name, weights), others in zip(ours.named_parameters(), literal.parameters(), strict=True):
        sure = others.grad.abs() > 1e-3 * others.grad.abs().max()
        assert ((weights - others)[sure].abs() <= 1e-6).all(), name


def test_sums_on_apple_s_gpus_have_32_bits():
    """These have no 64; on all others a sum over many images needs them."""
    with FakeTensorMode():
        for device, wanted in (("mps", torch.float32), ("cuda", torch.float64), ("cpu", torch.float64)):
            averages = loop._Averages(torch.device(device), Portion(images=2))
            averages.add(
                torch.ones((), device=device), torch.ones(2, 2, device=device), torch.ones(2, device=device)
            )
            assert averages._sums.dtype == wanted


def test_a_network_learns(sets):
    network = _network()
    ten = recipe("quick", "cnn-13", epochs=10, batch_size=10)
    history = fit(network, sets["train"], valid=sets["valid"], recipe=ten)
    assert [epoch.epoch for epoch in history.epochs] == list(range(1, 11))
    assert history.epochs[-1].train_accuracy > 0.95
    assert not network.training


@pytest.fixture
def one_thread():
    """Sums in the same order, since Adam makes much of a gradient's sign where rounding decides it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_figures_are_those_of_a_plain_loop(sets):
    """One epoch by hand, with the same order of images, gives the same losses and weights."""
    network, by_hand = _network(), _network()
    one = SHORT.model_copy(update={"epochs": 1})
    for net in (network, by_hand):
        for module in net.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
    history = fit(network, sets["train"], valid=sets["valid"], recipe=one)

    shuffling, _ = np.random.SeedSequence([5, 1]).generate_state(2)
    order = torch.randperm(len(sets["train"]), generator=torch.Generator().manual_seed(int(shuffling))).tolist()
    adam = KerasAdam(by_hand.parameters(), lr=1e-3)
    by_hand.train()
    losses, right = [], 0
    for start in range(0, len(order), 20):
        items = [sets["train"][position] for position in order[start : start + 20]]
        labels = torch.tensor([label for _, label in items])
        logits = by_hand(models.preprocess(torch.stack([image for image, _ in items])))
        loss = F.cross_entropy(logits, labels, reduction="none")
        by_hand.zero_grad()
        loss.mean().backward()
        adam.step()
        losses += loss.tolist()
        right += int((logits.argmax(1) == labels).sum())
    by_hand.eval()
    with torch.inference_mode():
        images = torch.stack([image for image, _ in sets["valid"]])
        valid = F.cross_entropy(by_hand(models.preprocess(images)), sets["valid"].labels)

    (epoch,) = history.epochs
    assert epoch.train_loss == pytest.approx(np.mean(losses), rel=1e-4)
    assert epoch.train_accuracy == pytest.approx(right / len(order))
    assert epoch.valid_loss == pytest.approx(float(valid), rel=1e-3)


def test_same_seed_same_weights_other_seed_other_weights(sets):
    weights = []
    for seed in (5, 5, 6):
        network = _network()
        two = SHORT.model_copy(update={"seed": seed, "epochs": 2})
        fit(network, sets["train"], valid=sets["valid"], recipe=two)
        weights.append(torch.cat([p.flatten() for p in network.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_training_leaves_the_global_random_state_alone(sets):
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    network = models.create("cnn-13", 16)  # draws
    torch.manual_seed(9)
    fit(network, sets["train"], valid=sets["valid"], recipe=SHORT.model_copy(update={"epochs": 1}))
    assert torch.equal(torch.rand(3), expected)


def test_broken_off_and_resumed_is_as_undisturbed(sets, tmp_path):
    undisturbed = _network()
    full = fit(undisturbed, sets["train"], valid=sets["valid"], recipe=SHORT)

    class PowerCutError(Exception):
        pass

    class Fails(type(sets["train"])):
        left = 1.5 * len(sets["train"])

        def fetch(self, positions):
            self.left -= len(positions)
            if self.left < 0:
                raise PowerCutError
            return super().fetch(positions)

    train = sets["train"]
    failing = Fails.__new__(Fails)
    failing.__dict__.update(train.__dict__)
    checkpoint = tmp_path / "c.safetensors"
    with pytest.raises(PowerCutError):
        fit(_network(), failing, valid=sets["valid"], recipe=SHORT, checkpoint=checkpoint)
    resumed = _network(seed=99)  # whatever it starts from, the checkpoint counts
    history = fit(resumed, train, valid=sets["valid"], recipe=SHORT, checkpoint=checkpoint)
    assert len(history.epochs) == 3
    for before, after in zip(full.epochs, history.epochs, strict=True):
        assert (before.train_loss, before.valid_loss) == (after.train_loss, after.valid_loss)
    for name, value in undisturbed.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_bad_checkpoints(sets, tmp_path):
    path = tmp_path / "c.safetensors"
    one = SHORT.model_copy(update={"epochs": 1})
    fit(_network(), sets["train"], valid=sets["valid"], recipe=one, checkpoint=path)
    other = models.create("fcn-14", 16)
    with pytest.raises(ConfiguralError, match="not a checkpoint that can be used"):
        load_checkpoint(path, other, KerasAdam(other.parameters()))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ConfiguralError, match=r"c\.safetensors: not a checkpoint .*remove it to train again"):
        fit(_network(), sets["train"], valid=sets["valid"], recipe=SHORT, checkpoint=path)


def test_history_round_trip(sets, tmp_path):
    history = fit(_network(), sets["train"], valid=sets["valid"], recipe=SHORT.model_copy(update={"epochs": 1}))
    history.save(str(tmp_path / "history.csv"))
    assert History.load(str(tmp_path / "history.csv")) == history


def test_any_dataset_of_images_and_labels_will_do(sets):
    train = torch.utils.data.Subset(sets["train"], range(40))
    valid = torch.utils.data.Subset(sets["valid"], [0, 5])
    fit(_network(), train, valid=valid, recipe=SHORT.model_copy(update={"epochs": 1}))


def test_bf16_and_streaming(blocks, sets):
    streamed = dataset(blocks, sets["train"].table.take(np.arange(60)), size=16, keep=False)
    assert torch.equal(streamed[3][0], sets["train"][3][0])
    history = fit(_network(), streamed, valid=sets["valid"], recipe=SHORT.model_copy(update={"precision": "bf16"}))
    assert history.epochs[-1].train_loss < history.epochs[0].train_loss


@pytest.mark.parametrize("fast", [True, False])
def test_auto_is_16_bits_where_they_are_fast(monkeypatch, sets, fast):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": fast, "avx512_bf16": True})
    train = torch.utils.data.Subset(sets["train"], range(20))
    same = [fit(_network(), train, valid=torch.utils.data.Subset(sets["valid"], range(5)), device="cpu",
                recipe=SHORT.model_copy(update={"precision": one, "epochs": 2})).epochs[-1].train_loss
            for one in ("auto", "bf16", "32")]  # fmt: skip
    assert (same[0] == same[1], same[0] == same[2]) == (fast, not fast)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_missing_gpu_is_an_error(sets):
    with pytest.raises(ConfiguralError, match="device 'cuda' cannot be used"):
        fit(_network(), sets["train"], valid=sets["valid"], recipe=SHORT, device="cuda")


def test_errors(sets):
    with pytest.raises(ConfiguralError, match="there are no valid images"):
        fit(_network(), sets["train"], valid=torch.utils.data.Subset(sets["valid"], []), recipe=SHORT)
    with pytest.raises(ConfiguralError, match="lower learning_rate"):
        fit(_network(), sets["train"], valid=sets["valid"], recipe=SHORT.model_copy(update={"learning_rate": 1e30}))
    with pytest.raises(ConfiguralError, match="unknown preset 'slow'"):
        recipe("slow")
