"""The audit: every probe asked of one classifier."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configural import __version__, progress
from configural.audit.intervals import Bootstrap
from configural.audit.probe import Material, Obstructed, Probe, Score, Trials, scores_frame
from configural.audit.probes import PROBES, Displacement, ReceptiveField
from configural.audit.probes.receptive_field import evidence_map
from configural.audit.querying import QueryInterruptedError, ask
from configural.audit.result import Audit, Example, save_answers
from configural.errors import ConfiguralError
from configural.io.files import refuse_used
from configural.models.classifiers import Differentiable, Predict, Subject
from configural.models.classifiers import subject as find_subject
from configural.portraits import Library, load
from configural.stimuli import Condition, Renderer, sample
from configural.stimuli import condition as find_condition


class AuditInterruptedError(ConfiguralError):
    """The audit ended before its end, most often since the classifier failed.

    Attributes:
        audit: What was measured until then.
    """

    def __init__(self, message: str, audit: Audit) -> None:
        super().__init__(message)
        self.audit = audit


def audit(
    predict: Predict | Subject,
    faces: str | Library = "synthetic",
    condition: str | Condition = "baseline",
    image_size: int = 224,
    pairs: int = 500,
    seed: int = 0,
    split: str = "paper",
    probes: Sequence[str | Probe] = PROBES,
    name: str = "",
    batch_size: int = 100,
    out: Path | str | None = None,
) -> Audit:
    """Ask whether a classifier of faces uses how parts relate.

    Args:
        predict: A function from uint8 RGB images (n, image_size, image_size, 3) to n probabilities of face; or a
            classifier that gives log-odds, such as those of `configural.models.adapters`, which do not saturate.
        faces: The exemplars to make images of.
        condition: How they are made; paired with wrong arrangements in any case.
        image_size: Rows and columns of the images.
        pairs: How many matched pairs there are; the other probes use up to a fixed number of them.
        seed: Of all that is drawn.
        split: `paper` uses all exemplars; `identity` those of the test persons alone, which a network that was trained
            with that split and this seed has not seen.
        probes: Which, by name, or a probe with settings of one's own.
        name: What to call the classifier.
        batch_size: Images at a time.
        out: A folder for the answers, which are written probe by probe, and the results; new or empty.

    Returns:
        Scores with intervals, and all answers.

    Raises:
        AuditInterruptedError: If the classifier fails half-way or gives what is no answer; its `audit`, and `out`, hold
            what was measured until then.
        KeyboardInterrupt: On Ctrl-C; `out` holds what was measured until then.
        ConfiguralError: If an argument is not possible.
    """
    folder = Path(out) if out is not None else None
    if folder is not None:
        refuse_used(folder)
    if pairs < 2:
        raise ConfiguralError(f"pairs {pairs} are too few: at least 2, and hundreds for narrow intervals")
    if batch_size < 1:
        raise ConfiguralError(f"batch size {batch_size} must be at least 1")
    subject, chosen = find_subject(predict), [find_probe(probe) for probe in probes]
    library = load(faces, seed=0)
    material = make_material(library, condition, image_size, pairs, seed, split)
    settings: dict[str, Any] = {
        "name": name or getattr(predict, "__name__", type(predict).__name__),
        "faces": library.source,
        "fingerprint": library.fingerprint,
        "condition": material.condition.name,
        "background": material.condition.background,
        "image_size": image_size,
        "pairs": pairs,
        "seed": seed,
        "split": split,
        "probes": [probe.name for probe in chosen],
        "relation_index_at": next(
            (probe.at for probe in chosen if isinstance(probe, Displacement)), Displacement.at
        ),
        "configural": __version__,
    }
    bootstrap = Bootstrap(seed)
    scores: dict[str, list[Score]] = {}
    answers: dict[str, pd.DataFrame] = {}
    examples: dict[str, list[Example]] = {}
    left_out: dict[str, str] = {}

    def found(broken: str = "") -> Audit:
        return Audit(settings, scores_frame(scores), answers, examples, left_out, broken)

    for probe in chosen:
        if isinstance(probe, Obstructed) and (why := probe.obstacle(subject)):
            left_out[probe.name] = why
            continue
        try:
            trials = probe.trials(material)
            with progress.bar(probe.name.replace("_", " "), len(trials)) as update:
                answers[probe.name] = ask(subject, probe, trials, image_size, batch_size, update)
            if folder is not None:
                save_answers(folder, probe.name, answers[probe.name])
            scores[probe.name] = probe.score(answers[probe.name], bootstrap)
            examples[probe.name] = list(_examples(probe, trials, answers[probe.name], image_size))
            if isinstance(probe, ReceptiveField) and isinstance(subject, Differentiable):
                examples[probe.name] += _evidence(subject, trials, image_size)
        except (Exception, KeyboardInterrupt) as error:
            if isinstance(error, QueryInterruptedError):
                answers[probe.name] = error.answers
            stopped = isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt)
            said = str(error) or ("interrupted" if stopped else type(error).__name__)
            left_out[probe.name] = "interrupted" if stopped else "broken off"
            broken = found(said)
            kept = ""
            if folder is not None:
                broken.save(folder)
                kept = f"; what was measured until then is in {folder}"
            if stopped:
                raise KeyboardInterrupt(f"{said}{kept}") from error
            if not isinstance(error, ConfiguralError):
                raise  # no fault of the user's
            raise AuditInterruptedError(f"{said}{kept}", broken) from error
    done = found()
    if folder is not None:
        done.save(folder)
    return done


def make_material(
    faces: Library, condition: str | Condition, image_size: int, pairs: int, seed: int, split: str = "paper"
) -> Material:
    """Matched pairs to make all probes' stimuli from.

    Raises:
        ConfiguralError: If the condition leaves slots empty, or cannot be drawn.
    """
    condition = find_condition(condition)
    if len(condition.filled) < 4:
        raise ConfiguralError(f"condition {condition.name} leaves slots empty; an audit needs all four parts")
    if condition.arrangement == "upright":
        raise ConfiguralError(f"condition {condition.name} knows no wrong arrangement to compare with")
    if split == "paper":
        table = sample(faces, condition, split, 2 * pairs, seed, pairs=True)
    else:
        # 15 % of a class are its test.
        table = sample(faces, condition, split, 2 * -(-pairs * 20 // 3) + 40, seed, pairs=True).subset("test")
        table = replace(table, frame=table.frame.groupby("label").head(pairs).reset_index(drop=True))
    return Material(faces, table, image_size)


def find_probe(probe: str | Probe) -> Probe:
    """The probe of that name; a probe is returned as it is.

    Raises:
        ConfiguralError: If there is none.
    """
    if not isinstance(probe, str):
        return probe
    for known in PROBES:
        if known.name == probe:
            return known
    raise ConfiguralError(f"unknown probe '{probe}': choose from {', '.join(known.name for known in PROBES)}")


def _examples(probe: Probe, trials: Trials, answers: pd.DataFrame, image_size: int) -> Iterator[Example]:
    # Large enough to be seen on a page even where the classifier takes small images.
    renderer = Renderer(trials.faces, max(image_size, 112))
    for row, caption in probe.examples(trials.notes).items():
        log_odds = float(answers["log_odds"][row]) if "log_odds" in answers else np.nan
        yield Example(caption, renderer.draw(trials.stimuli[row]), log_odds)


def _evidence(subject: Differentiable, trials: Trials, image_size: int) -> Iterator[Example]:
    """Maps of the cells' evidence over the first faces: blue for face, orange against, pale where there is none."""
    renderer = Renderer(trials.faces, image_size)
    for number, stimulus in enumerate(trials.stimuli[:2], 1):
        image = renderer.draw(stimulus)
        cells = evidence_map(subject, image)
        if cells is None:
            return
        strength = np.clip(cells / max(np.abs(cells).max(), 1e-9), -1, 1)
        side = -(-224 // len(cells))
        strength = np.kron(strength, np.ones((side, side)))[..., None]
        grey = Renderer(trials.faces, len(strength)).draw(stimulus).mean(axis=2, keepdims=True)
        colour = np.where(strength > 0, (0, 114, 178), (230, 159, 0))
        shown = grey * (1 - 0.7 * np.abs(strength)) + colour * 0.7 * np.abs(strength)
        yield Example(f"evidence of the cells, face {number}: blue for face, orange against", _bytes(shown), np.nan)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
