import re
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import assert_one_line, configural, configural_process, files_up_to, halted
from conftest import block_exemplar

COLOURS = {0: (255, 255, 0), 1: (0, 0, 255), 2: (0, 0, 255), 3: (0, 255, 255), 4: (0, 255, 0)}


@pytest.fixture
def portraits(tmp_path: Path) -> Path:
    """Six tiny portraits in the layout of FASSEG."""
    folder = tmp_path / "portraits"
    for number in range(1, 7):
        exemplar = block_exemplar(f"{number}", shade=60 + 9 * number)
        label = np.zeros((*exemplar.segmentation.shape, 3), np.uint8)
        for value, colour in COLOURS.items():
            label[exemplar.segmentation == value] = colour
        for name, image in (("RGB", exemplar.portrait), ("Labels", label)):
            path = folder / f"Train_{name}" / f"{number}.bmp"
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), image[:, :, ::-1])
    return folder


SMALL = ["--condition", "baseline", "--network", "fcn-14", "--image-size", "16", "--count", "60", "--epochs", "1"]


@pytest.mark.usefixtures("undrawn")
def test_run_then_evaluate_then_refuse(portraits, tmp_path):
    out = tmp_path / "run"
    done = configural("run", "--source", f"fasseg:{portraits}", *SMALL, "--out", out, "--keras")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"report: {out / 'report.html'}"
    assert "test accuracy" in done.stdout
    assert "epoch 1/1" in done.stderr
    drawn = f"--source fasseg:{portraits} --condition baseline --placement shifted --count 60".split()
    shifted = configural("evaluate", out / "model.h5", "--image-size", 16, *drawn, "--out", tmp_path / "e")
    assert shifted.returncode == 0, shifted.stderr
    assert_one_line(configural("run", *SMALL, "--out", out), str(out), "not empty", "--out")
    cnn = configural("evaluate", out / "model.h5", "--data", tmp_path / "none", "--out", tmp_path / "f")
    assert_one_line(cnn, "none")


def test_generate(portraits, tmp_path):
    out = tmp_path / "set"
    arguments = (
        f"generate --source fasseg:{portraits} --condition baseline --count 42 --size 24 --masks --out {out}"
    )
    done = configural(*arguments.split())
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"{out}: 42 images (34 train, 2 valid, 6 test)",
        f"to audit a model that learned them: configural audit MODEL --source fasseg:{portraits} "
        "--condition baseline --image-size 24 --out audits/mine",
    ]
    assert len(list(out.rglob("pic_*.png"))) == 84
    assert_one_line(configural(*arguments.split()), str(out), "not empty")


def test_a_small_set_has_as_many_shards_as_a_reader_of_several_workers_needs(tmp_path):
    words = [
        "generate",
        "--source",
        "synthetic:2",
        "--count",
        "42",
        "--size",
        "8",
        "--format",
        "webdataset",
        "--shard-size",
        "12",
        "--out",
    ]
    done = configural(*words, tmp_path / "set")
    assert done.returncode == 0, done.stderr
    made = sorted(path.name for path in (tmp_path / "set").glob("train-*.tar"))
    assert made == [f"train-{number:06d}.tar" for number in range(3)]  # of 34 images


def test_defective_portraits_are_skipped_by_name(portraits, tmp_path):
    rgb, labels = portraits / "Train_RGB", portraits / "Train_Labels"
    (rgb / "1.bmp").write_bytes((rgb / "1.bmp").read_bytes()[:900])
    (rgb / "2.bmp").write_bytes(b"not an image")
    cv2.imwrite(str(labels / "3.bmp"), np.zeros((10, 10, 3), np.uint8))
    no_nose = cv2.imread(str(labels / "4.bmp"))
    no_nose[(no_nose == (255, 255, 0)).all(axis=2)] = (0, 255, 255)
    cv2.imwrite(str(labels / "4.bmp"), no_nose)
    arguments = (
        f"generate --source fasseg:{portraits} --condition baseline --count 42 --size 24 --out {tmp_path / 'o'}"
    )
    done = configural(*arguments.split())
    assert done.returncode == 0, done.stderr
    for number, reason in ((1, "cut off"), (2, "not a readable image"), (3, "10×10"), (4, "no nose")):
        assert re.search(rf"warning: .*skipped Train/{number}: .*{reason}", done.stderr.replace("\n", " "))
    (rgb / "5.bmp").write_bytes(b"")
    few = configural(*arguments.replace(str(tmp_path / "o"), str(tmp_path / "p")).split())
    assert_one_line(few, str(portraits), "1 usable exemplars, at least 2 are needed")
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("run --source fasseg:/no/such/folder --out OUT", ["/no/such/folder", "Train_RGB"]),
        ("run --condition wider --out OUT", ["'wider'", "baseline, ffa, fct"]),
        ("run --network resnet --out OUT", ["'resnet'", "cnn-15"]),
        ("run --image-size 20 --out OUT", ["20", "cnn-15", "32"]),
        ("run --device cuda --source synthetic:2 --image-size 32 --count 42 --out OUT", ["cuda", "--device"]),
        ("run --epochs few --out OUT", ["--epochs", "integer"]),
        ("run --frames 3", ["--frames"]),
        ("evaluate nothing.h5 --out OUT", ["nothing.h5"]),
        ("evaluate /etc/hostname --out OUT", ["/etc/hostname"]),
        ("networks cnn-99", ["cnn-99"]),
        ("walk", ["walk"]),
    ],
)
def test_mistakes_end_in_one_line(arguments, words, tmp_path):
    if "cuda" in arguments:
        import torch

        if torch.cuda.is_available():
            pytest.skip("this machine has a GPU")
    assert_one_line(configural(*arguments.replace("OUT", str(tmp_path / "x")).split()), *words)
    assert not (tmp_path / "x" / "metrics.json").exists()


