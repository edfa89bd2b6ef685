"""fill_parts against portraits whose skin is known everywhere, because the test painted it."""

import time

import cv2
import numpy as np
import pytest

from configural.errors import ConfiguralError
from configural.objects import ObjectScheme
from configural.objects.scheme import LengthUnit
from configural.portraits import Exemplar
from configural.portraits.canvas import _plate, fill_parts

ROWS, COLS = 512, 372
Y, X = np.mgrid[:ROWS, :COLS].astype(float)
EYE_ROW, LEFT, RIGHT, MIDDLE = 230, 126, 246, 186
LIGHTS = {
    "light": ((225, 190, 170), 0.0),
    "dark": ((96, 66, 52), 0.0),
    "from the left": ((190, 150, 130), -0.5),
    "from the right": ((150, 110, 90), 0.6),
}
# The fill may look at and touch what is this near to a part, in a portrait of 512 rows.
REACH = 90


def ellipse(row, col, half_height, half_width):
    return ((Y - row) / half_height) ** 2 + ((X - col) / half_width) ** 2 <= 1


def paint(colour=(200, 160, 140), side=0.0, grain=3.0, seed=0, beard=0.0):
    """A face: (portrait, segmentation, its skin without parts, where its brows are)."""
    rng = np.random.default_rng(seed)
    shade = 1 + side * (X - MIDDLE) / COLS - 0.25 * ((X - MIDDLE) / 186) ** 2 - 0.1 * (Y - 256) / 256
    skin = np.asarray(colour) * shade[..., None]
    if beard:
        skin *= 1 - beard * np.clip((Y - 330) / 40, 0, 1)[..., None]
    face = ellipse(280, MIDDLE, 215, 150)
    image = np.where(face[..., None], skin, (205, 210, 215))
    hair = ellipse(150, MIDDLE, 140, 165) & (Y < 140 + 0.002 * (X - MIDDLE) ** 2)
    image[hair] = 0.2 * np.asarray(colour)
    brows = np.zeros((ROWS, COLS), bool)
    segmentation = np.zeros((ROWS, COLS), np.uint8)
    for number, col in enumerate((LEFT, RIGHT), start=1):
        image *= 1 - 0.25 * np.exp(-(((Y - EYE_ROW) / 22) ** 2 + ((X - col) / 36) ** 2))[..., None]
        brow = ellipse(EYE_ROW - 34, col, 7, 34)
        brows |= brow
        image[brow] = 0.3 * np.asarray(colour)
        eye = ellipse(EYE_ROW, col, 13, 27)
        image[eye] = (235, 235, 235)
        image[eye & ellipse(EYE_ROW, col, 12, 12)] = (40, 30, 25)
        image[eye & (Y < EYE_ROW - 9)] = (20, 15, 15)
        segmentation[eye] = number
    nose = (np.abs(X - MIDDLE) < 10 + (Y - 235) * 0.24) & (Y > 235) & (Y < 325)
    image[nose] *= 0.8 + 0.35 * np.exp(-(((X - MIDDLE + 8) / 14) ** 2))[nose][:, None]
    for col in (-18, 18):
        image[ellipse(317, MIDDLE + col, 6, 9)] *= 0.25
    segmentation[nose] = 3
    mouth = ellipse(372, MIDDLE, 17, 48)
    image[mouth] = np.asarray(colour) * (0.85, 0.45, 0.5)
    image[mouth & (np.abs(Y - 371) < 2)] *= 0.3
    segmentation[mouth] = 4
    noise = cv2.GaussianBlur(rng.normal(0, 1, (ROWS, COLS, 3)), (0, 0), 0.8)
    image += grain * noise / noise.std()
    return np.clip(np.rint(image), 0, 255).astype(np.uint8), segmentation, skin, brows


