"""What `configural verify` finds in datasets that were tampered with."""

import io
import json
import shutil
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from configural.cli import app
from configural.errors import ConfiguralError
from configural.export import verify, write
from configural.portraits import load
from configural.stimuli import StimulusTable, sample

FORMATS = ("imagefolder", "coco", "parquet", "webdataset", "psychopy", "jspsych")


@pytest.fixture(scope="module")
def written(blocks, tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("sets")
    table = sample(blocks, condition="baseline", count=60, seed=4)
    for form in FORMATS:
        write(table, root / form, library=blocks, size=24, masks=True, format=form, shard_size=20)
    return {form: root / form for form in FORMATS}


@pytest.fixture
def copy(written, tmp_path):
    def make(form: str) -> Path:
        shutil.copytree(written[form], tmp_path / form)
        return tmp_path / form

    return make


def found(folder, blocks, number=None) -> list[tuple[str, str]]:
    return [(fault.kind, fault.where) for fault in verify(folder, sample=number, source=blocks).faults]


def edit_png(content: bytes, change) -> bytes:
    """The same image after `change` to its pixels, packed in another way than configural's."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    change(image)
    done, encoded = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    assert done
    assert encoded.tobytes() != content
    return encoded.tobytes()


def leave(image: np.ndarray) -> None:
    pass


def spoil(image: np.ndarray) -> None:
    image[5, 7] += 1  # one pixel by one step


def edit_tar(path: Path, change) -> None:
    """Write a tar file again with its members, in a dictionary, changed."""
    with tarfile.open(path) as archive:
        contents = {member.name: archive.extractfile(member).read() for member in archive}
    change(contents)
    with tarfile.open(path, "w") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def edit_parquet(path: Path, change) -> None:
    """Write a Parquet file again with its rows, in a list, changed."""
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(type(table).from_pylist(rows, table.schema), path)


def edit_file(path: Path, change) -> None:
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize("form", FORMATS)
def test_sound_sets_are_sound(form, copy, blocks):
    folder = copy(form)
    for number in (None, 7, 1000):
        done = verify(folder, sample=number, source=blocks)
        assert (done.sound, done.faults, done.repacked, done.images) == (True, (), 0, 60)
        assert done.sampled == min(number or 60, 60)
    edit_file(folder / "README.md", lambda text: text + b"My own words.\n")
    (folder / ".gitattributes").write_text("*.png binary\n")
    assert found(folder, blocks) == []


@pytest.mark.parametrize("form", FORMATS)
def test_missing_and_extra_files(form, copy, blocks):
    folder = copy(form)
    gone = {
        "imagefolder": ["masks/train/face/pic_00003.png", "test/metadata.parquet", "train/face/pic_00003.png"],
        "coco": ["annotations/test.json", "train/no_face/no_face_00003.png"],
        "parquet": ["data/train-00001-of-00003.parquet"],
        "webdataset": ["test-000000.tar", "train-000002.tar"],
        "psychopy": ["train/face/pic_00003.png", "trials_test_a.csv"],
        "jspsych": ["train/face/pic_00003.png", "trials_train_b.json"],
    }[form]
    for name in ("README.md", "examples.png", *gone):
        (folder / name).unlink()
    (folder / "notes").mkdir()
    (folder / "notes" / "mine.txt").write_text("x")
    names = sorted(("README.md", "examples.png", *gone))
    expected = [("missing", name) for name in names] + [("extra", "notes/mine.txt")]
    assert found(folder, blocks, 1) == expected


@pytest.mark.parametrize("form", ["imagefolder", "coco"])
def test_damaged_images(form, copy, blocks):
    folder = copy(form)
    start = "face" if form == "coco" else "pic"
    names = [f"train/face/{start}_{number:05d}.png" for number in range(6)]
    edit_file(folder / names[0], lambda content: edit_png(content, spoil))
    edit_file(folder / names[1], lambda content: content[:-20])
    edit_file(folder / names[2], lambda content: b"")
    edit_file(folder / names[3], lambda content: edit_png(content, leave))
    (folder / names[4]).write_bytes((folder / names[5]).read_bytes())
    edit_file(folder / "masks" / names[0], lambda content: edit_png(content, spoil))
    done = verify(folder, sample=None, source=blocks)
    assert sorted((fault.kind, fault.where) for fault in done.faults) == [
        ("damaged", f"masks/{names[0]}"),
        ("damaged", names[0]),
        ("damaged", names[1]),
        ("damaged", names[2]),
        ("damaged", names[4]),
    ]
    assert done.repacked == 1
    assert 0 < len(found(folder, blocks, 50)) <= 5


def test_damaged_metadata(copy, blocks):
    folder = copy("imagefolder")
    edit_parquet(folder / "train" / "metadata.parquet", lambda rows: rows[7].update(label=1 - rows[7]["label"]))
    edit_parquet(folder / "test" / "metadata.parquet", lambda rows: rows.append(rows[0]))
    edit_file(folder / "valid" / "metadata.parquet", lambda content: content[: len(content) // 2])
    assert found(folder, blocks, 1) == [
        ("damaged", "train/metadata.parquet"),
        ("damaged", "valid/metadata.parquet"),
        ("damaged", "test/metadata.parquet"),
    ]


def test_damaged_annotations(copy, blocks):
    folder = copy("coco")
    edit_file(
        folder / "annotations/train.json", lambda text: text.replace(b'"category_id": 3', b'"category_id": 4', 1)
    )
    edit_file(folder / "annotations/valid.json", lambda text: text[:-40])
    edit_file(folder / "annotations/test.json", lambda text: text.replace(b'\n{"id": ', b'\n{"id": 9', 1))
    extra, train, valid, test = found(folder, blocks)
    assert extra[0] == "extra"
    assert extra[1].startswith("annotations/test.json line ")
    assert train[1].startswith("annotations/train.json image ")
    assert valid == ("damaged", "annotations/valid.json")
    assert test[1].startswith("annotations/test.json image ")
    edit_file(folder / "annotations/valid.json", lambda text: b"")
    edit_file(folder / "annotations/test.json", lambda text: text.replace(b'"name": "nose"', b'"name": "chin"'))
    edit_file(folder / "annotations/train.json", lambda text: text.replace(b'"area": ', b'"area": x'))
    assert found(folder, blocks, 1) == [
        ("extra", extra[1]),
        *(("damaged", f"annotations/{subset}.json") for subset in ("train", "valid", "test")),
    ]


def test_damaged_archives(copy, blocks):
    folder = copy("webdataset")

    def change(contents):
        contents["face_00000.png"] = edit_png(contents["face_00000.png"], spoil)
        contents["face_00001.mask.png"] = edit_png(contents["face_00001.mask.png"], spoil)
        contents["face_00002.png"] = edit_png(contents["face_00002.png"], leave)
        contents["face_00003.cls"] = b"0"
        contents["face_00004.json"] = contents["face_00003.json"]
        del contents["face_00005.png"]
        contents["stray.png"] = contents["face_00006.png"]

    edit_tar(folder / "train-000000.tar", change)
    edit_file(folder / "train-000001.tar", lambda content: content[: len(content) // 2])
    edit_file(folder / "train-000002.tar", lambda content: content[: len(content) // 512 * 512 - 10240])
    edit_file(folder / "valid-000000.tar", lambda content: b"not a tar file")
    edit_file(folder / "test-000000.tar", lambda content: b"")
    done = verify(folder, sample=None, source=blocks)
    faults = [(fault.kind, fault.where) for fault in done.faults]
    assert [fault for fault in faults if "000000.tar: " in fault[1] and "train" in fault[1]] == [
        ("missing", "train-000000.tar: face_00005.png"),
        ("extra", "train-000000.tar: stray.png"),
        ("damaged", "train-000000.tar: face_00000.png"),
        ("damaged", "train-000000.tar: face_00001.mask.png"),
        ("damaged", "train-000000.tar: face_00003.cls"),
        ("damaged", "train-000000.tar: face_00004.json"),
    ]
    assert done.repacked == 1
    for name in ("train-000001.tar", "train-000002.tar", "valid-000000.tar", "test-000000.tar"):
        assert ("damaged", name) in faults


def test_damaged_tables_of_images(copy, blocks):
    folder = copy("parquet")

    def change(rows):
        rows[3]["image"]["bytes"] = edit_png(rows[3]["image"]["bytes"], spoil)
        rows[4]["mask"]["bytes"] = edit_png(rows[4]["mask"]["bytes"], spoil)
        rows[5]["image"]["bytes"] = edit_png(rows[5]["image"]["bytes"], leave)
        rows[6]["label"] = 1 - rows[6]["label"]
        rows[7]["image"] = None

    first, second, third = (f"data/train-{number:05d}-of-00003.parquet" for number in range(3))
    edit_parquet(folder / first, change)
    edit_parquet(folder / second, lambda rows: rows.pop())
    edit_file(folder / third, lambda content: content[:-100])
    done = verify(folder, sample=None, source=blocks)
    assert done.repacked == 1
    assert [(fault.kind, fault.where) for fault in done.faults] == [
        ("missing", f"{first} row 7, image"),
        ("damaged", f"{first} row 3, image"),
        ("damaged", f"{first} row 4, mask"),
        ("damaged", f"{first} row 6"),
        ("damaged", f"{first} row 7"),
        ("damaged", second),
        ("damaged", third),
    ]


def test_a_changed_table_is_noticed(copy, blocks):
    folder = copy("imagefolder")
    table = StimulusTable.load(folder / "stimuli.parquet")
    table.frame.loc[0, "nose_row"] = (table.frame.loc[0, "nose_row"] + 1) % 10
    table.save(folder / "stimuli.parquet")
    assert ("damaged", table.frame.loc[0, "file"]) in found(folder, blocks)
    described = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**described, "seed": 5}))
    assert ("damaged", "dataset.json") in found(folder, blocks)
    edit_file(folder / "stimuli.parquet", lambda content: content[:-50])
    assert found(folder, blocks) == [("damaged", "stimuli.parquet")]
    (folder / "stimuli.parquet").unlink()
    assert found(folder, blocks) == [("missing", "stimuli.parquet")]


def test_mistakes(copy, blocks, painted, tmp_path):
    folder = copy("imagefolder")
    with pytest.raises(
        ConfiguralError, match=f"synthetic:8.*{painted.fingerprint[:12]}.*{blocks.fingerprint[:12]}"
    ):
        verify(folder, sample=5, source=painted)
    with pytest.raises(ConfiguralError, match="source 'blocks' is not registered here"):
        verify(folder)
    with pytest.raises(ConfiguralError, match="no such folder"):
        verify(tmp_path / "none")
    with pytest.raises(ConfiguralError, match=r"has no dataset\.json"):
        verify(tmp_path)
    with pytest.raises(ConfiguralError, match="sample 0"):
        verify(folder, sample=0, source=blocks)
    for text in ("{", "[]", '{"format": "imagefolder"}'):
        (folder / "dataset.json").write_text(text)
        with pytest.raises(ConfiguralError, match=r"dataset\.json: damaged"):
            verify(folder, sample=5, source=blocks)


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def configural(*arguments: str):
        return CliRunner().invoke(app, arguments)

    sizes = "--source synthetic:2 --count 42 --size 16 --format webdataset --out set"
    assert configural("generate", *sizes.split()).exit_code == 0
    done = configural("verify", "set")
    assert (done.exit_code, done.stdout) == (0, "set: 42 of 42 images drawn again, nothing is wrong\n")
    done = configural("verify", "set", "--sample", "5", "--source", "synthetic:2")
    assert (done.exit_code, done.stdout) == (0, "set: 5 of 42 images drawn again, nothing is wrong\n")
    (tmp_path / "set" / "valid-000000.tar").unlink()
    done = configural("verify", "set")
    assert (done.exit_code, done.stdout) == (
        1,
        "missing: valid-000000.tar\nset: 42 of 42 images drawn again, 1 fault\n",
    )
    for arguments in (
        ("set", "--sample", "few"),
        ("set", "--sample", "0"),
        ("none",),
        ("set", "--source", "synthetic:3"),
    ):
        done = configural("verify", *arguments)
        assert isinstance(done.exception, ConfiguralError)
    assert load("synthetic:2").fingerprint in (tmp_path / "set" / "README.md").read_text()
    done = configural("generate", "--format", "tfrecord", "--out", "other")
    assert isinstance(done.exception, ConfiguralError)
    assert not (tmp_path / "other").exists()
