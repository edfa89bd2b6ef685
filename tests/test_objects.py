"""Objects of other parts than a face's: schemes, tables, both renderers, and descriptions of folders."""

import itertools
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import VAN, block_library
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from literal_renderer import literal_image, literal_masks
from pydantic import ValidationError

from configural.errors import ConfiguralError
from configural.objects import FACE, OBJECTS, ObjectScheme, object_scheme
from configural.objects.scheme import LengthUnit
from configural.portraits import Library, load
from configural.stimuli import DeviceRenderer, MovedPart, Renderer, StimulusTable, condition, sample
from configural.stimuli.layout import layout_of, layout_of_table

KINDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")


def scheme_of(slots: int, pairs: tuple[tuple[str, str], ...] = ()) -> ObjectScheme:
    return ObjectScheme(
        name="thing",
        class_names=("no_thing", "thing"),
        part_kinds=KINDS[:slots],
        interchangeable=pairs,
        unit=LengthUnit(name="span", between=KINDS[:2]),
    )


ORDERS = st.integers(2, 6).flatmap(lambda slots: st.permutations(KINDS[:slots]))


def some_scheme(order: list[str], pairs: int) -> ObjectScheme:
    """Of the parts in that order, the first of which are interchangeable in pairs, as many as leave one out."""
    pairs = min(pairs, (len(order) - 1) // 2)
    return scheme_of(len(order), tuple((order[2 * i], order[2 * i + 1]) for i in range(pairs)))


@given(order=ORDERS, pairs=st.integers(0, 2))
def test_scrambles_are_all_orders_but_those_that_only_exchange(order, pairs):
    scheme = some_scheme(order, pairs)
    expected = math.factorial(len(scheme.part_kinds)) - 2 ** len(scheme.interchangeable)
    assert len(set(scheme.scrambles)) == len(scheme.scrambles) == expected
    other = scheme.mirrored
    for order in set(itertools.permutations(scheme.correct)) - set(scheme.scrambles):
        for slot, kind in enumerate(order):
            kinds = scheme.part_kinds[slot], scheme.part_kinds[kind]
            assert kinds[0] == kinds[1] or other[kinds[0]] == kinds[1]


def test_pairs_with_a_part_in_common_are_interchangeable_as_a_whole():
    chained = scheme_of(4, (("alpha", "beta"), ("beta", "gamma")))
    assert len(chained.scrambles) == 24 - 6
    with pytest.raises(ValidationError, match="no arrangement is left"):
        scheme_of(2, (("alpha", "beta"),))


def test_a_faces_scheme_is_the_studys():
    assert FACE.part_kinds == ("left_eye", "right_eye", "nose", "mouth")
    assert FACE.class_names == ("no_face", "face")
    assert len(FACE.scrambles) == 22
    assert FACE.joint_names == {"eyes": ("left_eye", "right_eye")}
    assert VAN.joint_names == {"wheels": ("front_wheel", "rear_wheel")}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("name: Van", 1, "name"),
        ("name: van\nclass_names: [van, van]", 2, "class_names: the two classes need different names"),
        ("name: van\nhang: {roof: [top, left]}", 2, "hang: unknown part kind 'roof'"),
        ("name: van\nthatcher: [horn]", 2, "thatcher: unknown part kind 'horn'"),
        ("name: van\nfill: {hull: [roof]}", 2, "unknown part kind 'roof'"),
        ("name: van\ninterchangeable: [[wheel, door]]", 2, "no arrangement is left"),
        ("name: van\nwheels: 4", 2, "unknown key"),
        ("name: van\nname: bus", 2, "stated twice"),
    ],
)
def test_mistakes_in_a_scheme_name_its_line(tmp_path, text, line, message):
    path = tmp_path / "van.yaml"
    known = "class_names: [no_van, van]\npart_kinds: [wheel, door]\nunit: {name: span, between: [wheel, door]}\n"
    if "class_names" in text:
        known = known.partition("\n")[2]
    path.write_text(f"{text}\n{known}")
    with pytest.raises(ConfiguralError) as caught:
        object_scheme(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert message in str(caught.value)


def test_a_scheme_is_registered_by_name():
    OBJECTS["van"] = VAN
    try:
        assert object_scheme("van") is VAN
    finally:
        del OBJECTS["van"]
    with pytest.raises(ConfiguralError, match="unknown object 'van'"):
        object_scheme("van")


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    order=ORDERS,
    pairs=st.integers(0, 2),
    wide=st.booleans(),
    seed=st.integers(0, 10**6),
    name=st.sampled_from(["baseline", "matched", "seamless+matched", "upright-inverted", "one-part-moved:alpha:9"]),
    placement=st.sampled_from(["left", "middle", "right", "shifted"]),
)
def test_every_table_obeys_the_scheme(tmp_path_factory, order, pairs, wide, seed, name, placement):
    scheme = some_scheme(order, pairs)
    library = block_library(scheme, rows=90 if wide else 150, cols=130)
    table, again = (sample(library, condition=name, count=20, seed=seed, placement=placement) for _ in range(2))
    path = tmp_path_factory.mktemp("table") / "stimuli.parquet"
    table.save(path)
    again.save(path.with_name("again.parquet"))
    assert path.read_bytes() == path.with_name("again.parquet").read_bytes()
    back = StimulusTable.load(path)
    assert list(back) == list(table)
    assert back.scheme == scheme
    assert back.settings() == table.settings()
    assert set(table.frame["class_name"]) == {"no_thing", "thing"}
    allowed = table.condition.scrambles(scheme)
    for stimulus in table:
        order = tuple(scheme.index(content.kind) for content in stimulus.contents)
        assert order in ((scheme.correct,) if stimulus.label else allowed)
    layout, by_columns = layout_of(library, list(table)), layout_of_table(library, table)
    assert layout.inside.all()
    for name, values in vars(layout).items():
        np.testing.assert_array_equal(values, vars(by_columns)[name])


