"""Downloads of public portraits, and of what finds faces in photographs, into the user's cache folder."""

import logging
import re
import zipfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from configural import progress
from configural.errors import ConfiguralError
from configural.io import files
from configural.io.reading import reading
from configural.portraits.landmarks import BUNDLE_SHA256, bundle_file
from configural.portraits.store import cache_folder

_COMMIT = "39737f254561b1785b500174834014e2135a6ef3"
FASSEG_URL = f"https://raw.githubusercontent.com/massimomauro/FASSEG-repository/{_COMMIT}/V2/"
ARCHIVE_URL = "https://github.com/massimomauro/FASSEG-repository/archive/"
ARCHIVE = f"{_COMMIT}.zip"
"""The whole repository: what V3 is taken from, of whose files there is no list with digests."""

_IN_V3 = re.compile(r".*/V3/((?:Train|Test)_(?:RGB|labels)/[^/\\]+/[^/\\]+\.bmp)")
BUNDLE_URL = "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/"
_TIMEOUT = 30.0  # seconds without a response
_RETRIES = 1  # of a file, after a second


def fasseg_folder(version: str = "V2") -> Path:
    """Where `fetch_portraits` puts the FASSEG portraits."""
    return cache_folder() / "fasseg" / version


def fasseg_registry() -> Mapping[str, str]:
    """The files of FASSEG's V2 as published, each with its SHA-256."""
    text = resources.files("configural.portraits").joinpath("fasseg_v2.sha256").read_text("utf-8")
    return dict(line.split() for line in text.splitlines())


def fetched_fasseg() -> Path:
    """The folder of the downloaded portraits; a ConfiguralError if not all of them are there."""
    folder, wanted = fasseg_folder(), fasseg_registry()
    there = sum((folder / name).is_file() for name in wanted)
    if there < len(wanted):
        state = f"only {there} of {len(wanted)} files are in {folder}" if there else f"nothing is in {folder}"
        raise ConfiguralError(
            f"source 'fasseg': {state}; run configural fetch fasseg, or write fasseg:FOLDER if you have them"
        )
    return folder


def fetch_portraits(
    name: str, *, base_url: str | None = None, version: str = "V2", sha256: str | None = None
) -> Path:
    """Download public portraits, or what finds faces in photographs, into the user's cache folder.

    Args:
        name: `fasseg`: FASSEG's frontal02 (Khan, Mauro and Leonardi, ICIP 2015), the only portraits that may be
            downloaded without asking. `landmarks`: Google's face landmarker bundle (Apache License 2.0, 3.8 MB),
            which `portraits:FOLDER` needs.
        base_url: Where Train_RGB, Train_Labels, Test_RGB and Test_Labels are, or face_landmarker.task; the
            publisher's if not given.
        version: Of FASSEG, V2 or V3 (multipose01).
        sha256: Of the archive that V3 is taken from, which this library does not know. Without it the archive is
            downloaded, and the error says what its SHA-256 is.

    Returns:
        The folder that holds them, or the bundle.

    Raises:
        ConfiguralError: If a file cannot be had, or is not the published one; the same call resumes the download.

    Example:
        >>> from configural.portraits.fetch import fetch_portraits
        >>> fetch_portraits("lfw")
        Traceback (most recent call last):
        configural.errors.ConfiguralError: 'lfw' cannot be fetched; what can is: fasseg, landmarks
    """
    if name == "landmarks":
        file = bundle_file()
        registry = {file.name: BUNDLE_SHA256}
        download(file.parent, base_url or BUNDLE_URL, registry=registry, task="fetching landmarks")
        return file
    if name != "fasseg":
        raise ConfiguralError(f"'{name}' cannot be fetched; what can is: fasseg, landmarks")
    if version not in ("V2", "V3"):
        raise ConfiguralError(f"FASSEG's '{version}' cannot be fetched; what can is: V2, V3")
    if version == "V3":
        return _fetch_v3(base_url or ARCHIVE_URL, sha256)
    download(fasseg_folder(), base_url or FASSEG_URL, registry=fasseg_registry(), task="fetching fasseg")
    return fasseg_folder()


def _fetch_v3(base_url: str, sha256: str | None) -> Path:
    import pooch

    folder = fasseg_folder("V3")
    archive = folder.parent / ARCHIVE
    download(archive.parent, base_url, registry={ARCHIVE: sha256}, task="fetching fasseg")
    with reading(archive, "an archive of FASSEG"):
        if sha256 is None:
            digest = pooch.file_hash(archive)
            raise ConfiguralError(
                f"{archive}: downloaded, but which SHA-256 it should have is not known here; its is {digest}: "
                f"if you trust it, repeat the command with --sha256 {digest}"
            )
        with zipfile.ZipFile(archive) as held:
            found = {inside[1]: inside[0] for inside in map(_IN_V3.fullmatch, held.namelist()) if inside}
            for name, member in found.items():
                files.write_bytes(folder / name, held.read(member))
    if not found:
        raise ConfiguralError(f"{archive}: holds no portraits of V3, such as V3/Train_RGB/0/NAME.bmp")
    return folder


def download(folder: Path, base_url: str, *, registry: Mapping[str, str | None], task: str = "fetching") -> None:
    """Download files one by one; those that are there and have the expected SHA-256 are kept.

    The registry has their names, to be appended to the address, and each one's SHA-256, None for whatever comes.

    Raises:
        ConfiguralError: If a file cannot be had, or is not the one wanted. What was downloaded before stays.
    """
    import pooch

    if not base_url.startswith(("http://", "https://")):
        raise ConfiguralError(f"'{base_url}' is no address to download from, which starts with http:// or https://")
    # Pooch reports each file on standard error, in lines of its own.
    pooch.get_logger().setLevel(logging.WARNING)
    store = pooch.create(
        folder, base_url=base_url.rstrip("/") + "/", registry=dict(registry), retry_if_failed=_RETRIES
    )
    get = pooch.HTTPDownloader(timeout=_TIMEOUT, hooks={"response": _close_refusal})
    with progress.bar(task, len(registry)) as update:
        for done, name in enumerate(registry, start=1):
            try:
                store.fetch(name, downloader=get)
            except ValueError as error:
                raise ConfiguralError(
                    f"{store.get_url(name)}: not the file that is wanted (its SHA-256 differs); "
                    "it was changed there or damaged on the way, try again or give another address (base_url)"
                ) from error
            except OSError as error:  # what requests raises is an OSError too
                raise ConfiguralError(_failure(store.get_url(name), error, done - 1, len(registry))) from error
            update(done)


def _close_refusal(response: Any, **_: object) -> None:
    """Close the connection of a refused request, which pooch leaves open."""
    if not response.ok:
        response.close()


def _failure(url: str, error: OSError, done: int, total: int) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        said = f"the server returned {status}"
    elif error.filename:
        said = f"{error.filename}: {error.strerror}"
    else:
        said = f"no complete response ({type(error).__name__})"
    return f"{url}: {said}; {done} of {total} files are there, repeat the command to resume"
