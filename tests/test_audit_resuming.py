"""Audits that are interrupted and continued: what is asked again, what comes of it, and what is refused."""

import json
import signal
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import assert_one_line, configural, files_up_to, halted

from configural import models
from configural.audit import (
    Audit,
    AuditInterruptedError,
    BackgroundRemoval,
    ForcedChoice,
    ReceptiveField,
    audit,
    compare_audits,
)
from configural.errors import ConfiguralError
from configural.io.locks import locked

PROBES = (ForcedChoice(), BackgroundRemoval(pairs=10), ReceptiveField(objects=2))


class KilledError(BaseException):
    """Ends an audit as a kill does: there is nothing that it can still write."""


class Counted:
    """A network that counts the images that it responds to, and raises something at one of them."""

    image_size = 32

    def __init__(self, ends_at=10**9, error=KilledError):
        torch.manual_seed(0)
        self.inner = models.open(models.create("fcn-14", 32))
        self.module, self.scores = self.inner.module, self.inner.scores
        self.asked, self.ends_at, self.error = 0, ends_at, error

    def log_odds(self, images):
        self.asked += len(images)
        if self.asked > self.ends_at:
            raise self.error
        return self.inner.log_odds(images)


def audited(library, out, classifier=None, **changes):
    settings = {"pairs": 10, "probes": PROBES, "batch_size": 8, "name": "net", **changes}
    return audit(classifier or Counted(), library, out=out, **settings)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def whole(blocks, tmp_path_factory):
    """An audit without interruption: its files, and how many images it asked about."""
    out, classifier = tmp_path_factory.mktemp("audits") / "whole", Counted()
    audited(blocks, out, classifier)
    return content(out), classifier.asked


@pytest.mark.parametrize("ends_at", [9, 10**9])
def test_no_audit_goes_on_with_other_weights(blocks, tmp_path, ends_at):
    """Half of its responses would be another network's, and a finished one is not that of whatever is named."""
    out, other = tmp_path / "audit", Counted()
    with suppress(KilledError):
        audited(blocks, out, Counted(ends_at), probes=PROBES[:1])
    with torch.no_grad():
        next(other.module.parameters()).mul_(2)
    with pytest.raises(ConfiguralError, match="audit: is the audit of a model with other weights"):
        audited(blocks, out, other, resume=True, probes=PROBES[:1])
    assert other.asked == 0
    audited(blocks, out, resume=True, probes=PROBES[:1])


@pytest.mark.parametrize(
    ("ends_at", "error", "raised", "kept"),
    [
        (65, KilledError, KilledError, 20),  # a whole probe
        (65, KeyboardInterrupt, KeyboardInterrupt, 20 + 44),  # and those of the next that are other images
        (9, ConnectionError, AuditInterruptedError, 8),
    ],
)
def test_a_continued_audit_is_the_same(blocks, whole, tmp_path, ends_at, error, raised, kept):
    out = tmp_path / "audit"
    with pytest.raises(raised):
        audited(blocks, out, Counted(ends_at, error))
    assert Audit.load(out).interruption  # every command that reads audits takes it
    compare_audits([out, out])
    with pytest.raises(ConfiguralError, match="interrupted audit; continue it with resume"):
        audited(blocks, out)
    classifier = Counted()
    done = audited(blocks, out, classifier, resume=True)
    assert content(out) == whole[0]
    assert not done.interruption
    assert classifier.asked == whole[1] - kept + min(kept, 8)  # one batch again: is the classifier the same?


def test_a_finished_audit_is_read(blocks, whole, tmp_path):
    for name, written in whole[0].items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(written)
    read = audited(blocks, tmp_path, Counted(0), resume=True)
    assert len(read.responses["forced_choice"]) == 20
    assert content(tmp_path) == whole[0]
    with pytest.raises(ConfiguralError, match="not empty"):
        audited(blocks, tmp_path)


