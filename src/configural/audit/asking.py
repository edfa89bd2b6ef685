"""Querying one classifier: every distinct image is drawn and asked about once, whichever probes show it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from configural.audit.probe import Inspection, Probe, Trials
from configural.audit.respondents import Observer, Respondent, checked
from configural.errors import ConfiguralError
from configural.portraits import Library
from configural.stimuli import Renderer, Stimulus

_INSPECTED = 10
"""Images at a time of a probe that looks into a classifier: each costs hundreds of passes, and the bar moves."""

_NOT_DRAWN = {
    *("name", "description", "jitter", "placement", "shift", "rotation", "scale", "inverted"),
    *("arrangement", "matched"),
}
"""Keys of a condition that say how stimuli are drawn at random, not what an image of one looks like."""

_Look = tuple[Any, ...]


class _DrawingError(ConfiguralError):
    """A stimulus cannot be drawn, which is the probe's fault or the library's, and not the classifier's."""


class _Drawer(Renderer):
    """A renderer whose errors can be told from those of the classifier, also where the probe itself draws."""

    def _scenes(self, stimuli: Sequence[Stimulus]) -> Iterator[Any]:
        try:
            yield from super()._scenes(stimuli)
        except Exception as error:
            raise _DrawingError(_said(error)) from error


@dataclass(frozen=True, eq=False)
class Asking:
    """A classifier with all that it was asked about, in images of so many rows and columns.

    An observer, which reads descriptions, is asked about each; of any other classifier the response to an image
    that another stimulus has shown is taken from there.
    """

    classifier: Respondent
    image_size: int
    batch_size: int
    _known: dict[_Look, float] = field(default_factory=dict)
    _renderers: dict[tuple[int, int], Renderer] = field(default_factory=dict)
    _conditions: list[dict[str, Any]] = field(default_factory=list)

    def renderer(self, library: Library, *, at_least: int = 0) -> Renderer:
        """The one that draws this library's stimuli, in no fewer pixels than `at_least`; shared by all probes."""
        key = id(library), max(self.image_size, at_least)
        if key not in self._renderers:
            self._renderers[key] = _Drawer(library, size=key[1])
        return self._renderers[key]

    def remember(self, probe: Probe, trials: Trials, log_odds: ArrayLike) -> None:
        """Take responses to the first of a probe's trials as given."""
        if not (isinstance(probe, Inspection) or probe.fresh or isinstance(self.classifier, Observer)):
            self._known.update(zip(self._looks(trials), np.asarray(log_odds, float).tolist(), strict=False))

    def ask(
        self, probe: Probe, trials: Trials, *, begin: int = 0, again: bool = False
    ) -> Iterator[dict[str, np.ndarray]]:
        """Query the classifier about the stimuli of a probe, from one on; `again` if it has responded to them, too.

        Yields:
            For each batch the column `log_odds`, or what the probe saw.

        Raises:
            ConfiguralError: If a stimulus cannot be drawn, or the classifier raises or gives anything but one
                finite number per stimulus.
            KeyboardInterrupt: On Ctrl-C.
        """
        size = min(self.batch_size, _INSPECTED) if isinstance(probe, Inspection) else self.batch_size
        ends = [begin, *(end for end in np.cumsum(probe.batches(trials.notes, size)).tolist() if end > begin)]
        each: Iterator[dict[str, np.ndarray]]
        if isinstance(probe, Inspection) or isinstance(self.classifier, Observer):
            each = (self._described(probe, trials, *rows) for rows in pairwise(ends))
        else:
            each = self._imaged(trials, ends, looks=None if again or probe.fresh else self._looks(trials))
        for first, last in pairwise(ends):
            where = f"of {len(trials):,} of the probe {probe.name}"
            try:
                found = next(each)
            except KeyboardInterrupt as error:
                raise KeyboardInterrupt(f"interrupted at image {first + 1:,} {where}") from error
            except _DrawingError as error:
                which = f"image {first + 1:,} to {last:,} of {len(trials):,}"
                raise ConfiguralError(f"probe {probe.name}: {which} cannot be drawn: {error}") from error
            except Exception as error:
                said = _said(error)
                if not isinstance(error, ConfiguralError):
                    said += f" (images were {self.image_size} × {self.image_size})"
                raise ConfiguralError(
                    f"the classifier failed at image {first + 1:,} to {last:,} {where}: {' '.join(said.split())}"
                ) from error
            yield found

    def _described(self, probe: Probe, trials: Trials, first: int, last: int) -> dict[str, np.ndarray]:
        stimuli = trials.stimuli[first:last]
        if isinstance(probe, Inspection):
            return probe.inspect(self.classifier, stimuli, renderer=self.renderer(trials.library))
        assert isinstance(self.classifier, Observer)
        return {"log_odds": checked(self.classifier.log_odds_of(stimuli), len(stimuli))}

    def _imaged(
        self, trials: Trials, ends: list[int], *, looks: list[_Look] | None
    ) -> Iterator[dict[str, np.ndarray]]:
        """Responses batch by batch; the images of the next are drawn while the classifier responds."""
        assert not isinstance(self.classifier, Observer)
        renderer, known = self.renderer(trials.library), self._known if looks is not None else {}
        keys: Sequence[Any] = range(len(trials)) if looks is None else looks
        planned: list[dict[Any, int]] = []
        seen: set[Any] = set()
        for first, last in pairwise(ends):
            planned.append({})
            for row in range(first, last):
                if keys[row] not in known and keys[row] not in seen:
                    planned[-1][keys[row]] = row
                    seen.add(keys[row])

        def draw(rows: dict[Any, int]) -> np.ndarray:
            return renderer.draw_batch([trials.stimuli[row] for row in rows.values()])

        with ThreadPoolExecutor(1) as painter:
            ahead = painter.submit(draw, planned[0] if planned else {})
            for number, (first, last) in enumerate(pairwise(ends)):
                images = ahead.result()
                if number + 1 < len(planned):
                    ahead = painter.submit(draw, planned[number + 1])
                if planned[number]:
                    given = checked(self.classifier.log_odds(images), len(images))
                    known.update(zip(planned[number], given.tolist(), strict=True))
                yield {"log_odds": np.array([known[key] for key in keys[first:last]])}

    def _looks(self, trials: Trials) -> list[_Look]:
        """What distinguishes the image of each stimulus from others."""
        found: list[_Look] = []
        for table in trials.tables:
            drawn = table.condition.model_dump(exclude=_NOT_DRAWN)
            if drawn not in self._conditions:
                self._conditions.append(drawn)
            number = self._conditions.index(drawn)
            filled = [slot in table.condition.filled for slot in trials.library.scheme.part_kinds]
            for one in table:
                shown = tuple(
                    content if holds else None for content, holds in zip(one.contents, filled, strict=True)
                )
                pose = one.placement, one.shift, one.rotation, one.scale, one.inverted
                found.append((number, one.host, shown, *pose, one.noise))
        return found


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, ConfiguralError) else f"{type(error).__name__}: {error}"
