"""What a study will take, from a few steps of each of its networks on this machine."""

import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import torch

from configural import models, progress
from configural.evaluation import predict
from configural.portraits import Library
from configural.runs.images import sample_for
from configural.stimuli import ImageDataset, Renderer
from configural.stimuli.sampling import subset_of_index
from configural.study.plans import Job
from configural.study.status import JobStatus, StudyStatus
from configural.training import fit, open_device

_STEPS = 4
"""Training steps that are timed, after as many that are not."""

_DRAWN = 20
"""Images whose drawing is timed."""

_PREDICTION = 82
_STIMULUS = 24
_REST = 650_000
"""Bytes of a prediction in CSV, of a stimulus in Parquet, and of a run's page, figures and samples, as measured."""

JOB_OVERHEAD = 8.0
"""Seconds that a job takes for its files, figures and page, and its part of a worker's start: a guess."""


@dataclass(frozen=True, eq=False)
class Outlook:
    """What a study would do, and what that would take.

    Attributes:
        status: Its jobs, and how far each is already.
        workers: Jobs at a time.
        seconds: For all that is left, with so many workers.
        of_job: For each network, seconds that one of its whole jobs takes.
        of_drawing: Seconds for the images.
        result_bytes: What the run folders hold in the end; incorrectly predicted images come on top.
        passing_bytes: What else is on the disk meanwhile: images and checkpoints.
        free_bytes: Room on the disk of the study's folder.
        source: For each network, what its speed was taken from.
    """

    status: StudyStatus
    workers: int
    seconds: float
    of_job: dict[str, float]
    of_drawing: float
    result_bytes: int
    passing_bytes: int
    free_bytes: int
    source: dict[str, str]


def estimate(status: StudyStatus, library: Library, workers: int) -> Outlook:
    """Estimate time and disk for the jobs that are not finished.

    The speed of a network is that of its epochs in the study's folder, or where there are none, that of a few
    training steps that are taken and timed now, with a worker's part of the threads. A few images of the library
    are drawn and timed.

    Raises:
        ConfiguralError: If a network cannot be trained here.
    """
    first = status.jobs[0].job
    device = open_device(first.settings.device)
    # Several workers on one GPU share its speed.
    at_a_time = workers if device.type == "cpu" else min(workers, max(1, torch.cuda.device_count()))
    at_a_time = max(1, min(at_a_time, len(status.jobs)))
    by_network: dict[str, list[JobStatus]] = {}
    for each in status.jobs:
        by_network.setdefault(each.job.network, []).append(each)
    of_epoch, of_rest, source, parameters = {}, {}, {}, {}
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // max(1, workers)))
    try:
        with progress.bar("timing", len(by_network) + 1) as update:
            for number, (name, group) in enumerate(by_network.items(), start=1):
                of_epoch[name], of_tests = _time(group[0].job)
                of_rest[name] = of_tests + JOB_OVERHEAD
                parameters[name] = _parameters(group[0].job)
                source[name] = f"{_STEPS} training steps timed now"
                if known := [epoch.seconds for each in group for epoch in each.history.epochs]:
                    of_epoch[name] = sum(known) / len(known)
                    source[name] = f"{len(known)} epochs in the folder"
                update(number)
            draw_one = _time_drawing(first, library)
            update(len(by_network) + 1)
    finally:
        torch.set_num_threads(threads)
    left = [each for each in status.jobs if each.state != "finished"]
    drawn = _images_drawn(first) if left else 0
    work = sum(each.epochs_left * of_epoch[each.job.network] + of_rest[each.job.network] for each in left)
    predictions = (1 + len(first.tests)) * _images(first)["test"]
    checkpoints = min(workers, len(left)) * 12 * max(parameters.values())
    return Outlook(
        status,
        workers,
        # Whole jobs are dealt out, so that the last of them may leave other workers without any.
        seconds=(work + draw_one * drawn) / at_a_time,
        of_job={
            name: group[0].job.settings.recipe.epochs * of_epoch[name] + of_rest[name]
            for name, group in by_network.items()
        },
        of_drawing=draw_one * drawn,
        result_bytes=sum(
            4 * parameters[each.job.network]
            + _PREDICTION * predictions
            + _STIMULUS * each.job.settings.count
            + _REST
            for each in left
        ),
        passing_bytes=drawn * 3 * first.settings.image_size**2 + checkpoints,
        free_bytes=_free_bytes(status.folder),
        source=source,
    )


def _free_bytes(folder: Path) -> int:
    """Free space on the disk on which a folder is or will be."""
    while not folder.exists():
        folder = folder.parent
    return int(psutil.disk_usage(str(folder.resolve())).free)


def _time(job: Job) -> tuple[float, float]:
    """Seconds for an epoch, and for all tests of a job."""
    settings = job.settings
    batch = settings.recipe.batch_size
    train = _noise(_STEPS * batch, settings.image_size)
    valid = _noise(settings.recipe.valid_batch_size, settings.image_size)
    network = models.create(settings.network, settings.image_size)
    recipe = settings.recipe.model_copy(update={"epochs": 2})
    steps = fit(network, train, valid=valid, recipe=recipe, device=settings.device).epochs[-1].seconds / _STEPS
    predict(network, valid, device=settings.device)
    start = time.perf_counter()
    predict(network, train, device=settings.device)
    of_image = (time.perf_counter() - start) / len(train)
    images = _images(job)
    of_epoch = math.ceil(images["train"] / batch) * steps + images["valid"] * of_image
    return of_epoch, len(job.tests) * images["test"] * of_image


def _time_drawing(job: Job, library: Library) -> float:
    settings = job.settings.model_copy(update={"count": max(42, 2 * _DRAWN)})
    table = sample_for(settings, library)
    renderer = Renderer(library, size=settings.image_size)
    start = time.perf_counter()
    renderer.draw_batch([table[row] for row in range(_DRAWN)])
    return (time.perf_counter() - start) / _DRAWN


def _noise(number: int, size: int) -> ImageDataset:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"index": range(number), "file": "", "label": np.arange(number) % 2})
    return ImageDataset(rows, size, images=rng.integers(0, 256, (number, size, size, 3), np.uint8))


def _images(job: Job) -> dict[str, int]:
    of_class = job.settings.count // 2
    counts = np.bincount(subset_of_index(np.arange(of_class), of_class), minlength=3)
    return {name: 2 * int(number) for name, number in zip(("train", "valid", "test"), counts, strict=True)}


def _images_drawn(job: Job) -> int:
    """How many images the study draws."""
    conditions = {condition for condition, _ in job.tests}
    own = {(condition, placement) for condition, placement in job.own if condition in conditions}
    return len(own) * job.settings.count + len(set(job.tests) - own) * _images(job)["test"]


def _parameters(job: Job) -> int:
    return models.summarise(models.recreate(job.network, job.settings.image_size)).total
