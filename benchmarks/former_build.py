"""Time whole commands of this build and of a former one in turn, in one run.

The former build is a checkout of its commit, installed into an environment of its own:

    git worktree add ../former ce60953
    python -m venv ../former-venv && ../former-venv/bin/pip install -c ../former/constraints.txt '../former[audit]'
    python benchmarks/former_build.py quick --former ../former-venv/bin/configural --pairs 5
    python benchmarks/former_build.py audit --former ../former-venv/bin/configural --weights model.safetensors

Both keep compiled code, as installed packages do. The first run of each, which fills caches, is not counted.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(sys.executable).with_name("configural")


def main() -> None:
    """Print seconds and ratio of each pair, then the median and the range of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["quick", "audit", "drawing", "study"])
    parser.add_argument("--former", type=Path, required=True, help="the configural command of the former build")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--warm", type=int, default=1, help="runs of each that are not counted")
    parser.add_argument("--weights", type=Path, help="for audit: .safetensors, which both builds open")
    parser.add_argument("--source", default="synthetic", help="of exemplars, but for quick")
    parser.add_argument("--plans", type=Path, nargs=2, help="for study: the former build's plan and this one's")
    parser.add_argument("--keep", type=Path, help="folder for the last output of each")
    arguments = parser.parse_args()

    ratios = []
    for number in range(-arguments.warm, arguments.pairs):
        seconds = [
            timed(command, options_of(arguments, command), arguments.keep) for command in (arguments.former, HERE)
        ]
        if number < 0:
            continue
        ratios.append(seconds[1] / seconds[0])
        print(f"{seconds[0]:8.1f} s {seconds[1]:8.1f} s   ratio {ratios[-1]:.3f}", flush=True)
    print(f"median {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}, {len(ratios)} pairs")


def options_of(arguments: argparse.Namespace, command: Path) -> list[str]:
    """Arguments of the command that is timed; options that changed their names since have both."""
    former = command == arguments.former
    source = ["--faces" if former else "--source", str(arguments.source)]
    match arguments.what:
        case "quick":
            return ["run", "--preset", "quick"]
        case "audit":
            renamed = (
                "paired_choice,context,reach" if former else "forced_choice,background_removal,receptive_field"
            )
            probes = f"displacement,inversion,attribution,interactions,{renamed}"
            return [
                "audit",
                str(arguments.weights),
                "--condition",
                "ffa",
                *source,
                "--pairs",
                "500",
                "--probes",
                probes,
            ]
        case "drawing":
            return ["generate", *source, "--count", "2000", "--size", "224", "--workers", "1", "--masks"]
        case _:
            plan = [str(arguments.plans[0 if former else 1])] if arguments.plans else []
            return ["study", *plan, *source]


def timed(command: Path, options: list[str], keep: Path | None) -> float:
    """Seconds by the clock that one run of the command takes, with an output folder of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        begun = time.monotonic()
        subprocess.run([command, *options, "--out", out], check=True, env=environment, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - begun
        if keep:
            kept = keep / command.parent.parent.name
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(out, kept)
    return seconds


if __name__ == "__main__":
    main()
