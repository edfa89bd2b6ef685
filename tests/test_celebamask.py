"""CelebAMask-HQ's layout, made by hand: tiny portraits with masks of known boxes."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from configural.errors import ConfiguralError, PortraitSkippedWarning
from configural.portraits import load
from configural.portraits.published import published
from configural.stimuli import sample

SIDE = 64
# Boxes in the image: rows, columns. The person's left eye is on the image's right.
BOXES = {
    "r_eye": np.s_[22:27, 14:24],
    "l_eye": np.s_[21:27, 40:51],
    "nose": np.s_[28:40, 27:37],
    "u_lip": np.s_[44:47, 22:42],
    "mouth": np.s_[47:49, 24:40],
    "l_lip": np.s_[49:53, 23:41],
    "skin": np.s_[5:60, 8:56],
    "hair": np.s_[0:8, 0:64],
}


def image(number: int, side: int = 2 * SIDE) -> np.ndarray:
    colours = np.random.default_rng(number).integers(100, 150, (side, side, 3), np.uint8)
    colours[:, side // 2 :, 0] += 60
    return colours


def add(folder: Path, number: int, subfolder: str | None = None, **boxes: object) -> None:
    path = folder / "CelebA-HQ-img" / f"{number}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image(number)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])
    masks = folder / "CelebAMask-HQ-mask-anno" / (subfolder or str(number // 2000))
    masks.mkdir(parents=True, exist_ok=True)
    for part, box in ({**BOXES, **boxes}).items():
        if box is None:
            continue
        mask = np.zeros((SIDE, SIDE, 3), np.uint8)
        mask[box] = 255
        assert cv2.imwrite(str(masks / f"{number:05d}_{part}.png"), mask)


def test_masks_become_the_images_sides(tmp_path):
    for number in (7, 2003):
        add(tmp_path, number)
    library = load(f"celebamask:{tmp_path}")
    assert [exemplar.name for exemplar in library.exemplars] == ["celebamask/7", "celebamask/2003"]
    assert library.skipped == ()
    assert "non-commercial" in library.licence
    expected = np.zeros((SIDE, SIDE), np.uint8)
    for number, parts in enumerate((["r_eye"], ["l_eye"], ["nose"], ["u_lip", "mouth", "l_lip"]), start=1):
        for part in parts:
            expected[BOXES[part]] = number
    for exemplar in library.exemplars:
        np.testing.assert_array_equal(exemplar.segmentation, expected)
        assert [part.anchor for part in exemplar.parts] == [(22, 14), (21, 40), (28, 27), (44, 22)]
        assert exemplar.parts[3].mask.shape == (9, 20)


def test_images_are_brought_to_the_size_of_their_masks_by_their_mean(tmp_path):
    for number in (1, 2):
        add(tmp_path, number)
    exemplar = load(f"celebamask:{tmp_path}")[0]
    large = cv2.imread(str(tmp_path / "CelebA-HQ-img" / "1.jpg"))[..., ::-1]
    means = large.reshape(SIDE, 2, SIDE, 2, 3).mean(axis=(1, 3))
    assert exemplar.portrait.shape == (SIDE, SIDE, 3)
    assert np.abs(exemplar.portrait - means).max() <= 0.5
    assert exemplar.portrait[:, 40:, 0].mean() > exemplar.portrait[:, :24, 0].mean() + 40  # red stays on the right


def test_masks_are_found_in_whatever_folder_they_lie(tmp_path):
    add(tmp_path, 1, subfolder="0")
    add(tmp_path, 2, subfolder="elsewhere")
    assert len(load(f"celebamask:{tmp_path}")) == 2


@pytest.mark.parametrize("part", ["u_lip", "mouth", "l_lip"])
def test_a_mouth_may_lack_one_of_its_three_masks(tmp_path, part):
    add(tmp_path, 1, **{part: None})
    add(tmp_path, 2)
    library = load(f"celebamask:{tmp_path}")
    assert library.skipped == ()
    mouths = [(exemplar.segmentation == 4).sum() for exemplar in library.exemplars]
    assert mouths[0] < mouths[1]


DEFECTS = {
    "left eye hidden": ({"l_eye": None}, "left eye has no mask"),
    "right eye hidden": ({"r_eye": None}, "right eye has no mask"),
    "left eye empty": ({"l_eye": np.s_[0:0, 0:0]}, "no left eye"),
    "a crumb of an eye": ({"l_eye": np.s_[22:24, 40:42]}, "right eye hardly anything"),
    "no nose": ({"nose": None}, "nose has no mask"),
    "no mouth": ({"u_lip": None, "mouth": None, "l_lip": None}, "mouth has no mask"),
    "empty mouth": (dict.fromkeys(("u_lip", "mouth", "l_lip"), np.s_[0:0, 0:0]), "no mouth"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_portrait_without_a_part_is_skipped_with_the_reason(tmp_path, defect):
    boxes, words = DEFECTS[defect]
    for number in (1, 3):
        add(tmp_path, number)
    add(tmp_path, 2, **boxes)
    with pytest.warns(PortraitSkippedWarning, match=words):
        library = load(f"celebamask:{tmp_path}")
    assert [exemplar.name for exemplar in library.exemplars] == ["celebamask/1", "celebamask/3"]
    ((name, reason),) = library.skipped
    assert name == "celebamask/2"
    assert words in reason
    assert "\n" not in reason


def test_damaged_and_odd_files_are_skipped_with_the_reason(tmp_path):
    for number in range(1, 6):
        add(tmp_path, number)
    jpeg = tmp_path / "CelebA-HQ-img" / "1.jpg"
    jpeg.write_bytes(jpeg.read_bytes()[:500])
    masks = tmp_path / "CelebAMask-HQ-mask-anno" / "0"
    (masks / "00002_nose.png").write_bytes(b"\x89PNG")
    cv2.imwrite(str(masks / "00003_nose.png"), np.full((8, 8), 255, np.uint8))
    with pytest.warns(PortraitSkippedWarning):
        library = load(f"celebamask:{tmp_path}")
    reasons = dict(library.skipped)
    assert "1.jpg" in reasons["celebamask/1"]
    assert "cut off" in reasons["celebamask/1"]
    assert "00002_nose.png" in reasons["celebamask/2"]
    assert "different sizes" in reasons["celebamask/3"]
    assert len(library) == 2


def test_many_skipped_portraits_give_few_warnings(tmp_path):
    for number in range(20):
        add(tmp_path, number, **({"nose": None} if number < 17 else {}))
    with pytest.warns(PortraitSkippedWarning) as caught:
        library = load(f"celebamask:{tmp_path}")
    assert len(library.skipped) == 17
    assert len(caught) == 11
    assert "7 more; configural inspect lists them all" in str(caught[-1].message)


def test_persons_come_from_celebas_lists(tmp_path):
    for number in range(9):
        add(tmp_path, number)
    source = f"celebamask:{tmp_path}"
    assert [exemplar.person for exemplar in load(source).exemplars] == [
        f"celebamask/{number}" for number in range(9)
    ]
    lines = ["idx          orig_idx    orig_file    proper_md5    final_md5"]
    lines += [f"{n}            {100 + n}      {101 + n:06d}.jpg   {n:032x} {n:032x}" for n in range(8)]
    (tmp_path / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(lines) + "\n")
    identities = [f"{101 + n:06d}.jpg {500 + n // 2}" for n in range(8)]
    (tmp_path / "identity_CelebA.txt").write_text("\n".join(identities) + "\n")
    library = load(source)
    persons = [exemplar.person for exemplar in library.exemplars]
    assert persons == [f"celeba/{500 + n // 2}" for n in range(8)] + ["celebamask/8"]
    person = {exemplar.name: exemplar.person for exemplar in library.exemplars}
    frame = sample(library, condition="baseline", split="identity", count=200).frame
    hosts = {name: {person[host] for host in rows["host"]} for name, rows in frame.groupby("subset")}
    assert not hosts["train"] & hosts["test"]
    (tmp_path / "identity_CelebA.txt").write_text("\n".join(identities[:3]) + "\n000104.jpg\n")
    with pytest.raises(ConfiguralError, match=r"identity_CelebA.txt, line 4: 1 columns"):
        load(source)


def test_folders_without_portraits_are_an_error(tmp_path):
    (tmp_path / "a" / "CelebA-HQ-img").mkdir(parents=True)
    (tmp_path / "b" / "CelebA-HQ-img").mkdir(parents=True)
    (tmp_path / "b" / "CelebAMask-HQ-mask-anno").mkdir()
    for folder, named in (("none", "none"), ("a", "mask-anno"), ("b", "not in the layout")):
        with pytest.raises(ConfiguralError, match=named) as caught:
            published("celebamask", tmp_path / folder)
        assert "CelebA-HQ-img" in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(ConfiguralError, match=r"celebamask:FOLDER.*folder:FOLDER"):
        load("celebamask")
