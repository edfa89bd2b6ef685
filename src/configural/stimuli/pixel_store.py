"""Pixels of many images and parts, held on a torch device."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int
from torch import Tensor

_FLOATS_KEPT = 2**28


class PixelStore:
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
