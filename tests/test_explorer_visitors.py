"""A visitor's own image where a server responds: what it takes and keeps, and the whole way in a real browser."""

import base64
import copy
import io
import json
import os
import sys
import threading
import time
import zlib
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("starlette", reason="the explorer's server needs starlette and uvicorn")

import uvicorn
from starlette.testclient import TestClient

import configural as cf
from configural.explorer import one_file, server
from configural.explorer.asking import MOST_OWN, AskedModel, Panel
from configural.explorer.bundle import ShownModel, bundle
from configural.explorer.drawing import stimulus_of
from configural.explorer.state import State
from configural.portraits.landmarks import Landmarker
from configural.stimuli import Renderer

SIZE = 64


@pytest.fixture(scope="module")
def library(painted):
    """Three faces; the fourth is the visitor's."""
    return replace(painted, exemplars=painted.exemplars[:3])


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return cf.models.open(cf.models.create("fcn-14", SIZE).eval())


def panel_of(library, network):
    return Panel(library, [AskedModel(name="net", image_size=SIZE, classifier=network)])


def client_of(panel, **options):
    app = server.application("<p>page</p>", {}, panel, **options)
    return TestClient(app, base_url="http://127.0.0.1:8042", raise_server_exceptions=False)


@pytest.fixture(scope="module")
def fourth(painted):
    """The fourth face as the page would send it."""
    exemplar = bundle(replace(painted, exemplars=painted.exemplars[3:5]), [])["exemplars"][0]
    return {key: exemplar[key] for key in ("rows", "columns", "canvas", "parts")}


@pytest.fixture
def sent(fourth):
    """The same, for one test to alter."""
    return copy.deepcopy(fourth)


@pytest.fixture(scope="module")
def shown(library):
    """What the page is given to show."""
    return bundle(library, [ShownModel(name="net", image_size=SIZE)])


def whole(library, name):
    parts = [{"slot": kind, "kind": kind, "donor": name} for kind in library.scheme.part_kinds]
    return {"exemplar": name, "parts": parts}


def packed(content):
    return base64.b64encode(zlib.compress(content)).decode()


def test_what_is_sent_is_drawn_as_the_library_draws_it(painted, library, network, sent):
    client = client_of(panel_of(library, network))
    sent["parts"] = sent["parts"][::-1]
    name = client.post("/exemplars", json=sent).json()["name"]
    assert name.startswith("own:1:")
    theirs, mine = library[0].name, painted[3].name
    for canvas, nose in (("own", theirs), ("skin", name), ("grey", name)):
        state = whole(library, name) | {"canvas": canvas}
        state["parts"][2]["donor"] = nose
        said = client.post("/responses", json={"states": [state]}).json()["models"][0]["log_odds"]
        same = json.loads(json.dumps(state).replace(name, mine))
        image = Renderer(painted, size=SIZE).draw(stimulus_of(State.model_validate(same, strict=False), painted))
        np.testing.assert_allclose(said, network.log_odds(image[None]), rtol=1e-5)


def _without_a_part(sent):
    del sent["parts"][3]


def _one_kind_twice(sent):
    sent["parts"].append(sent["parts"][0])


def _of_another_kind(sent):
    sent["parts"][0]["kind"] = "ear"


def _beyond_the_canvas(sent):
    sent["parts"][1]["column"] = sent["columns"] - 3


def _too_many_rows(sent):
    sent["rows"] = 1025


def _too_few_pixels(sent):
    sent["rows"] += 1


def _too_many_pixels(sent):
    sent["canvas"] = packed(bytes(2**25))  # 32 MB of nothing in 45 kB


def _pixels_after_the_end(sent):
    content = zlib.compress(bytes(3 * sent["rows"] * sent["columns"])) + b"more"
    sent["canvas"] = base64.b64encode(content).decode()


def _cut_off(sent):
    sent["canvas"] = sent["canvas"][:1000]


def _no_base64(sent):
    sent["parts"][2]["pixels"] = "<p>"


