"""Draw ice-cream vans: images, label images and canvases, beside the two YAML files that say what they show.

Usage: python examples/vans/draw_vans.py FOLDER [--count 24] [--seed 0]
"""

import argparse
import shutil
from pathlib import Path

import cv2
import numpy as np

COLS = 512
LABELS = ((0, 0, 0), (0, 114, 178), (86, 180, 233), (230, 159, 0), (204, 121, 167), (0, 158, 115))
PAINTS = np.float32([(150, 214, 190), (246, 168, 184), (140, 190, 232), (250, 222, 130), (240, 128, 104),
                     (190, 168, 226), (206, 62, 66), (72, 140, 150), (112, 176, 98)])  # fmt: skip
FLAVOURS = ((250, 236, 206), (244, 150, 170), (112, 70, 52), (176, 222, 160), (250, 206, 96), (150, 120, 200))
WEATHERS = {  # sky above, sky at the horizon, grass, colour of the light
    "noon": ((84, 150, 220), (206, 230, 246), (128, 166, 94), (1.0, 1.0, 1.0)),
    "evening": ((110, 112, 170), (254, 190, 132), (152, 134, 86), (1.04, 0.93, 0.82)),
    "overcast": ((150, 160, 172), (214, 218, 222), (112, 134, 100), (0.93, 0.95, 0.97)),
    "rain": ((92, 104, 120), (162, 174, 184), (86, 108, 90), (0.80, 0.85, 0.91)),
    "snow": ((164, 178, 198), (228, 232, 240), (232, 236, 244), (0.95, 0.97, 1.02)),
}


class Painting:
    """An image to paint shapes on; a shape is the fraction of each pixel that it covers, so edges are smooth."""

    def __init__(self, rows):
        self.y, self.x = np.mgrid[:rows, :COLS].astype(np.float32) + 0.5
        self.image = np.zeros((rows, COLS, 3), np.float32)

    def paint(self, shape, colour, shade=1.0):
        """Cover a shape with a colour times a shade."""
        shape, shade, _ = np.broadcast_arrays(shape, shade, self.y)
        covered, colour = shape > 0, np.float32(colour)
        image, shape = self.image[covered], np.float64(shape[covered, None])
        self.image[covered] = image + np.float32(shape * (shade[covered, None] * colour - image))

    def below(self, y):
        return np.clip(self.y - y + 0.5, 0, 1)

    def disc(self, x, y, radius, tall=1.0):
        return np.clip(radius - np.hypot(self.x - x, (self.y - y) / tall) + 0.5, 0, 1)

    def box(self, left, top, right, bottom, corner=1.0):
        across = np.maximum(np.abs(self.x - (left + right) / 2) - (right - left) / 2 + corner, 0)
        down = np.maximum(np.abs(self.y - (top + bottom) / 2) - (bottom - top) / 2 + corner, 0)
        return np.clip(corner - np.hypot(across, down) + 0.5, 0, 1)

    def polygon(self, *points, corner=1.0, finer=3):
        large = np.zeros((len(self.y) * finer, COLS * finer), np.uint8)
        cv2.fillPoly(large, [np.rint(np.array(points) * finer).astype(int)], 255)
        large = np.where(cv2.GaussianBlur(large, (0, 0), corner * finer / 2) > 127, 255, 0)  # rounds corners
        return cv2.resize(np.float32(large / 255), None, fx=1 / finer, fy=1 / finer, interpolation=cv2.INTER_AREA)

    def spots(self, random, size):
        """Soft spots of about that size, of mean 0 and standard deviation 1."""
        spots = cv2.GaussianBlur(random.normal(size=self.x.shape), (0, 0), size)
        return (spots - spots.mean()) / spots.std()


def scenery(art, random, weather, ground):
    above, horizon, grass, _ = map(np.float32, WEATHERS[weather])
    far = ground - random.uniform(56, 84)
    height = np.clip(art.y / far, 0, 1)
    art.image[:] = above + height[..., None] * (horizon - above)
    if weather in ("noon", "evening"):
        sun = np.hypot(art.x - random.uniform(60, 450), art.y - random.uniform(24, 60))
        art.paint(np.clip(0.9 * np.exp(-((sun / 60) ** 2)) + np.clip(19 - sun, 0, 1), 0, 1), (255, 246, 214))
    clouds = art.spots(random, 20) + 0.5 * art.spots(random, 6) - 0.3
    art.paint(np.clip(0.45 * clouds, 0, 0.85) * (1 - height**2), 0.7 * horizon + 76)
    if random.random() < 0.5:  # a town
        for left in np.arange(-20, COLS, 30):
            top, wide, tower = far - random.uniform(20, 110), random.uniform(26, 52), random.uniform(0.5, 0.85)
            art.paint(art.box(left, top, left + wide, far + 60), tower * horizon)
            panes = (np.abs((art.x - left) % 11 - 7) < 2.5) & (np.abs((art.y - top) % 13 - 9) < 3.5)
            art.paint(0.25 * panes * art.box(left + 3, top, left + wide - 3, far), (255, 226, 160))
    else:
        for near in (0.2, 0.5, 0.8):
            hills = sum(
                random.uniform(4, 14) * np.sin(art.x / random.uniform(28, 90) + random.uniform(0, 6))
                for _ in range(3)
            )
            art.paint(art.below(far - 50 + 50 * near + hills), near * 0.9 * grass + (1 - near) * 0.6 * horizon)
    art.paint(art.below(far), grass, 1 + 0.05 * art.spots(random, 3))
    art.paint(art.below(ground - 26), 0.35 * grass + 62, 1 + 0.03 * art.spots(random, 1.2))


