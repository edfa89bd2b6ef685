"""From a source, as users write it, to a face library."""

import hashlib
import re
import warnings
from pathlib import Path

from configural import progress
from configural.errors import ConfiguralError, PortraitSkippedWarning
from configural.portraits import celebamask, fasseg
from configural.portraits.celebamask import CelebAMask
from configural.portraits.fasseg import Fasseg
from configural.portraits.fetch import fetched_fasseg
from configural.portraits.label_folder import LabelFolder
from configural.portraits.library import Library
from configural.portraits.painters.face import paint_face
from configural.portraits.store import PortraitFolder, cache_folder, prepare

DEFAULT_EXEMPLARS = 48
FORMS = "synthetic, synthetic:N (such as synthetic:48), fasseg, fasseg:FOLDER, celebamask:FOLDER or folder:FOLDER"

_WARNED = 10  # portraits that are warned of one by one


def load(source: str | Library = "synthetic", seed: int = 0) -> Library:
    """Load a face library.

    Exemplars of a folder are prepared once and kept in the user's cache folder (the environment variable
    CONFIGURAL_CACHE names another). Loading them again reads no pixels; these are read when they are needed.

    Args:
        source: `synthetic` (48 painted exemplars), `synthetic:N` (N of them), `fasseg:FOLDER` (a folder with
            Train_RGB, Train_Labels, Test_RGB and Test_Labels), `fasseg` (what `configural fetch fasseg` has
            downloaded), `celebamask:FOLDER` (CelebAMask-HQ) or `folder:FOLDER` (images and labels described
            by the folder's faces.yaml). A library is returned as it is.
        seed: Which synthetic exemplars to paint; the other sources do not depend on it.

    Raises:
        ConfiguralError: If the source is not understood or has fewer than two usable portraits.

    Warns:
        PortraitSkippedWarning: For each portrait that cannot be used; from the tenth on, once for all of them.
    """
    if isinstance(source, Library):
        return source
    kind, _, rest = source.partition(":")
    if kind == "synthetic":
        return _synthetic(source, rest, seed)
    if source == "fasseg":
        return _stored(source, Fasseg(fetched_fasseg()), fasseg.LICENCE)
    folder = Path(rest).expanduser()
    if kind == "fasseg" and rest:
        return _stored(source, Fasseg(folder), fasseg.LICENCE)
    if kind == "celebamask" and rest:
        return _stored(source, CelebAMask(folder), celebamask.LICENCE)
    if kind == "folder" and rest:
        described = LabelFolder(folder)
        return _stored(source, described, described.description.licence)
    raise ConfiguralError(f"faces '{source}' is not understood: write {FORMS}")


def _synthetic(source: str, number: str, seed: int) -> Library:
    if number and not (number.isascii() and number.isdecimal() and int(number) >= 2):
        raise ConfiguralError(f"faces '{source}': the number of exemplars must be a whole number of at least 2")
    count = int(number) if number else DEFAULT_EXEMPLARS
    exemplars = []
    with progress.bar("painting exemplars", count) as update:
        for index in range(count):
            exemplars.append(paint_face(seed, index))
            update(index + 1)
    return Library(source, exemplars, licence="Painted by configural; they show nobody and need no licence")


def _stored(source: str, portraits: PortraitFolder, licence: str) -> Library:
    exemplars, skipped = prepare(portraits, _cache(source.partition(":")[0], portraits.folder))
    for name, reason in skipped[:_WARNED]:
        warnings.warn(f"{portraits.folder}: skipped {name}: {reason}", PortraitSkippedWarning, stacklevel=3)
    if len(skipped) > _WARNED:
        warnings.warn(
            f"{portraits.folder}: skipped {len(skipped) - _WARNED:,} more; configural inspect lists them all",
            PortraitSkippedWarning,
            stacklevel=3,
        )
    return Library(source, exemplars, tuple(skipped), licence)


def _cache(kind: str, folder: Path) -> Path:
    """The part of the cache that belongs to one folder of portraits."""
    place = str(folder.resolve())
    digest = hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return cache_folder() / "exemplars" / f"{kind}-{re.sub(r'[^A-Za-z0-9]+', '-', folder.resolve().name)}-{digest}"
