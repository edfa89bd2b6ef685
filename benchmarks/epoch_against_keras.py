"""An epoch of the study's training on a folder of PNGs, by Keras on TensorFlow and by the library.

    OMP_NUM_THREADS=1 python benchmarks/epoch_against_keras.py --keras-python KERAS_VENV/bin/python

Each runs in a process of its own, on the same images and so many threads, and they take turns: one epoch each,
while the other waits. Keras reads each batch from the folder, as the study's notebook does; the library reads the
folder into memory at the start of every epoch. An epoch has its validation in it. The first round warms up. The
limit is the rate of a large float32 matrix product, which the library's process measures after each of its epochs.
Prints one JSON line.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Turn = Callable[[], dict[str, float]]
"""Makes an epoch and tells its seconds, its training loss and whatever else is to be reported."""


def keras_turn(folder: Path, size: int, threads: int) -> Turn:
    """Prepare the notebook's training in Keras; the function that comes back makes one epoch of it."""
    os.environ["KERAS_BACKEND"], os.environ["TF_CPP_MIN_LOG_LEVEL"] = "tensorflow", "3"
    import keras
    import tensorflow as tf
    from keras import layers

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    keras.utils.set_random_seed(42)
    image = tf.keras.preprocessing.image
    generator = image.ImageDataGenerator(preprocessing_function=tf.keras.applications.vgg16.preprocess_input)
    train, valid = (
        generator.flow_from_directory(
            folder / subset, target_size=(size, size), classes=["no_face", "face"], batch_size=batch
        )
        for subset, batch in (("train", 20), ("valid", 10))
    )
    model = keras.Sequential([keras.Input((size, size, 3))])
    for block, filters in enumerate((32, 64, 128, 256, 512), start=1):
        model.add(layers.Conv2D(filters, (3, 3), padding="same", activation="relu"))
        model.add(layers.MaxPooling2D((2, 2)))
        if block in (1, 3):
            model.add(layers.Dropout(0.2))
        if block == 1:
            model.add(layers.BatchNormalization())
    model.add(layers.Flatten())
    model.add(layers.Dense(2, activation="softmax"))
    model.compile(keras.optimizers.Adam(1e-4), loss="categorical_crossentropy", metrics=["accuracy"])

    def turn() -> dict[str, float]:
        started, used = time.perf_counter(), time.process_time()
        history = model.fit(train, validation_data=valid, epochs=1, verbose=0)
        spent = {"seconds": time.perf_counter() - started, "processor_seconds": time.process_time() - used}
        return spent | {"loss": float(history.history["loss"][0]), "parameters": model.count_params()}

    return turn


def library_turn(folder: Path, size: int, threads: int) -> Turn:
    """Prepare the same training in the library; the function that comes back makes one epoch of it."""
    import torch

    from configural.benchmark import matrix_product, operations
    from configural.export import read
    from configural.models import create
    from configural.training import Recipe, fit

    torch.set_num_threads(threads)
    torch.manual_seed(42)
    network, recipe, product = create("cnn-15", size), Recipe(epochs=1), matrix_product()

    def turn() -> dict[str, float]:
        started, used = time.perf_counter(), time.process_time()
        train, valid = (read(folder / subset, size=size) for subset in ("train", "valid"))
        history = fit(network, train, valid=valid, recipe=recipe, device="cpu")
        spent = {"seconds": time.perf_counter() - started, "processor_seconds": time.process_time() - used}
        rates = []
        for _ in range(3):
            used = time.process_time()
            product()
            rates.append(2 * 2048**3 * threads / (time.process_time() - used))
        parameters = sum(p.numel() for p in network.parameters()) + 64  # Keras counts the running averages, too
        return spent | {
            "loss": history.epochs[0].train_loss,
            "parameters": parameters,
            "flops": max(rates),
            "operations": operations("cnn-15", size),
        }

    return turn


