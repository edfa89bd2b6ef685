"""Audits of saved models."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from configural import models
from configural.audit.auditing import AuditInterruptedError, carry_out
from configural.audit.probes import PROBES, find_probe
from configural.audit.result import Audit
from configural.audit.resuming import refuse_contradiction, refuse_other, refuse_other_weights
from configural.config.audit import OPENING, AuditConfig
from configural.config.run import RunConfig
from configural.errors import ConfiguralError
from configural.evaluation.metrics import read_metrics
from configural.io import manifest
from configural.portraits import Library, load
from configural.portraits.sources import load_recorded
from configural.stimuli.conditions import refuse_unregistered


def audit_saved(
    model: Path | str,
    out: Path | str,
    *,
    source: str | Library | None = None,
    resume: bool = False,
    write_page: Callable[[Path], object] | None = None,
    **settings: Any,
) -> Audit:
    """Audit a saved model and write responses, scores, figures and the page into a folder.

    Args:
        model: A run folder, or any other model that `models.open` opens.
        out: New or empty unless resuming.
        source: A source, or a library; of a run its own by default, else synthetic.
        resume: Continue the audit that `out` holds, if it holds one; settings not given are taken from it. See
            `auditing.audit`.
        write_page: Makes the page in the folder.
        settings: Fields of `AuditConfig`. By default condition and split are those of a run, and the seed is one
            that it was not trained with, or its own for the identity split, so that its test persons are asked
            about.

    Raises:
        ConfiguralError: If an argument cannot be used. If the classifier fails half-way, or on Ctrl-C, what was
            measured is in `out`.
    """
    folder, path = Path(out), Path(model)
    refuse_other(folder, resume=resume)
    given = {key: value for key, value in settings.items() if value is not None}
    config, stored = AuditConfig.of(**given), None
    if resume and (folder / "audit.json").is_file():
        stored = Audit.load(folder)
        chosen = given.keys() - {"probes"}  # which may have been named as module:name
        refuse_contradiction(stored, config.model_dump(include=chosen), folder=folder)
        _refuse_modules(stored.settings, given)
        if source is None and not stored.interruption and manifest.is_sealed(folder):
            refuse_other_weights(stored, models.digest(model), folder=folder)
            if write_page is not None:
                write_page(folder)
            return stored
        config = AuditConfig.of(**{**stored.settings.model_dump(), **given})
    probes = [find_probe(probe) for probe in config.probes or PROBES.names()]  # a wrong name is told at once
    opening = config.model_dump(include={*OPENING, "device"})
    opened = models.open(model, image_size=given.get("image_size"), **opening)
    run = RunConfig.load(path / "config.yaml") if (path / "config.yaml").is_file() else None
    if run is not None and "condition" not in given:
        refuse_unregistered(run.condition)
    recorded = stored.settings.source if stored is not None else run.source if run is not None else None
    if source is None and recorded is not None:
        library = load_recorded(recorded)
    else:
        library = load(config.source if source is None else source)
    if run is not None and stored is None:
        config = config.model_copy(update=_unlike_the_training(given, run, path, library, own=source is None))
    config = config.model_copy(
        update={
            "source": library.source,
            "image_size": opened.image_size or config.image_size,
            "probes": tuple(probe.name for probe in probes),
        }
    )
    try:
        return carry_out(
            config,
            opened,
            library,
            config.condition,
            probes,
            name=opened.name,
            out=folder,
            resume=resume,
            weights=models.digest(model),
            write_page=write_page,
        )
    except (AuditInterruptedError, KeyboardInterrupt):
        if write_page is not None and (folder / "audit.json").is_file():
            write_page(folder)
        raise


def _refuse_modules(stored: AuditConfig, given: Mapping[str, Any]) -> None:
    """Raise a ConfiguralError if a folder's settings would have a module imported that nobody named."""
    if "network" not in given and stored.network is not None:
        models.NETWORKS.known(stored.network)
    if "condition" not in given:
        refuse_unregistered(stored.condition)
    for probe in () if "probes" in given else stored.probes:
        PROBES.known(probe)


def _unlike_the_training(
    given: Mapping[str, Any], run: RunConfig, folder: Path, library: Library, *, own: bool
) -> dict[str, Any]:
    """Condition, seed and split of images that the network of a run has not seen, by default as the run's.

    Raises:
        ConfiguralError: If what is given makes images that it was trained on, or the exemplars are not those of
            the run, although they are to be its own.
    """
    path = folder / "metrics.json"
    if not path.is_file():
        raise ConfiguralError(f"{folder}: this run is not finished; continue it with resume")
    same = library.fingerprint == read_metrics(path)["faces_fingerprint"]
    if own and not same:
        raise ConfiguralError(
            f"{folder}: was trained on other exemplars than {library.source} gives now; name their source"
        )
    split = given.get("split", run.split if same else "paper")
    kept = same and run.split == split == "identity"
    seed, trained = given.get("seed"), run.data_seed
    if kept and seed not in (None, trained):
        raise ConfiguralError(
            f"seed {seed}: deals the persons out again, so that some that the network was trained on come into "
            f"the audit; with the identity split keep seed {trained}"
        )
    if same and not kept and seed == trained:
        raise ConfiguralError(
            f"seed {seed}: makes images that the network was trained on; use another, such as {trained + 1}"
        )
    if seed is None:
        seed = trained if kept else trained + 1
    return {"condition": given.get("condition", run.condition), "seed": seed, "split": split}