def body(art, random, left, right, roof, floor, ground):
    """Paint the van without its parts: nothing shows where they belong."""
    near = np.clip((art.x - left + 8) / 30, 0, 1) * np.clip((right + 8 - art.x) / 30, 0, 1)
    art.paint(0.6 * near * np.exp(-(((art.y - ground) / 11) ** 2)), (18, 20, 26))
    belt, front = roof + (floor - roof) * random.uniform(0.56, 0.64), right - random.uniform(46, 70)
    shell = art.polygon((left, floor), (left, roof), (front, roof), (right - 10, belt), (right, floor), corner=22)
    down = (art.y - roof) / (floor - roof)
    shade = 1.06 - 0.22 * down**2 + 0.10 * np.exp(-(((down - 0.12) / 0.06) ** 2))
    cream, colour = np.float32((248, 242, 226)), random.choice(PAINTS)
    upper, lower = ((cream, colour), (colour, cream), (colour, 0.8 * colour))[random.integers(3)]
    art.paint(shell, upper, shade)
    art.paint(shell * art.below(belt), lower, shade)
    art.paint(shell * art.below(belt - 2) * (1 - art.below(belt + 2)), (236, 238, 240), shade)
    art.paint(
        art.box(left - 5, floor - 12, right + 6, floor + 1, 6), (196, 200, 206), 1.25 - 0.03 * (art.y - floor + 12)
    )
    art.paint(art.disc(right - 13, belt + 28, 10), (255, 248, 214), 1.1 - 0.02 * (art.y - belt - 18))
    art.paint(art.box(left + 1, belt + 16, left + 8, belt + 38, 3), (206, 50, 44))


def wheel(art, random, x, y, radius, rim, spokes):
    away, light = np.hypot(art.x - x, art.y - y), 1.1 - 0.3 * (art.y - y) / radius
    art.paint(1, (34, 34, 38), 1 + 0.6 * np.exp(-(((away - 0.86 * radius) / 4) ** 2)))
    art.paint(art.disc(x, y, 0.72 * radius), (232, 230, 224))
    art.paint(art.disc(x, y, 0.64 * radius), rim, light)
    turn = np.cos(np.arctan2(art.y - y, art.x - x) * spokes + random.uniform(0, 6))
    holes = art.disc(x, y, 0.54 * radius) - art.disc(x, y, 0.3 * radius)
    art.paint(holes * np.clip(4 * turn, 0, 1), (58, 58, 64))
    art.paint(art.disc(x, y, 0.2 * radius), (222, 224, 228), light)
    return art.disc(x, y, radius)


def window(art, random, left, top, wide, high):
    lean, x, y = random.uniform(0.16, 0.3) * wide, left + wide * random.uniform(0.38, 0.5), top + 0.62 * high
    frame = np.array([(left, top), (left + wide - lean, top), (left + wide, top + high), (left, top + high)])
    art.paint(1, ((64, 68, 74), (226, 228, 230))[random.integers(2)])
    glass = art.polygon(*(0.86 * frame + 0.14 * frame.mean(axis=0)), corner=6)
    art.paint(glass, (96, 132, 156), 1.15 - 0.5 * (art.y - top) / high)
    driver = np.maximum(art.disc(x, y, 0.17 * high, tall=1.2), art.disc(x, top + 1.12 * high, 0.36 * high))
    art.paint(glass * driver, (48, 54, 64))
    slant = np.abs(art.x + 0.7 * (art.y - top) - left - random.uniform(0.5, 1.0) * wide)
    art.paint(0.35 * glass * np.clip(9 - slant, 0, 1), (235, 244, 250))
    return art.polygon(*frame, corner=8)


