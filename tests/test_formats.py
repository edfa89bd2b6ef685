"""Datasets in every format, read back by the libraries that they are made for."""

import gc
import json
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from command_line import files_up_to
from hypothesis import given, settings, strategies
from hypothesis.extra import numpy as arrays
from typer.testing import CliRunner

from configural.api import generate
from configural.cli import app
from configural.errors import ConfiguralError
from configural.export import FORMATS, Plan, label_image, verify, write
from configural.export.card import data_card
from configural.export.formats.coco import run_lengths
from configural.export.plan import _AHEAD
from configural.io.images import encode_png
from configural.objects import FACE
from configural.portraits import Library, load
from configural.stimuli import Renderer, StimulusTable, sample

SIZE = 24
ON_THE_CARD = 8
"""Images that are drawn once more, for examples.png."""

OKABE_ITO = {(0, 114, 178), (86, 180, 233), (230, 159, 0), (204, 121, 167)}

# From inside the libraries that read the data back.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:pycocotools")

# It never closes its shards. A test with this mark collects them before it ends, where the mark still counts.
webdataset_leaves_files_open = pytest.mark.filterwarnings(r"ignore:unclosed file.*\.tar:ResourceWarning")


@pytest.fixture(scope="module")
def load_dataset(tmp_path_factory):
    """`datasets.load_dataset` without a network and with all its files in a temporary folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))
        import datasets
    datasets.disable_progress_bars()
    return datasets.load_dataset


@pytest.fixture(scope="module")
def table(blocks) -> StimulusTable:
    """Sixty stimuli with one more column than the library knows."""
    drawn = sample(blocks, condition="baseline", count=60, seed=4)
    return replace(drawn, frame=drawn.frame.assign(pair=drawn.frame["index"] + 1000))


@pytest.fixture(scope="module")
def truth(blocks, table) -> dict[str, tuple[np.ndarray, np.ndarray, dict]]:
    """By file: image, label image and row of the table."""
    renderer = Renderer(blocks, size=SIZE)
    rows = table.frame.to_dict("records")
    return {
        row["file"]: (renderer.draw(stimulus), label_image(renderer, stimulus), row)
        for stimulus, row in zip(table, rows, strict=True)
    }


@pytest.fixture(scope="module")
def written(blocks, table, tmp_path_factory) -> dict[tuple[str, bool], Path]:
    """A dataset of every format, without and with masks; the places are named to lead split finders astray."""
    root = tmp_path_factory.mktemp("train") / "test"
    places = {(form, masks): root / f"{form}-{masks}" for form in FORMATS for masks in (False, True)}
    for (form, masks), place in places.items():
        write(table, place, library=blocks, size=SIZE, masks=masks, format=form, shard_size=20)
    return places


def assert_whole(images, truth, masked: bool, mask_of) -> None:
    """All splits hold their images, each with its label and columns."""
    assert {name: len(split) for name, split in images.items()} == {"train": 50, "validation": 2, "test": 8}
    seen = []
    for split in images.values():
        for item in split:
            image, mask, row = truth[item["file"]]
            assert np.array_equal(np.asarray(item["image"]), image)
            assert {name: item[name] for name in row} == row
            if masked:
                assert np.array_equal(np.asarray(mask_of(item)), mask)
            else:
                assert "mask" not in item
            seen.append(item["file"])
    assert sorted(seen) == sorted(truth)


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("form", ["imagefolder", "coco"])
def test_datasets_reads_an_imagefolder(form, masks, written, truth, load_dataset):
    folder = written[form, masks]

    def mask_of(item):
        return cv2.imread(str(folder / item["mask"]), cv2.IMREAD_UNCHANGED)

    assert_whole(load_dataset("imagefolder", data_dir=str(folder)), truth, masks, mask_of)
    assert_whole(load_dataset(str(folder)), truth, masks, mask_of)  # by the data card


@pytest.mark.parametrize("masks", [False, True])
def test_datasets_reads_parquet(masks, written, truth, load_dataset):
    images = load_dataset(str(written["parquet", masks]))
    assert_whole(images, truth, masks, lambda item: item["mask"])
    assert images["test"].features["label"].names == ["no_face", "face"]


@pytest.mark.parametrize("masks", [False, True])
def test_datasets_reads_webdataset(masks, written, truth, load_dataset):
    images = load_dataset(str(written["webdataset", masks]))
    flat = {
        name: [{"image": item["png"], **item["json"], "cls": item["cls"]} | (
            {"mask": item["mask.png"]} if masks else {}) for item in split]
        for name, split in images.items()
    }  # fmt: skip
    assert_whole(flat, truth, masks, lambda item: item["mask"])
    assert all(item["cls"] == item["label"] for split in flat.values() for item in split)


@pytest.mark.parametrize("form", FORMATS)
def test_names_that_look_like_times_or_numbers_stay_text(form, blocks, tmp_path, load_dataset):
    """All names of a split may be such, so that a reader has nothing else to go by."""
    names = ["2023-05-01", "2023-05-02T10:00:00", "007"]
    exemplars = [replace(exemplar, name=name) for exemplar, name in zip(blocks.exemplars, names, strict=False)]
    library = Library("named", exemplars)
    drawn = sample(library, condition="baseline", count=40, seed=4)
    write(drawn, tmp_path / "set", library=library, size=16, format=form)
    columns = ["file", "host", *(f"{kind}_donor" for kind in FACE.part_kinds)]
    for name, split in load_dataset(str(tmp_path / "set")).items():
        told = pd.DataFrame(list(split["json"])) if form == "webdataset" else split.to_pandas()
        frame = drawn.subset(name.removesuffix("ation")).frame
        assert sorted(map(tuple, told[columns].to_numpy())) == sorted(map(tuple, frame[columns].to_numpy()))


def test_datasets_without_metadata_takes_masks_for_images(written, load_dataset):
    """As the documentation says."""
    folder = str(written["imagefolder", True])
    found = load_dataset("imagefolder", data_dir=folder, drop_metadata=True)
    assert {name: len(split) for name, split in found.items()} == {"train": 100, "validation": 4, "test": 16}
    found = load_dataset(folder, drop_metadata=True)
    assert {name: len(split) for name, split in found.items()} == {"train": 50, "validation": 2, "test": 8}


def test_pandas_reads_parquet(written, truth):
    frame = pd.read_parquet(written["parquet", True] / "data")
    assert sorted(frame["file"]) == sorted(truth)
    for item in frame.to_dict("records"):
        image, mask, row = truth[item["file"]]
        assert np.array_equal(cv2.imdecode(np.frombuffer(item["image"]["bytes"], np.uint8), 1)[:, :, ::-1], image)
        assert np.array_equal(cv2.imdecode(np.frombuffer(item["mask"]["bytes"], np.uint8), -1), mask)
        assert (item["image"]["path"], item["mask"]["path"]) == (item["file"], f"masks/{item['file']}")
        assert {name: item[name] for name in row} == row
    names = sorted(path.name for path in (written["parquet", True] / "data").iterdir())
    assert names == [
        "test-00000-of-00001.parquet",
        "train-00000-of-00003.parquet",
        "train-00001-of-00003.parquet",
        "train-00002-of-00003.parquet",
        "valid-00000-of-00001.parquet",
    ]


@webdataset_leaves_files_open
def test_webdataset_reads_its_shards(written, truth):
    import webdataset

    folder = written["webdataset", True]
    seen = []
    for subset, shards in (("train", 3), ("valid", 1), ("test", 1)):
        urls = [str(folder / f"{subset}-{number:06d}.tar") for number in range(shards)]
        for item in webdataset.WebDataset(urls, shardshuffle=False).decode("pil"):
            image, mask, row = truth[item["json"]["file"]]
            assert np.array_equal(np.asarray(item["png"].convert("RGB")), image)
            assert np.array_equal(np.asarray(item["mask.png"].convert("L")), mask)
            assert item["json"] == row
            assert (item["cls"], row["subset"]) == (row["label"], subset)
            seen.append(row["file"])
    assert sorted(seen) == sorted(truth)
    gc.collect()


@webdataset_leaves_files_open
def test_as_many_workers_as_there_are_shards_read_each_image_once(written, truth, monkeypatch):
    """Each worker of a DataLoader gets whole shards; webdataset takes its number from here, too."""
    import webdataset

    urls = [str(written["webdataset", False] / f"train-{number:06d}.tar") for number in range(3)]
    monkeypatch.setenv("NUM_WORKERS", "3")
    seen = []
    for worker in range(3):
        monkeypatch.setenv("WORKER", f"{worker}")
        mine = [item["json"]["file"] for item in webdataset.WebDataset(urls, shardshuffle=False).decode("pil")]
        assert mine
        seen += mine
    assert sorted(seen) == sorted(file for file, (*_, row) in truth.items() if row["subset"] == "train")
    gc.collect()


def test_shards_are_plain_tar_files_with_both_classes_mixed(written):
    with tarfile.open(written["webdataset", False] / "train-000001.tar") as archive:
        members = archive.getmembers()
    assert [member.name for member in members[:6]] == [
        f"{name}_00010.{kind}" for name in ("no_face", "face") for kind in ("png", "cls", "json")
    ]
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members} == {(0, 0, 0, "")}
    labels = pq.read_table(written["parquet", False] / "data" / "train-00001-of-00003.parquet")["label"]
    assert labels.to_pylist() == [0, 1] * 10


@pytest.mark.parametrize("masks", [False, True])
def test_pycocotools_reads_the_parts(masks, written, truth, blocks, table):
    from pycocotools.coco import COCO

    renderer = Renderer(blocks, size=SIZE)
    stimuli = dict(zip(table.frame["file"], table, strict=True))
    folder = written["coco", masks]
    assert (folder / "masks").exists() == masks
    identifiers, seen, flat = [], [], []
    for subset in ("train", "valid", "test"):
        coco = COCO(folder / "annotations" / f"{subset}.json")
        assert [(c["id"], c["name"]) for c in coco.loadCats(coco.getCatIds())] == list(
            enumerate(FACE.part_kinds, 1)
        )
        for described in coco.loadImgs(coco.getImgIds()):
            file = described["file"]
            image, _, row = truth[file]
            assert np.array_equal(cv2.imread(str(folder / described["file_name"]))[:, :, ::-1], image)
            flat.append(Path(described["file_name"]).name)
            assert (described["height"], described["width"]) == image.shape[:2]
            assert {name: described[name] for name in row} == row
            parts = {part["slot"]: part for part in coco.loadAnns(coco.getAnnIds(imgIds=described["id"]))}
            stimulus = stimuli[file]
            for slot, content, mask in zip(
                FACE.part_kinds, stimulus.contents, renderer.draw_masks(stimulus), strict=True
            ):
                assert (slot in parts) == mask.any()
                if mask.any():
                    part = parts[slot]
                    assert np.array_equal(coco.annToMask(part), mask)
                    assert coco.loadCats(part["category_id"])[0]["name"] == content.kind
                    assert (part["donor"], part["area"], part["iscrowd"]) == (content.donor, mask.sum(), 0)
                    left, top, width, height = part["bbox"]
                    assert mask[top : top + height, left : left + width].sum() == mask.sum()
                    identifiers.append(part["id"])
            seen.append(file)
    assert sorted(seen) == sorted(truth)
    assert len(set(identifiers)) == len(identifiers) > 200
    assert len(set(flat)) == len(flat) == 60  # as tools need them that put all images into one folder


@settings(max_examples=200)
@given(arrays.arrays(bool, strategies.tuples(strategies.integers(1, 90), strategies.integers(1, 90))))
def test_run_lengths_are_those_of_coco(mask):
    from pycocotools import mask as reference

    assert run_lengths(mask) == reference.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()


def test_long_runs():
    from pycocotools import mask as reference

    for seed in range(20):  # lengths of up to four characters, rising and falling
        rng = np.random.default_rng(seed)
        flat = np.repeat(np.arange(40) % 2 == seed % 2, rng.integers(1, [5, 6000] * 20))
        mask = flat[:, None]
        assert run_lengths(mask) == reference.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()


@pytest.mark.parametrize("form", FORMATS)
def test_same_stimuli_same_bytes_and_a_stopped_writing_goes_on(form, blocks, table, written, tmp_path, monkeypatch):
    """Ctrl-C at the 45th image; then the same again: what was whole is left alone, the rest is the same."""
    draws, real = [], Renderer.draw_with_masks

    def stops(self, stimulus):
        draws.append(stimulus)
        if len(draws) == 45:
            raise KeyboardInterrupt
        return real(self, stimulus)

    monkeypatch.setattr(Renderer, "draw_with_masks", stops)
    out = tmp_path / "set"
    with pytest.raises(KeyboardInterrupt):
        write(table, out, library=blocks, size=SIZE, masks=True, format=form, shard_size=20)
    assert not out.exists()
    partial = tmp_path / "set.partial"
    kept = {
        path.relative_to(partial): path.stat().st_ino for path in partial.rglob("*.*") if path.parent != partial
    } | {path.relative_to(partial): path.stat().st_ino for path in partial.glob("*.tar")}
    assert len(kept) == {"parquet": 2, "webdataset": 2}.get(form, 44 + 44)
    with pytest.raises(ConfiguralError, match="begun with other settings"):
        write(table, out, library=blocks, size=SIZE, masks=True, format=form, shard_size=30)
    write(table, out, library=blocks, size=SIZE, masks=True, format=form, shard_size=20)
    # Shards are written whole, so the images of the broken one are drawn again; and those that were drawn ahead.
    again = len(draws) - (45 + (20 if form in ("parquet", "webdataset") else 16) + ON_THE_CARD)
    assert 0 <= again <= _AHEAD
    assert {path: (out / path).stat().st_ino for path in kept} == kept
    assert contents(out) == contents(written[form, True])


@pytest.mark.parametrize("form", FORMATS)
def test_several_processes_write_the_same_bytes(form, blocks, table, written, tmp_path):
    """All of it, and what is left of it when some is there."""
    seen = []
    plan = Plan(table, Renderer(blocks, size=SIZE), True, 20)
    FORMATS[form].write(plan, tmp_path / "some", update=lambda done: seen.append(done), each=map)
    assert (seen[0], seen[-1]) == (1, len(table))
    assert seen == sorted(seen)
    out = tmp_path / "set"
    write(table, out, library=blocks, size=SIZE, masks=True, format=form, shard_size=20, workers=2)
    assert contents(out) == contents(written[form, True])
    partial = tmp_path / "again.partial"
    shutil.copytree(out, partial)
    broken = next(path for path in sorted(partial.rglob("*.*")) if path.suffix in (".png", ".tar", ".parquet")
                  and path.name != "stimuli.parquet")  # fmt: skip
    broken.unlink()
    write(table, tmp_path / "again", library=blocks, size=SIZE, masks=True, format=form, shard_size=20, workers=2)
    assert contents(tmp_path / "again") == contents(out)


def test_a_mistake_in_another_process_is_told_as_here(blocks, painted, table, tmp_path):
    with pytest.raises(
        ConfiguralError, match=r"the stimuli name the exemplar 'block/\d+', which synthetic:8 does not"
    ):
        write(table, tmp_path / "set", library=painted, size=SIZE, workers=2)
    with pytest.raises(ConfiguralError, match="workers 0: at least one process must draw"):
        write(table, tmp_path / "none", library=blocks, size=SIZE, workers=0)
    assert not (tmp_path / "none.partial").exists()


@pytest.mark.parametrize("form", FORMATS)
def test_image_and_mask_are_drawn_once_and_are_those_drawn_apart(form, blocks, table, written, monkeypatch):
    """Every entry's bytes, without any drawing of the one without the other."""
    apart = Renderer(blocks, size=SIZE)
    expected = [(encode_png(apart.draw(s)), encode_png(label_image(apart, s))) for s in table]
    draws, real = [], Renderer.draw_with_masks
    monkeypatch.setattr(Renderer, "draw_with_masks", lambda self, s: draws.append(s) or real(self, s))
    monkeypatch.delattr(Renderer, "draw")
    if form != "coco":  # its annotations need the masks alone
        monkeypatch.delattr(Renderer, "draw_masks")
    out = written[form, True].with_name(f"{form}-once")
    write(table, out, library=blocks, size=SIZE, masks=True, format=form, shard_size=20)
    assert len(draws) == len(table) + ON_THE_CARD
    entries = Plan(table, Renderer(blocks, size=SIZE), True, 20)
    for entry in entries.entries(entries.shards):
        assert (entry.image(), entry.mask()) == expected[entry.row]
    if form == "imagefolder":
        for file, (image, mask) in zip(table.frame["file"], expected, strict=True):
            assert ((out / file).read_bytes(), (out / "masks" / file).read_bytes()) == (image, mask)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_killed_writing_goes_on(tmp_path):
    """SIGKILL in the middle of a shard: nothing can tidy up, and still the result is the same."""
    script = """
import os, signal, sys
from pathlib import Path
from configural.portraits import load
from configural.export import write
from configural.stimuli import Renderer, sample
faces = load("synthetic:2")
table = sample(faces, count=42)
real, draws = Renderer.draw, []
def draw(self, stimulus):
    draws.append(1)
    if len(draws) == 30:  # 21 to 29 are written, for no more than 8 are drawn ahead
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, stimulus)
Renderer.draw = draw
write(table, sys.argv[1], library=faces, size=16, format="webdataset", shard_size=10)
"""
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path / "set")], capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "set.partial").glob(".*.tmp"))) == 1
    assert len(list((tmp_path / "set.partial").glob("*.tar"))) == 2
    faces = load("synthetic:2")
    for name in ("set", "fresh"):
        write(sample(faces, count=42), tmp_path / name, library=faces, size=16, format="webdataset", shard_size=10)
    assert contents(tmp_path / "set") == contents(tmp_path / "fresh")
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("form", "name"), [("parquet", "train-00000-of-00003.parquet"), ("webdataset", "train-000000.tar")]
)
def test_a_full_disk_names_the_shard(form, name, blocks, table, tmp_path):
    """No file above 25 kB can be written: nothing half-written stays, and room made, the same call ends well."""
    with files_up_to(25_000), pytest.raises(OSError, match=f"File too large.*{name}"):
        write(table, tmp_path / "set", library=blocks, size=96, format=form, shard_size=20)
    assert {path.name for path in tmp_path.rglob("*.*")} == {
        "set.partial", "README.md", "dataset.json", "stimuli.parquet"
    }  # fmt: skip
    write(table, tmp_path / "set", library=blocks, size=96, format=form, shard_size=20)
    assert verify(tmp_path / "set", sample=1, source=blocks).sound


