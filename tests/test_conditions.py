import dataclasses
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from literal_renderer import literal_image, literal_masks

from configural.config.study import condition_label
from configural.errors import ConfiguralError, PortraitSkippedWarning
from configural.objects import FACE
from configural.stimuli import Condition, MovedPart, Renderer, StimulusTable, condition, preset_names, sample
from configural.stimuli.conditions import CONDITIONS, refuse_unregistered
from configural.stimuli.shortcuts import _accuracy, shortcut_accuracies
from configural.study.plans import read_plan


def test_every_preset_is_read_and_says_what_it_controls_for():
    for name in preset_names():
        assert condition(name).name == name
        assert len(condition(name).description) > 40


def test_joined_conditions_take_the_later_value(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("jitter: 3\nblend: 0.5\n")
    joined = condition(f"seamless+{path}+matched")
    assert (joined.blend, joined.feather, joined.jitter, joined.matched) == (0.5, 8, 3, True)
    assert condition(f"{path}+seamless").blend == 1


def test_a_file_may_have_a_plus_in_its_name(tmp_path):
    """What may be named to train may be named by the run's folder, too."""
    path = tmp_path / "my+own.yaml"
    path.write_text("jitter: 3\n")
    assert condition(str(path)).jitter == 3
    refuse_unregistered(str(path))
    assert condition_label(str(path)) == "my+own"  # and none of its folders
    plan = "networks: [fcn-14]\nconditions: [my+own.yaml, baseline+matched]\nseeds: [1]\n"
    (tmp_path / "plan.yaml").write_text(plan)
    assert read_plan(tmp_path / "plan.yaml").conditions[0] == str(path)
    with pytest.raises(ConfiguralError, match="'evil:make' is not registered here"):
        refuse_unregistered("baseline+evil:make")


def test_a_registered_name_lends_none_to_a_module(monkeypatch):
    """A preset alone takes what follows a colon; elsewhere a file would have a module of that name imported."""
    monkeypatch.setitem(CONDITIONS, "wide", Condition(name="wide"))
    refuse_unregistered("wide+one-part-moved:nose:20")
    with pytest.raises(ConfiguralError, match="'wide:make' is not registered here"):
        refuse_unregistered("wide:make")


def test_the_moved_part_is_a_parameter():
    assert condition("one-part-moved:nose:20").arrangement == MovedPart(part="nose", distance=20)
    for wrong in ("ffa:nose:20", "one-part-moved:nose", "one-part-moved:nose:far"):
        with pytest.raises(ConfiguralError, match="only one-part-moved:PART:DISTANCE"):
            condition(wrong)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("jitter: 1\ncolor: red", 2, "unknown key 'color'"),
        ("jitter: -1", 1, "jitter: Input should be greater than or equal to 0"),
        ("jitter: many", 1, "jitter: Input should be a valid integer"),
        ("# blend\nblend: 0", 2, "blend: Input should be greater than 0"),
        ("scale: [2, 1]", 1, "must not fall"),
        ("offsets:\n  chin: [0, 0]", 1, "offsets: unknown slot 'chin'"),
        ("background: sky", 1, "background: Input should be 'canvas', 'skin', 'grey' or 'noise'"),
        ("filled: [left_eye, right_eye]", 1, "leaves nothing to shuffle"),
        ("arrangement: [left_eye, right_eye, nose, mouth]", 1, "not be that of a face"),
        ("arrangement: {part: chin, distance: 3}", 1, "moved part 'chin'"),
        ("matched: 1", 1, "matched: Input should be a valid boolean"),
        ("blend: .nan", 1, "finite"),
        ("jitter: 1\njitter: 2", 2, "stated twice"),
        ("offsets:\n  nose: [0, 0]\n  nose: [0, 9]", 3, "the key 'nose' is stated twice"),
        ("offsets: {nose: [0, 0], nose: [0, 9]}", 1, "the key 'nose' is stated twice"),
        ("jitter: [", 1, "not readable as YAML"),
    ],
)
def test_errors_name_file_and_line(tmp_path, text, line, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfiguralError) as caught:
        condition(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert message in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ConfiguralError, match="no such file"):
        condition(tmp_path / "none.yaml")


