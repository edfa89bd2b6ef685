"""The page on an object of one's own, carried out as it stands; what comes out is compared with the files alone."""

import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from command_line import configural

import configural as cf

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "own_object.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
SMALLER = {  # what is added to the commands of the page, so that they take seconds
    "python": ["--count", "4"],
    "generate": ["--size", "48", "--count", "42"],
    "run": ["--count", "42", "--epochs", "1", "--image-size", "32"],
    "audit": ["--pairs", "2", "--probe", "forced_choice", "--probe", "displacement"],
}
KINDS = ["left_wheel", "right_wheel", "window", "hatch", "sign"]


def pixels(path: Path) -> np.ndarray:
    """RGB of an image file."""
    return cv2.imread(str(path))[..., ::-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, only_blank_figures):
    """Where all commands of the page have been run, in order."""
    folder = tmp_path_factory.mktemp("own_object")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shutil.copytree(ROOT / "examples", folder / "examples")
        for language, content in BLOCKS:
            if language == "yaml" and content.startswith("# anywhere.yaml\n"):
                (folder / "anywhere.yaml").write_text(content, "utf-8")
            for line in content.splitlines() if language == "sh" else ():
                program, *words = shlex.split(line)
                words += SMALLER.get(program, SMALLER.get(words[0], []))
                if program == "python":
                    patch.setattr(sys, "argv", words)
                    runpy.run_path(words[0], run_name="__main__")
                else:
                    done = configural(*words)
                    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return folder


@pytest.fixture(scope="module")
def vans(folder):
    return cf.portraits.load(f"folder:{folder}/vans")


def part(folder: Path, name: str, colour: list[int]) -> tuple[int, int, np.ndarray, np.ndarray]:
    """First row and column of a part, its mask and its pixels, by the label's colour."""
    mask = (pixels(folder / "vans" / "labels" / f"{name}.png") == colour).all(axis=2)
    (top, left), (bottom, right) = np.argwhere(mask).min(axis=0), np.argwhere(mask).max(axis=0) + 1
    box = np.s_[top:bottom, left:right]
    return int(top), int(left), mask[box], pixels(folder / "vans" / "images" / f"{name}.png")[box]


@pytest.mark.slow
def test_the_page_shows_the_files_that_the_script_writes(folder):
    shown = {content.split("\n")[0][2:]: content for language, content in BLOCKS if language == "yaml"}
    for name in ("van.yaml", "portraits.yaml"):
        assert shown[name].split("\n", 1)[1] == (folder / "vans" / name).read_text("utf-8")


def test_the_commands_leave_what_the_page_says(folder):
    commands = [
        shlex.split(line) for language, content in BLOCKS if language == "sh" for line in content.splitlines()
    ]
    assert {words[1] for words in commands} >= {"inspect", "generate", "run", "audit"}
    for words in commands:
        assert "--out" not in words or (folder / words[words.index("--out") + 1]).is_dir(), words
    assert (folder / "sheets" / "vans" / "skipped.csv").read_text("utf-8").splitlines() == ["portrait,reason"]
    for audited in (folder / "audits").iterdir():
        report = (audited / "report.html").read_text("utf-8")
        assert "no_van" in report
        assert "left_eye" not in report
        assert "both wheels" in (audited / "audit.csv").read_text("utf-8")
    classes = {path.name for path in (folder / "images" / "vans" / "train").iterdir() if path.is_dir()}
    assert classes == {"no_van", "van"}


def test_a_van_has_five_slots_and_is_wider_than_high(vans):
    assert list(vans.scheme.part_kinds) == KINDS
    assert vans.part_sizes.shape == (4, 5, 2)
    assert (vans.canvas_sizes[:, 1] > 1.5 * vans.canvas_sizes[:, 0]).all()


def test_source_images_differ_from_each_other_and_from_their_canvas_in_the_parts_alone(folder):
    paths = sorted((folder / "vans" / "images").iterdir())
    assert len(paths) == 4
    assert len({path.read_bytes() for path in paths}) == 4
    for path in paths:
        changed = (pixels(path) != pixels(folder / "vans" / "canvases" / path.name)).any(axis=2)
        labelled = pixels(folder / "vans" / "labels" / path.name).any(axis=2)
        assert not (changed & ~labelled).any()
        assert changed[labelled].mean() > 0.9


def test_no_scrambled_van_is_a_van_but_for_its_wheels(vans):
    table = cf.stimuli.sample(vans, condition="matched", count=1000).frame
    slots = np.array([table[f"{kind}_kind"] for kind in KINDS]).T
    alike = np.where(slots == "right_wheel", "left_wheel", slots)
    correct = (alike == ["left_wheel", "left_wheel", "window", "hatch", "sign"]).all(axis=1)
    np.testing.assert_array_equal(correct, table["class_name"] == "van")
    assert correct.sum() == 500
    assert len({tuple(row) for row in slots[~correct]}) > 100


@pytest.mark.parametrize("label", [0, 1])
def test_parts_land_where_the_table_says_with_black_above_and_below(folder, vans, label):
    """Drawn once more from the table and the PNG files, at the size of the images themselves."""
    table = cf.stimuli.sample(vans, condition="baseline", count=60, seed=2)
    renderer = cf.stimuli.Renderer(vans, size=512)
    colours = yaml.safe_load((folder / "vans" / "portraits.yaml").read_text("utf-8"))["colours"]
    for position in np.flatnonzero(table.frame["label"] == label)[:5]:
        row = table.frame.iloc[position]
        expected = pixels(folder / "vans" / "canvases" / f"{row['host']}.png").astype(float)
        for slot in KINDS:
            top, left, _, _ = part(folder, row["host"], colours[slot])
            _, _, mask, image = part(folder, row[f"{slot}_donor"], colours[row[f"{slot}_kind"]])
            top, left = top + row[f"{slot}_row"], left + row[f"{slot}_col"]
            under = expected[top : top + len(mask), left : left + mask.shape[1]]
            under[mask] = np.rint(0.8 * image[mask] + 0.2 * under[mask])
        drawn = renderer.draw(table[int(position)]).astype(int)
        above = (512 - len(expected)) // 2
        assert above > 80
        assert not drawn[:above].any()
        assert not drawn[above + len(expected) :].any()
        assert np.abs(drawn[above : above + len(expected)] - expected).max() <= 2
