"""What a study's folder says of itself: what was begun in it, which jobs are at work, and which failed."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pydantic
import yaml

from configural import __version__
from configural.config.study import StudyPlan, difference
from configural.errors import ConfiguralError
from configural.io import files
from configural.io.reading import read_json
from configural.io.yamls import ImpossibleKeyError, read_yaml
from configural.portraits import Library
from configural.stimuli import condition as find_condition


@dataclass(frozen=True)
class StudyRecord:
    """What a study was begun with; the folder's `study.yaml`.

    Attributes:
        fingerprint: Of the library.
        conditions: By name, what the conditions say in full: a condition's own file may change.
        version: Of configural.
    """

    plan: StudyPlan
    source: str
    fingerprint: str
    conditions: Mapping[str, Any]
    version: str = __version__

    @property
    def placements(self) -> dict[str, str]:
        """By condition, the placement that images are trained on under."""
        return {name: says["placement"] for name, says in self.conditions.items()}

    @classmethod
    def of(cls, plan: StudyPlan, library: Library) -> "StudyRecord":
        """The record of a plan that is carried out with these faces."""
        found = {name: find_condition(name, scheme=library.scheme) for name in plan.conditions}
        conditions = {name: each.model_dump(mode="json") for name, each in found.items()}
        return cls(plan, library.source, library.fingerprint, conditions)

    def refuse_other(self, given: "StudyRecord", folder: Path) -> None:
        """Raise a ConfiguralError that names the first thing in which another record differs, if one does."""
        other = difference(self.plan, given.plan)
        if other is None and given.source != self.source and given.fingerprint != self.fingerprint:
            other = f"source {self.source}, not {given.source}"
        if other is not None:
            raise ConfiguralError(f"{folder}: holds a study with {other}; repeat its plan or choose another --out")
        changed = [f"{self.source} gives other exemplars now"] if given.fingerprint != self.fingerprint else []
        for name, says in self.conditions.items():
            if given.conditions[name] != says:
                changed.append(f"the condition {name} says otherwise")
        if changed:
            raise ConfiguralError(f"{folder}: {changed[0]} than when the study was begun")

    def save(self, folder: Path) -> None:
        """Write into a study's folder."""
        says = {
            "configural": self.version,
            "source": self.source,
            "faces_fingerprint": self.fingerprint,
            "plan": self.plan.stated(),
            "conditions": dict(self.conditions),
        }
        files.write_text(folder / "study.yaml", yaml.safe_dump(says, sort_keys=False), durable=True)

    @classmethod
    def load(cls, folder: Path) -> "StudyRecord":
        """Read from a study's folder.

        Raises:
            ConfiguralError: If it is no study's folder, or the file is damaged.
        """
        path = folder / "study.yaml"
        if not path.is_file():
            why = "it holds no study.yaml" if folder.is_dir() else "there is no such folder"
            raise ConfiguralError(f"{folder}: {why}; name the folder that 'configural study --out' wrote")
        says = read_yaml(path, _Stated)
        return cls(says.plan, says.source, says.faces_fingerprint, says.conditions, says.configural)


class _Stated(pydantic.BaseModel):
    """What `study.yaml` says."""

    configural: str
    source: str
    faces_fingerprint: str
    plan: StudyPlan
    conditions: dict[str, dict[str, Any]]

    @pydantic.model_validator(mode="after")
    def _of_the_plan(self) -> "_Stated":
        for name, says in self.conditions.items():
            if name not in self.plan.conditions or not isinstance(says.get("placement"), str):
                raise ImpossibleKeyError("conditions", f"{name[:40]} is none of the plan, or has no placement")
        return self


@dataclass
class Attempts:
    """Which jobs are at work and which have failed; the folder's `jobs.json`.

    Attributes:
        running: Names of the jobs that are at work, while the study is.
        failed: By name, why a job failed at its last attempt, on one line.
        details: By name, the traceback of a failure that no message explains.
    """

    running: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write into a study's folder."""
        files.write_text(folder / "jobs.json", json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "Attempts":
        """Read from a study's folder; nothing is known where the file is missing or damaged."""
        try:
            return read_json(folder / "jobs.json", cls, "what jobs came to")
        except ConfiguralError:
            return cls()
