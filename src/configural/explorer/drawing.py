"""From a visitor's state to a stimulus, which the renderer draws as any other; and back."""

import math
from functools import lru_cache
from typing import Any, cast

import numpy as np

from configural.errors import ConfiguralError
from configural.explorer.state import PartState, Placement, State
from configural.objects import ObjectScheme
from configural.portraits import Library
from configural.stimuli import Condition, SlotContent, Stimulus
from configural.stimuli import condition as find_condition
from configural.stimuli.layout import layout_of

_BACKGROUNDS = {"own": "canvas", "skin": "skin", "grey": "grey"}
_CANVASES: dict[str, Any] = {background: canvas for canvas, background in _BACKGROUNDS.items()}


def stimulus_of(state: State, library: Library, *, index: int = 0) -> Stimulus:
    """The stimulus that a state describes.

    Args:
        state: What a visitor has arranged.
        library: The exemplars it names.
        index: The number that the stimulus gets.

    Raises:
        ConfiguralError: If the state names a slot, a part kind or an exemplar that there is not, or not each slot.

    Example:
        >>> import configural as cf
        >>> library = cf.portraits.load("synthetic:2")
        >>> table = cf.stimuli.sample(library, count=2)
        >>> stimulus_of(state_of(table[0], library), library).host == table[0].host
        True
    """
    scheme = library.scheme
    for part in state.parts:
        for what, name in (("slot", part.slot), ("part kind", part.kind)):
            if name not in scheme.part_kinds:
                kinds = ", ".join(scheme.part_kinds)
                raise ConfiguralError(f"unknown {what} '{name}': a {scheme.name} has {kinds}")
    parts = {part.slot: part for part in state.parts}
    if missing := [slot for slot in scheme.part_kinds if slot not in parts]:
        raise ConfiguralError(f"parts: the slot {missing[0]} is missing; a slot may be empty, but must be stated")
    for name in (state.exemplar, *(part.donor for part in state.parts)):
        library.position(name)
    contents = tuple(_content(parts[slot]) for slot in scheme.part_kinds)
    filled = tuple(slot for slot in scheme.part_kinds if parts[slot].shown)
    return Stimulus(
        index=index,
        label=int(all(part.kind == part.slot for part in state.parts)),
        host=state.exemplar,
        contents=contents,
        placement=state.placement,
        condition=_condition(scheme, _BACKGROUNDS[state.canvas], filled),
        inverted=state.flip,
    )


def state_of(stimulus: Stimulus, library: Library) -> State:
    """The state that shows a stimulus.

    It is drawn the same, but for what a state does not know: another blend than the study's, soft edges and
    transferred colours. A constellation that is turned or enlarged moves its parts by fractions of a pixel, which a
    state rounds.

    Raises:
        ConfiguralError: If the stimulus names an exemplar that the library does not hold, or lies on noise.
    """
    if (background := stimulus.condition.background) not in _CANVASES:
        raise ConfiguralError(f"a background of {background}: choose from {', '.join(_CANVASES)}")
    layout = layout_of(library, [stimulus])
    host = layout.host.item()
    # The middles of the parts, and where they would be in their slots; both lie on the square.
    away = layout.centres[0] - 0.5 - (layout.size[0] - 1) / 2 - library.anchors[host]
    away -= layout.canvas[0] + layout.corner[0]
    whole = away.round().astype(int).tolist()
    parts = [
        PartState(
            slot=slot,
            kind=content.kind,
            donor=content.donor,
            rows=rows,
            columns=columns,
            turn=math.remainder(stimulus.rotation + content.rotation, 360),
            scale=stimulus.scale * content.scale,
            shown=slot in stimulus.condition.filled,
        )
        for slot, content, (rows, columns) in zip(library.scheme.part_kinds, stimulus.contents, whole, strict=True)
    ]
    state = State(
        exemplar=stimulus.host,
        canvas=_CANVASES[background],
        placement=cast(Placement, stimulus.placement),
        flip=stimulus.inverted,
        parts=tuple(parts),
    )
    return _inside(state, library)


def _inside(state: State, library: Library) -> State:
    """The state with each part that rounding brought over the edge of the surface moved back onto it."""
    layout = layout_of(library, [stimulus_of(state, library)])
    back = np.maximum(-layout.low[0], 0) + np.minimum(layout.surface - layout.high[0], 0)
    parts = tuple(
        part.model_copy(update={"rows": part.rows + rows, "columns": part.columns + columns})
        for part, (rows, columns) in zip(state.parts, back.tolist(), strict=True)
    )
    return state.model_copy(update={"parts": parts})


def _content(part: PartState) -> SlotContent:
    return SlotContent(part.kind, part.donor, (part.rows, part.columns), part.turn, part.scale)


@lru_cache(maxsize=256)
def _condition(scheme: ObjectScheme, background: str, filled: tuple[str, ...]) -> Condition:
    """As photographed, and on this background with these slots filled."""
    changes = {"background": background, "filled": filled, "arrangement": "correct"}
    baseline = find_condition("baseline", scheme=scheme)
    return Condition.model_validate({**baseline.model_dump(), **changes}, context={"scheme": scheme})
