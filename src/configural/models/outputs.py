"""What a classifier's outputs say: log-odds of one class, from logits or probabilities."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from configural.errors import ConfiguralError
from configural.models.classifiers import CLIP, FINEST
from configural.objects import OBJECTS

GIVEN = ("logits", "probabilities")
"""What outputs may be said to be."""

_TRIED = 32
"""Images from which it is decided once what the outputs are."""

_ROUNDED = 0.02
"""Sums of probabilities that are this near to 1 are 1 but for rounding, to 8 bits at the most."""

_OFF = 1e-3
"""Probabilities are off their bounds by rounding, to 16 bits at the most, but not by more."""


class Reading:
    """How a classifier's outputs are read.

    Args:
        positive: The class whose log-odds are wanted, by position or label; None if nobody has said it.
        output: `logits`, `probabilities`, the name or position of one of several outputs, or `name:logits`; None
            for the one named logits, or the first.
        labels: Of its classes, where it says them.
        known: `logits` or `probabilities`, where the kind of model tells it; else it is seen from the outputs.
        apart: Whether each class has a sigmoid of its own, so that a single number is of class 0.
    """

    def __init__(
        self,
        positive: str | int | None,
        output: str | None,
        labels: Mapping[int, str] | None = None,
        *,
        known: str = "",
        apart: bool = False,
    ) -> None:
        name, _, given = (output or "").rpartition(":")
        self.output, self.given = (name, given) if given in GIVEN else (output or "", known)
        self.positive, self.labels, self.apart = positive, labels or {}, apart
        self.guessed: list[str] = []  # what nobody has said
        self.classes = 0  # columns of the outputs; 0 until it is decided what they are
        self._position, self._normalised, self._fine = 1, False, False
        if labels is not None:
            self._find_position(len(labels))

    def decide(self, outputs: Any, respond: Callable[[UInt8[np.ndarray, "n h w 3"]], Any], image_size: int) -> None:
        """Find out, once, what the outputs are; whatever comes later is read in the same way.

        Where their shape and what was said do not tell it, responses to images of noise do.

        Raises:
            ConfiguralError: If the outputs cannot be read, or might be one thing or the other.
        """
        if self.classes:
            return
        columns = self.numbers(outputs).shape[1]
        if self.labels and columns not in (1, len(self.labels)):
            raise ConfiguralError(f"the model's output has {columns} columns, but {len(self.labels)} labels")
        self._find_position(max(2, columns))
        if not self.given or (self.given == "probabilities" and columns > 1):
            with torch.inference_mode():
                self._see(self.numbers(respond(noise(image_size))))
        self.classes = columns

    def _see(self, values: Float[Tensor, "n classes"]) -> None:
        """Logits, or probabilities that sum to 1 but for rounding; else, unless somebody has said it, raise."""
        within = bool(((values >= 0) & (values <= 1)).all())
        several = values.shape[1] > 1
        self._normalised = several and within and bool(((values.sum(dim=1) - 1).abs() <= _ROUNDED).all())
        if self.given:
            return
        if within and not self._normalised:
            raise ConfiguralError(
                f"the outputs for {_TRIED} images all lie between 0 and 1"
                + (", but do not sum to 1" if several else "")
                + ": say what they are, output probabilities or logits"
            )
        self.given = "probabilities" if self._normalised else "logits"
        self.guessed.append("output")

    def numbers(self, outputs: Any) -> Float[Tensor, "n classes"]:
        """The one output that counts, as (n, classes) or, of one number per image, (n, 1).

        Raises:
            ConfiguralError: If there is no such output, or it has another shape.
        """
        found, guessed = _chosen(outputs, self.output)
        if guessed and "which output" not in self.guessed:
            self.guessed.append("which output")
        self._fine = str(getattr(found, "dtype", "")).endswith("float64")
        try:
            found = found if isinstance(found, Tensor) else torch.from_numpy(np.asarray(found, np.float64))
        except (TypeError, ValueError):
            raise ConfiguralError(
                f"the model returned a {type(found).__name__}; wanted are numbers, (n,) or (n, classes)"
            ) from None
        shape = tuple(found.shape)
        while found.ndim > 2 and found.shape[-1] == 1:
            found = found[..., 0]
        if found.ndim == 1:
            found = found[:, None]
        if found.ndim != 2 or not found.shape[1]:
            raise ConfiguralError(f"the model's output has shape {shape}; wanted is (n,) or (n, classes)")
        return found if found.dtype == torch.float64 else found.float()

    def log_odds(self, outputs: Any) -> Float[Tensor, " n"]:
        """Log-odds of the class, differentiable.

        Probabilities are clipped to `CLIP` from 0 and 1; those of two columns of 64 bits, to `FINEST`.
        Of logits, the class's against the log-sum-exp of the others'. Of one number per image, this is the logit or
        the probability of the class at position 1.

        Raises:
            ConfiguralError: If the outputs have changed their shape, are no probabilities, or no numbers.
        """
        values = self.numbers(outputs)
        if values.shape[1] != self.classes:
            raise ConfiguralError(f"the model's output has {values.shape[1]} columns; there were {self.classes}")
        log_odds = self._of_position(values)
        if missing := int((~log_odds.isfinite()).sum()):
            raise ConfiguralError(
                f"the model gave NaN or infinity for {missing} of {len(log_odds)} images; are its weights damaged?"
            )
        return log_odds

    def _of_position(self, values: Float[Tensor, "n classes"]) -> Float[Tensor, " n"]:
        p = self._position
        if self.given == "probabilities":
            values = values.cpu().double()  # which not every device has
            outside = values[(values < -_OFF) | (values > 1 + _OFF)]
            if len(outside):
                raise ConfiguralError(
                    f"the model gave {float(outside[0]):g}, outside of 0 to 1; wanted are probabilities (are these "
                    "logits? say output='logits')"
                )
            if self._normalised:
                values = values / values.sum(dim=1, keepdim=True)
            if self._fine and self._normalised and self.classes == 2:
                return values[:, p].clamp(FINEST).log() - values[:, 1 - p].clamp(FINEST).log()
            values = torch.logit(values, eps=CLIP)
        elif self.classes > 1 and not self.apart:
            others = [position for position in range(self.classes) if position != p]
            return values[:, p] - values[:, others].logsumexp(dim=1)
        return values[:, p] if self.classes > 1 else values[:, 0] * (1 if p == 1 or self.apart else -1)

    def describe(self) -> dict[str, Any]:
        """The reading as plain values."""
        label = self.labels.get(self._position)
        decided = bool(self.classes or self.labels)
        undecided = "not seen yet" if self.positive is None else f"{self.positive}"
        return {
            "output": (f"{self.output}: " if self.output else "") + (self.given or "not seen yet"),
            "positive": f"{self._position}" + (f" ({label})" if label else "") if decided else undecided,
            "guessed": list(self.guessed),
        }

    def _find_position(self, classes: int) -> None:
        """Where the wanted class is among so many; without labels, a person may name it only by its position."""
        labels = self.labels
        shown = ", ".join(f"{position} ({labels[position]})" for position in labels) or f"0 to {classes - 1}"
        if self.positive is not None:
            wanted = str(self.positive)
            named = [at for at, label in labels.items() if label == wanted]
            if isinstance(self.positive, int):  # from Python, where a number is a position
                if self.positive in labels and named and named != [self.positive]:
                    raise ConfiguralError(
                        f"positive {wanted}: {wanted} is the position of {labels[self.positive]}, but another is "
                        f"called {wanted}; give the label as text, '{labels[self.positive]}' or '{wanted}'"
                    )
                named = []
            found = named or [position for position in range(classes) if wanted == str(position)]
            if len(found) != 1:
                why = "two classes are called so" if found else "there is no such class"
                raise ConfiguralError(f"positive '{wanted}': {why}; choose from {shown}")
            self._position = found[0]
            return
        correct = [_words(scheme.class_names[1]) for scheme in OBJECTS.values()]
        named = [position for position, label in labels.items() if _words(label) in correct]
        nameless = not labels or all(label.isdecimal() for label in labels.values())
        if len(named) == 1:
            self._position = named[0]
        elif not (nameless and classes == 2):
            raise ConfiguralError(f"positive: which class is the correct arrangement's? choose from {shown}")
        if "positive" not in self.guessed:
            self.guessed.append("positive")


@dataclass(frozen=True, eq=False, kw_only=True)
class OpenedClassifier:
    """A classifier whose outputs are read as log-odds.

    Attributes:
        reading: Of its outputs.
        kind: What it was opened from.
        preparation: What images go through first, in words.
        name: What to call it.
        image_size: Rows and columns that it takes; None if any.
        respond: From uint8 RGB images (n, h, w, 3) to its outputs.
        file: Where its weights are, if in a file.
    """

    reading: Reading
    kind: str
    preparation: str
    name: str
    image_size: int | None
    respond: Callable[[UInt8[np.ndarray, "n h w 3"]], Any]
    file: Path | None = None

    def log_odds(self, images: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, " n"]:
        """Log-odds of the correct class, in nats; see `Reading.log_odds`."""
        outputs = self.respond(images.copy())  # which a person's function may write into
        self.reading.decide(outputs, self.respond, images.shape[1])
        return np.asarray(self.reading.log_odds(outputs).cpu().double().numpy())

    def describe(self) -> dict[str, Any]:
        """What was understood."""
        if self.image_size is not None and not self.reading.classes:
            self.log_odds(np.zeros((1, self.image_size, self.image_size, 3), np.uint8))
        return {"kind": self.kind, "preparation": self.preparation, **self.reading.describe()}


def noise(size: int, count: int = _TRIED) -> UInt8[np.ndarray, "count size size 3"]:
    """Images of every colour and contrast, the same ones each time."""
    rng = np.random.default_rng(0)
    colours, contrasts = rng.integers(0, 256, (count, 1, 1, 3)), rng.uniform(0, 128, (count, 1, 1, 1))
    values = colours + contrasts * rng.standard_normal((count, size, size, 3))
    return values.clip(0, 255).astype(np.uint8)


def _words(label: str) -> tuple[str, ...]:
    """A label's words in lower case, whatever joins them."""
    return tuple(re.findall(r"[^\W_]+", label.lower()))


