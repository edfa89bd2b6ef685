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
    "uvicorn",
}


def imported(*arguments: str) -> set[str]:
    """Which of the slow libraries a command imports."""
    code = (
        "import sys\n"
        "from configural.cli import main\n"
        f"sys.argv = {['configural', *arguments]!r}\n"
        "try:\n    main()\n"
        f"finally:\n    print(*({SLOW!r} & set(sys.modules)), sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["run", "--help"],
        ["generate", "--help"],
        ["bench", "--help"],
        ["audit", "compare", "--help"],
        ["explore", "--help"],
    ],
)
def test_help_imports_nothing_slow(arguments):
    assert imported(*arguments) == set()


def test_the_table_of_networks_imports_torch_and_little_else():
    assert imported("networks") == {"torch", "numpy"}


def test_what_tells_processes_what_to_do_is_light():
    code = "import sys, configural.processes; sys.exit(any(name in sys.modules for name in ('numpy', 'torch')))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_training_does_without_the_compiler_of_torch():
    code = (
        "import sys, torch\n"
        "from configural.training import KerasAdam\n"
        "weights = torch.nn.Parameter(torch.ones(2))\n"
        "adam = KerasAdam([weights])\n"
        "weights.sum().backward()\n"
        "adam.step()\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
