"""The audit: every probe asked of one classifier."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configural import __version__, models, progress
from configural.audit.asking import Asking
from configural.audit.intervals import Bootstrap, Estimate
from configural.audit.probe import Material, Probe, ProbeCard, Score, Trials, scores_frame
from configural.audit.probes import PROBES, find_probe
from configural.audit.respondents import Predict, Respondent, described, respondent
from configural.audit.result import Audit, Example, Facts, save_responses
from configural.audit.resuming import UNFINISHED, audit_folder, kept_responses, refuse_other
from configural.config.audit import AuditConfig
from configural.errors import ConfiguralError
from configural.io import manifest
from configural.io.reading import reading
from configural.portraits import Library, load
from configural.stimuli import Condition, sample
from configural.stimuli import condition as find_condition

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
    resume: bool = False,
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
        out: A folder for the responses, which are written probe by probe, and the results; new or empty unless
            resuming.
        resume: Continue the audit that `out` holds, which must be of the same classifier, exemplars and settings:
            the classifier is asked only about images that it has not responded to, and the result is the same as
            that of an audit without an interruption. A finished audit is only read.

    Returns:
        Scores with intervals, and all responses.

    Raises:
        AuditInterruptedError: If the classifier fails half-way or gives what is no response; its `audit`, and
            `out`, hold what was measured until then.
        KeyboardInterrupt: On Ctrl-C; `out` holds what was measured until then.
        ConfiguralError: If an argument is not possible, or `out` holds something else or is in use.
        OSError: If the disk is full or not writable; `resume` continues from there.

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
    if out is not None:
        refuse_other(Path(out), resume=resume)
    elif resume:
        raise ConfiguralError("resume needs out, the folder of the audit to resume")
    chosen = [find_probe(probe) for probe in (PROBES.names() if probes is None else probes)]
    classifier, library = respondent(predict), load(source)
    own_size = getattr(classifier, "image_size", None)
    if own_size is not None and image_size not in (None, own_size):
        raise ConfiguralError(f"image_size {image_size}: this classifier takes {own_size} pixels; leave it out")
    condition = find_condition(condition, scheme=library.scheme)
    settings = AuditConfig.of(
        source=library.source,
        condition=condition.name,
        split=split,
        pairs=pairs,
        seed=seed,
        image_size=image_size or own_size or 224,
        probes=tuple(probe.name for probe in chosen),
        batch_size=batch_size,
    )
    names = (name, getattr(predict, "__name__", ""), getattr(classifier, "name", ""), type(predict).__name__)
    return carry_out(
        settings,
        classifier,
        library,
        condition,
        chosen,
        name=str(next(filter(None, names))),
        out=None if out is None else Path(out),
        resume=resume,
        weights=models.digest(predict),
    )


def carry_out(
    settings: AuditConfig,
    classifier: Respondent,
    library: Library,
    condition: str | Condition,
    probes: Sequence[Probe],
    *,
    name: str,
    out: Path | None,
    resume: bool,
    weights: str = "",
    write_page: Callable[[Path], object] | None = None,
) -> Audit:
    """An audit with settings that say all, of what they name; see `audit`, and its page if that is wanted."""
    if len(set(settings.probes)) < len(probes):
        raise ConfiguralError(f"probes {', '.join(settings.probes)}: two of them have the same name")
    material = make_material(library, condition, pairs=settings.pairs, seed=settings.seed, split=settings.split)
    facts = Facts(
        name=name,
        object=library.scheme.name,
        parts=tuple(kind.replace("_", " ") for kind in library.scheme.part_kinds),
        class_names=library.scheme.class_names,
        fingerprint=library.fingerprint,
        background=material.condition.background,
        configural=__version__,
        weights=weights,
        versions=models.versions(),
        date=date.today().isoformat(),
    )
    new = Audit(settings, facts, {probe.name: ProbeCard.of(probe) for probe in probes}, scores_frame({}))
    with nullcontext() if out is None else audit_folder(out, new, resume=resume) as stored:
        if stored is not None:
            new = replace(new, facts=new.facts.model_copy(update={"date": stored.facts.date}))
        done = stored
        if done is None or done.interruption:
            done = _measured(new, classifier, probes, material, out=out, stored=stored)
        if out is not None:
            if write_page is not None:
                write_page(out)
            if not manifest.is_sealed(out):
                manifest.seal(out)
        return done


def _measured(
    new: Audit,
    classifier: Respondent,
    probes: Sequence[Probe],
    material: Material,
    *,
    out: Path | None,
    stored: Audit | None,
) -> Audit:
    """All that an audit measures, in a folder that this process holds, which may hold a part of it already."""
    scores: dict[str, list[Score]] = {}

    def closed(interruption: str, *written: str) -> Audit:
        # Only after its responses does a classifier know all about its outputs.
        known = new.facts.model_copy(update={"classifier": described(classifier)})
        done = replace(
            new, facts=known, scores=scores_frame(scores), draws=_draws(new, scores), interruption=interruption
        )
        if out is not None:
            done.save(out, written)
        return done

    obstacles = {probe.name: probe.obstacle(classifier) for probe in probes}  # some ask it about an image
    kept: dict[str, pd.DataFrame] = {}
    asking = Asking(classifier, new.settings.image_size, new.settings.batch_size)
    if stored is not None:
        shown = {probe.name: probe.trials(material) for probe in probes if not obstacles[probe.name]}
        kept = kept_responses(stored, {name: trials.notes for name, trials in shown.items()}, folder=out)
        for probe in [probe for probe in probes if probe.name in kept][:1]:
            _refuse_another_classifier(asking, probe, shown[probe.name], kept[probe.name])
    for probe in probes:
        if why := obstacles[probe.name]:
            new.left_out[probe.name] = why
            continue
        try:
            trials = probe.trials(material)
            answered = [kept.get(probe.name, pd.DataFrame())]
            begin = len(answered[0])
            if begin and "log_odds" in answered[0]:
                asking.remember(probe, trials, answered[0]["log_odds"])
            try:
                with progress.bar(probe.name.replace("_", " "), len(trials)) as update:
                    update(begin)
                    for columns in asking.ask(probe, trials, begin=begin):
                        answered.append(pd.DataFrame(columns))
                        update(sum(map(len, answered)))
            finally:
                given = pd.concat(answered, ignore_index=True)
                responses = pd.concat([trials.notes.head(len(given)), given], axis=1)
                new.responses[probe.name] = responses
            if out is not None:
                save_responses(out, probe.name, responses)
            kept_in = Path(out or "") / "responses" / f"{probe.name}.parquet"
            blamed = reading(kept_in, "responses that can be scored", "; remove it and resume")
            with blamed if begin else nullcontext():
                scores[probe.name] = _scored(probe, responses, material)
            renderer = asking.renderer(trials.library, at_least=_LARGE_ENOUGH)
            log_odds = responses.get("log_odds", pd.Series(np.nan, responses.index))
            new.examples[probe.name] = [
                Example(caption, renderer.draw(trials.stimuli[row]), float(log_odds[row]))
                for row, caption in probe.examples(_plain(responses)).items()
            ]
            for caption, image in probe.maps(classifier, trials, image_size=asking.image_size):
                new.examples[probe.name].append(Example(caption, image, np.nan))
            if scores[probe.name]:
                new.drawings[probe.name] = partial(probe.figure, scores_frame({probe.name: scores[probe.name]}))
            closed(UNFINISHED, probe.name)
        except OSError:
            raise  # of the folder, for a classifier's own is a ConfiguralError; so there is no use in writing more
        except (Exception, KeyboardInterrupt) as error:
            stopped = isinstance(error, KeyboardInterrupt)
            said = str(error) or ("interrupted" if stopped else type(error).__name__)
            if probe.name not in said:
                said = f"probe {probe.name}: {said}"
            new.left_out[probe.name] = "interrupted" if stopped else "failed"
            new.drawings.pop(probe.name, None)  # which may be what failed
            interrupted = closed(said, probe.name)
            measured = "" if out is None else f"; what was measured until then is in {out}, repeat it with resume"
            if stopped:
                raise KeyboardInterrupt(f"{said}{measured}") from error
            if not isinstance(error, ConfiguralError):
                raise  # no fault of the user's
            raise AuditInterruptedError(f"{said}{measured}", interrupted) from error
    return closed("")


def _draws(audit: Audit, scores: dict[str, list[Score]]) -> dict[str, np.ndarray]:
    """By heading of the summary, the score in each draw of exemplars."""
    found = {}
    for heading, (probe, which) in audit.summary().items():
        named = (score for score in scores.get(probe, []) if score.name == which.score)
        known = (score for score in named if which.of in (None, score.of) and which.at in (None, score.at))
        estimate = next((score.estimate for score in known), None)
        if estimate is not None and estimate.draws is not None and not np.isnan(estimate.value):
            found[heading] = estimate.draws
    return found


def _refuse_another_classifier(asking: Asking, probe: Probe, trials: Trials, before: pd.DataFrame) -> None:
    """Raise if a classifier no longer responds to some images as an interrupted audit says."""
    for column, now in next(asking.ask(probe, trials, again=True)).items():
        rows = min(len(now), len(before))
        if column not in before or not np.allclose(before[column][:rows], now[:rows], rtol=1e-3, atol=1e-3):
            raise ConfiguralError(
                f"the classifier gives other responses to the probe {probe.name} now than when the audit was "
                "begun; resume with the same one, or choose another out"
            )


def _plain(responses: pd.DataFrame) -> pd.DataFrame:
    """Rows and columns are chosen by their words many times, which takes long with the strings of Arrow."""
    words = {name: object for name, kind in responses.dtypes.items() if isinstance(kind, pd.StringDtype)}
    return responses.astype(words).set_axis(responses.columns.astype(object), axis=1)


def _scored(probe: Probe, responses: pd.DataFrame, material: Material) -> list[Score]:
    scores = probe.score(_plain(responses), material)
    for score in scores if isinstance(scores, list) else [scores]:
        if not isinstance(scores, list) or not isinstance(score, Score):
            raise ConfiguralError(f"probe {probe.name}: it gave {type(score).__name__} instead of a list of Score")
        if not isinstance(score.estimate, Estimate):
            wanted = "an Estimate, such as material.bootstrap.mean gives"
            raise ConfiguralError(f"probe {probe.name}: the estimate of its '{score.name}' is not {wanted}")
    return scores


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
    persons = dict(zip((one.name for one in library.exemplars), library.persons, strict=True))
    return Material(library, table, Bootstrap(seed, persons=persons))