@pytest.mark.parametrize("background", ["canvas", "skin", "noise"])
@pytest.mark.parametrize("placement", ["left", "middle", "right"])
def test_an_object_wider_than_high_is_drawn_as_by_the_literal_renderer(vans, background, placement, tmp_path):
    path = tmp_path / "posed.yaml"
    path.write_text(
        f"background: {background}\nrotation: [-20, 20]\nscale: [0.6, 1.1]\ninverted: 0.5\nfeather: 9\n"
        "spacing: apart\nshift: {rows: [-60, 60], cols: [-60, 60]}\ncolour_transfer: true\n"
        "offset_unit: wheelbase\noffsets:\n  window: [-0.1, 0]\n  lamp: [0.05, 0.02]\n"
    )
    for made in ("baseline", path) if background == "canvas" else (path,):
        stimuli = list(sample(vans, condition=made, count=20, seed=3, placement=placement))[::3]
        images, masks = Renderer(vans, size=52).draw_batch_with_masks(stimuli)
        there = DeviceRenderer(vans, size=52).draw_batch(stimuli)
        assert np.abs(there.astype(int) - images).max() <= 1
        for stimulus, image, mask in zip(stimuli, images, masks, strict=True):
            difference = np.abs(image.astype(int) - literal_image(vans, stimulus, 52))
            assert difference.max() <= 2
            assert (difference > 1).mean() <= 0.001
            covered = literal_masks(vans, stimulus, 52)
            sure = np.abs(covered - 0.5) > 1e-4
            assert mask.shape == (5, 52, 52)
            assert np.array_equal(mask[sure], (covered >= 0.5)[sure])