def _chosen(outputs: Any, name: str) -> tuple[Any, bool]:
    """One of several outputs, from a dictionary, a sequence or an object with attributes; and if it is a guess."""
    ordered = isinstance(outputs, Sequence) and any(isinstance(one, Tensor | np.ndarray) for one in outputs)
    if isinstance(outputs, Mapping):
        several = {str(key): output for key, output in outputs.items()}
    elif is_dataclass(outputs):
        several = {field.name: getattr(outputs, field.name) for field in fields(outputs)}
    elif ordered:
        names = getattr(outputs, "_fields", range(len(outputs)))
        several = {str(name): output for name, output in zip(names, outputs, strict=True)}
    elif not isinstance(outputs, Tensor | np.ndarray) and hasattr(outputs, name or "logits"):
        return getattr(outputs, name or "logits"), False
    elif name:
        raise ConfiguralError(f"output '{name}': the model has one output without a name")
    else:
        return outputs, False
    several = {key: output for key, output in several.items() if output is not None}
    if not name and "logits" not in several and (ordered or len(several) == 1):
        return next(iter(several.values())), len(several) > 1
    if name not in several and name.isdecimal() and int(name) < len(several):
        return list(several.values())[int(name)], False
    if (name or "logits") not in several:
        known = ", ".join(several)
        raise ConfiguralError(f"output{f' {name!r}' if name else ''}: the model has the outputs {known}; name one")
    return several[name or "logits"], False
