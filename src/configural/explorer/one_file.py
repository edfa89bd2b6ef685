"""The page as one file: markup, style, modules and, where there is one, what the page shows, all in it.

The modules are plain ES modules, which a browser also takes one by one. Put together they are one script: imports
from each other fall away, and so do the words `export`. The file says by hash which script may run, and that it may
open no connection.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from configural.io import files

_WORKER = ("packing", "kernel", "network", "worker")
"""The modules that run beside the page, each after those that it imports."""

_PAGE = (
    *("packing", "material", "resampling", "drawing", "cutting", "state", "english", "german", "texts"),
    *("asking", "stage", "charts", "maps", "own_image", "saving", "tour", "guessing", "main"),
)
"""The modules of the page, each after those that it imports."""

_IMPORT = re.compile(r"^import\s[^;]*?from\s+'\./(\w+)\.js';\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=const|function|async function|class)", re.MULTILINE)


def page(bundle: Mapping[str, Any] | None = None) -> str:
    """The page as HTML, with what it shows in it; without that, it asks its own server for `bundle.json`.

    Example:
        >>> "connect-src 'none'" in page({"exemplars": []}), "connect-src 'self'" in page()
        (True, True)
    """
    script, worker, style = joined(_PAGE), joined(_WORKER), _text("explorer.css")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script)}' 'wasm-unsafe-eval'",
            f"style-src '{_hash(style)}'",
            "img-src data: blob:",
            "worker-src blob:",
            f"connect-src '{'self' if bundle is None else 'none'}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    parts = {
        "policy": policy,
        "style": style,
        "script": script,
        # Neither is run or shown as it stands, so that only the end of such an element has to be kept out of them.
        "worker": worker.replace("</", "<\\/"),
        "bundle": "null" if bundle is None else json.dumps(bundle, ensure_ascii=False).replace("</", "<\\/"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _text("index.html"))


def write_one_file(bundle: Mapping[str, Any], path: Path | str) -> None:
    """Write the page with what it shows into a file that works by itself, offline too; whole or not at all."""
    files.write_text(path, page(bundle))


def joined(modules: tuple[str, ...]) -> str:
    """Modules as one script. Whatever two of them name alike would be one thing, so the script is strict."""
    plain = (_EXPORT.sub("", _IMPORT.sub("", _text(f"{module}.js"))) for module in modules)
    return "\n".join(["'use strict';", *plain])


def _text(name: str) -> str:
    return (resources.files("configural.explorer") / "page" / name).read_text("utf-8")


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode("ascii")
