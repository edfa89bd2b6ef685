import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from command_line import halted
from conftest import drawing_nothing

import configural as cf
from configural.audit import audit_saved
from configural.benchmark import operations
from configural.config.run import resumed_config
from configural.errors import ConfiguralError
from configural.io.locks import locked
from configural.report import write_evaluation_report
from configural.runs import evaluate
from configural.training import loop

SMALL = {"image_size": 16, "count": 120, "epochs": 3, "batch_size": 20, "network": "cnn-13"}


@pytest.fixture(scope="module")
def finished(blocks, tmp_path_factory):
    return cf.run(
        source=blocks, condition="baseline", out=tmp_path_factory.mktemp("runs") / "a", keras=True, **SMALL
    )


@pytest.fixture(scope="module")
def other_seed(blocks, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "b"
    with drawing_nothing():
        return cf.run(source=blocks, condition="baseline", out=out, seed=1, **SMALL)


def test_the_run_folder_is_complete(finished):
    names = {path.relative_to(finished.folder).as_posix() for path in finished.folder.rglob("*") if path.is_file()}
    assert names >= {
        "config.yaml",
        "history.csv",
        "model.safetensors",
        "model.h5",
        "predictions.csv",
        "metrics.json",
        "figures/accuracy.png",
        "figures/loss.png",
        "figures/confusion_matrix.png",
        "stimuli.parquet",
        "report.html",
        "README.md",
    }
    assert not [name for name in names if "checkpoint" in name or name.endswith(".tmp")]


def test_metrics_json(finished):
    metrics = json.loads((finished.folder / "metrics.json").read_text())
    assert metrics["class_names"] == ["no_face", "face"]
    assert metrics["images"] == {"train": 98, "valid": 4, "test": 18}
    assert set(metrics["seconds"]) == {"draw", "train", "test"}
    parameters = metrics["parameters"]
    assert parameters["total"] == parameters["trainable"] + parameters["non_trainable"]
    assert parameters["non_trainable"] == 64
    frame = pd.read_csv(finished.folder / "predictions.csv")
    matrix = metrics["confusion_matrix"]
    for label in (0, 1):
        for predicted in (0, 1):
            assert matrix[label][predicted] == ((frame["label"] == label) & (frame["predicted"] == predicted)).sum()
    assert metrics["test_accuracy"] == (matrix[0][0] + matrix[1][1]) / 18
    assert len(metrics["wrong"]["face_as_no_face"]) == matrix[1][0]
    assert len(metrics["wrong"]["no_face_as_face"]) == matrix[0][1]


def test_wrong_images_are_kept_by_index(finished, blocks):
    renderer = cf.stimuli.Renderer(blocks, size=16)
    test = finished.table.subset("test")
    shown = 0
    for mistake, wrong in finished.metrics["wrong"].items():
        for row in wrong:
            path = finished.folder / "misclassified" / mistake / f"pic_{row['index']:05d}.png"
            position = test.frame["file"].tolist().index(row["file"])
            assert np.array_equal(cv2.imread(str(path))[:, :, ::-1], renderer.draw(test[position]))
            shown += 1
    assert len(list(finished.folder.glob("misclassified/*/*.png"))) == shown


def test_saved_networks_say_what_the_run_said(finished, blocks):
    """The safetensors and the Keras file, loaded and tested again, give the stored probabilities."""
    test = cf.stimuli.dataset(blocks, finished.table.subset("test"), size=16)
    for network in (
        cf.load_run(finished.folder).network,
        cf.models.load_keras(finished.folder / "model.h5"),
    ):
        again = cf.evaluation.predict(network, test).frame
        assert np.allclose(again["log_odds"], finished.predictions.frame["log_odds"], atol=1e-4)


def test_settings_are_stored(finished):
    stored = yaml.safe_load((finished.folder / "config.yaml").read_text())
    assert stored["recipe"]["epochs"] == 3
    assert (stored["condition"], stored["network"], stored["seed"]) == ("baseline", "cnn-13", 42)
    assert cf.load_run(finished.folder).settings == finished.settings


def test_a_moved_folder_loads(finished, tmp_path):
    moved = shutil.copytree(finished.folder, tmp_path / "elsewhere" / "b")
    assert cf.load_run(moved).metrics == finished.metrics


def test_another_seed_gives_another_network(finished, other_seed):
    one, other = (run.folder / "model.safetensors" for run in (finished, other_seed))
    assert one.read_bytes() != other.read_bytes()


RESULTS = ("model.safetensors", "stimuli.parquet", "predictions.csv")


def test_same_seed_same_bytes_also_streamed_and_then_no_image_is_kept(finished, blocks, tmp_path, monkeypatch):
    drawn = []
    draw_batch = cf.stimuli.Renderer.draw_batch

    def count(self, stimuli):
        drawn.append(len(stimuli))
        return draw_batch(self, stimuli)

    monkeypatch.setattr(cf.stimuli.Renderer, "draw_batch", count)
    streamed = cf.run(source=blocks, condition="baseline", out=tmp_path / "s", stream=True, **SMALL)
    for name in (*RESULTS, "figures/loss.png"):
        assert (streamed.folder / name).read_bytes() == (finished.folder / name).read_bytes(), name
    figures = [name for name in finished.history.as_frame().columns if name != "seconds"]
    assert streamed.history.as_frame()[figures].equals(finished.history.as_frame()[figures])
    for path in finished.folder.glob("samples/*/*.png"):
        assert (streamed.folder / path.relative_to(finished.folder)).read_bytes() == path.read_bytes()
    assert yaml.safe_load((streamed.folder / "config.yaml").read_text())["stream"] is True
    # Every image of every epoch, the test, and those that are written: single ones.
    assert sum(drawn) - drawn.count(1) == 3 * (98 + 4) + 18
    assert max(drawn) == 20


@pytest.mark.usefixtures("undrawn")
def test_a_run_goes_on_with_or_without_streaming(finished, blocks, tmp_path, monkeypatch):
    """Three epochs, each carried out in the other way than the one before."""
    out, epochs = tmp_path / "r", []
    save = loop.save_checkpoint

    def stop(*state):
        save(*state)
        epochs.append(len(state[-1].epochs))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_checkpoint", stop)
        with pytest.raises(KeyboardInterrupt):
            cf.run(source=blocks, condition="baseline", out=out, stream=True, **SMALL)
        with pytest.raises(KeyboardInterrupt):
            cf.run(source=blocks, out=out, resume=True, stream=False)
    cf.run(source=blocks, out=out, resume=True, stream=True)
    assert epochs == [1, 2]
    for name in RESULTS:
        assert (out / name).read_bytes() == (finished.folder / name).read_bytes(), name
    stored = finished.settings
    assert resumed_config(stored, {"stream": True}, folder=out) == stored.model_copy(update={"stream": True})
    assert resumed_config(stored.model_copy(update={"stream": True}), {}, folder=out).stream


def test_a_used_folder_is_refused_and_a_finished_one_resumes_at_once(finished, blocks):
    before = {path: path.stat().st_mtime_ns for path in finished.folder.rglob("*") if path.name != "report.html"}
    with pytest.raises(ConfiguralError, match="exists and is not empty"):
        cf.run(source=blocks, condition="baseline", out=finished.folder, **SMALL)
    with pytest.raises(ConfiguralError, match="holds a run with condition baseline, not ffa"):
        cf.run(condition="ffa", out=finished.folder, resume=True)
    again = cf.run(out=finished.folder, resume=True)
    assert again.metrics == finished.metrics
    for path, when in before.items():
        assert path.name == "figures" or path.is_dir() or path.stat().st_mtime_ns == when
    with pytest.raises(ConfiguralError, match="resume needs out"):
        cf.run(resume=True)


def test_unfinished_and_foreign_folders(tmp_path):
    with pytest.raises(ConfiguralError, match=r"it holds no config\.yaml"):
        cf.load_run(tmp_path)
    (tmp_path / "config.yaml").write_text("epochs: many\n")
    with pytest.raises(ConfiguralError, match=r"config\.yaml, line 1: unknown key .epochs"):
        cf.load_run(tmp_path)
    cf.config.run_config().save(tmp_path / "config.yaml")
    with pytest.raises(ConfiguralError, match="not finished; continue it with --resume"):
        cf.load_run(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"condition": "up"}, "unknown condition 'up'"),
        ({"network": "vgg"}, "unknown network 'vgg': choose one of cnn-15, cnn-13, fcn-16, fcn-14"),
        ({"preset": "big"}, "unknown preset 'big'"),
        ({"split": "no"}, "split: input should be 'paper' or 'identity'"),
        ({"image_size": 31}, "image_size 31.*too small for cnn-15"),
        ({"epochs": 0}, "epochs: input should be greater than or equal to 1"),
        ({"count": 20}, "count: input should be greater than or equal to 42"),
        ({"count": 101}, "count: 101 must be even"),
        ({"precision": "8"}, "precision: "),
        ({"source": "cats"}, "source 'cats' is not understood"),
        ({"source": "synthetic:1"}, "at least 2"),
        ({"source": "fasseg:nowhere"}, "nowhere"),
        ({"source": "synthetic:4", "split": "identity"}, "too few for the identity split"),
        ({"device": "tpu9"}, "device 'tpu9' cannot be used"),
    ],
)
def test_impossible_settings_leave_nothing_behind(tmp_path, change, message):
    with pytest.raises(ConfiguralError, match=message):
        cf.run(out=tmp_path / "x", **{"source": "synthetic:2", **change})
    assert not (tmp_path / "x").exists()


