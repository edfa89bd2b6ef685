"""What processes do in tests of how they end; in a module of its own, as each process imports it."""

import os
import time
from pathlib import Path

from configural.errors import ConfiguralError


def fail(rank: int, processes: int, meeting: Path, how: str, pids: Path) -> str:
    """Fail in the process of rank 1, while that of rank 0 would wait for ever."""
    (pids / str(rank)).write_text(str(os.getpid()))
    if rank == 0:
        while how != "not at all":
            time.sleep(1)
        return "well"
    if how == "mistake":
        raise ConfiguralError("this is wrong: do that")
    if how == "disk":
        raise OSError(28, "No space left on device", "model.safetensors")
    if how == "error":
        raise KeyError("nothing")
    if how == "silent":
        os._exit(3)
    return "not to be seen"


class TooLarge:
    """What PyTorch says when an image does not fit into /dev/shm."""

    def __reduce__(self):
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1_2_0>: No space left on device")
