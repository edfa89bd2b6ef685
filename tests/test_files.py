import os
from pathlib import Path

import pytest

from configural.io import files


def test_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "file.bin"
    files.write_bytes(path, b"old")
    assert path.read_bytes() == b"old"

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match=r"No space left on device: .*deep/file\.bin'"):
        files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == ["file.bin"]


def test_permissions_are_those_of_a_plain_open(tmp_path):
    files.write_text(tmp_path / "a", "ü")
    (tmp_path / "b").write_text("ü", "utf-8")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_folder_is_made_and_made_once(tmp_path, monkeypatch):
    made, real = [], Path.mkdir

    def mkdir(self, *arguments, **options):
        made.append(self)
        real(self, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    for name in "abc":
        files.write_text(tmp_path / "folder" / name, name)
    assert made == [tmp_path / "folder"]
    assert sorted(os.listdir(tmp_path / "folder")) == ["a", "b", "c"]