def test_evaluate_on_other_images(finished, blocks, tmp_path):
    done = cf.evaluate(finished.folder, source=blocks, out=tmp_path / "same")
    assert np.allclose(done.predictions.frame["log_odds"], finished.predictions.frame["log_odds"], atol=1e-4)
    shifted = cf.evaluate(finished.folder, source=blocks, placement="shifted", condition="fct", out=tmp_path / "s")
    assert len(shifted.predictions.frame) == 18
    metrics = json.loads((tmp_path / "s" / "metrics.json").read_text())
    assert (metrics["settings"]["placement"], metrics["settings"]["condition"]) == ("shifted", "fct")
    assert metrics["test_accuracy"] == shifted.metrics.accuracy
    assert (tmp_path / "s" / "report.html").is_file()


@pytest.mark.usefixtures("undrawn")
def test_evaluate_on_a_folder_and_from_single_files(finished, blocks, tmp_path):
    cf.generate(blocks, "baseline", count=120, size=16, seed=42, out=tmp_path / "set")
    for model in (finished.folder, finished.folder / "model.safetensors", finished.folder / "model.h5"):
        out = tmp_path / f"on-{model.name}"
        done = cf.evaluate(model, data=tmp_path / "set", out=out)
        assert np.allclose(done.predictions.frame["log_odds"], finished.predictions.frame["log_odds"], atol=1e-4)
    with pytest.raises(ConfiguralError, match="data and condition exclude each other"):
        cf.evaluate(finished.folder, data=tmp_path / "set", condition="ffa", out=tmp_path / "x")
    with pytest.raises(ConfiguralError, match=r"none\.safetensors: there is no such model"):
        cf.evaluate(tmp_path / "none.safetensors", out=tmp_path / "x")