def hatch(art, random, left, top, wide, high):
    down, counter = (art.y - top) / high, art.below(top + 0.84 * high)
    art.paint(1, (84, 62, 52), 1.5 - 0.9 * down)
    for x in np.arange(left + 16, left + wide - 8, 19):
        art.paint(art.disc(x, top + 0.83 * high, 10), FLAVOURS[random.integers(6)], 1.8 - down)
    art.paint(counter, (228, 224, 214), 3.2 - 2.5 * down)
    pitch, stripe, awning = wide / random.integers(5, 8), random.choice(PAINTS), 1.04 - 0.3 * down
    along = (art.x - left) / pitch
    edge = top + 0.36 * high + 0.35 * pitch * np.sqrt(np.clip(1 - (2 * (along % 1) - 1) ** 2, 0, 1))
    art.paint(0.45 * np.clip((edge + 9 - art.y) / 9, 0, 1), (20, 14, 12))
    art.paint(1 - art.below(edge), (250, 248, 242), awning)
    art.paint((1 - art.below(edge)) * np.clip(pitch * (0.5 - np.abs(along % 2 - 0.5)) + 0.5, 0, 1), stripe, awning)
    return art.box(left, top, left + wide, top + high, 5)


def sign(art, random, x, y, radius):
    board = random.choice(PAINTS)
    art.paint(1, 0.55 * board)
    art.paint(art.disc(x, y, radius - 4), 0.25 * board + 186, 1.05 - 0.15 * (art.y - y) / radius)
    cone = art.polygon(*(np.array([(-0.36, -0.02), (0.36, -0.02), (0, 0.82)]) * radius + (x, y)))
    waffle = (np.cos((art.x + art.y) * 0.9) > 0.6) + 1.0 * (np.cos((art.x - art.y) * 0.9) > 0.6)
    art.paint(cone, (222, 164, 92), 1 - 0.16 * waffle)
    for across, up in ((-0.22, 0.16), (0.22, 0.16), (0, 0.46))[: random.integers(2, 4)]:
        ball = x + across * radius, y - up * radius
        light = 1.12 - 1.0 * np.hypot(art.x - ball[0] + 4, art.y - ball[1] + 5) / radius
        art.paint(art.disc(*ball, 0.3 * radius), FLAVOURS[random.integers(6)], light)
    return art.disc(x, y, radius)


def draw(random, weather):
    """Image, canvas, and for each pixel the number of its part from 1 or 0 for none."""
    between = random.uniform
    art = Painting(random.integers(296, 329))
    rows, radius, size = len(art.y), between(36, 41), between(37, 42)
    left, right, roof, ground = between(26, 42), COLS - between(26, 42), between(38, 54), rows - between(24, 30)
    scenery(art, random, weather, ground)
    body(art, random, left, right, roof, ground - 0.66 * radius, ground)
    canvas, labels = art.image.copy(), np.zeros((rows, COLS), np.uint8)
    tyre = ground - radius, radius, (*PAINTS, (200, 204, 210))[random.integers(10)], random.integers(4, 9)
    first, top = left + between(20, 26), roof + between(20, 26)
    parts = (
        (wheel, left + between(82, 92), *tyre),
        (wheel, right - between(88, 98), *tyre),
        (window, right - between(136, 144), top, between(76, 86), between(60, 70)),
        (hatch, first + 2 * size + between(14, 24), top, between(112, 126), between(74, 84)),
        (sign, first + size, top + size, size),
    )
    for number, (part, *where) in enumerate(parts, start=1):
        layer = Painting(rows)
        shape = part(layer, random, *where)
        art.image += shape[..., None] * (layer.image - art.image)
        labels[shape > 0] = number
    drops = np.zeros((rows, COLS), np.uint8)
    if weather == "snow":
        for x, y, flake in random.integers((0, 0, 10), (16 * COLS, 16 * rows, 36), (170, 3)):
            cv2.circle(drops, (x, y), flake, 217, cv2.FILLED, cv2.LINE_AA, 4)
    elif weather == "rain":
        falling = np.where(random.random((rows, COLS)) < 0.012, 255, 0).astype(np.uint8)
        drops = np.minimum(cv2.filter2D(falling, -1, np.eye(15)[::-1] / 4), 115)
    drops, grain, light = drops[..., None] / 255, random.normal(0, 1.5, (rows, COLS, 1)), WEATHERS[weather][3]
    seen = [(image + drops * (235 - image)) * light + grain for image in (art.image, canvas)]
    return *(np.clip(np.rint(image), 0, 255).astype(np.uint8) for image in seen), labels


def main():
    """Draw into a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    for number in range(asked.count):
        random = np.random.default_rng([asked.seed, number])
        image, canvas, labels = draw(random, list(WEATHERS)[number % len(WEATHERS)])
        for kind, pixels in (("images", image), ("labels", np.uint8(LABELS)[labels]), ("canvases", canvas)):
            (asked.folder / kind).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(asked.folder / kind / f"van_{number + 1:02}.png"), pixels[..., ::-1])
    for name in ("van.yaml", "portraits.yaml"):
        shutil.copy(Path(__file__).with_name(name), asked.folder)


if __name__ == "__main__":
    main()