def _nothing_in_a_mask(sent):
    part = sent["parts"][3]
    part["mask"] = packed(bytes(part["rows"] * part["columns"]))


def _half_a_mask(sent):
    part = sent["parts"][3]
    part["mask"] = packed(bytes([2]) * part["rows"] * part["columns"])


def _more_than_is_known(sent):
    sent["skin"] = [1, 2, 3]


def _text_for_a_number(sent):
    sent["parts"][0]["row"] = "7"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            _without_a_part,
            "parts: a face has left_eye, right_eye, nose, mouth, each once; sent were left_eye, right_e",
        ),
        (_one_kind_twice, "parts: a face has"),
        (_of_another_kind, "sent were ear, right_eye"),
        (_beyond_the_canvas, "right_eye: it leaves the canvas of {columns}×{rows} pixels"),
        (_too_many_rows, "rows: input should be less than or equal to 1024"),
        (_too_few_pixels, "canvas: must be {more:,} bytes when it is unpacked"),
        (_too_many_pixels, "canvas: must be {bytes:,} bytes when it is unpacked"),
        (_pixels_after_the_end, "canvas: must be {bytes:,} bytes when it is unpacked"),
        (_cut_off, "canvas: must be {bytes:,} bytes when it is unpacked"),
        (_no_base64, "nose: not packed as it must be (zlib, then base64)"),
        (_nothing_in_a_mask, "mouth: its mask must be 1 where the part is, and 0 elsewhere"),
        (_half_a_mask, "mouth: its mask must be 1 where the part is, and 0 elsewhere"),
        (_more_than_is_known, "skin: extra inputs are not permitted"),
        (_text_for_a_number, "parts.0.row: input should be a valid integer"),
    ],
)
def test_what_is_no_exemplar_is_refused_in_one_sentence(library, network, sent, spoil, said):
    panel, (rows, columns) = panel_of(library, network), (sent["rows"], sent["columns"])
    said = said.format(rows=rows, columns=columns, bytes=3 * rows * columns, more=3 * (rows + 1) * columns)
    spoil(sent)
    response = client_of(panel).post("/exemplars", json=sent)
    assert response.status_code == 422
    assert said in response.json()["error"]
    assert "\n" not in response.json()["error"]
    assert len(panel.library) == 3


def test_no_more_images_are_held_than_were_meant(library, network, sent):
    clock = iter(range(0, 10**6, 10))
    panel = panel_of(library, network)
    client = client_of(panel, clock=lambda: next(clock))
    names = [client.post("/exemplars", json=sent).json()["name"] for _ in range(MOST_OWN)]
    assert len(set(names)) == MOST_OWN
    refused = client.post("/exemplars", json=sent)
    assert refused.status_code == 422
    assert refused.json()["error"].startswith(f"{MOST_OWN} images are held already")
    assert client.post("/responses", json={"states": [whole(library, names[-1])]}).status_code == 200


def test_an_image_is_known_only_to_whom_its_name_was_told(library, network, sent):
    client = client_of(panel_of(library, network))
    client.post("/exemplars", json=sent)
    for name in ("own:1", "own:1:", "own:2:AAAAAAAAAAAAAAAA"):
        response = client.post("/responses", json={"states": [whole(library, name)]})
        assert (response.status_code, response.json()["error"]) == (
            422,
            "your own image is no longer held here; choose it again",
        )


def test_images_are_limited_in_size_kind_rate_and_origin(library, network, sent):
    client = client_of(panel_of(library, network), clock=lambda: 0.0)
    kinds = {
        "/exemplars": ("application/json", server.LARGEST_EXEMPLAR),
        "/parts": ("image/png", server.LARGEST_IMAGE),
    }
    for path, (kind, largest) in kinds.items():
        large = client.post(path, content=b" " * (largest + 1), headers={"content-type": kind})
        assert large.status_code == 413
        other = client.post(path, content=b"{}", headers={"content-type": "text/plain"})
        assert other.status_code == 415
        origin = {"content-type": kind, "origin": "http://127.0.0.1:9000"}
        assert client.post(path, content=b"{}", headers=origin).status_code == 403
        assert client.get(path).status_code == 405
    said = [client.post("/exemplars", json={}).status_code for _ in range(30)]
    assert set(said) == {422, 429}
    assert said == sorted(said)