@pytest.mark.slow
def test_killed_at_any_moment_and_resumed(tmp_path):
    """Kill -9 again and again; the weights in the end are those of an undisturbed run."""
    settings = {"source": "synthetic:3", "network": "fcn-14", "image_size": 16, "count": 60, "epochs": 3}
    options = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", value)]
    with drawing_nothing():
        undisturbed = cf.run(out=tmp_path / "undisturbed", **settings).folder
    out = tmp_path / "killed"
    checkpoint = out / "checkpoint.safetensors"
    for moment, epochs in (
        ("start", 0),
        ("config.yaml", 0),
        ("checkpoint.safetensors", 1),
        ("half of checkpoint.safetensors", 1),
        ("model.safetensors", 3),
    ):
        with halted(moment, "run", *options, "--out", out, "--resume") as command:
            command.end(by=signal.SIGKILL)
        assert command.process.exitcode == -signal.SIGKILL
        assert len(cf.training.read_history(checkpoint).epochs if checkpoint.exists() else ()) == epochs
        assert bool(list(out.rglob("*.tmp"))) == moment.startswith("half")
    assert not (out / "metrics.json").exists()
    assert cf.run(out=out, resume=True).metrics["test_accuracy"] >= 0
    for name in ("model.safetensors", "predictions.csv", "stimuli.parquet"):
        assert (out / name).read_bytes() == (undisturbed / name).read_bytes(), name
    assert (out / "report.html").is_file()
    assert not checkpoint.exists()
    # Killed between its last two acts, a run is finished with its checkpoint still there.
    checkpoint.write_bytes(b"")
    assert cf.run(out=out, resume=True).metrics["test_accuracy"] >= 0
    assert not checkpoint.exists()


@pytest.mark.slow
def test_the_quick_preset_learns_painted_faces(tmp_path):
    done = cf.run(source="synthetic:12", out=tmp_path / "run")
    assert done.metrics["test_accuracy"] >= 0.99


def test_import_is_quick_and_lazy():
    code = "import sys, configural as cf; assert 'torch' not in sys.modules; assert 'run' in dir(cf); cf.portraits"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="walk"):
        _ = cf.walk


def test_gpu_or_not_the_device_is_chosen(blocks, tmp_path):
    assert cf.training.open_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert Path("runs") == cf.runs.dated_folder().parent


