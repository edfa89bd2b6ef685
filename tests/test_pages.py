"""What pages, figures and verdicts say: typical examples, marks on scales, contrast, nothing that leads home."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from html_page import Page
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import configural as cf
from configural import models
from configural.audit import (
    Displacement,
    Factorial,
    ForcedChoice,
    compare_audits,
    everyday,
    headline,
    observers,
    part_costs,
    sentences,
)
from configural.audit.probe import usual, usual_object
from configural.errors import ConfiguralError
from configural.evaluation import Predictions, save_figure, shade
from configural.evaluation.figures import BLUE, GREEN, GREY, ORANGE
from configural.report import write_audit_report, write_comparison_report, write_index
from configural.wording import without_folders

PROBES = (
    ForcedChoice(),
    Factorial(distances=(20, 60), objects=8),
    Displacement(distances=(20, 60), objects=16),
)


@pytest.fixture(scope="module")
def audits(painted, tmp_path_factory):
    """Folders of audits of both observers of one strategy, by name."""
    folder = tmp_path_factory.mktemp("audits")
    for name in ("relation observer", "position observer"):
        observer = observers(painted)[name]
        where = folder / name.partition(" ")[0]
        cf.audit.audit(observer, painted, pairs=12, probes=PROBES, name=name, out=where)
    return folder


@pytest.fixture(scope="module")
def pages(audits, tmp_path_factory):
    """Of one of them, of both compared, and of the folder."""
    both = tmp_path_factory.mktemp("both")
    compare_audits([audits / "relation", audits / "position"], both)
    return {
        "audit": write_audit_report(audits / "relation"),
        "comparison": write_comparison_report(both),
        "index": write_index(audits),
    }


def loaded(audits, name):
    return cf.audit.Audit.load(audits / name)


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def contrast(one, other):
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def in_the_dark(colour):
    """As the filter of pages makes a chart (W3C Filter Effects): inverted by 0.898, its hue turned by 180°."""
    red, green, blue = (0.898 + part * (1 - 2 * 0.898) for part in to_rgb(colour))
    grey = 0.213 * red + 0.715 * green + 0.072 * blue
    return tuple(np.clip(2 * grey - np.array([red, green, blue]), 0, 1))


@pytest.mark.parametrize("colour", [BLUE, ORANGE, GREEN, GREY])
def test_lines_stand_out_against_both_grounds(colour):
    assert contrast(colour, "white") >= 3
    assert contrast(in_the_dark(colour), in_the_dark("white")) >= 3


def test_words_on_every_shade_can_be_read():
    assert min(contrast(*shade(share)) for share in np.linspace(0, 1, 101)) >= 4.5


@pytest.mark.usefixtures("every_format")
def test_figures_are_written_for_screen_and_print_and_equal_ones_equal(tmp_path):
    figure = Figure()
    figure.add_subplot().plot([1, 2])
    for name in ("a", "b"):
        save_figure(figure, tmp_path / f"{name}.png")
    for kind, begins in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        first, second = ((tmp_path / f"{name}.{kind}").read_bytes() for name in ("a", "b"))
        assert first.startswith(begins)
        assert first == second


def test_the_parts_costs_are_the_factorial_probes(audits):
    audit = loaded(audits, "relation")
    costs = part_costs(audit)
    assert list(dict.fromkeys(costs["part"])) == [*audit.facts.parts, "all"]
    nose = costs[(costs["part"] == "nose") & (costs["cost"] == "relations broken")]
    row = audit.score("factorial", "balanced_relational_effect", of="nose, on skin", at=60.0)
    assert nose["value"].item() == row["value"]
    axes = Figure().add_subplot()
    assert audit.plot_parts(axes) is axes.figure
    assert "<img" in audit._repr_html_()


def test_the_page_marks_both_observers_where_they_are(audits):
    for name, index in (("relation", 1.0), ("position", -0.6)):
        page = Page(write_audit_report(audits / name).read_text("utf-8"))
        assert page.texts("h2")[:1] != ["Displacement"]
        assert "Which part matters?" in page.texts("h2")
        place = 50 * (index + 1)
        dots = [e["style"] for e in page.all("span") if e.get("class") == "dot"]
        marks = [e["style"] for e in page.all("span") if e.get("class") == "mark"]
        assert f"left:{place:.1f}%" in marks
        assert any(abs(float(re.search(r"left:([\d.]+)%", dot)[1]) - place) < 4 for dot in dots)
        for image in page.all("img"):
            assert len(image["alt"]) > 3
        chart = next(image for image in page.all("img") if "nose" in image["alt"])
        assert re.search(r"nose, relations broken: −?\d", chart["alt"])


def test_everyday_words_have_the_measured_probabilities(audits):
    said = everyday(loaded(audits, "relation"))[0]
    numbers = [int(number) for number in re.findall(r"(\d+)\u00a0%", said)]
    audit = loaded(audits, "relation")
    asked = (("at rest", 0.0), ("one part", 60.0))
    rest, one = (audit.score("displacement", "P(face)", of=of, at=at)["value"] for of, at in asked)
    for value in (rest, one):
        assert any(abs(100 * value - number) <= 1 for number in numbers)


def test_examples_have_about_the_mean_drop_and_one_direction(audits):
    audit = loaded(audits, "position")
    listed = json.loads((audits / "position" / "examples" / "displacement.json").read_text())
    at_rest, *moved = (one for one in listed if "plain" not in one["caption"])
    assert at_rest["caption"] == "at rest"
    assert len({one["caption"].split()[-1] for one in moved}) == 1
    every = next(one for one in moved if one["caption"].startswith("all,"))
    mean = audit.score("displacement", "drop", of="all", at=60.0)["value"]
    assert at_rest["log_odds"] - every["log_odds"] == pytest.approx(mean, rel=0.35)


def test_the_usual_object_is_near_the_means():
    values = pd.DataFrame({"a": [0.0, 4.0, 9.0], "b": [0.0, 1.0, 2.0]}, index=["x", "y", "z"])
    assert usual(values) == "y"
    shown = pd.DataFrame({"base": [1, 1, 2, 2, 3, 3], "way": [0, 1] * 3, "log_odds": [0.0, 0, 5, 5, 6, 5]})
    assert set(usual_object(shown, "way")["base"]) == {2}
    assert set(usual_object(shown.drop(columns="log_odds"), "way")["base"]) == {1}


def asked(painted, respond):
    class Described:
        def log_odds(self, images):
            return respond(images)

    return cf.audit.audit(Described(), painted, image_size=16, pairs=12, probes=["forced_choice"])


def test_a_verdict_is_no_stronger_than_its_evidence(painted, audits):
    flat = asked(painted, lambda images: np.full(len(images), -3.0))
    assert headline(flat).startswith("It does not do the task")
    assert "other way round" not in " ".join([headline(flat), *sentences(flat)])
    absurd = asked(painted, lambda images: 1000.0 * (images.mean(axis=(1, 2, 3)) - 100))
    assert "absurdly sure" in " ".join(sentences(absurd))
    assert "absurdly" not in " ".join(sentences(loaded(audits, "relation")))
    one_class = asked(painted, lambda images: np.linspace(1, 2, len(images)))
    assert "It calls every one of them face: are images prepared" in " ".join(sentences(one_class))
    assert "every one of them" not in " ".join(sentences(absurd))
    observer = observers(painted)["relation observer"]
    few = cf.audit.audit(observer, painted, pairs=2, probes=["forced_choice", "factorial"])
    assert headline(few).startswith("Too little was measured for a verdict")


def test_an_opened_model_goes_by_its_own_name(painted):
    def brightness(images):
        return images.mean(axis=(1, 2, 3)) / 255

    opened = cf.models.open(brightness)
    found = cf.audit.audit(opened, painted, image_size=16, pairs=2, probes=["forced_choice"])
    assert found.facts.name == "brightness"


def test_full_paths_are_shown_to_nobody():
    assert without_folders("fasseg:/home/ada/V2+a b") == "fasseg:V2+a b"
    assert without_folders("runs/demo, C:\\faces\\one.onnx") == "runs/demo, one.onnx"
    assert without_folders("3/4 of it and/or more") == "3/4 of it and/or more"


def test_a_finished_audit_does_not_tell_where_its_portraits_lie(painted, tmp_path):
    library = replace(painted, source="folder:/home/ada/portraits")
    observer = observers(library)["relation observer"]
    out = tmp_path / "audit"
    cf.audit.audit(observer, library, pairs=2, probes=["forced_choice"], out=out)
    write_audit_report(out)
    for name in ("audit.json", "audit.csv", "report.html"):
        assert "/home/ada" not in (out / name).read_text("utf-8")
    assert loaded(tmp_path, "audit").settings.source == "folder:portraits"
    cf.audit.audit(observer, library, pairs=2, probes=["forced_choice"], out=out, resume=True)  # is only read


@pytest.mark.parametrize("given", [{"mean": 0.5, "std": 0.25}, {"mean": "0.4,0.5,0.6", "std": [0.1, 0.2, 0.3]}])
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_pixels_are_normalised_alike_for_functions_and_torch(given, channels):
    import torch

    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8)
    mean, std = (
        np.array([float(one) for one in value.split(",")]) if isinstance(value, str) else np.array(value)
        for value in given.values()
    )
    expected = ((images[..., :: -1 if channels == "bgr" else 1] / 255 - mean) / std)[..., 0].mean(axis=(1, 2))

    class First(torch.nn.Module):
        def forward(self, values):
            first = values[:, 0].mean(dim=(1, 2))
            return torch.stack([torch.zeros_like(first), first], dim=1)

    network = models.open(First(), channels=channels, output="logits", **given)
    np.testing.assert_allclose(network.log_odds(images), expected, atol=1e-4)
    function = models.open(
        lambda values: values[..., 0].mean(axis=(1, 2)), channels=channels, output="logits", **given
    )
    np.testing.assert_allclose(function.log_odds(images), expected, atol=1e-9)
    assert channels.upper() in network.describe()["preparation"]


@pytest.mark.parametrize("given", [{"mean": "a"}, {"std": 0}, {"std": (1, 2)}])
def test_impossible_means_are_refused_by_name(given):
    with pytest.raises(ConfiguralError, match=next(iter(given))):
        models.open(lambda images: images.mean(axis=(1, 2, 3)), **given)


def test_accuracy_by_placement():
    rows = {"index": range(4), "file": "", "label": 1, "predicted": [1, 1, 0, 1], "probability_face": 0.5}
    frame = pd.DataFrame(rows).assign(log_odds=0.0)
    assert Predictions(frame).by_placement() == {}
    placed = Predictions(frame.assign(placement=["left", "right", "left", "middle"])).by_placement()
    assert {name: one.metrics().accuracy for name, one in placed.items()} == {"left": 0.5, "middle": 1, "right": 1}


def test_pages_over_several(audits, tmp_path):
    compared = compare_audits([audits / "relation", audits / "position"], tmp_path / "both")
    axes = Figure().add_subplot()
    assert compared.plot_curves(axes) is axes.figure
    assert len(axes.lines) == 5  # one part and all of each, and zero
    text = write_comparison_report(tmp_path / "both").read_text("utf-8")
    assert str(audits) not in text + (tmp_path / "both" / "scores.csv").read_text()
    assert "relation index" in Page(text).texts("th")
    rows = dict(re.findall(r'<th scope="row" class="text">(.*?)</th><td class="text">(.*?)</td>', text))
    facts = loaded(audits, "relation").facts
    assert rows["versions"].startswith(f"configural {facts.configural}, Python ")
    assert (rows["date"], rows["device"], rows["image size"]) == (facts.date, "cpu", "224")
    weights = compared.summary.assign(weights=["0123456789012345", ""])
    weights.to_csv(tmp_path / "both" / "comparison.csv", index=False)
    text = write_comparison_report(tmp_path / "both").read_text("utf-8")
    assert '<td class="text">0123456789012345</td><td class="text">–</td>' in text
    index = Page(write_index(audits).read_text("utf-8"))
    assert {"position", "relation"} <= set(index.texts("th"))
    (script,) = (element for element in index.all("script") if "type" not in element)
    assert "fetch" not in script["text"]
    (policy,) = (e["content"] for e in index.all("meta") if e.get("http-equiv") == "Content-Security-Policy")
    assert "script-src 'sha256-" in policy


def test_nothing_keeps_people_from_reading_an_audit_and_a_comparison(pages, barriers):
    for name in ("audit", "comparison"):
        assert barriers(pages[name]) == []


def test_what_keeps_people_from_reading_is_found(tmp_path, barriers):
    (tmp_path / "page.html").write_text('<html><img src="data:,"><p style="color: #ddd">pale</p></html>')
    assert {line.split(": ")[1] for line in barriers(tmp_path / "page.html")} >= {"image-alt", "color-contrast"}


@pytest.mark.parametrize(("width", "media"), [(400, "screen"), (680, "print")])  # 680: A4 without its margins
def test_nothing_is_cut_off_on_phones_and_in_print(width, media, pages, browser):
    """What is wider than the page scrolls within itself; on paper, where nothing scrolls, nothing is wider."""
    for name, path in pages.items():
        with browser.new_context(viewport={"width": width, "height": 800}) as context:
            page = context.new_page()
            page.emulate_media(media=media)
            page.goto(path.as_uri(), wait_until="load")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            cut = page.evaluate(
                "[...document.querySelectorAll('h1, .chart, .wide, .long')].filter((each) =>"
                "  each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).overflowX !== 'auto')"
                "  .map((each) => each.outerHTML.slice(0, 80))"
            )
            assert cut == [], name
            headline = page.locator("h1").first
            assert headline.evaluate("(each) => getComputedStyle(each).borderTopWidth") == "0px"
            charts = page.locator("figure.chart img").evaluate_all("all => all.map(each => each.clientWidth)")
            if media == "screen":  # so that words in it are legible, at 10 pixels or more
                assert min(charts, default=600) >= 600