def file_of(image, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def on_a_wall(exemplar, row=120, column=300):
    """A portrait as part of a wider photograph."""
    rows, columns = exemplar.size
    wall = np.full((700, 900, 3), (150, 170, 190), np.uint8)
    wall[row : row + rows, column : column + columns] = exemplar.portrait
    return wall


def test_parts_are_found_where_they_were_painted(painted, library, network, landmark_bundle):
    client = client_of(panel_of(library, network), landmarker=Landmarker(landmark_bundle))
    assert client.get("/bundle.json").json() == {"landmarks": True}
    exemplar = painted[3]
    for kind in ("PNG", "JPEG"):
        content = file_of(on_a_wall(exemplar), kind)
        headers = {"content-type": f"image/{kind.lower()}"}
        found = client.post("/parts", content=content, headers=headers).json()["found"]
        assert [outline["kind"] for outline in found["outlines"]] == list(painted.scheme.part_kinds)
        for outline, part in zip(found["outlines"], exemplar.parts, strict=True):
            middle = [
                (outline["row"] + outline["rows"] / 2) * 700,
                (outline["column"] + outline["columns"] / 2) * 900,
            ]
            rows, columns = part.mask.shape
            wanted = 120 + part.anchor[0] + rows / 2, 300 + part.anchor[1] + columns / 2
            # A painted nose begins lower than the landmarks' does.
            assert middle == pytest.approx(wanted, abs=25 if part.kind == "nose" else 8)
        crop = found["crop"]
        assert crop["columns"] * 900 == pytest.approx(0.726 * crop["rows"] * 700, abs=2)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no image", "the image: must be a PNG or a JPEG file"),
        (file_of(np.zeros((20, 20, 3), np.uint8), "GIF"), "the image: must be a PNG or a JPEG file"),
        (file_of(np.zeros((20, 1025, 3), np.uint8)), "the image: 1025×20 pixels; at most 1024 along an edge"),
        (file_of(np.zeros((99, 99, 3), np.uint8))[:-30], "the image: "),
    ],
)
def test_what_is_no_image_is_refused_in_one_sentence(library, network, tmp_path, content, said):
    client = client_of(panel_of(library, network), landmarker=Landmarker(tmp_path / "nowhere"))
    response = client.post("/parts", content=content, headers={"content-type": "image/png"})
    assert response.status_code == 422
    assert response.json()["error"].startswith(said)
    assert "\n" not in response.json()["error"]


def test_without_a_face_or_landmarks_nothing_is_found(library, network, tmp_path, landmark_bundle):
    other = tmp_path / "other.task"
    other.write_bytes(b"another file")
    for landmarker in (None, Landmarker(tmp_path / "nowhere"), Landmarker(other), Landmarker(landmark_bundle)):
        client = client_of(panel_of(library, network), landmarker=landmarker)
        content = file_of(np.full((300, 200, 3), 90, np.uint8))
        response = client.post("/parts", content=content, headers={"content-type": "image/png"})
        assert (response.status_code, response.json()) == (200, {"found": None})


def test_no_file_is_written(painted, library, network, sent, landmark_bundle):
    opened, watching = [], True

    def watch(event, given):
        # A file opened by its folder has no name: standard error goes through one meanwhile.
        written = event == "open" and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if watching and written and not os.path.isdir(given[0]):
            opened.append(given)

    client = client_of(panel_of(library, network), landmarker=Landmarker(landmark_bundle))
    sys.addaudithook(watch)
    content = file_of(on_a_wall(painted[3]))
    assert client.post("/parts", content=content, headers={"content-type": "image/png"}).json()["found"]
    name = client.post("/exemplars", json=sent).json()["name"]
    assert client.post("/responses", json={"states": [whole(library, name)]}).status_code == 200
    watching = False
    assert opened == []


