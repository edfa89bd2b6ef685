"""What processes do in tests of what comes back; in a module of its own, as each process imports it."""

import ctypes
import gc
import os
import signal
import sys

from configural.errors import ConfiguralError


def add(shared, item):
    return shared + item, os.getpid(), os.environ["OMP_NUM_THREADS"]


def libraries(shared, item):
    return sorted({"torch", "cv2", "matplotlib"} & sys.modules.keys()), type(shared).__name__


def garbage(shared, item):
    """From how many new objects on it is looked for, and whether among what was imported, too."""
    return gc.get_threshold()[0], gc.get_freeze_count() < 10_000


def die(shared, item):
    os.kill(os.getpid(), signal.SIGKILL)


def fail(shared, item):
    if item == 20:
        raise ConfiguralError("twenty is one too many")
    return item


def broken(shared, item):
    raise KeyError("a mistake")


def hold():
    """Hold the interpreter's lock, as the loading of a library does."""
    ctypes.PyDLL(None).sleep(600)


def endless_study(out):
    """A study on Ray of one training, whose epochs take longer than anybody waits."""
    import configural as cf
    from configural.study import StudyPlan

    plan = StudyPlan(
        networks=("cnn-13",), conditions=("baseline",), seeds=(1,), image_size=32, count=42, epochs=50000
    )
    cf.run_study(plan, "synthetic:2", out=out, workers=1, engine="ray", device="cpu")
