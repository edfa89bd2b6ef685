"""A training with its test as one call."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from configural.config.run import RunConfig, resumed_config, run_config
from configural.errors import ConfiguralError
from configural.models import NETWORKS
from configural.portraits import Library
from configural.portraits.sources import SOURCES
from configural.runs.run import Run, train_and_test
from configural.stimuli.conditions import refuse_unregistered


def run(
    *,
    source: str | Library | None = None,
    config: Path | str | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    keras: bool = False,
    write_page: Callable[[Run], object] | None = None,
    **given: Any,
) -> Run:
    """Draw images, train a network on them, save, load again, test, and report: the main job.

    Args:
        source: A source such as `synthetic` (the default), `houses` or `fasseg:FOLDER`, or a loaded library.
        config: A YAML file of settings by name, which arguments overrule.
        out: The run folder; runs/<date-time> by default.
        resume: Resume the run that `out` holds; settings not given are taken from it.
        keras: Also write the network as `model.h5`.
        write_page: Makes the page in the folder.
        given: Any setting of `config.run_fields()` by name, such as `condition`, `network`, `preset`, `epochs`,
            `learning_rate`, `dropout`, `seed` or `device`; what is not given is the preset's.

    Returns:
        The finished run.

    Raises:
        ConfiguralError: If a setting is unknown or not possible, or `out` holds something else.
        OSError: If the disk is full or not writable.
    """
    library = source if isinstance(source, Library) else None
    given = {name: value for name, value in given.items() if value is not None}
    if source is not None:
        given["source"] = source.source if isinstance(source, Library) else source
    if resume and out is None:
        raise ConfiguralError("resume needs out, the folder of the run to resume")
    if resume and config is not None:
        raise ConfiguralError("config and resume exclude each other: a run is resumed with its own settings")
    folder = Path(out) if out is not None else dated_folder()
    if resume and (folder / "config.yaml").is_file():
        settings = resumed_config(RunConfig.load(folder / "config.yaml"), given, folder=folder)
        if not (folder / "metrics.json").is_file():  # else it is only read
            refuse_modules(
                networks=[] if "network" in given else [settings.network],
                conditions=[] if "condition" in given else [settings.condition],
                source=None if "source" in given else settings.source,
            )
    else:
        settings = run_config(config=config, **given)
    finished = train_and_test(settings, folder, resume=resume, keras=keras, library=library)
    if write_page is not None:
        write_page(finished)
    return finished


def refuse_modules(
    *, networks: Sequence[str] = (), conditions: Sequence[str] = (), source: str | None = None
) -> None:
    """Raise if a setting that a folder states would have a module imported that no person has named.

    Raises:
        ConfiguralError: If one is neither registered nor declared by an installed package.

    Example:
        >>> refuse_modules(networks=["cnn-15"], conditions=["floating+matched"], source="synthetic:3")
    """
    for network in networks:
        NETWORKS.known(network)
    if source is not None and (name := source.partition(":")[0]) not in SOURCES.names():
        raise ConfiguralError(f"source '{name[:80]}' is not registered here: name it (source) if you trust it")
    for condition in conditions:
        refuse_unregistered(condition)


def dated_folder() -> Path:
    """Where a run goes that was given no folder: runs/<date-time>."""
    return Path("runs") / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
