"""Folders that one process at a time works in, and temporary ones of processes that are gone."""

import errno
import fcntl
import os
import signal
import subprocess
import sys

import pytest

from configural.errors import ConfiguralError, UnlockedWarning
from configural.io.locks import LOCK, is_locked, locked, refuse_held
from configural.io.temporary import temporary_folder


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL])
def test_where_there_are_no_locks_work_goes_on_with_a_warning(tmp_path, monkeypatch, code):
    def flock(file, operation):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    folder = tmp_path / "run"
    with (
        pytest.warns(UnlockedWarning, match=r"run: its file system has no locks .* on this run"),
        locked(folder, "this run"),
    ):
        (folder / "made").touch()
    assert [path.name for path in folder.iterdir()] == ["made"]
    (folder / LOCK).touch()  # of a process that was killed
    with pytest.warns(UnlockedWarning):
        refuse_held(folder, "this run")
    assert not (folder / LOCK).exists()


def test_where_locks_are_not_implemented_a_file_stands_for_one(tmp_path, monkeypatch):
    def flock(file, operation):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.warns(UserWarning, match="flock not supported"), locked(tmp_path, "this run"):
        pass
    assert not list(tmp_path.iterdir())


def test_what_is_wrong_with_a_folder_is_no_matter_of_locks(tmp_path, monkeypatch):
    def flock(file, operation):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input/output"), locked(tmp_path, "this run"):
        pass


def test_a_link_to_a_folder_that_is_still_to_be_made_is_followed(tmp_path):
    (tmp_path / "link").symlink_to("elsewhere/run")
    with locked(tmp_path / "link", "this run"):
        (tmp_path / "link" / "made").touch()
    assert os.listdir(tmp_path / "elsewhere" / "run") == ["made"]


HOLDS = """
import sys, time
from pathlib import Path
from configural.io.temporary import temporary_folder
with temporary_folder(Path(sys.argv[1])) as folder:
    (folder / "stimuli.parquet").write_bytes(b"some")
    print(folder, flush=True)
    time.sleep(600)
"""


def test_temporary_folders_of_killed_processes_are_removed(tmp_path):
    """And of nobody else."""
    (tmp_path / "configural-of-mine").mkdir()
    (tmp_path / "configural-of-mine" / "thesis.tex").touch()
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        theirs = os.path.basename(process.stdout.readline().strip())
        assert is_locked(tmp_path / theirs)
        with pytest.raises(ConfiguralError, match="another process"):
            refuse_held(tmp_path / theirs, "this folder")
        with temporary_folder(tmp_path):
            assert (tmp_path / theirs / "stimuli.parquet").is_file()
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert (tmp_path / theirs).is_dir()
    with temporary_folder(tmp_path) as folder:
        assert {path.name for path in tmp_path.iterdir()} == {folder.name, "configural-of-mine"}
    assert [path.name for path in tmp_path.rglob("*")] == ["configural-of-mine", "thesis.tex"]
