"""From a source, as users write it, to a library."""

import hashlib
import os
import re
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from configural.errors import ConfiguralError, ConfiguralWarning, PortraitSkippedWarning
from configural.io import files
from configural.objects import FACE, HOUSE, ObjectScheme
from configural.portraits.description import DESCRIPTION, read_description
from configural.portraits.fetch import fetched_fasseg
from configural.portraits.label_folder import LabelFolder
from configural.portraits.library import Exemplar, Library
from configural.portraits.painters import Painted
from configural.portraits.painters.face import paint_face
from configural.portraits.painters.house import paint_house
from configural.portraits.photographs import photographs
from configural.portraits.published import PUBLISHED, published
from configural.portraits.store import PortraitFolder, cache_folder, prepare
from configural.registry import Registry, made_by
from configural.wording import without_folders

DEFAULT_EXEMPLARS = 48
FORMS = (
    "synthetic, synthetic:N (such as synthetic:48), houses, houses:N, portraits:FOLDER, fasseg, "
    f"{', '.join(f'{name}:FOLDER' for name in PUBLISHED)} or folder:FOLDER"
)

_BAND = 0.6  # of its width: how high a nose is at least; in FASSEG's V2 1.4, in V1 0.3
_WARNED = 10  # portraits that are warned of one by one

SOURCES: Registry[Library | Callable[..., Library]] = Registry("source", "configural.sources", Library, Callable)
"""Libraries, or functions that make one, by the word before the colon. A function is called with what comes after
the colon, as text, and with the seed: `SOURCES["synthetic"]("8", seed=0)`."""


def load(source: str | Library = "synthetic", *, seed: int = 0) -> Library:
    """Load a library.

    Exemplars of a folder are prepared once and kept in the user's cache folder (the environment variable
    CONFIGURAL_CACHE names another). Loading them again reads no pixels; these are read when they are needed.

    Args:
        source: `synthetic` (48 painted faces), `synthetic:N` (N of them), `fasseg:FOLDER` (a folder with
            Train_RGB, Train_Labels, Test_RGB and Test_Labels), `fasseg` (what `configural fetch fasseg` has
            downloaded), `celebamask:FOLDER` (CelebAMask-HQ), `portraits:FOLDER` (photographs of people,
            whose parts are found by landmarks), `folder:FOLDER` (images and labels of any object,
            described by the folder's portraits.yaml), another registered source, or `module:name` of a library or
            of a function that makes one. A library is returned as it is.
        seed: Which synthetic exemplars to paint; folders do not depend on it.

    Raises:
        ConfiguralError: If the source is not understood or has fewer than two usable portraits.

    Warns:
        PortraitSkippedWarning: For each portrait that cannot be used; from the tenth on, once for all of them.

    Example:
        >>> import configural as cf
        >>> with cf.progress.hidden():
        ...     library = load("synthetic:2", seed=1)
        >>> library[0].name, library.scheme.name
        ('synthetic/00', 'face')
    """
    if isinstance(source, Library):
        return source
    name, _, rest = source.partition(":")
    if not SOURCES.knows(name):  # module:name, or module:name:rest
        attribute, _, rest = rest.partition(":")
        name = f"{name}:{attribute}" if attribute else name
    try:
        made = SOURCES.find(name)
    except ConfiguralError as error:
        raise ConfiguralError(f"source '{source}' is not understood: write {FORMS}; {error}") from error
    where = f"source '{source}' is to take what comes after the colon, and a seed"
    library = made if isinstance(made, Library) else made_by(made, where, rest, seed=seed)
    if not isinstance(library, Library):
        raise ConfiguralError(f"source '{source}': it gave {type(library).__name__} instead of a Library")
    return library if library.source == source else replace(library, source=source)


def refuse_unregistered(source: str) -> None:
    """Raise a ConfiguralError if a source that a file names, and no person, would have a module imported."""
    if not SOURCES.knows(source.partition(":")[0]):
        raise ConfiguralError(f"source '{source[:80]}' is not registered here: name it (source) if you trust it")


def load_recorded(source: str) -> Library:
    """Load the source that a file names, such as `dataset.json`; unlike `load`, it never imports a module.

    Files that are passed on name a folder without the path to it. Where there is none of that name, it is the one
    that was last loaded under it on this machine; whether it holds the same exemplars is for the caller to compare.

    Raises:
        ConfiguralError: See `load`; also if the source is neither registered nor installed.

    Example:
        >>> load_recorded("os:name")
        Traceback (most recent call last):
        configural.errors.ConfiguralError: source 'os:name' is not registered here: name it (source) if you trust it
    """
    refuse_unregistered(source)
    rest, note = source.partition(":")[2], _note(source)
    if rest and not Path(rest).exists() and note.is_file():
        return load(os.fsdecode(note.read_bytes()))
    return load(source)


