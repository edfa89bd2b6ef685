"""Asking models about states: each draws at its own size, and says log-odds."""

import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8

from configural.errors import ConfiguralError, first_line
from configural.explorer.drawing import stimulus_of
from configural.explorer.state import AskedState, Square, State
from configural.explorer.visitors import SentExemplar
from configural.models.classifiers import RespondsToImages
from configural.portraits import Library
from configural.stimuli import Renderer

_GREY = 128
_TOGETHER = 64
"""Images that a model is given at a time; a large one has no memory for hundreds."""


class ModelFailedError(ConfiguralError):
    """A model did not respond; the message names it."""


@dataclass(frozen=True, kw_only=True)
class AskedModel:
    """A model that responds to states.

    Attributes:
        name: What it is called on the page.
        image_size: Rows and columns of the images it is given.
        classifier: The model itself.
    """

    name: str
    image_size: int
    classifier: RespondsToImages


OWN = "own:"
"""How the names of visitors' own exemplars begin."""

MOST_OWN = 16
"""Exemplars that visitors may add."""


class Panel:
    """Models that are asked about the same states, each at its own image size.

    Not to be shared between threads, as its renderers are not.

    Example:
        >>> import configural as cf
        >>> from configural.explorer.drawing import state_of
        >>> library = cf.portraits.load("synthetic:2")
        >>> bright = cf.models.open(lambda images: images.mean(axis=(1, 2, 3)) / 255)
        >>> panel = Panel(library, [AskedModel(name="bright", image_size=32, classifier=bright)])
        >>> states = [state_of(stimulus, library) for stimulus in cf.stimuli.sample(library, count=2)]
        >>> panel.log_odds(states)["bright"].shape
        (2,)
    """

    def __init__(self, library: Library, models: Sequence[AskedModel]) -> None:
        self.library, self.models = library, tuple(models)
        self._own: set[str] = set()
        self._prepare()

    def _prepare(self) -> None:
        sizes = {model.image_size for model in self.models}
        self._renderers = {size: Renderer(self.library, size=size) for size in sizes}

    def add(self, sent: SentExemplar) -> str:
        """Hold a visitor's own exemplar in memory; the name it gets, which nobody else can guess.

        Raises:
            ConfiguralError: If it cannot be one of the library's, or as many are held as may be.
        """
        if len(self._own) >= MOST_OWN:
            raise ConfiguralError(
                f"{MOST_OWN} images are held already, and no more are taken; start the explorer again to continue"
            )
        name = f"{OWN}{len(self._own) + 1}:{secrets.token_urlsafe(12)}"
        exemplar = sent.exemplar(name, self.library.scheme)
        self.library = replace(self.library, exemplars=[*self.library.exemplars, exemplar])
        self._own.add(name)
        self._prepare()
        return name

    def log_odds(self, states: Sequence[State]) -> dict[str, Float[np.ndarray, " n"]]:
        """What each model says, by its name.

        Raises:
            ConfiguralError: If a state names what there is not, or a part of it leaves the surface.
            ModelFailedError: If a model does not respond with a number for each.
        """
        named = {name for state in states for name in (state.exemplar, *(part.donor for part in state.parts))}
        if any(name.startswith(OWN) for name in named - self._own):
            raise ConfiguralError("your own image is no longer held here; choose it again")
        stimuli = [stimulus_of(state, self.library, index=index) for index, state in enumerate(states)]
        images = {size: renderer.draw_batch(stimuli) for size, renderer in self._renderers.items()}
        for index, state in enumerate(states):
            if isinstance(state, AskedState) and state.hide:
                for drawn in images.values():
                    _hide(drawn[index], state.hide)
        return {model.name: self._ask(model, images[model.image_size]) for model in self.models}

    def _ask(self, model: AskedModel, images: np.ndarray) -> Float[np.ndarray, " n"]:
        batches = [images[first : first + _TOGETHER] for first in range(0, len(images), _TOGETHER)]
        try:
            values = np.concatenate([np.asarray(model.classifier.log_odds(batch), float) for batch in batches])
        except Exception as error:  # somebody's model may raise anything
            raise ModelFailedError(f"{model.name}: did not respond: {first_line(error)}") from error
        if values.shape != (len(images),) or not np.isfinite(values).all():
            raise ModelFailedError(f"{model.name}: wanted is one number for each of {len(images)} images")
        return values


def _hide(image: UInt8[np.ndarray, "size size 3"], square: Square) -> None:
    """Make a square of the image grey; in whole pixels, halves rounded up as the page does."""
    top, left, side = (math.floor(len(image) * part + 0.5) for part in (square.top, square.left, square.side))
    image[top : top + side, left : left + side] = _GREY
