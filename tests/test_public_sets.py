"""Public sets in the layouts in which they are published: drawn miniatures, of painted faces."""

import csv
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

import configural as cf
from configural.errors import ConfiguralError, ConfiguralWarning, PortraitSkippedWarning
from configural.portraits import Exemplar, Library, load
from configural.portraits.published import PUBLISHED, published_set


@pytest.fixture(scope="module")
def painted(painted: Library) -> Library:
    """At half their size, which are filled in and stored in a third of the time."""
    halves = []
    for one in painted.exemplars:
        portrait, segmentation, canvas = (
            np.ascontiguousarray(image[::2, ::2]) for image in (one.portrait, one.segmentation, one.canvas)
        )
        halves.append(Exemplar.cut(one.name, portrait, segmentation=segmentation, canvas=canvas))
    return Library("painted", halves)


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)


def numbered(exemplar: Exemplar, ids: list[int], *, lips: tuple[int, int] | None = None) -> np.ndarray:
    """The segmentation with these ids, 1 around, and 0 at the top; of two lips, the second is the lower."""
    label = np.array([1, *ids], np.uint8)[exemplar.segmentation]
    if lips:
        rows = np.nonzero(exemplar.segmentation == 4)[0]
        lower = (exemplar.segmentation == 4) & (np.arange(len(label))[:, None] > rows.mean())
        label[exemplar.segmentation == 4] = lips[0]
        label[lower] = lips[1]
    label[:3] = 0
    return label


def lapa(folder: Path, exemplar: Exemplar, number: int) -> str:
    split = ("train", "val", "test")[number % 3]
    save(folder / split / "images" / f"{number}_0.jpg", exemplar.portrait)
    save(folder / split / "labels" / f"{number}_0.png", numbered(exemplar, [4, 5, 6, 8], lips=(7, 9)))
    (folder / split / "landmarks").mkdir(exist_ok=True)
    (folder / split / "landmarks" / f"{number}_0.txt").write_text("106\n")
    return f"{split}/{number}_0"


def facesynthetics(folder: Path, exemplar: Exemplar, number: int) -> str:
    save(folder / f"{number:06d}.png", exemplar.portrait)
    label = numbered(exemplar, [3, 4, 2, 9], lips=(10, 11))  # the person's right eye is on the image's left
    label[-5:] = 255
    save(folder / f"{number:06d}_seg.png", label)
    (folder / f"{number:06d}_ldmks.txt").write_text("0 0\n")
    return f"{number:06d}"


def on_wall(image: np.ndarray) -> np.ndarray:
    wall = np.zeros((700, 1500, *image.shape[2:]), np.uint8)
    wall[100 : 100 + image.shape[0], 800 : 800 + image.shape[1]] = image
    return wall


def helen(folder: Path, exemplar: Exemplar, number: int) -> str:
    save(folder / "images" / f"{number}_1.jpg", on_wall(exemplar.portrait))
    parts = dict(zip((4, 5, 6, 7), range(1, 5), strict=True))
    for label in range(11):
        certain = 255 * (on_wall(exemplar.segmentation) == parts.get(label, 9)).astype(np.uint8)
        soft = cv2.GaussianBlur(certain, (0, 0), 1.0)
        soft[5, 5] = 20 if label == 8 else 0  # a shut mouth's inside: hardly certain of anything
        save(folder / "labels" / f"{number}_1" / f"{number}_1_lbl{label:02d}.png", soft)
    return f"{number}_1"


def ibugmask(folder: Path, exemplar: Exemplar, number: int) -> str:
    sub = folder / ("train", "test")[number % 2]
    save(sub / f"{number}.jpg", on_wall(exemplar.portrait))
    save(sub / f"{number}.png", on_wall(numbered(exemplar, [4, 5, 6, 8], lips=(7, 9))))
    (sub / f"{number}.pts").write_text("version: 1\n")
    return f"{sub.name}/{number}"


def merged(folder: Path, exemplar: Exemplar, number: int) -> str:
    save(folder / "CelebA-HQ-img" / f"{number}.jpg", exemplar.portrait)
    label = numbered(exemplar, [5, 4, 2, 10], lips=(11, 12))
    save(folder / "CelebAMask-HQ-mask" / f"{number}.png", label)
    return f"celebamask/{number}"


def merged_otherwise(folder: Path, exemplar: Exemplar, number: int) -> str:
    save(folder / "CelebA-HQ-img" / f"{number}.jpg", exemplar.portrait)
    save(folder / "mask" / f"{number}.png", numbered(exemplar, [5, 4, 10, 11], lips=(12, 13)))
    return f"celebamask/{number}"


COLOURS = np.array([[255, 255, 0], [0, 0, 255], [0, 0, 255], [0, 255, 255], [0, 255, 0]], np.uint8)


def multipose(folder: Path, exemplar: Exemplar, number: int) -> str:
    subset = "Train" if number < 2 else "Test"
    name = f"-15/personne0{number}145+0-15"
    save(folder / f"{subset}_RGB" / f"{name}.bmp", exemplar.portrait)
    save(folder / f"{subset}_labels" / f"{name}.bmp", COLOURS[exemplar.segmentation])
    return f"{subset}/{name}"


def frontal(folder: Path, exemplar: Exemplar, number: int) -> str:
    subset = "Train" if number < 2 else "Test"
    save(folder / f"{subset}_RGB" / f"{number}.bmp", exemplar.portrait)
    save(folder / f"{subset}_Labels" / f"{number}.bmp", COLOURS[exemplar.segmentation])
    return f"{subset}/{number}"


