"""`configural explore` and `cf.explore`: models, exemplars and options to a page, served or in one file."""

import importlib.util
import json
import signal
import urllib.error
import urllib.request

import numpy as np
import pytest
import torch
from command_line import configural, halted

import configural as cf
from configural.errors import ConfiguralError

pytest.importorskip("starlette", reason="the explorer's server needs starlette and uvicorn")

from starlette.testclient import TestClient

from configural.explorer import ShownModel, server
from configural.explorer.bundle import bundle as bundle_of


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Weights of a network that nobody has trained."""
    path = tmp_path_factory.mktemp("explorer") / "net.safetensors"
    torch.manual_seed(0)
    cf.models.save_network(cf.models.create("fcn-14", 32), path)
    return path


@pytest.fixture(scope="module")
def trained(painted, tmp_path_factory):
    """A finished run."""
    cf.portraits.SOURCES["eight-painted"] = painted
    out = tmp_path_factory.mktemp("explorer") / "run"
    with cf.progress.hidden():
        cf.run(
            source="eight-painted", condition="fct", network="fcn-14", count=42, image_size=32, epochs=1, out=out
        )
    yield out
    del cf.portraits.SOURCES["eight-painted"]


UNUSED = {
    "--positive": "1",
    "--output": "logits",
    "--scale": "0.5",
    "--layout": "hwc",
    "--mean": "0.5",
    "--std": "0.5",
    "--channels": "bgr",
    "--image-size": "64",
    "--network": "math:sqrt",
    "--device": "cpu",
}.items()


def served(monkeypatch, *models, **options):
    """What would be served, and what was said."""
    apps, said = [], []
    monkeypatch.setattr(server, "serve", lambda app, listener, *, started: apps.append(app))
    cf.explore(*models, say=said.append, browser=False, port=0, **options)
    return TestClient(apps[0], base_url="http://127.0.0.1:8042"), said


def test_models_of_several_kinds_and_sizes_are_shown_side_by_side(monkeypatch, painted, saved, trained):
    def red(images):
        return images[..., 0].mean(axis=(1, 2)) / 255

    client, said = served(monkeypatch, trained, saved, red, red, image_size=32, exemplars=2)
    assert said[-1].startswith("explorer: http://127.0.0.1:")
    shown = client.get("/bundle.json").json()
    names = ["run", "net.safetensors", "red", "red (2)"]
    assert [(model["name"], model["network"]) for model in shown["models"]] == [(name, None) for name in names]
    first = shown["models"][0]
    assert first["trained_on"] == "fct"
    assert first["accuracy"] == json.loads((trained / "metrics.json").read_text())["test_accuracy"]
    assert [exemplar["name"] for exemplar in shown["exemplars"]] == [painted[0].name, painted[1].name]
    host = painted[0].name
    parts = [{"slot": kind, "kind": kind, "donor": host} for kind in painted.scheme.part_kinds]
    question = {"states": [{"exemplar": host, "parts": parts}]}
    replies = {m["name"]: m["log_odds"] for m in client.post("/responses", json=question).json()["models"]}
    assert list(replies) == names
    state = cf.explorer.State.model_validate(question["states"][0], strict=False)
    image = cf.stimuli.Renderer(painted, size=32).draw(cf.explorer.stimulus_of(state, painted))
    np.testing.assert_allclose(replies["run"], cf.models.open(trained).log_odds(image[None]), rtol=1e-5)


def test_the_exemplars_of_a_run_are_its_own_unless_others_are_named(monkeypatch, trained, painted):
    client, _ = served(monkeypatch, trained, source=cf.portraits.Library("others", painted.exemplars[3:5]))
    assert [one["name"] for one in client.get("/bundle.json").json()["exemplars"]] == [
        painted[3].name,
        painted[4].name,
    ]


def test_parts_are_looked_for_in_faces_where_the_landmark_bundle_is(monkeypatch, painted, saved, landmark_bundle):
    def landmarks(source):
        client, _ = served(monkeypatch, saved, source=source)
        return client.get("/bundle.json").json()["landmarks"]

    assert landmarks(painted)
    assert not landmarks("houses:2")
    monkeypatch.setenv("CONFIGURAL_CACHE", str(landmark_bundle.with_name("nowhere")))
    assert not landmarks(painted)


def test_the_page_tells_nobody_where_portraits_and_conditions_lie(monkeypatch, painted, saved):
    library = cf.portraits.Library("folder:/home/ada/faces", painted.exemplars[:2])
    client, _ = served(monkeypatch, saved, source=library)
    bundle = client.get("/bundle.json").json()
    assert bundle["source"] == "folder:faces"
    model = ShownModel(name="net", image_size=32, trained_on="/home/ada/mine.yaml")
    assert "/home" not in json.dumps(bundle_of(library, [model]))


def test_the_page_is_written_into_one_file(trained, tmp_path, capsys):
    done = configural("explore", trained, "--out", tmp_path / "explorer.html", "--exemplars", 2)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path / 'explorer.html'}: opens in any browser, offline too\n"
    text = (tmp_path / "explorer.html").read_text("utf-8")
    assert "connect-src 'none'" in text
    assert len(text) < 4_000_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing"], "missing: there is no such model"),
        (["unfinished"], "unfinished: this run is not finished, it has no model.safetensors"),
        (["empty"], "empty: not a kind of model that is known"),
        (["net", "--image-size", "64"], "--image-size 64: net.safetensors takes 32 pixels, keep that"),
        (["net", "--exemplars", "1"], "--exemplars 1: at least 2"),
        (["net", "--port", "70000"], "--port 70000: must be from 1 to 65535"),
        (["net", "--host", "nowhere.invalid"], "--host 'nowhere.invalid': no address of this machine"),
        (["net", "--source", "nobody"], "source 'nobody' is not understood"),
        (["net", "--out", "empty"], "empty: a folder; out names a file"),
        (["net", "--out", "a.html", "--positive", "0"], "--positive: of no use for a file"),
        (["math:sqrt", "--out", "a.html"], "math:sqrt: does not run in a browser"),
        *(
            ([option, value], f"{option}: says how a model is opened, but no model is named; name one")
            for option, value in UNUSED
        ),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(saved, painted, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(cf.portraits.SOURCES.data, "synthetic", painted)
    (tmp_path / "empty").mkdir()
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "config.yaml").write_text("source: synthetic\n")
    words = [str(saved) if word == "net" else word for word in arguments]
    done = configural("explore", *words, "--no-browser")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("*.html"))


def test_a_port_that_is_taken_is_said(saved, painted, monkeypatch):
    monkeypatch.setitem(cf.portraits.SOURCES.data, "synthetic", painted)
    with server.listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        done = configural("explore", saved, "--no-browser", "--port", port)
    assert done.stderr == f"error: --port {port}: taken by another program; name another, or none\n"


def test_what_is_missing_is_said(saved, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfiguralError, match=r"needs starlette and uvicorn: pip install 'configural\[explore\]'"):
        cf.explore(saved)


def test_others_are_let_in_only_with_a_warning(monkeypatch, painted, saved):
    _, said = served(monkeypatch, saved, source=painted, host="0.0.0.0")
    assert said[0] == "warning: 0.0.0.0 lets everyone in who can reach this machine"
    assert said[1].startswith("explorer: http://127.0.0.1:")
    _, said = served(monkeypatch, saved, source=painted)
    assert len(said) == 1


def test_a_process_serves_until_ctrl_c(saved):
    with halted("start", "explore", saved, "--source", "synthetic:2", "--no-browser", "--port", 0) as command:
        line = command.first_line()
        assert line.startswith("explorer: http://127.0.0.1:"), line
        address = line.split()[1]
        with urllib.request.urlopen(address, timeout=30) as page:
            assert page.headers["x-frame-options"] == "DENY"
            assert "server" not in page.headers
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(urllib.request.Request(address, headers={"Host": "evil.example"}), timeout=30)
        command.end(by=signal.SIGINT)
        assert command.process.exitcode == 0
