"""Reading image files, whole or not at all, and in their natural order."""

import io
import math
import os
import re
import struct
import warnings
from functools import reduce
from pathlib import Path

import cv2
import numpy as np
from isal import isal_zlib
from jaxtyping import Bool, Shaped, UInt8
from PIL import Image
from PIL.ImageFile import ImageFile

from configural.errors import PortraitError
from configural.io import files
from configural.io.standard_error import kept_lines

_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "SUN", "TIFF", "WEBP", "AVIF", "HEIF")
JPEG, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_LIBJPEG = (b"Corrupt JPEG", b"Premature end", b"Inconsistent progression")
"""How what libjpeg warns of begins; it tells nobody but the process's standard error."""

PNG = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB, _UP = 0, 2, 2  # PNG's colour types and filter type
_HEIC = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypheim", b"ftypheis", b"ftypmif1")
_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_ORIENTATION = 0x0112  # EXIF's
_LIMIT, _MEGAPIXELS = "CONFIGURAL_MEGAPIXELS", 100.0
_NO_IMAGE = (OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, OverflowError, struct.error)
"""What Pillow's readers raise for content that they do not understand."""


def read_image(path: Path) -> UInt8[np.ndarray, "rows cols 3"]:
    """Read an image file as RGB, as its EXIF orientation shows it; transparency is dropped.

    Decoders fill what is lost of a damaged file with grey or black without a word. So it is refused if pixels are
    missing, or if OpenCV or Pillow complains of them; changes that leave a valid file cannot be noticed. A JPEG
    whose end marker alone is missing, as some cameras write it, is whole.

    Raises:
        PortraitError: If the file is missing, no image, damaged, or claims more than 100 megapixels, or as many as
            the environment variable CONFIGURAL_MEGAPIXELS says; the message names the file.
    """
    return decode_image(read_content(path), str(path))


def read_content(path: Path) -> bytes:
    """The bytes of an image file; a PortraitError that names it if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise PortraitError(f"{path}: cannot be read ({error.strerror})") from error


def decode_image(data: bytes, where: str, *, most: float = math.inf) -> UInt8[np.ndarray, "rows cols 3"]:
    """The pixels of an image file's content, RGB; see `read_image`.

    An image of more pixels than `most` is made smaller by 2, 4 or 8, a JPEG before it is decoded.
    """
    file = open_image(data, where, reduced=most < math.inf)
    by = next((by for by in (1, 2, 4, 8) if file.width * file.height <= most * by * by), 8)
    reduced = by if data.startswith(JPEG) else 1
    flags = _REDUCED[reduced] | cv2.IMREAD_IGNORE_ORIENTATION
    ended = True
    try:
        if data.startswith(JPEG):
            # Some cameras leave the end out; after one scan of all colours that has all its pixels it adds nothing.
            scan = data.rfind(_JPEG_SCAN)  # a thumbnail's end stands before it
            of_all = "progressive" not in file.info and data[scan + 4 : scan + 5] == bytes([len(file.getbands())])
            ended = of_all or data.rfind(_JPEG_END) > scan
            data += _JPEG_END  # with which OpenCV decodes what there is, and libjpeg warns of what is missing
        elif file.format not in ("PNG", "BMP", "WEBP") and data[4:12] not in _HEIC:  # others need a second decoding
            open_image(data, where).load()  # whose pixels are gone before OpenCV decodes them
        with kept_lines(*(_LIBJPEG if data.startswith(JPEG) else ())) as said:
            image: np.ndarray | None
            if data[4:12] in _HEIC:  # which OpenCV does not read
                image = np.ascontiguousarray(np.asarray(file.convert("RGB"))[..., ::-1])
            else:
                image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (cv2.error, *_NO_IMAGE):
        raise PortraitError(f"{where}: the image is damaged or cut off, copy the file again") from None
    if said or not ended:
        why = said[0].lower() if said else "no end marker"
        raise PortraitError(f"{where}: the image is damaged or cut off ({why}), copy the file again")
    if image is None:
        raise PortraitError(f"{where}: not a readable image, copy it again or save it as PNG")
    if by > reduced:
        image = cv2.resize(image, None, fx=1 / by, fy=1 / by, interpolation=cv2.INTER_AREA)
    return turned(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8), orientation(file))


def open_image(data: bytes, where: str, *, reduced: bool = False) -> ImageFile:
    """An image file's content with size and kind known and no pixel decoded yet; errors as `read_image` raises.

    A JPEG that is to be decoded `reduced` by 8 may have as many times the pixels.
    """
    Image.init()
    for name in _FORMATS:
        factory, accept = Image.OPEN.get(name, (None, None))
        # Image.open has a limit of its own that only a global setting raises.
        if name == "HEIF" and data[4:12] in _HEIC:
            factory = _heic_reader(where)
        elif factory is None or accept is None or accept(data[:16]) is not True:
            continue
        try:
            with warnings.catch_warnings(action="ignore"):
                file = factory(io.BytesIO(data), "")
        except _NO_IMAGE:
            continue
        try:
            limit = float(os.environ.get(_LIMIT, _MEGAPIXELS))
        except ValueError:
            raise PortraitError(f"{_LIMIT}={os.environ[_LIMIT]}: expected a number of megapixels") from None
        if file.width * file.height > limit * 1e6 * (64 if reduced and name == "JPEG" else 1):
            raise PortraitError(
                f"{where}: claims {file.width:,}×{file.height:,} pixels, more than {limit:g} megapixels; if it "
                f"does have them, raise the limit by the environment variable {_LIMIT}"
            )
        whole = {"BMP": _bmp_is_whole, "PNG": _png_is_whole}.get(name)
        if whole and not whole(data):
            raise PortraitError(f"{where}: the image is cut off, copy the file again")
        return file
    raise PortraitError(f"{where}: not a readable image, or one that is cut off; copy it again, or take it out")


def _heic_reader(where: str) -> type[ImageFile]:
    """The reader of an installed plug-in for Pillow; it is not registered for others."""
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise PortraitError(
            f"{where}: HEIC needs a plug-in (pip install pillow-heif), or save it as JPEG"
        ) from None
    reader: type[ImageFile] = HeifImageFile
    return reader


def orientation(file: ImageFile) -> int:
    """1 to 8 as EXIF counts them; 1 for TIFF, which OpenCV turns by itself."""
    with warnings.catch_warnings(action="ignore"):
        found = 1 if file.format == "TIFF" else file.getexif().get(_ORIENTATION, 1)
    return found if found in range(1, 9) else 1


def turned(image: Shaped[np.ndarray, "..."], by: int) -> Shaped[np.ndarray, "..."]:
    """Stored pixels as an EXIF orientation shows them."""
    image = np.swapaxes(image, 0, 1) if by >= 5 else image
    upwards, leftwards = by in (3, 4, 7, 8), by in (2, 3, 6, 7)
    return np.ascontiguousarray(image[:: -1 if upwards else 1, :: -1 if leftwards else 1])


def _bmp_is_whole(data: bytes) -> bool:
    def number(start: int, size: int, signed: bool = False) -> int:
        return int.from_bytes(data[start : start + size], "little", signed=signed)

    if len(data) < 26:
        return False
    offset = number(10, 4)
    if number(14, 4) == 12:  # the oldest header: two-byte sizes, never compressed
        width, height, bits, compression = number(18, 2), number(20, 2), number(24, 2), 0
    else:
        width, height = number(18, 4, signed=True), number(22, 4, signed=True)
        bits, compression = number(28, 2), number(30, 4)
    if compression in (1, 2):  # run lengths: only the declared size is known
        return len(data) >= number(2, 4)
    return len(data) >= offset + (width * bits + 31) // 32 * 4 * abs(height)


def _png_is_whole(data: bytes) -> bool:
    start = 8
    while start + 12 <= len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        if data[start + 4 : start + 8] == b"IEND":
            return end <= len(data)
        start = end
    return False


def fits(image: UInt8[np.ndarray, "large wide 3"], label: tuple[int, ...]) -> bool:
    """Whether a label of so many rows and columns is of the image's size, or smaller and of its shape."""
    (height, width), (rows, cols) = image.shape[:2], label
    return height >= rows and abs(height * cols - width * rows) <= max(rows, cols)


