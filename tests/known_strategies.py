"""Classifiers of known strategy that are built to fool the audit, by description or by pixels."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import cv2
import numpy as np

from configural.audit import observers
from configural.audit.observers import PositionObserver, RelationObserver
from configural.audit.positions import part_positions
from configural.models.classifiers import CLIP
from configural.portraits import Library
from configural.stimuli import Condition, Stimulus
from configural.stimuli import condition as find_condition
from configural.stimuli.layout import layout_of, square_padding

EDGE = np.log(1 - CLIP) - np.log(CLIP)
"""Where log-odds of a probability of 0 or 1 end."""


@dataclass(frozen=True, eq=False)
class Described:
    """Log-odds from the positions of the parts, in the order of the part kinds."""

    library: Library
    of_positions: Callable[[np.ndarray], np.ndarray]

    def log_odds_of(self, stimuli: Any) -> np.ndarray:
        """Parts that are not shown are nan."""
        return np.nan_to_num(np.asarray(self.of_positions(part_positions(self.library, stimuli)), float), nan=-6.0)


@dataclass(frozen=True, eq=False)
class Mixed:
    """Log-odds from those of other observers."""

    parts: tuple[Any, ...]
    together: Callable[..., np.ndarray]

    def log_odds_of(self, stimuli: Any) -> np.ndarray:
        """Each asked about the same stimuli."""
        return np.asarray(self.together(*(one.log_odds_of(stimuli) for one in self.parts)))


@dataclass(frozen=True, eq=False)
class OnCanvas:
    """Another observer's responses where there is a canvas; a constant where there is none."""

    inner: Any
    elsewhere: float = 0.0

    def log_odds_of(self, stimuli: list[Stimulus]) -> np.ndarray:
        """As a classifier that finds the head by its outline."""
        seen = [one.condition.background == "canvas" for one in stimuli]
        return np.where(seen, self.inner.log_odds_of(stimuli), self.elsewhere)


@dataclass(frozen=True, eq=False)
class OnPortrait:
    """Log-odds from the positions of the parts on the portrait, wherever in the image that lies."""

    library: Library
    of_positions: Callable[[np.ndarray], np.ndarray]

    def log_odds_of(self, stimuli: list[Stimulus]) -> np.ndarray:
        """As of a portrait in the middle of the image."""
        sides = self.library.canvas_sizes[[self.library.position(one.host) for one in stimuli]]
        placements = np.array([one.placement for one in stimuli])
        moved = square_padding(sides, placements) - square_padding(sides, np.full(len(stimuli), "middle"))
        on_it = part_positions(self.library, stimuli) - (moved / sides.max(axis=1, keepdims=True))[:, None]
        return np.nan_to_num(np.asarray(self.of_positions(on_it), float), nan=-6.0)


@dataclass(frozen=True, eq=False)
class Placed:
    """Whether the portrait is in the middle of the image, and nothing of its parts."""

    library: Library

    def log_odds_of(self, stimuli: list[Stimulus]) -> np.ndarray:
        """-6 if it is not."""
        return np.where([one.placement == "middle" for one in stimuli], 0.0, -6.0)


@dataclass(frozen=True, eq=False)
class Uncovered:
    """A bag of parts that minds what the box of one covers of the box of another, and nothing else."""

    library: Library

    def log_odds_of(self, stimuli: list[Stimulus]) -> np.ndarray:
        """2 less 40 times the covered fractions of all boxes, -6 at the least."""
        layout = layout_of(self.library, stimuli, position=self.library.position)
        low, high = layout.low[:, :, None], layout.high[:, :, None]
        sides = np.minimum(high, layout.high[:, None]) - np.maximum(low, layout.low[:, None])
        common = sides.clip(0).prod(axis=-1) * (1 - np.eye(low.shape[1]))
        covered = (common / (high - low).prod(axis=-1)).sum(axis=(1, 2))
        return np.asarray(np.maximum(2 - 20 * covered - 8 * (~layout.filled).sum(axis=1), -6))


@dataclass(frozen=True, eq=False)
class NoiseEachTime:
    """Another observer's responses with other noise at every asking."""

    inner: Any
    deviation: float = 1.0
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def log_odds_of(self, stimuli: Any) -> np.ndarray:
        """As with dropout that is left on."""
        return np.asarray(self.inner.log_odds_of(stimuli) + self.deviation * self.random.normal(size=len(stimuli)))


@dataclass(frozen=True, eq=False)
class BatchNormed:
    """Another observer's responses less the mean of the batch, over its deviation."""

    inner: Any

    def log_odds_of(self, stimuli: Any) -> np.ndarray:
        """As with batch normalisation in training mode."""
        scores = self.inner.log_odds_of(stimuli)
        return np.asarray(6 * (scores - scores.mean()) / (scores.std() + 1e-3))


