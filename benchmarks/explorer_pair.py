"""Train the two networks that come with the explorer: the same one, by positions and by relations.

Usage: python benchmarks/explorer_pair.py OUT

Both are cnn-15 for 64 pixels, on painted faces. The first is trained on `baseline` for four epochs. The second
begins with the first one's weights and is trained on `floating-on-canvas`, where the parts keep their relations and
lie anywhere on the head; from initial weights such trainings stayed at chance. Each is tested on its own condition,
as it is and in 8 bits, audited, and written to OUT; the package has them in src/configural/explorer/networks.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import configural as cf
from configural.explorer import ShownModel
from configural.explorer.small import load_small, save_small
from configural.training import Recipe, fit

NETWORK, SIZE, SEED = "cnn-15", 64, 42
FIRST = Recipe(epochs=4, batch_size=32, valid_batch_size=100, learning_rate=1e-3, schedule="one-cycle", seed=SEED)
SECOND = FIRST.model_copy(update={"batch_size": 16, "learning_rate": 6e-4, "dropout": 0.0})


def drawn(table: cf.stimuli.StimulusTable, library: cf.portraits.Library) -> TensorDataset:
    """All images of a table, (n, 3, size, size), and their labels."""
    renderer, stimuli = cf.stimuli.Renderer(library, size=SIZE), list(table)
    images = [renderer.draw_batch(stimuli[first : first + 200]) for first in range(0, len(stimuli), 200)]
    pixels = torch.from_numpy(np.concatenate(images)).permute(0, 3, 1, 2).contiguous()
    return TensorDataset(pixels, torch.from_numpy(table.frame["label"].to_numpy().copy()))


def accuracy(network: nn.Module, data: TensorDataset) -> float:
    """The fraction of images that are predicted correctly."""
    images, labels = data.tensors
    said = cf.models.open(network).log_odds(images.permute(0, 2, 3, 1).numpy())
    return float(np.mean((said > 0) == (labels.numpy() == 1)))


def trained(
    network: nn.Module, condition: str, count: int, *, library: cf.portraits.Library, recipe: Recipe
) -> tuple[nn.Module, TensorDataset]:
    """The network trained further on a condition, and the condition's test images."""
    table = cf.stimuli.sample(library, condition=condition, count=count, seed=SEED)
    train, valid, test = (drawn(table.subset(name), library) for name in ("train", "valid", "test"))
    started = time.process_time()
    history = fit(network, train, valid=valid, recipe=recipe, device="cpu")
    for epoch in history.epochs:
        print(f"  epoch {epoch.epoch}: train {epoch.train_accuracy:.3f}, valid {epoch.valid_accuracy:.3f}")
    print(f"  {time.process_time() - started:.0f} s of processor time", flush=True)
    return network.eval(), test


def main() -> None:
    """Train, test, audit and write both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    library = cf.portraits.load("synthetic")
    torch.manual_seed(SEED)
    network = cf.models.create(NETWORK, SIZE)
    for name, condition, count, recipe in (
        ("positions", "baseline", 4000, FIRST),
        ("relations", "floating-on-canvas", 6000, SECOND),
    ):
        print(f"{name}: {condition}")
        network, test = trained(network, condition, count, library=library, recipe=recipe)
        model = ShownModel(name=name, image_size=SIZE, trained_on=condition, accuracy=accuracy(network, test))
        save_small(replace(model, network=network), given.out / f"{name}.safetensors")
        small = load_small(given.out / f"{name}.safetensors").network
        assert small is not None
        off = log_odds(network, test) - log_odds(small, test)
        print(f"  test {model.accuracy:.4f}, in 8 bits {accuracy(small, test):.4f}", end=", ")
        print(f"log-odds off by {off.abs().mean():.3f} in the mean", flush=True)
        for asked in ("baseline", "floating-on-canvas"):
            audit = cf.audit.audit(
                cf.models.open(small), library, condition=asked, pairs=200, seed=1, image_size=SIZE,
                probes=["forced_choice", "displacement"],
            )  # fmt: skip
            print(f"  on {asked}: " + " ".join(cf.audit.sentences(audit)[:3]))


def log_odds(network: nn.Module, data: TensorDataset) -> Tensor:
    """What a network says of all images."""
    return torch.from_numpy(cf.models.open(network).log_odds(data.tensors[0].permute(0, 2, 3, 1).numpy()))


if __name__ == "__main__":
    main()
