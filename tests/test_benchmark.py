"""What `configural bench` measures, against counts and clocks of the test's own."""

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import assert_one_line, configural

import configural as cf
from configural.api import bench
from configural.benchmark import Rounds, in_turn, machine, measure, operations, peak_bytes, training_step
from configural.errors import ConfiguralError
from configural.models import create, multiply_adds
from configural.training import KerasAdam

TINY = {"image_size": 32, "device": "cpu", "seconds": 0.01}


def test_rounds_are_counts_and_times():
    rounds = Rounds(6, (2.0, 1.0, 3.0), (0.5, 0.5, 1.0))
    assert (rounds.rate, rounds.highest, rounds.lowest, rounds.processor_rate) == (3, 6, 2, 12)


def test_works_take_turns_and_their_times_are_those_of_the_clock():
    said = []
    before = time.perf_counter()
    first, second = in_turn(
        [(lambda: said.append("a"), 1), (lambda: time.sleep(0.01) or said.append("b"), 5)], 0.05
    )
    took = time.perf_counter() - before
    assert said == ["a", "b"] * (1 + len(first.seconds))
    assert len(first.seconds) == len(second.seconds) == len(second.processor_seconds)
    # The warm-up is left out of the times, and a sleep takes no processor time worth the name.
    assert 0.01 * len(second.seconds) <= sum(second.seconds) <= took
    assert second.rate * np.median(second.seconds) == pytest.approx(5)
    assert sum(second.processor_seconds) < sum(second.seconds)
    assert len(in_turn([(lambda: None, 1)], 0)[0].seconds) == 1


@pytest.mark.parametrize(
    ("name", "size"), [("cnn-15", 64), ("cnn-15", 32), ("cnn-13", 32), ("fcn-16", 64), ("fcn-14", 48)]
)
def test_operations_by_formula(name, size):
    """Three passes of two operations per product; the first layer's input needs no gradient."""
    state = torch.get_rng_state()
    assert operations(name, size) == 3 * 2 * multiply_adds(create(name, size)) - 2 * (32 * 3 * 9) * size**2
    torch.set_rng_state(state)
    operations(name, size)
    assert torch.get_rng_state().equal(state)


def test_the_study_s_operations():
    """As the publication's training is reckoned: 5.72 GFLOP an image and step."""
    assert operations("cnn-15", 224) / 1e9 == pytest.approx(5.72, abs=0.005)


def test_a_step_changes_the_weights():
    network = create("cnn-13", 32).train()
    before = network.Conv_1.weight.detach().clone()
    training_step(network, KerasAdam(network.parameters()), size=32, batch=4)()
    assert not torch.equal(before, network.Conv_1.weight)


@pytest.fixture(scope="module")
def measured(blocks):
    """Figures, the seconds that they took, and how many images each way of drawing drew for them."""
    drawn = {"draw_batch": 0, "draw_batch_with_masks": 0, "draw_with_masks": 0}
    with pytest.MonkeyPatch.context() as patch:
        for name in drawn:
            real = getattr(cf.stimuli.Renderer, name)

            def count(self, stimuli, name=name, real=real):
                drawn[name] += len(stimuli) if isinstance(stimuli, list) else 1
                return real(self, stimuli)

            patch.setattr(cf.stimuli.Renderer, name, count)
        before = time.perf_counter()
        done = measure(blocks, "cnn-13", **TINY)
        return done, time.perf_counter() - before, drawn


def test_figures_agree_with_each_other(measured):
    done, took, _ = measured
    assert [each.name for each in done.measures] == [
        "drawing with masks",
        "drawing",
        "PNG folder with masks",
        "matrix product",
        "training step",
        "configural --help",
        "peak memory of this command",
    ]
    counts = {"drawing with masks": 60, "drawing": 60, "PNG folder with masks": 60, "training step": 20}
    spent = 0.0
    for each in done.measures:
        assert 0 < each.lowest <= each.median <= each.highest
        assert each.rounds >= 1
        spent += counts.get(each.name, 0) * each.rounds / each.highest
    assert spent <= took
    start = done["configural --help"]
    assert start.lowest * start.rounds <= took
    rate = done["training step"].highest * operations("cnn-13", 32) / (done["matrix product"].highest * 1e9)
    assert done.fraction_of_limit == pytest.approx(rate)
    # In MiB, and of this process: no less than what it holds now, no more than what the machine has.
    peak = done["peak memory of this command"].median
    assert 50 < peak <= peak_bytes() / 2**20 + 1 <= done.machine["memory_gib"] * 1024


def test_images_are_drawn_as_often_as_is_said(measured):
    done, _, drawn = measured
    # Each with a round to warm up; what is drawn alone is a batch of one.
    alone = 60 * (1 + done["PNG folder with masks"].rounds)
    assert drawn == {
        "draw_batch": 60 * (1 + done["drawing"].rounds),
        "draw_batch_with_masks": 60 * (1 + done["drawing with masks"].rounds) + alone,
        "draw_with_masks": alone,
    }


def test_all_cores_are_measured_against_one(blocks):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        done = measure(blocks, "fcn-14", **TINY)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    for name in ("training by 2 cores", "training by 2 cores, beside a busy program"):
        assert re.fullmatch(r"\d\.\d\d times what one core makes", done[name].note)
        assert 0 < done[name].lowest <= done[name].median


def test_the_machine_is_told_without_names_and_paths(measured):
    told = machine(torch.device("cpu"))
    assert told["torch"] == torch.__version__
    assert told["threads"] == torch.get_num_threads()
    text = measured[0].as_json()
    assert json.loads(text)["machine"] == told
    for secret in (str(Path.home()), str(Path.cwd()), "block/"):
        assert secret not in text


def test_settings_that_cannot_be(blocks):
    with pytest.raises(ConfiguralError, match=r"seconds 0 must be more than 0"):
        bench(blocks, seconds=0)
    with pytest.raises(ConfiguralError, match="device 'tpu9' cannot be used"):
        bench(blocks, device="tpu9")
    with pytest.raises(ConfiguralError, match="image_size 31 is too small for cnn-15"):
        bench(blocks, image_size=31)


def test_the_command_prints_markdown_and_writes_json(tmp_path):
    out = tmp_path / "figures.json"
    size = ["--image-size", 32, "--seconds", 0.01, "--device", "cpu"]
    done = configural("bench", "--source", "synthetic:2", "--network", "fcn-14", *size, "--json", out)
    assert done.returncode == 0, done.stderr
    stored = json.loads(out.read_text())
    assert (stored["network"], stored["image_size"], stored["exemplars"]) == ("fcn-14", 32, 2)
    lines = done.stdout.splitlines()
    assert {line.count("|") for line in lines} == {3, 9, 0}
    assert f"| torch | {torch.__version__} |" in lines
    for each in stored["measures"]:
        assert sum(line.startswith(f"| {each['name']} | ") for line in lines) == 1
    assert_one_line(configural("bench", "--source", "synthetic:2", "--network", "vgg"), "unknown network 'vgg'")
