"""Datasets read back: every format that is written, other people's folders, formats from outside."""

import importlib
import io
import itertools
import json
import shutil
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

import configural as cf
from configural.api import generate
from configural.cli import app
from configural.errors import ConfiguralError
from configural.export import FORMATS, read, verify, write
from configural.objects import ObjectScheme
from configural.objects.scheme import LengthUnit
from configural.portraits import Library
from configural.stimuli import Renderer, dataset, sample

SIZE = 24
NUMBERS = itertools.count()

MINE = '''
"""A format of one array file per subset, as somebody else would write it."""

from collections.abc import Iterator

import numpy as np

from configural.export import Format, StoredImage
from configural.io import files


def draw(entry):
    return entry.pixels()


class Arrays(Format):
    data_files = "{}.npz"

    def paths(self, plan):
        return (f"{name}.npz" for name in plan.subsets)

    def write(self, plan, folder, *, update, each):
        for name in plan.subsets:
            entries = list(plan.entries(plan.of_subset(name)))
            pixels = list(each(draw, entries))
            columns = {key: [entry.columns[key] for entry in entries] for key in ("index", "label")}
            columns["name"] = [entry.columns["file"] for entry in entries]
            with files.whole_file(folder / f"{name}.npz") as out:
                np.savez(out, pixels=pixels, **columns)
            update(len(entries))

    def read(self, folder, subset, *, class_names):
        with np.load(folder / f"{subset}.npz", allow_pickle=False) as stored:
            rows = zip(stored["name"], stored["index"], stored["label"], stored["pixels"], strict=True)
            for file, index, label, pixels in rows:
                yield StoredImage(str(file), int(index), int(label), pixels)
'''


BUILT_IN = ("imagefolder", "coco", "parquet", "webdataset", "psychopy", "jspsych")


@pytest.fixture(scope="module")
def houses(blocks) -> Library:
    """The same blocks as another object: other names, and three parts."""
    names = {"left_eye": "window", "right_eye": "door", "nose": "sign"}
    scheme = ObjectScheme(
        name="house",
        class_names=("no_house", "house"),
        part_kinds=tuple(names.values()),
        interchangeable=(("window", "door"),),
        unit=LengthUnit(name="width", between=("window", "door")),
    )
    exemplars = [
        replace(exemplar, parts=tuple(replace(part, kind=names[part.kind]) for part in exemplar.parts[:3]))
        for exemplar in blocks.exemplars
    ]
    return Library("houses", exemplars, scheme=scheme)


@pytest.fixture(scope="module")
def table(blocks):
    return sample(blocks, condition="baseline", count=60, seed=4)