@pytest.mark.usefixtures("undrawn")
def test_evaluate_refuses_what_the_network_was_trained_on(finished, blocks, tmp_path):
    out = {"out": tmp_path / "x"}
    with pytest.raises(ConfiguralError, match="count 60 makes a test of images that the network was trained on"):
        cf.evaluate(finished.folder, source=blocks, count=60, **out)
    # It is right to: those test images are training images of the run.
    small = cf.stimuli.sample(blocks, condition="baseline", count=60, seed=42).subset("test")
    train = set(cf.stimuli.sample(blocks, condition="baseline", count=120, seed=42).subset("train"))
    assert set(small) <= train
    cf.evaluate(finished.folder, source=blocks, count=60, seed=1, **out)
    other = cf.portraits.Library("blocks", blocks.exemplars[:8])
    unfinished = shutil.copytree(finished.folder, tmp_path / "unfinished")
    (unfinished / "metrics.json").unlink()
    with pytest.raises(ConfiguralError, match="was begun with other exemplars"):
        cf.run(source=other, out=unfinished, resume=True)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("split", ["paper", "identity"])
def test_images_may_have_a_seed_of_their_own_and_tests_go_by_it(blocks, tmp_path, monkeypatch, split):
    """The run's own seed, 5, is of its training alone; its images, and who is in which subset, have seed 3."""
    from configural.audit import saved

    given = {"condition": "baseline", "split": split, "count": 60}
    settings = {"network": "fcn-14", "image_size": 16, "epochs": 1, "dropout": 0.0, "seed": 5, "data_seed": 3}
    trained = cf.run(source=blocks, out=tmp_path / "run", **given, **settings)
    assert trained.table.frame.equals(cf.stimuli.sample(blocks, seed=3, **given).frame)
    assert (trained.settings.seed, trained.settings.data_seed, trained.settings.recipe.dropout) == (5, 3, 0)
    with pytest.raises(ConfiguralError, match="holds a run with data_seed 3, not 8"):
        cf.run(out=trained.folder, data_seed=8, resume=True)

    class BegunError(Exception):
        """The audit begins, with this seed of its images."""

    def begin(config, *rest, **named):
        raise BegunError(config.seed)

    monkeypatch.setattr(saved, "carry_out", begin)

    def audit(seed):
        saved.audit_saved(trained.folder, tmp_path / "a", source=blocks, seed=seed)

    def evaluate(seed, count, source=blocks, **given):
        out = tmp_path / f"e{seed}"
        cf.evaluate(trained.folder, source=source, seed=seed, count=count, out=out, **given)

    with pytest.raises(BegunError, match=r"^4$" if split == "paper" else r"^3$"):
        audit(None)
    if split == "paper":
        with pytest.raises(BegunError, match=r"^5$"):
            audit(5)
        with pytest.raises(ConfiguralError, match="seed 3: makes images that the network was trained on"):
            audit(3)
        evaluate(5, 42)
        with pytest.raises(ConfiguralError, match="count 42 makes a test of images that the network was"):
            evaluate(3, 42)
    else:
        # The same faces by another name are the same persons.
        renamed = cf.portraits.Library("cubes", blocks.exemplars)
        assert renamed.fingerprint == blocks.fingerprint
        for wrong in (audit, lambda seed: evaluate(seed, 60), lambda seed: evaluate(seed, 60, renamed)):
            with pytest.raises(ConfiguralError, match=r"seed 5:? deals the persons out again, .* keep seed 3"):
                wrong(5)
        with pytest.raises(ConfiguralError, match="image_size 64"):
            evaluate(3, 60, image_size=64)
        evaluate(3, 60)


@pytest.mark.usefixtures("undrawn")
def test_a_finished_run_can_still_be_written_for_keras(other_seed, tmp_path):
    folder = shutil.copytree(other_seed.folder, tmp_path / "r")
    assert not (folder / "model.h5").exists()
    cf.run(out=folder, resume=True, keras=True)
    assert (folder / "model.h5").is_file()


@pytest.mark.parametrize(
    ("name", "content"), [("metrics.json", "[]"), ("history.csv", "a,b\n"), ("predictions.csv", "")]
)
def test_damaged_run_folders_are_named(finished, tmp_path, name, content):
    broken = shutil.copytree(finished.folder, tmp_path / "broken")
    (broken / name).write_text(content)
    with pytest.raises(ConfiguralError, match=name.replace(".", r"\.")):
        cf.load_run(broken)


