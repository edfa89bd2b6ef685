"""Downloads, from a server on this machine."""

import gc
import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import assert_one_line, configural

from configural.errors import ConfiguralError
from configural.portraits import load, regions, store
from configural.portraits.fetch import ARCHIVE, download, fasseg_registry, fetch_portraits

FILES = {
    f"{kind}/{number}.bmp": f"{kind} {number} ".encode() * 400 for kind in ("RGB", "Labels") for number in range(5)
}
COLOURS = np.array([[255, 255, 0], [0, 0, 255], [0, 0, 255], [0, 255, 255], [0, 255, 0]], np.uint8)
REGISTRY = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


class Server:
    """Serves what is in `files`; `cut` names files that it breaks off half-way."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.removeprefix("/V2/")
                outer.asked.append(name)
                content = outer.files.get(name)
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if name in outer.cut else content)

            def log_message(self, *arguments: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/V2/"
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    server.files.update(FILES)
    yield server
    server.close()


def held(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_whole_download_and_then_nothing(server, tmp_path):
    download(tmp_path, server.url, registry=REGISTRY)
    assert server.asked == list(FILES)
    assert held(tmp_path) == FILES
    server.asked.clear()
    download(tmp_path, server.url.rstrip("/"), registry=REGISTRY)
    assert server.asked == []


@pytest.mark.parametrize("how", ["gone", "cut"])
def test_a_broken_off_download_goes_on(server, tmp_path, how):
    third = list(FILES)[3]
    if how == "gone":
        del server.files[third]
    else:
        server.cut.add(third)
    with pytest.raises(ConfiguralError, match=r"repeat the command|SHA-256") as caught:
        download(tmp_path, server.url, registry=REGISTRY)
    message = str(caught.value)
    assert "\n" not in message
    assert third in message
    assert bool(re.search(r"\b404\b", message)) == (how == "gone")  # which a port may begin with, too
    assert list(held(tmp_path)) == list(FILES)[:3] or set(held(tmp_path)) == set(list(FILES)[:3])
    server.files.update(FILES)
    server.cut.clear()
    server.asked.clear()
    download(tmp_path, server.url, registry=REGISTRY)
    assert server.asked == list(FILES)[3:]
    assert held(tmp_path) == FILES
    del caught
    gc.collect()  # which would find a connection that was left open


def test_damaged_and_cut_files_are_fetched_again(server, tmp_path):
    download(tmp_path, server.url, registry=REGISTRY)
    one, two = "RGB/1.bmp", "Labels/4.bmp"
    (tmp_path / one).write_bytes(FILES[one][:-1])
    (tmp_path / two).write_bytes(b"x" + FILES[two][1:])
    server.asked.clear()
    download(tmp_path, server.url, registry=REGISTRY)
    assert server.asked == [one, two]
    assert held(tmp_path) == FILES


def test_another_file_under_the_name_is_refused(server, tmp_path):
    server.files["RGB/2.bmp"] = b"something else"
    with pytest.raises(ConfiguralError, match=r"RGB/2\.bmp.*SHA-256") as caught:
        download(tmp_path, server.url, registry=REGISTRY)
    assert "\n" not in str(caught.value)
    assert "RGB/2.bmp" not in held(tmp_path)


def test_no_server_and_no_address(tmp_path):
    with pytest.raises(ConfiguralError, match="0 of 10 files are there"):
        download(tmp_path, "http://127.0.0.1:9/", registry=REGISTRY)
    with pytest.raises(ConfiguralError, match="no address"):
        download(tmp_path, "ftp://127.0.0.1/", registry=REGISTRY)


def test_registry_is_the_published_folder(fasseg_folder):
    registry = fasseg_registry()
    assert set(registry) == {str(path.relative_to(fasseg_folder)) for path in fasseg_folder.rglob("*.bmp")}
    for name, digest in registry.items():
        assert hashlib.sha256((fasseg_folder / name).read_bytes()).hexdigest() == digest


def test_registry_names_every_portrait_with_its_label():
    registry = fasseg_registry()
    assert len(registry) == 140
    for name, digest in registry.items():
        assert name.replace("_RGB", "_Labels") in registry
        assert len(digest) == 64


def test_mistakes_on_the_command_line_end_in_one_line(server, tmp_path):
    place = {"CONFIGURAL_CACHE": str(tmp_path)}
    assert_one_line(
        configural("inspect", "fasseg", "--out", str(tmp_path / "o"), **place), "configural fetch fasseg"
    )
    assert_one_line(configural("fetch", "fasseg", "--from", server.url, **place), "404", "0 of 140")
    first = next(iter(fasseg_registry()))
    server.files[first] = b"no portrait"
    assert_one_line(configural("fetch", "fasseg", "--from", server.url, **place), first, "SHA-256")
    assert_one_line(configural("fetch", "celeba", **place), "'celeba'", "fasseg")


def test_partly_fetched_portraits_are_no_source(tmp_path, monkeypatch):
    monkeypatch.setenv("CONFIGURAL_CACHE", str(tmp_path))
    with pytest.raises(ConfiguralError, match="run configural fetch fasseg"):
        load("fasseg")
    first = tmp_path / "fasseg" / "V2" / next(iter(fasseg_registry()))
    first.parent.mkdir(parents=True)
    first.touch()
    with pytest.raises(ConfiguralError, match=r"only 1 of 140.*run configural fetch fasseg"):
        load("fasseg")


def test_fetched_portraits_need_no_path(server, tmp_path, monkeypatch, fasseg_folder, real):
    server.files = {name: (fasseg_folder / name).read_bytes() for name in fasseg_registry()}
    done = configural("fetch", "fasseg", "--from", server.url, CONFIGURAL_CACHE=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["fasseg:", str(tmp_path / "fasseg" / "V2")]
    assert "140/140" in done.stderr
    monkeypatch.setenv("CONFIGURAL_CACHE", str(tmp_path))
    # Filling in the canvases takes long and is the same for the same portraits; in this process.
    monkeypatch.setattr(store, "processors", lambda: 1)

    def key(portrait, segmentation):
        return portrait.tobytes(), segmentation.tobytes()

    canvases = {key(exemplar.portrait, exemplar.segmentation): exemplar.canvas for exemplar in real.exemplars}
    monkeypatch.setattr(regions, "fill_parts", lambda *pixels, scheme: canvases[key(*pixels)])
    assert load("fasseg").fingerprint == real.fingerprint


def test_v3_comes_out_of_an_archive_of_the_digest_that_the_user_states(server, painted, tmp_path, monkeypatch):
    monkeypatch.setenv("CONFIGURAL_CACHE", str(tmp_path))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("FASSEG/README.md", "text")
        archive.writestr("FASSEG/V3/Train_RGB/../../../../up/x.bmp", b"leads out of the folder")
        for number in range(2):
            name = f"FASSEG/V3/Train_{{}}/-15/personne0{number}145+0-15.bmp"
            label = COLOURS[painted[number].segmentation]
            for kind, image in (("RGB", painted[number].portrait), ("labels", label)):
                archive.writestr(name.format(kind), cv2.imencode(".bmp", image[..., ::-1])[1].tobytes())
    server.files[ARCHIVE] = content.getvalue()
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    v3 = partial(fetch_portraits, "fasseg", version="V3", base_url=server.url)
    with pytest.raises(ConfiguralError, match=f"--sha256 {digest}"):
        v3()
    with pytest.raises(ConfiguralError, match="SHA-256 differs"):
        v3(sha256="0" * 64)
    assert not (tmp_path / "fasseg" / "V3").exists()
    folder = v3(sha256=digest)
    server.asked.clear()
    assert v3(sha256=digest) == folder
    assert server.asked == []
    assert sorted(path.suffix for path in tmp_path.rglob("*") if path.is_file()) == 4 * [".bmp"] + [".zip"]
    library = load(f"fasseg:{folder}")
    assert {exemplar.name for exemplar in library.exemplars} == {
        f"Train/-15/personne0{number}145+0-15" for number in range(2)
    }
    np.testing.assert_array_equal(library[0].portrait, painted[0].portrait)
    with pytest.raises(ConfiguralError, match="V2, V3"):
        fetch_portraits("fasseg", version="V1")


def test_landmarks_are_fetched_and_no_other_file_is(server, landmark_bundle, tmp_path):
    there = {"CONFIGURAL_CACHE": str(tmp_path)}
    server.files["face_landmarker.task"] = b"another file"
    done = configural("fetch", "landmarks", "--from", server.url, **there)
    assert_one_line(done, "SHA-256 differs")
    assert not list(tmp_path.rglob("*.task"))
    server.files["face_landmarker.task"] = landmark_bundle.read_bytes()
    done = configural("fetch", "landmarks", "--from", server.url, **there)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "landmarks" / "face_landmarker.task").read_bytes() == landmark_bundle.read_bytes()