@pytest.mark.parametrize("form", FORMATS)
def test_empty_subsets_are_left_out(form, blocks, tmp_path, load_dataset):
    write(
        sample(blocks, condition="baseline", count=2),
        tmp_path / "set",
        library=blocks,
        size=SIZE,
        masks=True,
        format=form,
    )
    images = load_dataset(str(tmp_path / "set"))
    assert {name: len(split) for name, split in images.items()} == {"train": 2}


def test_unknown_format(blocks, table, tmp_path):
    with pytest.raises(ConfiguralError, match="'tfrecord': choose one of imagefolder, coco, parquet"):
        write(table, tmp_path / "set", library=blocks, size=SIZE, format="tfrecord")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", FORMATS)
def test_the_hub_understands_the_card(form, written, blocks):
    from huggingface_hub import DatasetCard

    card = DatasetCard.load(written[form, True] / "README.md")
    fields = card.data.to_dict()
    assert fields["task_categories"] == ["image-classification", "image-segmentation"]
    assert fields["size_categories"] == ["n<1K"]
    assert [entry["split"] for entry in fields["configs"][0]["data_files"]] == ["train", "validation", "test"]
    assert "Picasso" in fields["pretty_name"]
    assert blocks.fingerprint in card.text
    assert "Labels: 0 no_face, 1 face. Masks: 0 none, 1 left_eye" in card.text
    for row in ("| train | `train` | 50 |", "| condition | baseline |", "| seed | 4 |", "| split | paper |"):
        assert row in card.text
    described = json.loads((written[form, True] / "dataset.json").read_text())
    assert json.loads(re.search(r"```json\n(.*?)\n```", card.text, re.S)[1]) == described["condition"]


