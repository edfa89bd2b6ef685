"""Doing a piece of work again and again, with an eye on two clocks."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Work = Callable[[], object]


@dataclass(frozen=True)
class Rounds:
    """How long a piece of work took, each time.

    Attributes:
        count: What one round gets done: images, say, or operations.
        seconds: Of each round, by the clock.
        processor_seconds: Of each round, of this process, all its threads added up.
    """

    count: float
    seconds: tuple[float, ...]
    processor_seconds: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Count per second by the clock, in the median round."""
        return self.count / statistics.median(self.seconds)

    @property
    def highest(self) -> float:
        """Count per second in the fastest round."""
        return self.count / min(self.seconds)

    @property
    def lowest(self) -> float:
        """Count per second in the slowest round."""
        return self.count / max(self.seconds)

    @property
    def processor_rate(self) -> float:
        """Count per second of processor time, in the median round; other programs hardly count in it."""
        return self.count / max(statistics.median(self.processor_seconds), 1e-9)


def in_turn(works: Sequence[tuple[Work, float]], seconds: float) -> list[Rounds]:
    """Let pieces of work take turns, once to warm up and then until the time is over.

    In turn, so that whatever else the machine does strikes each alike.

    Args:
        works: Each with what it gets done.
        seconds: The rounds that begin within these count, and the first in any case.
    """
    for work, _ in works:
        work()
    taken: list[list[tuple[float, float]]] = [[] for _ in works]
    end = time.perf_counter() + seconds
    while not taken[-1] or time.perf_counter() < end:
        for (work, _), times in zip(works, taken, strict=True):
            started, used = time.perf_counter(), time.process_time()
            work()
            times.append((time.perf_counter() - started, time.process_time() - used))
    return [
        Rounds(count, tuple(wall for wall, _ in times), tuple(used for _, used in times))
        for (_, count), times in zip(works, taken, strict=True)
    ]
