"""Drawing a probe's stimuli and asking a classifier about them, in batches."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from configural.audit.probe import Looks, Probe, Trials
from configural.errors import ConfiguralError
from configural.models.classifiers import RespondsToImages, RespondsToStimuli, Subject, checked
from configural.stimuli import Renderer

_LOOKED_INTO = 10
"""Images at a time of a probe that looks into a classifier: each costs hundreds of passes, and the bar moves."""


class QueryInterruptedError(ConfiguralError):
    """A classifier failed, or was interrupted, half-way.

    Attributes:
        answers: What it had answered of the probe until then.
    """

    def __init__(self, message: str, answers: pd.DataFrame) -> None:
        super().__init__(message)
        self.answers = answers


def ask(
    subject: Subject,
    probe: Probe,
    trials: Trials,
    image_size: int,
    batch_size: int = 100,
    update: Callable[[int], None] | None = None,
) -> pd.DataFrame:
    """Ask a classifier about every stimulus of a probe.

    Args:
        subject: Of images, which are drawn for it, or of stimuli, which it is given as they are.
        probe: Looks into the classifier itself if it is a `Looks`.
        trials: What to ask about.
        image_size: Rows and columns of the images.
        batch_size: Images at a time.
        update: Called with the number of stimuli done.

    Returns:
        The trials' notes, with a column `log_odds`, or with what the probe saw.

    Raises:
        QueryInterruptedError: If the classifier raises, or gives anything but one finite number per stimulus; what it
            answered before that is kept in the error. So it is by Ctrl-C, which is then the error's cause.
    """
    renderer = Renderer(trials.faces, image_size)
    if isinstance(probe, Looks):
        batch_size = min(batch_size, _LOOKED_INTO)
    columns: list[pd.DataFrame] = []
    for start in range(0, len(trials), batch_size):
        stimuli = trials.stimuli[start : start + batch_size]
        needs_images = isinstance(probe, Looks) or not isinstance(subject, RespondsToStimuli)
        images = renderer.draw_batch(stimuli) if needs_images else None
        try:
            if isinstance(probe, Looks):
                found = probe.look(subject, stimuli, images, renderer)  # type: ignore[arg-type]
            elif isinstance(subject, RespondsToStimuli):
                found = {"log_odds": checked(subject.log_odds_of(stimuli), len(stimuli))}
            else:
                found = {"log_odds": checked(_answered(subject, images), len(stimuli))}
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


def _answered(subject: RespondsToImages, images: np.ndarray | None) -> np.ndarray:
    assert images is not None
    return subject.log_odds(images)


def _with_notes(trials: Trials, columns: list[pd.DataFrame]) -> pd.DataFrame:
    if not columns:
        return trials.notes.head(0)
    found = pd.concat(columns, ignore_index=True)
    return pd.concat([trials.notes.head(len(found)), found], axis=1)