class Pixels:
    """Log-odds from a function of RGB images, centred and scaled on some images with known labels."""

    def __init__(
        self, of_images: Callable[[np.ndarray], np.ndarray], images: np.ndarray, labels: np.ndarray
    ) -> None:
        self.of_images = of_images
        values = of_images(images)
        means = [values[labels == label].mean() for label in (0, 1)]
        self.middle, self.slope = np.mean(means), 4 * np.sign(means[1] - means[0]) / (values.std() + 1e-9)

    def log_odds(self, images: np.ndarray) -> np.ndarray:
        """Whatever tells the classes apart on average is turned the right way."""
        return np.asarray(self.slope * (self.of_images(images) - self.middle))


def brightness(images: np.ndarray) -> np.ndarray:
    """The mean grey level."""
    return images.mean(axis=(1, 2, 3))


def edges(images: np.ndarray) -> np.ndarray:
    """The energy of differences between neighbouring pixels."""
    grey = images.mean(axis=3)
    return np.asarray(
        np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2)) + np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2))
    )


class BagOfTemplates:
    """The best match of each part's template anywhere in the image, added up."""

    def __init__(self, library: Library, size: int) -> None:
        self.templates = []
        for kind in range(len(library.scheme.part_kinds)):
            parts = [exemplar.parts[kind].pixels for exemplar in library.exemplars]
            side = size / library.sides[0]
            shape = (max(3, round(parts[0].shape[1] * side)), max(3, round(parts[0].shape[0] * side)))
            small = [cv2.resize(part, shape, interpolation=cv2.INTER_AREA).mean(axis=2) for part in parts]
            self.templates.append(np.mean(small, axis=0).astype(np.float32))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The sum of the largest normalised correlations."""
        grey = images.mean(axis=3).astype(np.float32)
        return np.array(
            [sum(cv2.matchTemplate(one, t, cv2.TM_CCOEFF_NORMED).max() for t in self.templates) for one in grey]
        )


def features(library: Library, condition: Condition) -> tuple[np.ndarray, np.ndarray]:
    """Where parts lie and how they lie to each other, on average in correct arrangements."""
    return PositionObserver(library, condition).expected, RelationObserver(library, condition).expected


def near(positions: np.ndarray, expected: np.ndarray, radius: float = 0.12) -> np.ndarray:
    """1 at what is expected, falling to 0 at a radius."""
    return np.maximum(0, 1 - np.linalg.norm(positions - expected, axis=-1) / radius)


def described(library: Library, name: str = "baseline") -> dict[str, Any]:
    """Observers of descriptions, by name; each is right in most images of the condition."""
    condition = find_condition(name, scheme=library.scheme)
    places, pairs = features(library, condition)
    known = observers(library, condition)
    relations, positions = known["relation observer"], known["position observer"]
    first, second = np.transpose([(a, b) for a in range(4) for b in range(a + 1, 4)])

    def relation(p: np.ndarray) -> np.ndarray:
        return near(p[:, first] - p[:, second], pairs)

    def order(p: np.ndarray) -> np.ndarray:
        rows = p[..., 0]
        above = (rows[:, 2:3] > rows[:, :2]).sum(axis=1) + (rows[:, 3] > rows[:, 2])
        return 4.0 * above - 10

    def eyes(p: np.ndarray) -> np.ndarray:
        return 20 * near(p[:, 0] - p[:, 1], places[0] - places[1]) - 10

    def outline(p: np.ndarray) -> np.ndarray:
        wanted = places.max(axis=0) - places.min(axis=0)
        return 16 * near(p.max(axis=1) - p.min(axis=1), wanted, 0.1) - 8

    def long_face(p: np.ndarray) -> np.ndarray:
        away = (p - places)[..., 0]
        return 40 * away[:, 3] - 20 * away[:, :2].mean(axis=1) + 3

    def halves(p: np.ndarray) -> np.ndarray:
        eyes, mouth = places[:2, 0].mean(), places[3, 0]
        high = np.clip((0.6 * eyes + 0.4 * mouth - p[:, :2, 0].max(axis=1)) / 0.03, -1, 1)
        return 3 * np.maximum(high, np.clip((p[:, 3, 0] - 0.4 * eyes - 0.6 * mouth) / 0.03, -1, 1))

    def coarse(p: np.ndarray) -> np.ndarray:
        apart, wanted = (np.linalg.norm(q[..., first, :] - q[..., second, :], axis=-1) for q in (p, places))
        return 7 - 30 * np.maximum(0, np.abs(apart - wanted) - 0.06).sum(axis=1)

    def zones(p: np.ndarray) -> np.ndarray:
        low = p[:, 3, 0] > places[3, 0] - 0.24
        high = (p[:, :2, 0] < places[:2, 0] + 0.24).all(axis=1)
        return 10 * (low & high) - 5 + 0.35 * relation(p).sum(axis=1)

    def constellation(p: np.ndarray) -> np.ndarray:
        shape = places - places.mean(axis=0)
        orders = np.array(list(permutations(range(len(shape)))))
        lies = p - p.mean(axis=1, keepdims=True)
        costs = ((lies[:, None] - shape[orders]) ** 2).sum(axis=(2, 3)) / 0.05**2
        best = orders[np.nan_to_num(costs, nan=np.inf).argmin(axis=1)]
        named = (best[:, :2] < 2).sum(axis=1) + (best[:, 2] == 2) + (best[:, 3] == 3)  # either eye in either place
        return 2.5 * named - 6 - 24 * costs.min(axis=1)

    def guards(p: np.ndarray) -> np.ndarray:
        down, right = (p - places)[..., 0], (p - places)[..., 1]
        tall = np.minimum(down[:, 3], -down[:, :2].min(axis=1)).clip(0)
        wide = np.minimum(-right[:, 0], right[:, 1]).clip(0)
        return np.where(p[:, 3, 0] > places[2:, 0].mean(), 4, -4) - np.minimum(12, 250 * (tall + wide))

    def order_and_place(p: np.ndarray) -> np.ndarray:
        rows, middle = p[..., 0], np.linalg.norm((p - places).mean(axis=1), axis=1)
        right = (p[:, 0, 1] < p[:, 1, 1]) & (rows[:, :2].max(axis=1) < rows[:, 2]) & (rows[:, 2] < rows[:, 3])
        return np.where(right, 3, -117) - 5 * np.minimum(1, middle / 0.035)

    def directions(p: np.ndarray) -> np.ndarray:
        def angles(q: np.ndarray) -> np.ndarray:
            lines = q[..., [1, 2, 3], :] - q[..., [0, 0, 2], :]
            return np.arctan2(lines[..., 0], lines[..., 1])

        away = np.degrees(np.angle(np.exp(1j * (angles(p) - angles(places)))))
        return 5 * np.exp(-((away / 10) ** 2) / 2).sum(axis=1) - 9

    def gaussian(p: np.ndarray) -> np.ndarray:
        away = np.linalg.norm(p[:, first] - p[:, second] - pairs, axis=-1)
        return 8 - ((away / 0.02) ** 2).sum(axis=1)

    def on(of_positions: Callable[[np.ndarray], np.ndarray]) -> Described:
        return Described(library, of_positions)

    return {
        "half and half": Mixed((relations, positions), lambda a, b: 0.5 * a + 0.5 * b),
        "a quarter relations": Mixed((relations, positions), lambda a, b: 0.1 * a + 0.9 * b),
        "half and half, saturated": Mixed((relations, positions), lambda a, b: 8 * np.tanh((a + b) / 8)),
        "all positions needed, product": on(lambda p: 16 * near(p, places).prod(axis=1) - 2),
        "all positions needed, min": on(lambda p: 16 * near(p, places).min(axis=1) - 4),
        "all heights needed, min": on(
            lambda p: 16 * np.maximum(0, 1 - np.abs(p - places)[..., 0] / 0.12).min(axis=1) - 4
        ),
        "positions, bent": Mixed((positions,), lambda b: 6 * np.tanh(b / 4)),
        "positions, hard labels": Mixed((positions,), lambda b: EDGE * np.sign(b)),
        "relations, min": on(lambda p: 16 * relation(p).min(axis=1) - 4),
        "relations, hard labels": Mixed((relations,), lambda a: EDGE * np.sign(a)),
        "relations, temperature 10": Mixed((relations,), lambda a: a / 10),
        "relations in a window": on(
            lambda p: 3 * (relation(p) * np.all(np.abs(p - 0.5) < 0.22, axis=2)[:, first]).sum(axis=1) - 6
        ),
        "floating template of short reach": on(
            lambda p: 3 * relation(p).sum(axis=1) * (np.linalg.norm((p - places).mean(axis=1), axis=1) < 0.06) - 6
        ),
        "relations, and to the canvas": Mixed(
            (relations, OnCanvas(positions, -8.0)), lambda a, b: 0.5 * a + 0.5 * b + 2
        ),
        "positions on the canvas": OnCanvas(positions),
        "order only": on(order),
        "eyes only": on(eyes),
        "outline": on(outline),
        "relations within a head": OnCanvas(relations, -6.0),
        "relations within a head, else positions": Mixed(
            (OnCanvas(relations, 100.0), positions), lambda a, b: np.where(a < 100, a, b)
        ),
        "positions within a head, else relations": Mixed(
            (OnCanvas(positions, 100.0), relations), lambda a, b: np.where(a < 100, a, b)
        ),
        "long face, mouth low": on(long_face),
        "eyes high or mouth low": on(halves),
        "coarse distances": on(coarse),
        "coarse zones of the image, faint relations": on(zones),
        "shape and names": on(constellation),
        "positions on the portrait": OnPortrait(library, lambda p: 4 * near(p, places).sum(axis=1) - 7),
        "no part covered": Uncovered(library),
        "two parts beyond bounds of the image": on(guards),
        "positions on the portrait, and its place": Mixed(
            (OnPortrait(library, lambda p: 4 * near(p, places).sum(axis=1) - 7), Placed(library)), np.add
        ),
        "order, and where the whole lies": on(order_and_place),
        "directions between parts": on(directions),
        "distances without end": on(gaussian),
        "relations or positions, either": Mixed((relations, positions), np.maximum),
        "knows none of these": Mixed((relations,), lambda a: a / 3 - 20),
        "classes the other way round": Mixed((relations,), lambda a: -a),
    }
