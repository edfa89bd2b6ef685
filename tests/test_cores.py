"""Threads on parts of one thing: what comes out is what one thread gives."""

import copy
import sys
import threading
import time

import numpy as np
import pytest
import torch
from double_precision import BothInDoublePrecision
from threadpoolctl import threadpool_info, threadpool_limits

import configural as cf
from configural.blas import one_blas_thread
from configural.cores import Meeting, on_cores, usable
from configural.evaluation import predict
from configural.processes import granted, processors
from configural.stimuli import Renderer, dataset, rendering, sample
from configural.training import Recipe, fit


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def images(blocks):
    table = sample(blocks, count=122, seed=3)
    return {name: dataset(blocks, table.subset(name), size=16) for name in ("train", "valid", "test")}


def test_all_see_what_each_brings():
    def work(rank: int, meeting: Meeting) -> list[list[int]]:
        return [list(meeting.all(rank, 10 * step + rank)) for step in range(200)]

    for seen in on_cores(work, 3):
        assert seen == [[10 * step, 10 * step + 1, 10 * step + 2] for step in range(200)]


def test_the_first_makes_it_for_all():
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        return len(made)

    def work(rank: int, meeting: Meeting) -> list[int]:
        time.sleep(0.01 * rank)
        return [meeting.first(rank, None if rank == 0 else make) for _ in range(50)]

    assert on_cores(work, 3)[1:] == [list(range(1, 51))] * 2
    assert made == list(range(50))


@pytest.mark.parametrize("failing", [0, 2])
def test_the_failure_of_one_ends_all(failing):
    def work(rank: int, meeting: Meeting) -> None:
        if rank == failing:
            raise KeyboardInterrupt
        meeting.all(rank, None)

    before = torch.get_num_threads()
    with pytest.raises(KeyboardInterrupt):
        on_cores(work, 3)
    assert torch.get_num_threads() == before
    assert threading.active_count() < 20


def test_each_computes_alone_and_all_as_before_afterwards(two_threads):
    assert on_cores(lambda rank, meeting: torch.get_num_threads(), 2) == [1, 1]
    assert on_cores(lambda rank, meeting: torch.get_num_threads(), 1) == [2]
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, sys.maxsize),
        ({"": "max 100000"}, sys.maxsize),
        ({"": "150000 100000"}, 2),
        ({"": "20000 100000"}, 1),
        ({"a/b": "max 100000", "a": "300000 100000"}, 3),
        ({"a/b": "900000 100000", "a": "400000 100000"}, 4),
        ({"c": "100000 100000"}, sys.maxsize),
    ],
)
def test_cores_that_a_container_grants(tmp_path, monkeypatch, limits, expected):
    own = tmp_path / "own"
    own.write_text("1:cpu:/x\n0::/a/b\n")
    for name, limit in limits.items():
        (tmp_path / "groups" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name / "cpu.max").write_text(limit + "\n")
    assert granted(tmp_path / "groups", own) == expected
    assert granted(tmp_path / "groups", tmp_path / "missing") == sys.maxsize
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr("configural.cores.granted", lambda: expected)
    assert usable() == min(3, expected)
    monkeypatch.setattr("configural.processes.granted", lambda: 1)
    assert processors() == 1


def test_three_threads_learn_as_one(images, monkeypatch):
    """98 images in batches of 24: the last batch has 2, so that one thread has none of it.

    With 64 bits what differs is rounding alone, which Adam makes larger where a gradient is nearly zero.
    """
    networks, histories = [], []
    for threads in (1, 3):
        monkeypatch.setattr("configural.training.loop.threads_for", lambda network, device, n=threads: n)
        networks.append(BothInDoublePrecision(16))
        recipe = Recipe(epochs=2, batch_size=24, valid_batch_size=7, learning_rate=1e-3, dropout=0.3)
        with cf.progress.hidden():
            histories.append(fit(networks[-1], images["train"], valid=images["valid"], recipe=recipe, device="cpu"))
    for one, three in zip(*(network.state_dict().values() for network in networks), strict=True):
        torch.testing.assert_close(one, three, rtol=1e-7, atol=1e-9)
    frames = [history.as_frame().drop(columns="seconds") for history in histories]
    np.testing.assert_allclose(frames[0], frames[1], rtol=1e-9)


def test_interrupted_and_resumed_it_ends_with_the_same_weights(images, tmp_path, two_threads):
    def trained(network: torch.nn.Module, epochs: int, checkpoint: str) -> dict[str, torch.Tensor]:
        recipe = Recipe(epochs=epochs, batch_size=20, learning_rate=1e-3, precision="tf32")
        job = {"valid": images["valid"], "recipe": recipe, "device": "cpu", "checkpoint": tmp_path / checkpoint}
        with cf.progress.hidden():
            fit(network, images["train"], **job)
        return network.state_dict()

    torch.manual_seed(0)
    fresh = cf.models.create("cnn-13", 16)
    whole = trained(copy.deepcopy(fresh), 2, "whole")
    trained(copy.deepcopy(fresh), 1, "parts")
    resumed = trained(cf.models.create("cnn-13", 16), 2, "parts")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert torch.get_float32_matmul_precision() == "highest"  # a setting of the process, which threads share


def test_predictions_of_two_threads_are_those_of_one(images, two_threads):
    network = cf.models.create("fcn-14", 16)
    with cf.progress.hidden():
        both = predict(network, images["test"], batch_size=7, device="cpu").frame
        torch.set_num_threads(1)
        one = predict(network, images["test"], batch_size=7, device="cpu").frame
    assert list(both["label"]) == list(one["label"])
    np.testing.assert_allclose(both["log_odds"], one["log_odds"], rtol=1e-4, atol=1e-5)
    opened = cf.models.open(network)
    shown = np.stack([images["test"][row][0].permute(1, 2, 0).numpy() for row in range(18)])
    torch.set_num_threads(2)
    np.testing.assert_allclose(opened.log_odds(shown), one["log_odds"][:30], rtol=1e-4, atol=1e-5)


def threads_of_numpy() -> set[int]:
    """What each OpenBLAS of this process is set to."""
    return {library["num_threads"] for library in threadpool_info() if library["internal_api"] == "openblas"}


def test_blocks_with_one_thread_may_overlap():
    with threadpool_limits(2):
        assert threads_of_numpy() == {2}
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        assert threads_of_numpy() == {1}
        first.__exit__(None, None, None)
        assert threads_of_numpy() == {1}
        second.__exit__(None, None, None)
        assert threads_of_numpy() == {2}
        with pytest.raises(ZeroDivisionError), one_blas_thread():
            _ = 1 / 0
        assert threads_of_numpy() == {2}


def test_stimuli_are_drawn_by_one_thread(blocks, monkeypatch):
    seen = []
    rounded = rendering._rounded
    monkeypatch.setattr(rendering, "_rounded", lambda planes: seen.append(threads_of_numpy()) or rounded(planes))
    with threadpool_limits(2):
        Renderer(blocks, size=32).draw(sample(blocks, count=20)[0])
        assert seen
        assert all(threads == {1} for threads in seen)
        assert threads_of_numpy() == {2}
