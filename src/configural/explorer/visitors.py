"""Visitors' own images: where the parts of a face lie in one, and the exemplar that the page cuts out of one."""

import base64
import binascii
import zlib
from typing import Annotated, Any

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from configural.errors import ConfiguralError, PortraitError
from configural.explorer.state import Name, Strict
from configural.io.images import PNG, bounding_box, decode_image, open_image
from configural.objects import ObjectScheme
from configural.portraits import Exemplar, Part
from configural.portraits.cropping import crop_box
from configural.portraits.landmarks import Landmarker
from configural.portraits.looking import faces_in
from configural.portraits.outlines import hidden, part_masks

LONGEST = 1024
"""Rows and columns at most: of an image in which a face is looked for, and of an exemplar."""

_KINDS = (PNG, b"\xff\xd8\xff")
_Side = Annotated[int, Field(ge=1, le=LONGEST)]
_Start = Annotated[int, Field(ge=0, lt=LONGEST)]


class SentPart(Strict):
    """A part as the page cut it.

    Attributes:
        kind: One of the scheme's.
        row: Of the canvas, where the part begins.
        column: The same.
        rows: How many it has.
        columns: The same.
        pixels: RGB, packed as in the bundle.
        mask: One byte for each pixel, 1 where it belongs to the part, packed.
    """

    kind: Name
    row: _Start
    column: _Start
    rows: _Side
    columns: _Side
    pixels: str
    mask: str


class SentExemplar(Strict):
    """An image that the page cut into parts.

    Attributes:
        rows: Of the canvas, at most 1024.
        columns: The same.
        canvas: RGB, packed as in the bundle.
        parts: One for each part kind, in any order.
    """

    rows: _Side
    columns: _Side
    canvas: str
    parts: Annotated[tuple[SentPart, ...], Field(strict=False, max_length=8)]

    def exemplar(self, name: str, scheme: ObjectScheme) -> Exemplar:
        """The exemplar of that name.

        Raises:
            ConfiguralError: If the parts are not those of the scheme, one leaves the canvas or has nothing in its
                mask, or something is not packed as the bundle is.
        """
        kinds = [part.kind for part in self.parts]
        if sorted(kinds) != sorted(scheme.part_kinds):
            raise ConfiguralError(
                f"parts: a {scheme.name} has {', '.join(scheme.part_kinds)}, each once; sent were "
                f"{', '.join(kind[:40] for kind in kinds) or 'none'}"
            )
        canvas = _image(self.canvas, self.rows, self.columns, "canvas")
        portrait, segmentation, parts = canvas.copy(), np.zeros(canvas.shape[:2], np.uint8), []
        for number, kind in enumerate(scheme.part_kinds, start=1):
            sent = self.parts[kinds.index(kind)]
            if sent.row + sent.rows > self.rows or sent.column + sent.columns > self.columns:
                raise ConfiguralError(f"{kind}: it leaves the canvas of {self.columns}×{self.rows} pixels")
            pixels = _image(sent.pixels, sent.rows, sent.columns, kind)
            levels = np.frombuffer(_unpacked(sent.mask, sent.rows * sent.columns, f"{kind}: its mask"), np.uint8)
            if levels.max() != 1:
                raise ConfiguralError(f"{kind}: its mask must be 1 where the part is, and 0 elsewhere")
            mask = levels.reshape(sent.rows, sent.columns) == 1
            box = np.s_[sent.row : sent.row + sent.rows, sent.column : sent.column + sent.columns]
            portrait[box][mask], segmentation[box][mask] = pixels[mask], number
            parts.append(Part(kind, pixels, mask, (sent.row, sent.column)))
        return Exemplar(name, name, portrait, segmentation, canvas, tuple(parts))


def _image(text: str, rows: int, columns: int, what: str) -> UInt8[np.ndarray, "rows cols 3"]:
    """The opposite of `bundle.packed_image`."""
    steps = np.frombuffer(_unpacked(text, 3 * rows * columns, what), np.uint8).reshape(rows, columns, 3)
    return np.cumsum(steps, axis=1, dtype=np.uint8)


def _unpacked(text: str, size: int, what: str) -> bytes:
    """So many bytes; of what would be more, no more than one is unpacked."""
    try:
        reader = zlib.decompressobj()
        content = reader.decompress(base64.b64decode(text, validate=True), size + 1)
    except (binascii.Error, ValueError, zlib.error):
        raise ConfiguralError(f"{what}: not packed as it must be (zlib, then base64)") from None
    if len(content) != size or not reader.eof or reader.unused_data:
        raise ConfiguralError(f"{what}: must be {size:,} bytes when it is unpacked")
    return content


def parts_in(content: bytes, landmarker: Landmarker) -> dict[str, Any] | None:
    """Where the parts of the largest face in an image lie, and where a portrait would be cut out of it.

    Args:
        content: A PNG or JPEG file of at most 1024 pixels along an edge.
        landmarker: What finds the face.

    Returns:
        Boxes (row, column, rows, columns) in fractions of the image: `crop`, and for each part kind one of
        `outlines`; None if no face with all its parts is seen, or the landmarker cannot be used.

    Raises:
        PortraitError: If the image is damaged, of another kind, or too large.
    """
    if not content.startswith(_KINDS):
        raise PortraitError("the image: must be a PNG or a JPEG file")
    file = open_image(content, "the image")
    if max(file.size) > LONGEST:
        raise PortraitError(f"the image: {file.width}×{file.height} pixels; at most {LONGEST} along an edge")
    image = decode_image(content, "the image")
    try:
        landmarker.check()
    except ConfiguralError:  # the outlines can be dragged all the same
        return None
    faces = faces_in(image, landmarker)
    if not faces or hidden(faces[0].points, image.shape[:2]):
        return None
    masks = part_masks(faces[0].points, image.shape[:2])

    def box(top: int, left: int, bottom: int, right: int) -> dict[str, float]:
        rows, columns = image.shape[:2]
        return {
            "row": top / rows,
            "column": left / columns,
            "rows": (bottom - top) / rows,
            "columns": (right - left) / columns,
        }

    return {
        "crop": box(*crop_box(masks)),
        "outlines": [{"kind": kind, **box(*bounding_box(mask))} for kind, mask in masks.items()],
    }