@pytest.fixture(scope="module")
def written(blocks, table, tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("sets")
    for form in FORMATS:
        write(table, root / form, library=blocks, size=SIZE, masks=True, format=form, shard_size=20)
    return {form: root / form for form in FORMATS}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module that nobody has imported yet, in the current folder."""
    module = f"elsewhere_{next(NUMBERS)}"
    (tmp_path / f"{module}.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return f"{module}:Arrays"


@pytest.mark.parametrize("form", BUILT_IN)
@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_every_format_is_read_back(form, split, blocks, table, written):
    images, subset = read(written[form], size=SIZE, split=split), table.subset(split)
    assert images.rows.to_dict("list") == subset.frame[["index", "file", "label"]].to_dict("list")
    assert images.class_names == ("no_face", "face")
    drawn = dataset(blocks, subset, size=SIZE)
    every = list(range(len(subset)))
    assert torch.equal(images.fetch(every), drawn.fetch(every))
    assert torch.equal(images.labels, drawn.labels)


def test_somebodys_folder_of_class_folders(tmp_path, written):
    """With other names of classes and files, and without any description."""
    for label, name in enumerate(("cats", "dogs")):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in (3, 12):
            pixels = np.full((8, 8, 3), 100 * label + number, np.uint8)
            assert cv2.imwrite(str(tmp_path / "pets" / name / f"pet{number}.png"), pixels)
    images = read(tmp_path / "pets", size=8, class_names=("cats", "dogs"))
    assert images.rows.to_dict("list") == {
        "index": [12, 3, 12, 3],
        "file": ["cats/pet12.png", "cats/pet3.png", "dogs/pet12.png", "dogs/pet3.png"],
        "label": [0, 0, 1, 1],
    }
    assert images.fetch([0, 1, 2, 3])[:, 0, 0, 0].tolist() == [12, 3, 112, 103]
    with pytest.raises(ConfiguralError, match="expected the folders no_face and face"):
        read(tmp_path / "pets", size=8)
    shutil.copytree(written["imagefolder"], tmp_path / "bare")
    (tmp_path / "bare" / "dataset.json").unlink()
    (tmp_path / "bare" / "stimuli.parquet").unlink()
    assert read(tmp_path / "bare", size=SIZE).rows.equals(read(written["imagefolder"], size=SIZE).rows)


@pytest.mark.parametrize("form", BUILT_IN)
def test_any_object(form, houses, tmp_path):
    """Classes, part kinds and label images are those of the object scheme, and nothing speaks of faces."""
    table = sample(houses, condition="baseline", count=60, seed=4)
    write(table, tmp_path / "set", library=houses, size=SIZE, masks=True, format=form)
    images = read(tmp_path / "set", size=SIZE)
    assert images.class_names == ("no_house", "house")
    assert torch.equal(images.fetch([0]), dataset(houses, table.subset("test"), size=SIZE).fetch([0]))
    assert verify(tmp_path / "set", sample=None, source=houses).faults == ()
    described = json.loads((tmp_path / "set" / "dataset.json").read_text())
    assert described["masks"]["values"] == {"0": "none", "1": "window", "2": "door", "3": "sign"}
    card = (tmp_path / "set" / "README.md").read_text()
    assert "A *house* has every part\n(window, door, sign)" in card
    if form == "coco":
        said = json.loads((tmp_path / "set" / "annotations" / "test.json").read_text())
        assert [each["name"] for each in said["categories"]] == ["window", "door", "sign"]
        assert {part["slot"] for part in said["annotations"]} == {"window", "door", "sign"}
    if form == "imagefolder":
        renderer = Renderer(houses, size=SIZE)
        file, stimulus = table.frame["file"][0], table[0]
        mask = cv2.imread(str(tmp_path / "set" / "masks" / file), cv2.IMREAD_UNCHANGED)
        for content, shown in zip(stimulus.contents, renderer.draw_masks(stimulus), strict=True):
            assert np.array_equal(mask == 1 + houses.scheme.index(content.kind), shown)


NESTED = ["a_1.png", "b_1.png", "c.png", "x.png", "sub/7.png", "sub-1/3.PNG", "sub/deep/a.bmp", "10.jpeg", "9.png",
          "B.png", ".h.png", ".kept/1.png"]  # fmt: skip


def class_folders(root: Path, names: list[str]) -> None:
    for position, path in enumerate(root / each / name for each in ("no_face", "face") for name in names):
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), np.full((8, 8, 3), position, np.uint8))
        (path.parent / "Thumbs.db").write_bytes(b"no image")


def test_order_and_number_are_those_of_keras(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras.src.legacy.preprocessing.image")
    index_directory = importlib.import_module("keras.src.utils.dataset_utils").index_directory
    class_folders(tmp_path, NESTED)
    classes, suffixes = ["no_face", "face"], (".bmp", ".gif", ".jpeg", ".jpg", ".png")
    listed = keras.ImageDataGenerator().flow_from_directory(str(tmp_path), classes=classes, shuffle=False)
    newer, labels, _ = index_directory(str(tmp_path), "inferred", suffixes, class_names=classes, shuffle=False)
    (tmp_path / "face" / "._a.png").write_bytes(b"what macOS leaves beside files, which Keras fails to open")
    images = read(tmp_path, size=8)
    assert list(images.rows["file"]) == listed.filenames
    assert [str(tmp_path / file) for file in images.rows["file"]] == list(newer)
    assert list(images.rows["label"]) == listed.classes.tolist() == list(labels)
    assert list(images.rows["index"]) == 2 * list(range(len(NESTED)))  # for several names end in 1
    shown = [cv2.imread(str(tmp_path / file))[0, 0, 0] for file in listed.filenames]
    assert np.abs(images.fetch(list(range(len(images))))[:, 0, 0, 0].numpy() - np.array(shown, int)).max() == 0


@pytest.mark.parametrize(
    ("names", "indices"),
    [
        (["p3.png", "sub/p12.png"], [3, 12]),
        (["1/0.png", "2/0.png"], [0, 1]),
        (["a.png", "b7.png"], [0, 1]),
        (["a_01.png", "a_1.png"], [0, 1]),
    ],
)
def test_indices_distinguish_all_images_of_a_class(tmp_path, names, indices):
    class_folders(tmp_path, names)
    rows = read(tmp_path, size=8).rows
    assert list(rows["index"]) == 2 * indices
    assert list(rows["file"]) == [f"{each}/{name}" for each in ("no_face", "face") for name in names]


def test_what_readers_count_differently_is_refused(tmp_path):
    class_folders(tmp_path / "set", ["1.png"])
    class_folders(tmp_path / "other", ["2.png"])
    (tmp_path / "set" / "face" / "more").symlink_to(tmp_path / "other" / "face")
    with pytest.raises(ConfiguralError, match=r"face/more: a link to a folder; copy the images"):
        read(tmp_path / "set", size=8)
    (tmp_path / "set" / "face" / "more").unlink()
    (tmp_path / "set" / "face" / "2.png").symlink_to(tmp_path / "other" / "face" / "2.png")
    assert list(read(tmp_path / "set", size=8).rows["index"]) == [1, 1, 2]
    (tmp_path / "set" / "face" / "1.jpg").write_bytes((tmp_path / "set" / "face" / "1.png").read_bytes())
    with pytest.raises(ConfiguralError, match="two images of one name"):
        read(tmp_path / "set", size=8)


def test_mistakes(written, tmp_path):
    with pytest.raises(ConfiguralError, match="no such folder"):
        read(tmp_path / "none", size=SIZE)
    with pytest.raises(ConfiguralError, match="24×24 pixels instead of 32×32"):
        read(written["parquet"], size=32)
    with pytest.raises(ConfiguralError, match="holds no night images; choose one of train, valid, test"):
        read(written["parquet"], size=SIZE, split="night")
    for form, lost in (("imagefolder", "test/face/pic_00025.png"), ("webdataset", "test-000000.tar")):
        folder = tmp_path / form
        shutil.copytree(written[form], folder)
        (folder / lost).unlink()
        with pytest.raises(ConfiguralError, match="test images instead of 8"):
            read(folder, size=SIZE)


def spoiled(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-400])


def nameless(path: Path) -> None:
    pq.write_table(pa.table({"image": [b"x"]}), path)


def without_images(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("face_00025.json")
        content = b'{"file": "a", "index": 1, "label": 1}'
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))


def outside(path: Path) -> None:
    path.write_text(json.dumps({"images": [{"file_name": "../secret.png", "index": 1, "label": 1}]}))


@pytest.mark.parametrize(
    ("form", "file", "damage"),
    [
        ("coco", "annotations/test.json", spoiled),
        ("coco", "annotations/test.json", outside),
        ("parquet", "data/test-00000-of-00001.parquet", spoiled),
        ("parquet", "data/test-00000-of-00001.parquet", nameless),
        ("webdataset", "test-000000.tar", without_images),
        ("imagefolder", "test/face/pic_00025.png", lambda path: path.write_bytes(b"no image")),
        ("imagefolder", "dataset.json", spoiled),
    ],
)
def test_damage_names_the_file(form, file, damage, written, tmp_path):
    shutil.copytree(written[form], tmp_path / "set")
    damage(tmp_path / "set" / file)
    with pytest.raises(ConfiguralError, match=file.rpartition("/")[2]) as caught:
        read(tmp_path / "set", size=SIZE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_format_from_outside(workers, mine, blocks, table, tmp_path):
    """Written, read and verified like a built-in one, by `module:name`; its faults are found by what it reads."""
    write(table, "set", library=blocks, size=SIZE, format=mine, workers=workers)
    images = read("set", size=SIZE, format=mine)
    drawn = dataset(blocks, table.subset("test"), size=SIZE)
    assert torch.equal(images.fetch(list(range(8))), drawn.fetch(list(range(8))))
    done = verify("set", sample=None, source=blocks, format=mine)
    assert (done.sound, done.sampled) == (True, 60)
    with np.load("set/test.npz") as stored:
        arrays = dict(stored)
    arrays["pixels"][2, 5, 7] += 1
    arrays["label"][3] ^= 1
    file, other = str(arrays["name"][2]), str(arrays["name"][3])
    arrays["name"][4] = "somewhere/else.png"
    np.savez("set/test.npz", **arrays)
    Path("set/valid.npz").unlink()
    faults = [(fault.kind, fault.where) for fault in verify("set", sample=None, source=blocks, format=mine).faults]
    assert sorted(faults) == sorted(
        [
            ("changed", "test.npz"),
            ("missing", "valid.npz"),
            ("damaged", "valid"),
            ("damaged", file),
            ("damaged", other),
            ("missing", str(images.rows["file"][sorted(range(8), key=order(images))[4]])),
        ]
    )


def order(images):
    """Positions in a dataset by index, the two classes taking turns, as shards hold them."""
    return lambda position: (images.rows["index"][position], images.rows["label"][position])


def test_a_registered_format_is_known_by_its_name(mine, blocks, table, monkeypatch):
    module = importlib.import_module(mine.partition(":")[0])
    monkeypatch.setitem(FORMATS, "arrays", module.Arrays())
    write(table, "set", library=blocks, size=SIZE, format="arrays")
    assert verify("set", source=blocks).sound
    assert len(read("set", size=SIZE)) == 8


def test_a_file_imports_nothing(mine, blocks, table):
    """The name of a format in dataset.json only chooses among those that somebody has registered."""
    write(table, "set", library=blocks, size=SIZE, format=mine)
    module = mine.partition(":")[0]
    sys.modules.pop(module)
    Path(f"{module}.py").write_text("raise AssertionError('imported because a file said so')")
    for use in (lambda: read("set", size=SIZE), lambda: verify("set", source=blocks)):
        with pytest.raises(ConfiguralError, match=f"'{mine}' is not registered here"):
            use()
    assert module not in sys.modules


def test_what_is_no_format_is_refused(mine, blocks, table, tmp_path):
    with pytest.raises(ConfiguralError, match=r"draw': expected a configural\.export\.Format"):
        write(table, "set", library=blocks, format=mine.replace("Arrays", "draw"))
    with pytest.raises(ConfiguralError, match=f"masks: the format {mine} writes no label images"):
        write(table, "set", library=blocks, format=mine, masks=True)
    with pytest.raises(ConfiguralError, match="unknown format 'tfrecord'"):
        generate(blocks, out="set", format="tfrecord")
    assert not list(tmp_path.glob("set*"))


def test_on_the_command_line(mine):
    def configural(*arguments: str):
        return CliRunner().invoke(app, arguments)

    made = configural("generate", *f"--source synthetic:2 --count 42 --size 16 --format {mine} --out set".split())
    assert made.exit_code == 0, made.output
    done = configural("verify", "set", "--format", mine)
    assert (done.exit_code, done.stdout.split(": ")[1][:8]) == (0, "42 of 42")
    assert isinstance(configural("verify", "set").exception, ConfiguralError)


@pytest.mark.parametrize("form", ["coco", "parquet", "webdataset"])
def test_evaluate_gives_the_same_for_every_format(form, written, tmp_path):
    torch.manual_seed(0)
    network = cf.models.create("fcn-14", image_size=SIZE)
    for name in ("imagefolder", form):
        images = read(written[name], size=SIZE)
        with cf.progress.hidden():
            predictions = cf.evaluation.predict(network, images, device="cpu")
        predictions.frame.to_csv(tmp_path / f"{name}.csv")
    assert (tmp_path / f"{form}.csv").read_bytes() == (tmp_path / "imagefolder.csv").read_bytes()
