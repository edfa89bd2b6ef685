"""What dataset.json says of a dataset."""

import json
from pathlib import Path
from typing import Any

import pydantic

from configural import __version__
from configural.errors import ConfiguralError
from configural.export.plan import Plan
from configural.objects import ObjectScheme

FILE = "dataset.json"


class Description(pydantic.BaseModel):
    """What is needed of dataset.json to read or verify the dataset; all its keys are kept.

    Attributes:
        format: The format's name.
        source: What the exemplars were loaded from.
        object: What the object consists of.
        class_names: By label.
        image_size: Rows and columns of the images.
        shard_size: Images per file, where a format packs them.
        masks: The values of label images, if there are any.
        images: How many there are in train, valid and test.
    """

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    format: str
    source: str
    object: ObjectScheme
    class_names: tuple[str, str]
    image_size: int = pydantic.Field(ge=1)
    shard_size: int = pydantic.Field(ge=1)
    masks: dict[str, Any] | None
    images: dict[str, int]

    @classmethod
    def load(cls, folder: Path) -> "Description":
        """Read a dataset's own.

        Raises:
            ConfiguralError: If there is none, or it is damaged.
        """
        if not folder.is_dir():
            raise ConfiguralError(f"{folder}: there is no such folder")
        try:
            return cls.model_validate_json((folder / FILE).read_bytes())
        except FileNotFoundError as error:
            raise ConfiguralError(f"{folder}: has no {FILE}; expected a folder that generate wrote") from error
        except pydantic.ValidationError as error:
            raise ConfiguralError(f"{folder / FILE}: damaged, or not written by generate; draw it again") from error

    def differing(self, settings: dict[str, Any]) -> list[str]:
        """The names of settings that are others here."""
        said = json.loads(self.model_dump_json())
        return [name for name, value in json.loads(json.dumps(settings)).items() if said.get(name) != value]


def describe(plan: Plan, format: str) -> dict[str, Any]:
    """What `dataset.json` holds: with the portraits, all that is needed to write the same dataset again."""
    scheme = plan.table.scheme
    return {
        "configural": __version__,
        "format": format,
        **plan.table.settings(),
        "image_size": plan.renderer.size,
        "shard_size": plan.shard_size,
        "masks": {"values": dict(enumerate(("none", *scheme.part_kinds)))} if plan.masks else None,
        "class_names": list(scheme.class_names),
        "images": plan.table.positions().counts,
    }
