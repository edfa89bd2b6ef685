"""Networks in a quarter of the space: weights in 8 bits, each output channel with a step of its own."""

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from configural.config.recipe import ImageSize
from configural.errors import ConfiguralError
from configural.explorer.bundle import ShownModel
from configural.io import files
from configural.io.reading import reading
from configural.models.networks import made_from, recreate

_STEPS = ".steps"
_LEVELS = 127


class _Header(BaseModel):
    """What is known of a network."""

    model_config = ConfigDict(extra="forbid")

    network: str
    image_size: ImageSize
    trained_on: str
    accuracy: float = Field(ge=0, le=1)


def save_small(model: ShownModel, path: Path | str) -> None:
    """Write a network with its weights rounded to 8 bits, and what is known of it.

    A weight is off by at most half a step: 1/254 of the largest one of its output channel. What has one dimension
    only, such as biases, is kept as it is.

    Raises:
        ConfiguralError: If the model has no network that `models.create` made, or an accuracy is missing.
    """
    if model.network is None or model.accuracy is None:
        raise ConfiguralError(f"model '{model.name}': a network and its accuracy are needed")
    name, image_size = made_from(model.network)
    header = _Header(network=name, image_size=image_size, trained_on=model.trained_on, accuracy=model.accuracy)
    tensors: dict[str, Tensor] = {}
    for key, value in model.network.state_dict().items():
        values = value.detach().cpu().contiguous()
        if values.ndim > 1:
            steps = values.abs().flatten(1).amax(dim=1) / _LEVELS
            steps[steps == 0] = 1
            tensors[key + _STEPS] = steps
            values = (values / _spread(steps, values)).round().to(torch.int8)
        tensors[key] = values
    # One entry, since the format keeps several in no fixed order.
    files.write_bytes(Path(path), save(tensors, metadata={"configural": json.dumps(header.model_dump())}))


def load_small(path: Path | str) -> ShownModel:
    """Read a network that `save_small` wrote, called by the file's name.

    Raises:
        ConfiguralError: If the file is missing, damaged or another one.
    """
    path = Path(path)
    with reading(path, "a readable file of a small network"), safe_open(path, framework="pt") as file:
        header = _Header.model_validate_json((file.metadata() or {}).get("configural", "{}"))
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    steps = {name.removesuffix(_STEPS): tensors.pop(name) for name in list(tensors) if name.endswith(_STEPS)}
    for name, step in steps.items():
        tensors[name] = tensors[name].float() * _spread(step, tensors[name])
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    try:
        network = recreate(header.network, header.image_size, shapes=shapes)
    except ConfiguralError as error:
        raise ConfiguralError(f"{path}: its header describes no network of configural ({error})") from error
    network.load_state_dict(tensors)
    return ShownModel(
        name=path.stem,
        image_size=header.image_size,
        trained_on=header.trained_on,
        accuracy=header.accuracy,
        network=network.eval(),
    )


def shipped() -> list[ShownModel]:
    """The networks that come with the package: alike, but one reads positions and the other relations.

    `benchmarks/explorer_pair.py` has trained them on painted faces. Their names do not tell which is which.

    Example:
        >>> [(model.name, model.trained_on) for model in shipped()]
        [('A', 'baseline'), ('B', 'floating-on-canvas')]
    """
    folder = resources.files("configural.explorer") / "networks"
    found = []
    for name, file in (("A", "positions"), ("B", "relations")):
        with resources.as_file(folder / f"{file}.safetensors") as path:
            found.append(replace(load_small(path), name=name))
    return found


def _spread(steps: Tensor, over: Tensor) -> Tensor:
    """A step for each output channel, beside the weights that it is of."""
    return steps.view(-1, *[1] * (over.ndim - 1))
