"""From a condition and a seed to a table of stimuli."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int

from configural import progress
from configural.errors import ConfiguralError, PortraitSkippedWarning
from configural.io import files
from configural.portraits import Library
from configural.stimuli.conditions import PLACEMENTS, Condition, default_condition
from configural.stimuli.conditions import condition as find_condition
from configural.stimuli.draws import BLOCK, Drawing, HostUnfitError, Rows, uniform
from configural.stimuli.layout import Draws
from configural.stimuli.table import SUBSETS, StimulusTable, StoredTable, TableSettings, write_rows
from configural.wording import without_folders

SPLITS = ("paper", "identity")

_PART = 8 * BLOCK
"""Stimuli of a class that are drawn together; keeps the memory flat however many are wanted."""

_Named = str | Path | Condition | None


def sample(
    library: Library,
    *,
    condition: str | Path | Condition | None = None,
    split: str = "paper",
    count: int = 2000,
    seed: int = 0,
    placement: str | None = None,
    pairs: bool = False,
) -> StimulusTable:
    """Sample stimuli by the study's procedure, half of them correct, half scrambled.

    Each stimulus draws a host, and per slot a donor and a jitter; a part that would leave the canvas redraws
    its donor and jitter. Of n per class, indices up to 0.8 n are train, then up to 0.95 n test, then valid.

    Where a condition poses the constellation, spaces its parts, moves one or matches the classes, what does not fit
    redraws everything but its host, in a matched pair for both images.

    Args:
        library: The exemplars to draw from.
        condition: A condition, or what `configural.stimuli.condition` understands.
        split: `paper` draws train, valid and test from all exemplars; `identity` from disjoint sets of persons, or
            of what else is shown.
        count: How many stimuli in all; even.
        seed: 0 or above.
        placement: left, middle, right, or shifted for a third each within every class and subset; the condition's
            if not given.
        pairs: Match the classes in pairs, whether the condition says so or not.

    Returns:
        The table: all scrambled ones by index, then all correct ones.

    Raises:
        ConfiguralError: If an argument is none of the above, or no exemplar can serve as host.

    Warns:
        PortraitSkippedWarning: For each exemplar that cannot serve as host.

    Example:
        >>> import configural as cf
        >>> table = cf.stimuli.sample(cf.portraits.load("synthetic:4"), condition="ffa", count=20, seed=1)
        >>> len(table.subset("train")), table[0].label, table[19].label
        (18, 0, 1)
    """
    settings, drawing = _prepare(library, condition, split, count, seed, placement, pairs)
    return settings.with_rows(pd.concat(_frames(settings, drawing), ignore_index=True))


def sample_to(
    path: Path,
    library: Library,
    *,
    condition: str | Path | Condition | None = None,
    split: str = "paper",
    count: int = 2000,
    seed: int = 0,
    placement: str | None = None,
    pairs: bool = False,
) -> StoredTable:
    """Sample stimuli into a Parquet file, a part at a time, so that a million need no more memory than a few.

    The file is the one that the table of `sample`, with the same arguments, would save.

    Returns:
        The table in that file.

    Raises:
        ConfiguralError: See `sample`.
        OSError: If the file cannot be written.
    """
    settings, drawing = _prepare(library, condition, split, count, seed, placement, pairs)
    with files.whole_file(path) as out, progress.bar("sampling", count) as update:
        write_rows(out, _frames(settings, drawing), settings, update=update)
    return StoredTable.open(path)


def _prepare(
    library: Library, named: _Named, split: str, count: int, seed: int, placement: str | None, pairs: bool
) -> tuple[TableSettings, Drawing]:
    """What is to be drawn, checked."""
    named = default_condition(library.scheme) if named is None else named
    condition = find_condition(named, scheme=library.scheme)
    if pairs:
        condition = condition.model_copy(update={"matched": True})
    placement = condition.placement if placement is None else placement
    if split not in SPLITS:
        raise ConfiguralError(f"unknown split '{split}': choose one of {', '.join(SPLITS)}")
    if placement not in (*PLACEMENTS, "shifted"):
        raise ConfiguralError(f"unknown placement '{placement}': choose one of {', '.join(PLACEMENTS)}, shifted")
    if count < 2 or count % 2:
        raise ConfiguralError(f"count {count} must be even and at least 2: half of the images are correct")
    if seed < 0:
        raise ConfiguralError(f"seed {seed} must be 0 or above")
    # Tables are passed on with the images, so they do not tell where somebody's portraits lie.
    source = without_folders(library.source)
    settings = TableSettings(condition, placement, split, count, seed, source, library.fingerprint, library.scheme)
    drawing = Drawing(library, condition, _pools(library, split, seed), seed)
    # An exemplar that turns out unfit changes who is drawn instead everywhere, so all is drawn again without it.
    while True:
        try:
            for rows in _rows(settings):
                drawing.draw(rows, (0, 1))
            return settings, drawing
        except HostUnfitError as failure:
            drawing = replace(drawing, unfit=(*drawing.unfit, failure.host))
            warnings.warn(
                f"{library[failure.host].name}: not used as a host: {failure.reason} ({condition.name})",
                PortraitSkippedWarning,
                stacklevel=3,
            )


def _rows(settings: TableSettings) -> Iterator[Rows]:
    """The stimuli of a class, some thousand at a time; the same in both classes."""
    n = settings.count // 2
    for start in range(0, n, _PART):
        index = np.arange(start, min(start + _PART, n))
        subsets = subset_of_index(index, n)
        if settings.placement == "shifted":
            # In turn within each subset; train begins at 0, valid and test behind the one before.
            rank = index - np.array([0, 19 * n // 20 + 1, 4 * n // 5 + 1])[subsets]
            placement = np.array(PLACEMENTS, dtype=object)[rank % 3]
        else:
            placement = np.full(len(index), settings.placement, dtype=object)
        yield Rows(index, subsets, placement)


def subset_of_index(index: Int[np.ndarray, " m"], n: int) -> Int[np.ndarray, " m"]:
    """For indices of a class of n: the position of their subset in `SUBSETS` (train, valid, test).

    Index i is train if i ≤ 0.8 n, else test if i ≤ 0.95 n, else valid; in whole numbers, so that no rounding
    error moves a border.
    """
    return np.select([5 * index <= 4 * n, 20 * index <= 19 * n], [0, 2], default=1)


def _pools(library: Library, split: str, seed: int) -> list[Int[np.ndarray, " _"]]:
    """For each subset, the positions of the exemplars it draws from."""
    if split == "paper":
        return [np.arange(len(library))] * len(SUBSETS)
    by_person: dict[str, list[int]] = {}
    for position, person in enumerate(library.persons):
        by_person.setdefault(person, []).append(position)
    persons = list(by_person.values())
    order = np.random.default_rng([seed, len(persons)]).permutation(len(persons))
    wanted = {"test": max(2, round(0.2 * len(library))), "valid": max(2, round(0.1 * len(library)))}
    pools: dict[str, list[int]] = {name: [] for name in SUBSETS}
    for number in order:
        short = next((name for name in wanted if len(pools[name]) < wanted[name]), "train")
        pools[short].extend(persons[number])
    if len(pools["train"]) < 2:
        raise ConfiguralError(
            f"{library.source}: {len(persons)} persons are too few for the identity split, which needs at "
            "least 2 exemplars each for train, valid and test; use split paper or more portraits"
        )
    return [np.sort(pools[name]) for name in SUBSETS]


def _frames(settings: TableSettings, drawing: Drawing) -> Iterator[pd.DataFrame]:
    """The rows of the table, some thousand at a time."""
    names = np.array([exemplar.name for exemplar in drawing.library.exemplars], dtype=object)
    for label in (0, 1):
        for rows in _rows(settings):
            yield _frame(settings, rows, drawing.draw(rows, (label,))[0], label, names)


def _frame(settings: TableSettings, rows: Rows, draws: Draws, label: int, names: np.ndarray) -> pd.DataFrame:
    scheme, condition, n = settings.scheme, settings.condition, len(rows)
    kinds = np.array(scheme.part_kinds, dtype=object)
    subset = np.array(SUBSETS, dtype=object)[rows.subsets]
    class_name = scheme.class_names[label]
    columns: dict[str, object] = {
        "index": rows.index,
        "subset": subset,
        "label": label,
        "class_name": class_name,
        "file": [f"{where}/{class_name}/pic_{i:05d}.png" for where, i in zip(subset, rows.index, strict=True)],
        "host": names[draws.host],
        "placement": rows.placement,
    }
    for position, slot in enumerate(scheme.part_kinds):
        columns[f"{slot}_kind"] = kinds[draws.kind[:, position]]
        columns[f"{slot}_donor"] = names[draws.donor[:, position]]
        columns[f"{slot}_row"] = draws.jitter[:, position, 0]
        columns[f"{slot}_col"] = draws.jitter[:, position, 1]
    inverted, noise = (
        uniform(settings.seed, 0 if condition.matched else label, stream, 0, rows.index, 1)[:, 0]
        for stream in ("inverted", "noise")
    )
    pose = {
        "pair": rows.index if condition.matched else np.full(n, -1),
        "shift_row": draws.shift[:, 0],
        "shift_col": draws.shift[:, 1],
        "rotation": draws.rotation,
        "scale": draws.scale,
        "inverted": inverted < condition.inverted,
        "noise": (noise * (condition.background == "noise") * 2**31).astype(int),
    }
    return pd.DataFrame({**columns, **pose})
