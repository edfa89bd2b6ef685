"""A training step of a study network on a CPU, layer by layer as PyTorch runs it and as the library does.

    OMP_NUM_THREADS=1 python benchmarks/training_step.py --size 224 --batch 20

All variants take turns in one process, so that other work on the machine strikes each alike. Each prints a JSON
line. The limit is the rate of a large float32 matrix product, which takes its turn with them.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import time
from unittest import mock

import torch
from torch import nn

import configural
from configural.benchmark import Work, matrix_product, operations, training_step
from configural.models import create, preprocess
from configural.models.cpu import pooled_convolution, switch
from configural.training import KerasAdam


def variant_step(
    name: str,
    size: int,
    batch: int,
    blocks: bool = True,
    winograd: bool = True,
    dropout: bool = True,
    fused: bool = True,
    channels_last: bool = True,
    half: bool = False,
) -> Work:
    """A function that makes one step: prepare the images, forward, backward, Adam.

    Args:
        name: The network.
        size: Rows and columns of the images.
        batch: Images per step.
        blocks: Take convolution, pool and ReLU as one, instead of layer by layer.
        winograd: Use Winograd convolutions where the library does, instead of direct ones.
        dropout: Take the library's dropout instead of PyTorch's.
        fused: Take the library's Adam instead of PyTorch's.
        channels_last: Keep colours and channels of a pixel beside each other.
        half: Compute in 16 bits, as with `--precision bf16`.
    """
    torch.manual_seed(0)
    network = create(name, size).train()
    if channels_last:
        network.to(memory_format=torch.channels_last)
    else:
        network.prepare = lambda images: preprocess(images).contiguous()
    weights = network.parameters()
    adam = KerasAdam(weights) if fused else torch.optim.Adam(weights, lr=1e-4)
    step = training_step(network, adam, size=size, batch=batch)

    def variant() -> None:
        with contextlib.ExitStack() as changed:
            if half:
                changed.enter_context(torch.autocast("cpu", torch.bfloat16))
            if not blocks:
                changed.enter_context(mock.patch.object(switch, "_is_plain", return_value=False))
            if not winograd:
                changed.enter_context(mock.patch.object(pooled_convolution, "_MANY_PIXELS", size * size + 1))
            if not dropout:
                changed.enter_context(mock.patch.object(switch, "dropout", nn.Dropout.forward))
            step()

    return variant


VARIANTS = {
    "layer by layer": {"blocks": False, "dropout": False, "fused": False},
    "pooled blocks alone": {"winograd": False, "dropout": False, "fused": False},
    "pooled blocks and Winograd alone": {"dropout": False, "fused": False},
    "dropout alone": {"blocks": False, "fused": False},
    "fused Adam alone": {"blocks": False, "dropout": False},
    "library, direct convolutions": {"winograd": False},
    "library": {},
    "library, channels first": {"channels_last": False},
    "library, 16 bits": {"half": True},
    "layer by layer, 16 bits": {"blocks": False, "dropout": False, "fused": False, "half": True},
}


def main() -> None:
    """Measure all variants in turn."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--network", default="cnn-15")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    arguments = parser.parse_args()
    name, size, batch = arguments.network, arguments.size, arguments.batch
    work: dict[str, Work] = {
        variant: variant_step(name, size, batch, **VARIANTS[variant]) for variant in arguments.variants
    }
    work["limit"] = matrix_product()
    wall: dict[str, list[float]] = {variant: [] for variant in work}
    processor: dict[str, list[float]] = {variant: [] for variant in work}
    for turn in range(arguments.rounds + 1):
        for variant, step in work.items():
            started, used = time.perf_counter(), time.process_time()
            step()
            if turn:  # the first round warms up
                wall[variant].append(time.perf_counter() - started)
                processor[variant].append(time.process_time() - used)
    threads = torch.get_num_threads()
    # Of what the processor gave, so that its sharing with other programs does not count.
    rate = 2 * 2048**3 / (min(processor["limit"]) / threads)
    limit = rate / operations(name, size)
    first = statistics.median(processor[arguments.variants[0]])
    for variant in arguments.variants:
        measured = {
            "variant": variant,
            "network": name,
            "image_size": size,
            "batch": batch,
            "threads": threads,
            "seconds": [round(value, 4) for value in (min(wall[variant]), statistics.median(wall[variant]))],
            "processor_seconds": [
                round(value, 4)
                for value in (
                    min(processor[variant]),
                    statistics.median(processor[variant]),
                    max(processor[variant]),
                )
            ],
            "images_per_second": round(batch / min(wall[variant]), 1),
            "images_per_processor_second": round(batch / min(processor[variant]), 1),
            "times_as_fast": round(first / statistics.median(processor[variant]), 2),
            "limit_images_per_second": round(limit, 1),
            "limit_gflops": round(rate / 1e9),
            "share_of_limit": round(batch * threads / min(processor[variant]) / limit, 2),
            "configural": configural.__version__,
            "torch": torch.__version__,
            "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        }
        print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    main()
