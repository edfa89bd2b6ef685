"""Photographs of people without labels: `portraits:FOLDER`."""

import re
from pathlib import Path

from configural.errors import ConfiguralError
from configural.portraits.description import Description
from configural.portraits.label_folder import LabelFolder
from configural.portraits.landmarks import BUNDLE_SHA256, Landmarker, find_bundle

SUFFIXES = ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "heic", "heif")
FORM = "portraits:FOLDER, with ,margin=0.2 or ,landmarks=FILE after it if wanted"

_OPTION = re.compile(r",(margin|landmarks|sha256)=([^,]*)$")


def photographs(rest: str) -> LabelFolder:
    """The photographs of a folder, whose faces' parts are found by landmarks.

    Label images in the folder of the same name with `_labels` at its end, named as the portraits and with the ids 1
    to 4, are taken instead.

    Args:
        rest: The folder, and what may follow it: `,margin=0.2` for more around the face, in fractions of the
            portrait's rows; `,landmarks=FILE` for the bundle to use; `,sha256=DIGEST` if it is another than the one
            that Google publishes.

    Raises:
        ConfiguralError: If one of these is not understood, the folder holds no photographs, or what finds the
            landmarks is missing.
    """
    options: dict[str, str] = {}
    while found := _OPTION.search(rest):
        if found[1] in options:
            raise ConfiguralError(f"source 'portraits:{rest}': {found[1]} is stated twice")
        options[found[1]], rest = found[2], rest[: found.start()]
    if not rest:
        raise ConfiguralError(f"source 'portraits' is not understood: write {FORM}")
    folder = Path(rest).expanduser()
    if not folder.is_dir():
        raise ConfiguralError(f"{folder}: no such folder; write {FORM}")
    try:
        margin = float(options.get("margin", 0))
    except ValueError:
        margin = -1
    if not 0 <= margin <= 2:
        raise ConfiguralError(f"margin={options['margin']}: write a number from 0 to 2, such as margin=0.2")
    bundle = Path(options["landmarks"]).expanduser() if "landmarks" in options else find_bundle()
    landmarker = Landmarker(bundle, options.get("sha256", BUNDLE_SHA256))
    landmarker.check()
    description = Description(
        images="**/*",
        suffixes=SUFFIXES,
        landmarks=True,
        crop=margin,
        person="^(.+)/[^/]+$|^([^/]+)$",  # a folder's photographs are of one person
        licence="photographs of people: pass images on only if their owners and the people shown allow it",
    )
    return LabelFolder(
        folder,
        description,
        where=str(folder),
        landmarker=landmarker,
        corrections=folder.resolve().with_name(f"{folder.resolve().name}_labels"),
    )
