"""What a training reported, epoch by epoch."""

from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from configural.errors import ConfiguralError
from configural.io import files


@dataclass(frozen=True)
class Epoch:
    """One epoch's figures.

    Attributes:
        epoch: From 1.
        train_loss: Mean cross-entropy over the training images, as seen while learning.
        train_accuracy: Fraction of training images predicted correctly while learning, 0 to 1.
        valid_loss: Mean cross-entropy over the validation images, after the epoch.
        valid_accuracy: Fraction of validation images predicted correctly after the epoch, 0 to 1.
        seconds: How long the epoch took, validation included.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    valid_loss: float
    valid_accuracy: float
    seconds: float


@dataclass(frozen=True)
class History:
    """All epochs of a training, in order."""

    epochs: tuple[Epoch, ...] = ()

    def as_frame(self) -> pd.DataFrame:
        """One row per epoch, columns as the fields of `Epoch`."""
        return pd.DataFrame([asdict(epoch) for epoch in self.epochs])

    def save(self, path: Path) -> None:
        """Write as CSV."""
        files.write_text(path, self.as_frame().to_csv(index=False))

    @classmethod
    def load(cls, path: Path) -> "History":
        """Read what `save` wrote.

        Raises:
            ConfiguralError: If the file is missing or damaged.
        """
        try:
            frame = pd.read_csv(path)
            if frame.empty:
                raise ValueError("no epochs")
            rows = frame.to_dict(orient="records")
            return cls(tuple(Epoch(**{str(name): value for name, value in row.items()}) for row in rows))
        except (OSError, TypeError, ValueError) as error:
            raise ConfiguralError(f"{path}: not a readable history of epochs") from error
