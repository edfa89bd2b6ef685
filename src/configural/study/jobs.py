"""A study's jobs: one training with all its tests each."""

from dataclasses import dataclass
from pathlib import Path

from configural.study.settings import RunSettings


@dataclass(frozen=True)
class Job:
    """One training with all its tests, as plain data that can be sent to another process.

    Attributes:
        network: Name of the network.
        condition: The condition that it is trained under, as the plan writes it.
        repeat: Which of the plan's seeds it is trained by, from 1 on.
        name: Of its run folder, such as cnn-15-ffa-1.
        settings: The training's settings.
        tests: (condition, placement) of every test set, the placement middle or shifted.
    """

    network: str
    condition: str
    repeat: int
    name: str
    settings: RunSettings
    tests: tuple[tuple[str, str], ...]

    @property
    def run(self) -> str:
        """Its run folder, seen from the study's folder."""
        return f"runs/{self.name}"


def run_job(job: Job, folder: Path) -> None:
    """Train and test into the job's run folder, going on with what is there already.

    Args:
        job: What to do.
        folder: The study's folder.

    Raises:
        ConfiguralError: If the job cannot be carried out.
        OSError: If the disk is full or not writable; called again, it goes on from there.
    """
    raise NotImplementedError