def test_another_audit_is_not_continued(blocks, painted, tmp_path):
    out = tmp_path / "audit"
    with pytest.raises(KilledError):
        audited(blocks, out, Counted(65))
    before = content(out)
    for changes, said in (
        ({"pairs": 11}, "with pairs 10, not 11"),
        ({"seed": 1}, "with seed 0, not 1"),
        ({"condition": "ffa"}, "with condition baseline, not ffa"),
        ({"probes": PROBES[:2]}, "with probes"),
        (
            {"probes": (PROBES[0], BackgroundRemoval(pairs=9), *PROBES[2:])},
            "settings of the probe background_removal",
        ),
        ({"classifier": lambda images: np.full(len(images), 0.5), "image_size": 32}, "other responses"),
    ):
        with pytest.raises(ConfiguralError, match=said):
            audited(blocks, out, resume=True, **changes)
    with pytest.raises(ConfiguralError, match="with source"):
        audited(painted, out, resume=True)
    with pytest.raises(ConfiguralError, match="resume needs out"):
        audited(blocks, None, resume=True)
    assert content(out) == before
    with (
        locked(out, "this audit"),
        pytest.raises(ConfiguralError, match="another process is at work on this audit"),
    ):
        audited(blocks, out, resume=True)
    (out / "responses" / "forced_choice.parquet").write_bytes(b"PAR1")
    with pytest.raises(ConfiguralError, match=r"forced_choice.parquet: .*damaged: remove it"):
        audited(blocks, out, resume=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").touch()
    for resume in (True, False):
        with pytest.raises(ConfiguralError, match="holds other files" if resume else "not empty"):
            audited(blocks, other, resume=resume)
    assert [path.name for path in other.iterdir()] == ["thesis.tex"]


def test_what_others_could_begin_is_not_imported(blocks, tmp_path):
    """A folder may come from anywhere: what it names is not imported, unless a person names it."""
    out, model = tmp_path / "audit", tmp_path / "net.safetensors"
    models.save_network(models.create("fcn-14", 32), model)
    with files_up_to(5_000):
        arguments = [
            "audit",
            model,
            "--source",
            "synthetic:3",
            "--pairs",
            4,
            "--probes",
            "forced_choice",
            "--out",
            out,
        ]
        assert configural(*arguments).returncode == 2
    stated = json.loads((out / "audit.json").read_text())
    for name, harm in (
        ("network", "os:abort"),
        ("condition", "os:abort"),
        ("source", "os:abort"),
        ("probes", ["os:abort"]),
    ):
        changed = {**stated, "settings": {**stated["settings"], name: harm}}
        (out / "audit.json").write_text(json.dumps(changed))
        assert_one_line(configural("audit", model, "--out", out, "--resume"), "os")


@pytest.mark.slow
def test_commands_that_end_early(tmp_path):
    """Kill -9 in the first file, on a full disk, and after a probe; the options are those of the beginning."""
    model, out = tmp_path / "net.safetensors", tmp_path / "audit"
    torch.manual_seed(0)
    models.save_network(models.create("fcn-14", 32), model)
    options = ["--source", "synthetic:3", "--pairs", 6, "--probes", "forced_choice,background_removal"]
    options += ["--positive", 0, "--seed", 3]
    assert configural("audit", model, *options, "--out", tmp_path / "whole").returncode == 0
    with halted("half of audit.json", "audit", model, *options, "--out", out) as command:
        busy = configural("audit", model, *options, "--out", out)
        assert_one_line(busy, "another process is at work on this audit")
        command.end(by=signal.SIGKILL)
    assert (out / ".lock").exists()
    with files_up_to(5_000):
        full = configural("audit", model, *options, "--out", out)
    assert_one_line(full, "File too large", "a run or an audit with --resume")
    assert_one_line(configural("audit", model, *options, "--out", out), "continue it with --resume")
    assert_one_line(configural("audit", model, "--positive", 1, "--out", out, "--resume"), "positive 0, not 1")
    done = configural("audit", model, "--out", out, "--resume")
    assert done.returncode == 0, done.stderr
    assert content(out) == content(tmp_path / "whole")
