"""Take the picture of the explorer's page, of painted faces and the two networks that come with the package.

Usage: python docs/make_explorer_image.py [CHROMIUM]
"""

import base64
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

import configural as cf

IMAGE = Path(__file__).parent / "images" / "explorer.png"
WIDTH, HEIGHT = 1280, 840
UP = 90
"""Rows by which all parts are moved together: one network loses the face, the other does not."""


def link(library: cf.portraits.Library) -> str:
    """What a link of the page ends with: the first exemplar with all of its parts moved up."""
    parts = [[kind, 0, -UP, 0, 0, 1, 1] for kind in range(len(library.scheme.part_kinds))]
    state = [1, [library[0].name], 0, 1, 0, parts]
    return "#s=" + base64.urlsafe_b64encode(json.dumps(state).encode()).decode().rstrip("=")


def main() -> None:
    """Write the page, open it in Chromium, and keep what is seen."""
    named = sys.argv[1] if len(sys.argv) > 1 else None
    browser = named or shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("no Chromium found: name it")
    library = cf.portraits.load("synthetic:6")
    with tempfile.TemporaryDirectory() as folder:
        cf.explore(source=library, out=f"{folder}/explorer.html")
        arguments = ("--headless", "--no-sandbox", "--hide-scrollbars", "--virtual-time-budget=20000", "--lang=en")
        shot = f"--screenshot={folder}/page.png", f"--window-size={WIDTH},{HEIGHT}"
        page = f"file://{folder}/explorer.html{link(library)}"
        subprocess.run([browser, *arguments, *shot, page], check=True, capture_output=True, timeout=300)
        Image.open(f"{folder}/page.png").convert("RGB").quantize(256).save(IMAGE, optimize=True)


if __name__ == "__main__":
    main()
