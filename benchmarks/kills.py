"""Kill commands at random moments, repeat them, and compare what they leave with what an undisturbed one leaves.

    python benchmarks/kills.py --kills 40
    python benchmarks/kills.py --kills 10 --only audit

Every command runs with a temporary folder of its own. After the kill (-9, to the command alone) its other processes
are to be gone within two seconds; after the repetition the results are to be the same, byte for byte, and the
temporary folder is to be empty. Prints a line for each kill, and one for each command.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

TIMED = {"SHA256SUMS", "history.csv", "metrics.json", "report.html", "loss.png", "accuracy.png"}
"""Files of a run that say how long it took, or list those that do."""

SMALL = ["--source", "synthetic:3"]
COMMANDS = {
    "run": [
        "run",
        *SMALL,
        "--network",
        "fcn-14",
        "--image-size",
        "32",
        "--count",
        "400",
        "--epochs",
        "3",
        "--resume",
    ],
    "generate imagefolder": ["generate", *SMALL, "--size", "64", "--count", "900", "--workers", "2"],
    "generate webdataset": ["generate", *SMALL, "--size", "64", "--count", "900", "--format", "webdataset"],
    "audit": ["audit", "MODEL", *SMALL, "--pairs", "10", "--resume"],
}


def content(folder: Path, *, run: bool) -> dict[str, bytes]:
    """What is compared of a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if not (run and path.name in TIMED)}


def start(words: list[str], temporary: Path) -> subprocess.Popen[bytes]:
    """Begin a command."""
    temporary.mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(temporary)}
    command = [sys.executable, "-m", "configural", *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def trial(words: list[str], expected: dict[str, bytes], seconds: float, folder: Path, *, run: bool) -> list[str]:
    """What is wrong after a kill and a repetition; empty if nothing is."""
    words, temporary = [*words, "--out", str(folder / "out")], folder / "temporary"
    command = start(words, temporary)
    time.sleep(random.uniform(0, seconds))
    others = psutil.Process(command.pid).children(recursive=True) if command.poll() is None else []
    command.send_signal(signal.SIGKILL)
    command.wait()
    _, alive = psutil.wait_procs(others, timeout=2)
    wrong = ["processes went on"] if alive else []
    psutil.wait_procs(alive, timeout=60)
    if not (folder / "out" / "SHA256SUMS").is_file() and start(words, temporary).wait():
        return [*wrong, "the repetition failed"]
    if content(folder / "out", run=run) != expected:
        wrong.append("another result")
    if any(temporary.iterdir()):
        wrong.append("files in the temporary folder")
    return wrong


def main() -> None:
    """Carry out the trials."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=40, help="of each command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=[*COMMANDS], metavar="COMMAND")
    given = parser.parse_args()
    random.seed(given.seed)
    with tempfile.TemporaryDirectory() as name:
        model = Path(name) / "run" / "out"
        for title in dict.fromkeys(["run", *given.only]):  # an audit is one of the run
            words = COMMANDS[title]
            words = [str(model) if word == "MODEL" else word for word in words]
            whole, is_run = Path(name) / title.replace(" ", "-"), title == "run"
            began = time.monotonic()
            assert start([*words, "--out", str(whole / "out")], whole.with_suffix(".temporary")).wait() == 0
            seconds, expected = time.monotonic() - began, content(whole / "out", run=is_run)
            if title not in given.only:
                continue
            found: dict[str, int] = {}
            for number in range(given.kills):
                folder = Path(name) / f"trial-{number}"
                folder.mkdir()
                faults = trial(words, expected, seconds, folder, run=is_run)
                print(f"{title} {number}: {', '.join(faults) or 'nothing wrong'}", flush=True)
                for wrong in faults:
                    found[wrong] = found.get(wrong, 0) + 1
                shutil.rmtree(folder)
            what = ", ".join(f"{wrong}: {count}" for wrong, count in found.items()) or "nothing wrong"
            print(f"{title}: {given.kills} kills within {seconds:.0f} s: {what}", flush=True)


if __name__ == "__main__":
    main()