def test_padding_is_above_and_below_a_portrait_that_is_wider_than_high(vans):
    side = int(vans.canvas_sizes[0].max())
    for placement, first in (("left", 0), ("middle", (side - 90) // 2), ("right", side - 90)):
        stimuli = list(sample(vans, condition="baseline", count=60, placement=placement))
        stimulus = next(one for one in stimuli if one.host == vans[0].name)
        shown = np.flatnonzero(Renderer(vans, size=side).draw(stimulus).any(axis=(1, 2)))
        assert (shown[0], shown[-1]) == (first, first + 89)


def test_lengths_are_measured_by_the_longer_side(vans):
    table = list(sample(vans, condition="one-part-moved:door:40", count=20))
    for scrambled, correct in zip(table[:10], table[10:], strict=True):
        moved = np.subtract([c.jitter for c in scrambled.contents], [c.jitter for c in correct.contents])
        side = vans.sides[vans.position(correct.host)]
        assert np.linalg.norm(moved[3]) == pytest.approx(40 * side / 512, abs=0.71)
        assert not np.delete(moved, 3, axis=0).any()


def test_the_last_part_is_moved_where_none_is_named():
    assert condition("one-part-moved", scheme=VAN).arrangement == MovedPart(part="lamp", distance=30)


def test_a_condition_of_another_object_is_refused_with_its_line(vans, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("jitter: 3\noffsets:\n  nose: [1, 2]\n")
    with pytest.raises(ConfiguralError, match="unknown slot 'nose'") as caught:
        sample(vans, condition=path)
    assert str(caught.value).startswith(f"{path}, line ")
    with pytest.raises(ConfiguralError, match="ffa"):
        sample(vans, condition="ffa")


DESCRIPTION = """\
object: van.yaml
images: "photos/*.png"
labels: "labels/{name}.png"
colours:
  wheels: [10, 10, 10]
  window: [20, 0, 0]
  door: [0, 30, 0]
  lamp: [[0, 0, 40], [0, 0, 41]]
canvases: "canvases/{name}.png"
"""
COLOURS = np.array([[0, 0, 0], [10, 10, 10], [10, 10, 10], [20, 0, 0], [0, 30, 0], [0, 0, 40]], np.uint8)


@pytest.fixture
def folder(tmp_path: Path, vans: Library) -> Path:
    """The vans as images, labels, canvases, a scheme and a description."""
    (tmp_path / "van.yaml").write_text(
        "name: van\nclass_names: [no_van, van]\npart_kinds: [front_wheel, rear_wheel, window, door, lamp]\n"
        "interchangeable: [[front_wheel, rear_wheel]]\n"
        "unit: {name: wheelbase, between: [front_wheel, rear_wheel]}\n"
        "hang: {front_wheel: [bottom, left], rear_wheel: [bottom, right], window: [top, middle]}\n"
    )
    for exemplar in vans.exemplars:
        number = exemplar.name.split("/")[1]
        for kind, image in (
            ("photos", exemplar.portrait),
            ("labels", COLOURS[exemplar.segmentation]),
            ("canvases", exemplar.canvas),
        ):
            (tmp_path / kind).mkdir(exist_ok=True)
            assert cv2.imwrite(str(tmp_path / kind / f"{number}.png"), image[..., ::-1])
    (tmp_path / "portraits.yaml").write_text(DESCRIPTION)
    return tmp_path


def test_a_folder_names_its_own_scheme(folder, vans):
    library = load(f"folder:{folder}")
    assert library.scheme == VAN
    for exemplar, made_of in zip(library.exemplars, vans.exemplars, strict=True):
        assert exemplar.digest == made_of.digest
        assert [part.kind for part in exemplar.parts] == list(VAN.part_kinds)
    table = sample(library, condition="baseline", count=20)
    assert Renderer(library, size=32).draw_masks(table[0]).shape == (5, 32, 32)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("object: van.yaml", "object: ../van.yaml", "not in the folder"),
        ("object: van.yaml", "object: lorry", "unknown object 'lorry'"),
        ("object: van.yaml", "object: os:path", "only where you name it yourself"),
        ("  lamp:", "  horn:", "unknown part kind"),
        ("  wheels:", "  front_wheel:", "give front_wheel, rear_wheel"),
    ],
)
def test_what_a_folder_may_not_say_of_its_object(folder, before, after, message):
    assert before in DESCRIPTION
    (folder / "portraits.yaml").write_text(DESCRIPTION.replace(before, after))
    with pytest.raises(ConfiguralError, match=message) as caught:
        load(f"folder:{folder}")
    assert f"{folder / 'portraits.yaml'}, line" in str(caught.value)


def test_parts_of_any_object_are_filled_in(folder, vans):
    (folder / "portraits.yaml").write_text(DESCRIPTION.replace('canvases: "canvases/{name}.png"\n', ""))
    for exemplar in load(f"folder:{folder}").exemplars:
        inside = exemplar.segmentation > 0
        assert (exemplar.canvas != exemplar.portrait).any(axis=2)[inside].mean() > 0.9
