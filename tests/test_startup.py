"""What a command imports decides how soon it answers; seconds would depend on the machine."""

import subprocess
import sys

import pytest

SLOW = {
    "cv2",
    "h5py",
    "matplotlib",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "starlette",
    "torch",
    "torch._dynamo",
    "uvicorn",
}
HELP = [
    ["--help"],
    ["--version"],
    ["run", "--help"],
    ["generate", "--help"],
    ["bench", "--help"],
    ["audit", "compare", "--help"],
    ["explore", "--help"],
]
PROGRAM = f"""
import contextlib, io, sys

def tell():
    print(*sorted({SLOW!r} & set(sys.modules)))

import configural.processes
tell()
from configural.cli import main
for arguments in {[*HELP, ["networks"]]!r}:
    sys.argv = ["configural", *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            main()
        except SystemExit as end:
            assert not end.code, end.code
    assert said.getvalue()
    tell()
import torch
from configural.training import KerasAdam
weights = torch.nn.Parameter(torch.ones(2))
adam = KerasAdam([weights])
weights.sum().backward()
adam.step()
tell()
"""


@pytest.fixture(scope="module")
def imported() -> list[set[str]]:
    """Which of the slow libraries there are after each step of the program: in one process, lightest first."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [set(line.split()) for line in done.stdout.splitlines()]


def test_what_tells_processes_what_to_do_is_light(imported):
    assert imported[0] == set()


@pytest.mark.parametrize("number", range(len(HELP)), ids=map(" ".join, HELP))
def test_help_imports_nothing_slow(imported, number):
    assert imported[1 + number] == set()


def test_the_table_of_networks_imports_torch_and_little_else(imported):
    assert imported[1 + len(HELP)] == {"torch", "numpy"}


def test_training_does_without_the_compiler_of_torch(imported):
    assert "torch" in imported[-1]
    assert "torch._dynamo" not in imported[-1]
