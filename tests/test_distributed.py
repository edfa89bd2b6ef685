"""Several processes learning as one: what is to be equal, and how it ends when one of them fails."""

import itertools
import signal
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
import yaml
from command_line import configural, halted
from double_precision import BothInDoublePrecision
from failing_processes import TooLarge, fail

import configural as cf
from configural import models
from configural.config.run import RunConfig, resumed_config, run_config
from configural.errors import ConfiguralError
from configural.evaluation import predict
from configural.processes import in_processes
from configural.stimuli import dataset, sample
from configural.training import Recipe, check_devices, fit
from configural.training.distributed import GlobalDropout, Portion


def test_portions_make_up_the_batch():
    for processes in (1, 2, 3, 7):
        portions = [Portion(rank, processes) for rank in range(processes)]
        for n in (1, 2, 5, 14, 20, 21):
            for portion in portions:
                portion.images = n
            rows = [list(range(n))[portion.rows] for portion in portions]
            assert list(itertools.chain(*rows)) == list(range(n))
            assert max(map(len, rows)) - min(map(len, rows)) <= 1


def test_batches_are_cut_and_empty_portions_stay_empty():
    class Numbers(torch.utils.data.Dataset):
        def __getitem__(self, position: int) -> tuple[torch.Tensor, int]:
            return torch.tensor([position]), position

    every = [[4, 1, 3], [0, 2], [5]]
    got = {}
    for rank in (0, 1):
        portion = Portion(rank, 2)
        collate = torch.utils.data.default_collate
        for batch, labels in portion.batches(Numbers(), every, collate):
            assert batch.flatten().tolist() == labels.tolist()
            got[rank, portion.images] = labels.tolist()
    assert got == {(0, 3): [4], (1, 3): [1, 3], (0, 2): [0], (1, 2): [2], (0, 1): [], (1, 1): [5]}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_dropout_is_that_of_the_whole_batch(layout):
    whole = torch.randn(5, 6, 4, 3).contiguous(memory_format=layout)
    torch.manual_seed(1)
    expected = torch.nn.Dropout(0.2)(whole)
    after = torch.rand(1)
    assert (expected == 0).any()
    for portion in (Portion(0, 2), Portion(1, 2), Portion(6, 7), Portion(0, 7)):
        portion.images = 5
        layer = GlobalDropout(torch.nn.Dropout(0.2), portion)
        torch.manual_seed(1)
        assert torch.equal(layer(whole[portion.rows]), expected[portion.rows])
        assert torch.rand(1) == after
        assert torch.equal(layer.eval()(whole), whole)


def test_devices_that_cannot_be(tmp_path, monkeypatch):
    check_devices(torch.device("cpu"), 20, batch_size=20)
    with pytest.raises(ConfiguralError, match="devices 3: batches of 2 leave some without an image"):
        cf.run(devices=3, batch_size=2, device="cpu", out=tmp_path / "x")
    assert not (tmp_path / "x").exists()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfiguralError, match="devices 2: this machine has 1 GPU; use devices 1 or cpu"):
        check_devices(torch.device("cuda"), 2, batch_size=20)
    with pytest.raises(ConfiguralError, match="there is one device 'mps'"):
        check_devices(torch.device("mps"), 2, batch_size=20)
    with pytest.raises(ConfiguralError, match="devices: input should be greater than or equal to 1"):
        run_config(devices=0)


def test_settings_written_before_there_were_devices_load(tmp_path):
    path = tmp_path / "config.yaml"
    run_config(network="fcn-14").save(path)
    stored = yaml.safe_load(path.read_text())
    assert stored.pop("devices") == 1
    path.write_text(yaml.safe_dump(stored))
    settings = RunConfig.load(path)
    assert settings.devices == 1
    # As with the device, a run may go on with another number of them.
    assert resumed_config(settings, {"devices": 2}, folder=tmp_path).devices == 2
    assert resumed_config(settings, {"device": "cpu"}, folder=tmp_path).device == "cpu"


@pytest.mark.slow
def test_three_processes_learn_as_one(blocks):
    """98 images in batches of 24 split among 3: the last batch has 2, so that one process has none of it.

    With 64 bits the differences stay below 1e-9: rounding, of 1e-16, which the steps of Adam make larger where a
    gradient is nearly zero. For the networks one by one, at 32 pixels, statistics of thirds of the batch make log
    odds differ by 0.35, other masks by 0.69.
    """
    table = sample(blocks, condition="baseline", count=122, seed=1)
    sets = {subset: dataset(blocks, table.subset(subset), size=16) for subset in ("train", "valid", "test")}
    settings = Recipe(epochs=2, batch_size=24, valid_batch_size=4, learning_rate=1e-3, seed=5)
    networks_, histories, log_odds = [], [], []
    for devices in (1, 3):
        network = BothInDoublePrecision(16)
        history = fit(network, sets["train"], valid=sets["valid"], recipe=settings, device="cpu", devices=devices)
        histories.append(history.as_frame().drop(columns="seconds").to_numpy())
        networks_.append(network.state_dict())
        assert not network.training
        for part in (network.cnn, network.fcn):
            part.forward = lambda batch, forward=part.forward: forward(batch.double())
            log_odds.append(predict(part, sets["test"], device="cpu").frame["log_odds"].to_numpy())
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-9)
    for one, three in zip(log_odds[:2], log_odds[2:], strict=True):
        assert np.ptp(one) > 1e-3
        np.testing.assert_allclose(three, one, rtol=0, atol=1e-9)
    for key, value in networks_[0].items():
        torch.testing.assert_close(networks_[1][key], value, rtol=1e-6, atol=1e-9)