def work(prepare: Callable[[Path, int, int], Turn], folder: Path, size: int, threads: int) -> None:
    """Make an epoch for every line that comes in, and answer each with a line of JSON."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the libraries print is no answer
    turn = prepare(folder, size, threads)
    for _ in sys.stdin:
        print(json.dumps(turn()), file=answers, flush=True)


def begin(python: str, name: str, folder: Path, size: int, threads: int) -> "subprocess.Popen[str]":
    """Start one of the two processes."""
    command = [python, __file__, "--work", name, "--folder", str(folder), "--size", str(size)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        [*command, "--threads", str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def ask(process: "subprocess.Popen[str]") -> dict[str, float]:
    """Have a process make one epoch."""
    assert process.stdin
    assert process.stdout
    process.stdin.write("\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise SystemExit(f"{process.args!r} ended with {process.wait()}")
    said: dict[str, float] = json.loads(answer)
    return said


def spread(turns: list[dict[str, float]], key: str) -> list[float]:
    """Least, median and most."""
    values = [turn[key] for turn in turns]
    return [round(value, 2) for value in (min(values), statistics.median(values), max(values))]


def main() -> None:
    """Write the images, have both make their epochs in turn, and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--keras-python", default=sys.executable, help="a Python that has Keras and TensorFlow")
    parser.add_argument("--source", default="synthetic:45")
    parser.add_argument("--count", type=int, default=250, help="images, of which four in five are trained on")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", choices=["keras", "library"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    size, threads = arguments.size, arguments.threads
    if arguments.work:
        work(keras_turn if arguments.work == "keras" else library_turn, arguments.folder, size, threads)
        return

    import configural
    from configural.export import write
    from configural.portraits import load
    from configural.stimuli import sample

    faces = load(arguments.faces)
    table = sample(faces, condition="ffa", count=arguments.count, seed=1)
    counts = table.counts()
    turns: dict[str, list[dict[str, float]]] = {"keras": [], "library": []}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "images"
        write(table, folder, library=faces, size=size)
        pythons = {"keras": arguments.keras_python, "library": sys.executable}
        processes = {name: begin(python, name, folder, size, threads) for name, python in pythons.items()}
        for round_ in range(arguments.rounds + 1):
            for name, process in processes.items():
                answer = ask(process)
                print(round_, name, answer, file=sys.stderr, flush=True)
                if round_:  # the first round warms up
                    turns[name].append(answer)
        for process in processes.values():
            assert process.stdin
            process.stdin.close()
            process.wait()
    first = turns["library"][0]
    if turns["keras"][0]["parameters"] != first["parameters"]:
        raise SystemExit("the two networks differ")
    keras_seconds, library_seconds = (spread(turns[name], "processor_seconds") for name in turns)
    # Of what the processors gave, so that their sharing with other programs does not count.
    limit = max(turn["flops"] for turn in turns["library"]) / first["operations"]
    # A validated image goes the way forward alone, about a third of the operations.
    images = counts["train"] + counts["valid"] / 3
    report: dict[str, Any] = {
        "faces": arguments.faces,
        "image_size": size,
        "threads": threads,
        "images": counts,
        "rounds": arguments.rounds,
        "keras_processor_seconds": keras_seconds,
        "library_processor_seconds": library_seconds,
        "keras_clock_seconds": spread(turns["keras"], "seconds"),
        "library_clock_seconds": spread(turns["library"], "seconds"),
        "times_as_fast": round(keras_seconds[1] / library_seconds[1], 2),
        "limit_processor_seconds": round(images * threads / limit, 2),
        "limit_gflops": round(limit * first["operations"] / 1e9),
        "keras_share_of_limit": round(images * threads / limit / keras_seconds[1], 2),
        "library_share_of_limit": round(images * threads / limit / library_seconds[1], 2),
        "keras_last_loss": round(turns["keras"][-1]["loss"], 4),
        "library_last_loss": round(turns["library"][-1]["loss"], 4),
        "configural": configural.__version__,
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
    }
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
