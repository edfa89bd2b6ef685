"""Contact sheets and tables: what they show is what the library holds."""

import csv
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import configural
from conftest import block_exemplar

from configural import api
from configural.cli.tables import print_library
from configural.errors import ConfiguralError
from configural.objects import FACE
from configural.portraits import Library
from configural.portraits.inspecting import sheet


def decoded(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)


def test_a_sheet_shows_portrait_parts_and_canvas():
    # As high as the sheet's images, so that pixels are kept.
    exemplar = block_exemplar("b$lock", rows=200, cols=160)
    page = decoded(sheet([exemplar, exemplar]))
    left = [14, 14 + 3 * 160 + 28]
    for start in left:
        shown = page[38 : 38 + 200, start : start + 480]
        np.testing.assert_array_equal(shown[:, :160], exemplar.portrait)
        np.testing.assert_array_equal(shown[:, 320:], exemplar.canvas)
        over = shown[:, 160:320]
        grey = over.max(axis=2) - over.min(axis=2) <= 1
        np.testing.assert_array_equal(~grey, exemplar.segmentation > 0)
        colours = {tuple(over[exemplar.segmentation == kind].mean(axis=0).round(-1)) for kind in range(1, 5)}
        assert len(colours) == 4
    assert (page[14:36, 14:200] < 128).any()  # the name
    assert (page[-30:, 14:400] < 128).any()  # the legend


def test_exemplars_of_different_shapes_share_a_page():
    exemplars = [block_exemplar(f"h/{n}", rows=124 + 9 * n, cols=96 - 3 * n) for n in range(12)]
    one, all_exemplars = decoded(sheet(exemplars[:1])), decoded(sheet(exemplars))
    assert all_exemplars.shape[0] == one.shape[0] + 3 * (200 + 24 + 14)
    assert all_exemplars.shape[1] > 2 * one.shape[1]


def test_portraits_wider_than_high_take_no_more_room_than_those_higher_than_wide():
    wide = block_exemplar("wide", rows=120, cols=200)
    page = decoded(sheet([wide, block_exemplar("narrow", rows=100, cols=100)]))
    np.testing.assert_array_equal(page[38 : 38 + 120, 14 : 14 + 200], wide.portrait)
    assert page.shape[1] == 14 + 2 * (3 * 200 + 28) - 14
    assert page.shape[0] == 14 + 24 + 200 + 14 + 34


def test_tables_hold_every_exemplar_and_every_skipped_portrait(tmp_path):
    exemplars = [block_exemplar(f"exemplar, {n}", shade=60 + 9 * n, person=f"p{n // 2}") for n in range(14)]
    library = Library("some", exemplars, (("bad", 'no nose, "none"'), ("worse", "cut off")))
    shown, sheets = api.inspect(library, tmp_path / "out", count=13)
    assert shown is library
    assert [path.name for path in sheets] == ["sheet_001.png", "sheet_002.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "parts.csv", "sheet_001.png", "sheet_002.png", "skipped.csv",
    ]  # fmt: skip
    with open(tmp_path / "out" / "parts.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [exemplar.name for exemplar in exemplars]
    for row, exemplar in zip(rows, exemplars, strict=True):
        assert row["person"] == exemplar.person
        assert (int(row["rows"]), int(row["cols"])) == exemplar.portrait.shape[:2]
        for number, kind in enumerate(FACE.part_kinds, start=1):
            where = np.argwhere(exemplar.segmentation == number)
            top, left = where.min(axis=0)
            high, wide = where.max(axis=0) - (top, left) + 1
            measured = [int(row[f"{kind}_{what}"]) for what in ("row", "col", "rows", "cols")]
            assert measured == [top, left, high, wide]
    with open(tmp_path / "out" / "skipped.csv", newline="") as file:
        assert list(csv.reader(file)) == [["portrait", "reason"], *map(list, library.skipped)]


def test_a_used_folder_and_no_exemplars_are_refused(tmp_path, blocks):
    (tmp_path / "note.txt").touch()
    with pytest.raises(ConfiguralError, match="not empty"):
        api.inspect(blocks, tmp_path)
    with pytest.raises(ConfiguralError, match="count 0"):
        api.inspect(blocks, tmp_path / "new", count=0)


def test_only_faces_are_persons(blocks, vans, capsys):
    for library, word in ((blocks, "persons"), (vans, "distinct objects")):
        print_library(library, [Path("sheet_001.png")])
        counts = dict(re.findall(r"(exemplars|persons|distinct objects)\W+(\d+)", capsys.readouterr().out))
        assert counts == {"exemplars": str(len(library)), word: str(len(set(library.persons)))}


def test_the_command_prints_a_summary(tmp_path):
    for number in range(1, 5):
        exemplar = block_exemplar(str(number), shade=60 + 9 * number)
        label = np.array([[255, 255, 0], [0, 0, 255], [0, 0, 255], [0, 255, 255], [0, 255, 0]], np.uint8)
        for name, image in (("RGB", exemplar.portrait), ("Labels", label[exemplar.segmentation])):
            path = tmp_path / "in" / f"Train_{name}" / f"{number}.bmp"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image[..., ::-1])
    (tmp_path / "in" / "Train_Labels" / "3.bmp").unlink()
    done = configural("inspect", f"fasseg:{tmp_path / 'in'}", "--out", tmp_path / "out", COLUMNS="120")
    assert done.returncode == 0, done.stderr
    assert "skipped Train/3: its label Train_Labels/3.bmp is missing" in done.stdout
    assert done.stdout.splitlines()[-1] == f"sheets: {tmp_path / 'out' / 'sheet_001.png'}"
    for row in (("exemplars", "3"), ("skipped", "1"), ("licence", "FASSEG")):
        assert any(all(word in line for word in row) for line in done.stdout.splitlines())
    assert "warning" not in done.stderr
