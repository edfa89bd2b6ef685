"""Studies on a Ray cluster: a real one, of this machine alone."""

import multiprocessing
import os
import signal
import time
from functools import partial

import psutil
import pytest
import torch
from command_line import PRELOADED
from working_processes import endless_study

from configural import report
from configural.errors import ConfiguralError
from configural.study import StudyPlan
from configural.study.engines import find_engine
from configural.study.jobs import run_job
from configural.study.plans import plan_jobs
from configural.training import loop

engine = pytest.importorskip("configural.study.engines.ray")  # Ray itself only where a test needs it

PLAN = StudyPlan(
    networks=("cnn-13",),
    conditions=("baseline", "fct"),
    seeds=(1, 2, 3),
    tests=("middle",),
    image_size=32,
    count=60,
    epochs=2,
    batch_size=20,
)


@pytest.fixture(autouse=True)
def own_cluster(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_worker_niceness", "0")  # else they wait for whatever else a loaded machine does


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


def at_work(pid: int) -> bool:
    """Whether a process still runs; one that was killed keeps its number until the system tidies up."""
    try:
        return bool(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


@pytest.fixture
def one_thread():
    """As many as a job of two has on two cores: its weights depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
def test_jobs_that_train_fail_and_die_and_an_early_end(blocks, tmp_path, monkeypatch, one_thread):
    """Two jobs train, one of them on a second worker; one fails, one dies always, one never ends."""
    monkeypatch.setattr(engine, "_TRIES", 2)
    trained, unlucky, mistaken, deadly, elsewhere, endless = jobs = plan_jobs(PLAN, "blocks", device="cpu")
    cluster, local = (
        partial(run_job, folder=tmp_path / name, library=blocks, write_page=write_page)
        for name, write_page in (("cluster", report.write_run_report), ("local", None))
    )

    # Of a function in a function Ray sends the code, so that its processes need not import the tests.
    def work(job):
        with (tmp_path / job.name).open("a") as file:
            file.write(f"{os.getpid()}\n")
        if job == unlucky and (tmp_path / job.name).read_text().count("\n") == 1:
            save = loop.save_checkpoint

            def save_and_die(*state):
                save(*state)
                os.kill(os.getpid(), signal.SIGKILL)

            loop.save_checkpoint = save_and_die
        if job in (trained, unlucky):
            cluster(job)
        if job == mistaken:
            raise ConfiguralError("this cannot be done: do that")
        if job == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if job == elsewhere:
            (tmp_path / "where").write_text(os.getcwd())
        if job == endless:
            time.sleep(1000)

    environment, at_sigterm = dict(os.environ), signal.getsignal(signal.SIGTERM)
    begun = []
    outcomes = engine.run_jobs(jobs, work, 2, begun.append)
    ended = dict(next(outcomes) for _ in range(5))
    while not (tmp_path / endless.name).exists() or not (tmp_path / endless.name).read_text().endswith("\n"):
        time.sleep(0.01)
    outcomes.close()

    workers = {job: (tmp_path / job.name).read_text().split() for job in jobs}
    assert {job: len(pids) for job, pids in workers.items()} == dict(zip(jobs, (1, 2, 1, 2, 1, 1), strict=True))
    assert ended[mistaken].failure == "this cannot be done: do that"
    assert ended[deadly].failure.startswith("its worker process died 2 times")
    assert not ended[elsewhere].failure
    assert (tmp_path / "where").read_text() == os.getcwd()
    assert sorted(job.name for job in begun) == sorted(job.name for job in jobs)
    assert not ray_processes(psutil.Process())
    assert not [pid for pids in workers.values() for pid in pids if at_work(int(pid))]
    assert dict(os.environ) == environment
    assert signal.getsignal(signal.SIGTERM) == at_sigterm

    # The results are those of this process, though a worker was killed.
    for job in (trained, unlucky):
        assert not ended[job].failure
        local(job)
        for name in ("model.safetensors", "predictions.csv", "tests.csv"):
            results = [(tmp_path / place / job.run / name).read_bytes() for place in ("cluster", "local")]
            assert results[0] == results[1], (job.name, name)
        assert (tmp_path / "cluster" / job.run / "report.html").is_file()


@pytest.mark.slow
def test_a_killed_study_takes_its_cluster_along(tmp_path):
    multiprocessing.set_forkserver_preload(PRELOADED)
    study = multiprocessing.get_context("forkserver").Process(target=endless_study, args=(tmp_path / "study",))
    study.start()
    try:
        # A job has done an epoch; the others take longer than anybody waits.
        while not any(tmp_path.glob("study/runs/*/checkpoint.safetensors")):
            assert study.exitcode is None
            time.sleep(0.01)
        started = ray_processes(psutil.Process(study.pid))
        assert busy_worker(psutil.Process(study.pid)) is not None
    finally:
        study.kill()
        study.join()
    _, alive = psutil.wait_procs(started, timeout=600)
    assert not alive


def test_clusters_that_cannot_be_used(monkeypatch):
    import ray

    jobs = plan_jobs(PLAN, "blocks", device="auto")
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": {"CPU": 4.0, "GPU": 2.0}}])
    with pytest.raises(ConfiguralError, match="--gpus-per-job 4: the cluster's largest machine has 2"):
        engine._gpus(jobs, 4)
    assert engine._gpus(jobs, None) == 1
    assert engine._gpus(jobs, 0.5) == 0.5
    assert engine._gpus(plan_jobs(PLAN, "blocks", device="cpu"), None) == 0

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
