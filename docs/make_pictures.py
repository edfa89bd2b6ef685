"""Draw the pictures of the documentation, from painted faces only.

Usage: python docs/make_pictures.py
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from configural.evaluation import save_figure
from configural.faces import FaceLibrary, load
from configural.stimuli import CONDITIONS, PRESETS, Renderer, sample

FOLDER = Path(__file__).parent / "pictures"


def conditions_picture(faces: FaceLibrary) -> Figure:
    """Three faces and three no_faces under each condition; the same heads and parts in every row."""
    renderer = Renderer(faces, 224)
    per_class = 3
    figure = Figure(figsize=(9.6, 6.2), layout="constrained")
    axes = figure.subplots(len(CONDITIONS), 2 * per_class)
    for row, condition in zip(axes, CONDITIONS, strict=True):
        table = sample(faces, condition, count=40, seed=20)
        frame = table.frame
        chosen = [
            *np.flatnonzero(frame["label"] == 1)[:per_class],
            *np.flatnonzero(frame["label"] == 0)[:per_class],
        ]
        for axis, position in zip(row, chosen, strict=True):
            stimulus = table[int(position)]
            picture = renderer.draw(stimulus)
            filled = np.flatnonzero(picture.any(axis=(0, 2)))
            axis.imshow(picture[:, filled[0] + 2 : filled[-1] - 1], interpolation="lanczos")
            axis.set_axis_off()
        row[0].text(-0.1, 0.5, condition.name, transform=row[0].transAxes, rotation=90, va="center", ha="right",
                    fontsize=15)  # fmt: skip
    axes[0][1].set_title("face", fontsize=15)
    axes[0][per_class + 1].set_title("no_face", fontsize=15)
    return figure


def heads_picture(faces: FaceLibrary, count: int = 6) -> Figure:
    """Portrait, segmentation and canvas of some heads."""
    colours = np.array([[225, 225, 225], [0, 114, 178], [86, 180, 233], [230, 159, 0], [204, 121, 167]], np.uint8)
    figure = Figure(figsize=(10.4, 7.2), layout="constrained")
    axes = figure.subplots(3, count)
    for column, head in zip(axes.T, faces.heads[:count], strict=True):
        for axis, picture in zip(column, (head.portrait, colours[head.segmentation], head.canvas), strict=True):
            axis.imshow(picture)
            axis.set_axis_off()
    for row, name in zip(axes, ("portrait", "parts", "canvas"), strict=True):
        row[0].text(-0.1, 0.5, name, transform=row[0].transAxes, rotation=90, va="center", ha="right", fontsize=15)
    return figure


def presets_picture(faces: FaceLibrary) -> Figure:
    """Three pictures of each class under every preset and the joined one that closes most shortcuts."""
    renderer = Renderer(faces, 224)
    names = [*PRESETS, "floating+matched+seamless"]
    figure = Figure(figsize=(11, 1.75 * len(names)), layout="constrained")
    for row, name in zip(figure.subplots(len(names), 6), names, strict=True):
        table = sample(faces, name, count=42, seed=20)
        for axis, position in zip(row, (21, 22, 23, 0, 1, 2), strict=True):
            axis.imshow(renderer.draw(table[position]), interpolation="lanczos")
            axis.set_axis_off()
        row[0].text(
            -0.1, 0.5, name.replace("+", "\n+"), transform=row[0].transAxes, va="center", ha="right", fontsize=11
        )
        if name == names[0]:
            row[1].set_title("face")
            row[4].set_title("no_face")
    return figure


if __name__ == "__main__":
    library = load("synthetic:12")
    save_figure(conditions_picture(library), FOLDER / "conditions.png")
    save_figure(heads_picture(library), FOLDER / "heads.png")
    save_figure(presets_picture(library), FOLDER / "presets.png")
