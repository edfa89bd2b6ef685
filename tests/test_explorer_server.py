"""What the explorer's server answers, and to whom; and how it begins and ends."""

import json
import socket

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the explorer's server needs starlette and uvicorn")

from starlette.testclient import TestClient

import configural as cf
from configural.errors import ConfiguralError
from configural.explorer import server
from configural.explorer.asking import AskedModel, Panel
from configural.explorer.drawing import state_of
from configural.stimuli import Renderer

LARGER, SMALLER = 48, 32


@pytest.fixture(scope="module")
def library(painted):
    return painted


@pytest.fixture(scope="module")
def states(library):
    table = cf.stimuli.sample(library, condition="ffa", count=6)
    return [state_of(stimulus, library).model_dump() for stimulus in table]


def red(images):
    return images[..., 0].mean(axis=(1, 2)) / 255


def upper(images):
    return images[:, : images.shape[1] // 3].mean(axis=(1, 2, 3)) / 255


@pytest.fixture(scope="module")
def panel(library):
    models = [("red", LARGER, red), ("upper", SMALLER, upper)]
    asked = [AskedModel(name=n, image_size=size, classifier=cf.models.open(each)) for n, size, each in models]
    return Panel(library, asked)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def client_of(panel, *, address="http://127.0.0.1:8042", clock=None, **options):
    app = server.application("<p>page</p>", {"format": 1}, panel, clock=clock or Clock(), **options)
    return TestClient(app, base_url=address, raise_server_exceptions=False)


def test_all_models_respond_to_what_the_renderer_draws(panel, library, states):
    client = client_of(panel)
    said = client.post("/responses", json={"states": states}).json()
    stimuli = list(cf.stimuli.sample(library, condition="ffa", count=6))
    assert [model["name"] for model in said["models"]] == ["red", "upper"]
    for model, size, predict in zip(said["models"], (LARGER, SMALLER), (red, upper), strict=True):
        p = predict(Renderer(library, size=size).draw_batch(stimuli))
        np.testing.assert_allclose(model["log_odds"], np.log(p / (1 - p)), rtol=1e-9)


def test_a_square_is_hidden_from_every_model_at_its_own_size(panel, library, states):
    """A quarter down and 3.5 of 32 pixels to the right, which is rounded up."""
    square, flipped = {"top": 0.25, "left": 3.5 / 32, "side": 0.3125}, states[1] | {"flip": True}
    client = client_of(panel)
    asked = [states[0], states[0] | {"hide": square}, flipped | {"hide": square}, states[2] | {"hide": None}]
    said = client.post("/responses", json={"states": asked}).json()
    stimuli = list(cf.stimuli.sample(library, condition="ffa", count=6))
    for model, size, predict, (row, column, side) in zip(
        said["models"], (LARGER, SMALLER), (red, upper), [(12, 5, 15), (8, 4, 10)], strict=True
    ):
        images = Renderer(library, size=size).draw_batch([stimuli[at] for at in (0, 0, 1, 2)])
        images[2] = images[2, ::-1, ::-1]
        for at in (1, 2):
            for y, x in np.ndindex(side, side):
                images[at, row + y, column + x] = 128
        p = predict(images)
        np.testing.assert_allclose(model["log_odds"], np.log(p / (1 - p)), rtol=1e-9)
        assert model["log_odds"][0] != model["log_odds"][1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"top": 0.9}, "states.0.hide: the square reaches beyond the image"),
        ({"left": 0.8, "side": 0.25}, "states.0.hide: the square reaches beyond the image"),
        ({"top": -0.1}, "states.0.hide.top: input should be greater than or equal to 0"),
        ({"side": 0}, "states.0.hide.side: input should be greater than 0"),
        ({"side": "0.1"}, "states.0.hide.side: input should be a valid number"),
        ({"more": 1}, "states.0.hide.more: extra inputs are not permitted"),
    ],
)
def test_squares_that_cannot_be_are_refused(panel, states, change, said):
    square = {"top": 0.5, "left": 0.5, "side": 0.125} | change
    response = client_of(panel).post("/responses", json={"states": [states[0] | {"hide": square}]})
    assert (response.status_code, response.json()["error"]) == (422, said)


