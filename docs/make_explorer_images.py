"""Draws what the docs show of the explorer, in Chromium: a still image, and twenty seconds of it in motion.

Run `python docs/make_explorer_images.py`; it needs playwright and a Chromium (`CONFIGURAL_CHROMIUM` names one).
"""

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

import configural as cf

IMAGES = Path(__file__).with_name("images")
SIZE = {"width": 1240, "height": 780}
PAUSE = 200
"""Milliseconds between two images."""

_WHERE = """async (slot) => {
  const { scene } = (await explorer).stage;
  const { middle } = scene.items.find((item) => item.slot === slot);
  return [middle[1] + scene.corner[1], middle[0] + scene.corner[0]].map((n) => n / scene.side);
}"""


def shown(page: Any, count: int = 1) -> Iterator[Image.Image]:
    """The page as it is now, as many times as it shall stay."""
    page.wait_for_timeout(60)
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    yield from [image.resize((SIZE["width"] * 3 // 4, SIZE["height"] * 3 // 4), Image.Resampling.LANCZOS)] * count


def dragged(page: Any, slot: str, across: float, down: float) -> Iterator[Image.Image]:
    """A drag of what is selected, by fractions of the image."""
    box = page.locator("#stage").bounding_box()
    column, row = page.evaluate(_WHERE, slot)
    x, y = box["x"] + box["width"] * column, box["y"] + box["height"] * row
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 13):
        page.mouse.move(x + box["width"] * across * step / 12, y + box["height"] * down * step / 12)
        yield from shown(page)
    page.mouse.up()
    yield from shown(page, 6)


def told(page: Any, script: str) -> None:
    """Something done on the page without scrolling to its button."""
    page.evaluate(f"async () => {{ const app = await explorer; await app.{script}; }}")


def story(page: Any) -> Iterator[Image.Image]:
    """One part moves; all move; two change places."""
    yield from shown(page, 5)
    told(page, "select(['nose'])")
    yield from dragged(page, "nose", 0.0, -0.16)
    told(page, "act('reset')")
    told(page, "select([...app.material.scheme.part_kinds])")
    yield from shown(page, 4)
    yield from dragged(page, "nose", -0.13, -0.02)
    page.screenshot(path=IMAGES / "explorer.png")
    yield from shown(page, 8)
    told(page, "act('reset')")
    yield from shown(page, 4)
    told(page, "select(['nose', 'mouth'])")
    told(page, "act('swap')")
    page.wait_for_timeout(500)
    yield from shown(page, 12)


def main() -> None:
    """Write `images/explorer.png` and `images/explorer.webp`."""
    named = os.environ.get("CONFIGURAL_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "explorer.html"
        cf.explore(out=file)
        browser = playwright.chromium.launch(executable_path=named, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, locale="en", color_scheme="light")
        page.goto(file.as_uri())
        page.evaluate("async () => { await explorer; }")
        page.wait_for_timeout(500)
        first, *others = story(page)
        first.save(
            IMAGES / "explorer.webp",
            save_all=True,
            append_images=others,
            duration=PAUSE,
            quality=72,
            method=4,
            loop=0,
        )
        browser.close()


if __name__ == "__main__":
    main()
