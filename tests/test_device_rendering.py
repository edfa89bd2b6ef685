"""The batched drawing against the renderer that draws one image at a time, on a CPU."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from configural.errors import ConfiguralError
from configural.portraits import Library
from configural.stimuli import Condition, Renderer, device_rendering, preset_names, sample
from configural.stimuli.conditions import condition
from configural.stimuli.device_rendering import DeviceRenderer

NAMES = [name if name != "one-part-moved" else "one-part-moved:nose:20" for name in preset_names()]


def assert_same(faces: Library, stimuli: list, size: int) -> None:
    drawn = DeviceRenderer(faces, size=size).draw_there(stimuli)
    assert (drawn.dtype, drawn.shape) == (torch.uint8, (len(stimuli), 3, size, size))
    expected = Renderer(faces, size=size).draw_batch(stimuli).transpose(0, 3, 1, 2)
    assert expected.std() > 5  # something is to be seen
    assert np.abs(drawn.numpy().astype(int) - expected).max() <= 1


@pytest.mark.parametrize("name", [*NAMES, "floating+seamless", "ffa+upright-inverted"])
def test_every_preset_is_drawn_as_by_the_renderer(name, painted):
    assert_same(painted, list(sample(painted, condition=name, count=42, seed=3, placement="shifted"))[::4], 64)


@pytest.mark.parametrize("background", ["canvas", "skin", "grey", "noise"])
def test_turned_and_enlarged_on_every_background(background, painted):
    pose = {"rotation": (-25, 25), "scale": (0.7, 1.1), "shift": ((-9, 9), (-9, 9)), "inverted": 0.5}
    changed = Condition(name="turned", background=background, **pose)
    assert_same(painted, list(sample(painted, condition=changed, count=42, seed=5, placement="shifted"))[::5], 61)


def test_exemplars_of_other_resolutions_and_conditions_mixed(blocks, painted):
    """One batch of hosts of two resolutions, with donors of both, with every slot filled, one, and none."""
    mixed = Library("mixed", (*blocks.exemplars[:4], *painted.exemplars[:4]))
    kinds = [condition("baseline"), Condition(name="one", filled=("nose",), arrangement="correct")]
    kinds.append(Condition(name="none", filled=(), arrangement="correct"))
    stimuli = [s for kind in kinds for s in list(sample(mixed, condition=kind, count=42, seed=2))[::6]]
    sides = {max(exemplar.canvas.shape) for s in stimuli for exemplar in mixed.exemplars if exemplar.name == s.host}
    assert len(sides) == 2
    order = np.random.default_rng(0).permutation(len(stimuli))
    assert_same(mixed, [stimuli[place] for place in order], 48)


def test_batches_in_any_order_and_a_store_that_overflows(blocks, monkeypatch):
    table = list(sample(blocks, condition="ffa", count=60))
    expected = Renderer(blocks, size=40).draw_batch(table).transpose(0, 3, 1, 2).astype(int)
    monkeypatch.setattr(device_rendering, "_FLOATS_KEPT", 50_000)
    renderer = DeviceRenderer(blocks, size=40)
    for places in (range(60), range(59, -1, -1), range(0, 60, 7), [3, 3], []):
        drawn = renderer.draw_there([table[place] for place in places]).numpy()
        assert np.abs(drawn - expected[list(places)]).max(initial=0) <= 1


def test_a_part_outside_and_a_stranger_are_errors(blocks):
    stimulus = sample(blocks, count=2)[0]
    far = replace(stimulus.contents[0], jitter=(120, 0))
    with pytest.raises(ConfiguralError, match="leaves the canvas"):
        DeviceRenderer(blocks, size=32).draw_batch([replace(stimulus, contents=(far, *stimulus.contents[1:]))])
    with pytest.raises(ConfiguralError, match="does not hold"):
        DeviceRenderer(blocks, size=32).draw_batch([replace(stimulus, host="nobody")])