def shrink_to(
    image: UInt8[np.ndarray, "large wide 3"], rows: int, cols: int
) -> UInt8[np.ndarray, "{rows} {cols} 3"]:
    """Bring an image to the size of its smaller label of the same shape, each pixel the mean of what it covers."""
    height, width = image.shape[:2]
    if (height, width) == (rows, cols):
        return image
    if not fits(image, (rows, cols)):
        raise PortraitError(
            f"the image is {width}×{height} pixels, its label {cols}×{rows}; they must be equal, "
            "or the label a smaller one of the same shape"
        )
    return np.asarray(cv2.resize(image, (cols, rows), interpolation=cv2.INTER_AREA), np.uint8)


def bounding_box(mask: Bool[np.ndarray, "rows cols"]) -> tuple[int, int, int, int]:
    """The first row and column of what a mask holds, and one past the last ones; all 0 if it holds nothing."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return top, left, top + height, left + width


def highest(image: Shaped[np.ndarray, "rows cols channels"]) -> Shaped[np.ndarray, "rows cols"]:
    """The highest of each pixel's channels; many times faster than .max(axis=2)."""
    return np.asarray(reduce(np.maximum, np.moveaxis(image, 2, 0)))


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key under which 2 comes before 10."""
    return [(0, int(s), "") if s.isdecimal() else (1, 0, s) for s in re.split(r"(\d+)", name) if s]


def encode_png(image: UInt8[np.ndarray, "..."]) -> bytes:
    """An RGB or grey image as a PNG file.

    Each row is stored as what it differs by from the one above (filter type 2 of the PNG specification) and packed
    by ISA-L: a quarter of the time that OpenCV takes, in files that are no larger.
    """
    height, width = image.shape[:2]
    rows = np.ascontiguousarray(image).reshape(height, -1)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0], filtered[:1, 1:] = _UP, rows[:1]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, _RGB if image.ndim == 3 else _GREY, 0, 0, 0)
    chunks = {b"IHDR": header, b"IDAT": isal_zlib.compress(filtered, 1), b"IEND": b""}
    return PNG + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", isal_zlib.crc32(kind + data))
        for kind, data in chunks.items()
    )


def write_png(path: Path, image: UInt8[np.ndarray, "..."]) -> None:
    """Write an RGB or grey image as PNG."""
    files.write_bytes(path, encode_png(image))
