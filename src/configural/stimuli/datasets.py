"""Images with labels for training and testing, drawn from stimuli."""

from collections.abc import Iterable

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

FRACTION_OF_MEMORY = 0.5
"""Images are kept in memory while they take no more than this fraction of what is free."""

_DRAWN_TOGETHER = 1024
"""Images that a renderer is given to draw at a time."""


class ImageDataset(Dataset[tuple[Tensor, int]]):
    """Images in memory: items are (uint8 RGB image of shape 3 × size × size, label).

    Attributes:
        rows: One row per image with the columns index, file and label; of stimuli also placement.
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

    def __getitem__(self, index: int) -> tuple[UInt8[Tensor, "3 size size"], int]:
        return self.fetch([index])[0], int(self.labels[index])

    def __getitems__(self, positions: list[int]) -> tuple[UInt8[Tensor, "n 3 size size"], Int64[Tensor, " n"]]:
        """A batch at once, as PyTorch's data loaders fetch it where they can."""
        return self.fetch(positions), self.labels[positions]

    def fetch(self, positions: list[int]) -> UInt8[Tensor, "n 3 size size"]:
        """The images at these positions."""
        assert self._images is not None
        return self._images[positions]


class StimulusDataset(ImageDataset):
    """Images drawn from a table of stimuli: all at once and kept, or each time again.

    Attributes:
        table: The stimuli, one per image, in order.
        renderer: What draws them.
        device: Where the images that are kept and the labels are: that of a `DeviceRenderer`, else the CPU.
    """

    def __init__(self, renderer: Renderer, table: StimulusTable, *, keep: bool = True) -> None:
        """Draw all images, or none yet.

        Args:
            renderer: What draws them; of the library that the stimuli were sampled from.
            table: The stimuli.
            keep: Draw all now and keep them as bytes.

        Raises:
            ConfiguralError: If the table belongs to another library.
        """
        if table.fingerprint != renderer.library.fingerprint:
            raise ConfiguralError(
                f"the stimuli were sampled from another library than {renderer.library.source}: load the one they "
                f"name ({table.source})"
            )
        rows = table.frame[["index", "file", "label", "placement"]]
        super().__init__(rows, renderer.size, class_names=table.scheme.class_names)
        self.table, self.renderer = table, renderer
        self.device = renderer.device if isinstance(renderer, DeviceRenderer) else torch.device("cpu")
        self.labels = self.labels.to(self.device)
        if keep:
            self._images = self._draw_all()

    def _draw_all(self) -> UInt8[Tensor, "n 3 size size"]:
        n, size = len(self.table), self.renderer.size
        images = torch.empty((n, size, size, 3), dtype=torch.uint8, device=self.device).permute(0, 3, 1, 2)
        with progress.bar("drawing", n) as update:
            for start in range(0, n, _DRAWN_TOGETHER):
                stop = min(start + _DRAWN_TOGETHER, n)
                images[start:stop] = self._draw(range(start, stop))
                update(stop)
        return images

    def _draw(self, positions: Iterable[int]) -> UInt8[Tensor, "n 3 size size"]:
        stimuli = [self.table[position] for position in positions]
        if isinstance(self.renderer, DeviceRenderer):
            return self.renderer.draw_there(stimuli)
        return torch.from_numpy(self.renderer.draw_batch(stimuli)).permute(0, 3, 1, 2)

    def fetch(self, positions: list[int]) -> UInt8[Tensor, "n 3 size size"]:
        """The images at these positions, drawn now if they are not kept."""
        return self._draw(positions) if self._images is None else super().fetch(positions)


def dataset(
    library: Library,
    table: StimulusTable,
    *,
    size: int = 224,
    keep: bool | None = None,
    renderer: Renderer | None = None,
) -> StimulusDataset:
    """Make a torch dataset of (image, label) from stimuli.

    Args:
        library: The library that the stimuli were sampled from.
        table: The stimuli.
        size: Rows and columns of the images.
        keep: Draw all images now and keep them as bytes (n·size²·3 of them), or draw each when it is needed. By
            default they are kept if they fit into half of the free memory.
        renderer: One of this library and size, to be used for other sets too; it remembers what it has resized.

    Raises:
        ConfiguralError: If the table belongs to another library.

    Example:
        >>> import configural as cf
        >>> library = cf.portraits.load("synthetic:4")
        >>> with cf.progress.hidden():
        ...     images = dataset(library, cf.stimuli.sample(library, count=20), size=32)
        >>> images[0][0].shape, images[0][1]
        (torch.Size([3, 32, 32]), 0)
    """
    if keep is None:
        keep = len(table) * size * size * 3 <= FRACTION_OF_MEMORY * psutil.virtual_memory().available
    return StimulusDataset(renderer or Renderer(library, size=size), table, keep=keep)
