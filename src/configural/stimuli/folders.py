"""Writing stimuli to disk as an ImageFolder."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from configural import __version__, files, progress
from configural.errors import ConfiguralError
from configural.faces import PART_KINDS, FaceLibrary
from configural.stimuli.rendering import Renderer
from configural.stimuli.table import CLASS_NAMES, SUBSETS, Stimulus, StimulusTable


def write_folder(
    faces: FaceLibrary,
    table: StimulusTable,
    size: int,
    out: Path,
    masks: bool = False,
    show_progress: bool = False,
) -> None:
    """Draw all stimuli of a table into `out`, as `{train,valid,test}/{no_face,face}/pic_08001.png`.

    Also writes `stimuli.parquet` (the table), `dataset.json` (settings and counts) and, if asked, for every
    picture a label picture of the same name under `masks/`: 0 where no part shows, else 1 left_eye,
    2 right_eye, 3 nose, 4 mouth, by the kind of part that is seen.

    The folder is built beside `out` as `OUT.partial` and renamed when it is whole. If that is interrupted, the
    same call goes on where it stopped.

    Raises:
        ConfiguralError: If `out` exists, or `OUT.partial` was begun with other settings.
        OSError: If the disk is full or not writable; `OUT.partial` then stays for another try.
    """
    partial = out.with_name(out.name + ".partial")
    description = {
        "configural": __version__,
        **table.settings(),
        "image_size": size,
        "masks": {"values": dict(enumerate(("none", *PART_KINDS)))} if masks else None,
        "class_names": list(CLASS_NAMES),
        "images": {name: int((table.frame["subset"] == name).sum()) for name in SUBSETS},
    }
    text = json.dumps(description, indent=2) + "\n"
    refuse_used(out)
    if partial.exists() and (
        not (partial / "dataset.json").is_file() or (partial / "dataset.json").read_text("utf-8") != text
    ):
        raise ConfiguralError(
            f"{partial}: was begun with other settings; remove it, or repeat the command that began it"
        )
    files.write_text(partial / "dataset.json", text)
    table.save(partial / "stimuli.parquet")
    renderer = Renderer(faces, size)
    with progress.bar("drawing", len(table), show_progress) as update:
        for position, (stimulus, name) in enumerate(zip(table, table.frame["file"], strict=True)):
            if masks and not (partial / "masks" / name).exists():
                write_png(partial / "masks" / name, label_picture(renderer, stimulus))
            if not (partial / name).exists():
                write_png(partial / name, renderer.draw(stimulus))
            update(position + 1)
    if out.exists():  # an empty folder, checked above
        out.rmdir()
    os.replace(partial, out)


def refuse_used(out: Path) -> None:
    """Raise a ConfiguralError if `out` is a file or a folder that holds anything."""
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise ConfiguralError(f"{out}: exists and is not empty; choose another --out or remove it")


def label_picture(renderer: Renderer, stimulus: Stimulus) -> UInt8[np.ndarray, "size size"]:
    """The masks of a stimulus as one picture: 0 where no part shows, else 1 + the kind's place in PART_KINDS."""
    labels = np.zeros((renderer.size, renderer.size), np.uint8)
    for filling, mask in zip(stimulus.fillings, renderer.draw_masks(stimulus), strict=True):
        labels[mask] = 1 + PART_KINDS.index(filling.kind)
    return labels


def write_png(path: Path, picture: UInt8[np.ndarray, "..."]) -> None:
    """Write an RGB or grey picture as PNG."""
    stored = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    done, encoded = cv2.imencode(".png", stored)
    assert done
    files.write_bytes(path, encoded.tobytes())
