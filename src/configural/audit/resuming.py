"""The folder of an audit, which one process at a time writes, and which is continued after an interruption."""

import io
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd

from configural.audit.result import Audit, parquet
from configural.config.audit import EXECUTION
from configural.errors import ConfiguralError
from configural.io import files
from configural.io.locks import LOCK, locked, refuse_held
from configural.io.reading import check_columns
from configural.wording import without_folders

UNFINISHED = "it has not come to its end; resume continues it"
"""The interruption of an audit that is at work, or was killed."""

_KINDS = {"log_odds": "number"}  # the columns of an `Inspection` may hold nan
_FILE, _WORK = "audit.json", "this audit"


def refuse_other(folder: Path, *, resume: bool) -> None:
    """Raise if an audit cannot be written into a folder, before the work begins.

    Raises:
        ConfiguralError: If another process is at work there, or it holds anything, but for an audit to resume.
    """
    refuse_held(folder, _WORK)
    if (folder / _FILE).is_file():
        if resume:
            return
        if Audit.load(folder).interruption:
            raise ConfiguralError(
                f"{folder}: holds an interrupted audit; continue it with resume, or choose another out"
            )
    elif folder.is_dir():
        for name in (_FILE, "audit.csv"):  # of a process that was killed while it wrote its first files
            files.remove_leftovers(folder, name)
        if [path.name for path in folder.iterdir()] == ["audit.csv"]:
            (folder / "audit.csv").unlink()
        if resume and any(folder.iterdir()):
            raise ConfiguralError(f"{folder}: holds other files and no audit to resume (no {_FILE})")
    files.refuse_used(folder)


@contextmanager
def audit_folder(folder: Path, new: Audit, *, resume: bool) -> Generator[Audit | None]:
    """Hold the folder of a new audit while the block runs, one that `refuse_other` lets pass.

    Yields:
        What the folder holds, if it is to be resumed.

    Raises:
        ConfiguralError: If the folder is in use or holds an audit with other settings, exemplars or probes.
    """
    with locked(folder, _WORK):
        stored = Audit.load(folder) if resume and (folder / _FILE).is_file() else None
        if stored is not None:
            refuse_contradiction(stored, new.settings.model_dump(), folder=folder)
            refuse_other_weights(stored, new.facts.weights, folder=folder)
            if stored.interruption:
                _refuse_other_material(stored, new, folder)
            files.remove_leftovers(folder)
        else:
            files.refuse_used(folder, but=(LOCK,))  # somebody may have been quicker
            replace(new, interruption=UNFINISHED).save(folder)
        yield stored


def refuse_contradiction(stored: Audit, given: Mapping[str, object], *, folder: Path) -> None:
    """Raise a ConfiguralError if a setting is given that an audit which is to be resumed has another value of."""
    for name, value in given.items():
        before = getattr(stored.settings, name)
        if isinstance(value, str) and not stored.interruption:
            value = without_folders(value)
        if name not in EXECUTION and value != before:
            raise ConfiguralError(
                f"{folder}: holds an audit with {name} {before}, not {value}; repeat its settings or choose "
                "another out"
            )


def refuse_other_weights(stored: Audit, weights: str, *, folder: Path) -> None:
    """Raise a ConfiguralError if an audit that is to be resumed is known to be of other weights than these."""
    if stored.facts.weights and weights and stored.facts.weights != weights:
        raise ConfiguralError(
            f"{folder}: is the audit of a model with other weights; name that model or choose another out"
        )


def _refuse_other_material(stored: Audit, new: Audit, folder: Path) -> None:
    if stored.facts.fingerprint != new.facts.fingerprint:
        raise ConfiguralError(
            f"{folder}: was begun with other exemplars than {new.settings.source} gives now; restore those or "
            "choose another out"
        )
    for name, card in new.probes.items():
        if stored.probes[name] != type(card).model_validate(card.model_dump(mode="json")):
            raise ConfiguralError(
                f"{folder}: was begun with other settings of the probe {name}; repeat them or choose another out"
            )


def kept_responses(
    stored: Audit, notes: Mapping[str, pd.DataFrame], *, folder: Path | None
) -> dict[str, pd.DataFrame]:
    """What an interrupted audit has of the responses to some probes, without these notes of their trials.

    Raises:
        ConfiguralError: If they are responses to other trials.
    """
    kept = {}
    for name, expected in notes.items():
        if name not in stored.responses:
            continue
        found = stored.responses[name]
        asked = pd.read_parquet(io.BytesIO(parquet(expected.head(len(found)))))  # as it comes back from a file
        if len(found) > len(expected) or not found.reindex(columns=asked.columns).equals(asked):
            raise ConfiguralError(
                f"{folder}: responses/{name}.parquet is of other images than this audit asks about; remove it, and "
                "they are asked about again"
            )
        if len(found):
            kept[name] = found.drop(columns=asked.columns)
            path = Path(folder or "") / "responses" / f"{name}.parquet"
            check_columns(kept[name], {column: _KINDS.get(column, "score") for column in kept[name]}, path)
    return kept