def test_page_and_bundle_are_given_with_headers_that_keep_others_out(panel):
    client = client_of(panel)
    page, shown = client.get("/"), client.get("/bundle.json")
    assert page.text == "<p>page</p>"
    assert page.headers["content-type"].startswith("text/html")
    assert shown.json() == {"format": 1, "landmarks": False}
    for response in (page, shown, client.get("/elsewhere"), client.get("/", headers={"host": "evil.example"})):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["x-frame-options"] == "DENY"
        assert response.headers["content-security-policy"] == "frame-ancestors 'none'"
        assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.7:8042", "", "[", "a@b"])
def test_other_names_are_refused(panel, host):
    assert client_of(panel).get("/", headers={"host": host}).status_code in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9000", "[::1]:8042", "LOCALHOST:1"])
def test_names_of_this_machine_are_answered(panel, host):
    assert client_of(panel).get("/", headers={"host": host}).status_code == 200


def test_where_others_are_let_in_addresses_are_answered_and_names_are_not(panel):
    client = client_of(panel, host="0.0.0.0")
    assert client.get("/", headers={"host": "192.168.0.7:8042"}).status_code == 200
    assert client.get("/", headers={"host": socket.gethostname()}).status_code == 200
    assert client.get("/", headers={"host": "evil.example"}).status_code == 403


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8042", 200),
        ("http://127.0.0.1:9000", 403),
        ("http://localhost:8042", 403),
        ("https://evil.example", 403),
        ("null", 403),
    ],
)
def test_only_the_page_itself_may_ask(panel, states, origin, status):
    response = client_of(panel).post("/responses", json={"states": states[:1]}, headers={"origin": origin})
    assert response.status_code == status


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"exemplar": "nobody"}, "nobody"),
        ({"exemplar": "x" * 300}, "states.0.exemplar: string should have at most 200 characters"),
        ({"canvas": "noise"}, "states.0.canvas"),
        ({"flip": "true"}, "states.0.flip"),
        ({"more": 1}, "states.0.more: extra inputs are not permitted"),
        ({"parts": []}, "the slot left_eye is missing"),
    ],
)
def test_states_that_cannot_be_are_refused_in_one_sentence(panel, states, change, said):
    response = client_of(panel).post("/responses", json={"states": [states[0] | change]})
    assert response.status_code == 422
    assert said in response.json()["error"]
    assert "\n" not in response.json()["error"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"states": []}', b'{"states": 1}', b"1e999"])
def test_what_is_no_question_is_refused(panel, body):
    response = client_of(panel).post("/responses", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 422
    assert response.json()["error"]


def test_parts_outside_of_the_canvas_are_refused(panel, states):
    part = states[0]["parts"][0] | {"rows": -600}
    state = states[0] | {"parts": [part, *states[0]["parts"][1:]]}
    response = client_of(panel).post("/responses", json={"states": [state]})
    assert response.status_code == 422
    assert "leaves the canvas" in response.json()["error"]


def test_other_kinds_of_content_and_large_ones_are_refused(panel, states):
    client = client_of(panel)
    text = json.dumps({"states": states})
    assert client.post("/responses", content=text, headers={"content-type": "text/plain"}).status_code == 415
    large = text + " " * server.LARGEST_BODY
    assert client.post("/responses", content=large, headers={"content-type": "application/json"}).status_code == 413
    parts = (large[at : at + 65536].encode() for at in range(0, len(large), 65536))  # of a length that is not said
    assert client.post("/responses", content=parts, headers={"content-type": "application/json"}).status_code == 413
    assert client.get("/responses").status_code == 405


def test_states_per_second_are_limited(states):
    class Quick(Panel):
        def __init__(self):
            pass

        def log_odds(self, states):
            return {}

    clock = Clock()
    client = client_of(Quick(), clock=clock)
    many = {"states": states[:1] * 512}
    allowed = server.STATES_AT_ONCE // 512
    said = [client.post("/responses", json=many).status_code for _ in range(allowed)]
    assert said == [200] * allowed
    refused = client.post("/responses", json={"states": states[:1]})
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    clock.now += 512 / server.STATES_PER_SECOND
    assert client.post("/responses", json=many).status_code == 200
    assert client.post("/responses", json=many).status_code == 429


def test_a_model_that_fails_is_named(library, states):
    class Dead:
        def log_odds(self, images):
            raise RuntimeError("connection refused\nby peer")

    class Silent:
        def log_odds(self, images):
            return np.full(len(images), np.nan)

    for model, said in ((Dead(), "mine: did not respond: connection refused"), (Silent(), "mine: wanted is one")):
        panel = Panel(library, [AskedModel(name="mine", image_size=32, classifier=model)])
        response = client_of(panel).post("/responses", json={"states": states[:2]})
        assert response.status_code == 502
        assert response.json()["error"].startswith(said)


def test_a_port_that_is_taken_is_left_for_another_unless_it_was_asked_for():
    with server.listening("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        assert server.address_of(first, "127.0.0.1") == f"http://127.0.0.1:{port}/"
        with pytest.raises(ConfiguralError, match=f"^port {port}: taken by another program"):
            server.listening("127.0.0.1", port)
    with server.listening("127.0.0.1", None), server.listening("127.0.0.1", None) as second:
        assert second.getsockname()[1] != server.USUAL_PORT


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1", "a" * 300])
def test_an_address_of_another_machine_is_refused(host):
    with pytest.raises(ConfiguralError, match="no address of this machine"):
        server.listening(host, None)


def test_impossible_ports_are_refused():
    with pytest.raises(ConfiguralError, match=r"^port 70000: "):
        server.listening("127.0.0.1", 70000)
