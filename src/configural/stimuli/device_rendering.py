"""Drawing many stimuli at once on a torch device.

The same formula as in `rendering`, for a batch at a time: what the parts change of each surface is laid into a tile
per image, all of one size, and all tiles are resized by two batched products with the resizing matrices. NumPy
finds where parts go; the pixels of parts, canvases and resized surfaces stay on the device.
"""

from collections.abc import Hashable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int, UInt8
from torch import Tensor

from configural.portraits import Library
from configural.stimuli.conditions import Condition
from configural.stimuli.layout import Layout, layout_of, require_inside
from configural.stimuli.rendering import _GAINS, Renderer
from configural.stimuli.table import Stimulus

_TOGETHER = 64
_FLOATS_KEPT = 2**28


class _PixelStore:
    """Arrays end to end in one tensor on the device, so that pieces of many are fetched at once."""

    def __init__(self, device: torch.device) -> None:
        self._all: Float32[Tensor, " n"] = torch.empty(0, device=device)
        self._starts: dict[tuple[Hashable, ...], int] = {}

    def starts(self, wanted: Sequence[tuple[Any, ...]]) -> Int[np.ndarray, " n"]:
        """Where each array begins until the next call; one that is not there is made, by function and arguments."""
        new = [key for key in dict.fromkeys(wanted) if key not in self._starts]
        if new and self._all.numel() > _FLOATS_KEPT:  # all but what is wanted goes
            self._all, self._starts, new = self._all[:0], {}, list(dict.fromkeys(wanted))
        pieces, end = [self._all], self._all.numel()
        for key in new:
            array = key[0](*key[1:])
            self._starts[key] = end
            end += array.size
            pieces.append(torch.from_numpy(array.ravel()).to(self._all.device))
        self._all = torch.cat(pieces) if new else self._all
        return np.array([self._starts[key] for key in wanted])

    def take(
        self, starts: Int[Tensor, " n"], sizes: Int[np.ndarray, "n 2"], planes: int, rows: Tensor, cols: Tensor
    ) -> Float32[Tensor, "n planes r c"]:
        """Pixels of n arrays by row and column; outside of an array, those of its border."""
        high, wide = torch.from_numpy(sizes).to(starts.device).T[:, :, None, None]
        index = starts[:, None, None] + rows.minimum(high - 1) * wide + cols.minimum(wide - 1)
        plane = torch.arange(planes, device=starts.device)[:, None, None]
        return self._all[index[:, None] + plane * (high * wide)[:, None]]