@pytest.mark.usefixtures("undrawn")
def test_full_disk(portraits, tmp_path):
    """A disk that takes no file above 100 kB: one line, nothing half-written, and room made, it goes on."""
    out = tmp_path / "run"
    arguments = ["run", "--source", f"fasseg:{portraits}", *SMALL, "--out", str(out)]
    with files_up_to(100_000):
        done = configural(*arguments)
    assert_one_line(done, "File too large", "--resume")
    assert not list(out.rglob("*.tmp"))
    assert not (out / "model.safetensors").exists()
    resumed = configural(*arguments, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert (out / "metrics.json").is_file()


def test_help_names_the_commands_in_the_order_of_work():
    printed = configural_process("--help").stdout
    names = re.findall(r"^│ ([a-z]+) ", printed, re.MULTILINE)
    assert names == [
        "run",
        "demo",
        "evaluate",
        "index",
        "study",
        "status",
        "audit",
        "explore",
        "generate",
        "verify",
        "inspect",
        "fetch",
        "networks",
        "bench",
    ]
    for group, option in (("study", "--dry-run"), ("audit", "--probes")):
        printed = configural(group, "--help").stdout
        assert option in printed
        assert f"configural {group} compare" in printed


def test_help_shows_examples_and_networks_are_tables():
    for command in ("run", "evaluate", "generate", "networks", "bench"):
        assert f"configural {command}" in configural(command, "--help").stdout
    printed = configural("networks").stdout
    for total, trainable in (("1,618,882", "1,618,818"), ("488,898", "488,834"), ("1,569,730", "1,569,666"),
                             ("389,058", "388,994")):  # fmt: skip
        assert f"total {total}, trainable {trainable}, non-trainable 64" in printed
    assert re.search(r"Flat_con .* 25,088 ", printed)


def test_ctrl_c_says_how_to_go_on(portraits, tmp_path):
    arguments = ["run", "--source", f"fasseg:{portraits}", *SMALL, "--out", tmp_path / "run"]
    with halted("checkpoint.safetensors", *arguments) as command:
        said = command.end(by=signal.SIGINT)
    assert command.process.exitcode == 130
    assert "stopped; repeat the command to resume, a run or an audit with --resume" in said
    assert "Traceback" not in said


def test_no_command_shows_the_help_and_version_the_version():
    bare = configural()
    assert bare.returncode == 2
    assert "Usage" in bare.stdout + bare.stderr
    assert "error" not in bare.stderr
    assert re.fullmatch(r"configural \d+\.\d+\.\d+\n", configural("--version").stdout)


def test_sizes_beyond_the_memory_end_in_one_line(tmp_path):
    done = configural("networks", "cnn-15", "--image-size", 1_000_000)
    assert_one_line(done, "not enough memory", "--image-size")


@pytest.mark.parametrize("terminal", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_a_terminal_that_lacks_characters_shows_others(terminal):
    """A log or terminal that is not UTF-8: the tables have rules and products in them."""
    done = configural_process("networks", "fcn-14", PYTHONCOERCECLOCALE="0", **terminal)
    assert (done.returncode, done.stderr) == (0, "")
    assert "3?3" in done.stdout


def test_a_current_folder_that_was_removed_is_named(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    done = configural("generate", "--source", "synthetic:2", "--count", 40, "--size", 16, "--out", "set")
    assert_one_line(done, "the current folder was removed")


@pytest.mark.usefixtures("undrawn")
def test_in_an_allocation_of_several_tasks_one_process_trains(tmp_path, monkeypatch):
    """SLURM tells each process of its tasks, also one that was not started by srun and is to train alone."""
    told = {"JOB_ID": 77, "JOB_NAME": "train", "NTASKS": 2, "NNODES": 1, "NODELIST": "node1"}
    told |= {"PROCID": 0, "LOCALID": 0, "NODEID": 0, "STEP_NUM_TASKS": 2, "NTASKS_PER_NODE": 2}
    for name, value in told.items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    done = configural("run", *SMALL, "--source", "synthetic:2", "--device", "cpu", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "metrics.json").is_file()