@contextmanager
def served(panel, shown, landmarker=None):
    """The address of a server with the page."""
    with server.listening("127.0.0.1", 0) as listener:
        app = server.application(one_file.page(), shown, panel, landmarker=landmarker)
        running = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield server.address_of(listener, "127.0.0.1")
        running.should_exit = True
        thread.join()


@pytest.fixture
def page(browser):
    problems = []
    with browser.new_context(locale="en") as context:
        opened = context.new_page()
        opened.on("pageerror", lambda error: problems.append(str(error)))
        yield opened
    assert not problems


def until(page, script):
    end = time.monotonic() + 60
    while not page.evaluate(script):
        assert time.monotonic() < end, f"never: {script}"
        page.wait_for_timeout(50)


def choose(page, content):
    page.get_by_role("button", name="Your own image").click()
    page.set_input_files("#own-file", {"name": "face.png", "mimeType": "image/png", "buffer": content})
    until(page, "async () => (await explorer).ownImage.things.length === 5")


DRAWN = """async (states) => {
  const app = await explorer;
  const all = [];
  for (const state of states) {
    await app.present(state, []);
    const image = app.drawing.image(64).reduce((sum, byte) => sum + String.fromCharCode(byte), '');
    all.push([app.state, btoa(image), (await app.scores(0, [app.state]))[0]]);
  }
  return all;
}"""


def test_the_page_and_the_server_draw_a_visitors_image_alike(page, painted, library, network, shown):
    panel = panel_of(library, network)
    with served(panel, shown) as address:
        page.goto(address)
        page.evaluate("async () => { await explorer; }")
        choose(page, file_of(painted[3].portrait))
        assert "until the face lies as the outlines do" in page.inner_text("#own-how")
        assert "goes to the program on the computer" in page.inner_text("#own-where")
        page.get_by_role("button", name="Use it").click()
        until(page, "async () => (await explorer).material.own.length === 1")
        until(page, "() => document.querySelector('#note').innerText.includes('keeps it in memory until it ends')")
        assert page.locator("#exemplar option:checked").inner_text() == "your image 1"
        name = page.input_value("#exemplar")
        rng, states = np.random.default_rng(5), []
        for number in range(16):
            state = whole(library, name if number % 4 else library[1].name)
            state |= {"canvas": ("own", "skin", "grey")[number % 3], "flip": number % 5 == 0}
            state["placement"] = ("left", "middle", "right")[number % 3]
            for part in state["parts"]:
                part["donor"] = str(rng.choice([name, library[0].name]))
                part |= {"rows": int(rng.integers(-30, 30)), "columns": int(rng.integers(-30, 30)), "shown": True}
                turned = number % 2
                part |= {"turn": turned * float(rng.integers(-90, 90)), "scale": 1 + turned * 0.2}
            states.append(state)
        drawn, differences = page.evaluate(DRAWN, states), []
        for state, image, score in drawn:
            theirs = np.frombuffer(bytearray(base64.b64decode(image)), np.uint8).reshape(SIZE, SIZE, 3)
            stimulus = stimulus_of(State.model_validate_json(json.dumps(state)), panel.library)
            ours = Renderer(panel.library, size=SIZE).draw(stimulus)
            differences.append(np.abs(ours.astype(int) - theirs))
            assert score == pytest.approx(network.log_odds(ours[None])[0], abs=1e-5)
            assert score == pytest.approx(network.log_odds(theirs[None])[0], abs=1e-3)
        assert np.max(differences) <= 2
        assert np.mean(np.array(differences) <= 1) >= 0.999


