"""The networks against design, formula and plainer versions of themselves."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from math import prod, sqrt
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from configural.errors import ConfiguralError
from configural.evaluation import predict
from configural.models import (
    ARCHITECTURES,
    NETWORKS,
    create,
    fast_on_cpu,
    load_network,
    multiply_adds,
    preprocess,
    receptive_field,
    save_network,
    summarise,
)
from configural.models.networks import evaluating
from configural.stimuli import dataset, sample
from configural.training import Recipe, fit

NAMES = ("cnn-15", "cnn-13", "fcn-16", "fcn-14")
FOUR_BLOCKS = "Conv_1 Max_1 DO_1 BN_1 Conv_2 Max_2 Conv_3 Max_3 DO_3 Conv_4 Max_4"


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_there_are_the_four_networks_of_the_study():
    assert [(a.name, a.epochs) for a in ARCHITECTURES] == [
        ("cnn-15", 20),
        ("cnn-13", 30),
        ("fcn-16", 20),
        ("fcn-14", 30),
    ]


@pytest.mark.parametrize(
    ("name", "layers", "total", "trainable"),
    [
        ("cnn-15", f"{FOUR_BLOCKS} Conv_5 Max_5 Flat_con D_con", 1_618_882, 1_618_818),
        ("cnn-13", f"{FOUR_BLOCKS} Flat_con D_con", 488_898, 488_834),
        ("fcn-16", f"{FOUR_BLOCKS} Conv_5 Max_5 Conv_con GMax_con softmax", 1_569_730, 1_569_666),
        ("fcn-14", f"{FOUR_BLOCKS} Conv_con GMax_con softmax", 389_058, 388_994),
    ],
)
def test_layers_and_parameters_at_224_pixels(name, layers, total, trainable):
    summary = summarise(create(name))
    assert [layer.name for layer in summary.layers] == layers.split()
    assert len(summary.layers) == int(name[-2:])
    assert (summary.total, summary.trainable, summary.non_trainable) == (total, trainable, 64)


def test_output_shapes_at_224_pixels():
    cnn = {layer.name: layer.output_shape for layer in summarise(create("cnn-15")).layers}
    assert cnn["Conv_1"] == (32, 224, 224)
    assert cnn["Max_1"] == cnn["DO_1"] == cnn["BN_1"] == (32, 112, 112)
    assert [cnn[f"Conv_{i}"] for i in (2, 3, 4, 5)] == [
        (64, 112, 112),
        (128, 56, 56),
        (256, 28, 28),
        (512, 14, 14),
    ]
    assert (cnn["Max_5"], cnn["Flat_con"], cnn["D_con"]) == ((512, 7, 7), (25_088,), (2,))
    fcn = {layer.name: layer.output_shape for layer in summarise(create("fcn-14")).layers}
    assert (fcn["Max_4"], fcn["Conv_con"], fcn["GMax_con"]) == ((256, 14, 14), (2, 14, 14), (2,))


def test_threads_evaluate_beside_each_other_and_the_last_gives_the_modes_back():
    """Held by one at a time, two threads of an audit took as long as one."""
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    network[0].eval()  # somebody's frozen layer
    inside, left = threading.Barrier(2, timeout=10), threading.Event()

    def first() -> None:
        with evaluating(network):
            inside.wait()
        left.set()

    def second() -> None:
        with evaluating(network):
            inside.wait()
            assert left.wait(10)
            assert not any(layer.training for layer in network.modules())

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(first), pool.submit(second)]:
            done.result()
    assert [layer.training for layer in network.modules()] == [True, False, True]


def test_summary_counts_parameters_layer_by_layer_and_leaves_the_mode_alone():
    network = create("cnn-13", 64).train()
    rows = {layer.name: (layer.parameters, layer.trainable) for layer in summarise(network).layers}
    assert rows["Conv_1"] == (896, 896)
    assert rows["BN_1"] == (128, 64)
    assert rows["DO_1"] == rows["Max_4"] == rows["Flat_con"] == (0, 0)
    assert rows["D_con"] == (4 * 4 * 256 * 2 + 2, 4 * 4 * 256 * 2 + 2)
    assert network.training
    assert network.BN_1.running_mean.eq(0).all()


@pytest.mark.parametrize(("name", "blocks"), [("cnn-15", 5), ("cnn-13", 4), ("fcn-16", 5), ("fcn-14", 4)])
def test_multiply_adds_by_formula(name, blocks):
    channels = (3, 32, 64, 128, 256, 512)[: blocks + 1]
    expected = sum((100 // 2**block) ** 2 * 9 * channels[block] * channels[block + 1] for block in range(blocks))
    expected += (100 // 2**blocks) ** 2 * channels[-1] * 2  # either head
    assert multiply_adds(create(name, 100)) == expected


@pytest.mark.parametrize(("name", "size"), [("cnn-15", 94), ("cnn-13", 46), ("fcn-16", 94), ("fcn-14", 46)])
def test_receptive_field_is_what_a_unit_depends_on(name, size):
    network = create(name, 224)
    layers = []
    for module in network:
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            # Of a sum of positive terms every input shows in the gradient; of a maximum only one does.
            nn.init.ones_(module.weight)
            layers.append(module)
        elif isinstance(module, nn.MaxPool2d):
            layers.append(nn.AvgPool2d(module.kernel_size, module.stride))
    image = torch.zeros(1, 3, 224, 224, requires_grad=True)
    last = nn.Sequential(*layers)(image)
    last[0, 0, last.shape[2] // 2, last.shape[3] // 2].backward()
    rows, columns = image.grad[0, 0].nonzero(as_tuple=True)
    assert rows.max() - rows.min() + 1 == size
    assert columns.max() - columns.min() + 1 == size
    assert receptive_field(network) == summarise(network).receptive_field == size


@pytest.mark.parametrize("name", NAMES)
def test_initial_weights_are_those_of_keras(name):
    network = create(name, 224)
    for layer, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            outs, ins, *window = module.weight.shape
            limit = sqrt(6 / ((ins + outs) * prod(window)))  # Glorot and Bengio 2010, equation 16
            largest = module.weight.abs().max().item()
            assert 0.97 * limit < largest <= limit * (1 + 1e-6), layer
            assert module.weight.std().item() == pytest.approx(limit / sqrt(3), rel=0.06), layer
            assert module.bias.eq(0).all()
    normalisation = network.BN_1
    assert normalisation.weight.eq(1).all()
    assert normalisation.bias.eq(0).all()
    assert normalisation.running_mean.eq(0).all()
    assert normalisation.running_var.eq(1).all()


def test_initial_weights_follow_the_seed():
    torch.manual_seed(7)
    first = create("fcn-14").state_dict()
    second = create("fcn-14").state_dict()
    torch.manual_seed(7)
    again = create("fcn-14").state_dict()
    assert all(first[key].equal(again[key]) for key in first)
    assert not first["Conv_1.weight"].equal(second["Conv_1.weight"])


@pytest.mark.parametrize("name", NAMES)
def test_pooling_before_relu_changes_nothing(name):
    network = create(name, 64)
    plain = []
    modules = list(network)
    for place, module in enumerate(modules):
        if isinstance(module, nn.MaxPool2d):
            plain += [modules[place + 1], module]
        elif not isinstance(module, nn.ReLU):
            plain.append(module)
    assert [type(m) for m in plain[:3]] == [nn.Conv2d, nn.ReLU, nn.MaxPool2d]
    with torch.no_grad():
        for module in network:
            if isinstance(module, nn.Conv2d):
                module.bias.uniform_(-0.5, 0.5)
    batch = preprocess(torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8))
    # Gradients in 64 bits: in 32, rounding at times decides what the largest of four is.
    results = {torch.float32: [], torch.float64: []}
    for dtype, found in results.items():
        for model in (network, nn.Sequential(*plain)):
            model.to(dtype).zero_grad()
            torch.manual_seed(1)  # the same dropout
            with fast_on_cpu(network):
                logits = model(batch.to(dtype))
            logits.logsumexp(dim=1).sum().backward()
            found.append((logits.detach(), {key: value.grad.clone() for key, value in network.named_parameters()}))
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        (ours, _), (theirs, _) = results[dtype]
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)
    (_, ours), (_, theirs) = results[torch.float64]
    for key, gradient in ours.items():
        assert gradient.abs().max() > 0, key
        torch.testing.assert_close(gradient, theirs[key], rtol=1e-9, atol=1e-11 * float(gradient.abs().max()))


@pytest.mark.parametrize("name", NAMES)
def test_networks_return_two_logits_for_any_size_that_fits(name):
    for image_size in (32, 100, 129):
        logits = create(name, image_size).eval()(torch.randn(2, 3, image_size, image_size))
        assert logits.shape == (2, 2)
        assert (logits.sum(dim=1) - 1).abs().max() > 0.01  # no softmax


def test_a_fully_convolutional_network_sees_a_pattern_wherever_it_is():
    network = create("fcn-14", 128).eval()
    here, there = torch.zeros(2, 1, 3, 128, 128)
    pattern = torch.randn(3, 16, 16)
    here[0, :, 48:64, 48:64] = pattern
    there[0, :, 64:80, 48:64] = pattern  # one unit of 16 pixels lower
    torch.testing.assert_close(network(here), network(there))


def test_preprocessing_is_that_of_vgg16():
    images = torch.randint(0, 256, (2, 3, 5, 7), dtype=torch.uint8)
    batch = preprocess(images)
    red, green, blue = images.double().unbind(1)
    expected = torch.stack([blue - 103.939, green - 116.779, red - 123.68], dim=1)
    assert batch.dtype == torch.float32
    assert batch.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(batch, expected.float(), rtol=0, atol=2e-5)


@pytest.mark.parametrize(("name", "smallest"), [("cnn-15", 32), ("cnn-13", 16), ("fcn-16", 32), ("fcn-14", 16)])
def test_too_small_images_are_refused(name, smallest):
    assert create(name, smallest)(torch.zeros(2, 3, smallest, smallest)).shape == (2, 2)
    with pytest.raises(ConfiguralError, match=rf"image_size {smallest - 1} .*{name}.* {smallest} pixels"):
        create(name, smallest - 1)


def test_an_unknown_network_is_refused_with_the_known_names():
    with pytest.raises(ConfiguralError, match=r"'vgg16'.*cnn-15, cnn-13, fcn-16, fcn-14"):
        create("vgg16")


@pytest.mark.parametrize("name", NAMES)
def test_saved_networks_come_back_as_they_were(name, tmp_path):
    network = create(name, 100).train()
    network(torch.randn(4, 3, 100, 100))  # moves the running values
    save_network(network, tmp_path / "model.safetensors")
    random_state = torch.get_rng_state()
    loaded = load_network(tmp_path / "model.safetensors")
    assert torch.get_rng_state().equal(random_state)
    assert (loaded.name, loaded.image_size, loaded.training) == (name, 100, False)
    expected, got = network.state_dict(), loaded.state_dict()
    assert expected.keys() == got.keys()
    assert all(expected[key].equal(got[key]) for key in expected)


def test_channels_last_weights_are_saved_too(tmp_path):
    network = create("cnn-13", 64).to(memory_format=torch.channels_last).eval()
    save_network(network, tmp_path / "model.safetensors")
    loaded = load_network(tmp_path / "model.safetensors")
    batch = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(loaded(batch), network(batch))


def _refused(path: Path, culprit: str) -> None:
    with pytest.raises(ConfiguralError, match=culprit) as caught:
        load_network(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    _refused(tmp_path / "model.safetensors", "no such file")
    _refused(tmp_path, "no such file")


@pytest.mark.parametrize("kept", [0, 4, 100, 2000, -1])
def test_damaged_files_are_refused(kept, tmp_path):
    path = tmp_path / "model.safetensors"
    save_network(create("fcn-14"), path)
    path.write_bytes(path.read_bytes()[:kept])
    _refused(path, "not a readable safetensors file")


@pytest.mark.parametrize(
    ("header", "culprit"),
    [
        (None, "not a network of configural by its header"),
        ({"format": "pt"}, "not a network of configural by its header"),
        ({"configural": "[]"}, "not a network of configural by its header"),
        ({"network": "fcn-14"}, "not a network of configural by its header"),
        ({"network": "vgg16", "image_size": "64"}, "unknown network 'vgg16'"),
        ({"network": "fcn-14", "image_size": "big"}, "image_size: "),
        ({"network": "fcn-14", "image_size": "²"}, "image_size: "),
        ({"network": "fcn-14", "image_size": "9" * 5000}, "image_size: "),
        ({"network": "fcn-14", "image_size": "-64"}, "greater than or equal to 8"),
        ({"network": "cnn-13", "image_size": "64"}, "cnn-13 for 64 pixels has Conv_con.bias None, the file"),
        ({"network": "fcn-16", "image_size": "64"}, "fcn-16 for 64 pixels has Conv_5.bias .*, the file None"),
    ],
)
def test_files_of_others_are_refused(header, culprit, tmp_path):
    path = tmp_path / "other.safetensors"
    if header and "network" in header:
        header = {"configural": json.dumps(header)}
    save_file(create("fcn-14").state_dict(), path, metadata=header)
    _refused(path, culprit)


def test_weights_of_another_image_size_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file(
        create("cnn-15", 64).state_dict(), path, metadata={"configural": '{"network": "cnn-15", "image_size": 128}'}
    )
    _refused(path, r"cnn-15 for 128 pixels has D_con.weight \(2, 8192\), the file \(2, 2048\)")


class Residual(nn.Module):
    """A network that has nothing to do with the study's: branches, a weight of its own, two layers of one kind."""

    def __init__(self, image_size: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(), nn.Dropout(0.5))
        self.more = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.scale = nn.Parameter(torch.ones(4, 1, 1))
        self.last = nn.Linear(4 * (image_size // 2) ** 2, 2)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        first = self.first(batch)
        return self.last((first + self.scale * self.norm(self.more(first))).flatten(1))


@pytest.fixture
def own(monkeypatch):
    monkeypatch.setitem(NETWORKS, "residual", Residual)
    return create("residual", 16)


def test_anybody_s_network_is_summarised_saved_and_loaded(own, tmp_path):
    summary = summarise(own.train())
    rows = {layer.name: (layer.output_shape, layer.parameters, layer.trainable) for layer in summary.layers}
    assert rows == {
        "": ((2,), 4, 4),
        "first.0": ((4, 16, 16), 112, 112),
        "first.1": ((4, 8, 8), 0, 0),
        "first.2": ((4, 8, 8), 0, 0),
        "first.3": ((4, 8, 8), 0, 0),
        "more": ((4, 8, 8), 148, 148),
        "norm": ((4, 8, 8), 16, 8),
        "last": ((2,), 514, 514),
    }
    assert summary.trainable == sum(weights.numel() for weights in own.parameters())
    assert (summary.network, summary.image_size, summary.receptive_field) == ("residual", 16, None)
    assert own.training
    assert multiply_adds(own) == 16 * 16 * 4 * 27 + 8 * 8 * 4 * 36 + 512
    save_network(own, tmp_path / "model.safetensors")
    loaded = load_network(tmp_path / "model.safetensors")
    assert isinstance(loaded, Residual)
    assert all(loaded.state_dict()[key].equal(value) for key, value in own.state_dict().items())


def test_anybody_s_network_trains_and_predicts(own, blocks):
    """With its own preparation, the recipe's dropout, and the kernels in its Sequential alone."""
    sets = {
        name: dataset(blocks, sample(blocks, condition="baseline", count=120, seed=1).subset(name), size=16)
        for name in ("train", "valid")
    }
    seen = []

    def prepare(images: torch.Tensor) -> torch.Tensor:
        seen.append(images.dtype)
        return images / 100

    own.prepare = prepare
    rates = []
    own.first[3].register_forward_hook(lambda layer, _, __: rates.append(layer.p))
    before = own.last.weight.clone()
    fit(own, sets["train"], valid=sets["valid"], recipe=Recipe(epochs=1, dropout=0.1), device="cpu")
    assert not own.last.weight.equal(before)
    assert set(rates) == {0.1}
    assert own.first[3].p == 0.5
    assert set(seen) == {torch.uint8}
    assert "forward" not in vars(own.first)
    frame = predict(own, sets["valid"], device="cpu").frame
    images = torch.stack([image for image, _ in sets["valid"]])
    with torch.no_grad():
        logits = own(images / 100).double()
    assert torch.allclose(torch.tensor(frame["log_odds"]), logits[:, 1] - logits[:, 0], atol=1e-5)


def test_what_makes_no_network_is_refused(monkeypatch):
    monkeypatch.setitem(NETWORKS, "text", lambda image_size: "a network")
    with pytest.raises(ConfiguralError, match="'text' makes a str; wanted is a torch module"):
        create("text")
    monkeypatch.setitem(NETWORKS, "fixed", lambda: nn.Linear(2, 2))
    with pytest.raises(ConfiguralError, match="'fixed' is to be made for an image size alone: too many positional"):
        create("fixed")
    monkeypatch.setitem(NETWORKS, "single", lambda size: nn.Sequential(nn.Flatten(), nn.Linear(3 * size**2, 1)))
    with pytest.raises(ConfiguralError, match=r"'single' gives \(1, 1\) for one image; wanted are logits"):
        create("single", 8)
    monkeypatch.setitem(NETWORKS, "made", nn.Linear(2, 2))
    with pytest.raises(ConfiguralError, match="'made' is made already; name its class"):
        create("made")
    with pytest.raises(ConfiguralError, match=r"a Linear that models\.create has not made"):
        summarise(nn.Linear(2, 2))


def test_special_layers_are_left_to_pytorch():
    """What is no plain block of convolution, pool and ReLU is not taken for one."""
    torch.manual_seed(0)
    batch = torch.randn(2, 3, 16, 16)
    for convolution, pool in (
        (nn.Conv2d(3, 4, 3), nn.MaxPool2d(2)),
        (nn.Conv2d(3, 4, 3, padding=1, stride=2), nn.MaxPool2d(2)),
        (nn.Conv2d(3, 4, 3, padding=2, dilation=2), nn.MaxPool2d(2)),
        (nn.Conv2d(3, 6, 3, padding=1, groups=3), nn.MaxPool2d(2)),
        (nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), nn.MaxPool2d(2)),
        (nn.Conv2d(3, 4, 3, padding="same"), nn.MaxPool2d(2)),
        (nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.MaxPool2d(2)),
        (nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2, stride=1)),
        (nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(3, stride=2, padding=1)),
        (nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2, ceil_mode=True)),
    ):
        network = nn.Sequential(convolution, pool, nn.ReLU())
        expected = network(batch)
        with fast_on_cpu(network):
            assert network(batch).equal(expected)
