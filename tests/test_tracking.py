"""Where each epoch's figures go besides the run folder, and the curves that are seen while it trains."""

import sys
from importlib import import_module
from types import SimpleNamespace

import pytest

import configural as cf
from configural.errors import ConfiguralError
from configural.evaluation import save_figure
from configural.training import check_tracker

RUN = {"image_size": 16, "count": 42, "epochs": 3, "batch_size": 20, "network": "fcn-14", "condition": "baseline"}
RUNS = import_module("configural.runs.run")  # not the function of that name


@pytest.fixture
def packages(monkeypatch):
    """Stand-ins of the trackers' packages that write down what they are told."""
    told = []

    def called(name):
        return lambda *given, **named: told.append((name, given, named))

    wandb = SimpleNamespace(log=called("log"), finish=called("finish"))
    modules = {
        "mlflow": {name: called(name) for name in ("start_run", "log_params", "log_metrics", "end_run")},
        "wandb": {"init": lambda **named: told.append(("init", (), named)) or wandb},
    }
    for name, functions in modules.items():
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(__spec__=SimpleNamespace(), **functions))
    return told


@pytest.mark.usefixtures("blank_figures")
@pytest.mark.parametrize(("tracker", "log"), [("mlflow", "log_metrics"), ("wandb", "log")])
def test_every_epoch_is_told_once_also_of_a_resumed_run(blocks, tmp_path, packages, monkeypatch, tracker, log):
    whole = cf.training.History.as_frame

    def broken_off(history):
        raise KeyboardInterrupt

    monkeypatch.setattr(RUNS, "_CURVES_AFTER", 0)
    monkeypatch.setattr(cf.training.History, "as_frame", broken_off)  # as the curves of the first epoch are drawn
    library = cf.portraits.Library("folder:/home/ada/faces", blocks.exemplars)
    with pytest.raises(KeyboardInterrupt):
        cf.run(source=library, out=tmp_path / "run", tracker=tracker, **RUN)
    assert "folder:faces" in repr(packages)  # and nobody is told where it lies
    assert "/home/ada" not in repr(packages)
    assert packages[-1][0] == {"mlflow": "end_run", "wandb": "finish"}[tracker]
    monkeypatch.setattr(cf.training.History, "as_frame", whole)
    done = cf.run(source=library, out=tmp_path / "run", resume=True)
    told = [(given, named) for name, given, named in packages if name == log]
    assert [named["step"] for _, named in told] == [1, 2, 3]
    for epoch, ((figures,), _) in zip(done.history.epochs, told, strict=True):
        assert figures["valid_loss"] == epoch.valid_loss
        assert figures["train_accuracy"] == epoch.train_accuracy
    begun = packages[0][2]
    assert "run" in (begun.get("run_name"), begun.get("name"))
    assert any(
        dict(*given[:1] or [named.get("config", {})]).get("epochs") == "3" for _, given, named in packages[:2]
    )


@pytest.mark.parametrize("seconds", [0, 60])
def test_curves_are_drawn_while_it_trains_once_that_has_taken_some_seconds(blocks, tmp_path, monkeypatch, seconds):
    drawn = []
    monkeypatch.setattr(RUNS, "_CURVES_AFTER", seconds)
    monkeypatch.setattr(
        RUNS,
        "save_figure",
        lambda figure, path, **how: drawn.append(path.stem) or save_figure(figure, path, **how),
    )
    cf.run(source=blocks, out=tmp_path / "run", **RUN)
    assert (drawn.index("accuracy") < drawn.index("confusion_matrix")) == (seconds == 0)
    assert drawn[-2:] == ["accuracy", "loss"]


def test_a_tracker_that_is_not_there_is_named_before_anything_is_written(blocks, tmp_path, monkeypatch):
    monkeypatch.setattr("configural.training.tracking.find_spec", lambda name: None)
    with pytest.raises(ConfiguralError, match="tracker wandb is not installed: pip install wandb"):
        cf.run(source=blocks, out=tmp_path / "run", tracker="wandb", **RUN)
    assert not (tmp_path / "run").exists()
    check_tracker("none")


def test_a_tracker_that_cannot_begin_says_why_in_one_line(blocks, tmp_path, packages, monkeypatch):
    def refuse(**named):
        raise OSError("no such store\nand more")

    monkeypatch.setattr(sys.modules["mlflow"], "start_run", refuse)
    with pytest.raises(ConfiguralError, match=r"^tracker mlflow cannot begin: no such store$"):
        cf.run(source=blocks, out=tmp_path / "run", tracker="mlflow", **RUN)
