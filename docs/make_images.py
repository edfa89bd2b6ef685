"""Draw the images of the documentation, from painted faces, houses and vans only.

Usage: python docs/make_images.py, with the extra landmarks and after configural fetch landmarks
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from configural.evaluation import save_figure
from configural.objects import FACE, HOUSE
from configural.portraits import Exemplar, Library, load
from configural.portraits.inspecting import sheet
from configural.portraits.landmarks import find_bundle
from configural.portraits.store import StoredExemplars
from configural.stimuli import STUDY_CONDITIONS, Renderer, preset_names, sample

FOLDER = Path(__file__).parent / "images"
PRESETS = (
    *STUDY_CONDITIONS,
    *("floating", "floating-on-canvas", "matched", "seamless", "upright-inverted", "one-part-moved"),
)
"""In the order of the page on conditions."""


def conditions_image(faces: Library) -> Figure:
    """Three faces and three no_faces under each condition; the same exemplars and parts in every row."""
    renderer = Renderer(faces, size=224)
    per_class = 3
    figure = Figure(figsize=(9.6, 6.2), layout="constrained")
    axes = figure.subplots(len(STUDY_CONDITIONS), 2 * per_class)
    for row, condition in zip(axes, STUDY_CONDITIONS, strict=True):
        table = sample(faces, condition=condition, count=40, seed=20)
        frame = table.frame
        chosen = [
            *np.flatnonzero(frame["label"] == 1)[:per_class],
            *np.flatnonzero(frame["label"] == 0)[:per_class],
        ]
        for axis, position in zip(row, chosen, strict=True):
            stimulus = table[int(position)]
            image = renderer.draw(stimulus)
            filled = np.flatnonzero(image.any(axis=(0, 2)))
            axis.imshow(image[:, filled[0] + 2 : filled[-1] - 1], interpolation="lanczos")
            axis.set_axis_off()
        row[0].text(-0.1, 0.5, condition, transform=row[0].transAxes, rotation=90, va="center", ha="right",
                    fontsize=15)  # fmt: skip
    axes[0][1].set_title("face", fontsize=15)
    axes[0][per_class + 1].set_title("no_face", fontsize=15)
    return figure


def exemplars_image(faces: Library, count: int = 6) -> Figure:
    """Portrait, segmentation and canvas of some exemplars."""
    colours = np.array([[225, 225, 225], [0, 114, 178], [86, 180, 233], [230, 159, 0], [204, 121, 167]], np.uint8)
    figure = Figure(figsize=(10.4, 7.2), layout="constrained")
    axes = figure.subplots(3, count)
    for column, exemplar in zip(axes.T, faces.exemplars[:count], strict=True):
        for axis, image in zip(
            column, (exemplar.portrait, colours[exemplar.segmentation], exemplar.canvas), strict=True
        ):
            axis.imshow(image)
            axis.set_axis_off()
    for row, name in zip(axes, ("portrait", "parts", "canvas"), strict=True):
        row[0].text(-0.1, 0.5, name, transform=row[0].transAxes, rotation=90, va="center", ha="right", fontsize=15)
    return figure


def write_celebamask(exemplars: Sequence[Exemplar], folder: Path) -> None:
    """Write exemplars in the layout of CelebAMask-HQ: square images of twice the size of their masks."""
    images, masks = folder / "CelebA-HQ-img", folder / "CelebAMask-HQ-mask-anno" / "0"
    for subfolder in (images, masks):
        subfolder.mkdir(parents=True)
    for number, exemplar in enumerate(exemplars):
        rows, cols = exemplar.size
        sides = (0, 0, (rows - cols) // 2, rows - cols - (rows - cols) // 2)
        square = cv2.copyMakeBorder(exemplar.portrait, *sides, cv2.BORDER_REPLICATE)
        large = cv2.resize(square, (2 * rows, 2 * rows), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(images / f"{number}.jpg"), large[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        parts = cv2.copyMakeBorder(exemplar.segmentation, *sides, cv2.BORDER_CONSTANT, value=0)
        # The files' sides are the person's.
        for name, kind in (("r_eye", "left_eye"), ("l_eye", "right_eye"), ("nose", "nose"), ("mouth", "mouth")):
            mask = np.where(parts == 1 + FACE.index(kind), 255, 0).astype(np.uint8)
            cv2.imwrite(str(masks / f"{number:05d}_{name}.png"), np.repeat(mask[..., None], 3, axis=2))


def write_folder(exemplars: Sequence[Exemplar], folder: Path) -> None:
    """Write exemplars as the worked example of portraits.md does."""
    colours = np.array([[0, 0, 0], [0, 0, 255], [255, 0, 255], [0, 255, 255], [0, 255, 0]], np.uint8)
    for name, exemplar in zip(("ada_1", "ada_2", "bo_1", "bo_2"), exemplars, strict=False):
        for sub, image in (("photos", exemplar.portrait), ("labels", colours[exemplar.segmentation])):
            (folder / sub).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / sub / f"{name}.png"), image[..., ::-1])
    text = (Path(__file__).parent / "portraits.md").read_text("utf-8")
    (folder / "portraits.yaml").write_text(text.split("```yaml\n")[1].split("```")[0], "utf-8")


def write_photographs(exemplars: Sequence[Exemplar], folder: Path) -> None:
    """Write painted faces somewhere on a wall each, as photographs of people are."""
    folder.mkdir()
    for number, exemplar in enumerate(exemplars[:4]):
        wall = np.full((700, 1000, 3), (150, 170, 160), np.uint8)
        (rows, cols), left = exemplar.size, 60 + 150 * number
        wall[-rows:, left : left + cols] = exemplar.portrait
        cv2.imwrite(str(folder / f"{number}.jpg"), wall[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])


def source_sheets(exemplars: Sequence[Exemplar]) -> dict[str, bytes]:
    """Contact sheets of painted exemplars, the faces read from four kinds of sources."""
    bundle = find_bundle()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["CONFIGURAL_CACHE"] = f"{scratch}/cache"
        write_celebamask(exemplars[:6], Path(scratch, "celebamask"))
        write_folder(exemplars, Path(scratch, "folder"))
        write_photographs(exemplars, Path(scratch, "photos"))
        photographs = load(f"portraits:{scratch}/photos,landmarks={bundle}").exemplars
        assert isinstance(photographs, StoredExemplars)
        return {
            "faces_synthetic": sheet(exemplars),
            "houses": sheet(load("houses:6").exemplars, scheme=HOUSE),
            "faces_celebamask": sheet(load(f"celebamask:{scratch}/celebamask").exemplars),
            "faces_photographs": sheet(photographs[:4], photographs=photographs.portraits),
            "faces_folder": sheet(load(f"folder:{scratch}/folder").exemplars),
        }


def presets_image(faces: Library) -> Figure:
    """Three images of each class under every preset and the joined one that closes most shortcuts."""
    renderer = Renderer(faces, size=224)
    names = [*sorted(preset_names(), key=PRESETS.index), "floating+matched+seamless"]
    figure = Figure(figsize=(11, 1.75 * len(names)), layout="constrained")
    for row, name in zip(figure.subplots(len(names), 6), names, strict=True):
        table = sample(faces, condition=name, count=42, seed=20)
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


def vans_images() -> None:
    """The worked example of own_object.md: a contact sheet, and both classes under the conditions of the page."""
    root = FOLDER.parents[1]
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["CONFIGURAL_CACHE"] = f"{scratch}/cache"
        subprocess.run([sys.executable, root / "examples/vans/draw_vans.py", f"{scratch}/vans"], check=True)
        vans = load(f"folder:{scratch}/vans")
        text = (root / "docs/own_object.md").read_text("utf-8")
        Path(scratch, "anywhere.yaml").write_text(text.split("# anywhere.yaml\n")[1].split("```")[0], "utf-8")
        figure = Figure(figsize=(10.6, 3.6), layout="constrained")
        for row, (name, condition) in zip(
            figure.subplots(2, 6),
            {"matched": "matched", "anywhere\n+matched": f"{scratch}/anywhere.yaml+matched"}.items(),
            strict=True,
        ):
            table, renderer = sample(vans, condition=condition, count=60, seed=6), Renderer(vans, size=224)
            labels = table.frame["label"]
            chosen = [*np.flatnonzero(labels == 1)[:3], *np.flatnonzero(labels == 0)[:3]]
            for axis, position in zip(row, chosen, strict=True):
                axis.imshow(renderer.draw(table[int(position)]), interpolation="lanczos")
                axis.set_axis_off()
                if name == "matched":
                    axis.set_title(table.frame["class_name"][position])
            row[0].text(-0.06, 0.5, name, transform=row[0].transAxes, va="center", ha="right", fontsize=11)
        save_figure(figure, FOLDER / "vans_classes.png")
        (FOLDER / "vans.png").write_bytes(sheet([vans[position] for position in range(6)], scheme=vans.scheme))
    for name in ("vans", "vans_classes"):
        Image.open(FOLDER / f"{name}.png").convert("RGB").save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    library = load("synthetic:12")
    save_figure(conditions_image(library), FOLDER / "conditions.png")
    save_figure(exemplars_image(library), FOLDER / "exemplars.png")
    for name, page in source_sheets(library.exemplars).items():
        (FOLDER / f"{name}.png").write_bytes(page)
    save_figure(presets_image(library), FOLDER / "presets.png")
    vans_images()
