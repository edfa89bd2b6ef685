"""Draw the pictures of the documentation, from painted faces only.

Usage: python docs/make_pictures.py
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure

from configural.evaluation import save_figure
from configural.faces import PART_KINDS, FaceLibrary, Head, load
from configural.faces.sheet import sheet
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


def write_celebamask(heads: Sequence[Head], folder: Path) -> None:
    """Write heads in the layout of CelebAMask-HQ: square pictures of twice the size of their masks."""
    pictures, masks = folder / "CelebA-HQ-img", folder / "CelebAMask-HQ-mask-anno" / "0"
    for place in (pictures, masks):
        place.mkdir(parents=True)
    for number, head in enumerate(heads):
        rows, cols = head.size
        sides = (0, 0, (rows - cols) // 2, rows - cols - (rows - cols) // 2)
        square = cv2.copyMakeBorder(head.portrait, *sides, cv2.BORDER_REPLICATE)
        large = cv2.resize(square, (2 * rows, 2 * rows), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(pictures / f"{number}.jpg"), large[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        parts = cv2.copyMakeBorder(head.segmentation, *sides, cv2.BORDER_CONSTANT, value=0)
        # The files' sides are the person's.
        for name, kind in (("r_eye", "left_eye"), ("l_eye", "right_eye"), ("nose", "nose"), ("mouth", "mouth")):
            mask = np.where(parts == 1 + PART_KINDS.index(kind), 255, 0).astype(np.uint8)
            cv2.imwrite(str(masks / f"{number:05d}_{name}.png"), np.repeat(mask[..., None], 3, axis=2))


def write_folder(heads: Sequence[Head], folder: Path) -> None:
    """Write heads as the worked example of faces.md does."""
    colours = np.array([[0, 0, 0], [0, 0, 255], [255, 0, 255], [0, 255, 255], [0, 255, 0]], np.uint8)
    for name, head in zip(("ada_1", "ada_2", "bo_1", "bo_2"), heads, strict=False):
        for sub, picture in (("photos", head.portrait), ("labels", colours[head.segmentation])):
            (folder / sub).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / sub / f"{name}.png"), picture[..., ::-1])
    text = (Path(__file__).parent / "faces.md").read_text("utf-8")
    (folder / "faces.yaml").write_text(text.split("```yaml\n")[1].split("```")[0], "utf-8")


def source_sheets(heads: Sequence[Head]) -> dict[str, bytes]:
    """Contact sheets of the same painted heads, read from three kinds of sources."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["CONFIGURAL_CACHE"] = f"{scratch}/cache"
        write_celebamask(heads[:6], Path(scratch, "celebamask"))
        write_folder(heads, Path(scratch, "folder"))
        return {
            "synthetic": sheet(heads),
            "celebamask": sheet(load(f"celebamask:{scratch}/celebamask").heads),
            "folder": sheet(load(f"folder:{scratch}/folder").heads),
        }


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
    for name, page in source_sheets(library.heads).items():
        (FOLDER / f"faces_{name}.png").write_bytes(page)
    save_figure(presets_picture(library), FOLDER / "presets.png")
