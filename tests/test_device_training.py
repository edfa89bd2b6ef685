"""Training on images that were drawn and are kept on a device, and with a compiled network; on a CPU."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

import configural as cf
from configural.config.run import run_config
from configural.errors import ConfiguralError
from configural.runs import images
from configural.stimuli import DeviceRenderer, Renderer, StimulusDataset, dataset, sample
from configural.stimuli.datasets import ImageDataset
from configural.training import History, fit, recipe

SMALL = {"image_size": 16, "count": 240, "network": "cnn-13"}
CPU = torch.device("cpu")
RECIPE = recipe("quick", epochs=2, batch_size=20)


def network(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return cf.models.create("cnn-13", 16)


def losses(history: History) -> list[float]:
    return [epoch.train_loss for epoch in history.epochs]


def same_images(drawn: StimulusDataset) -> ImageDataset:
    """A set of the same images that has nothing to do with the device."""
    every = drawn.fetch(list(range(len(drawn)))).permute(0, 2, 3, 1).numpy()
    return ImageDataset(drawn.rows, drawn.size, images=np.array(every), class_names=drawn.class_names)


def test_the_images_are_those_of_the_renderer_and_in_its_order(blocks):
    table = sample(blocks, condition="ffa", count=60, seed=1)
    drawn, plain = StimulusDataset(DeviceRenderer(blocks, size=32), table), dataset(blocks, table, size=32)
    assert len(drawn) == 60
    assert drawn.rows.equals(plain.rows)
    positions = [59, 0, 17, 17]
    batch, labels = drawn.__getitems__(positions)
    assert batch.dtype == torch.uint8
    assert (batch.int() - plain.fetch(positions).int()).abs().max() <= 1
    assert labels.tolist() == table.frame["label"].iloc[positions].tolist()
    image, label = drawn[17]
    assert torch.equal(image, batch[2])
    assert label == labels[2]


def test_stimuli_of_other_faces_are_an_error(blocks):
    others = cf.portraits.Library("blocks", blocks.exemplars[:8])
    with pytest.raises(ConfiguralError, match="another library"):
        StimulusDataset(DeviceRenderer(others, size=32), sample(blocks, condition="ffa", count=60))


def test_training_on_them_is_training_on_their_images(blocks):
    table = sample(blocks, condition="ffa", count=120, seed=1)
    renderer = DeviceRenderer(blocks, size=16)
    sets = [StimulusDataset(renderer, table.subset(name)) for name in ("train", "valid")]
    one, other = network(), network()
    history = fit(one, sets[0], valid=sets[1], recipe=RECIPE, device="cpu")
    again = fit(other, same_images(sets[0]), valid=same_images(sets[1]), recipe=RECIPE, device="cpu")
    assert losses(again) == losses(history)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_gpu_draws_what_fits_into_half_of_its_memory(monkeypatch):
    gpu = torch.device("cuda", 0)
    settings = run_config(preset="paper")
    needed = 20_000 * 3 * 224 * 224
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * needed, 3 * needed))
    assert images.drawing_device(settings, gpu) == gpu
    assert images.drawing_device(settings, CPU) is None
    assert images.drawing_device(settings.model_copy(update={"devices": 2}), gpu) is None
    assert images.drawing_device(settings.model_copy(update={"stream": True}), gpu) is None
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * needed - 2, 3 * needed))
    assert images.drawing_device(settings, gpu) is None


def test_a_run_with_images_on_the_device(blocks, tmp_path, monkeypatch):
    asked = []

    def here(settings, device):
        asked.append(device)
        return device

    monkeypatch.setattr(images, "drawing_device", here)
    run = cf.run(source=blocks, epochs=1, out=tmp_path / "run", device="cpu", **SMALL)
    assert asked == [CPU]
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics["images"] == {"train": 194, "valid": 10, "test": 36}
    renderer, test = Renderer(blocks, size=16), run.table.subset("test")
    files = {name: row for row, name in enumerate(test.files())}
    saved = list(run.folder.rglob("pic_*.png"))
    assert len(saved) >= 8
    for path in saved:
        (row,) = [row for name, row in files.items() if name.endswith(path.name) and in_class(name, path)]
        shown = cv2.imread(str(path))[..., ::-1].astype(int)
        assert np.abs(shown - renderer.draw(test[row])).max() <= 1


def in_class(name, path):
    """Whether a file of the table is meant by an image in `samples` or `misclassified`."""
    truth = name.split("/")[-2]
    return path.parent.name == truth or path.parent.name.startswith(f"{truth}_as_")


COMPILED = """
import torch
from configural import portraits, models
from configural.stimuli import dataset, sample
from configural.training import fit, loop, recipe

def broken(graph, inputs):
    raise RuntimeError("no C++ compiler\\nand more")

# As far as PyTorch translates the network, without the minutes of making machine code.
compiled, backend = torch.compile, "aot_eager"
loop.torch.compile = lambda network, **options: compiled(network, backend=backend, dynamic=False)
class InDoublePrecision(torch.nn.Module):  # where rounding cannot decide which of two values a max-pool takes
    def __init__(self):
        super().__init__()
        # One block, as the study's networks have four or five, and how they end.
        first, last = list(models.create("cnn-13", 32))[:5], [torch.nn.Flatten(), torch.nn.Linear(32 * 16 * 16, 2)]
        self.inner = torch.nn.Sequential(*first, *last).double()

    def forward(self, batch):
        return self.inner(batch.double())

class Plain(torch.nn.Module):  # quickly read, where nothing comes of it
    def __init__(self):
        super().__init__()
        self.sums = torch.nn.Linear(2, 2)

    def forward(self, batch):
        return self.sums(batch.mean(dim=(2, 3))[:, :2])

library = portraits.load("synthetic:4")
table = sample(library, condition="ffa", count=42, seed=1)
sets = [dataset(library, table.subset(name), size=32) for name in ("train", "valid")]
# Compiled, dropout may draw other numbers. Each size of a batch is translated anew: 34 images in two batches.
settings = recipe("paper", epochs=2, batch_size=17, learning_rate=1e-3, dropout=0.0)
for make, compile, backend in (
    (InDoublePrecision, False, None), (InDoublePrecision, True, "aot_eager"), (Plain, True, broken)
):
    torch.manual_seed(0)
    network = make()
    try:
        history = fit(network, sets[0], valid=sets[1], recipe=settings, device="cpu", compile=compile)
    except Exception as error:
        print(type(error).__name__, error)
        break
    print(*(f"{epoch.train_loss} {epoch.valid_loss}" for epoch in history.epochs), network.training)
"""


@pytest.mark.slow
def test_a_compiled_network_learns_the_same_and_without_a_compiler_there_is_one_line():
    """In a process of its own, since the compiler does not see through checked shapes."""
    done = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, check=True)
    plain, translated, said = (line.split() for line in done.stdout.splitlines())
    assert plain.pop() == translated.pop() == "False"
    assert len(plain) == 4
    assert list(map(float, translated)) == pytest.approx(list(map(float, plain)), rel=1e-6)
    assert said[0] == "ConfiguralError"
    assert "no C++ compiler" in " ".join(said)
    assert said[-3:] == ["leave", "out", "compile"]
