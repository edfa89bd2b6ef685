"""Finished folders say what they held, and whoever reads one notices what has changed since."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from command_line import assert_one_line, configural

import configural as cf
from configural.audit import Audit
from configural.errors import ConfiguralError
from configural.io import manifest
from configural.report import write_audit_report, write_evaluation_report, write_run_report

STRANGE = ["plain.csv", "deep/er/a b.png", "back\\slash", "two\nlines", os.fsdecode(b"not-utf8-\xff"), "a[1]*.txt"]


@pytest.fixture
def folder(tmp_path) -> Path:
    for number, name in enumerate(STRANGE):
        (tmp_path / "it" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "it" / name).write_bytes(b"x" * number)
    (tmp_path / "it" / ".hidden").write_text("not counted")
    manifest.seal(tmp_path / "it")
    return tmp_path / "it"


def faults(folder: Path) -> list[tuple[str, str]]:
    return [(fault.kind, fault.where) for fault in manifest.compare(folder)[1]]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs GNU coreutils")
def test_coreutils_read_what_is_written_and_write_what_is_read(folder):
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True, capture_output=True)
    theirs = subprocess.run(
        ["sha256sum", "--", *sorted(STRANGE)], cwd=folder, check=True, capture_output=True
    ).stdout
    assert theirs == (folder / "SHA256SUMS").read_bytes()


def test_links_count_as_what_they_lead_to_and_empty_folders_as_nothing(folder, tmp_path):
    """As sha256sum has it; but a link to a folder of anything else is extra, for what lies there is not listed."""
    (folder / "empty").mkdir()
    (folder / "plain.csv").rename(tmp_path / "kept.csv")
    (folder / "plain.csv").symlink_to(tmp_path / "kept.csv")
    (folder / "deep").rename(tmp_path / "kept")
    (folder / "deep").symlink_to(tmp_path / "kept")
    assert faults(folder) == []
    (folder / "other").symlink_to(tmp_path / "kept")
    (tmp_path / "kept.csv").write_bytes(b"something else")
    assert faults(folder) == [("extra", "other"), ("changed", "plain.csv")]


def test_a_list_of_dos_lines_is_read_as_coreutils_read_it(folder):
    """As git may leave it on Windows."""
    path = folder / "SHA256SUMS"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert faults(folder) == []


def test_what_differs_is_named(folder):
    assert manifest.compare(folder) == (len(STRANGE), [])
    (folder / "plain.csv").unlink()
    (folder / "plain.csv").mkdir()  # in its place
    (folder / "deep/er/a b.png").write_bytes(b"y")
    (folder / "back\\slash").unlink()
    (folder / "two\nlines").write_bytes(b"")
    (folder / "new").write_bytes(b"")
    assert faults(folder) == [
        ("missing", "back\\slash"),
        ("extra", "new"),
        ("changed", "deep/er/a b.png"),
        ("changed", "plain.csv"),
        ("changed", "two\nlines"),
    ]
    for pattern, said in (
        ("deep/*", "is not what was written"),
        ("two\nlines", "is empty"),
        ("new", "was put here"),
    ):
        with pytest.raises(ConfiguralError, match=said):
            manifest.refuse_changed(folder, pattern)
    manifest.refuse_changed(folder, STRANGE[4], STRANGE[5], "back\\slash")
    manifest.renew(folder, "deep/er/a b.png", "new")
    assert [kind for kind, _ in faults(folder)] == ["missing", "changed", "changed"]


def test_folders_inside_keep_lists_of_their_own(folder):
    manifest.seal(folder.parent)
    assert (folder.parent / "SHA256SUMS").read_text().endswith("  it/SHA256SUMS\n")
    assert manifest.compare(folder.parent) == (1 + len(STRANGE), [])
    (folder / "plain.csv").write_bytes(b"y")
    assert faults(folder.parent) == [("changed", "it/plain.csv")]
    manifest.renew(folder, "plain.csv")  # nobody may say that it is as it was
    assert faults(folder.parent) == [("changed", "it/SHA256SUMS")]


@pytest.mark.parametrize("line", ["a", "\n", f"{'0' * 64}  ../outside\n", f"{'0' * 64}  /etc/passwd\n", "ab  c\n"])
def test_a_damaged_list_is_told(folder, line):
    with (folder / "SHA256SUMS").open("a") as file:
        file.write(line)
    with pytest.raises(ConfiguralError, match=r"SHA256SUMS, line 7: not a SHA-256 and a name"):
        manifest.compare(folder)


@pytest.fixture(scope="module")
def made(blocks, tmp_path_factory) -> Path:
    """A run, an evaluation of it, and an audit."""
    root = tmp_path_factory.mktemp("made")
    small = {"image_size": 32, "count": 60, "epochs": 1, "network": "cnn-13"}
    cf.run(source=blocks, condition="baseline", out=root / "run", **small)
    cf.evaluate(root / "run", source=blocks, count=60, out=root / "evaluation")
    cf.audit.audit(_bright, blocks, image_size=16, pairs=3, probes=["forced_choice"], out=root / "audit")
    write_audit_report(root / "audit")
    return root


def _bright(images):
    return images.mean(axis=(1, 2, 3)) / 255


@pytest.fixture
def copy(made, tmp_path) -> Path:
    shutil.copytree(made, tmp_path / "made")
    return tmp_path / "made"


@pytest.mark.parametrize("name", ["run", "evaluation", "audit"])
def test_the_command_names_what_differs(name, copy):
    done = configural("verify", copy / name)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert "files compared with SHA256SUMS, nothing is wrong" in done.stdout
    (copy / name / "report.html").write_text("")
    (copy / name / "figures" / "mine.png").write_text("")
    done = configural("verify", copy / name)
    assert done.returncode == 1
    first, second, last = done.stdout.splitlines()
    assert (first, second) == ("extra: figures/mine.png", "changed: report.html (is empty now)")
    assert last.endswith("2 faults")
    assert_one_line(configural("verify", copy / name, "--source", "synthetic"), "--source", "holds no dataset")
    (copy / name / "SHA256SUMS").unlink()
    assert_one_line(configural("verify", copy / name), "has no dataset.json and no SHA256SUMS")


def change(path: Path) -> None:
    """A change that leaves a valid file of the same size."""
    content = path.read_bytes()
    if path.suffix == ".safetensors":
        path.write_bytes(content[:-8] + bytes(8))
    elif path.suffix in (".png", ".parquet"):
        path.write_bytes(content[:-20] + bytes([content[-20] ^ 1]) + content[-19:])
    else:
        at = next(at for at in range(len(content) - 1, 0, -1) if content[at : at + 1] in b"12345678")
        path.write_bytes(content[:at] + bytes([content[at] + 1]) + content[at + 1 :])


@pytest.mark.parametrize(
    "name",
    ["config.yaml", "metrics.json", "history.csv", "predictions.csv", "stimuli.parquet", "model.safetensors"],
)
def test_a_run_that_was_changed_is_not_read(name, copy):
    change(copy / "run" / name)
    for read in (
        lambda: cf.load_run(copy / "run"),
        lambda: cf.run(out=copy / "run", resume=True),
        lambda: cf.evaluate(copy / "run", out=copy / "new"),
    ):
        with pytest.raises(ConfiguralError, match=name):
            read()
    assert not (copy / "new").exists()


def test_what_else_was_changed_is_noticed(copy):
    change(copy / "run" / "model.safetensors")
    for model in (copy / "run", copy / "run" / "model.safetensors"):
        with pytest.raises(ConfiguralError, match=r"model\.safetensors: is not what was written"):
            cf.models.open(model)
    change(copy / "evaluation" / "metrics.json")
    with pytest.raises(ConfiguralError, match=r"metrics\.json: is not what"):
        write_evaluation_report(copy / "evaluation")
    change(copy / "audit" / "figures" / "forced_choice.png")
    with pytest.raises(ConfiguralError, match=r"forced_choice\.png: is not what"):
        write_audit_report(copy / "audit")
    change(copy / "audit" / "audit.csv")
    with pytest.raises(ConfiguralError, match=r"audit\.csv: is not what"):
        Audit.load(copy / "audit")


def test_pages_and_networks_that_are_written_again_count(made, copy):
    page = copy / "run" / "report.html"
    page.unlink()
    write_run_report(cf.load_run(copy / "run"))
    cf.run(out=copy / "run", resume=True, keras=True)
    assert cf.verify(copy / "run").sound
    assert "model.h5" in (copy / "run" / "SHA256SUMS").read_text()


def test_a_page_shows_nothing_of_other_folders(copy):
    secret = copy / "secret.png"
    secret.write_bytes((copy / "audit" / "figures" / "forced_choice.png").read_bytes())
    audit = copy / "audit"
    manifest.unseal(audit)
    listed = audit / "examples" / "forced_choice.json"
    shown = listed.read_text()
    for name in (str(secret), "../../secret.png", "forced_choice.json", "."):
        listed.write_text(f'[{{"file": "{name}", "caption": "", "log_odds": null}}]')
        with pytest.raises(ConfiguralError, match=r"not a list of examples"):
            write_audit_report(audit)
    listed.write_text(shown)
    figure = audit / "figures" / "forced_choice.png"
    figure.unlink()
    figure.symlink_to(secret)
    with pytest.raises(ConfiguralError, match="no file of"):
        write_audit_report(audit)
    figure.unlink()
    figure.symlink_to(audit / "examples" / "forced_choice_1.png")  # of the folder itself
    write_audit_report(audit)
