"""From a visitor's state to a stimulus, which the renderer draws as any other; and back."""

from functools import lru_cache

from configural.errors import ConfiguralError
from configural.explorer.state import PartState, State
from configural.objects import ObjectScheme
from configural.portraits import Library
from configural.stimuli import Condition, SlotContent, Stimulus
from configural.stimuli import condition as find_condition
from configural.stimuli.layout import layout_of

_BACKGROUNDS = {"own": "canvas", "skin": "skin", "grey": "grey"}
_CANVASES = {background: canvas for canvas, background in _BACKGROUNDS.items()}


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
    known = set(scheme.part_kinds)
    for part in state.parts:
        for what, name in (("slot", part.slot), ("part kind", part.kind)):
            if name not in known:
                raise ConfiguralError(f"unknown {what} '{name}': a {scheme.name} has {', '.join(scheme.part_kinds)}")
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
    """The state that shows a stimulus, drawn the same unless it is turned, enlarged, soft or on noise.

    What turns or enlarges a constellation as a whole moves its parts by fractions of a pixel, which a state rounds.

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
    parts = []
    for slot, (kind, content) in enumerate(zip(library.scheme.part_kinds, stimulus.contents, strict=True)):
        parts.append(
            PartState(
                slot=kind,
                kind=content.kind,
                donor=content.donor,
                rows=whole[slot][0],
                columns=whole[slot][1],
                shown=kind in stimulus.condition.filled,
            )
        )
    return State.model_validate(
        {
            "exemplar": stimulus.host,
            "canvas": _CANVASES[background],
            "placement": stimulus.placement,
            "flip": stimulus.inverted,
            "parts": parts,
        }
    )


def _content(part: PartState) -> SlotContent:
    return SlotContent(part.kind, part.donor, (part.rows, part.columns))


@lru_cache(maxsize=256)
def _condition(scheme: ObjectScheme, background: str, filled: tuple[str, ...]) -> Condition:
    """As photographed, and on this background with these slots filled."""
    changes = {"background": background, "filled": filled, "arrangement": "correct"}
    baseline = find_condition("baseline", scheme=scheme)
    return Condition.model_validate({**baseline.model_dump(), **changes}, context={"scheme": scheme})
