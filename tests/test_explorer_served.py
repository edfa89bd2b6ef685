"""The explorer's page with its server, in a real browser: what the server says is shown, and its end is told."""

import json
import threading
import time

import numpy as np
import pytest
import torch
from command_line import halted

import configural as cf
from configural.explorer import State, state_of, stimulus_of

uvicorn = pytest.importorskip("uvicorn", reason="the explorer's server needs starlette and uvicorn")

SIZE = 32


@pytest.fixture
def page(browser):
    with browser.new_context(locale="en") as context:
        yield context.new_page()


@pytest.fixture
def served(tmp_path):
    """A process that serves a network which nobody has trained: its address, and the process."""
    torch.manual_seed(0)
    cf.models.save_network(cf.models.create("fcn-14", SIZE), tmp_path / "net.safetensors")
    words = ["explore", tmp_path / "net.safetensors", "--port", 0, "--source", "synthetic:2", "--no-browser"]
    with halted("start", *words) as command:
        yield command.first_line().split()[1], command.process


def test_what_a_slow_model_says_is_kept_and_mapped_with_the_image_it_was_said_of(page):
    from configural.explorer import one_file, server
    from configural.explorer.asking import AskedModel, Panel
    from configural.explorer.bundle import ShownModel, bundle

    library = cf.portraits.load("synthetic:2")

    def slow(images):
        if len(images) == 1:
            time.sleep(1)  # longer than the page waits before it keeps what is shown
        return images.mean(axis=(1, 2, 3)) / 255

    classifier = cf.models.open(slow, output="probabilities")
    names = ("slow", "as slow")
    panel = Panel(library, [AskedModel(name=name, image_size=SIZE, classifier=classifier) for name in names])
    held = bundle(library, [ShownModel(name=name, image_size=SIZE) for name in names])
    questions = []
    page.on("request", lambda request: questions.append(request.post_data or ""))
    with server.listening("127.0.0.1", 0) as listener:
        app = server.application(one_file.page(), held, panel)
        running = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        page.goto(server.address_of(listener, "127.0.0.1"))
        page.evaluate("async () => { await explorer; }")
        page.select_option("#map", "occlusion")  # before anything was said
        page.select_option("#canvas", "grey")
        end = time.monotonic() + 30
        while page.locator(".view.mapped").count() < 2:
            assert time.monotonic() < end
            page.wait_for_timeout(50)
        session, shown = page.evaluate("async () => [(await explorer).session, (await explorer).state]")
        running.should_exit = True
        thread.join()
    image = cf.stimuli.Renderer(library, size=SIZE).draw(
        stimulus_of(State.model_validate_json(json.dumps(shown)), library)
    )
    assert session[-1]["log_odds slow"] == pytest.approx(classifier.log_odds(image[None])[0], abs=1e-6)
    assert session[-1]["background"] == "grey"
    assert sum('"hide"' in question for question in questions) == 8  # 225 squares, 32 at a time, for both models


def test_the_page_shows_what_the_server_says_and_that_it_has_ended(page, served, tmp_path):
    address, process = served
    page.goto(address)
    page.evaluate("async () => { await explorer; }")
    library = cf.portraits.load("synthetic:2")
    stimuli = list(cf.stimuli.sample(library, condition="ffa", count=6, seed=2))
    states = [state_of(stimulus, library).model_dump() for stimulus in stimuli]
    states[0]["parts"][0]["turn"] = 40.0
    states[1]["parts"][3]["shown"] = False
    replies = page.evaluate(
        """async (states) => {
          const app = await explorer;
          const all = [];
          for (const state of states) {
            await app.present(state, []);
            all.push([app.state, (await app.scores(0, [app.state]))[0]]);
          }
          return all;
        }""",
        states,
    )
    drawn = [stimulus_of(State.model_validate_json(json.dumps(state)), library) for state, _ in replies]
    images = cf.stimuli.Renderer(library, size=SIZE).draw_batch(drawn)
    expected = cf.models.open(tmp_path / "net.safetensors").log_odds(images)
    np.testing.assert_allclose([score for _, score in replies], expected, atol=1e-3)

    page.select_option("#map", "occlusion")
    end = time.monotonic() + 30
    while not page.locator(".view.mapped").count():
        assert time.monotonic() < end
        page.wait_for_timeout(50)
    hidden = page.evaluate(
        """async () => {
          const app = await explorer;
          const hide = { top: 0.25, left: 0.375, side: 0.125 };
          const item = { state: app.state, drawing: app.drawing, hide };
          return (await app.asker.askLater(0, [item], () => true))[0].logOdds;
        }"""
    )
    images[-1, 8:12, 12:16] = 128
    assert hidden == pytest.approx(cf.models.open(tmp_path / "net.safetensors").log_odds(images[-1:])[0], abs=1e-3)

    arranged = page.evaluate("async () => (await explorer).state")
    process.kill()
    process.join()
    page.evaluate("async (state) => { (await explorer).scores(0, [state]); }", arranged)
    end = time.monotonic() + 30
    while not page.locator("#problem").is_visible():
        assert time.monotonic() < end
        page.wait_for_timeout(50)
    assert "server" in page.locator("#problem").inner_text()
    assert page.evaluate("async () => (await explorer).state") == arranged
