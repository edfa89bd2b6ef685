"""What a network says of each image, and the scores that follow from it."""

import io
from collections.abc import Sized
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from configural import progress
from configural.errors import ConfiguralError
from configural.evaluation.metrics import Metrics
from configural.io import files
from configural.models import preprocess
from configural.training import batches, matmul_precision, open_device

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = ("index", "file", "label", "predicted", "probability_face", "log_odds")


@dataclass(frozen=True, eq=False)
class Predictions:
    """One row per tested image.

    Attributes:
        frame: The columns index (the image's number within its class), file, label and predicted (0 no_face,
            1 face), probability_face (0 to 1) and log_odds (of face, in nats).
    """

    frame: pd.DataFrame

    def metrics(self) -> Metrics:
        """Accuracy, loss and confusion matrix."""
        # Takes seconds, since it brings its metrics of speech and text along.
        from torchmetrics.functional.classification import binary_confusion_matrix

        label = self.frame["label"].to_numpy()
        against = self.frame["log_odds"].to_numpy() * np.where(label == 1, -1, 1)
        counts = binary_confusion_matrix(
            torch.tensor(self.frame["predicted"].to_numpy()), torch.tensor(label)
        ).tolist()
        return Metrics(
            accuracy=float((self.frame["predicted"].to_numpy() == label).mean()),
            loss=float(np.logaddexp(0, against).mean()),
            confusion_matrix=(tuple(counts[0]), tuple(counts[1])),
        )

    def wrong(self) -> dict[str, pd.DataFrame]:
        """The rows predicted wrongly: `face_as_no_face` and `no_face_as_face`, each by index."""
        frame = self.frame[self.frame["label"] != self.frame["predicted"]].sort_values("index")
        return {
            "face_as_no_face": frame[frame["label"] == 1].reset_index(drop=True),
            "no_face_as_face": frame[frame["label"] == 0].reset_index(drop=True),
        }

    def plot_confusion_matrix(self) -> "Figure":
        """The confusion matrix as a figure, with counts and percent."""
        from configural.evaluation.figures import confusion_matrix_figure

        return confusion_matrix_figure(self.metrics())

    def save(self, path: Path) -> None:
        """Write as CSV."""
        files.write_text(path, self.frame.to_csv(index=False))

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        """Read what `save` wrote.

        Raises:
            ConfiguralError: If the file is missing or lacks a column.
        """
        try:
            frame = pd.read_csv(io.StringIO(path.read_text("utf-8")))
        except (OSError, ValueError) as error:
            raise ConfiguralError(f"{path}: not a readable table of predictions") from error
        if missing := [name for name in _COLUMNS if name not in frame.columns]:
            raise ConfiguralError(f"{path}: lacks the column {missing[0]}")
        if not len(frame) or not frame[["label", "predicted"]].isin([0, 1]).all(axis=None):
            raise ConfiguralError(f"{path}: label and predicted must be 0 or 1 in one row or more")
        return cls(frame)


def predict(
    network: nn.Module,
    images: Dataset[tuple[Tensor, int]],
    batch_size: int = 100,
    device: str = "auto",
) -> Predictions:
    """Ask a network about every image of a dataset.

    Args:
        network: Takes preprocessed batches and returns logits of (no_face, face).
        images: Items of (uint8 RGB image 3 × size × size, label); if it has `rows`, their index and file
            are taken over, else images are numbered in order.
        batch_size: Images at a time.
        device: As in `training.fit`.

    Raises:
        ConfiguralError: If the network's output is not a number for some image.
    """
    fabric = open_device(device)
    network.to(fabric.device)
    was_training = network.training
    network.eval()
    n = len(cast(Sized, images))
    # Made beforehand: small tensors that stay between the batches keep the system from using their memory again.
    logits, labels = torch.empty(n, 2, dtype=torch.float64), torch.empty(n, dtype=torch.int64)
    done = 0
    with torch.inference_mode(), matmul_precision("32"), progress.bar("testing", n) as update:
        for batch, batch_labels in batches(images, batch_size):
            some = slice(done, done + len(batch))
            logits[some] = network(preprocess(batch.to(fabric.device))).view(len(batch), 2)
            labels[some] = batch_labels
            done = some.stop
            update(done)
    network.train(was_training)
    joined = logits.numpy()
    if not np.isfinite(joined).all():
        raise ConfiguralError("the network's output is not a number: its weights are damaged or training failed")
    rows: pd.DataFrame | None = getattr(images, "rows", None)
    if rows is None:
        rows = pd.DataFrame({"index": range(n), "file": [""] * n})
    log_odds = joined[:, 1] - joined[:, 0]
    frame = pd.DataFrame(
        {
            "index": rows["index"].to_numpy(),
            "file": rows["file"].to_numpy(),
            "label": labels.numpy(),
            "predicted": joined.argmax(axis=1),
            "probability_face": np.exp(-np.logaddexp(0, -log_odds)),
            "log_odds": log_odds,
        }
    )
    return Predictions(frame)
