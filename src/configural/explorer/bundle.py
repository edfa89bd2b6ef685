"""What the page gets: exemplars, the words of the object scheme, and networks that a browser can run."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from isal import isal_zlib
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from configural import __version__
from configural.errors import ConfiguralError
from configural.models.study_networks import VGG16_MEANS_BGR, StudyNet
from configural.objects import ObjectScheme
from configural.portraits import Exemplar, Library, Part
from configural.stimuli import condition
from configural.wording import without_folders

FORMAT = 1
"""Of the bundle; the page refuses one that it does not know."""


@dataclass(frozen=True, kw_only=True)
class ShownModel:
    """A model that the page asks.

    Attributes:
        name: What it is called on the page; also in responses.
        image_size: Rows and columns of its images.
        trained_on: The condition of its training images, where it is known.
        accuracy: Of its test, 0 to 1, where it is known.
        network: For the browser to run; None where a server responds.
    """

    name: str
    image_size: int
    trained_on: str = ""
    accuracy: float | None = None
    network: nn.Module | None = None


def bundle(library: Library, models: Sequence[ShownModel], *, bits: int = 8) -> dict[str, Any]:
    """Everything that the page needs, as plain values for JSON.

    Args:
        library: The exemplars to arrange.
        models: Those to ask, in the order in which they are shown.
        bits: Of the networks' weights: 8, each output channel with a scale of its own, or 32 as they are.

    Raises:
        ConfiguralError: If a network is none of the study's, or two models have the same name.

    Example:
        >>> import configural as cf
        >>> made = bundle(cf.portraits.load("synthetic:2"), [ShownModel(name="A", image_size=32)])
        >>> made["scheme"]["name"], [model["name"] for model in made["models"]]
        ('face', ['A'])
    """
    names = [model.name for model in models]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfiguralError(f"model '{twice}': two models are called so; give each a name of its own")
    return {
        "format": FORMAT,
        "version": __version__,
        "source": without_folders(library.source),
        "licence": library.licence,
        "blend": condition("baseline", scheme=library.scheme).blend,
        "scheme": _scheme(library.scheme),
        "exemplars": [_exemplar(exemplar) for exemplar in library.exemplars],
        "models": [_model(model, bits) for model in models],
    }


def _scheme(scheme: ObjectScheme) -> dict[str, Any]:
    known = scheme.model_dump(mode="json", include={"name", "class_names", "part_kinds", "groups"})
    return {**known, "scrambles": [list(order) for order in scheme.scrambles]}


def _exemplar(exemplar: Exemplar) -> dict[str, Any]:
    rows, columns = exemplar.size
    skin = np.median(exemplar.canvas[exemplar.segmentation > 0], axis=0)
    return {
        "name": exemplar.name,
        "rows": rows,
        "columns": columns,
        "canvas": packed_image(exemplar.canvas),
        "skin": skin.tolist(),
        "parts": [_part(part) for part in exemplar.parts],
    }


def _part(part: Part) -> dict[str, Any]:
    rows, columns = part.mask.shape
    return {
        "kind": part.kind,
        "row": part.anchor[0],
        "column": part.anchor[1],
        "rows": rows,
        "columns": columns,
        "pixels": packed_image(part.pixels),
        "mask": _packed(part.mask.astype(np.uint8).tobytes()),
    }


def packed_image(pixels: UInt8[np.ndarray, "rows cols 3"]) -> str:
    """An image as text: each pixel less the one left of it, compressed; nothing is lost.

    A browser's own decoders may change colours, and its canvas pixels, on their way.
    """
    return _packed(np.diff(pixels, axis=1, prepend=np.uint8(0)).tobytes())


def _packed(content: bytes) -> str:
    return base64.b64encode(isal_zlib.compress(content, 3)).decode("ascii")


def _model(model: ShownModel, bits: int) -> dict[str, Any]:
    network = None if model.network is None else _network(model.network, bits)
    return {**vars(model), "trained_on": without_folders(model.trained_on), "network": network}


def _network(network: nn.Module, bits: int) -> dict[str, Any]:
    """A network of the study, layer by layer; in its weights the output channel comes first and the input last."""
    if not isinstance(network, StudyNet):
        raise ConfiguralError(
            f"a {type(network).__name__} does not run in a browser, only the study's networks do; "
            "leave out --out, and a server responds"
        )
    layers, blocks = dict(network.named_children()), []
    for number in range(1, network.architecture.convolutions + 1):
        convolution, norm = layers[f"Conv_{number}"], layers.get(f"BN_{number}")
        block = {
            "weights": _weights(_numbers(convolution.weight).transpose(0, 2, 3, 1), bits),
            "bias": _floats(_numbers(convolution.bias)),
        }
        if isinstance(norm, nn.BatchNorm2d):
            factor = _numbers(norm.weight) / np.sqrt(_numbers(norm.running_var) + norm.eps)
            block["factor"] = _floats(factor)
            block["term"] = _floats(_numbers(norm.bias) - factor * _numbers(norm.running_mean))
        blocks.append(block)
    convolutional = network.architecture.fully_convolutional
    head = layers["Conv_con" if convolutional else "D_con"]
    weights, side = _numbers(head.weight), network.image_size // 2 ** len(blocks)
    weights = weights.reshape(len(weights), -1, *((1, 1) if convolutional else (side, side))).transpose(0, 2, 3, 1)
    return {
        "name": network.name,
        "means_bgr": list(VGG16_MEANS_BGR),
        "blocks": blocks,
        "head": {
            "kind": "maximum" if convolutional else "dense",
            "weights": _weights(weights, bits),
            "bias": _floats(_numbers(head.bias)),
        },
    }


def _numbers(values: Any) -> Float[np.ndarray, "..."]:
    assert isinstance(values, Tensor)
    return values.detach().cpu().double().numpy()


def _floats(values: Float[np.ndarray, "..."]) -> str:
    return _packed(values.astype("<f4").tobytes())


def _weights(values: Float[np.ndarray, "out rows cols in"], bits: int) -> Mapping[str, Any]:
    if bits == 32:
        return {"shape": list(values.shape), "values": _floats(values)}
    steps = np.abs(values).max(axis=(1, 2, 3), keepdims=True) / 127
    steps[steps == 0] = 1
    levels = np.rint(values / steps).astype(np.int8)
    return {"shape": list(values.shape), "steps": _floats(steps), "levels": _packed(levels.tobytes())}
