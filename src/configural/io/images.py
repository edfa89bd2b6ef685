"""Reading image files, whole or not at all, and in their natural order."""

import re
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from configural.errors import PortraitError
from configural.io import files


def read_image(path: Path) -> UInt8[np.ndarray, "rows cols 3"]:
    """Read an image file in any format that OpenCV reads as RGB; transparency is dropped.

    Decoders fill the lost end of a cut-off file with grey or black without a word, so the end of BMP, PNG and
    JPEG files is checked here. Other formats are read as they are.

    Raises:
        PortraitError: If the file is missing, no image, or cut off; the message names the file.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PortraitError(f"{path}: cannot be read ({error.strerror})") from error
    return decode_image(data, str(path))


def decode_image(data: bytes, where: str) -> UInt8[np.ndarray, "rows cols 3"]:
    """The pixels of an image file's content, RGB; see `read_image`."""
    checks = {b"BM": _bmp_is_whole, b"\x89PNG": _png_is_whole, b"\xff\xd8": _jpeg_is_whole}
    if not all(is_whole(data) for start, is_whole in checks.items() if data.startswith(start)):
        raise PortraitError(f"{where}: the image is cut off, copy the file again")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise PortraitError(f"{where}: not a readable image")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


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


def _jpeg_is_whole(data: bytes) -> bool:
    # A thumbnail in the header has an end marker of its own, so the search starts at the first scan.
    start = 2
    while start + 4 <= len(data) and data[start] == 0xFF:
        if data[start + 1] == 0xDA:
            return data.find(b"\xff\xd9", start) >= 0
        if data[start + 1] == 0xFF:  # fill byte
            start += 1
            continue
        start += 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    return False


def shrink_to(
    image: UInt8[np.ndarray, "large wide 3"], rows: int, cols: int
) -> UInt8[np.ndarray, "{rows} {cols} 3"]:
    """Bring an image to the size of its smaller label of the same shape, each pixel the mean of what it covers."""
    height, width = image.shape[:2]
    if (height, width) == (rows, cols):
        return image
    if height < rows or abs(height * cols - width * rows) > max(rows, cols):
        raise PortraitError(
            f"the image is {width}×{height} pixels, its label {cols}×{rows}; they must be equal, "
            "or the label a smaller one of the same shape"
        )
    return np.asarray(cv2.resize(image, (cols, rows), interpolation=cv2.INTER_AREA), np.uint8)


def bounding_box(mask: Bool[np.ndarray, "rows cols"]) -> tuple[int, int, int, int]:
    """The first row and column of what a mask holds, and one past the last ones; all 0 if it holds nothing."""
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return top, left, top + height, left + width


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key under which 2 comes before 10."""
    return [(0, int(s), "") if s.isdecimal() else (1, 0, s) for s in re.split(r"(\d+)", name) if s]


def encode_png(image: UInt8[np.ndarray, "..."]) -> bytes:
    """An RGB or grey image as a PNG file."""
    stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    done, encoded = cv2.imencode(".png", stored)
    assert done
    return encoded.tobytes()


def write_png(path: Path, image: UInt8[np.ndarray, "..."]) -> None:
    """Write an RGB or grey image as PNG."""
    files.write_bytes(path, encode_png(image))
