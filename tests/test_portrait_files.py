"""Portraits and labels as people store them: kinds of files, orientations, layouts, damage, and who is who."""

import io
import os
import struct
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import block_exemplar
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageOps

from configural.errors import ConfiguralError, PortraitError
from configural.io.images import encode_png, read_image, turned
from configural.objects import FACE
from configural.portraits import Library, load
from configural.portraits.plausibility import implausible
from configural.stimuli import sample

pytestmark = pytest.mark.filterwarnings("ignore::configural.errors.PortraitSkippedWarning")

EXEMPLARS = [block_exemplar(f"{n}", shade=60 + 9 * n) for n in range(2)]
IDS = "{left_eye: 1, right_eye: 2, nose: 3, mouth: 4}"
GREYS = "{left_eye: [1, 1, 1], right_eye: [2, 2, 2], nose: [3, 3, 3], mouth: [4, 4, 4]}"
PALETTE = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]], np.uint8)
SHADES = "{left_eye: [128, 0, 0], right_eye: [0, 128, 0], nose: [128, 128, 0], mouth: [0, 0, 128]}"


def palette(ids: np.ndarray) -> Image.Image:
    image = Image.frombytes("P", ids.shape[::-1], ids.tobytes())
    image.putpalette(PALETTE.ravel().tolist())
    return image


