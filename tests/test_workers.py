"""Processes that work for another one: what comes back, and how they end."""

import itertools
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from working_processes import add, broken, die, fail

from configural.errors import ConfiguralError
from configural.processes import _WORK, worker_processes

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}


def test_results_come_in_order_and_items_are_taken_a_few_ahead():
    taken = []
    with worker_processes(2, 100) as each:
        results = each(add, (taken.append(item) or item for item in range(500)))
        assert taken == []
        first = next(results)
        assert 0 < len(taken) < 200
        everything = [first, *results]
        assert list(each(add, [])) == []
    assert [number for number, _, _ in everything] == list(range(100, 600))
    pids = {pid for _, pid, _ in everything}
    assert os.getpid() not in pids
    assert len(pids) <= 2
    assert {threads for _, _, threads in everything} == {"1"}
    assert not any(psutil.pid_exists(pid) for pid in pids)


DRAWS = """
import configural as cf
from configural.processes import worker_processes
from working_processes import garbage, libraries
renderer = cf.stimuli.Renderer(cf.portraits.load("synthetic:2"), size=32)
with worker_processes(1, renderer) as each:
    print(*each(libraries, [0]))
    print(*each(garbage, [0]))
"""


def test_drawing_processes_do_without_torch_and_share_what_is_imported():
    done = subprocess.run([sys.executable, "-c", DRAWS], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.stdout == "(['cv2'], 'Renderer')\n(50000, False)\n", done.stderr


def test_an_error_there_is_one_here():
    with worker_processes(2, None) as each:
        results = each(fail, itertools.count())
        with pytest.raises(ConfiguralError, match="twenty is one too many"):
            list(results)
    with worker_processes(1, None) as each, pytest.raises(RuntimeError, match="KeyError: 'a mistake'"):
        list(each(broken, [1]))
    ended = "a worker process was ended, perhaps because the memory is full"
    with pytest.raises(ConfiguralError, match=ended), worker_processes(2, None) as each:
        list(each(die, range(100)))
    grandchildren = [child for child in psutil.Process().children(recursive=True) if child.ppid() != os.getpid()]
    assert not [child for child in grandchildren if "forkserver" in " ".join(child.cmdline())]


def test_what_workers_import_beforehand_is_there():
    assert all(find_spec(name) for name in _WORK)


GIVES = """
import time
from configural.processes import Worker
from working_processes import hold
worker = Worker()
worker.give(time.sleep, 0)
worker.response()
worker.give(hold)
print(worker.process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker first has to come to itself")
def test_a_worker_ends_at_once_when_its_parent_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", GIVES], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    worker = psutil.Process(int(parent.stdout.readline()))
    time.sleep(0.2)
    parent.kill()
    parent.communicate()
    until = time.monotonic() + 20
    while worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE:  # whose parent may not ask how it ended
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "to_all"), [(signal.SIGINT, True), (signal.SIGKILL, False), (signal.SIGKILL, True)]
)
def test_all_end_with_the_command(tmp_path, sent, to_all):
    """Ctrl-C, which the terminal sends to all of them, and kill -9 to the command alone, and to all of them."""
    shared_memory = set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()
    out, partial = tmp_path / "set", tmp_path / "set.partial"
    words = ["generate", "--source", "synthetic:2", "--size", "32", "--count", "30000", "--workers", "2"]
    command = subprocess.Popen(
        [sys.executable, "-m", "configural", *words, "--out", str(out)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Whoever starts the tests in the background has them ignore Ctrl-C, and what they start, too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    until = time.monotonic() + 240
    while not any(partial.glob("train/*/*.png")):
        assert command.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    children = psutil.Process(command.pid).children(recursive=True)
    assert len([child for child in children if child.ppid() != command.pid]) == 2
    if to_all:
        os.killpg(command.pid, sent)
    else:
        command.send_signal(sent)
    _, said = command.communicate(timeout=240)
    assert command.returncode == (130 if sent == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in said
    if sent == signal.SIGINT:
        assert "stopped; repeat the command to resume" in said
    _, alive = psutil.wait_procs(children, timeout=240)
    assert not alive
    assert not out.exists()
    # Not even names of semaphores, which nobody would be left to remove.
    assert not os.path.isdir("/dev/shm") or not {
        name for name in set(os.listdir("/dev/shm")) - shared_memory if name.startswith("sem.")
    }
