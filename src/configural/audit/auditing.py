"""The audit: every probe asked of one classifier."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configural import __version__, progress
from configural.audit.intervals import Bootstrap
from configural.audit.probe import Inspection, Material, Probe, ProbeCard, Score, Trials, scores_frame
from configural.audit.probes import PROBES, find_probe
from configural.audit.respondents import Observer, Predict, Respondent, checked, described, respondent
from configural.audit.result import Audit, Example, Facts, save_responses
from configural.config.audit import AuditConfig
from configural.errors import ConfiguralError
from configural.io.files import refuse_used
from configural.portraits import Library, load
from configural.stimuli import Condition, Renderer, sample
from configural.stimuli import condition as find_condition

_INSPECTED = 10
"""Images at a time of a probe that looks into a classifier: each costs hundreds of passes, and the bar moves."""

_LARGE_ENOUGH = 112
"""Pixels along a side that can be seen on a page, even where the classifier takes smaller images."""


class AuditInterruptedError(ConfiguralError):
    """The audit ended before its end, most often since the classifier failed.

    Attributes:
        audit: What was measured until then.
    """

    def __init__(self, message: str, audit: Audit) -> None:
        super().__init__(message)
        self.audit = audit


def audit(
    predict: Predict | Respondent | Any,
    source: str | Library = "synthetic",
    *,
    condition: str | Condition = "baseline",
    image_size: int | None = None,
    pairs: int = 500,
    seed: int = 0,
    split: str = "paper",
    probes: Sequence[str | Probe | type[Probe]] | None = None,
    name: str = "",
    batch_size: int = 100,
    out: Path | str | None = None,
) -> Audit:
    """Ask whether a classifier uses how the parts of an object relate.

    Args:
        predict: A function from uint8 RGB images (n, image_size, image_size, 3) to n probabilities of the correct
            class; a classifier that gives log-odds, which do not saturate; an `Observer`; or anything else that
            `models.open` opens.
        source: The exemplars to make images of.
        condition: How they are made; paired with scrambled arrangements in any case.
        image_size: Rows and columns of the images; by default what the classifier takes, else 224.
        pairs: How many matched pairs there are; the other probes use up to a fixed number of them.
        seed: Of all that is drawn.
        split: `paper` uses all exemplars; `identity` those of the test persons alone, which a network that was
            trained with that split and this seed has not seen.
        probes: Names of registered probes, `module:name`, or probes with settings of one's own; all registered ones
            by default.
        name: Of the classifier, for tables and the page.
        batch_size: Images at a time.
        out: A folder for the responses, which are written probe by probe, and the results; new or empty.

    Returns:
        Scores with intervals, and all responses.

    Raises:
        AuditInterruptedError: If the classifier fails half-way or gives what is no response; its `audit`, and
            `out`, hold what was measured until then.
        KeyboardInterrupt: On Ctrl-C; `out` holds what was measured until then.
        ConfiguralError: If an argument is not possible.

    Example:
        >>> import configural as cf
        >>> def brightness(images):
        ...     return images.mean(axis=(1, 2, 3)) / 255
        >>> with cf.progress.hidden():
        ...     found = cf.audit.audit(
        ...         brightness, "synthetic:2", image_size=16, pairs=4, probes=["forced_choice"]
        ...     )
        >>> float(found.score("forced_choice", "accuracy")["value"])
        0.5
    """
    folder = Path(out) if out is not None else None
    if folder is not None:
        refuse_used(folder)
    chosen = [find_probe(probe) for probe in (PROBES.names() if probes is None else probes)]
    names = tuple(probe.name for probe in chosen)
    if len(set(names)) < len(names):
        raise ConfiguralError(f"probes {', '.join(names)}: two of them have the same name")
    classifier, library = respondent(predict), load(source)
    own_size = getattr(classifier, "image_size", None)
    if own_size is not None and image_size not in (None, own_size):
        raise ConfiguralError(f"image_size {image_size}: this classifier takes {own_size} pixels; leave it out")
    image_size = image_size or own_size or 224
    condition = find_condition(condition, scheme=library.scheme)
    settings = AuditConfig.of(
        source=library.source,
        condition=condition.name,
        split=split,
        pairs=pairs,
        seed=seed,
        image_size=image_size,
        probes=names,
        batch_size=batch_size,
    )
    material = make_material(library, condition, pairs=pairs, seed=seed, split=split)
    facts = Facts(
        name=name or getattr(predict, "__name__", type(predict).__name__),
        object=library.scheme.name,
        class_names=library.scheme.class_names,
        fingerprint=library.fingerprint,
        background=condition.background,
        configural=__version__,
    )
    scores: dict[str, list[Score]] = {}
    found = Audit(settings, facts, {probe.name: ProbeCard.of(probe) for probe in chosen}, scores_frame(scores))

    def closed(interruption: str = "") -> Audit:
        # Only after its responses does a classifier know all about its outputs.
        known = facts.model_copy(update={"classifier": described(classifier)})
        done = replace(found, facts=known, scores=scores_frame(scores), interruption=interruption)
        if folder is not None:
            done.save(folder)
        return done

    for probe in chosen:
        if why := probe.obstacle(classifier):
            found.left_out[probe.name] = why
            continue
        try:
            trials, answered = probe.trials(material), [pd.DataFrame()]
            try:
                with progress.bar(probe.name.replace("_", " "), len(trials)) as update:
                    for columns in _query(
                        classifier, probe, trials=trials, image_size=image_size, batch_size=batch_size
                    ):
                        answered.append(pd.DataFrame(columns))
                        update(sum(map(len, answered)))
            finally:
                given = pd.concat(answered, ignore_index=True)
                responses = pd.concat([trials.notes.head(len(given)), given], axis=1)
                found.responses[probe.name] = responses
            if folder is not None:
                save_responses(folder, probe.name, responses)
            scores[probe.name] = probe.score(responses, material)
            found.examples[probe.name] = list(_examples(probe, trials, responses, image_size))
            for caption, image in probe.maps(classifier, trials, image_size=image_size):
                found.examples[probe.name].append(Example(caption, image, np.nan))
            found.figures[probe.name] = probe.figure(scores_frame({probe.name: scores[probe.name]}))
        except (Exception, KeyboardInterrupt) as error:
            stopped = isinstance(error, KeyboardInterrupt)
            said = str(error) or ("interrupted" if stopped else type(error).__name__)
            if probe.name not in said:
                said = f"probe {probe.name}: {said}"
            found.left_out[probe.name] = "interrupted" if stopped else "failed"
            interrupted = closed(said)
            kept = "" if folder is None else f"; what was measured until then is in {folder}"
            if stopped:
                raise KeyboardInterrupt(f"{said}{kept}") from error
            if not isinstance(error, ConfiguralError):
                raise  # no fault of the user's
            raise AuditInterruptedError(f"{said}{kept}", interrupted) from error
    return closed()


def make_material(
    library: Library, condition: str | Condition, *, pairs: int, seed: int = 0, split: str = "paper"
) -> Material:
    """Sample the matched pairs that all probes share.

    Raises:
        ConfiguralError: If the condition leaves slots empty or has no scrambled arrangements.
    """
    condition = find_condition(condition, scheme=library.scheme).model_copy(update={"matched": True})
    if set(condition.filled) != set(library.scheme.part_kinds):
        raise ConfiguralError(f"condition {condition.name}: leaves slots empty; an audit needs all parts")
    if condition.arrangement == "correct":
        raise ConfiguralError(f"condition {condition.name}: has no scrambled arrangement to compare with")
    if split == "paper":
        table = sample(library, condition=condition, split=split, count=2 * pairs, seed=seed, pairs=True)
    else:
        # 15 % of a class are its test.
        count = 2 * -(-pairs * 20 // 3) + 40
        table = sample(library, condition=condition, split=split, count=count, seed=seed, pairs=True).subset("test")
        table = table.take(np.flatnonzero(table.frame.groupby("label").cumcount() < pairs))
    return Material(library, table, Bootstrap(seed))


def _query(
    classifier: Respondent, probe: Probe, *, trials: Trials, image_size: int, batch_size: int
) -> Iterator[dict[str, np.ndarray]]:
    """Query a classifier about every stimulus of a probe.

    An observer is given the stimuli as they are, any other classifier their images; an `Inspection` looks into the
    classifier itself.

    Yields:
        For each batch the column `log_odds`, or what the probe saw.

    Raises:
        ConfiguralError: If the classifier raises, or gives anything but one finite number per stimulus.
        KeyboardInterrupt: On Ctrl-C.
    """
    renderer = Renderer(trials.library, size=image_size)
    if isinstance(probe, Inspection):
        batch_size = min(batch_size, _INSPECTED)
    for start in range(0, len(trials), batch_size):
        stimuli = trials.stimuli[start : start + batch_size]
        where = f"of {len(trials):,} of the probe {probe.name}"
        try:
            if isinstance(probe, Inspection):
                found = probe.inspect(classifier, stimuli, renderer=renderer)
            elif isinstance(classifier, Observer):
                found = {"log_odds": checked(classifier.log_odds_of(stimuli), len(stimuli))}
            else:
                found = {"log_odds": checked(classifier.log_odds(renderer.draw_batch(stimuli)), len(stimuli))}
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(f"interrupted at image {start + 1:,} {where}") from error
        except Exception as error:
            said = str(error) if isinstance(error, ConfiguralError) else f"{type(error).__name__}: {error}"
            raise ConfiguralError(
                f"the classifier failed at image {start + 1:,} to {start + len(stimuli):,} {where}: "
                f"{' '.join(said.split())}"
            ) from error
        yield found


def _examples(probe: Probe, trials: Trials, responses: pd.DataFrame, image_size: int) -> Iterator[Example]:
    renderer = Renderer(trials.library, size=max(image_size, _LARGE_ENOUGH))
    for row, caption in probe.examples(trials.notes).items():
        log_odds = float(responses["log_odds"][row]) if "log_odds" in responses else np.nan
        yield Example(caption, renderer.draw(trials.stimuli[row]), log_odds)
