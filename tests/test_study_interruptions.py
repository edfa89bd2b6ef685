"""Studies that are killed, whose workers die, and whose disk is full."""

import multiprocessing
import os
import resource
import signal
import sys
from pathlib import Path

import pandas as pd
import psutil
import pytest
from command_line import configural, halted

import configural as cf
from configural.study import StudyPlan
from configural.study.engines import attempt, find_engine, local
from configural.study.plans import plan_jobs
from configural.study.record import Attempts

PLAN = "conditions: [baseline, fct]\nseeds: [1]\ncount: 60\nbatch_size: 10\n"


def options(plan: Path, out: Path) -> list[object]:
    return ["study", plan, "--source", "synthetic:3", "--out", out, "--workers", 1]


def in_this_process(jobs, work, workers, report):
    for job in jobs:
        report(job)
        yield job, attempt(work, job)


@pytest.fixture
def undrawn(monkeypatch):
    """What is done in this process makes no pages and no figures, which take longest."""
    for page in ("run", "study"):
        monkeypatch.setattr(f"configural.report.write_{page}_report", lambda of: None)
    monkeypatch.setattr(sys.modules["configural.runs.run"], "save_figure", lambda *given, **settings: None)


def trained(out: Path) -> list[Path]:
    return sorted(out.glob("runs/*/checkpoint.safetensors"))


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_killed_and_gone_on_with(tmp_path, monkeypatch):
    """Kill -9 while images are drawn, in a training, and after a job; and a worker alone."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(f"networks: [fcn-14]\nimage_size: 16\n{PLAN}epochs: 2\n")
    undisturbed = tmp_path / "undisturbed"
    whole = {"plan": plan, "source": "synthetic:3", "engine": in_this_process}
    assert not cf.run_study(out=undisturbed, **whole).failed
    out = tmp_path / "killed"
    first, second = (out / "runs" / f"fcn-14-{condition}-1" for condition in ("baseline", "fct"))
    for moment in (
        "half of *.partial/train.npy",
        f"{first.name}/checkpoint.safetensors",
        f"{second.name}/checkpoint.safetensors",
    ):
        with halted(moment, *options(plan, out)) as command:
            (left_alone,) = command.workers
            command.end(by=signal.SIGKILL)
            # It ends itself, and perhaps nobody asks how.
            assert not psutil.wait_procs([left_alone], timeout=600)[1]
    assert (first / "tests.csv").exists()
    finished = {path: path.stat().st_mtime_ns for path in first.rglob("*")}

    # A worker dies: its job has failed, the study ends well, and says so.
    (out / "jobs.json").unlink()  # which still says what the killed study was at

    def in_a_worker_that_dies(jobs, work, workers, report):
        def kill(job):
            report(job)
            assert Attempts.load(out).running == [job.name] == [second.name]
            (worker,) = multiprocessing.active_children()
            worker.kill()

        return local.run_jobs(jobs, work, workers, kill)

    with monkeypatch.context() as patch:
        patch.setattr("configural.study.engines.find_engine", lambda *given: in_a_worker_that_dies)
        done = configural(*options(plan, out))
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert "fcn-14-fct-1: its worker process was ended by SIGKILL" in line
    assert "repeat the command" in line

    assert not cf.run_study(out=out, **whole).failed
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
    assert not (out / "images").exists()


@pytest.mark.usefixtures("undrawn")
def test_a_full_disk_ends_a_job_and_not_the_study(tmp_path):
    """A disk that takes no file above 8 MB: enough for a checkpoint of fcn-14, and not for one of fcn-16."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(f"networks: [fcn-16, fcn-14]\nimage_size: 32\n{PLAN.replace(', fct', '')}epochs: 1\n")
    out = tmp_path / "study"
    with halted("fcn-16-baseline-1/config.yaml", *options(plan, out)) as command:
        (worker,) = command.workers
        for pid in (command.process.pid, worker.pid):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (8_000_000, resource.RLIM_INFINITY))
        command.sign.unlink()
        said = command.end()
        assert command.process.exitcode == 1, said
    (line,) = [line for line in said.splitlines() if line.startswith("failed: ")]
    assert "fcn-16-baseline-1" in line
    assert "File too large; make room and repeat the command" in line
    assert "Traceback" not in said
    assert set(pd.read_csv(out / "results.csv")["network"]) == {"fcn-14"}
    assert not list(out.rglob("*.tmp"))
    again = cf.run_study(out=out, engine=in_this_process)
    assert not again.failed
    assert set(again.results["network"]) == {"fcn-14", "fcn-16"}


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
        2: "its worker process was ended by SIGKILL, perhaps because the memory is full",
        3: "KeyError: 'gone'",
        4: "",
    }
