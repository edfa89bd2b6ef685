"""The commands that train a network and test it."""

from pathlib import Path
from typing import Annotated

import typer

from configural.cli.options import Condition, Count, Device, Faces, ImageSize, Out, Placement, Seed, Split
from configural.cli.tables import print_evaluation, print_run

app = typer.Typer()


@app.command(
    epilog="Examples:\n\n"
    "configural run --out runs/demo\n\n"
    "configural run --source fasseg:FASSEG/V2 --condition fct --network fcn-14 --preset paper --keras\n\n"
    "configural run --out runs/demo --resume"
)
def run(
    source: Faces = None,
    condition: Condition = None,
    split: Split = None,
    network: Annotated[str | None, typer.Option(help="cnn-15, cnn-13, fcn-16 or fcn-14")] = None,
    preset: Annotated[
        str | None, typer.Option(help="quick (two CPU cores), paper (as in the study) or fast (least compute)")
    ] = None,
    image_size: ImageSize = None,
    count: Count = None,
    epochs: Annotated[int | None, typer.Option(help="passes over the training images")] = None,
    batch_size: Annotated[int | None, typer.Option(help="images per training step")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="of Adam, at its highest")] = None,
    dropout: Annotated[float | None, typer.Option(help="share of values left out (the study: 0.2)")] = None,
    precision: Annotated[str | None, typer.Option(help="32, tf32 or bf16")] = None,
    seed: Seed = None,
    data_seed: Annotated[
        int | None, typer.Option(metavar="N", help="of the images, where that shall be another than --seed")
    ] = None,
    device: Device = None,
    devices: Annotated[
        int | None, typer.Option(metavar="N", help="train on N GPUs, or in N processes on a CPU")
    ] = None,
    stream: Annotated[
        bool | None,
        typer.Option("--stream/--no-stream", help="draw images when they are needed, and keep none in memory"),
    ] = None,
    compile: Annotated[
        bool | None,
        typer.Option("--compile/--no-compile", help="compile the network first: for long trainings on a GPU"),
    ] = None,
    out: Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the run that DIR holds")] = False,
    keras: Annotated[bool, typer.Option("--keras", help="also save the network as model.h5")] = False,
) -> None:
    """Draw images, train a network, save, load, test and report: the main job.

    Defaults: synthetic faces, ffa, paper split, cnn-15, quick preset, seed 42, device auto, DIR runs/<date-time>.
    """
    from configural import commands

    folder = out
    if folder is None and not resume:
        folder = commands.dated_folder()
        typer.echo(f"run folder: {folder}", err=True)
    elif resume and folder is not None and not (folder / "config.yaml").is_file():
        typer.echo(f"{folder}: holds no run to go on with, so a new one begins", err=True)
    finished = commands.run(
        source=source,
        condition=condition,
        split=split,
        network=network,
        preset=preset,
        image_size=image_size,
        count=count,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        dropout=dropout,
        precision=precision,
        seed=seed,
        data_seed=data_seed,
        device=device,
        devices=devices,
        stream=stream,
        compile=compile,
        out=folder,
        resume=resume,
        keras=keras,
    )
    print_run(finished)


@app.command(
    epilog="Examples:\n\n"
    "configural evaluate runs/demo --placement shifted --out runs/demo-shifted\n\n"
    "configural evaluate model.h5 --data images --out runs/old-model"
)
def evaluate(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_MODEL", help="run folder, .safetensors or Keras .h5")],
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="images in no_face/ and face/, instead of drawing some"),
    ] = None,
    source: Faces = None,
    condition: Condition = None,
    placement: Placement = None,
    split: Split = None,
    count: Count = None,
    seed: Seed = None,
    image_size: ImageSize = None,
    device: Device = None,
    out: Out = None,
) -> None:
    """Test a saved network on another set of images.

    What is drawn follows the run's own settings wherever no option says otherwise. For a single file that is: the
    3,000 test images of 20,000, synthetic faces, ffa, middle, paper split, seed 0.
    """
    from configural import commands

    done = commands.evaluate(
        model,
        data=data,
        source=source,
        condition=condition,
        placement=placement,
        split=split,
        count=count,
        seed=seed,
        image_size=image_size,
        device=device or "auto",
        out=out,
    )
    print_evaluation(done)
