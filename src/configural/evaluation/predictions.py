"""What a network says of each image, and the scores that follow from it."""

import re
from collections.abc import Callable, Generator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from configural import progress
from configural.cores import Meeting, on_cores
from configural.errors import ConfiguralError
from configural.io import files
from configural.io.reading import check_columns, read_csv, reading
from configural.models import evaluating, pieces, prepare, threads_for
from configural.models.classifiers import RespondsToImages
from configural.objects import FACE
from configural.training import batches, matmul_precision, open_device
from configural.training.distributed import Portion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = {"index": "whole", "file": "text", "label": "label", "predicted": "label", "log_odds": "number"}
_PROBABILITY = "probability_"
_NAME = re.compile(r"\w[\w .+-]*")  # of a class, which is also the name of a folder


@dataclass(frozen=True)
class Metrics:
    """Scores of one test.

    Attributes:
        accuracy: Fraction of images predicted correctly, 0 to 1.
        loss: Mean cross-entropy, in nats.
        confusion_matrix: A row per true class, with the number of images predicted as each class; the scrambled
            class comes first.
        class_names: Of the scrambled and the correct class.
    """

    accuracy: float
    loss: float
    confusion_matrix: tuple[tuple[int, int], tuple[int, int]]
    class_names: tuple[str, str] = FACE.class_names


@dataclass(frozen=True, eq=False)
class Predictions:
    """One row per tested image.

    Attributes:
        frame: The columns index (the image's number within its class), file, label and predicted (0 the scrambled
            class, 1 the correct one), of stimuli placement (left, middle or right), the correct class's probability
            (0 to 1; of faces `probability_face`) and its log_odds (in nats).
        class_names: Of the scrambled and the correct class.
    """

    frame: pd.DataFrame
    class_names: tuple[str, str] = FACE.class_names

    def metrics(self) -> Metrics:
        """Accuracy, loss and confusion matrix."""
        label, predicted = (self.frame[name].to_numpy() for name in ("label", "predicted"))
        against = self.frame["log_odds"].to_numpy() * np.where(label == 1, -1, 1)
        counts = np.bincount(2 * label + predicted, minlength=4).tolist()
        return Metrics(
            accuracy=float((predicted == label).mean()),
            loss=float(np.logaddexp(0, against).mean()),
            confusion_matrix=((counts[0], counts[1]), (counts[2], counts[3])),
            class_names=self.class_names,
        )

    def by_placement(self) -> dict[str, "Predictions"]:
        """Those of each placement, where there are several."""
        if "placement" not in self.frame or self.frame["placement"].nunique() < 2:
            return {}
        placed = self.frame["placement"]
        return {
            name: Predictions(self.frame[placed == name].reset_index(drop=True), self.class_names)
            for name in ("left", "middle", "right")
            if (placed == name).any()
        }

    def incorrect(self) -> dict[str, pd.DataFrame]:
        """The rows predicted incorrectly: of faces `face_as_no_face` and `no_face_as_face`, each by index."""
        frame = self.frame[self.frame["label"] != self.frame["predicted"]].sort_values("index")
        scrambled, correct = self.class_names
        return {
            f"{correct}_as_{scrambled}": frame[frame["label"] == 1].reset_index(drop=True),
            f"{scrambled}_as_{correct}": frame[frame["label"] == 0].reset_index(drop=True),
        }

    def probability(self) -> "pd.Series[float]":
        """The correct class's probability of each image."""
        return self.frame[_PROBABILITY + self.class_names[1]]

    def plot_confusion_matrix(self, axes: "Axes | None" = None) -> "Figure":
        """The confusion matrix with counts and percent, on axes that are given or in a new figure."""
        from configural.evaluation.figures import confusion_matrix_figure

        return confusion_matrix_figure(self.metrics(), axes)

    def save(self, path: Path | str) -> None:
        """Write as CSV."""
        files.write_text(path, self.frame.to_csv(index=False))

    @classmethod
    def load(cls, path: Path | str, *, class_names: tuple[str, str] | None = None) -> "Predictions":
        """Read what `save` wrote.

        Args:
            path: The file.
            class_names: By default the correct class is the one whose probability the file holds, such as `face`,
                and the other one is `no_face`.

        Raises:
            ConfiguralError: If the file is missing or lacks a column.
        """
        frame = read_csv(path, _COLUMNS, "a readable table of predictions")
        if not len(frame):
            raise ConfiguralError(f"{path}: holds no predictions")
        names = [str(name).removeprefix(_PROBABILITY) for name in frame if str(name).startswith(_PROBABILITY)]
        if class_names is None and (len(names) != 1 or not _NAME.fullmatch(names[0])):
            raise ConfiguralError(f"{path}: lacks the column {_PROBABILITY}CLASS of the correct class")
        for name in names:
            with reading(path, "a readable table of predictions"):
                frame[_PROBABILITY + name] = frame[_PROBABILITY + name].astype(float)
            check_columns(frame, {_PROBABILITY + name: "fraction"}, path)
        return cls(frame, class_names or (f"no_{names[0]}", names[0]))