def _note(source: str) -> Path:
    """Where this machine keeps the full path of a source that files name without it."""
    name = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return cache_folder() / "sources" / name


def _painted(
    rest: str, *, seed: int, name: str, paint: Callable[[int, int], Exemplar], scheme: ObjectScheme
) -> Library:
    source = f"{name}:{rest}" if rest else name
    if rest and not (rest.isascii() and rest.isdecimal() and int(rest) >= 2):
        raise ConfiguralError(f"source '{source}': the number of exemplars must be a whole number of at least 2")
    count = int(rest) if rest else DEFAULT_EXEMPLARS
    painted = Painted(name, paint, seed=seed, count=count, scheme=scheme)
    exemplars: Sequence[Exemplar]
    try:
        exemplars, _ = prepare(painted, _kept(f"{name}-{count}-{seed}"))
    except ConfiguralError:  # without a cache, as in a container that may write nothing: painted each time
        exemplars = [painted.read(name) for name in painted.names]
    return Library(source, exemplars, licence=painted.licence, scheme=painted.scheme)


SOURCES["synthetic"] = partial(_painted, name="synthetic", paint=paint_face, scheme=FACE)
SOURCES["houses"] = partial(_painted, name="houses", paint=paint_house, scheme=HOUSE)


def _published(rest: str, *, seed: int, name: str) -> Library:
    folder = fetched_fasseg() if name == "fasseg" and not rest else _folder(name, rest)
    library = _stored(name, rest, published(name, folder))
    rows, cols = np.median(library.part_sizes[:, library.scheme.index("nose")], axis=0)
    if rows < _BAND * cols:
        warnings.warn(
            ConfiguralWarning(
                f"{folder}: the noses are labelled as bands of {rows:.0f}×{cols:.0f} pixels, as the nostrils in "
                "FASSEG's V1: images made of them move nostrils, not noses; take V2"
            ),
            stacklevel=4,
        )
    return library


SOURCES.update({name: partial(_published, name=name) for name in PUBLISHED})


@SOURCES.register("folder")
def _label_folder(rest: str, *, seed: int) -> Library:
    folder = _folder("folder", rest)
    description, scheme = read_description(folder)
    where = str(folder / DESCRIPTION)
    return _stored("folder", rest, LabelFolder(folder, description, scheme=scheme, where=where))


@SOURCES.register("portraits")
def _portraits(rest: str, *, seed: int) -> Library:
    return _stored("portraits", rest, photographs(rest))


SOURCES.seal()


def _kept(part: str) -> Path:
    return cache_folder() / "exemplars" / part


def _folder(name: str, rest: str) -> Path:
    if not rest:
        raise ConfiguralError(f"source '{name}' is not understood: write {FORMS}")
    return Path(rest).expanduser()


def _stored(name: str, rest: str, portraits: PortraitFolder) -> Library:
    path = portraits.folder.resolve()
    digest = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    part = f"{name}-{re.sub(r'[^A-Za-z0-9]+', '-', path.name)}-{digest}"
    exemplars, skipped = prepare(portraits, _kept(part))
    for portrait, reason in skipped[:_WARNED]:
        warnings.warn(f"{portraits.folder}: skipped {portrait}: {reason}", PortraitSkippedWarning, stacklevel=5)
    if len(skipped) > _WARNED:
        warnings.warn(
            f"{portraits.folder}: skipped {len(skipped) - _WARNED:,} more; configural inspect lists them all",
            PortraitSkippedWarning,
            stacklevel=5,
        )
    several = [entry.name for entry in exemplars.entries if "largest of" in entry.note]
    if several:
        more = f" and {len(several) - 1:,} more" if len(several) > 1 else ""
        warnings.warn(
            ConfiguralWarning(f"{portraits.folder}: {several[0]}{more}: several faces; the largest was taken"),
            stacklevel=5,
        )
    source = f"{name}:{rest}" if rest else name
    if (shared := without_folders(source)) != source:
        with suppress(OSError):  # a cache that may only be read
            files.write_bytes(_note(shared), os.fsencode(source))
    return Library(source, exemplars, skipped=tuple(skipped), licence=portraits.licence, scheme=portraits.scheme)
