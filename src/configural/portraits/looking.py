"""Looking for faces in photographs that are decoded no larger than the portraits cut out of them need."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from configural.errors import PortraitError
from configural.io.images import JPEG, decode_image, open_image
from configural.portraits.cropping import LONGEST, crop_box
from configural.portraits.landmarks import Found, Landmarker
from configural.portraits.outlines import eye_distance, part_masks

MOST = 16e6  # pixels of a photograph in which a face is looked for
_GLANCE = 0.5e6  # pixels in which a large one is looked for first

_Image = UInt8[np.ndarray, "rows cols 3"]


def faces_in(image: _Image, landmarker: Landmarker) -> list[Found]:
    """All faces, that with the largest distance between the eyes first."""
    return sorted(landmarker.faces(image), key=lambda face: -eye_distance(face.points))


def look_near(data: bytes, where: str, *, landmarker: Landmarker, margin: float = 0) -> tuple[_Image, list[Found]]:
    """A photograph's pixels and its faces, the largest first.

    A large JPEG is decoded at up to an eighth of its size first, which takes a third of the time. If a face is
    found there, what surrounds the portrait is all that is returned, and it is no larger than the portrait needs.

    Args:
        data: The file's content.
        where: The file, for errors.
        landmarker: What finds the faces.
        margin: Of the portrait; see `cropped`.

    Raises:
        PortraitError: If the photograph cannot be read.
    """
    if data.startswith(JPEG):
        file = open_image(data, where, reduced=True)
        glance = decode_image(data, where, most=_GLANCE)
        faces, by = faces_in(glance, landmarker), round(max(file.size) / max(glance.shape))
        if by == 1:
            return glance, faces
        with suppress(PortraitError):  # of parts that are too small to be seen there
            if faces:
                box = crop_box(part_masks(faces[0].points, glance.shape[:2]), margin=margin)
                top, left, bottom, right = box
                enough = by * max(bottom - top, right - left) / LONGEST
                fewer = max(one for one in (1, 2, 4, 8) if one <= max(1, enough))
                if fewer >= by:
                    return glance, faces
                photograph = decode_image(data, where, most=min(MOST, file.width * file.height / fewer**2))
                times = max(photograph.shape) / max(glance.shape)
                around = np.array([top - bottom, left - right, bottom - top, right - left]) / 2
                first, start, last, stop = np.rint(times * (box + around)).astype(int).clip(0)
                near = photograph[first:last, start:stop]
                if found := faces_in(near, landmarker):
                    return near, [found[0], *(replace(face, side=times * face.side) for face in faces[1:])]
    photograph = decode_image(data, where, most=MOST)
    return photograph, faces_in(photograph, landmarker)
