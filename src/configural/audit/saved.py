"""Audits of saved models."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from configural import models
from configural.audit.auditing import AuditInterruptedError, audit
from configural.audit.result import Audit
from configural.config.audit import AuditConfig
from configural.config.run import RunConfig
from configural.errors import ConfiguralError
from configural.io.files import refuse_used
from configural.portraits import Library, load
from configural.portraits.sources import load_recorded
from configural.stimuli.conditions import refuse_unregistered


def audit_saved(
    model: Path | str,
    out: Path | str,
    *,
    source: str | Library | None = None,
    write_page: Callable[[Path], object] | None = None,
    **settings: Any,
) -> Audit:
    """Audit a saved model and write responses, scores, figures and the page into a folder.

    Args:
        model: A run folder, or any other model that `models.open` opens.
        out: New or empty.
        source: A source, or a library; of a run its own by default, else synthetic.
        write_page: Makes the page in the folder.
        settings: Fields of `AuditConfig`. By default condition and split are those of a run, and the seed is one
            that it was not trained with, or its own for the identity split, so that its test persons are asked
            about.

    Raises:
        ConfiguralError: If an argument cannot be used. If the classifier fails half-way, or on Ctrl-C, what was
            measured is in `out`.
    """
    folder, path = Path(out), Path(model)
    refuse_used(folder)
    given = {key: value for key, value in settings.items() if value is not None}
    config = AuditConfig.of(**given)
    opened = models.open(
        model,
        positive=config.positive,
        output=config.output,
        scale=config.scale,
        image_size=given.get("image_size"),
        network=config.network,
        device=config.device,
    )
    chosen: dict[str, Any] = {"condition": config.condition, "seed": config.seed, "split": config.split}
    if (path / "config.yaml").is_file():
        run = RunConfig.load(path / "config.yaml")
        if "condition" not in given:
            refuse_unregistered(run.condition)
        library = load_recorded(run.source) if source is None else load(source)
        same = library.fingerprint == _trained_on(path)
        if source is None and not same:
            raise ConfiguralError(
                f"{model}: was trained on other exemplars than {library.source} gives now; name their source"
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
        chosen = {"condition": given.get("condition", run.condition), "seed": seed, "split": split}
    else:
        library = load(config.source if source is None else source)
    try:
        done = audit(
            opened,
            library,
            **chosen,
            image_size=opened.image_size or config.image_size,
            pairs=config.pairs,
            probes=config.probes or None,
            name=opened.name,
            batch_size=config.batch_size,
            out=folder,
        )
    except (AuditInterruptedError, KeyboardInterrupt):
        if write_page is not None and (folder / "audit.json").is_file():
            write_page(folder)
        raise
    if write_page is not None:
        write_page(folder)
    return done


def _trained_on(run: Path) -> str:
    """The fingerprint of the exemplars that a finished run was trained on."""
    path = run / "metrics.json"
    if not path.is_file():
        raise ConfiguralError(f"{run}: this run is not finished; continue it with resume")
    try:
        return str(json.loads(path.read_text("utf-8"))["faces_fingerprint"])
    except (KeyError, TypeError, ValueError) as error:
        raise ConfiguralError(f"{path}: not the metrics of a run; is the file damaged?") from error
