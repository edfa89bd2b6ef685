"""The modules of the explorer's page by Node's own test runner, and their types by TypeScript."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).with_name("page")
TSC = HERE / "node_modules" / ".bin" / "tsc"


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_modules_by_themselves():
    done = subprocess.run(["node", "--test", str(HERE)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    assert "# fail 0" in done.stdout


@pytest.mark.skipif(not TSC.exists(), reason="TypeScript is not installed (npm --prefix tests/page install)")
def test_types_hold():
    done = subprocess.run(
        ["npm", "--prefix", str(HERE), "run", "types"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout
