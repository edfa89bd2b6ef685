import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from literal_renderer import literal_image, literal_masks
from skimage.transform import resize

from configural.errors import ConfiguralError
from configural.portraits import Library
from configural.stimuli import STUDY_CONDITIONS, Renderer, sample
from configural.stimuli.rendering import resampling_matrix

CONDITION_NAMES = STUDY_CONDITIONS


def _assert_as_literal(faces, table, size):
    renderer = Renderer(faces, size=size)
    for stimulus in table:
        difference = np.abs(renderer.draw(stimulus).astype(int) - literal_image(faces, stimulus, size).astype(int))
        assert difference.max() <= 2
        assert (difference > 1).mean() <= 0.001
        share = literal_masks(faces, stimulus, size)
        sure = np.abs(share - 0.5) > 1e-4
        assert np.array_equal(renderer.draw_masks(stimulus)[sure], (share >= 0.5)[sure])


@pytest.mark.parametrize("condition", CONDITION_NAMES)
@pytest.mark.parametrize("size", [64, 224])
def test_as_the_literal_renderer_on_real_portraits(real, condition, size):
    table = sample(real, condition=condition, count=60, seed=7, placement="shifted")
    _assert_as_literal(real, list(table)[::20], size)


@pytest.mark.parametrize("size", [37, 224, 600])
def test_as_the_literal_renderer_on_painted_exemplars(painted, size):
    _assert_as_literal(
        painted, list(sample(painted, condition="ffa", count=40, seed=1, placement="shifted"))[::20], size
    )


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    size=st.integers(8, 150),
    condition=st.sampled_from(CONDITION_NAMES),
    placement=st.sampled_from(["left", "middle", "right"]),
)
def test_as_the_literal_renderer_at_any_size(blocks, seed, size, condition, placement):
    _assert_as_literal(
        blocks, list(sample(blocks, condition=condition, count=4, seed=seed, placement=placement)), size
    )


@pytest.mark.parametrize(("side", "size"), [(512, 224), (512, 64), (100, 37), (64, 64), (50, 120)])
def test_resampling_matrix_is_scikit_images(side, size):
    values = np.random.default_rng(0).random(side)
    expected = resize(np.tile(values, (side, 1)), (size, size), anti_aliasing=True)[0]
    assert np.allclose(resampling_matrix(side, size) @ values, expected, atol=1e-5)


def test_drawing_leaves_no_trace(blocks):
    renderer = Renderer(blocks, size=48)
    table = list(sample(blocks, count=60))
    first = [renderer.draw(stimulus) for stimulus in table]
    again = [renderer.draw(stimulus) for stimulus in reversed(table)][::-1]
    fresh = [Renderer(blocks, size=48).draw(stimulus) for stimulus in table]
    assert np.array_equal(first, again)
    assert np.array_equal(first, fresh)
    assert np.array_equal(renderer.draw_batch(table), first)


def test_padding_is_black_and_on_the_right_side(blocks):
    renderer = Renderer(blocks, size=124)
    stimulus = sample(blocks, count=2)[0]
    width = {exemplar.name: exemplar for exemplar in blocks.exemplars}[stimulus.host].canvas.shape[1]
    for placement, first in (("left", 0), ("middle", (124 - width) // 2), ("right", 124 - width)):
        image = renderer.draw(dataclasses.replace(stimulus, placement=placement))
        filled = np.flatnonzero(image.any(axis=(0, 2)))
        assert (filled[0], filled[-1]) == (first, first + width - 1)


def test_masks_agree_with_pixels(blocks):
    """Where nothing of a part shows, the image is the canvas; inside a mask it is not."""
    renderer = Renderer(blocks, size=124)  # the portraits' own size, so that pixels are not mixed
    exemplars = {exemplar.name: exemplar for exemplar in blocks.exemplars}
    for stimulus in sample(blocks, count=40):
        canvas = exemplars[stimulus.host].canvas
        left = (124 - canvas.shape[1]) // 2
        image = renderer.draw(stimulus)[:, left : left + canvas.shape[1]]
        shown = renderer.draw_masks(stimulus).any(axis=0)[:, left : left + canvas.shape[1]]
        assert np.array_equal(image[~shown], canvas[~shown])
        assert (image[shown] != canvas[shown]).any(axis=1).mean() > 0.95


def test_masks_do_not_overlap(painted):
    renderer = Renderer(painted, size=64)
    for stimulus in sample(painted, condition="fct", count=40):
        assert renderer.draw_masks(stimulus).sum(axis=0).max() <= 1


def test_a_stranger_and_a_part_outside_are_errors(blocks):
    stimulus = sample(blocks, count=2)[0]
    with pytest.raises(ConfiguralError, match="which two does not hold"):
        Renderer(Library("two", blocks.exemplars[10:]), size=32).draw(dataclasses.replace(stimulus, host="block/1"))
    far = dataclasses.replace(stimulus.contents[0], jitter=(120, 0))
    moved = dataclasses.replace(stimulus, contents=(far, *stimulus.contents[1:]))
    with pytest.raises(ConfiguralError, match="leaves the canvas"):
        Renderer(blocks, size=32).draw(moved)
    with pytest.raises(ConfiguralError, match="image size 4 is too small"):
        Renderer(blocks, size=4)


@pytest.mark.parametrize("condition", CONDITION_NAMES)
def test_image_and_masks_together_are_those_drawn_one_by_one(blocks, condition):
    one, other = Renderer(blocks, size=40), Renderer(blocks, size=40)
    table = sample(blocks, condition=condition, count=42, seed=3, placement="shifted")
    stimuli = [dataclasses.replace(stimulus, inverted=inverted) for stimulus in table for inverted in (False, True)]
    images, masks = one.draw_batch_with_masks(stimuli)
    for stimulus, image, mask in zip(stimuli, images, masks, strict=True):
        alone, alone_mask = one.draw_with_masks(stimulus)
        assert np.array_equal(image, alone)
        assert np.array_equal(image, other.draw(stimulus))
        assert np.array_equal(mask, alone_mask)
        assert np.array_equal(mask, other.draw_masks(stimulus))