def four_bits(ids: np.ndarray) -> bytes:
    """A PNG of 16 grey levels, which no library at hand writes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows, cols = ids.shape
    packed = (ids[:, 0::2] << 4 | ids[:, 1::2]).astype(np.uint8)
    lines = zlib.compress(b"".join(b"\0" + line.tobytes() for line in packed))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", cols, rows, 4, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def store(path: Path, image: "np.ndarray | Image.Image | bytes", **settings: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(image, bytes):
        path.write_bytes(image)
    else:
        (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **settings)


def described(folder: Path, text: str) -> Library:
    (folder / "portraits.yaml").write_text(text)
    return load(f"folder:{folder}")


def assert_same_parts(library: Library, exemplars: list) -> None:
    assert len(library) == len(exemplars)
    for loaded, exemplar in zip(library.exemplars, exemplars, strict=True):
        np.testing.assert_array_equal(loaded.segmentation, exemplar.segmentation)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda ids: ids, f"ids: {IDS}"),
        (lambda ids: ids, f"colours: {GREYS}"),
        (lambda ids: ids.astype(np.uint16), f"ids: {IDS}"),
        (lambda ids: ids.astype(np.uint16), f"colours: {GREYS}"),
        (lambda ids: ids.astype(np.uint16) * 257, f"colours: {GREYS}"),
        (lambda ids: ids.astype(np.uint16) * 300, "ids: {left_eye: 300, right_eye: 600, nose: 900, mouth: 1200}"),
        (palette, f"ids: {IDS}"),
        (palette, f"colours: {GREYS}"),
        (palette, f"colours: {SHADES}"),
        (four_bits, f"ids: {IDS}"),
        (lambda ids: np.dstack([ids, ids, ids]), f"ids: {IDS}"),
        (lambda ids: np.dstack([ids, ids, ids, 255 * (ids > 0).astype(np.uint8)]), f"colours: {GREYS}"),
        (lambda ids: np.dstack([ids, 255 * (ids > 0).astype(np.uint8)]), f"ids: {IDS}"),
    ],
)
def test_labels_are_read_from_every_kind_of_png(tmp_path, made, words):
    for exemplar in EXEMPLARS:
        store(tmp_path / f"{exemplar.name}.bmp", exemplar.portrait)
        store(tmp_path / f"{exemplar.name}.png", made(exemplar.segmentation))
    library = described(tmp_path, f'images: "*.bmp"\nlabels: "{{name}}.png"\n{words}\n')
    assert_same_parts(library, EXEMPLARS)


@pytest.mark.parametrize(
    "made",
    [
        lambda mask: mask,
        lambda mask: mask.astype(np.uint8),
        lambda mask: mask.astype(np.uint16) * 200,
        lambda mask: mask.astype(np.uint16) * 65535,
        lambda mask: np.dstack([np.full((*mask.shape, 3), 255), 255 * mask]).astype(np.uint8),
        lambda mask: np.dstack([np.zeros((*mask.shape, 3)), 255 * mask]).astype(np.uint8),
        lambda mask: np.dstack([np.full(mask.shape, 255), 255 * mask]).astype(np.uint8),
        lambda mask: np.dstack([255 * mask, np.full(mask.shape, 255)]).astype(np.uint8),
    ],
)
def test_masks_are_read_from_every_kind_of_png(tmp_path, made):
    for exemplar in EXEMPLARS:
        store(tmp_path / f"{exemplar.name}.bmp", exemplar.portrait)
        for number in range(1, 5):
            store(tmp_path / f"{exemplar.name}_{number}.png", made(exemplar.segmentation == number))
    masks = "".join(f'  {kind}: "{{name}}_{n}.png"\n' for n, kind in enumerate(FACE.part_kinds, start=1))
    assert_same_parts(described(tmp_path, f'images: "*.bmp"\nmasks:\n{masks}'), EXEMPLARS)


def test_messages_name_what_a_label_has(tmp_path):
    for exemplar in EXEMPLARS:
        store(tmp_path / f"{exemplar.name}.bmp", exemplar.portrait)
        store(tmp_path / f"{exemplar.name}.png", palette(exemplar.segmentation))
    text = 'images: "*.bmp"\nlabels: "{name}.png"\n'
    with pytest.raises(ConfiguralError, match=r"no nose; it has the ids 0, 1, 2, 3, 4 and the colours \[0, 0, 0\]"):
        described(tmp_path, text + "ids: {left_eye: 1, right_eye: 2, nose: 7, mouth: 4}\n")
    for exemplar in EXEMPLARS:
        store(tmp_path / f"{exemplar.name}.png", palette(exemplar.segmentation).convert("RGB"))
    with pytest.raises(ConfiguralError, match=r"no ids but the colours .*\[0, 128, 0\]"):
        described(tmp_path, text + f"ids: {IDS}\n")


def test_inverted_masks_are_refused(tmp_path):
    for exemplar in EXEMPLARS:
        store(tmp_path / f"{exemplar.name}.bmp", exemplar.portrait)
        for number in range(1, 5):
            store(tmp_path / f"{exemplar.name}_{number}.png", exemplar.segmentation != number)
    masks = "".join(f'  {kind}: "{{name}}_{n}.png"\n' for n, kind in enumerate(FACE.part_kinds, start=1))
    with pytest.raises(ConfiguralError, match="mask of its left eye covers all four corners"):
        described(tmp_path, f'images: "*.bmp"\nmasks:\n{masks}')


@pytest.mark.parametrize("by", range(1, 9))
def test_orientations_are_those_of_pillow(by):
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = by
    np.testing.assert_array_equal(turned(pixels, by), np.asarray(ImageOps.exif_transpose(image)))


def stored(shown: np.ndarray, by: int) -> np.ndarray:
    """The pixels that an orientation shows as these."""
    return turned(shown, {6: 8, 8: 6}.get(by, by))


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("drawn", ["stored", "shown"])
@pytest.mark.parametrize("square", [False, True])
def test_labels_may_be_drawn_on_stored_or_on_shown_pixels(tmp_path, suffix, drawn, square):
    orientations, exemplars = (2, 3, 6, 8), []
    for by in orientations:
        exemplar = block_exemplar(str(by), shade=60 + by)
        rows, cols = exemplar.size
        margins = ((0, 0), (0, rows - cols if square else 0))
        portrait = np.pad(exemplar.portrait, (*margins, (0, 0)))
        segmentation = np.pad(exemplar.segmentation, margins)
        image = Image.fromarray(stored(portrait, by))
        image.getexif()[0x0112] = by
        store(tmp_path / f"photos/{by}.{suffix}", image, exif=image.getexif())
        store(tmp_path / f"labels/{by}.png", segmentation if drawn == "shown" else stored(segmentation, by))
        exemplars.append((portrait, segmentation))
    library = described(tmp_path, f'images: "photos/*.{suffix}"\nlabels: "labels/{{name}}.png"\nids: {IDS}\n')
    for loaded, (portrait, segmentation) in zip(library.exemplars, exemplars, strict=True):
        np.testing.assert_array_equal(loaded.segmentation, segmentation)
        assert np.abs(loaded.portrait.astype(int) - portrait).mean() <= (0 if suffix == "png" else 6)


def test_a_label_that_fits_both_ways_is_refused(tmp_path):
    for exemplar in EXEMPLARS:
        image = Image.fromarray(stored(exemplar.portrait, 2))
        image.getexif()[0x0112] = 2
        store(tmp_path / f"{exemplar.name}.jpg", image, exif=image.getexif())
        store(tmp_path / f"{exemplar.name}.png", exemplar.segmentation)
    eyes = "ids: {eyes: [1, 2], nose: 3, mouth: 4}"  # whose sides nobody named
    with pytest.raises(ConfiguralError, match=r"EXIF orientation 2.*turn the image"):
        described(tmp_path, f'images: "*.jpg"\nlabels: "{{name}}.png"\n{eyes}\n')


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda label: label[::-1], "above the eyes"),
        (lambda label: np.array([0, 2, 1, 3, 4], np.uint8)[label], "whose sides"),
        (lambda label: np.array([0, 3, 2, 1, 4], np.uint8)[label], "one of its eyes"),
        (lambda label: np.where(label == 4, 0, label) + 4 * np.roll(label == 4, 40, axis=1), "its mouth lies"),
    ],
)
def test_parts_that_lie_as_in_no_face_are_told(change, words):
    assert not implausible(EXEMPLARS[0].segmentation)
    assert words in implausible(change(EXEMPLARS[0].segmentation).astype(np.uint8))


def test_two_people_in_one_portrait_are_no_exemplar(tmp_path):
    for name in "ab":
        upper, square = EXEMPLARS[0].segmentation, np.ones((3, 3), np.uint8)
        portraits = np.vstack([EXEMPLARS[0].portrait] * 2)
        # Of the larger piece of each part, the eyes and the nose are of the upper face, the mouth of the lower.
        lower = sum(np.uint8(kind) * cv2.erode(np.uint8(upper == kind), square) for kind in (1, 2, 3))
        label = np.vstack([upper, lower + np.uint8(4) * cv2.dilate(np.uint8(upper == 4), square)])
        store(tmp_path / f"{name}.bmp", portraits)
        store(tmp_path / f"{name}.png", label)
    with pytest.raises(ConfiguralError, match=r"its mouth lies .* eye distances below the eyes"):
        described(tmp_path, f'images: "*.bmp"\nlabels: "{{name}}.png"\nids: {IDS}\n')


@pytest.mark.parametrize(
    ("image", "label", "text", "names", "persons"),
    [
        ("photos/p{0}/{1}.png", "labels/p{0}/{1}.png", 'images: "photos/*/*.png"\nlabels: "labels/{name}.png"\n'
         'person: "^(p[0-9])"\n', ["p0/0", "p0/1", "p1/0", "p1/1"], 2),
        ("p{0}/images/{1}.png", "p{0}/labels/{1}.png", 'images: "{split}/images/*.png"\n'
         'labels: "{split}/labels/{name}.png"\n', ["p0/images/0", "p0/images/1", "p1/images/0", "p1/images/1"], 4),
        ("{0}{1}.png", "{0}{1}_s.png", 'images: "*.png"\nlabels: "{name}_s.png"\n', ["00", "01", "10", "11"], 4),
        ("RGB/-15/ann{0}+{1}.png", "labels/-15/ann{0}+{1}.png", 'images: "RGB/*/*.png"\n'
         'labels: "labels/{name}.png"\nperson: "^(ann[0-9])"\n',
         ["-15/ann0+0", "-15/ann0+1", "-15/ann1+0", "-15/ann1+1"], 2),
    ],
)  # fmt: skip
def test_layouts(tmp_path, image, label, text, names, persons):
    for a in (0, 1):
        for b in (0, 1):
            exemplar = block_exemplar("", shade=60 + 10 * a + 20 * b)
            store(tmp_path / image.format(a, b), exemplar.portrait)
            store(tmp_path / label.format(a, b), exemplar.segmentation)
    library = described(tmp_path, f"{text}ids: {IDS}\n")
    assert [exemplar.name for exemplar in library.exemplars] == names
    assert len(set(library.persons)) == persons
    assert library.skipped == ()


def test_a_face_in_a_wide_image_is_cut_out(tmp_path):
    """As in most photographs of people: what is cut out is no wider than high, and shows the parts as they were."""
    painted = load("synthetic:2").exemplars
    for name, exemplar in zip("ab", painted, strict=True):
        rows, cols = exemplar.segmentation.shape
        portrait, label = np.full((rows, 2 * cols, 3), 90, np.uint8), np.zeros((rows, 2 * cols), np.uint8)
        portrait[:, cols // 2 : cols // 2 + cols] = exemplar.portrait
        label[:, cols // 2 : cols // 2 + cols] = exemplar.segmentation
        store(tmp_path / f"{name}.bmp", portrait)
        store(tmp_path / f"{name}.png", label)
    text = f'images: "*.bmp"\nlabels: "{{name}}.png"\nids: {IDS}\n'
    for words, cut in (("", False), ("crop: 0.1\n", True)):
        for loaded, exemplar in zip(described(tmp_path, text + words).exemplars, painted, strict=True):
            rows, cols = loaded.segmentation.shape
            assert (rows >= cols) == cut
            for kind in range(1, 5):
                shown = loaded.portrait[loaded.segmentation == kind]
                np.testing.assert_array_equal(shown, exemplar.portrait[exemplar.segmentation == kind])


@pytest.mark.parametrize(
    "text",
    [
        'images: "*.png"\nlabels: "../labels/{name}.png"\n',
        'images: "*.png"\nlabels: "/labels/{name}.png"\n',
        'images: "a/../../*.png"\nlabels: "{name}_seg.png"\n',
    ],
)
def test_paths_do_not_leave_the_folder(tmp_path, text):
    with pytest.raises(ConfiguralError, match=r"portraits.yaml, line"):
        described(tmp_path, f"{text}ids: {IDS}\n")


def test_the_same_image_under_two_names_is_one_person(tmp_path):
    for number in range(20):
        exemplar = block_exemplar("", shade=60 + 5 * (number // 2))
        store(tmp_path / f"{number}.{'png' if number % 2 else 'bmp'}", exemplar.portrait)
        store(tmp_path / f"{number}_seg.png", exemplar.segmentation)
    library = described(tmp_path, f'images: "*.*[gp]"\nlabels: "{{name}}_seg.png"\nids: {IDS}\n')
    assert len(library) == 20
    assert len(set(library.persons)) == 10
    frame = sample(library, condition="baseline", split="identity", count=400, seed=0).frame
    subsets = {name: {int(host) // 2 for host in group} for name, group in frame.groupby("subset")["host"]}
    assert not subsets["train"] & subsets["test"]


def test_persons_who_share_an_image_are_one_whatever_the_source():
    exemplars = [
        block_exemplar("a", shade=60), block_exemplar("b", shade=69), block_exemplar("c", shade=69),
        block_exemplar("d", shade=60), block_exemplar("e", shade=99),
    ]  # fmt: skip
    vars(exemplars[1])["person"] = "a"
    assert Library("own", exemplars).persons == ("a", "a", "a", "a", "e")


def test_a_changed_label_is_noticed_whatever_its_size_and_time(tmp_path):
    for exemplar in EXEMPLARS:
        store(tmp_path / f"{exemplar.name}.png", exemplar.portrait)
        store(tmp_path / f"{exemplar.name}_seg.bmp", exemplar.segmentation)
    text = f'images: "*.png"\nlabels: "{{name}}_seg.bmp"\nids: {IDS}\n'
    before = described(tmp_path, text)[0].segmentation.copy()
    label = tmp_path / "0_seg.bmp"
    times = os.stat(label)
    store(label, np.roll(EXEMPLARS[0].segmentation, 3, axis=0))
    os.utime(label, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert os.stat(label).st_size == times.st_size
    np.testing.assert_array_equal(described(tmp_path, text)[0].segmentation, np.roll(before, 3, axis=0))


def damaged_jpeg() -> bytes:
    """A JPEG in which libjpeg finds an impossible code."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = bytearray(cv2.imencode(".jpg", pixels)[1].tobytes())
    content[len(content) // 2 : len(content) // 2 + 8] = b"\xff\x00" * 4
    return bytes(content)


@pytest.mark.parametrize("suffix", ["jpg", "tif", "webp", "png", "bmp"])
def test_half_an_image_is_refused(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    store(path, np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    assert read_image(path).shape == (64, 64, 3)
    content = path.read_bytes()
    for part in (len(content) // 2, len(content) * 3 // 4):
        path.write_bytes(content[:part])
        with pytest.raises(PortraitError, match=r"damaged|cut off|not a readable"):
            read_image(path)


def test_what_libjpeg_warns_of_is_refused(tmp_path, capfd):
    (tmp_path / "a.jpg").write_bytes(damaged_jpeg())
    with pytest.raises(PortraitError, match="corrupt jpeg data"):
        read_image(tmp_path / "a.jpg")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("grey", [False, True])
def test_a_jpeg_that_lacks_its_end_marker_alone_is_whole(tmp_path, grey):
    content = cv2.imencode(".jpg", EXEMPLARS[0].portrait[..., 0] if grey else EXEMPLARS[0].portrait)[1].tobytes()
    (tmp_path / "a.jpg").write_bytes(content)
    (tmp_path / "b.jpg").write_bytes(content[:-2])
    np.testing.assert_array_equal(read_image(tmp_path / "b.jpg"), read_image(tmp_path / "a.jpg"))


@pytest.mark.parametrize("cut", [8, 40, 400])
def test_a_jpeg_that_lacks_pixels_is_refused(tmp_path, cut):
    content = cv2.imencode(".jpg", EXEMPLARS[0].portrait)[1].tobytes()
    (tmp_path / "b.jpg").write_bytes(content[:-cut])
    with pytest.raises(PortraitError, match="cut off"):
        read_image(tmp_path / "b.jpg")


def test_a_progressive_jpeg_needs_its_end_marker(tmp_path):
    content = cv2.imencode(".jpg", EXEMPLARS[0].portrait, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    (tmp_path / "b.jpg").write_bytes(content[:-2])
    with pytest.raises(PortraitError, match=r"cut off \(no end marker\)"):
        read_image(tmp_path / "b.jpg")


def test_huge_images_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    store(tmp_path / "a.png", Image.new("1", (10_001, 10_000)))
    with monkeypatch.context() as patched:
        patched.setattr(cv2, "imdecode", None)
        with pytest.raises(PortraitError, match=r"10,001×10,000 pixels, more than 100 megapixels.*CONFIGURAL_MEGA"):
            read_image(tmp_path / "a.png")
    store(tmp_path / "b.png", np.zeros((10, 30), np.uint8))
    monkeypatch.setenv("CONFIGURAL_MEGAPIXELS", "0.0003")
    assert read_image(tmp_path / "b.png").shape == (10, 30, 3)
    monkeypatch.setenv("CONFIGURAL_MEGAPIXELS", "0.0002")
    with pytest.raises(PortraitError, match="megapixels"):
        read_image(tmp_path / "b.png")


def test_heic_is_read_by_a_plug_in_or_named(tmp_path, monkeypatch):
    """Apple's photographs: 16 bytes of a header are enough to know them."""
    path = tmp_path / "photograph.heic"
    path.write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PortraitError, match="pip install pillow-heif"):
        read_image(path)
    monkeypatch.undo()
    plug_in = pytest.importorskip("pillow_heif")
    image = np.full((64, 48, 3), (200, 90, 40), np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6
    heic = plug_in.from_pillow(Image.fromarray(image))
    heic.save(path, quality=-1, exif=turned.tobytes())
    assert read_image(path).shape == (48, 64, 3)
    assert np.abs(read_image(path).astype(int) - image[0, 0]).max() < 12


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))
    | arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)))
)
def test_png_files_are_read_by_everybody_as_what_was_written(image):
    content = encode_png(image)
    with Image.open(io.BytesIO(content)) as opened:
        opened.verify()
    with Image.open(io.BytesIO(content)) as opened:
        assert np.array_equal(np.asarray(opened), image)
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(decoded if image.ndim == 2 else cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), image)
    assert encode_png(image[::-1][::-1]) == content  # whatever the order in memory
