"""What a dataset on disk is to hold, taken in pieces that fit into memory."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, UInt8

from configural.io.images import encode_png
from configural.processes import worker_processes
from configural.stimuli.rendering import Renderer
from configural.stimuli.table import SUBSETS, Stimulus, StimulusTable, StoredTable

_AHEAD = 8
"""Entries that are worked on before they are asked for."""

Update = Callable[[int], None]
"""Is called with the number of images done so far."""


@dataclass(frozen=True, eq=False)
class Entry:
    """One stimulus with what a dataset says of it.

    Attributes:
        row: Its position in the whole table.
        columns: Its row in the table, every column, as plain values.
        stimulus: What to draw.
        masks: Whether its label image is wanted, too; both are then drawn at once, when one is first needed.
        renderer: What draws it.
    """

    row: int
    columns: dict[str, Any]
    stimulus: Stimulus
    masks: bool
    renderer: Renderer

    def pixels(self) -> UInt8[np.ndarray, "size size 3"]:
        """The image, RGB."""
        return self._drawn[0] if self.masks else self.renderer.draw(self.stimulus)

    def image(self) -> bytes:
        """The image as a PNG file."""
        return encode_png(self.pixels())

    def labels(self) -> UInt8[np.ndarray, "size size"]:
        """The label image."""
        assert self.masks
        return label_image(self.renderer, self.stimulus, masks=self._drawn[1])

    def mask(self) -> bytes:
        """The label image as a PNG file."""
        return encode_png(self.labels())

    @cached_property
    def _drawn(self) -> tuple[UInt8[np.ndarray, "size size 3"], Bool[np.ndarray, "slots size size"]]:
        return self.renderer.draw_with_masks(self.stimulus)


@dataclass(frozen=True, eq=False)
class Shard:
    """Some stimuli of one subset that are written together.

    Attributes:
        subset: train, valid or test.
        number: From 0, in its subset.
        of: How many shards the subset has.
        rows: The stimuli's positions in the table.
    """

    subset: str
    number: int
    of: int
    rows: Int[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Plan:
    """The dataset that shall be on disk: the same plan writes it and checks it.

    Attributes:
        table: All stimuli.
        renderer: What draws them.
        masks: Whether label images belong to it.
        shard_size: Stimuli per shard.
    """

    table: StimulusTable | StoredTable
    renderer: Renderer
    masks: bool
    shard_size: int = 2000

    @cached_property
    def shards(self) -> list[Shard]:
        """All stimuli, subset by subset and shard by shard, the two classes taking turns.

        A table holds one class after the other; readers that shuffle only among neighbours need them mixed.
        """
        positions = self.table.positions()
        index, subsets = positions["index"].to_numpy(), positions["subset"].cat.codes.to_numpy()
        shards = []
        for position, name in enumerate(SUBSETS):
            rows = np.flatnonzero(subsets == position).astype(np.int32)
            rows = rows[np.argsort(index[rows], kind="stable")]
            count = -(-len(rows) // self.shard_size)
            for number in range(count):
                mine = rows[number * self.shard_size : (number + 1) * self.shard_size]
                shards.append(Shard(name, number, count, mine))
        return shards

    @property
    def subsets(self) -> list[str]:
        """The names of the subsets that hold anything."""
        return [name for name in SUBSETS if any(shard.subset == name for shard in self.shards)]

    def of_subset(self, name: str) -> list[Shard]:
        """The shards of one subset."""
        return [shard for shard in self.shards if shard.subset == name]

    def entries(self, shards: Iterable[Shard]) -> Iterator[Entry]:
        """The stimuli of shards, in order."""
        for shard in shards:
            # A slice of the table, so that only a shard's rows ever become Python objects.
            table = self.table.take(shard.rows)
            lists = table.lists  # of most columns; `to_dict` takes far longer
            columns = {n: lists[n] if n in lists else table.frame[n].tolist() for n in table.columns}
            for position, row in enumerate(shard.rows.tolist()):
                said = {name: values[position] for name, values in columns.items()}
                yield Entry(row, said, table[position], self.masks, self.renderer)


Each = Callable[[Callable[[Entry], Any], Iterable[Entry]], Iterator[Any]]
"""What `map` does with a function of an entry, here or in several processes; entries are taken as needed."""


@contextmanager
def entry_map(renderer: Renderer, workers: int) -> Generator[Each]:
    """`map` over the entries of a plan; by so many processes, each with a renderer of its own, if more than one.

    In one process a thread works ahead of who takes the results, so that files are packed while others are written.
    """
    if workers == 1:
        with ThreadPoolExecutor(1) as thread:
            yield partial(_ahead, thread)
        return
    with worker_processes(workers, renderer) as do:
        yield lambda work, entries: do(
            partial(_work_on, work), ((one.row, one.columns, one.stimulus, one.masks) for one in entries)
        )


def _ahead(thread: Executor, work: Callable[[Entry], Any], entries: Iterable[Entry]) -> Iterator[Any]:
    waiting: deque[Future[Any]] = deque()
    try:
        for entry in entries:
            waiting.append(thread.submit(work, entry))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _work_on(
    work: Callable[[Entry], Any], renderer: Renderer, described: tuple[int, dict[str, Any], Stimulus, bool]
) -> Any:
    return work(Entry(*described, renderer))


def label_image(
    renderer: Renderer, stimulus: Stimulus, *, masks: Bool[np.ndarray, "slots size size"] | None = None
) -> UInt8[np.ndarray, "size size"]:
    """The masks of a stimulus as one image: 0 where no part shows, else 1 + the part kind's position in the scheme.

    Args:
        renderer: What draws the masks.
        stimulus: Whose.
        masks: Where they are drawn already.

    Example:
        >>> import configural as cf
        >>> library = cf.portraits.load("synthetic:2")
        >>> table = cf.stimuli.sample(library, count=4)
        >>> labels = cf.export.label_image(cf.stimuli.Renderer(library, size=32), table[0])
        >>> labels.shape, labels.max()
        ((32, 32), np.uint8(4))
    """
    masks = renderer.draw_masks(stimulus) if masks is None else masks
    labels = np.zeros(masks.shape[1:], np.uint8)
    for content, mask in zip(stimulus.contents, masks, strict=True):
        labels[mask] = 1 + renderer.library.scheme.index(content.kind)
    return labels
