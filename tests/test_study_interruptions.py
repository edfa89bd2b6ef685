"""Studies that are killed, whose workers die, and whose disk is full."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest

from configural.study import StudyPlan
from configural.study.engines import find_engine
from configural.study.jobs import plan_jobs

PLAN = "conditions: [baseline, fct]\nseeds: [1]\nimage_size: 32\ncount: 240\nbatch_size: 10\n"
LIMITED = (
    "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    "resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY)); "
    "from configural.cli import main; main()"
)


def command(plan: Path, out: Path, limit: int | None = None) -> list[str]:
    code = "from configural.cli import main; main()" if limit is None else LIMITED.format(limit=limit)
    options = ["study", str(plan), "--faces", "synthetic:3", "--out", str(out), "--workers", "1"]
    return [sys.executable, "-c", code, *options]


def begin(plan: Path, out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(plan, out), stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )


def carry_out(plan: Path, out: Path, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command(plan, out, limit), capture_output=True, text=True, env=environment)


def until(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not happened():
        assert process.poll() is None, "it ended before what was waited for"
        time.sleep(0.005)


def workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def trained(out: Path) -> list[Path]:
    return sorted(out.glob("runs/*/checkpoint.safetensors"))


@pytest.mark.slow
def test_killed_and_gone_on_with(tmp_path):
    """Kill -9 the whole study while pictures are drawn and in a training, and then a worker alone."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(f"networks: [fcn-14]\n{PLAN}epochs: 8\n")
    undisturbed = tmp_path / "undisturbed"
    assert carry_out(plan, undisturbed).returncode == 0
    out = tmp_path / "killed"
    first, second = (out / "runs" / f"fcn-14-{condition}-1" for condition in ("baseline", "fct"))
    moments = (
        lambda: any(out.glob("pictures/*.partial/*")) or any(out.glob("pictures/*-middle/")),
        lambda: (first / "checkpoint.safetensors").exists(),
    )
    for moment in moments:
        process = begin(plan, out)
        until(moment, process)
        left_alone = workers(process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        while any(map(alive, left_alone)):  # they end themselves
            time.sleep(0.005)

    # A worker dies: its job has failed, the study ends well, and says so.
    process = begin(plan, out)
    until(lambda: (first / "tests.csv").exists() and (second / "checkpoint.safetensors").exists(), process)
    finished = {path: path.stat().st_mtime_ns for path in first.rglob("*")}
    (worker,) = workers(process)
    worker.kill()
    _, said = process.communicate()
    assert process.returncode == 1
    (line,) = [line for line in said.splitlines() if line.startswith("failed: ")]
    assert "fcn-14-fct-1: its worker process was ended by SIGKILL" in line
    assert "repeat the command" in line

    assert carry_out(plan, out).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*")} == finished
    for name in (
        "results.csv",
        "results.parquet",
        *(f"runs/{run.name}/model.safetensors" for run in (first, second)),
    ):
        assert (out / name).read_bytes() == (undisturbed / name).read_bytes(), name
    assert not list(out.rglob("*.tmp"))
    assert not list(out.rglob(".lock"))
    assert not trained(out)
    assert not (out / "pictures").exists()


@pytest.mark.slow
def test_a_full_disk_ends_a_job_and_not_the_study(tmp_path):
    """A disk that takes no file above 8 MB: enough for a checkpoint of fcn-14, and not for one of fcn-16."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(f"networks: [fcn-16, fcn-14]\n{PLAN.replace(', fct', '')}epochs: 1\n")
    out = tmp_path / "study"
    done = carry_out(plan, out, limit=8_000_000)
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert "fcn-16-baseline-1" in line
    assert "File too large; make room and repeat the command" in line
    assert "Traceback" not in done.stderr
    assert set(pd.read_csv(out / "results.csv")["network"]) == {"fcn-14"}
    assert not list(out.rglob("*.tmp"))
    again = carry_out(plan, out)
    assert again.returncode == 0, again.stderr
    assert set(pd.read_csv(out / "results.csv")["network"]) == {"fcn-14", "fcn-16"}


def die_at_the_second(job):
    if job.repeat == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if job.repeat == 3:
        raise KeyError("gone")


@pytest.mark.slow
def test_jobs_go_on_when_a_worker_dies():
    plan = StudyPlan(networks=("fcn-14",), conditions=("ffa",), seeds=(1, 2, 3, 4))
    begun: list[int] = []
    outcomes = {
        job.repeat: outcome.failure
        for job, outcome in find_engine("local")(
            plan_jobs(plan), die_at_the_second, 1, lambda job: begun.append(job.repeat)
        )
    }
    assert begun == [1, 2, 3, 4]
    assert outcomes == {
        1: "",
        2: "its worker process was ended by SIGKILL, perhaps because memory was full",
        3: "KeyError: 'gone'",
        4: "",
    }
