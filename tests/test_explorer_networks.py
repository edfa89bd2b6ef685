"""Networks in 8 bits, and the two that come with the package."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import configural as cf
from configural.errors import ConfiguralError
from configural.explorer import ShownModel
from configural.explorer.small import load_small, save_small, shipped


def written(path, name="fcn-14", size=32):
    torch.manual_seed(1)
    network = cf.models.create(name, size)
    with torch.no_grad():
        network.get_submodule("BN_1").running_var.uniform_(0.5, 2)
    save_small(ShownModel(name="x", image_size=size, trained_on="ffa", accuracy=0.75, network=network), path)
    return network


@pytest.mark.parametrize("name", ["cnn-15", "fcn-14"])
def test_weights_are_off_by_half_a_step_at_most_in_a_quarter_of_the_space(tmp_path, name):
    network = written(tmp_path / "net.safetensors", name)
    model = load_small(tmp_path / "net.safetensors")
    assert (model.name, model.image_size, model.trained_on, model.accuracy) == ("net", 32, "ffa", 0.75)
    again = model.network.state_dict()
    for key, value in network.state_dict().items():
        off = (again[key] - value).abs()
        if value.ndim > 1:
            steps = value.abs().flatten(1).amax(1) / 127
            assert (off.flatten(1).amax(1) <= 0.501 * steps).all()
        else:
            assert not off.any()
    whole = sum(value.nbytes for value in network.state_dict().values())
    assert (tmp_path / "net.safetensors").stat().st_size < 0.27 * whole
    assert not model.network.training


def test_the_same_network_gives_the_same_bytes_and_rounding_it_again_changes_nothing(tmp_path):
    written(tmp_path / "a.safetensors")
    save_small(load_small(tmp_path / "a.safetensors"), tmp_path / "b.safetensors")
    once, again = (load_small(tmp_path / f"{name}.safetensors").network.state_dict() for name in "ab")
    for key in once:
        torch.testing.assert_close(again[key], once[key], rtol=1e-6, atol=0)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "net.safetensors"
    with pytest.raises(ConfiguralError, match=r"net\.safetensors"):
        load_small(path)
    path.write_bytes(b"no")
    with pytest.raises(ConfiguralError, match=r"net\.safetensors: not a readable file of a small network"):
        load_small(path)
    cf.models.save_network(cf.models.create("fcn-14", 32), path)
    with pytest.raises(ConfiguralError, match=r"net\.safetensors: not a readable file of a small network"):
        load_small(path)
    written(path)
    with safe_open(path, framework="pt") as file:
        header, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    said = json.loads(header["configural"])
    save_file(tensors, path, metadata={"configural": json.dumps(said | {"image_size": 64, "network": "cnn-15"})})
    with pytest.raises(ConfiguralError, match=r"net\.safetensors"):
        load_small(path)


@pytest.fixture(scope="module")
def pair():
    return shipped()


def test_of_the_two_that_come_with_the_package_one_alone_knows_parts_that_have_moved_together(pair, painted):
    stimuli = list(cf.stimuli.sample(painted, condition="baseline+matched", count=80, seed=5))
    images = cf.stimuli.Renderer(painted, size=64).draw_batch(stimuli)
    labels = np.array([stimulus.label for stimulus in stimuli])
    for model in pair:
        said = cf.models.open(model.network).log_odds(images) > 0
        assert np.mean(said == labels) >= 0.95
        assert model.accuracy >= 0.97
    stimuli = [replace(stimulus, shift=(-60, -20)) for stimulus in stimuli]
    images = cf.stimuli.Renderer(painted, size=64).draw_batch(stimuli)
    first, second = (np.mean((cf.models.open(each.network).log_odds(images) > 0) == labels) for each in pair)
    assert first < 0.75 < 0.9 < second