def frontal_with_bands(folder: Path, exemplar: Exemplar, number: int) -> str:
    """As FASSEG's V1, which has the band of the nostrils as nose."""
    rows = np.nonzero(exemplar.segmentation == 3)[0]
    band = exemplar.segmentation.copy()
    band[(exemplar.segmentation == 3) & (np.arange(len(band))[:, None] < rows.max() - 10)] = 0
    return frontal(folder, replace(exemplar, segmentation=band), number)


def separate_masks(folder: Path, exemplar: Exemplar, number: int) -> str:
    save(folder / "CelebA-HQ-img" / f"{number}.jpg", exemplar.portrait)
    for part, name in enumerate(("r_eye", "l_eye", "nose", "mouth"), start=1):
        mask = 255 * (exemplar.segmentation == part).astype(np.uint8)
        save(folder / "CelebAMask-HQ-mask-anno" / "0" / f"{number:05d}_{name}.png", mask)
    return f"celebamask/{number}"


LAYOUTS: dict[str, tuple[str, Callable[[Path, Exemplar, int], str]]] = {
    "lapa": ("lapa", lapa),
    "facesynthetics": ("facesynthetics", facesynthetics),
    "helen": ("helen", helen),
    "ibugmask": ("ibugmask", ibugmask),
    "merged masks": ("celebamask", merged),
    "merged otherwise": ("celebamask", merged_otherwise),
    "separate masks": ("celebamask", separate_masks),
    "frontal": ("fasseg", frontal),
    "multipose": ("fasseg", multipose),
}


def assert_painted(library: Library, names: dict[str, Exemplar]) -> None:
    """Each exemplar has the parts of that from which its files were made."""
    for exemplar in library.exemplars:
        made_of = names[exemplar.name]
        for mine, other in zip(exemplar.parts, made_of.parts, strict=True):
            # Cropped or not, the part is the same, up to what blurring and shrinking do to its edge.
            if exemplar.size == made_of.size:
                assert (exemplar.segmentation != made_of.segmentation).mean() < 0.002
            assert abs(mine.mask.sum() / mine.mask.size - other.mask.sum() / other.mask.size) < 0.1
        left, right = (exemplar.anchors[position][1] for position in (0, 1))
        assert left < right
        assert exemplar.size[0] <= 512


def test_splits_come_in_the_order_of_the_description(painted, tmp_path):
    for number in range(6):
        lapa(tmp_path, painted[number], number)
    splits = [exemplar.name.split("/")[0] for exemplar in load(f"lapa:{tmp_path}").exemplars]
    assert splits == ["train", "train", "val", "val", "test", "test"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_other_folders_are_refused_with_what_is_expected(tmp_path, name):
    save(tmp_path / "a.jpg", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(ConfiguralError) as caught:
        load(f"{name}:{tmp_path}")
    assert published_set(name).expected[:60] in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_noses_that_are_bands_are_said(painted, tmp_path):
    for number in range(2):
        frontal_with_bands(tmp_path, painted[number], number)
    with pytest.warns(ConfiguralWarning, match="bands of .* move nostrils"):
        load(f"fasseg:{tmp_path}")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.filterwarnings("ignore:.*the noses are labelled as bands")
@pytest.mark.parametrize("layout", [*LAYOUTS, "bands"])
def test_every_layout_is_read_inspected_drawn_from_and_trained_on(painted, tmp_path, monkeypatch, layout):
    monkeypatch.setattr(Figure, "savefig", lambda figure, file, **how: None)  # of the sheet: nobody looks at it
    name, add = LAYOUTS.get(layout, ("fasseg", frontal_with_bands))
    names = {add(tmp_path / "set", painted[number], number): painted[number] for number in range(3)}
    source = f"{name}:{tmp_path / 'set'}"
    library, sheets = cf.api.inspect(source, tmp_path / "sheets")
    assert {exemplar.name for exemplar in library.exemplars} == names.keys()
    assert library.skipped == ()
    assert library.licence
    if layout in LAYOUTS:
        assert_painted(library, names)
    assert [sheet.is_file() for sheet in sheets] == [True]
    with (tmp_path / "sheets" / "parts.csv").open() as table:
        assert {row["name"] for row in csv.DictReader(table)} == names.keys()
    cf.generate(source, "baseline", count=42, size=16, out=tmp_path / "images")
    assert len(list((tmp_path / "images").rglob("pic_*.png"))) == 42
    card = (tmp_path / "images" / "README.md").read_text("utf-8")
    assert library.licence.partition(" ")[0] in card.partition("## Licence of the source images")[2]
    run = cf.run(source=source, network="fcn-14", count=42, image_size=16, epochs=1, out=tmp_path / "run")
    assert 0 <= run.metrics["test_accuracy"] <= 1


def test_published_multipose_portraits_load(fasseg_folder):
    """A sample of V3 beside V2, if it is at hand."""
    folder = fasseg_folder.parent / "V3"
    if not folder.is_dir():
        pytest.skip("FASSEG's V3 is not at hand")
    with pytest.warns(PortraitSkippedWarning):
        library = load(f"fasseg:{folder}")
    assert len(library) >= 12
    assert "366×512" in dict(library.skipped)["Test/+30/personne15248+0+30"]
    persons = {exemplar.person.split("personne")[1][:2] for exemplar in library.exemplars}
    assert len(set(library.persons)) == len(persons)
    assert zlib.crc32(library[0].portrait.tobytes()) == library[0].portrait_crc