@pytest.mark.parametrize(
    ("source", "license", "words"),
    [
        ("synthetic:8", "cc0-1.0", "free for any use"),
        ("fasseg:/home/me/FASSEG/V2", "other", "**Do not redistribute these images.**"),
        ("folder:/home/me/portraits", "other", "**Do not redistribute these images** unless"),
    ],
)
def test_the_card_tells_the_licence_and_no_path(source, license, words, written):
    described = json.loads((written["parquet", False] / "dataset.json").read_text())
    text = data_card({**described, "source": source}, FORMATS["parquet"], columns=["index", "pair"])
    header = yaml.safe_load(text.split("---\n")[1])
    assert header["license"] == license
    assert header["task_categories"] == ["image-classification"]
    assert words in text
    assert "/home/me" not in text
    assert "`pair`" in text
    for train, size in ((999_998, "100K<n<1M"), (999_999, "1M<n<10M"), (9_999_999, "10M<n<100M")):
        many = data_card(
            {**described, "images": {"train": train, "valid": 1, "test": 0}}, FORMATS["coco"], columns=[]
        )
        assert yaml.safe_load(many.split("---\n")[1])["size_categories"] == [size]


@pytest.mark.parametrize(
    ("licence", "said"),
    [
        ("free", "\n\nFree. The images may be passed on.\n\n"),
        ("free: drawn by a script.", "\n\nFree: drawn by a script. The images may be passed on.\n\n"),
        ("free for research alone", "\n\nfree for research alone. **Do not redistribute these images** unless"),
        ("the terms of its authors", "\n\nthe terms of its authors. **Do not redistribute these images** unless"),
        ("", "\n\nNothing is known of a licence. **Do not redistribute these images** unless"),
    ],
)
def test_the_card_warns_unless_a_source_states_that_it_is_free(licence, said, written):
    described = json.loads((written["parquet", False] / "dataset.json").read_text())
    text = data_card({**described, "source": "mine"}, FORMATS["parquet"], columns=[], licence=licence)
    assert said in text


