"""What a disk holds after a power cut: a file's name can be there without its content."""

import os
import shutil
from pathlib import Path

import pytest
from command_line import assert_one_line, configural

import configural as cf
from configural.errors import ConfiguralError
from configural.export import FORMATS, verify, write
from configural.io import manifest
from configural.stimuli import sample

SMALL = {"condition": "baseline", "image_size": 16, "count": 60, "epochs": 1, "network": "cnn-13"}


class Disk:
    """Which files and names the disk holds for sure, by the order of the calls that write, sync and rename."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock, self.synced, self.named = 0, {}, {}
        for name in ("fsync", "replace"):
            monkeypatch.setattr(os, name, self._watched(name, getattr(os, name)))

    def _watched(self, name, real):
        def call(*arguments, **options):
            done = real(*arguments, **options)
            self.clock += 1
            if name == "fsync":
                said = os.fstat(arguments[0])
                self.synced[said.st_ino] = (self.clock, said.st_size)
            else:
                self.named[Path(arguments[1]).absolute()] = self.clock
            return done

        return call

    def lacks(self, folder: Path, but: str = "") -> list[str]:
        """The files of a folder that could be lost, or be empty, after a power cut now."""
        lost = []
        for path in sorted(folder.absolute().rglob("*")):
            if path.is_file() and path.name not in (but, ".lock"):
                said = path.stat()
                whole = self.synced.get(said.st_ino, (0, -1))[1] == said.st_size
                name = self.synced.get(path.parent.stat().st_ino, (0, 0))[0] > self.named.get(path, 0)
                if not (whole and name):
                    lost.append(path.relative_to(folder.absolute()).as_posix())
        return lost


@pytest.fixture(scope="module")
def undisturbed(blocks, tmp_path_factory):
    """A run's folder; and, when its checkpoint was removed, what the disk lacked and what was there."""
    folder, seen, unlink = tmp_path_factory.mktemp("runs") / "made" / "a", [], Path.unlink

    def watched(self, missing_ok=False):
        if self.name == "checkpoint.safetensors":
            seen.append((disk.lacks(self.parent, self.name), {path.name for path in self.parent.iterdir()}))
        unlink(self, missing_ok)

    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch)
        patch.setattr(Path, "unlink", watched)
        cf.run(source=blocks, out=folder, **SMALL)
    return folder, seen[0]


def test_a_checkpoint_goes_when_the_disk_holds_all_else(undisturbed):
    _, (lost, there) = undisturbed
    assert lost == []
    assert there >= {"SHA256SUMS", "report.html", "model.safetensors", "metrics.json"}


def test_what_is_done_is_on_the_disk(blocks, tmp_path, monkeypatch):
    disk = Disk(monkeypatch)
    audit = {"image_size": 16, "pairs": 3, "probes": ["forced_choice"]}
    cf.audit.audit(_bright, blocks, out=tmp_path / "audit", **audit)
    assert disk.lacks(tmp_path / "audit") == []
    net = cf.models.create("cnn-13", 16)
    cf.models.save_network(net, tmp_path / "net.safetensors")
    cf.evaluate(tmp_path / "net.safetensors", source=blocks, condition="baseline", count=24, out=tmp_path / "test")
    assert disk.lacks(tmp_path / "test") == []


def settings_of_a_set(form: str, blocks) -> dict:
    table = sample(blocks, condition="baseline", count=24, seed=4)
    return {"table": table, "library": blocks, "size": 16, "masks": True, "format": form, "shard_size": 8}


@pytest.fixture(scope="module", params=FORMATS.names())
def whole(request, blocks, tmp_path_factory):
    """A set; and what the disk lacked of it when it got its name, and when it was done."""
    folder, lacked, replace = tmp_path_factory.mktemp("sets") / request.param, [], os.replace

    def watched(source, to):
        if Path(source).is_dir():
            lacked.append(disk.lacks(Path(source)))
        replace(source, to)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", watched)
        disk = Disk(patch)
        write(out=folder, **settings_of_a_set(request.param, blocks))
        lacked.append(disk.lacks(folder))
    return folder, lacked


def test_what_is_done_of_a_set_is_on_the_disk(whole):
    assert whole[1] == [[], []]


