"""Pictures with labels for training and testing, drawn from stimuli or read from a folder."""

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from configural import progress
from configural.errors import ConfiguralError
from configural.faces import FaceLibrary
from configural.faces.pictures import read_picture
from configural.stimuli.device_rendering import DeviceRenderer
from configural.stimuli.rendering import Renderer
from configural.stimuli.table import CLASS_NAMES, StimulusTable

SHARE_OF_MEMORY = 0.5
"""Pictures are kept in memory while they take no more than this share of what is free."""

_DRAWN_TOGETHER = 1024
"""Pictures that a device is given to draw at a time."""


class PictureDataset(Dataset[tuple[Tensor, int]]):
    """Pictures in memory: items are (uint8 RGB picture of shape 3 × size × size, label).

    Attributes:
        rows: One row per picture with the columns index, file and label.
        labels: 0 for no_face, 1 for face.
        size: Rows and columns of the pictures.
    """

    def __init__(self, rows: pd.DataFrame, size: int, pictures: UInt8[np.ndarray, "n size size 3"] | None) -> None:
        self.rows = rows
        self.size = size
        self.labels: Int64[Tensor, " n"] = torch.tensor(rows["label"].tolist(), dtype=torch.int64)
        self._pictures = None if pictures is None else torch.from_numpy(pictures).permute(0, 3, 1, 2)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> tuple[UInt8[Tensor, "3 size size"], int]:
        return self.fetch([position])[0], int(self.labels[position])

    def __getitems__(self, positions: list[int]) -> tuple[UInt8[Tensor, "n 3 size size"], Int64[Tensor, " n"]]:
        """A batch at once, as PyTorch's data loaders ask for it where they can."""
        return self.fetch(positions), self.labels[positions]

    def fetch(self, positions: list[int]) -> UInt8[Tensor, "n 3 size size"]:
        """The pictures at these positions."""
        assert self._pictures is not None
        return self._pictures[positions]


class StimulusDataset(PictureDataset):
    """Pictures drawn from a table of stimuli: all at once and kept, or each time anew.

    Attributes:
        table: The stimuli, one per picture, in order.
        renderer: What draws them.
    """

    def __init__(
        self,
        faces: FaceLibrary,
        table: StimulusTable,
        size: int,
        keep: bool,
        show_progress: bool,
        renderer: Renderer | None = None,
    ) -> None:
        self.table = table
        self.renderer = renderer or Renderer(faces, size)
        _check_faces(table, faces)
        pictures = self._draw_all(show_progress) if keep else None
        super().__init__(table.frame[["index", "file", "label"]], size, pictures)

    def _draw_all(self, show_progress: bool) -> UInt8[np.ndarray, "n size size 3"]:
        n, size = len(self.table), self.renderer.size
        pictures = np.empty((n, size, size, 3), np.uint8)
        with progress.bar("drawing", n, show_progress) as update:
            for position, stimulus in enumerate(self.table):
                pictures[position] = self.renderer.draw(stimulus)
                update(position + 1)
        return pictures

    def fetch(self, positions: list[int]) -> UInt8[Tensor, "n 3 size size"]:
        """The pictures at these positions, drawn now if they are not kept."""
        if self._pictures is not None:
            return super().fetch(positions)
        pictures = self.renderer.draw_batch([self.table[position] for position in positions])
        return torch.from_numpy(pictures).permute(0, 3, 1, 2)


class DeviceDataset(PictureDataset):
    """Pictures that were drawn on a torch device, a batch at a time, and are kept there as bytes.

    Attributes:
        table: The stimuli, one per picture, in order.
        device: Where the pictures and their labels are.
    """

    def __init__(self, renderer: DeviceRenderer, table: StimulusTable, show_progress: bool = False) -> None:
        """Draw all pictures.

        Args:
            renderer: What draws them; of the faces that the stimuli were sampled from.
            table: The stimuli.
            show_progress: Show a bar on standard error.

        Raises:
            ConfiguralError: If the table belongs to another library.
        """
        _check_faces(table, renderer.renderer.faces)
        n, size = len(table), renderer.renderer.size
        super().__init__(table.frame[["index", "file", "label"]], size, None)
        self.table, self.device = table, renderer.device
        self.labels = self.labels.to(self.device)
        pictures = torch.empty((n, size, size, 3), dtype=torch.uint8, device=self.device)
        self._pictures = pictures.permute(0, 3, 1, 2)
        with progress.bar("drawing", n, show_progress) as update:
            for start in range(0, n, _DRAWN_TOGETHER):
                stop = min(start + _DRAWN_TOGETHER, n)
                self._pictures[start:stop] = renderer.draw_batch([table[row] for row in range(start, stop)])
                update(stop)


