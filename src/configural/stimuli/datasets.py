"""Images with labels for training and testing, drawn from stimuli."""

import numpy as np
import pandas as pd
import psutil
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from configural import progress
from configural.errors import ConfiguralError
from configural.objects import FACE
from configural.portraits import Library
from configural.stimuli.device_rendering import DeviceRenderer
from configural.stimuli.rendering import Renderer
from configural.stimuli.table import StimulusTable

SHARE_OF_MEMORY = 0.5
"""Images are kept in memory while they take no more than this share of what is free."""

_DRAWN_TOGETHER = 1024
"""Images that a device is given to draw at a time."""


class ImageDataset(Dataset[tuple[Tensor, int]]):
    """Images in memory: items are (uint8 RGB image of shape 3 × size × size, label).

    Attributes:
        rows: One row per image with the columns index, file and label.
        labels: 0 for a scrambled arrangement, 1 for the correct one.
        size: Rows and columns of the images.
        class_names: By label.
    """

    def __init__(
        self,
        rows: pd.DataFrame,
        size: int,
        *,
        images: UInt8[np.ndarray, "n size size 3"] | None = None,
        class_names: tuple[str, str] = FACE.class_names,
    ) -> None:
        self.rows = rows
        self.size = size
        self.class_names = class_names
        self.labels: Int64[Tensor, " n"] = torch.tensor(rows["label"].tolist(), dtype=torch.int64)
        self._images = None if images is None else torch.from_numpy(images).permute(0, 3, 1, 2)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> tuple[UInt8[Tensor, "3 size size"], int]:
        return self.fetch([position])[0], int(self.labels[position])

    def __getitems__(self, positions: list[int]) -> tuple[UInt8[Tensor, "n 3 size size"], Int64[Tensor, " n"]]:
        """A batch at once, as PyTorch's data loaders ask for it where they can."""
        return self.fetch(positions), self.labels[positions]

    def fetch(self, positions: list[int]) -> UInt8[Tensor, "n 3 size size"]:
        """The images at these positions."""
        assert self._images is not None
        return self._images[positions]


class StimulusDataset(ImageDataset):
    """Images drawn from a table of stimuli: all at once and kept, or each time anew.

    Attributes:
        table: The stimuli, one per image, in order.
        renderer: What draws them.
    """

    def __init__(
        self,
        library: Library,
        table: StimulusTable,
        size: int,
        keep: bool,
        renderer: Renderer | None = None,
    ) -> None:
        self.table = table
        self.renderer = renderer or Renderer(library, size=size)
        _check_faces(table, library)
        images = self._draw_all() if keep else None
        super().__init__(
            table.frame[["index", "file", "label"]], size, images=images, class_names=table.scheme.class_names
        )

    def _draw_all(self) -> UInt8[np.ndarray, "n size size 3"]:
        n, size = len(self.table), self.renderer.size
        images = np.empty((n, size, size, 3), np.uint8)
        with progress.bar("drawing", n) as update:
            for position, stimulus in enumerate(self.table):
                images[position] = self.renderer.draw(stimulus)
                update(position + 1)
        return images

    def fetch(self, positions: list[int]) -> UInt8[Tensor, "n 3 size size"]:
        """The images at these positions, drawn now if they are not kept."""
        if self._images is not None:
            return super().fetch(positions)
        images = self.renderer.draw_batch([self.table[position] for position in positions])
        return torch.from_numpy(images).permute(0, 3, 1, 2)


class DeviceDataset(ImageDataset):
    """Images that were drawn on a torch device, a batch at a time, and are kept there as bytes.

    Attributes:
        table: The stimuli, one per image, in order.
        device: Where the images and their labels are.
    """

    def __init__(self, renderer: DeviceRenderer, table: StimulusTable) -> None:
        """Draw all images.

        Args:
            renderer: What draws them; of the faces that the stimuli were sampled from.
            table: The stimuli.

        Raises:
            ConfiguralError: If the table belongs to another library.
        """
        _check_faces(table, renderer.renderer.library)
        n, size = len(table), renderer.renderer.size
        super().__init__(table.frame[["index", "file", "label"]], size, class_names=table.scheme.class_names)
        self.table, self.device = table, renderer.device
        self.labels = self.labels.to(self.device)
        images = torch.empty((n, size, size, 3), dtype=torch.uint8, device=self.device)
        self._images = images.permute(0, 3, 1, 2)
        with progress.bar("drawing", n) as update:
            for start in range(0, n, _DRAWN_TOGETHER):
                stop = min(start + _DRAWN_TOGETHER, n)
                self._images[start:stop] = renderer.draw_batch([table[row] for row in range(start, stop)])
                update(stop)


def dataset(
    library: Library,
    table: StimulusTable,
    size: int = 224,
    keep: bool | None = None,
    renderer: Renderer | None = None,
) -> StimulusDataset:
    """Make a torch dataset of (image, label) from stimuli.

    Args:
        library: The library that the stimuli were sampled from.
        table: The stimuli.
        size: Rows and columns of the images.
        keep: Draw all images now and keep them as bytes (n·size²·3 of them), or draw each when it is asked
            for. By default they are kept if they fit into half of the free memory.
        renderer: One of these faces and this size, to be shared with other sets; it remembers what it has resized.

    Raises:
        ConfiguralError: If the table belongs to another library.
    """
    if keep is None:
        keep = len(table) * size * size * 3 <= SHARE_OF_MEMORY * psutil.virtual_memory().available
    return StimulusDataset(library, table, size, keep, renderer)


def _check_faces(table: StimulusTable, library: Library) -> None:
    if table.fingerprint != library.fingerprint:
        raise ConfiguralError(
            f"the stimuli were sampled from another face library than {library.source}: load the one they "
            f"name ({table.source})"
        )