def predict(
    network: nn.Module | RespondsToImages,
    images: Dataset[tuple[Tensor, int]],
    *,
    batch_size: int = 100,
    device: str = "auto",
) -> Predictions:
    """Query a network about every image of a dataset.

    Args:
        network: Takes batches that its own `prepare` has prepared, and returns logits of the scrambled and the
            correct class; see `models.NETWORKS`. Or a classifier that gives log-odds, as `models.open` does.
        images: Items of (uint8 RGB image 3 × size × size, label). Its `rows` say index and file, else images are
            numbered in order; its `class_names` are the classes', else a face's.
        batch_size: Images at a time.
        device: As in `training.fit`.

    Raises:
        ConfiguralError: If the network's output is not a number for some image.

    Example:
        >>> import configural as cf
        >>> library = cf.portraits.load("synthetic:2")
        >>> images = cf.stimuli.dataset(library, cf.stimuli.sample(library, count=42).subset("test"), size=16)
        >>> list(predict(cf.models.create("fcn-14", 16), images, device="cpu").frame)
        ['index', 'file', 'label', 'placement', 'predicted', 'probability_face', 'log_odds']
    """
    n = len(cast(Sized, images))
    # Made beforehand: small tensors that stay between the batches keep the system from using their memory again.
    logits, labels = torch.zeros(n, 2, dtype=torch.float64), torch.empty(n, dtype=torch.int64)
    threads = threads_for(network, open_device(device)) if isinstance(network, nn.Module) else 1

    def fill(rank: int, meeting: Meeting) -> None:
        portion = Portion(rank, threads, meeting=meeting)
        done = 0
        with progress.bar("testing", n) as update:
            for batch, batch_labels in batches(images, batch_size, portion=portion):
                if meeting.cancelled:
                    return
                some = slice(done + portion.rows.start, done + portion.rows.stop)
                respond(batch, logits[some])
                labels[some] = batch_labels
                done += portion.images
                update(done)

    with _responding(network, device) as respond, matmul_precision("32"):
        on_cores(fill, threads)
    joined = logits.numpy()
    if not np.isfinite(joined).all():
        raise ConfiguralError("the network's output is not a number: its weights are damaged or training failed")
    rows: pd.DataFrame | None = getattr(images, "rows", None)
    if rows is None:
        rows = pd.DataFrame({"index": range(n), "file": [""] * n})
    class_names = getattr(images, "class_names", FACE.class_names)
    log_odds = joined[:, 1] - joined[:, 0]
    frame = pd.DataFrame(
        {
            "index": rows["index"].to_numpy(),
            "file": rows["file"].to_numpy(),
            "label": labels.numpy(),
            **({"placement": rows["placement"].to_numpy()} if "placement" in rows else {}),
            "predicted": joined.argmax(axis=1),
            _PROBABILITY + class_names[1]: np.exp(-np.logaddexp(0, -log_odds)),
            "log_odds": log_odds,
        }
    )
    return Predictions(frame, class_names)


@contextmanager
def _responding(network: nn.Module | RespondsToImages, device: str) -> Generator[Callable[[Tensor, Tensor], None]]:
    """A function that fills in the logits of a batch of images; of a classifier, 0 and its log-odds."""
    if not isinstance(network, nn.Module):
        classifier = network

        def by_log_odds(batch: Tensor, logits: Tensor) -> None:
            logits[:, 1] = torch.from_numpy(classifier.log_odds(batch.permute(0, 2, 3, 1).cpu().numpy()))

        yield by_log_odds
        return
    module, where = network, open_device(device)
    module.to(where)

    def by_logits(batch: Tensor, logits: Tensor) -> None:
        with torch.inference_mode():
            found = [module(prepare(module, some.to(where))).view(len(some), 2) for some in pieces(batch, where)]
            logits[:] = torch.cat(found)

    with evaluating(module):
        yield by_logits
