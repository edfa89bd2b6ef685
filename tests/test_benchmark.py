"""What `configural bench` measures, against counts and clocks of the test's own."""

import json
import re
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from command_line import assert_one_line, configural

import configural as cf
from configural.api import bench
from configural.benchmark import (
    Benchmark,
    Measure,
    Rounds,
    in_turn,
    machine,
    operations,
    peak_bytes,
    training_step,
)
from configural.errors import ConfiguralError
from configural.models import create, multiply_adds
from configural.training import KerasAdam

ALL_CORES = ("training by 2 cores", "training by 2 cores, beside a busy program")


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


class Measured(NamedTuple):
    """By one command on two cores: what it printed and wrote, how long it took, and the images that were drawn."""

    printed: str
    written: str
    figures: Benchmark
    machine: dict[str, object]
    seconds: float
    drawn: dict[str, int]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    out = tmp_path_factory.mktemp("bench") / "figures.json"
    settings = ["--network", "cnn-13", "--image-size", 16, "--seconds", 0.01, "--device", "cpu"]
    drawn = {"draw_batch": 0, "draw_batch_with_masks": 0, "draw_with_masks": 0}
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    with pytest.MonkeyPatch.context() as patch:
        for name in drawn:
            real = getattr(cf.stimuli.Renderer, name)

            def count(self, stimuli, name=name, real=real):
                drawn[name] += len(stimuli) if isinstance(stimuli, list) else 1
                return real(self, stimuli)

            patch.setattr(cf.stimuli.Renderer, name, count)
        try:
            before = time.perf_counter()
            done = configural("bench", "--source", "synthetic:2", *settings, "--json", out)
            took = time.perf_counter() - before
            assert done.returncode == 0, done.stderr
            assert torch.get_num_threads() == 2
            here = machine(torch.device("cpu"))
        finally:
            torch.set_num_threads(threads)
    stored = json.loads(out.read_text())
    stored["measures"] = tuple(Measure(**each) for each in stored["measures"])
    return Measured(done.stdout, out.read_text(), Benchmark(**stored), here, took, drawn)


def test_figures_agree_with_each_other(measured):
    done, took = measured.figures, measured.seconds
    assert [each.name for each in done.measures] == [
        "drawing with masks",
        "drawing",
        "PNG folder with masks",
        "matrix product",
        "training step",
        *ALL_CORES,
        "configural --help",
        "peak memory of this command",
    ]
    counts = {"drawing with masks": 60, "drawing": 60, "PNG folder with masks": 60, "training step": 20}
    counts |= dict.fromkeys(ALL_CORES, 80)
    spent = 0.0
    for each in done.measures:
        assert 0 < each.lowest <= each.median <= each.highest
        assert each.rounds >= 1
        spent += counts.get(each.name, 0) * each.rounds / each.highest
    assert spent <= took
    start = done["configural --help"]
    assert start.lowest * start.rounds <= took
    rate = done["training step"].highest * operations("cnn-13", 16) / (done["matrix product"].highest * 1e9)
    assert done.fraction_of_limit == pytest.approx(rate)
    # In MiB, and of this process: no less than what it holds now, no more than what the machine has.
    peak = done["peak memory of this command"].median
    assert 50 < peak <= peak_bytes() / 2**20 + 1 <= done.machine["memory_gib"] * 1024


def test_images_are_drawn_as_often_as_is_said(measured):
    done = measured.figures
    # Each with a round to warm up; what is drawn alone is a batch of one.
    alone = 60 * (1 + done["PNG folder with masks"].rounds)
    assert measured.drawn == {
        "draw_batch": 60 * (1 + done["drawing"].rounds),
        "draw_batch_with_masks": 60 * (1 + done["drawing with masks"].rounds) + alone,
        "draw_with_masks": alone,
    }


def test_all_cores_are_measured_against_one(measured):
    for name in ALL_CORES:
        each = measured.figures[name]
        assert re.fullmatch(r"\d\.\d\d times what one core makes", each.note)
        assert 0 < each.lowest <= each.median


def test_the_machine_is_told_without_names_and_paths(measured):
    assert measured.machine["torch"] == torch.__version__
    assert measured.machine["threads"] == 2
    assert measured.figures.machine == measured.machine
    for secret in (str(Path.home()), str(Path.cwd()), "synthetic"):
        assert secret not in measured.written


def test_settings_that_cannot_be(blocks):
    with pytest.raises(ConfiguralError, match=r"seconds 0 must be more than 0"):
        bench(blocks, seconds=0)
    with pytest.raises(ConfiguralError, match="device 'tpu9' cannot be used"):
        bench(blocks, device="tpu9")
    with pytest.raises(ConfiguralError, match="image_size 31 is too small for cnn-15"):
        bench(blocks, image_size=31)


def test_the_command_prints_markdown_and_writes_json(measured):
    done = measured.figures
    assert (done.network, done.image_size, done.exemplars) == ("cnn-13", 16, 2)
    assert measured.written == done.as_json()
    lines = measured.printed.splitlines()
    assert {line.count("|") for line in lines} == {3, 9, 0}
    assert f"| torch | {torch.__version__} |" in lines
    for each in done.measures:
        assert sum(line.startswith(f"| {each.name} | ") for line in lines) == 1
    assert_one_line(configural("bench", "--source", "synthetic:2", "--network", "vgg"), "unknown network 'vgg'")