def test_resuming_a_folder_of_other_files(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ConfiguralError, match="holds other files and no run to resume"):
        cf.run(source="synthetic:2", out=tmp_path, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.usefixtures("undrawn")
def test_evaluate_keeps_the_placement_of_the_condition(finished, blocks, tmp_path):
    own = tmp_path / "left.yaml"
    own.write_text("name: at-the-left\nplacement: left\n")
    out = {"source": blocks, "condition": str(own)}
    cf.evaluate(finished.folder, out=tmp_path / "own", **out)
    cf.evaluate(finished.folder, out=tmp_path / "asked", placement="right", **out)
    placements = [
        json.loads((tmp_path / name / "metrics.json").read_text())["settings"]["placement"]
        for name in ("own", "asked")
    ]
    assert placements == ["left", "right"]


@pytest.mark.slow
def test_the_fast_preset_is_right_about_real_faces_with_a_thousandth_of_the_compute(real, tmp_path):
    """The published training makes 20 epochs of 16,002 images of 224 pixels, for 99.97 %."""
    run = cf.run(source=real, preset="fast", seed=0, data_seed=42, out=tmp_path / "fast")
    settings = run.settings
    assert settings.network == "cnn-15"
    trained_on = settings.recipe.epochs * run.metrics["images"]["train"]
    spent = trained_on * operations("cnn-15", settings.image_size)
    assert spent < 20 * 16002 * operations("cnn-15", 224) / 1000
    # As many as the study tested. Ten seeds and more images are in docs/performance.md; at 99.97 %, seven or more
    # are wrong in one draw of twenty thousand.
    test = cf.evaluate(tmp_path / "fast", source=real, count=20000, out=tmp_path / "test")
    assert len(test.predictions.frame) == 3000
    assert test.metrics.accuracy > 1 - 7 / 3000


@pytest.mark.parametrize("setting", ["network: evil:make", "source: evil:make", "condition: evil:make"])
def test_nothing_that_a_folder_names_is_imported_to_resume_it(tmp_path, monkeypatch, setting):
    """Only a name that a person writes may have a module imported."""
    (tmp_path / "evil.py").write_text("raise AssertionError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(f"{setting}\n")
    with pytest.raises(ConfiguralError, match="evil"):
        cf.run(out=tmp_path / "run", resume=True)
    assert "evil" not in sys.modules


def test_a_network_that_takes_no_such_images_leaves_no_folder(tmp_path):
    with pytest.raises(ConfiguralError, match="too small for cnn-15"):
        cf.run(source="synthetic:2", count=42, image_size=20, device="cpu", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("name", "value"), [("source", "evil:library"), ("condition", "baseline+evil:made")])
def test_nothing_that_a_folder_names_is_imported_to_test_or_audit_it(finished, tmp_path, monkeypatch, name, value):
    (tmp_path / "evil.py").write_text("raise AssertionError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    run = shutil.copytree(finished.folder, tmp_path / "run")
    settings = cf.load_run(run).settings.model_copy(update={name: value})
    settings.save(run / "config.yaml")
    (run / "SHA256SUMS").unlink()
    for number, job in enumerate((cf.evaluate, audit_saved)):
        with pytest.raises(ConfiguralError, match="evil"):
            job(run, out=tmp_path / str(number))
    assert "evil" not in sys.modules


def test_an_evaluation_that_fails_removes_only_what_it_made(finished, blocks, tmp_path):
    out = tmp_path / "test"
    asked = {"source": blocks, "count": 60, "seed": 1, "out": out}

    def put(folder):
        (out / "thesis.tex").write_text("mine")

    def put_and_fail(folder):
        put(folder)
        fail(folder)

    def fail(folder):
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        evaluate(finished.folder, write_page=fail, **asked)
    assert not out.exists()
    for write_page, error in ((put_and_fail, OSError), (put, ConfiguralError)):
        with pytest.raises(error):
            evaluate(finished.folder, write_page=write_page, **asked)
        assert [path.name for path in out.iterdir()] == ["thesis.tex"]
        shutil.rmtree(out)
    with locked(out, "this evaluation"), pytest.raises(ConfiguralError, match="another process is at work"):
        evaluate(finished.folder, **asked)
    # What a killed process leaves.
    (out / ".unfinished" / "test").mkdir(parents=True)
    (out / ".lock").touch()
    evaluate(finished.folder, write_page=write_evaluation_report, **asked)
    names = {
        "SHA256SUMS",
        "figures",
        "metrics.json",
        "predictions.csv",
        "report.html",
        "samples",
        "stimuli.parquet",
    }
    assert {path.name for path in out.iterdir()} - {"misclassified"} == names
    assert "<title>test" in (out / "report.html").read_text("utf-8")