def test_outlines_begin_around_the_parts_that_landmarks_find(
    page, painted, library, network, shown, landmark_bundle
):
    exemplar, panel = painted[3], panel_of(library, network)
    with served(panel, shown, Landmarker(landmark_bundle)) as address:
        page.goto(address)
        page.evaluate("async () => { await explorer; }")
        choose(page, file_of(on_a_wall(exemplar)))
        assert "The parts were found" in page.inner_text("#own-how")
        things = page.evaluate("async () => (await explorer).ownImage.things")
        image, outlines = things[0], things[1:]
        scale = image["rows"] / 700
        for outline, part in zip(outlines, exemplar.parts, strict=True):
            high, wide = part.mask.shape
            wanted = np.array([120 + part.anchor[0] + high / 2, 300 + part.anchor[1] + wide / 2]) * scale
            wanted += (image["row"], image["column"])
            middle = outline["row"] + outline["rows"] / 2, outline["column"] + outline["columns"] / 2
            assert middle == pytest.approx(tuple(wanted), abs=25 if part.kind == "nose" else 8)
        # The face fills the portrait as those of the library do.
        eyes = (outlines[0]["row"] + outlines[0]["rows"] / 2 + outlines[1]["row"] + outlines[1]["rows"] / 2) / 2
        assert eyes / 512 == pytest.approx(0.486, abs=0.02)
        page.get_by_role("button", name="Use it").click()
        until(page, "async () => (await explorer).material.own.length === 1")
        assert len(panel.library) == 4


def test_a_real_portrait_is_outlined_by_its_landmarks(page, real, library, network, shown, landmark_bundle):
    portrait, panel = real[0], panel_of(library, network)
    with served(panel, shown, Landmarker(landmark_bundle)) as address:
        page.goto(address)
        page.evaluate("async () => { await explorer; }")
        choose(page, file_of(portrait.portrait))
        image, *outlines = page.evaluate("async () => (await explorer).ownImage.things")
        scale = image["rows"] / portrait.size[0]
        for outline, part in zip(outlines, portrait.parts, strict=True):
            high, wide = part.mask.shape
            middle = np.array([part.anchor[0] + high / 2, part.anchor[1] + wide / 2]) * scale
            middle += (image["row"], image["column"])
            assert abs(outline["row"] + outline["rows"] / 2 - middle[0]) < outline["rows"] / 2
            assert abs(outline["column"] + outline["columns"] / 2 - middle[1]) < outline["columns"] / 4


def test_what_a_server_refuses_is_told_and_what_was_arranged_stays(page, painted, library, network, shown):
    panel = panel_of(library, network)
    with served(panel, shown) as address:
        page.goto(address)
        page.evaluate("async () => { await explorer; }")
        page.focus("#stage")
        page.keyboard.press("ArrowDown")
        arranged = page.evaluate("async () => (await explorer).state")
        choose(page, file_of(painted[3].portrait))
        things = page.evaluate("async () => (await explorer).ownImage.things")
        panel._own.update(str(number) for number in range(MOST_OWN))
        page.get_by_role("button", name="Use it").click()
        until(page, "() => document.querySelector('#own-how').innerText.includes('16 images are held already')")
        assert page.locator("#own-use").is_enabled()
    page.get_by_role("button", name="Use it").click()
    until(page, "() => document.querySelector('#own-how').innerText.includes('does not respond')")
    assert page.evaluate("async () => (await explorer).ownImage.things") == things
    assert page.evaluate("async () => (await explorer).state") == arranged


def test_messages_change_with_the_language(page, library, network, shown):
    with served(panel_of(library, network), shown) as address:
        page.goto(address + "#s=WzFd")
        page.evaluate("async () => { await explorer; }")
        assert "damaged" in page.inner_text("#problem")
        page.evaluate(
            """async () => {
              const app = await explorer;
              app.replies = [{ logOdds: -5 }];
              app.check();
            }"""
        )
        assert page.inner_text("#note") == "✓ Fool net"
        page.get_by_role("button", name="Deutsch").click()
        assert page.inner_text("#note") == "✓ net täuschen"
        assert "beschädigt" in page.inner_text("#problem")
