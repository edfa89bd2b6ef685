"""Drawing many stimuli at once on a torch device.

The same formula as in `rendering`, for a batch at a time: what the parts change of each surface is laid into a tile
per image, all of one size, and all tiles are resized by two batched products with the resizing matrices. NumPy
finds where parts go; the pixels of parts, canvases and resized surfaces stay on the device.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int, UInt8
from torch import Tensor

from configural.portraits import Library
from configural.stimuli.conditions import Condition
from configural.stimuli.layout import Choices, inside, lay_out, padding, surface_sizes, unposed
from configural.stimuli.pixel_store import PixelStore
from configural.stimuli.rendering import _GAINS, Renderer
from configural.stimuli.table import Stimulus

_TOGETHER = 64


class _Boxes(NamedTuple):
    """Where the parts of n stimuli lie on their surfaces: first row and column of each box, and one past the last.

    Pixel (r, c) of a box shows what the part, with a margin of one pixel, has at inverse · (r, c) + offset.
    """

    low: Int[np.ndarray, "n slots 2"]
    high: Int[np.ndarray, "n slots 2"]
    room: Int[np.ndarray, "n slots 2"]
    inverse: Float32[np.ndarray, "n 2 2"]
    offset: Float32[np.ndarray, "n slots 2"]


class DeviceRenderer:
    """Draws the stimuli of one face library in batches on a device.

    The images are those of `Renderer` up to one grey level, for sums are rounded in another order. A background
    of noise, of which every image has its own, is drawn by `Renderer` itself.
    """

    def __init__(self, library: Library, *, size: int = 224, device: str | torch.device = "cpu") -> None:
        """Prepare to draw.

        Args:
            library: The library that the stimuli name.
            size: Rows and columns of the images; at least 8.
            device: Where to draw, as torch names it.

        Raises:
            ConfiguralError: If the size is too small.
        """
        self.renderer = Renderer(library, size=size)
        self.device = torch.device(device)
        self._store = PixelStore(self.device)
        self._matrices: dict[int, Float32[Tensor, "side size"]] = {}

    def draw_batch(self, stimuli: Sequence[Stimulus]) -> UInt8[Tensor, "n 3 size size"]:
        """Draw several images, RGB, on the device.

        Raises:
            ConfiguralError: If a stimulus names an exemplar that the library does not hold, or a part leaves its canvas.
        """
        size, library = self.renderer.size, self.renderer.library
        images = torch.empty((len(stimuli), 3, size, size), dtype=torch.uint8, device=self.device)
        alike: dict[tuple[Condition, int], list[int]] = {}
        for place, stimulus in enumerate(stimuli):
            side = int(library.canvas_sizes[library.position(stimulus.host)].max())
            alike.setdefault((stimulus.condition, side), []).append(place)
        for (condition, side), places in alike.items():
            for first in range(0, len(places), _TOGETHER):
                some = places[first : first + _TOGETHER]
                chosen = [stimuli[place] for place in some]
                if condition.background == "noise":
                    images[some] = self._send(self.renderer.draw_batch(chosen)).permute(0, 3, 1, 2)
                else:
                    images[some] = self._draw(condition, side, chosen)
        return images

    def _draw(self, condition: Condition, side: int, stimuli: list[Stimulus]) -> UInt8[Tensor, "n 3 size size"]:
        """Draw stimuli of one condition whose hosts have squares of one side."""
        plain, library, size = self.renderer, self.renderer.library, self.renderer.size
        choices = Choices.of_stimuli(library, stimuli)
        layout, slots = lay_out(library, condition, choices), len(library.scheme.part_kinds)
        host, kind, donor, low, high = choices.host, choices.kind, choices.donor, layout.low, layout.high
        background, extent = condition.background, surface_sizes(library, condition, host)
        boxed = _Boxes(low, high, layout.size, *(a.astype(np.float32) for a in unposed(layout, choices)))
        filled = [slot for slot, name in enumerate(library.scheme.part_kinds) if name in condition.filled]
        for position in np.flatnonzero(~inside(library, condition, host, layout).all(axis=1)):
            plain.draw(stimuli[position])  # which says what is wrong
        rows = np.repeat(library.canvas_sizes[host, :1], slots, axis=1)
        parts = list(zip(*(a.ravel().tolist() for a in (donor, kind, rows)), [condition] * kind.size, strict=True))
        seen = [(self._seen, h, background, s.placement) for h, s in zip(host.tolist(), stimuli, strict=True)]
        surfaces = [(plain._scratch, h, background) for h in host.tolist()]
        starts = self._send(self._store.starts([*seen, *surfaces, *((self._part, *part) for part in parts)]))
        seen_at, surface_at, part_at = starts.split([len(seen), len(surfaces), len(parts)])
        every = torch.arange(size, device=self.device).expand(len(host), size)
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
                pixels, alpha = self._shown(part_at[slot::slots], boxed, slot, y, x)
                first = self._send((low - top[:, None])[:, slot])[:, :, None, None]
                index = ((first[:, 0] + y) * wide + first[:, 1] + x).flatten(1)[:, None].expand(-1, 3, -1)
                if condition.colour_transfer:
                    skin = self._send(np.stack([plain._part(*part).skin for part in parts[slot::slots]]))
                    under = (before.gather(2, index) * alpha).sum(2) / alpha.sum(2)
                    gain = (under / skin.clamp(min=1)).clamp(*_GAINS)
                    pixels = (pixels * gain[:, :, None]).clamp(max=255)
                after.scatter_add_(2, index, (pixels - after.gather(2, index)) * alpha)
            if background == "canvas":
                above, left = self._send(padding(library.canvas_sizes[host], choices.placement)).T[:, :, None]
                down, right = down + above, right + left
            # Of a tile's last rows and columns, some lie outside the square; nothing has changed there.
            along, across = (self._matrix(side)[index.clamp(max=side - 1)] for index in (down, right))
            change = (after - before).view(len(host), 3, tall, wide)
            planes = planes + along.transpose(1, 2)[:, None] @ change @ across[:, None]
        images = planes.round().clamp(0, 255).to(torch.uint8)
        inverted = self._send(np.array([s.inverted for s in stimuli]))[:, None, None, None]
        return torch.where(inverted, images.flip(2, 3), images)

    def _shown(
        self, starts: Int[Tensor, " n"], places: _Boxes, slot: int, y: Int[Tensor, "r 1"], x: Int[Tensor, " c"]
    ) -> tuple[Float32[Tensor, "n 3 rc"], Float32[Tensor, "n 1 rc"]]:
        """A slot's parts in the boxes that they lie in: their pixels and their share, interpolated linearly."""
        back, offset = (self._send(a)[..., None, None] for a in (places.inverse, places.offset[:, slot]))
        inside = self._send((places.high - places.low)[:, slot])[:, :, None, None]
        sizes = places.room[:, slot] + 2
        last = self._send(sizes - 1)[:, :, None, None]
        at = [back[:, i, 0] * y + back[:, i, 1] * x + offset[:, i] for i in range(2)]
        rows, cols = (where.clamp(min=0).minimum(last[:, i]) for i, where in enumerate(at))
        top, left = rows.floor().long(), cols.floor().long()
        down, right = ((where % 1)[:, None] for where in (rows, cols))
        corners = [self._store.take(starts, sizes, 4, top + i, left + j) for i in range(2) for j in range(2)]
        above, below = (torch.lerp(corners[i], corners[i + 1], right) for i in (0, 2))
        values = torch.lerp(above, below, down)
        share = values[:, 3:] * ((y < inside[:, :1]) & (x < inside[:, 1:]))
        return values[:, :3].flatten(2), share.flatten(2)

    def _send(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def _matrix(self, side: int) -> Float32[Tensor, "side size"]:
        if side not in self._matrices:
            self._matrices[side] = self._send(self.renderer._resampling(side)[0]).T.contiguous()
        return self._matrices[side]

    def _seen(self, host: int, background: str, placement: str) -> Float32[np.ndarray, "3 size size"]:
        return self.renderer._resized_surface(host, background, placement)[0]

    def _part(self, *part: Any) -> Float32[np.ndarray, "4 r c"]:
        """A part's pixels and its share in the mixture, with a margin of one pixel."""
        material = self.renderer._part(*part)
        pixels = np.pad(material.pixels, ((0, 0), (1, 1), (1, 1)), mode="edge")
        return np.concatenate([pixels, np.pad(material.alpha, 1)[None]])