class DeviceRenderer(Renderer):
    """Draws the stimuli of one library in batches on a torch device.

    Its batches are those of `Renderer` up to one grey level, for sums are rounded in another order. Single images,
    masks, and backgrounds of noise, of which every image has its own, are drawn as by `Renderer`.
    """

    def __init__(self, library: Library, *, size: int = 224, device: str | torch.device = "cpu") -> None:
        """Prepare to draw as a `Renderer`, on the device that torch names so."""
        super().__init__(library, size=size)
        self.device = torch.device(device)
        self._store = _PixelStore(self.device)
        self._matrix = lru_cache(maxsize=None)(self._make_matrix)

    def __reduce__(self) -> tuple[Any, tuple[Library]]:
        return partial(type(self), size=self.size, device=str(self.device)), (self.library,)

    def draw_batch(self, stimuli: Sequence[Stimulus]) -> UInt8[np.ndarray, "n size size 3"]:
        """Draw several images on the device and fetch them from there."""
        images: UInt8[np.ndarray, "n size size 3"] = self.draw_there(stimuli).permute(0, 2, 3, 1).cpu().numpy()
        return images

    def draw_there(self, stimuli: Sequence[Stimulus]) -> UInt8[Tensor, "n 3 size size"]:
        """Draw several images, RGB, and leave them on the device.

        Raises:
            ConfiguralError: If a stimulus names an exemplar that the library does not hold, or a part leaves the
                surface.
        """
        images = torch.empty((len(stimuli), 3, self.size, self.size), dtype=torch.uint8, device=self.device)
        alike: dict[tuple[Condition, int], list[int]] = {}
        for row, stimulus in enumerate(stimuli):
            side = int(self.library.sides[self.library.position(stimulus.host)])
            alike.setdefault((stimulus.condition, side), []).append(row)
        for (condition, side), rows in alike.items():
            for first in range(0, len(rows), _TOGETHER):
                some = rows[first : first + _TOGETHER]
                chosen = [stimuli[row] for row in some]
                if condition.background == "noise":
                    images[some] = self._send(super().draw_batch(chosen)).permute(0, 3, 1, 2)
                else:
                    images[some] = self._draw(condition, side, chosen)
        return images

    def _draw(self, condition: Condition, side: int, stimuli: list[Stimulus]) -> UInt8[Tensor, "n 3 size size"]:
        """Draw stimuli of one condition whose hosts have squares of one side."""
        size, background = self.size, condition.background
        layout = layout_of(self.library, stimuli)
        require_inside(self.library, stimuli, layout)
        low, high, extent, slots = layout.low, layout.high, layout.surface, layout.kind.shape[1]
        filled = np.flatnonzero(layout.filled[0]).tolist()
        sources = tuple(array.astype(np.float32) for array in layout.sources())
        flat = layout.donor.ravel().tolist(), layout.kind.ravel().tolist()
        parts = [(donor, kind, side, condition.blend, condition.feather) for donor, kind in zip(*flat, strict=True)]
        hosts = layout.host.tolist()
        seen = [(self._bare, host, background, s.placement) for host, s in zip(hosts, stimuli, strict=True)]
        surfaces = [(self._scratch, host, background) for host in hosts]
        starts = self._send(self._store.starts([*seen, *surfaces, *((self._part_planes, *part) for part in parts)]))
        seen_at, surface_at, part_at = starts.split([len(seen), len(surfaces), len(parts)])
        every = torch.arange(size, device=self.device).expand(len(hosts), size)
        planes = self._store.take(seen_at, np.full_like(extent, size), 3, every[:, :, None], every[:, None])
        if filled:
            top = low[:, filled].min(axis=1)
            boxes = (high - low).max(axis=0)
            tall, wide = ((low - top[:, None])[:, filled] + boxes[filled]).max(axis=(0, 1)).tolist()
            down, right = (self._send(top[:, i, None] + np.arange(n)) for i, n in enumerate((tall, wide)))
            before = self._store.take(surface_at, extent, 3, down[:, :, None], right[:, None]).flatten(2)
            after = before.clone()
            for slot in filled:
                y, x = (torch.arange(n, device=self.device) for n in boxes[slot].tolist())
                y = y[:, None]
                pixels, alpha = self._shown(part_at[slot::slots], layout, sources, slot, y, x)
                first = self._send((low - top[:, None])[:, slot])[:, :, None, None]
                index = ((first[:, 0] + y) * wide + first[:, 1] + x).flatten(1)[:, None].expand(-1, 3, -1)
                if condition.colour_transfer:
                    tone = self._send(np.stack([self._part(*part).tone for part in parts[slot::slots]]))
                    under = (before.gather(2, index) * alpha).sum(2) / alpha.sum(2)
                    gain = (under / tone.clamp(min=1)).clamp(*_GAINS)
                    pixels = (pixels * gain[:, :, None]).clamp(max=255)
                after.scatter_add_(2, index, (pixels - after.gather(2, index)) * alpha)
            corner = self._send(layout.corner)
            down, right = down + corner[:, :1], right + corner[:, 1:]
            # Of a tile's last rows and columns, some lie outside the square; nothing has changed there.
            along, across = (self._matrix(side)[index.clamp(max=side - 1)] for index in (down, right))
            change = (after - before).view(len(hosts), 3, tall, wide)
            planes = planes + along.transpose(1, 2)[:, None] @ change @ across[:, None]
        images = planes.round().clamp(0, 255).to(torch.uint8)
        inverted = self._send(np.array([s.inverted for s in stimuli]))[:, None, None, None]
        return torch.where(inverted, images.flip(2, 3), images)

    def _shown(
        self,
        starts: Int[Tensor, " n"],
        layout: Layout,
        sources: tuple[np.ndarray, ...],
        slot: int,
        y: Int[Tensor, "r 1"],
        x: Int[Tensor, " c"],
    ) -> tuple[Float32[Tensor, "n 3 rc"], Float32[Tensor, "n 1 rc"]]:
        """A slot's parts in the boxes that they lie in: their pixels and their weight, interpolated linearly."""
        back, offset = (self._send(a[:, slot])[..., None, None] for a in sources)
        inside = self._send((layout.high - layout.low)[:, slot])[:, :, None, None]
        sizes = layout.size[:, slot] + 2
        last = self._send(sizes - 1)[:, :, None, None]
        at = [back[:, i, 0] * y + back[:, i, 1] * x + offset[:, i] for i in range(2)]
        rows, cols = (where.clamp(min=0).minimum(last[:, i]) for i, where in enumerate(at))
        top, left = rows.floor().long(), cols.floor().long()
        down, right = ((where % 1)[:, None] for where in (rows, cols))
        corners = [self._store.take(starts, sizes, 4, top + i, left + j) for i in range(2) for j in range(2)]
        above, below = (torch.lerp(corners[i], corners[i + 1], right) for i in (0, 2))
        values = torch.lerp(above, below, down)
        weight = values[:, 3:] * ((y < inside[:, :1]) & (x < inside[:, 1:]))
        return values[:, :3].flatten(2), weight.flatten(2)

    def _send(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def _make_matrix(self, side: int) -> Float32[Tensor, "side size"]:
        return self._send(self._resampling(side)[0]).T.contiguous()

    def _bare(self, host: int, background: str, placement: str) -> Float32[np.ndarray, "3 size size"]:
        return self._resized_surface(host, background, placement)[0]

    def _part_planes(self, *part: Any) -> Float32[np.ndarray, "4 r c"]:
        """A part's pixels and its weight in the mixture, with a margin of one pixel."""
        return self._part(*part).padded
