import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import pytest

from configural.errors import ConfiguralError
from configural.io import files
from configural.io.reading import check_columns


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


def test_a_locale_that_is_not_utf_8_is_not_taken_for_a_fault_of_the_name():
    code = "import sys; from configural.io.files import refuse_no_text as check; check('ascii'); check(sys.argv[1])"
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    for settings, said in ((locale, "set LC_ALL=C.UTF-8"), ({"PYTHONUTF8": "1"}, "")):
        command = [sys.executable, "-c", code, "Bärbel"]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings})
        assert (done.returncode, said in done.stderr) == (1 if said else 0, True), done.stderr


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


@pytest.mark.parametrize("dtype", [None, object, "category"])
@pytest.mark.parametrize("values", [["a", "b"], ["a", None], ["a", float("nan")], [], [1, 2], [b"a"], ["a", 1]])
def test_a_column_of_texts_holds_nothing_else(values, dtype):
    column = pd.Series(values, dtype=dtype)
    sound = all(isinstance(value, str) for value in column)
    with nullcontext() if sound else pytest.raises(ConfiguralError, match="its column words is to be text"):
        check_columns(column.to_frame("words"), {"words": "text"}, "table")
