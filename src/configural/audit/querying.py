"""Drawing a probe's stimuli and querying a classifier about them, in batches."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from configural.audit.probe import Inspection, Probe, Trials
from configural.audit.respondents import Observer, Respondent, checked
from configural.errors import ConfiguralError
from configural.stimuli import Renderer

_INSPECTED = 10
"""Images at a time of a probe that looks into a classifier: each costs hundreds of passes, and the bar moves."""


class QueryInterruptedError(ConfiguralError):
    """A classifier failed, or was interrupted, half-way.

    Attributes:
        responses: Its responses to the probe until then.
    """

    def __init__(self, message: str, responses: pd.DataFrame) -> None:
        super().__init__(message)
        self.responses = responses


def query(
    classifier: Respondent,
    probe: Probe,
    *,
    trials: Trials,
    image_size: int,
    batch_size: int = 100,
    update: Callable[[int], None] | None = None,
) -> pd.DataFrame:
    """Query a classifier about every stimulus of a probe.

    Args:
        classifier: Of images, which are drawn for it, or an observer, which is given the stimuli as they are.
        probe: Looks into the classifier itself if it is an `Inspection`.
        trials: Its stimuli.
        image_size: Rows and columns of the images.
        batch_size: Images at a time.
        update: Given the number of stimuli done.

    Returns:
        The trials' notes, with a column `log_odds`, or with what the probe saw.

    Raises:
        QueryInterruptedError: If the classifier raises, or gives anything but one finite number per stimulus; its
            responses before that are kept in the error. So it is by Ctrl-C, which is then the error's cause.
    """
    renderer = Renderer(trials.library, size=image_size)
    if isinstance(probe, Inspection):
        batch_size = min(batch_size, _INSPECTED)
    columns: list[pd.DataFrame] = []
    for start in range(0, len(trials), batch_size):
        stimuli = trials.stimuli[start : start + batch_size]
        reads_stimuli = isinstance(classifier, Observer) and not isinstance(probe, Inspection)
        images = np.empty(0) if reads_stimuli else renderer.draw_batch(stimuli)
        try:
            if isinstance(probe, Inspection):
                found = probe.inspect(classifier, stimuli, images=images, renderer=renderer)
            elif isinstance(classifier, Observer):
                found = {"log_odds": checked(classifier.log_odds_of(stimuli), len(stimuli))}
            else:
                found = {"log_odds": checked(classifier.log_odds(images), len(stimuli))}
        except KeyboardInterrupt as error:
            raise QueryInterruptedError(
                f"interrupted at image {start + 1:,} of {len(trials):,} of the probe {probe.name}",
                _with_notes(trials, columns),
            ) from error
        except Exception as error:
            said = str(error) if isinstance(error, ConfiguralError) else f"{type(error).__name__}: {error}"
            raise QueryInterruptedError(
                f"the classifier failed at image {start + 1:,} to {start + len(stimuli):,} of {len(trials):,} of "
                f"the probe {probe.name}: {' '.join(said.split())}",
                _with_notes(trials, columns),
            ) from error
        columns.append(pd.DataFrame(found))
        if update is not None:
            update(start + len(stimuli))
    return _with_notes(trials, columns)


def _with_notes(trials: Trials, columns: list[pd.DataFrame]) -> pd.DataFrame:
    if not columns:
        return trials.notes.head(0)
    found = pd.concat(columns, ignore_index=True)
    return pd.concat([trials.notes.head(len(found)), found], axis=1)
