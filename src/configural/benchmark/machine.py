"""What a machine and its libraries are, for those who read figures from it."""

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import psutil
import torch

from configural import __version__


@dataclass(frozen=True)
class Machine:
    """A machine without its name, its user or any path.

    Attributes:
        configural: Version, as for the next four.
        python: And which implementation.
        torch: PyTorch.
        numpy: NumPy.
        opencv: OpenCV.
        system: Operating system and processor family.
        processor: The processor's name.
        instructions: What PyTorch uses of its vector instructions.
        cores: Logical ones.
        threads: That PyTorch computes with.
        memory_gib: In all.
        device: What training runs on.
    """

    configural: str
    python: str
    torch: str
    numpy: str
    opencv: str
    system: str
    processor: str
    instructions: str
    cores: int
    threads: int
    memory_gib: float
    device: str


def machine(device: torch.device) -> Machine:
    """Describe this machine, and the device that is trained on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return Machine(
        configural=__version__,
        python=f"{platform.python_version()} ({platform.python_implementation()})",
        torch=torch.__version__,
        numpy=np.__version__,
        opencv=cv2.__version__,
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
        processor=_processor(),
        instructions=torch.backends.cpu.get_cpu_capability(),
        cores=os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        device=name,
    )


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    # In bytes there, in KiB elsewhere.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _processor() -> str:
    """Linux alone does not tell the name by Python's own means."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