@pytest.mark.parametrize(("thing", "people"), [("face", True), ("park_bench", False)])
def test_the_card_speaks_of_people_where_faces_are_shown(thing, people, written):
    described = json.loads((written["parquet", False] / "dataset.json").read_text())
    described |= {"source": "mine", "class_names": ["scrambled", thing]}
    described["object"] |= {"name": thing}
    text = data_card(described, FORMATS["parquet"], columns=[])
    for words in ("nobody looks like them", "used to recognise people", "and the people shown allow it"):
        assert (words in text) == people
    assert ("no park bench looks like them" in text) != people
    assert "\n\n## Use\n" in text
    assert "\n\n\n" not in text


@pytest.mark.parametrize(
    ("usage", "shown"),
    [("Read it.", "\n\n## Use\n\nRead it.\n\n## How"), ("Read it.\n", "Read it.\n\n## How"), ("", "")],
)
def test_the_card_keeps_headings_apart_from_whatever_a_format_says_of_its_use(usage, shown, written, monkeypatch):
    described = json.loads((written["parquet", False] / "dataset.json").read_text())
    monkeypatch.setattr(type(FORMATS["parquet"]), "usage", usage)
    text = data_card(described, FORMATS["parquet"], columns=[])
    assert shown in text
    assert ("## Use" in text) == bool(usage)
    assert "\n\n\n" not in text