def dataset(
    faces: FaceLibrary,
    table: StimulusTable,
    size: int = 224,
    keep: bool | None = None,
    show_progress: bool = False,
    renderer: Renderer | None = None,
) -> StimulusDataset:
    """Make a torch dataset of (picture, label) from stimuli.

    Args:
        faces: The library that the stimuli were sampled from.
        table: The stimuli.
        size: Rows and columns of the pictures.
        keep: Draw all pictures now and keep them as bytes (n·size²·3 of them), or draw each when it is asked
            for. By default they are kept if they fit into half of the free memory.
        show_progress: Show a bar on standard error while drawing.
        renderer: One of these faces and this size, to be shared with other sets; it remembers what it has resized.

    Raises:
        ConfiguralError: If the table belongs to another library.
    """
    if keep is None:
        keep = len(table) * size * size * 3 <= SHARE_OF_MEMORY * psutil.virtual_memory().available
    return StimulusDataset(faces, table, size, keep, show_progress, renderer)


def _check_faces(table: StimulusTable, faces: FaceLibrary) -> None:
    if table.fingerprint != faces.fingerprint:
        raise ConfiguralError(
            f"the stimuli were sampled from another face library than {faces.source}: load the one they "
            f"name ({table.faces})"
        )


def read_folder(folder: Path, size: int, show_progress: bool = False) -> PictureDataset:
    """Read a folder of pictures with one subfolder per class, `no_face` and `face`.

    Args:
        folder: Holds `no_face` and `face`, or a `test` folder that does.
        size: Rows and columns that the pictures must have.
        show_progress: Show a bar on standard error.

    Returns:
        The pictures by class and name. An index is the number in the file's name, such as 8001 in
        pic_08001.png, or else the position among its class.

    Raises:
        ConfiguralError: If a folder is missing or empty, or a picture is unreadable or of another size.
    """
    if not folder.is_dir():
        raise ConfiguralError(f"{folder}: there is no such folder")
    root = folder / "test" if (folder / "test").is_dir() else folder
    found: list[tuple[int, int, Path]] = []
    for label, name in enumerate(CLASS_NAMES):
        if not (root / name).is_dir():
            raise ConfiguralError(f"{root}: has no folder '{name}'; expected the folders no_face and face")
        paths = sorted(p for p in (root / name).iterdir() if p.is_file() and not p.name.startswith("."))
        if not paths:
            raise ConfiguralError(f"{root / name}: holds no pictures")
        for first, second in itertools.pairwise(paths):
            if first.stem == second.stem:
                raise ConfiguralError(f"{first} and {second.name}: two pictures of one name; rename one")
        for position, path in enumerate(paths):
            number = re.search(r"(\d+)$", path.stem)
            found.append((int(number[1]) if number else position, label, path))
    pictures = np.empty((len(found), size, size, 3), np.uint8)
    with progress.bar("reading pictures", len(found), show_progress) as update:
        for position, (_, _, path) in enumerate(found):
            picture = read_picture(path)
            if picture.shape != (size, size, 3):
                rows, cols = picture.shape[:2]
                raise ConfiguralError(f"{path}: {cols}×{rows} pixels, but the network takes {size}×{size}")
            pictures[position] = picture
            update(position + 1)
    rows = pd.DataFrame(
        {
            "index": [index for index, _, _ in found],
            "file": [path.relative_to(folder).as_posix() for _, _, path in found],
            "label": [label for _, label, _ in found],
        }
    )
    return PictureDataset(rows, size, pictures)