OPTIONS = {
    "source": "synthetic:3",
    "condition": "baseline",
    "network": "cnn-13",
    "image-size": 32,
    "count": 200,
    "epochs": 4,
    "batch-size": 20,
    "learning-rate": 1e-4,
    "device": "cpu",
}


def _words(out: Path) -> list[object]:
    options = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    return ["run", *options, "--devices", 2, "--out", out, "--resume"]


@pytest.fixture(scope="module")
def together(tmp_path_factory) -> Path:
    """The folder of a run by two processes."""
    out = tmp_path_factory.mktemp("together") / "run"
    with halted("start", *_words(out)) as command:
        command.sign.unlink()
        said = command.end()  # what the processes say, too
        assert command.process.exitcode == 0, said
    assert "epoch 4/4" in said
    assert "Traceback" not in said
    assert "arning" not in said
    return out


def _alone(run: cf.Run, perturbation: int) -> tuple[np.ndarray, np.ndarray]:
    """Log odds and history of the same training by one process, from weights off by one rounding error."""
    library = cf.portraits.load(run.settings.source)
    sets = {subset: dataset(library, run.table.subset(subset), size=32) for subset in ("train", "valid", "test")}
    torch.manual_seed(run.settings.seed)
    network = models.create(run.settings.network, 32)
    torch.manual_seed(perturbation)
    with torch.no_grad():
        for weights in network.parameters() if perturbation else ():
            weights *= 1 + 6e-8 * torch.randn_like(weights).sign()
    history = fit(network, sets["train"], valid=sets["valid"], recipe=run.settings.recipe, device="cpu")
    log_odds = predict(network, sets["test"], device="cpu").frame["log_odds"].to_numpy()
    return log_odds, history.as_frame()[["train_loss", "valid_loss"]].to_numpy()


@pytest.mark.slow
def test_a_run_by_two_processes_predicts_as_one_by_one(together):
    """With 32 bits, rounding grows: where two values under a max-pool are nearly equal it decides which of them
    learns. How much comes of that is measured, with first weights that are off by one rounding error."""
    two = cf.load_run(together)
    assert two.settings.devices == two.metrics["devices"] == 2
    one, *others = [_alone(two, perturbation) for perturbation in range(4)]
    log_odds = two.predictions.frame["log_odds"].to_numpy()
    history = two.history.as_frame()[["train_loss", "valid_loss"]].to_numpy()
    for ours, alone, perturbed in zip((log_odds, history), one, zip(*others, strict=True), strict=True):
        by_rounding = max(np.abs(values - alone).max() for values in perturbed)
        print(
            f"differs by {np.abs(ours - alone).max():.2g}, rounding makes {by_rounding:.2g} of {np.ptp(alone):.2g}"
        )
        assert np.abs(ours - alone).max() <= 3 * by_rounding
        assert by_rounding < 0.1 * np.ptp(alone)
    # Before anything is learned there is nothing for rounding to decide.
    assert history[0, 0] == pytest.approx(one[1][0, 0], rel=1e-3)


@pytest.mark.slow
def test_broken_off_in_every_way_and_resumed(together, tmp_path):
    """Whichever process is ended, all end, and the weights are in the end those of an undisturbed run, also where
    the processes then draw the images that they need themselves."""
    out = tmp_path / "broken"
    for epoch, ending in enumerate(
        ("a member is killed", "the command is killed", "the command is interrupted"), start=1
    ):
        # The first of the two halts, while the second waits for it in a sum over both.
        with halted("checkpoint.safetensors", *_words(out)) as command:
            members = command.workers
            assert len(members) == 2
            if ending == "a member is killed":
                members[1].kill()
                command.sign.unlink()  # the first goes on, and finds itself alone
                said = command.end()
            else:
                said = command.end(by=signal.SIGKILL if ending == "the command is killed" else signal.SIGINT)
            _, alive = psutil.wait_procs(members, timeout=600)
            assert not alive, ending
        assert "Traceback" not in said
        if ending == "a member is killed":
            assert command.process.exitcode == 2
            last = " ".join(said[said.index("error:") :].split())
            assert last.startswith("error: training process 2 of 2 was ended by SIGKILL"), last
        elif ending == "the command is interrupted":
            assert command.process.exitcode == 130
            assert "stopped; repeat the command to resume" in said
        assert not (out / "metrics.json").exists()
        assert len(cf.training.read_history(out / "checkpoint.safetensors").epochs) == epoch
    done = configural(*_words(out), "--stream")
    assert done.returncode == 0, done.stderr
    for name in ("model.safetensors", "predictions.csv"):
        assert (out / name).read_bytes() == (together / name).read_bytes(), name
    assert len(cf.load_run(out).history.epochs) == OPTIONS["epochs"]


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ("mistake", ConfiguralError, "^this is wrong: do that$"),
        ("disk", OSError, "No space left on device"),
        ("error", RuntimeError, "KeyError: 'nothing'"),
        ("silent", RuntimeError, "a training process failed"),
    ],
)
def test_the_failure_of_one_ends_all(tmp_path, monkeypatch, how, kind, message):
    monkeypatch.setattr("configural.processes._GRACE", 0.5)
    with pytest.raises(kind, match=message):
        in_processes(2, fail, how, tmp_path)
    for path in tmp_path.iterdir():
        assert not psutil.pid_exists(int(path.read_text()))


def test_too_little_shared_memory(tmp_path):
    with pytest.raises(ConfiguralError, match="do not fit into the memory that processes share, /dev/shm"):
        in_processes(2, fail, TooLarge(), tmp_path)


def test_the_answer_is_that_of_the_first(tmp_path):
    assert in_processes(2, fail, "not at all", tmp_path) == "well"