def cut_off(path: Path, number: int) -> None:
    """As file systems leave what they had no time to write: nothing, zeros of the size, or the first part."""
    content = path.read_bytes()
    path.write_bytes((b"", bytes(len(content)), content[: len(content) // 2])[number % 3])


def test_a_run_that_was_cut_off_comes_to_the_same(blocks, undisturbed, tmp_path, monkeypatch):
    out = tmp_path / "run"

    def cut(*_, **__):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(manifest, "seal", cut)
        with pytest.raises(SystemExit):
            cf.run(source=blocks, out=out, **SMALL)
    early = {"config.yaml", "stimuli.parquet", "checkpoint.safetensors"}  # synced when they were written
    assert (out / "report.html").is_file()
    for number, path in enumerate(sorted(path for path in out.rglob("*") if path.is_file())):
        if path.name not in early:
            cut_off(path, number)
    with pytest.raises(ConfiguralError, match="not finished; continue it with --resume"):
        cf.load_run(out)
    cf.run(source=blocks, out=out, resume=True)
    assert cf.verify(out).sound
    assert not (out / "checkpoint.safetensors").exists()
    for name in ("model.safetensors", "predictions.csv", "stimuli.parquet"):
        assert (out / name).read_bytes() == (undisturbed[0] / name).read_bytes()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_that_was_cut_off_is_taken_for_whole(whole, blocks, tmp_path):
    settings = settings_of_a_set(whole[0].name, blocks)
    wanted = contents(whole[0])
    partial = tmp_path / "set.partial"
    for listed in ("all", "half", "none"):
        shutil.rmtree(tmp_path / "set", ignore_errors=True)
        shutil.copytree(whole[0], partial)
        lines = (partial / "SHA256SUMS").read_bytes().splitlines(keepends=True)
        if listed != "all":  # the last line is cut off
            kept = b"".join(lines[: len(lines) // 2])[:-9] if listed == "half" else b""
            (partial / "SHA256SUMS").write_bytes(kept)
        for number, name in enumerate(sorted(wanted)):
            if number % 2 and name not in ("dataset.json", "SHA256SUMS"):
                cut_off(partial / name, number // 2)
        write(out=tmp_path / "set", **settings)
        assert contents(tmp_path / "set") == wanted
    assert verify(tmp_path / "set", source=blocks, sample=1).sound


def test_verify_finds_every_changed_file_by_a_small_sample(whole, blocks, tmp_path):
    shutil.copytree(whole[0], tmp_path / "set")
    damaged = [path for path in sorted((tmp_path / "set").rglob("*.*")) if path.parent != tmp_path / "set"]
    damaged += sorted((tmp_path / "set").glob("*.tar"))
    for path in damaged[::2]:
        path.write_bytes(b"")
    found = [fault.where for fault in verify(tmp_path / "set", source=blocks, sample=1).faults]
    for path in damaged[::2]:
        assert any(where.startswith(path.relative_to(tmp_path / "set").as_posix()) for where in found), path


def test_where_nothing_is_begun_a_cut_leaves_nothing_in_the_way(blocks, tmp_path):
    (tmp_path / "set.partial").mkdir()
    (tmp_path / "set.partial" / "dataset.json").touch()
    write(sample(blocks, condition="baseline", count=24), tmp_path / "set", library=blocks, size=16)
    assert manifest.is_sealed(tmp_path / "set")


@pytest.mark.parametrize("how", ["link", "mounted"])
def test_a_folder_that_stays_where_it_is(how, blocks, tmp_path, monkeypatch):
    """A link to another folder, and one that a disk is mounted at, which cannot be renamed."""
    table, out = sample(blocks, condition="baseline", count=24), tmp_path / "set"
    (tmp_path / "real").mkdir()
    if how == "link":
        out.symlink_to("real")
    else:
        out.mkdir()
        rename = os.rename

        def busy(source, to, **options):
            if Path(source) == out or Path(to) == out:
                raise OSError(16, "Device or resource busy")
            rename(source, to, **options)

        monkeypatch.setattr(os, "rename", busy)
        (tmp_path / "set" / "lost+found").mkdir()
    inode = out.stat().st_ino
    write(table, out, library=blocks, size=16)
    assert verify(out, source=blocks, sample=3).sound
    assert how == "link" or out.stat().st_ino == inode
    assert not list(tmp_path.rglob("*partial*"))


def test_names_that_are_no_text(blocks, tmp_path):
    """Readers of Parquet and safetensors take no such path, so nobody is to notice when the work is done."""
    folder = tmp_path / os.fsdecode(b"sch\xf6n")  # Latin-1
    for job in (
        lambda: write(sample(blocks, condition="baseline", count=24), folder, library=blocks, size=16),
        lambda: cf.audit.audit(_bright, blocks, out=folder),
        lambda: cf.run(source=blocks, out=folder, **SMALL),
        lambda: cf.run_study("quick", blocks, out=folder),
    ):
        with pytest.raises(ConfiguralError, match="the name is not UTF-8"):
            job()
    assert not folder.exists()
    assert_one_line(configural("verify", folder), "the name is not UTF-8")


def _bright(images):
    return images.mean(axis=(1, 2, 3)) / 255