_RANGE = st.tuples(st.integers(-40, 0), st.integers(0, 40))
CHOICES_AT_RANDOM = st.fixed_dictionaries(
    {
        "jitter": st.integers(0, 20),
        "blend": st.floats(0.1, 1),
        "feather": st.sampled_from([0, 4, 12]),
        "colour_transfer": st.booleans(),
        "shift": st.none() | st.just("anywhere") | st.tuples(_RANGE, _RANGE),
        "rotation": st.sampled_from([(0, 0), (-25, 25), (-180, 180)]),
        "scale": st.sampled_from([(1, 1), (0.6, 1.2)]),
        "inverted": st.sampled_from([0, 0.5, 1]),
        "background": st.sampled_from(["canvas", "skin", "grey", "noise"]),
        "filled": st.sampled_from([FACE.part_kinds, ("left_eye", "right_eye", "mouth")]),
        "arrangement": st.sampled_from(
            [
                "shuffle",
                "exchanged",
                MovedPart(part="mouth", distance=30),
                ("mouth", "right_eye", "nose", "left_eye"),
            ]
        ),
        "spacing": st.sampled_from(["free", "apart"]),
        "matched": st.booleans(),
    }
)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    choices=CHOICES_AT_RANDOM, seed=st.integers(0, 10**6), placement=st.sampled_from(["left", "middle", "right"])
)
def test_any_condition(blocks, tmp_path_factory, choices, seed, placement):
    """Counts, rules, repetition, pairs, the file, and agreement with the literal renderer."""
    made = Condition(name="random", **choices)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PortraitSkippedWarning)
            table, again = (
                sample(blocks, condition=made, count=20, seed=seed, placement=placement) for _ in range(2)
            )
    except ConfiguralError as error:  # a spacing that these tiny exemplars have no room for
        assume("can serve as a host" not in str(error))
        raise
    assert (table.frame["label"] == 0).sum() == (table.frame["label"] == 1).sum() == 10
    path = tmp_path_factory.mktemp("table") / "stimuli.parquet"
    table.save(path)
    again.save(path.with_name("again.parquet"))
    assert path.read_bytes() == path.with_name("again.parquet").read_bytes()
    assert list(StimulusTable.load(path)) == list(table)
    for stimulus in table:
        order = tuple(FACE.index(content.kind) for content in stimulus.contents)
        assert order in (((0, 1, 2, 3),) if stimulus.label else made.scrambles(FACE))
    if made.matched:
        for no_face, face in zip(list(table)[:10], list(table)[10:], strict=True):
            assert no_face.pair == face.pair == face.index
            for shared in ("host", "placement", "shift", "rotation", "scale", "inverted", "noise"):
                assert getattr(no_face, shared) == getattr(face, shared)
            parts = [sorted((f.kind, f.donor) for f in s.contents) for s in (no_face, face)]
            assert parts[0] == parts[1]
    renderer = Renderer(blocks, size=60)
    for stimulus in (table[0], table[19]):
        image, masks = renderer.draw(stimulus), renderer.draw_masks(stimulus)
        assert np.array_equal(image, Renderer(blocks, size=60).draw(stimulus))
        difference = np.abs(image.astype(int) - literal_image(blocks, stimulus, 60))
        assert difference.max() <= 2
        assert (difference > 1).mean() <= 0.001
        share = literal_masks(blocks, stimulus, 60)
        sure = np.abs(share - 0.5) > 1e-4
        assert np.array_equal(masks[sure], (share >= 0.5)[sure])
        assert masks.sum(axis=0).max() <= 1
        assert not masks[[kind not in made.filled for kind in FACE.part_kinds]].any()


def test_parts_apart_share_no_pixel(painted):
    renderer = Renderer(painted, size=512)
    for stimulus in list(sample(painted, condition="floating+matched", count=42, seed=2))[::6]:
        assert renderer.draw_footprints(stimulus).sum(axis=0).max() == 1


def test_a_moved_part_moves_by_its_distance(painted):
    table = list(sample(painted, condition="one-part-moved:nose:20", count=42))
    for no_face, face in zip(table[:21], table[21:], strict=True):
        moved = np.subtract([f.jitter for f in no_face.contents], [f.jitter for f in face.contents])
        assert np.linalg.norm(moved[2]) == pytest.approx(20, abs=0.71)
        assert not moved[[0, 1, 3]].any()


def test_a_donor_of_twice_the_height_gives_the_same_part(painted):
    """Resampled to the host, as the literal renderer does it."""
    from configural.portraits import Exemplar, Library

    def cut(name, number, times):
        """A painted one at half its size, for the literal renderer's sake, and that so many times as large."""
        one = painted.exemplars[number]
        portrait, segmentation, canvas = (
            np.kron(p[::2, ::2], np.ones((times, times) + (1,) * (p.ndim - 2), np.uint8))
            for p in (one.portrait, one.segmentation, one.canvas)
        )
        return Exemplar.cut(name, portrait, segmentation=segmentation, canvas=canvas)

    library = Library("two", [cut("once", 0, 1), cut("twice", 1, 2)])
    for stimulus in list(sample(library, condition="seamless", count=42))[::21]:
        difference = Renderer(library, size=64).draw(stimulus).astype(int) - literal_image(library, stimulus, 64)
        assert np.abs(difference).max() <= 2
    stimulus = sample(library, condition="baseline", count=2)[0]
    content = dataclasses.replace(stimulus.contents[0], donor="twice", jitter=(0, 0))
    moved = dataclasses.replace(stimulus, host="once", contents=(content, *stimulus.contents[1:]))
    assert Renderer(library, size=64).draw_masks(moved)[0].any()


def test_a_cue_that_tells_the_classes_is_found_and_chance_is_not(blocks):
    telling = Condition(name="telling", background="grey", filled=("left_eye", "right_eye", "mouth"))
    assert shortcut_accuracies(blocks, telling, count=200, size=32)["thumbnail"] > 0.9
    table = sample(blocks, condition="baseline", count=2000)
    anything = np.random.default_rng(0).normal(size=(2000, 30))
    assert abs(_accuracy(anything, table) - 0.5) < 0.1  # 300 test images: 3.5 standard errors
