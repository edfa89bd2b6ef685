"""From a visitor's state to pixels: the same as of a table's stimuli; and what no state may say."""

import contextlib
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from literal_renderer import literal_image

import configural as cf
from configural.errors import ConfiguralError
from configural.explorer.drawing import state_of, stimulus_of
from configural.explorer.state import PartState, Question, State
from configural.stimuli import DeviceRenderer, Renderer

SIZE = 48


@pytest.fixture(scope="module")
def plain(painted):
    """An exemplar as it is, as a state."""
    name = painted[0].name
    parts = tuple(PartState(slot=kind, kind=kind, donor=name) for kind in painted.scheme.part_kinds)
    return State(exemplar=name, parts=parts)


@pytest.mark.parametrize("condition", ["ffa", "fct+matched", "baseline+upright-inverted", "grey.yaml"])
def test_a_state_without_turn_and_scale_is_drawn_as_the_stimulus_of_the_table(painted, condition, tmp_path):
    if condition == "grey.yaml":
        condition = tmp_path / condition
        condition.write_text(
            "background: grey\nfilled: [left_eye, right_eye, mouth]\nshift: {rows: [-9, 9], cols: [0, 9]}"
        )
    table = cf.stimuli.sample(painted, condition=condition, count=12, placement="shifted")
    again = [stimulus_of(state_of(stimulus, painted), painted) for stimulus in table]
    renderer = Renderer(painted, size=SIZE)
    np.testing.assert_array_equal(renderer.draw_batch(again), renderer.draw_batch(list(table)))
    assert [stimulus.label for stimulus in again] == [stimulus.label for stimulus in table]


def test_a_state_of_a_turned_and_enlarged_constellation_looks_as_it(painted, tmp_path):
    path = tmp_path / "posed.yaml"
    path.write_text("rotation: [-180, 180]\nscale: [0.4, 0.6]\nshift: anywhere\n")
    table = cf.stimuli.sample(painted, condition=path, count=12)
    again = [stimulus_of(state_of(stimulus, painted), painted) for stimulus in table]
    one, other = (Renderer(painted, size=SIZE).draw_batch(list(each)).astype(int) for each in (table, again))
    assert np.abs(one - other).mean() < 0.05  # no more than rounding to whole pixels of 512


def posed(state, *, turns, scales):
    parts = (
        part.model_copy(update={"turn": turn, "scale": scale})
        for part, turn, scale in zip(state.parts, turns, scales, strict=True)
    )
    return state.model_copy(update={"parts": tuple(parts)})


@pytest.mark.parametrize("canvas", ["own", "skin"])
def test_parts_that_are_turned_and_enlarged_alone_are_drawn_as_by_the_literal_procedure(painted, plain, canvas):
    state = posed(plain, turns=(30.0, -75.0, 0.0, 180.0), scales=(1.0, 1.3, 1.0, 0.6))
    stimulus = stimulus_of(state.model_copy(update={"canvas": canvas}), painted)
    literal = literal_image(painted, stimulus, SIZE).astype(int)
    for renderer in (Renderer, DeviceRenderer):
        image = renderer(painted, size=SIZE).draw_batch([stimulus])[0]
        assert np.abs(image - literal).max() <= 1


def test_a_turn_of_a_part_adds_to_that_of_the_constellation(painted, plain):
    state = posed(plain, turns=(30.0, 0.0, -50.0, 0.0), scales=(0.8, 1.0, 0.7, 1.0))
    stimulus = replace(stimulus_of(state, painted), rotation=25.0, scale=0.7, shift=(5, -8))
    image = Renderer(painted, size=SIZE).draw(stimulus).astype(int)
    assert np.abs(image - literal_image(painted, stimulus, SIZE)).max() <= 1


def test_what_is_not_shown_is_not_drawn(painted, plain):
    hidden = tuple(part.model_copy(update={"shown": False}) for part in plain.parts)
    bare = stimulus_of(plain.model_copy(update={"parts": hidden}), painted)
    masks = Renderer(painted, size=SIZE).draw_masks(bare)
    assert not masks.any()


def test_parts_may_come_in_any_order_and_each_kind_more_than_once(painted, plain):
    turned_round = plain.model_copy(update={"parts": plain.parts[::-1]})
    assert stimulus_of(turned_round, painted) == stimulus_of(plain, painted)
    noses = tuple(part.model_copy(update={"kind": "nose"}) for part in plain.parts)
    stimulus = stimulus_of(plain.model_copy(update={"parts": noses}), painted)
    assert (stimulus.label, {content.kind for content in stimulus.contents}) == (0, {"nose"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"slot": "ear"}, "unknown slot 'ear': a face has left_eye, right_eye, nose, mouth"),
        ({"kind": "ear"}, "unknown part kind 'ear'"),
        ({"donor": "nobody"}, "nobody"),
    ],
)
def test_names_that_there_are_not_are_named(painted, plain, change, said):
    parts = (plain.parts[0].model_copy(update=change), *plain.parts[1:])
    with pytest.raises(ConfiguralError, match=said):
        stimulus_of(plain.model_copy(update={"parts": parts}), painted)


def question(state):
    return json.dumps({"states": [state]})


def test_a_question_holds_what_was_put_into_it(plain):
    (asked,) = Question.parse(question(plain.model_dump())).states
    assert asked.model_dump() == plain.model_dump() | {"hide": None}


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("rows", [4097, -4097, 1.5, "1", None, True]),
        ("columns", [4097, 10**30]),
        ("turn", [361, "0", float("nan"), float("inf"), [0]]),
        ("scale", [0.2, 4.1, -1, 0, float("inf"), None]),
        ("shown", [1, 0, "true", None]),
        ("donor", ["", "x" * 201, 5, None]),
        ("more", [1]),
    ],
)
def test_values_out_of_bounds_or_of_another_type_are_refused(plain, key, values):
    for value in values:
        state = plain.model_dump()
        state["parts"][0][key] = value
        with pytest.raises(ConfiguralError):
            Question.parse(question(state))


def test_a_slot_that_is_stated_twice_and_too_many_states_are_refused(plain):
    state = plain.model_dump()
    with pytest.raises(ConfiguralError, match="a slot is stated twice"):
        Question.parse(question(state | {"parts": [*state["parts"], state["parts"][0]]}))
    with pytest.raises(ConfiguralError, match="at most 512"):
        Question.parse(json.dumps({"states": [state] * 513}))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=8), inside, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_sent_is_drawn_or_refused(painted, plain, data):
    state = plain.model_dump()
    target = data.draw(st.sampled_from([state, *state["parts"]]))
    key = data.draw(st.sampled_from(sorted(target)))
    bounded = st.integers(-300, 300) | st.floats(0, 3) | st.sampled_from([part.slot for part in plain.parts])
    target[key] = data.draw(values | bounded)
    renderer = Renderer(painted, size=16)
    with contextlib.suppress(ConfiguralError):  # whose messages are one line each
        (read,) = Question.parse(question(state)).states
        assert renderer.draw(stimulus_of(read, painted)).shape == (16, 16, 3)
