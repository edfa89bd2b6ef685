"""The explorer's page in a real browser: it draws and responds as Python does, and works by hand."""

import base64
import csv
import io
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from configural import models
from configural.errors import ConfiguralError
from configural.explorer import one_file
from configural.explorer.bundle import ShownModel, bundle
from configural.explorer.drawing import state_of, stimulus_of
from configural.explorer.state import State
from configural.portraits import Exemplar, Library, load
from configural.stimuli import Renderer, sample

PAGE = Path(one_file.__file__).with_name("page")
SIZE = 64
SMALL = 32


def network(name: str, size: int, seed: int = 0) -> models.StudyNet:
    """A network of which every layer does something, with log-odds of a few nats."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = models.create(name, size).eval()
        norm = made.get_submodule("BN_1")
        with torch.no_grad():
            norm.running_mean.uniform_(5, 20)
            norm.running_var.uniform_(50, 400)
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.uniform_(-1, 1)
            for layer in made:
                if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
                    layer.bias.uniform_(-0.5, 0.5)
    assert isinstance(made, models.StudyNet)
    return made


def log_odds(net: models.StudyNet, image: np.ndarray) -> float:
    with torch.inference_mode():
        no, yes = net(net.prepare(torch.from_numpy(image).permute(2, 0, 1)[None]))[0].tolist()
    return yes - no


def halved(exemplar: Exemplar) -> Exemplar:
    every = np.s_[::2, ::2]
    return Exemplar.cut(
        exemplar.name,
        exemplar.portrait[every],
        segmentation=exemplar.segmentation[every],
        canvas=exemplar.canvas[every],
    )


def write(library: Library, nets: dict[str, models.StudyNet], path: Path, **options: Any) -> Path:
    shown = [ShownModel(name=name, image_size=net.image_size, network=net) for name, net in nets.items()]
    one_file.write_one_file(bundle(library, shown, **options), path)
    return path


@pytest.fixture(scope="module")
def faces(painted: Library) -> Library:
    """Three of them."""
    return replace(painted, exemplars=painted.exemplars[:3])


@pytest.fixture(scope="module")
def small_faces(faces: Library) -> Library:
    """The same at half their size, which is as good for pressing buttons."""
    return replace(faces, exemplars=[halved(exemplar) for exemplar in faces])


@pytest.fixture(scope="module")
def faces_page(small_faces: Library, tmp_path_factory: pytest.TempPathFactory) -> Path:
    nets = {"A": network("cnn-13", SMALL), "B": network("fcn-14", SMALL, 1)}
    return write(small_faces, nets, tmp_path_factory.mktemp("explorer") / "explorer.html")


@pytest.fixture
def opened(browser: Any, faces_page: Path) -> Iterator[Callable[..., Any]]:
    """Opens the page; whatever goes wrong on it fails the test."""
    contexts, problems = [], []

    def open_page(fragment: str = "", **options: Any) -> Any:
        context = browser.new_context(**{"locale": "en", "viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(faces_page.as_uri() + fragment)
        page.evaluate("async () => { await explorer; }")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not problems


def until(page: Any, script: str, given: Any = None, seconds: float = 60) -> None:
    """Wait until the script gives something true; the page's policy forbids playwright's own way."""
    end = time.monotonic() + seconds
    while not page.evaluate(script, given):
        assert time.monotonic() < end, f"never: {script}"
        page.wait_for_timeout(50)


def state(page: Any) -> dict[str, Any]:
    return page.evaluate("async () => (await explorer).state")


def part(page: Any, slot: str) -> dict[str, Any]:
    return next(each for each in state(page)["parts"] if each["slot"] == slot)


def spot(page: Any, slot: str) -> tuple[float, float]:
    """Where the middle of a part is on the screen."""
    box = page.locator("#stage canvas").bounding_box()
    row, column, side = page.evaluate(
        """async (slot) => {
          const { scene } = (await explorer).stage;
          const { middle } = scene.items.find((item) => item.slot === slot);
          return [middle[0] + scene.corner[0], middle[1] + scene.corner[1], scene.side];
        }""",
        slot,
    )
    return box["x"] + box["width"] * column / side, box["y"] + box["height"] * row / side


def pixels(text: str, shape: tuple[int, ...]) -> np.ndarray:
    """An image as the page hands it over."""
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(shape).astype(int)


def some_states(library: Library, n: int) -> list[dict[str, Any]]:
    """States of every kind: placements, backgrounds, upside down; parts missing, turned and enlarged."""
    rng, states = np.random.default_rng(7), []
    tables = [sample(library, count=40, placement=placement, seed=5) for placement in ("left", "middle", "right")]
    for number in range(n):
        table = tables[number % 3]
        one = json.loads(state_of(table[int(rng.integers(len(table)))], library).model_dump_json())
        one["canvas"] = ("own", "own", "skin", "grey")[number % 4]
        one["flip"] = number % 5 == 0
        one["parts"][number % len(one["parts"])]["shown"] = number % 3 != 0
        if number % 2:
            for each in one["parts"]:
                each["turn"] = float(rng.integers(-180, 181))
                each["scale"] = round(float(rng.uniform(0.6, 1.3)), 3)
        states.append(one)
    return states


@pytest.mark.parametrize(("source", "name"), [("faces", "cnn-15"), ("houses", "fcn-16")])
def test_the_page_draws_and_responds_as_python_does(browser, faces, tmp_path, source, name):
    library, net = faces if source == "faces" else load("houses:3"), network(name, SIZE)
    page = browser.new_page()
    page.goto(write(library, {"one": net}, tmp_path / "explorer.html", bits=32).as_uri())
    drawn = page.evaluate(
        """async (states) => {
          const app = await explorer;
          const all = [];
          for (const state of states) {
            await app.present(state, []);  // which brings parts inside that lie across the edge
            all.push({
              state: app.state, image: btoa(String.fromCharCode(...app.drawing.image(app.models[0].image_size))),
              score: (await app.scores(0, [app.state]))[0],
            });
          }
          return all;
        }""",
        some_states(library, 25),
    )
    page.close()
    renderer, differences = Renderer(library, size=SIZE), []
    for one in drawn:
        image = renderer.draw(stimulus_of(State.model_validate_json(json.dumps(one["state"])), library))
        differences.append(np.abs(image.astype(int) - pixels(one["image"], image.shape)))
        assert one["score"] == pytest.approx(log_odds(net, image), abs=1e-3)
    assert len(differences) == 25
    assert np.max(differences) <= 2
    assert np.mean(np.array(differences) <= 1) >= 0.999


def test_a_part_of_another_resolution_is_drawn_as_by_python(browser, painted, tmp_path):
    shrunk = [halved(exemplar) for exemplar in painted.exemplars[:2]]
    library = Library("mixed", [*painted.exemplars[2:4], *shrunk])
    page = browser.new_page()
    page.goto(write(library, {}, tmp_path / "explorer.html").as_uri())
    one = json.loads(state_of(sample(library, count=2)[0], library).model_dump_json())
    for host, donor in ((library[0].name, library[2].name), (library[2].name, library[1].name)):
        wanted = {**one, "exemplar": host, "parts": [{**each, "donor": donor, "rows": 1} for each in one["parts"]]}
        got, image = page.evaluate(
            """async (state) => {
              const app = await explorer;
              await app.present(state, []);
              return [app.state, btoa(String.fromCharCode(...app.drawing.image(48)))];
            }""",
            wanted,
        )
        stimulus = stimulus_of(State.model_validate_json(json.dumps(got)), library)
        python = Renderer(library, size=48).draw(stimulus)
        assert np.abs(python.astype(int) - pixels(image, python.shape)).max() <= 1
    page.close()


@pytest.mark.parametrize("plain", [False, True])
def test_every_network_responds_as_torch_does(browser, blocks, plain):
    page = browser.new_page()
    script = one_file.joined(("packing", "kernel", "network"))
    for name, size in (("cnn-15", 32), ("cnn-13", 36), ("fcn-16", 40), ("fcn-14", 19))[3 * plain :]:
        net = network(name, size)
        image = np.random.default_rng(2).integers(0, 256, (size, size, 3), np.uint8)
        (shown,) = bundle(blocks, [ShownModel(name="n", image_size=size, network=net)], bits=32)["models"]
        reply = page.evaluate(
            f"""async (given) => {{
              {script}
              const image = Uint8Array.from(atob(given.image), (c) => c.charCodeAt(0));
              return (await makeNetwork(given.network, given.size, given.plain))(image);
            }}""",
            {
                "network": shown["network"],
                "size": size,
                "image": base64.b64encode(image.tobytes()).decode(),
                "plain": plain,
            },
        )
        assert reply["logOdds"] == pytest.approx(log_odds(net, image), abs=1e-4)
        if name.startswith("fcn"):
            assert len(reply["evidence"]) == reply["side"] ** 2
    page.close()


def test_two_networks_and_six_faces_are_less_than_eight_megabytes(painted, tmp_path):
    six = replace(painted, exemplars=painted.exemplars[:6])
    path = write(six, {"A": network("cnn-15", SIZE), "B": network("cnn-15", SIZE, 1)}, tmp_path / "explorer.html")
    assert path.stat().st_size < 8e6


def test_a_drag_moves_a_part_and_draws_a_curve(opened):
    page = opened()
    x, y = spot(page, "mouth")
    scale = (
        page.evaluate("async () => (await explorer).stage.scene.side")
        / page.locator("#stage").bounding_box()["width"]
    )
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 11):
        page.mouse.move(x, y - 10 * step)
        page.wait_for_timeout(30)
    page.mouse.up()
    until(page, "async () => (await explorer).trace.filter((p) => p.scores.length === 2).length > 3")
    assert part(page, "mouth")["rows"] == pytest.approx(-100 * scale, abs=1)
    assert part(page, "nose")["rows"] == 0
    assert page.locator("#strip polyline").count() == 2
    page.get_by_role("button", name="Undo").click()
    assert part(page, "mouth")["rows"] == 0
    page.get_by_role("button", name="Redo").click()
    assert part(page, "mouth")["rows"] < 0


def test_keys_choose_and_move_and_change_parts(opened):
    page = opened()
    page.focus("#stage")
    for key in ("3", "ArrowDown", "Shift+ArrowRight", "]", "+"):
        page.keyboard.press(key)
    nose = part(page, "nose")
    assert (nose["rows"], nose["columns"], nose["turn"], nose["scale"]) == (4, 16, 15, 1.1)
    page.keyboard.press("Delete")
    assert not part(page, "nose")["shown"]
    page.keyboard.press("0")
    page.keyboard.press("ArrowLeft")
    assert {each["columns"] for each in state(page)["parts"] if each["shown"]} == {-4}


def test_a_finger_moves_a_part_and_scrolls_beside_it(opened):
    page = opened(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    touch = page.context.new_cdp_session(page)
    x, y = spot(page, "nose")

    def send(kind: str, *points: tuple[float, float]) -> None:
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": a, "y": b} for a, b in points]})

    send("touchStart", (x, y))
    for step in range(1, 8):
        send("touchMove", (x + 3 * step, y))
    send("touchEnd")
    until(page, "async () => (await explorer).state.parts.some((part) => part.columns > 10)")
    assert part(page, "nose")["columns"] > 10
    assert page.evaluate("scrollY") == 0


def test_a_link_holds_everything(opened):
    page = opened()
    for button in ("both eyes", "Swap", "Upside down", "Turn left", "Take away"):
        page.get_by_role("button", name=button, exact=True).click()
    page.select_option("#canvas", "skin")
    page.select_option("#donor", "synthetic/01")
    page.select_option("#placement", "right")
    until(page, "() => location.hash.length > 20")
    page.wait_for_timeout(500)
    wanted = state(page)
    assert [each["kind"] for each in wanted["parts"][:2]] == ["right_eye", "left_eye"]
    assert wanted["flip"]
    assert wanted["placement"] == "right"
    again = opened(page.evaluate("location.hash"))
    assert state(again) == wanted
    assert again.locator("#panel").is_hidden()  # who follows a link is shown what it holds
    State.model_validate_json(json.dumps(wanted))


@pytest.mark.parametrize("fragment", ["#s=%%%", "#s=WzFd", "#s=" + "A" * 400])
def test_a_damaged_link_is_told(opened, fragment):
    page = opened(fragment)
    assert "damaged" in page.inner_text("#problem")
    assert all(each["rows"] == 0 for each in state(page)["parts"])


def test_the_tour_has_five_stops(opened):
    page = opened(reduced_motion="reduce", locale="de-DE")
    page.get_by_role("button", name="Rundgang beginnen").click()  # what the page begins with
    for stop in range(1, 6):
        until(page, "n => document.querySelector('#panel').innerText.includes(`Halt ${n} von 5`)", stop)
        assert not page.locator(".value").first.is_visible()
        page.locator("#panel button").first.click()
        until(page, "n => !document.querySelector('#panel').innerText.includes(`Halt ${n} von 5`)", stop)
        said = page.inner_text("#panel .large")
        assert re.search(r"[AB] .*%", said)
        assert bool(re.search(r"B gibt .*%\.$", said)) == (stop in (2, 5))
        if stop == 2:  # the language changes the words alone
            page.locator("#language").click()
            assert re.search(r"B gives it .*%\.$", page.inner_text("#panel .large"))
            page.locator("#language").click()
            assert page.inner_text("#panel .large") == said
        page.locator("#panel button").first.click()
    until(page, "() => document.body.dataset.mode === 'free'")


def test_the_tour_is_offered_at_first_and_can_be_closed(opened):
    page = opened()
    assert page.locator("#panel button").all_inner_texts() == ["Begin the tour", "Straight to free play"]
    page.locator("#panel button").last.click()
    until(page, "() => document.querySelector('#panel').hidden")
    assert page.evaluate("() => document.body.dataset.mode") == "free"
    page.get_by_role("button", name="Tour", exact=True).click()
    until(page, "() => document.querySelector('#panel').innerText.includes('Stop 1')")


def test_guesses_are_counted(opened):
    page = opened()
    page.get_by_role("button", name="Guess first").click()
    for rounds in (1, 2):
        page.locator("#panel button", has_text="scrambled").click()
        until(page, "n => document.querySelector('#panel .small').innerText.includes(`of ${n}`)", rounds)
        page.locator("#panel button", has_text="Next one").click()
        page.locator("#panel button", has_text="scrambled").wait_for()


def saved(page: Any, button: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=button, exact=True).click()
    return Path(download.value.path()).read_bytes()


def test_what_is_shown_can_be_kept(opened, faces):
    page = opened()
    page.get_by_role("button", name="Show me a scrambled one").click()
    page.wait_for_timeout(700)
    shown = page.evaluate("async () => btoa(String.fromCharCode(...(await explorer).drawing.image(32)))")
    image = Image.open(io.BytesIO(saved(page, "Image")))
    assert np.array_equal(np.asarray(image.convert("RGB")), pixels(shown, (SMALL, SMALL, 3)))
    (row,) = csv.DictReader(io.StringIO(saved(page, "Table row").decode()))
    frame = sample(faces, count=2).frame
    shared = [name for name in frame.columns if name in row]
    assert {"host", "label", "nose_kind", "nose_donor", "nose_row", "nose_col", "placement"} <= set(shared)
    assert row["label"] == "0"
    session = list(csv.DictReader(io.StringIO(saved(page, "Session").decode())))
    assert len(session) >= 1
    assert all(float(each["log_odds A"]) for each in session)
    assert Image.open(io.BytesIO(saved(page, "Card to share"))).size == (1200, 630)


def test_maps_show_what_counts(opened):
    page = opened()
    page.select_option("#map", "evidence")
    until(page, "() => document.querySelectorAll('.view.mapped').length === 1")
    page.get_by_role("button", name="nose", exact=True).click()
    page.select_option("#map", "positions")
    until(page, "() => document.querySelectorAll('.view.mapped').length === 2")
    page.select_option("#map", "occlusion")
    until(page, "() => document.querySelectorAll('.view.mapped').length === 2")


def test_nothing_is_ever_sent(opened):
    page, asked = opened(), []
    page.on("request", lambda request: asked.append(request.url))
    blocked = page.evaluate("() => fetch('https://example.org').then(() => false, () => true)")
    assert blocked
    assert not [url for url in asked if url.startswith("http") and "example.org" not in url]
    page.get_by_role("button", name="Show me a scrambled one").click()
    page.wait_for_timeout(300)
    assert not [url for url in asked if not url.startswith(("blob:", "data:")) and "example.org" not in url]


def drawing(rows: int, columns: int) -> np.ndarray:
    """An image that no exemplar shows: a shaded ground with a dark spot in the middle and noise on it."""
    rng = np.random.default_rng(3)
    down, across = np.mgrid[:rows, :columns]
    image = np.stack([80 + down // 8, 60 + across // 8, np.full((rows, columns), 90)], axis=2)
    image[rows // 3 : rows // 2, columns // 3 : columns // 2] = (30, 10, 10)
    return (image + rng.integers(0, 40, image.shape)).astype(np.uint8)


def choose_file(page: Any, image: np.ndarray, **options: Any) -> None:
    file = io.BytesIO()
    Image.fromarray(image).save(file, **{"format": "PNG", **options})
    page.set_input_files("#own-file", {"name": "image", "mimeType": "image/png", "buffer": file.getvalue()})


def test_a_visitors_own_image_is_cut_by_outlines_and_stays_on_the_page(opened, faces):
    page, asked = opened(), []
    page.on("request", lambda request: asked.append(request.url))
    until(page, "async () => (await explorer).replies.filter(Boolean).length === 2")
    first = page.evaluate("async () => (await explorer).replies.map((reply) => reply.logOdds)")
    page.get_by_role("button", name="Your own image").click()
    assert "nothing is sent" in page.inner_text("#own-where")
    image = drawing(*faces[0].size)
    choose_file(page, image)
    until(page, "async () => (await explorer).ownImage.things.length === 5")
    outline = """async () => {
      const { row, column, rows } = (await explorer).ownImage.things[4];
      return [row, column, rows];
    }"""
    was, box = page.evaluate(outline), page.locator("#own-stage canvas").bounding_box()
    scale = box["height"] / len(image)
    x, y = box["x"] + box["width"] / 2, box["y"] + (was[0] + was[2] / 2) * scale
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 10, y - 30, steps=3)
    page.mouse.up()
    now = page.evaluate(outline)
    assert [was[0] - now[0], was[1] - now[1]] == pytest.approx([30 / scale, 10 / scale], abs=1)
    page.keyboard.press("+")
    page.keyboard.press("Shift+ArrowLeft")
    assert page.evaluate(outline)[1] < now[1] - 15
    assert page.evaluate(outline)[2] > now[2]
    page.get_by_role("button", name="Use it").click()

    until(page, "async () => (await explorer).state.exemplar === 'own:1'")
    own = page.evaluate(
        """async () => {
          const { canvas, parts } = (await explorer).material.exemplar('own:1');
          const text = (bytes) => btoa(bytes.reduce((sum, byte) => sum + String.fromCharCode(byte), ''));
          const part = (one) => ({ ...one, pixels: text(one.pixels), mask: text(one.mask) });
          return [text(canvas), [...parts.values()].map(part)];
        }"""
    )
    inside = np.zeros(image.shape[:2], bool)
    for each in own[1]:
        shape = (each["rows"], each["columns"])
        where = np.s_[each["row"] : each["row"] + shape[0], each["column"] : each["column"] + shape[1]]
        assert np.array_equal(pixels(each["pixels"], (*shape, 3)), image[where])
        inside[where] |= pixels(each["mask"], shape) > 0
    assert 0.01 < inside.mean() < 0.2
    assert np.array_equal(pixels(own[0], image.shape)[~inside], image[~inside])

    until(page, "async (first) => (await explorer).replies.every((reply, i) => reply.logOdds !== first[i])", first)
    with page.expect_download() as download:
        page.get_by_role("button", name="Session").click()
    assert "own:" not in Path(download.value.path()).read_text("utf-8")
    for button in ("Copy link", "Table row"):
        page.evaluate("document.querySelector('#note').textContent = ''")
        page.get_by_role("button", name=button).click()
        until(page, "() => document.querySelector('#note').innerText.includes('no link or table can hold it')")
    page.wait_for_timeout(500)
    assert page.evaluate("location.hash") == ""
    page.select_option("#exemplar", faces[1].name)
    until(page, "() => location.hash.startsWith('#s=')")
    page.get_by_role("button", name="nose", exact=True).click()
    page.select_option("#donor", "own:1")
    until(page, "() => location.hash === ''")
    assert not [url for url in asked if not url.startswith(("blob:", "data:"))]


def test_an_image_stands_as_its_file_says_and_what_is_none_is_told(opened):
    page = opened()
    page.get_by_role("button", name="Your own image").click()
    page.set_input_files("#own-file", {"name": "a.png", "mimeType": "image/png", "buffer": b"no image"})
    until(
        page, "() => document.querySelector('#own-how').innerText.includes('no image that this browser can read')"
    )
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by a quarter
    choose_file(page, drawing(60, 120), format="JPEG", exif=turned)
    until(page, "async () => (await explorer).ownImage.things.length === 5")
    high, wide = page.evaluate(
        "async () => { const [{ rows, columns }] = (await explorer).ownImage.things; return [rows, columns]; }"
    )
    assert high / wide == pytest.approx(2)


def test_a_server_responds_and_its_failures_are_told(browser, small_faces):
    uvicorn = pytest.importorskip("uvicorn")
    from configural.explorer import server
    from configural.explorer.asking import AskedModel, Panel

    broken: list[str] = []

    def bright(images: np.ndarray) -> np.ndarray:
        if broken:
            raise RuntimeError(broken[0])
        return images.mean(axis=(1, 2, 3)) / 255

    classifier = models.open(bright, output="probabilities")
    shown = bundle(small_faces, [ShownModel(name="bright", image_size=32)])
    panel = Panel(small_faces, [AskedModel(name="bright", image_size=32, classifier=classifier)])
    with server.listening("127.0.0.1", None) as listener:
        app = server.application(one_file.page(), shown, panel)
        served = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=served.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        page = browser.new_context(locale="en").new_page()
        page.goto(server.address_of(listener, "127.0.0.1"))
        page.evaluate("async () => { await explorer; }")
        until(page, "async () => (await explorer).replies.length === 1")
        stimulus = stimulus_of(State.model_validate_json(json.dumps(state(page))), small_faces)
        wanted = classifier.log_odds(Renderer(small_faces, size=32).draw(stimulus)[None])[0]
        assert page.evaluate("async () => (await explorer).replies[0].logOdds") == pytest.approx(wanted, abs=1e-6)
        page.get_by_role("button", name="Your own image").click()
        assert "goes to the program on the computer" in page.inner_text("#own-where")
        page.get_by_role("button", name="Close").click()
        broken.append("out of memory")
        page.focus("#stage")
        page.keyboard.press("ArrowDown")
        until(page, "() => document.querySelector('#problem').innerText.includes('out of memory')")
        served.should_exit = True
        thread.join()
    page.keyboard.press("ArrowDown")
    until(page, "() => document.querySelector('#problem').innerText.includes('does not respond')")
    assert part(page, "nose")["rows"] == 8
    page.context.close()


def names_of(module: str) -> list[str]:
    text = (PAGE / f"{module}.js").read_text("utf-8")
    return re.findall(r"^(?:export )?(?:async )?(?:const|let|function|class) (\w+)", text, re.MULTILINE)


@pytest.mark.parametrize("modules", [one_file._PAGE, one_file._WORKER])
def test_modules_can_be_put_together(modules):
    names = [name for module in modules for name in names_of(module)]
    assert len(names) == len(set(names))
    assert not re.search(r"^(import|export) ", one_file.joined(modules), re.MULTILINE)
    for position, module in enumerate(modules):
        text = (PAGE / f"{module}.js").read_text("utf-8")
        assert set(re.findall(r"from '\./(\w+)\.js';$", text, re.MULTILINE)) <= set(modules[:position])


def _names() -> set[str]:
    """What German calls parts and objects; English takes their own names."""
    text = (PAGE / "german.js").read_text("utf-8").partition("germanNames")[2]
    return set(re.findall(r"^  (\w+): ", text, re.MULTILINE))


def test_both_languages_say_everything():
    english, german = (
        dict(re.findall(r"^  (\w+): '(.*)',$", (PAGE / f"{name}.js").read_text("utf-8"), re.MULTILINE))
        for name in ("english", "german")
    )
    assert english.keys() == set(german) - _names()
    for key, text in english.items():
        assert set(re.findall(r"\{(\w+)\}", german[key])) <= {*re.findall(r"\{(\w+)\}", text), "object", "part"}


def test_what_a_browser_cannot_run_is_refused(blocks):
    with pytest.raises(ConfiguralError, match="does not run in a browser"):
        bundle(blocks, [ShownModel(name="n", image_size=32, network=torch.nn.Flatten())])
    with pytest.raises(ConfiguralError, match="two models are called so"):
        bundle(blocks, [ShownModel(name="n", image_size=32)] * 2)


def test_nothing_keeps_people_from_using_it(faces_page, barriers):
    assert barriers(faces_page) == []
