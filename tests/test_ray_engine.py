"""Studies on a Ray cluster: a real one, of this machine alone."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

import configural as cf
from configural.errors import ConfiguralError
from configural.study import StudyPlan
from configural.study.engines import find_engine
from configural.study.jobs import plan_jobs

pytest.importorskip("ray")
engine = pytest.importorskip("configural.study.engines.ray")

PLAN = StudyPlan(
    networks=("cnn-13",),
    conditions=("baseline", "fct"),
    seeds=(1, 2),
    image_size=32,
    count=240,
    epochs=3,
    batch_size=20,
)


@pytest.fixture(autouse=True)
def own_cluster(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def ray_processes(parent: psutil.Process) -> list[psutil.Process]:
    return [process for process in parent.children(recursive=True) if engine._is_ray(process)]


def busy_worker(parent: psutil.Process) -> psutil.Process | None:
    """A process of the cluster that is at a job; Ray gives it the name of what it does."""
    for process in ray_processes(parent):
        try:
            if process.cmdline()[0].startswith("ray::_do"):
                return process
        except (psutil.Error, IndexError):
            continue
    return None


def at_work(folder: Path) -> bool:
    """Whether a job has done an epoch and not its last one."""
    return any(folder.glob("runs/*/checkpoint.safetensors"))


@pytest.mark.slow
def test_the_results_are_those_of_local_processes_though_a_worker_is_killed(blocks, tmp_path):
    local = cf.run_study(PLAN, blocks, tmp_path / "local", workers=2, device="cpu", show_progress=False)
    killed: list[int] = []
    over = threading.Event()

    def kill_a_worker() -> None:
        while not over.is_set():
            if at_work(tmp_path / "ray") and (worker := busy_worker(psutil.Process())) is not None:
                worker.kill()
                killed.append(worker.pid)
                return
            time.sleep(0.01)

    environment, at_sigterm = dict(os.environ), signal.getsignal(signal.SIGTERM)
    killer = threading.Thread(target=kill_a_worker)
    killer.start()
    try:
        done = cf.run_study(
            PLAN, blocks, tmp_path / "ray", workers=2, engine="ray", device="cpu", show_progress=False
        )
    finally:
        over.set()
        killer.join()
    assert killed
    assert not psutil.pid_exists(killed[0])
    assert not done.failed
    assert len(done.results) == 4 * 2 * 6
    pd.testing.assert_frame_equal(done.results, local.results, check_exact=True)
    assert not ray_processes(psutil.Process())
    assert dict(os.environ) == environment
    assert signal.getsignal(signal.SIGTERM) == at_sigterm


@pytest.mark.extended
def test_failed_jobs_deadly_jobs_and_an_early_end(blocks, tmp_path):
    first, second, third, fourth = plan_jobs(PLAN, "blocks", "cpu")

    def work(
        job,
    ):  # of a function in a function Ray sends the code, so that its processes need not import the tests
        with (tmp_path / job.name).open("a") as file:
            file.write(f"{os.getpid()}\n")
        if job == first:
            raise ConfiguralError("this cannot be done: do that")
        if job == second:
            os.kill(os.getpid(), signal.SIGKILL)
        if job == third:
            (tmp_path / "where").write_text(os.getcwd())
        if job == fourth:
            time.sleep(1000)

    begun = []
    outcomes = engine.run_jobs([first, second, third, fourth], work, 2, begun.append)
    ended = dict(next(outcomes) for _ in range(3))
    while not (tmp_path / fourth.name).exists() or not (tmp_path / fourth.name).read_text().endswith("\n"):
        time.sleep(0.01)
    outcomes.close()
    assert ended[first].failure == "this cannot be done: do that"
    assert ended[second].failure.startswith("its worker process died 3 times")
    assert len((tmp_path / second.name).read_text().split()) == 3
    assert not ended[third].failure
    assert (tmp_path / "where").read_text() == os.getcwd()
    assert sorted(job.name for job in begun) == sorted(job.name for job in (first, second, third, fourth))
    assert not ray_processes(psutil.Process())
    assert not psutil.pid_exists(int((tmp_path / fourth.name).read_text()))


SCRIPT = """
import sys
import configural as cf
from configural.study import StudyPlan
plan = StudyPlan(networks=("cnn-13",), conditions=("baseline",), seeds=(1,), image_size=32, count=400, epochs=500)
cf.run_study(plan, "synthetic:3", sys.argv[1], workers=1, engine="ray", device="cpu", show_progress=False)
"""


@pytest.mark.extended
def test_a_killed_study_takes_its_cluster_along(tmp_path):
    study = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path / "study")])
    try:
        while not at_work(tmp_path / "study"):
            assert study.poll() is None
            time.sleep(0.01)
        started = ray_processes(psutil.Process(study.pid))
        assert busy_worker(psutil.Process(study.pid)) is not None
    finally:
        study.kill()
        study.wait()
    _, alive = psutil.wait_procs(started, timeout=600)
    assert not alive


def test_clusters_that_cannot_be_used(monkeypatch):
    import ray

    jobs = plan_jobs(PLAN, "blocks", "auto")
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": {"CPU": 4.0, "GPU": 2.0}}])
    with pytest.raises(ConfiguralError, match="--gpus-per-job 4: the cluster's largest machine has 2"):
        engine._gpus(jobs, 4)
    assert engine._gpus(jobs, None) == 1
    assert engine._gpus(jobs, 0.5) == 0.5
    assert engine._gpus(plan_jobs(PLAN, "blocks", "cpu"), None) == 0

    def refuse(**options):
        assert options["address"] == "10.0.0.1:6379"
        raise ConnectionError("nobody answers\nat all")

    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    with pytest.raises(ConfiguralError, match=r"^--ray-address 10\.0\.0\.1:6379: no Ray .* \(nobody answers\)"):
        next(engine.run_jobs(jobs, print, 1, print))


def test_settings_of_ray_are_for_ray(monkeypatch):
    given = {}
    monkeypatch.setattr(engine, "run_jobs", lambda *positional, **settings: given.update(settings))
    find_engine("ray", "10.0.0.1:6379", 0.5)([], print, 1, print)
    assert given == {"address": "10.0.0.1:6379", "gpus_per_job": 0.5}
    with pytest.raises(ConfiguralError, match="--ray-address and --gpus-per-job need --engine ray"):
        find_engine("local", gpus_per_job=1)
    with pytest.raises(ConfiguralError, match="--gpus-per-job -1: must be 0 or more"):
        find_engine("ray", gpus_per_job=-1)