def away(segmentation):
    return cv2.distanceTransform((segmentation == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def without_grain(image, sigma=4):
    return cv2.GaussianBlur(image.astype(np.float32), (0, 0), sigma)


def alikeness(detail):
    return np.corrcoef(detail[:, 1:].ravel(), detail[:, :-1].ravel())[0, 1]


@pytest.mark.parametrize("light", LIGHTS)
def test_fill_is_the_skin_that_was_painted_over(light):
    colour, side = LIGHTS[light]
    portrait, segmentation, skin, _ = paint(colour, side)
    canvas = fill_parts(portrait, segmentation)
    inside = away(segmentation) < 5
    error = np.abs(without_grain(canvas) - skin).max(axis=2)[inside]
    before = np.abs(without_grain(portrait) - skin).max(axis=2)[inside]
    assert np.median(error) < 0.03 * max(colour)
    assert error.max() < 0.06 * max(colour) + 2
    assert error.mean() < before.mean() / 8


@pytest.mark.parametrize("light", LIGHTS)
def test_nothing_of_a_part_is_left(light):
    # What the parts differed from the skin by must not show in the fill, however weak, upright or inverted.
    portrait, segmentation, skin, _ = paint(*LIGHTS[light])
    canvas = fill_parts(portrait, segmentation)
    for number in range(1, 5):
        mask = segmentation == number
        was = (without_grain(portrait, 2) - skin).mean(axis=2)[mask]
        now = (without_grain(canvas, 2) - skin).mean(axis=2)[mask]
        was, now = was - was.mean(), now - now.mean()
        assert abs(was @ now) / (was @ was) < 0.03


def test_no_seam():
    portrait, segmentation, _, _ = paint()
    canvas = without_grain(fill_parts(portrait, segmentation).mean(axis=2), 3)
    slope = np.hypot(cv2.Sobel(canvas, cv2.CV_32F, 1, 0), cv2.Sobel(canvas, cv2.CV_32F, 0, 1)) / 8
    cheeks_and_chin = (away(segmentation) < 40) & (Y > EYE_ROW) & ellipse(280, MIDDLE, 195, 130)
    # The painted shading itself has a slope of up to 1 grey level per pixel.
    assert slope[cheeks_and_chin].max() < 1.8


@pytest.mark.parametrize("grain", [1.0, 3.0, 8.0])
def test_grain_is_that_of_the_cheeks(grain):
    portrait, segmentation, _, _ = paint(grain=grain)
    canvas = fill_parts(portrait, segmentation).astype(np.float32)
    detail = canvas - without_grain(canvas, 3)
    distance = away(segmentation)
    fill = detail[(distance < 4) & (Y > EYE_ROW)]
    cheek = detail[(distance > REACH) & ellipse(280, MIDDLE, 205, 140) & (Y > 180)]
    assert len(cheek) > 300
    assert 0.75 < fill.std() / cheek.std() < 1.25
    # Colour grain stays colour grain: independent channels do not become grey noise.
    assert np.corrcoef(fill.T)[0, 1] < 0.35
    # Neighbouring pixels are as alike as those of the noise that was painted.
    chin = detail[345:395, 150:222, 1]
    noise = cv2.GaussianBlur(np.random.default_rng(1).normal(0, 1, (300, 300)), (0, 0), 0.8)
    truth = np.rint(128 + grain * noise / noise.std()).astype(np.float32)
    truth -= without_grain(truth, 3)
    assert alikeness(chin) == pytest.approx(alikeness(truth), abs=0.12)


def test_brows_and_everything_far_away_stay():
    portrait, segmentation, _, brows = paint()
    canvas = fill_parts(portrait, segmentation)
    np.testing.assert_array_equal(canvas[away(segmentation) > REACH], portrait[away(segmentation) > REACH])
    change = np.abs(canvas.astype(int) - portrait).max(axis=2)
    inner = cv2.erode(brows.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert np.mean(change[inner] > 10) < 0.05


def test_brows_do_not_darken_the_fill_below_them():
    portrait, segmentation, skin, brows = paint()
    below = brows.any(axis=0) & (Y > EYE_ROW - 22) & (Y < EYE_ROW)
    canvas = without_grain(fill_parts(portrait, segmentation), 2)
    assert np.abs(canvas - skin).max(axis=2)[below].mean() < 8
    assert (skin - canvas).max(axis=2)[below].max() < 20


def test_hair_beside_an_eye_stays_hair_and_does_not_darken_the_fill():
    portrait, segmentation, skin, _ = paint()
    strands = (X < LEFT - 52) & (Y > 100)  # 25 pixels from the eye's corner
    portrait[strands] = 40
    canvas = fill_parts(portrait, segmentation)
    assert canvas[strands & (X > LEFT - 62) & (np.abs(Y - EYE_ROW) < 15)].mean() < 65
    eye = segmentation == 1
    assert np.abs(without_grain(canvas) - skin).max(axis=2)[eye].mean() < 14


def test_wall_as_light_as_the_skin_stays_out_of_the_fill():
    portrait, segmentation, skin, _ = paint()
    wall = np.abs(X - MIDDLE) > 117  # 30 pixels from the eyes' corners
    portrait[wall] = (150, 160, 185)
    canvas = fill_parts(portrait, segmentation)
    assert np.abs(canvas[np.abs(X - MIDDLE) > 121].astype(int) - (150, 160, 185)).max() < 12
    near = (away(segmentation) < 20) & (Y > EYE_ROW - 10)
    error = np.abs(without_grain(canvas) - skin).max(axis=2)[near]
    assert error.max() < 11


def test_beard_goes_on_where_the_mouth_was():
    shaven = paint()[2]
    portrait, segmentation, bearded, _ = paint(beard=0.4)
    mouth = segmentation == 4
    error = np.abs(without_grain(fill_parts(portrait, segmentation)) - bearded).max(axis=2)[mouth]
    assert error.mean() < 0.3 * np.abs(shaven - bearded).max(axis=2)[mouth].mean()


def test_same_input_same_bytes_and_inputs_untouched():
    portrait, segmentation, _, _ = paint()
    before = portrait.copy(), segmentation.copy()
    first, second = fill_parts(portrait, segmentation), fill_parts(portrait, segmentation)
    assert first.tobytes() == second.tobytes()
    np.testing.assert_array_equal(portrait, before[0])
    np.testing.assert_array_equal(segmentation, before[1])


@pytest.mark.parametrize("rows", [64, 256, 1024])
def test_lengths_scale_with_the_height(rows):
    portrait, segmentation, skin, _ = paint()
    size = (round(COLS * rows / ROWS), rows)
    portrait, skin = (cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in (portrait, skin))
    segmentation = cv2.resize(segmentation, size, interpolation=cv2.INTER_NEAREST)
    error = np.abs(without_grain(fill_parts(portrait, segmentation), 4 * rows / ROWS) - skin).max(axis=2)
    assert np.median(error[segmentation > 0]) < 6
    assert np.percentile(error[segmentation > 0], 99) < 14


@pytest.mark.parametrize("kept", [(), (1,), (1, 2), (3,), (4,), (2, 3, 4)])
def test_parts_may_be_missing(kept):
    portrait, segmentation, skin, _ = paint()
    segmentation[~np.isin(segmentation, kept)] = 0
    canvas = fill_parts(portrait, segmentation)
    if not kept:
        np.testing.assert_array_equal(canvas, portrait)
    else:
        assert np.median(np.abs(without_grain(canvas) - skin).max(axis=2)[segmentation > 0]) < 12


def test_part_at_the_edge_of_the_image():
    portrait, segmentation, _, _ = paint()
    cut = np.s_[EYE_ROW - 5 : 375, LEFT:]
    canvas = fill_parts(np.ascontiguousarray(portrait[cut]), np.ascontiguousarray(segmentation[cut]))
    assert canvas.shape == portrait[cut].shape


def test_flat_image_stays_flat():
    portrait = np.full((ROWS, COLS, 3), 128, np.uint8)
    canvas = fill_parts(portrait, paint()[1])
    assert np.abs(canvas.astype(int) - 128).max() <= 1


def test_an_exemplar_without_a_canvas_is_filled_in_as_its_own_scheme_says():
    portrait, segmentation, _, _ = paint()
    bare = {
        "name": "mask",
        "class_names": ("no_mask", "mask"),
        "part_kinds": ("one", "two", "three", "four", "five"),
    }
    scheme = ObjectScheme(**bare, unit=LengthUnit(name="gap", between=("one", "two")))
    segmentation[400:420, 180:200] = 5
    cut = Exemplar.cut("a", portrait, segmentation=segmentation, scheme=scheme)
    assert np.array_equal(cut.canvas, fill_parts(portrait, segmentation, scheme=scheme))
    with pytest.raises(ConfiguralError, match="shows part kind 5, the scheme face has 4: give the scheme"):
        fill_parts(portrait, segmentation)


def test_quick_enough_to_prepare_a_library():
    portrait, segmentation, _, _ = paint()
    fill_parts(portrait, segmentation)
    seconds = []
    for _ in range(5):
        start = time.process_time()
        fill_parts(portrait, segmentation)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.6  # about 0.1 s on one core


@pytest.mark.parametrize("shape", [(5, 7), (3, 2), (2, 6)])
def test_plate_is_the_bending_and_stretching_energy(shape):
    rows, cols = shape
    band = _plate(rows, cols, tension=0.3)
    matrix = np.zeros((rows * cols, rows * cols))
    for below, values in enumerate(band):
        for col in range(max(0, rows * cols - below)):
            matrix[col + below, col] = matrix[col, col + below] = values[col]
    field = np.random.default_rng(0).normal(size=shape)
    framed = np.pad(field, 1, mode="edge")
    laplacian = framed[:-2, 1:-1] + framed[2:, 1:-1] + framed[1:-1, :-2] + framed[1:-1, 2:] - 4 * field
    stretch = (np.diff(field, axis=0) ** 2).sum() + (np.diff(field, axis=1) ** 2).sum()
    assert field.ravel() @ matrix @ field.ravel() == pytest.approx((laplacian**2).sum() + 0.3 * stretch)
