"""Drawing images and masks: the study's procedure written plainly, and the library's renderer.

    OMP_NUM_THREADS=1 python benchmarks/drawing.py --source fasseg:FASSEG/V2 --size 224

The plain way pastes a part, pads the image and the part's mask to a square and resizes both with scikit-image,
part after part; `--once` leaves out all but the last resizing of the image, which the study could have done too.
Prints a JSON line; figures are per second of processor time, so that other work on the machine counts for little.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
from skimage.io import imsave
from skimage.transform import resize

import configural
from configural.export import write
from configural.objects import FACE
from configural.portraits import Library, load
from configural.stimuli import Renderer, Stimulus, sample

ROUNDS = 5
"""How often each of several processes draws its images while all are measured."""


def plainly(library: Library, stimulus: Stimulus, size: int, once: bool) -> tuple[np.ndarray, list[np.ndarray]]:
    """An image and its masks as the study made them; for offsets in pixels of a portrait of 512 rows."""
    exemplars = {exemplar.name: exemplar for exemplar in library.exemplars}
    host = exemplars[stimulus.host]
    rows, cols = host.canvas.shape[:2]
    margins = ((rows - cols) // 2, rows - cols - (rows - cols) // 2)
    image, masks = host.canvas.astype(float), []
    small = np.empty(0)
    for slot, content in enumerate(stimulus.contents):
        part = exemplars[content.donor].parts[FACE.index(content.kind)]
        offset = np.rint(stimulus.condition.offsets[slot]).astype(int)
        top, left = np.array(host.parts[slot].anchor) + offset + content.jitter
        mask = np.zeros((rows, cols), bool)
        mask[top : top + part.mask.shape[0], left : left + part.mask.shape[1]] = part.mask
        blend = stimulus.condition.blend
        image[mask] = blend * part.pixels[part.mask] + (1 - blend) * image[mask]
        if not once or slot == len(stimulus.contents) - 1:
            padded = np.pad(image, ((0, 0), margins, (0, 0)))
            small = resize(padded, (size, size), anti_aliasing=True)
        padded_mask = np.pad(mask, ((0, 0), margins)).astype(float)
        masks.append(resize(padded_mask, (size, size), anti_aliasing=True) >= 0.5)
    return np.round(small).astype(np.uint8), masks


def write_plainly(library: Library, stimuli: list[Stimulus], size: int, folder: Path, once: bool) -> None:
    """Draw plainly and write each image and mask as PNG."""
    for stimulus in stimuli:
        image, masks = plainly(library, stimulus, size, once)
        name = f"{stimulus.label}_{stimulus.index}"
        imsave(folder / f"{name}.png", image, check_contrast=False)
        for kind, mask in zip(FACE.part_kinds, masks, strict=True):
            imsave(folder / f"{name}_{kind}.png", mask.astype(np.uint8), check_contrast=False)


def rate(work: Callable[[], object], images: int, repeats: int) -> list[float]:
    """Images per second of processor time: most, median and fewest of some repeats."""
    rates = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        rates.append(images / (time.process_time() - started))
    return [round(value, 1) for value in (max(rates), statistics.median(rates), min(rates))]


def draw_share(ready: Barrier, source: str, size: int, count: int, seed: int, seconds: SimpleQueue) -> None:
    """Draw with masks in a process of its own, all processes at once, and tell how long that took."""
    library = load(source)
    renderer, table = Renderer(library, size=size), sample(library, condition="ffa", count=count, seed=seed)
    stimuli = list(table)
    renderer.draw_batch_with_masks(stimuli)  # once to fill the caches
    ready.wait()
    started = time.perf_counter()
    for _ in range(ROUNDS):
        renderer.draw_batch_with_masks(stimuli)
    seconds.put(time.perf_counter() - started)


def rate_of_processes(processes: int, source: str, size: int, count: int) -> int:
    """Images with masks per second by the clock, drawn by so many processes together."""
    context = get_context("spawn")
    ready, seconds = context.Barrier(processes), context.SimpleQueue()
    started = [
        context.Process(target=draw_share, args=(ready, source, size, count, seed, seconds))
        for seed in range(processes)
    ]
    for process in started:
        process.start()
    longest = max(seconds.get() for _ in started)
    for process in started:
        process.join()
    return round(processes * ROUNDS * count / longest)


def main() -> None:
    """Measure the plain way and the library on the same stimuli."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", default="synthetic:45")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--count", type=int, default=1000, help="images that the library draws")
    parser.add_argument("--plain", type=int, default=10, help="images that are drawn plainly")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--once", action="store_true", help="the plain way resizes the image once, not per part")
    parser.add_argument("--processes", type=int, nargs="*", default=[], help="also measure so many at once")
    arguments = parser.parse_args()
    size, count, repeats = arguments.size, arguments.count, arguments.repeats
    library = load(arguments.source)
    table = sample(library, condition="ffa", count=count, seed=1)
    stimuli, renderer = list(table), Renderer(library, size=size)
    few = stimuli[:: max(1, count // arguments.plain)][: arguments.plain]
    # The two must agree before they are compared.
    difference = plainly(library, few[0], size, arguments.once)[0].astype(int) - renderer.draw(few[0])
    if np.abs(difference).max() > 2:
        raise SystemExit("the plain way and the renderer disagree")
    with tempfile.TemporaryDirectory() as folder:
        sets = iter(range(10**6))
        for stimulus in stimuli:
            renderer.draw_with_masks(stimulus)
        with_masks = rate(lambda: renderer.draw_batch_with_masks(stimuli), count, repeats)
        images = rate(lambda: renderer.draw_batch(stimuli), count, repeats)
        written = rate(
            lambda: write(table, Path(folder, f"set{next(sets)}"), library=library, size=size, masks=True),
            count,
            repeats,
        )
        peer = rate(lambda: [plainly(library, s, size, arguments.once) for s in few], len(few), min(3, repeats))
        peer_written = rate(
            lambda: write_plainly(library, few, size, Path(folder), arguments.once), len(few), min(3, repeats)
        )
    scaling = {}
    for processes in arguments.processes:
        scaling[processes] = rate_of_processes(processes, arguments.source, size, count)
    measured = {
        "source": arguments.source,
        "exemplars": len(library),
        "image_size": size,
        "count": count,
        "library_with_masks": with_masks,
        "library_images_alone": images,
        "library_folder_with_masks": written,
        "plain_with_masks": peer,
        "plain_folder_with_masks": peer_written,
        "plain_resizes_once": arguments.once,
        "times_as_fast": round(with_masks[1] / peer[1]),
        "times_as_fast_folder": round(written[1] / peer_written[1]),
        "images_per_second_by_processes": scaling,
        "configural": configural.__version__,
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
    }
    print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    main()
