"""Each epoch's figures, as it ends, to the tracker of experiments that somebody has."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from configural.errors import ConfiguralError
from configural.training.history import Epoch


def check_tracker(tracker: str) -> None:
    """Raise a ConfiguralError if the package of a tracker is not installed.

    Example:
        >>> check_tracker("none")
    """
    if tracker != "none" and find_spec(tracker) is None:
        raise ConfiguralError(f"tracker {tracker} is not installed: pip install {tracker}")


@contextmanager
def tracked(tracker: str, folder: Path, *, settings: Mapping[str, Any]) -> Generator[Callable[[Epoch], None]]:
    """A training that a tracker sees; what is given is to be called with each epoch.

    Args:
        tracker: `tensorboard`, which writes into the folder; `mlflow` or `wandb`, which write where their own
            environment variables say; or `none`.
        folder: The run's folder, by whose name the run is known.
        settings: By name, as the tracker shows them.

    Raises:
        ConfiguralError: If the tracker cannot begin, with its reason.

    Example:
        >>> with tracked("none", Path("runs/demo"), settings={}) as each:
        ...     each(Epoch(1, 0.5, 0.8, 0.6, 0.7, 12.0))
    """
    begin = {"none": _none, "tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb}[tracker]
    try:
        log, end = begin(folder, settings)
    except Exception as error:  # of whatever kind the tracker's package raises
        raise ConfiguralError(
            f"tracker {tracker} cannot begin: {str(error).partition(chr(10))[0][:300]}"
        ) from error

    def each(epoch: Epoch) -> None:
        figures = asdict(epoch)
        log(figures, figures.pop("epoch"))

    try:
        yield each
    finally:
        end()


_Log = Callable[[dict[str, float], int], object]


def _none(folder: Path, settings: Mapping[str, Any]) -> tuple[_Log, Callable[[], object]]:
    return lambda figures, epoch: None, lambda: None


def _tensorboard(folder: Path, settings: Mapping[str, Any]) -> tuple[_Log, Callable[[], object]]:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder / "tensorboard"))
    writer.add_text("settings", "\n".join(f"- {name}: {value}" for name, value in settings.items()))

    def log(figures: dict[str, float], epoch: int) -> None:
        for name, value in figures.items():
            writer.add_scalar(name, value, epoch)
        writer.flush()

    return log, writer.close


def _mlflow(folder: Path, settings: Mapping[str, Any]) -> tuple[_Log, Callable[[], object]]:
    import mlflow

    mlflow.start_run(run_name=folder.name)
    mlflow.log_params(dict(settings))
    return lambda figures, epoch: mlflow.log_metrics(figures, step=epoch), mlflow.end_run


def _wandb(folder: Path, settings: Mapping[str, Any]) -> tuple[_Log, Callable[[], object]]:
    import wandb

    run = wandb.init(project="configural", name=folder.name, config=dict(settings))
    return lambda figures, epoch: run.log(figures, step=epoch), run.finish