@webdataset_leaves_files_open
@pytest.mark.slow
def test_the_documentation_runs(tmp_path, monkeypatch, load_dataset):
    """Every command and every line of Python in docs/datasets.md, in order, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[1] / "docs" / "datasets.md").read_text("utf-8")
    blocks = re.findall(r"```(sh|python)\n(.*?)```", text, re.S)
    assert {language for language, _ in blocks} == {"sh", "python"}
    names: dict[str, object] = {}
    for language, block in blocks:
        if language == "python":
            exec(compile(block, "docs/datasets.md", "exec"), names)
            continue
        for line in block.strip().splitlines():
            command, *arguments = line.partition("#")[0].split()
            assert command == "configural"
            done = CliRunner().invoke(app, arguments)
            assert done.exit_code == 0, (line, done.output, done.exception)
    names.clear()
    gc.collect()


def test_pairs_differ_in_the_arrangement_alone(blocks, tmp_path):
    generate(blocks, "baseline", count=60, size=24, out=tmp_path / "set", pairs=True)
    rows = pd.read_parquet(tmp_path / "set" / "train" / "metadata.parquet")
    face, no_face = (rows[rows["label"] == label].set_index("pair").sort_index() for label in (1, 0))
    assert list(face.index) == list(no_face.index)
    assert face.index.is_unique
    assert (face["host"] == no_face["host"]).all()
    for kind in FACE.part_kinds:
        donors = [
            [row[f"{slot}_donor"] for row in rows for slot in FACE.part_kinds if row[f"{slot}_kind"] == kind]
            for rows in (face.to_dict("records"), no_face.to_dict("records"))
        ]
        assert donors[0] == donors[1]


@pytest.mark.parametrize("format", ["imagefolder", "webdataset"])
def test_one_process_at_a_time_writes_a_dataset(blocks, tmp_path, format):
    """The other one, with these or other settings, changes nothing, and the first ends as if alone."""
    tables = [sample(blocks, condition="baseline", count=60, seed=seed) for seed in (1, 2)]
    out, alone = tmp_path / "set", tmp_path / "alone"
    write(tables[0], alone, library=blocks, size=16, format=format)

    def content(folder):
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    class Meanwhile(type(FORMATS[format])):
        def write(self, plan, folder, *, update, each):
            before = content(tmp_path)
            for table in tables:
                with pytest.raises(ConfiguralError, match="another process is at work on the dataset set"):
                    write(table, out, library=blocks, size=16, format=format)
            assert content(tmp_path) == before
            super().write(plan, folder, update=update, each=each)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FORMATS.data, format, Meanwhile())
        write(tables[0], out, library=blocks, size=16, format=format)
    assert content(out) == content(alone)
    assert {path.name for path in tmp_path.iterdir()} == {"alone", "set"}


@pytest.mark.parametrize("masks", [False, True])
def test_the_card_shows_images_of_both_classes_and_their_masks_in_colour(masks, written, truth):
    """Each tile is the image enlarged, and the colours of the legend give the label image back."""
    folder = written["parquet", masks]
    assert "](examples.png)" in (folder / "README.md").read_text("utf-8")
    sheet = cv2.imread(str(folder / "examples.png"))[..., ::-1]
    firsts = [truth[f"train/{name}/pic_{index:05d}.png"] for name in ("face", "no_face") for index in range(4)]
    tile, gap, line = 144, 8, 22
    height = line + (1 + masks) * (tile + gap)
    swatches = sheet[-line + 8]
    legend = [colour for colour in dict.fromkeys(map(tuple, swatches.tolist())) if colour in OKABE_ITO]
    assert len(legend) == 4 * masks
    for position, (image, labels, _) in enumerate(firsts):
        left, top = gap + position % 4 * (tile + gap), position // 4 * height + line
        tiles = [sheet[top + 3 + n * (tile + gap) :: 6, left + 3 :: 6][:SIZE, :SIZE] for n in range(1 + masks)]
        assert np.array_equal(tiles[0], image)
        if masks:
            for number, colour in enumerate(legend, 1):
                assert np.array_equal((tiles[1] == colour).all(axis=2), labels == number)


@pytest.mark.parametrize("flag", [cv2.IMREAD_UNCHANGED, cv2.IMREAD_GRAYSCALE, cv2.IMREAD_COLOR])
def test_opencv_reads_the_ids_of_label_images(flag, written, truth):
    """Which it does not of images with a palette."""
    for path in (written["imagefolder", True] / "masks").rglob("*.png"):
        read = cv2.imread(str(path), flag)
        ids = truth[path.relative_to(written["imagefolder", True] / "masks").as_posix()][1]
        assert np.array_equal(read if read.ndim == 2 else read[..., 0], ids)
