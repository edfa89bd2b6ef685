"""What a visitor has arranged, as data: a page sends it, a link holds it, and nothing else is ever drawn."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from configural.errors import ConfiguralError

Placement = Literal["left", "middle", "right"]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Shift = Annotated[int, Field(ge=-4096, le=4096)]


class Strict(BaseModel):
    """Nothing beside the fields, and no value of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @classmethod
    def parse(cls, text: bytes | str) -> Self:
        """Read it from JSON; a ConfiguralError names the first value that is not possible."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first: Any = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step)[:40] for step in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise ConfiguralError(f"{where or 'states'}: {message[0].lower()}{message[1:]}")


class PartState(Strict):
    """What one slot shows.

    Attributes:
        slot: The slot, named by the part kind that belongs there.
        kind: The kind of the part that lies in it.
        donor: Name of the exemplar that the part comes from.
        rows: How far down the part is from the slot's position, in pixels of the host's portrait. The position of a
            slot is where the upper left corner of the host's own part was.
        columns: How far to the right.
        turn: Degrees clockwise by which the part is turned about its own middle, −360 to 360.
        scale: Factor by which it is enlarged about its own middle, 0.25 to 4.
        shown: Whether it is there.
    """

    slot: Name
    kind: Name
    donor: Name
    rows: Shift = 0
    columns: Shift = 0
    turn: Annotated[FiniteFloat, Field(ge=-360, le=360)] = 0.0
    scale: Annotated[FiniteFloat, Field(ge=0.25, le=4)] = 1.0
    shown: bool = True


class State(Strict):
    """One image as a visitor has arranged it.

    Attributes:
        exemplar: Name of the host.
        canvas: `own`, the host's portrait without its parts; or a whole square of its skin tone, or of grey.
        placement: left, middle or right in the square image.
        flip: Whether the image is upside down.
        parts: One for each slot, in any order; they are pasted in the order of the slots.
    """

    exemplar: Name
    canvas: Literal["own", "skin", "grey"] = "own"
    placement: Placement = "middle"
    flip: bool = False
    parts: Annotated[tuple[PartState, ...], Field(strict=False, max_length=8)]

    @model_validator(mode="after")
    def _each_slot_once(self) -> "State":
        slots = [part.slot for part in self.parts]
        if len(set(slots)) < len(slots):
            raise ValueError("a slot is stated twice")
        return self


_Fraction = Annotated[FiniteFloat, Field(ge=0, le=1)]


class Square(Strict):
    """A square of an image that models do not get to see; it lies inside of the image.

    Attributes:
        top: Where it begins, as a fraction of the image's rows, 0 to 1.
        left: The same of its columns.
        side: Its rows and columns, as a fraction of the image's.
    """

    top: _Fraction
    left: _Fraction
    side: Annotated[_Fraction, Field(gt=0)]

    @model_validator(mode="after")
    def _inside(self) -> "Square":
        if max(self.top, self.left) + self.side > 1 + 1e-9:
            raise ValueError("the square reaches beyond the image")
        return self


class AskedState(State):
    """A state as models are asked about it.

    Attributes:
        hide: A square of the image, as it is drawn, that is grey.
    """

    hide: Square | None = None


class Question(Strict):
    """What a page sends: images that all models are to be asked about."""

    states: Annotated[tuple[AskedState, ...], Field(strict=False, min_length=1, max_length=512)]

    @classmethod
    def parse(cls, text: bytes | str) -> "Question":
        """Read it from JSON.

        Raises:
            ConfiguralError: If it is none, or a value is not possible; the first such value is named.

        Example:
            >>> Question.parse('{"states": [{"exemplar": "synthetic/00", "parts": []}]}').states[0].canvas
            'own'
            >>> Question.parse('{"states": [{"exemplar": "synthetic/00", "parts": [], "flip": 1}]}')
            Traceback (most recent call last):
            configural.errors.ConfiguralError: states.0.flip: input should be a valid boolean
        """
        return super().parse(text)
