"""Folders that portraits.yaml describes: what it may and may not say; both ways give the same exemplars."""

import contextlib
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import configural, program
from conftest import block_exemplar
from plain_fasseg import fasseg_exemplars

from configural.errors import ConfiguralError, PortraitSkippedWarning
from configural.export import generate, verify
from configural.objects import FACE
from configural.portraits import Exemplar, Library, load
from configural.stimuli import StimulusTable

COLOURS = np.array([[0, 0, 0], [0, 0, 255], [255, 0, 255], [0, 255, 255], [0, 255, 0]], np.uint8)
LABELS = """\
images: "photos/*.png"
labels: "labels/{name}.png"
colours:
  left_eye: [0, 0, 255]
  right_eye: [255, 0, 255]
  nose: [0, 255, 255]
  mouth: [0, 255, 0]
"""
MASKS = """\
images: "photos/*.png"
masks:
  left_eye: "masks/{name}_left_eye.png"
  right_eye: "masks/{name}_right_eye.png"
  nose: "masks/{name}_nose.png"
  mouth: "masks/{name}_mouth.png"
"""


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)


EXEMPLARS = [
    block_exemplar(name, shade=60 + 9 * n) for n, name in enumerate(("anna_1", "anna_2", "ben_10", "ben_9"))
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four exemplars as images, labels, masks and canvases."""
    for exemplar in EXEMPLARS:
        save(tmp_path / "photos" / f"{exemplar.name}.png", exemplar.portrait)
        save(tmp_path / "labels" / f"{exemplar.name}.png", COLOURS[exemplar.segmentation])
        save(tmp_path / "canvases" / f"{exemplar.name}.png", exemplar.canvas)
        for number, kind in enumerate(FACE.part_kinds, start=1):
            mask = (exemplar.segmentation == number).astype(np.uint8)
            save(tmp_path / "masks" / f"{exemplar.name}_{kind}.png", mask * (255 if number % 2 else 1))
    return tmp_path


def described(folder: Path, text: str) -> Library:
    (folder / "portraits.yaml").write_text(text)
    return load(f"folder:{folder}")


@pytest.mark.parametrize("text", [LABELS, MASKS])
def test_labels_and_masks_give_the_exemplars_they_were_made_of(folder, text):
    library = described(folder, text + 'canvases: "canvases/{name}.png"\nlicence: for tests\n')
    assert [exemplar.name for exemplar in library.exemplars] == ["anna_1", "anna_2", "ben_9", "ben_10"]
    assert library.licence == "for tests"
    made_of = {exemplar.name: exemplar for exemplar in EXEMPLARS}
    for exemplar in library.exemplars:
        assert exemplar.digest == made_of[exemplar.name].digest
        assert exemplar.person == exemplar.name
        for name in ("portrait", "segmentation", "canvas"):
            np.testing.assert_array_equal(getattr(exemplar, name), getattr(made_of[exemplar.name], name))


def test_parts_are_filled_in_where_no_canvas_is_given(folder):
    exemplar = described(folder, LABELS)[0]
    inside = exemplar.segmentation > 0
    assert (exemplar.canvas != exemplar.portrait).any(axis=2)[inside].mean() > 0.9


def test_the_persons_sides_are_the_images_mirrored(folder):
    swapped = LABELS.replace("left_eye", "x").replace("right_eye", "left_eye").replace("x:", "right_eye:")
    for text in (LABELS, swapped + "sides: person\n"):
        exemplar = described(folder, text)[0]
        assert exemplar.parts[0].anchor == (30, 18)
        assert exemplar.parts[1].anchor == (31, 42)


def test_both_eyes_may_have_one_colour_or_mask(folder):
    for exemplar in EXEMPLARS:
        eyes = np.isin(exemplar.segmentation, (1, 2))
        save(folder / "labels" / f"{exemplar.name}.png", COLOURS[np.where(eyes, 1, exemplar.segmentation)])
        save(folder / "masks" / f"{exemplar.name}_eyes.png", 255 * eyes.astype(np.uint8))
    one = re.sub("  right_eye.*\n", "", LABELS).replace("left_eye", "eyes")
    two = re.sub("  right_eye.*\n", "", MASKS).replace("left_eye", "eyes")
    for text in (one, two):
        np.testing.assert_array_equal(described(folder, text)[0].segmentation, EXEMPLARS[0].segmentation)


def test_a_part_may_have_several_colours_or_masks(folder):
    for exemplar in EXEMPLARS:
        label = COLOURS[exemplar.segmentation]
        label[62:65][exemplar.segmentation[62:65] == 4] = (9, 9, 9)
        save(folder / "labels" / f"{exemplar.name}.png", label)
        lips = np.where(exemplar.segmentation == 4, 255, 0).astype(np.uint8)
        for name, cut in (("upper", np.s_[65:]), ("lower", np.s_[:65])):
            lip = lips.copy()
            lip[cut] = 0
            save(folder / "masks" / f"{exemplar.name}_{name}.png", lip)
    two_colours = LABELS.replace("[0, 255, 0]", "[[0, 255, 0], [9, 9, 9]]")
    two_masks = MASKS.replace('"masks/{name}_mouth.png"', '["masks/{name}_upper.png", "masks/{name}_lower.png"]')
    for text in (two_colours, two_masks):
        np.testing.assert_array_equal(described(folder, text)[0].segmentation, EXEMPLARS[0].segmentation)


def test_tolerance_takes_in_labels_saved_as_jpeg(folder):
    for exemplar in EXEMPLARS:
        label = COLOURS[exemplar.segmentation]
        path = folder / "labels" / f"{exemplar.name}.jpg"
        assert cv2.imwrite(str(path), label[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    text = LABELS.replace("{name}.png", "{name}.jpg")
    with pytest.raises(ConfiguralError, match="0 usable exemplars"), pytest.warns(PortraitSkippedWarning):
        described(folder, text)
    exemplar = described(folder, text + "tolerance: 110\n")[0]
    assert (exemplar.segmentation == EXEMPLARS[0].segmentation).mean() > 0.99


def test_persons_come_from_names(folder):
    library = described(folder, LABELS + "person: '^([a-z]+)_'\n")
    assert [exemplar.person for exemplar in library.exemplars] == ["anna", "anna", "ben", "ben"]
    library = described(folder, LABELS + "person: '(anna|9|10)'\n")
    assert [exemplar.person for exemplar in library.exemplars] == ["anna", "anna", "9", "10"]
    with pytest.raises(ConfiguralError, match="finds nobody in the name anna_1 and 1 more"):
        described(folder, LABELS + "person: '(9|10)'\n")


def test_larger_images_are_brought_to_their_labels_size(folder):
    for exemplar in EXEMPLARS:
        save(
            folder / "photos" / f"{exemplar.name}.png",
            np.repeat(np.repeat(exemplar.portrait, 3, axis=0), 3, axis=1),
        )
    for exemplar, made_of in zip(described(folder, LABELS).exemplars, EXEMPLARS[:2], strict=False):
        np.testing.assert_array_equal(exemplar.portrait, made_of.portrait)


def test_each_defect_costs_one_portrait_and_says_why(folder):
    for number in range(8):
        exemplar = block_exemplar(f"more_{number}", shade=100)
        save(folder / "photos" / f"{exemplar.name}.png", exemplar.portrait)
        save(folder / "labels" / f"{exemplar.name}.png", COLOURS[exemplar.segmentation])
    (folder / "labels" / "more_0.png").unlink()
    save(folder / "labels" / "more_1.png", COLOURS[EXEMPLARS[0].segmentation][:-20])
    save(
        folder / "labels" / "more_2.png",
        COLOURS[np.where(EXEMPLARS[0].segmentation == 3, 0, EXEMPLARS[0].segmentation)],
    )
    (folder / "photos" / "more_3.png").write_bytes((folder / "photos" / "more_3.png").read_bytes()[:100])
    (folder / "photos" / "more_4.jpg").write_bytes((folder / "photos" / "more_4.png").read_bytes())
    beside = ((0, 0), (150, 150), (0, 0))
    save(folder / "photos" / "more_5.png", np.pad(EXEMPLARS[0].portrait, beside))
    save(folder / "labels" / "more_5.png", np.pad(COLOURS[EXEMPLARS[0].segmentation], beside))
    with pytest.warns(PortraitSkippedWarning):
        library = described(folder, LABELS.replace("*.png", "*.*g"))
    assert len(library) == 7
    wide = library[library.position("more_5")]  # wider than high, which is no defect
    assert wide.size == wide.canvas.shape[:2] == (124, 396)
    assert wide.anchors == tuple((row, 150 + col) for row, col in EXEMPLARS[0].anchors)
    reasons = dict(library.skipped)
    for number, words in enumerate(["labels/more_0.png is missing", "96×124", "no nose", "cut off", "same name"]):
        assert words in reasons[f"more_{number}"]
        assert "\n" not in reasons[f"more_{number}"]


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        ((LABELS, "image: a\n" + LABELS), 1, ["image", "unknown key", "did you mean images?"]),
        (('"photos/*.png"', "/photos/*.png"), 1, ["images", "relative"]),
        (("labels/{name}.png", "labels/name.png"), 2, ["labels", "{name}"]),
        (("left_eye", "lefteye"), 4, ["colours.lefteye", "unknown part kind", "eyes"]),
        (("[255, 0, 255]", "[255, 0, 256]"), 5, ["right_eye", "less than or equal to 255"]),
        (("[0, 255, 255]", "[0, 255]"), 6, ["nose"]),
        (("[0, 255, 255]", "blue"), 6, ["nose"]),
        (("  mouth: [0, 255, 0]\n", ""), 3, ["colours", "nose, mouth, or eyes for left_eye and right_eye"]),
        ((LABELS, LABELS + "sides: left\n"), 8, ["sides", "'image', 'person' or 'position'"]),
        ((LABELS, LABELS + "tolerance: -1\n"), 8, ["tolerance"]),
        (("photos/*.png", "x" * 256 + "*.png"), 1, ["images", "more than 255 bytes"]),
        ((LABELS, LABELS + "person: '^('\n"), 8, ["person", "regular expression"]),
        ((LABELS, LABELS + "person: abc\n"), 8, ["person", "round brackets"]),
        ((LABELS, LABELS + MASKS[MASKS.index("masks") :]), 1, ["not both"]),
        ((LABELS, 'images: "photos/*.png"\n'), 1, ["masks, or labels and colours"]),
        ((LABELS, MASKS.replace("{name}_nose", "nose")), 5, ["masks", "nose.png", "{name}"]),
        (("nose:", "nose"), 7, ["not readable as YAML"]),
        ((LABELS, LABELS + "licence: !!python/object/apply:os.system [id]\n"), 8, ["not readable as YAML"]),
    ],
)
def test_mistakes_in_the_description_name_its_line(folder, change, line, words):
    before, after = change
    assert before in LABELS
    with pytest.raises(ConfiguralError) as caught:
        described(folder, LABELS.replace(before, after, 1))
    message = str(caught.value)
    assert "\n" not in message
    assert f"{folder / 'portraits.yaml'}, line {line}:" in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_description_that_is_not_utf_8_says_how_to_save_it(folder, encoding):
    (folder / "portraits.yaml").write_bytes((LABELS + "licence: für alle\n").encode(encoding))
    with pytest.raises(ConfiguralError, match="save it as that") as caught:
        load(f"folder:{folder}")
    assert "portraits.yaml: not UTF-8 text" in str(caught.value)


def test_missing_descriptions_and_images_are_named(folder):
    with pytest.raises(ConfiguralError, match=r"no portraits\.yaml"):
        load(f"folder:{folder}")
    with pytest.raises(ConfiguralError, match="no such folder"):
        load(f"folder:{folder / 'none'}")
    for text in ("", "- a\n", "3\n"):
        with pytest.raises(ConfiguralError, match="key: value"):
            described(folder, text)
    with pytest.raises(ConfiguralError, match=r"no files match images: photos/\*\.gif"):
        described(folder, LABELS.replace("*.png", "*.gif"))


@pytest.mark.filterwarnings("ignore::configural.errors.PortraitSkippedWarning")
def test_changed_colours_are_prepared_again(folder):
    assert len(described(folder, LABELS)) == 4
    with pytest.raises(ConfiguralError, match="no nose"):
        described(folder, LABELS.replace("[0, 255, 255]", "[0, 255, 254]"))


def coarse(label: np.ndarray, by: int = 4) -> np.ndarray:
    rows, cols = label.shape[:2]
    small = cv2.resize(label, (cols // by, rows // by), interpolation=cv2.INTER_NEAREST)
    return cv2.resize(small, (cols, rows), interpolation=cv2.INTER_NEAREST)


def assert_coarse_is_alike(folder: Path, fine: Path, names: list[str]) -> list[Exemplar]:
    """Gives the exemplars of fine labels."""
    rough, rough_skipped = fasseg_exemplars(folder)
    assert [exemplar.name for exemplar in rough] == names
    assert rough_skipped == []
    exemplars = fasseg_exemplars(fine)[0]
    exact = {exemplar.name: exemplar for exemplar in exemplars}
    for exemplar in rough:
        for mine, other in zip(exemplar.parts, exact[exemplar.name].parts, strict=True):
            overlap = (exemplar.segmentation == 1 + FACE.index(mine.kind)) & (
                exact[exemplar.name].segmentation == 1 + FACE.index(other.kind)
            )
            assert overlap.sum() > 0.6 * other.mask.sum()
    return exemplars


def test_coarse_labels_and_the_studys_colours_load_as_fasseg_does(tmp_path, painted):
    """V1's labels are rougher; the study's give the right eye a colour of its own."""
    skin = np.array([[255, 255, 0], [0, 0, 255], [0, 0, 255], [0, 255, 255], [0, 255, 0]], np.uint8)
    study = skin.copy()
    study[2] = (255, 0, 255)
    for number, exemplar in enumerate(painted.exemplars[:3], start=1):
        for place, label in (
            ("V2", skin[exemplar.segmentation]),
            ("V1", coarse(skin[exemplar.segmentation])),
            ("study", study[exemplar.segmentation]),
        ):
            save(tmp_path / place / "Train_RGB" / f"{number}.bmp", exemplar.portrait)
            save(tmp_path / place / "Train_Labels" / f"{number}.bmp", label)
    fine = assert_coarse_is_alike(tmp_path / "V1", tmp_path / "V2", ["Train/1", "Train/2", "Train/3"])
    for one, other in zip(fine, fasseg_exemplars(tmp_path / "study")[0], strict=True):
        np.testing.assert_array_equal(one.segmentation, other.segmentation)


def test_coarse_labels_of_the_published_portraits_load(tmp_path, fasseg_folder):
    names = [f"Train/{number}" for number in range(1, 6)]
    for place, change in (("V2", lambda label: label), ("V1", coarse)):
        for name in names:
            for kind in ("RGB", "Labels"):
                file = name.replace("/", f"_{kind}/") + ".bmp"
                image = cv2.imread(str(fasseg_folder / file))[..., ::-1]
                save(tmp_path / place / file, change(np.ascontiguousarray(image)) if kind == "Labels" else image)
    assert_coarse_is_alike(tmp_path / "V1", tmp_path / "V2", names)


def test_the_example_in_the_documentation_works_as_written(tmp_path):
    """Every block after 'A worked example' is carried out in order, as a reader would."""
    text = (Path(__file__).parents[1] / "docs" / "portraits.md").read_text("utf-8")
    example = text.split("### A worked example\n")[1].split("\n### ")[0].split("\n## ")[0]
    blocks = re.findall(r"```(\w+)\n(.*?)```", example, flags=re.DOTALL)
    assert [kind for kind, _ in blocks] == ["python", "yaml", "sh", "text"]
    for kind, block in blocks:
        if kind == "python":
            with contextlib.chdir(tmp_path):
                program(block)
        elif kind == "yaml":
            (tmp_path / "portraits" / "portraits.yaml").write_text(block)
        elif kind == "sh":
            for line in block.splitlines():
                command = line.split("#")[0].split()
                assert command[0] == "configural"
                with contextlib.chdir(tmp_path):
                    done = configural(*command[1:])
                assert done.returncode == 0, done.stderr
        else:
            written = sorted(path.name for path in (tmp_path / "sheet").iterdir())
            assert written == sorted(line.split()[0] for line in block.splitlines())
    library = load(f"folder:{tmp_path / 'portraits'}")
    assert len(library) == 4
    assert {exemplar.person for exemplar in library.exemplars} == {"ada", "bo"}


def test_a_dataset_does_not_tell_where_the_portraits_lie_and_is_verified_all_the_same(folder, monkeypatch):
    monkeypatch.setenv("CONFIGURAL_CACHE", str(folder / "cache"))
    monkeypatch.chdir("/")
    (folder / "portraits.yaml").write_text(LABELS)
    for form in ("imagefolder", "coco", "parquet", "webdataset"):
        out = folder / f"set-{form}"
        generate(f"folder:{folder}", "baseline", out=out, count=42, size=16, format=form)
        for path in (path for path in out.rglob("*") if path.is_file()):
            assert str(folder.parent).encode() not in path.read_bytes(), path
    assert StimulusTable.load(out / "stimuli.parquet").source == f"folder:{folder.name}"
    assert verify(out).sound
    for exemplar in EXEMPLARS:  # of others now
        save(folder / "photos" / f"{exemplar.name}.png", exemplar.portrait // 2)
    with pytest.raises(ConfiguralError, match=r"other exemplars .* name the correct ones \(source\)"):
        verify(out)
    shutil.rmtree(folder / "cache" / "sources")
    with pytest.raises(ConfiguralError, match=f"{folder.name}: no such folder"):
        verify(out)
