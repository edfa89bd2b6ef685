"""The page of a run: complete, self-contained, well-formed, and made from the folder alone."""

import base64
import hashlib
import importlib.resources
import json
import os
import re
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pandas as pd
import pytest
from html_page import Page
from huggingface_hub import ModelCard

import configural as cf
from configural.config import run_config
from configural.evaluation import Predictions, accuracy_figure, loss_figure, save_figure
from configural.io import manifest
from configural.report import write_evaluation_report, write_run_report
from configural.runs import load_run
from configural.runs.run import write_test
from configural.stimuli import ImageDataset
from configural.training.history import Epoch, History

SIZE = 16
FIRST = 8001
CLASSES = ("no_face", "face")


def write_a_test(folder, wrong, n=20):
    """Write a test of n images per class; `wrong` is how many no_face and how many face are mistaken."""
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], n)
    index = np.tile(np.arange(FIRST, FIRST + n), 2)
    files = [f"test/{CLASSES[c]}/pic_{i:05d}.png" for c, i in zip(label, index, strict=True)]
    mistaken = np.tile(np.arange(n), 2) < np.repeat(wrong, n)
    predicted = np.where(mistaken, 1 - label, label)
    log_odds = np.where(predicted == 1, 1, -1) * rng.uniform(0.01, 4, 2 * n)
    log_odds[n - 1], log_odds[-1] = -30, 30  # as good as certain
    rows = pd.DataFrame({"index": index, "file": files, "label": label})
    pixels = rng.integers(0, 256, (2 * n, SIZE, SIZE, 3)).astype(np.uint8)
    probability = 1 / (1 + np.exp(-log_odds))
    answers = rows.assign(predicted=predicted, probability_face=probability, log_odds=log_odds)
    metrics = write_test(folder, Predictions(answers), images=ImageDataset(rows, SIZE, images=pixels))
    return metrics, answers, pixels


def history(n):
    return History(tuple(Epoch(i, 0.5 / i, 1 - 0.2 / i, 0.4 / i, 1 - 0.1 / i, 2.0) for i in range(1, n + 1)))


METRICS = {
    "parameters": {"total": 389058, "trainable": 388994, "non_trainable": 64},
    "seconds": {"draw": 12.34, "train": 437.0, "test": 7263.0},
    "faces_fingerprint": "0123456789abcdef" * 4,
    "configural": "9.8.7",
    "torch": "6.5.4",
    "device": "cuda:7",
}
"""What a run's metrics.json has besides its test."""


@cache
def curves(epochs):
    """The figures of a training, drawn once for all runs of as many epochs."""
    with TemporaryDirectory() as folder:
        for name, draw in (("accuracy", accuracy_figure), ("loss", loss_figure)):
            save_figure(draw(history(epochs)), Path(folder) / f"{name}.png")
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def a_run(folder, wrong=(2, 1), n=20, epochs=4, **settings):
    metrics, answers, pixels = write_a_test(folder, wrong, n)
    settings = run_config(**{"network": "fcn-14", "epochs": epochs, **settings})
    settings.save(folder / "config.yaml")
    told = history(epochs)
    told.save(folder / "history.csv")
    for name, content in curves(epochs).items():
        (folder / "figures" / name).write_bytes(content)
    metrics |= {**METRICS, "images": {"train": 16002, "valid": 998, "test": 2 * n}}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return load_run(folder), answers, pixels


def page_of(run):
    text = write_run_report(run).read_text("utf-8")
    return Page(text), text


def written(probability):
    text = f"{probability:.4f}"
    return {"1.0000": "> 0.9999", "0.0000": "< 0.0001"}.get(text, text)


def decoded(image):
    kind, _, content = image["src"].partition(",")
    assert kind == "data:image/png;base64"
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape[:2] == (int(image["height"]), int(image["width"]))
    return pixels[..., ::-1]


@pytest.mark.parametrize(("wrong", "epochs"), [((0, 0), 1), ((2, 1), 4), ((0, 1), 30)])
def test_page_is_well_formed_and_loads_nothing(tmp_path, wrong, epochs):
    page, text = page_of(a_run(tmp_path / "run", wrong, epochs=epochs)[0])
    assert text.startswith("<!DOCTYPE html>")
    assert len(page.all("h1")) == len(page.all("title")) == 1
    assert not page.all("script")
    assert not page.all("link")
    ids = [element["id"] for element in page.elements if "id" in element]
    assert len(set(ids)) == len(ids)
    for element in page.elements:
        assert not {"srcset", "data", "action", "poster", "background"} & element.keys()
        if "src" in element:
            assert element["src"].startswith("data:image/png;base64,")
        if "href" in element:
            assert element["href"][0] == "#"
            assert element["href"][1:] in ids
    style = page.all("style")[0]["text"]
    assert "url(" not in style
    assert "@import" not in style
    assert "http:" not in text
    assert "https:" not in text
    policy = next(e["content"] for e in page.all("meta") if e.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    for image in page.all("img"):
        assert len(image["alt"]) > 10
        decoded(image)
    for header in page.all("th"):
        assert header["scope"] in ("col", "row")


def test_result_comes_first(tmp_path):
    run, answers, _ = a_run(tmp_path / "run", (2, 1))
    page, _ = page_of(run)
    right = int((answers["label"] == answers["predicted"]).sum())
    assert (right, len(answers)) == (37, 40)
    assert page.texts("h1") == ["92.50% of the test images correct"]
    lead = page.texts("p")[0]
    assert "37 of 40" in lead
    assert "It predicted 2 images of no_face as face and 1 image of face as no_face." in lead
    truth = np.where(answers["label"] == 1, answers["probability_face"], 1 - answers["probability_face"])
    loss = f"{-np.log(truth).mean():.4g}"
    assert loss in page.texts("dd")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [((3, 0), "It predicted 3 images of no_face as face."), ((0, 1), "It predicted 1 image of face as no_face.")],
)
def test_only_mistakes_that_were_made_are_told(tmp_path, wrong, said):
    lead = page_of(a_run(tmp_path / "run", wrong)[0])[0].texts("p")[0]
    assert lead.endswith(said)


def test_commands_on_the_page_name_what_only_a_person_may_have_imported(tmp_path):
    _, text = page_of(a_run(tmp_path / "run", network="mine:Net", source="mine:faces")[0])
    assert "run --network mine:Net --source mine:faces --placement shifted" in text
    assert "audit run --network mine:Net --source mine:faces --out" in text
    _, text = page_of(a_run(tmp_path / "other", source="folder:faces")[0])
    assert "audit other --out" in text


def test_every_mistake_is_shown_with_its_image_and_probability(tmp_path):
    run, answers, pixels = a_run(tmp_path / "run", (12, 5))
    page, _ = page_of(run)
    figures = [element for element in page.all("figure") if element["class"] == "tile wrong"]
    shown = {" ".join(figure["text"].split()) for figure in figures}
    rows = page.texts("tr")
    wrong = answers[answers["label"] != answers["predicted"]]
    assert len(wrong) == 17
    images = {image["alt"]: decoded(image) for image in page.all("img")}
    for position, row in wrong.iterrows():
        true, predicted = CLASSES[row["label"]], CLASSES[row["predicted"]]
        probability = written(row["probability_face"])
        assert f"{row['index']} {true} → {predicted} P(face) {probability}" in shown
        assert f"{row['index']}{true}{predicted}{probability}{row['file']}" in rows
        np.testing.assert_array_equal(images[f"Image {row['index']} of class {true}"], pixels[position])


def test_samples_are_the_first_test_images_with_the_networks_answer(tmp_path):
    run, answers, pixels = a_run(tmp_path / "run", (0, 0))
    page, _ = page_of(run)
    tiles = [" ".join(e["text"].split()) for e in page.all("figure") if e["class"] == "tile"]
    images = [image for image in page.all("img") if image["alt"].startswith("Image")]
    expected = pd.concat([answers[answers["label"] == label].head(6) for label in (1, 0)])
    assert len(tiles) == len(images) == 12
    for tile, image, (position, row) in zip(tiles, images, expected.iterrows(), strict=True):
        name = CLASSES[row["label"]]
        assert tile == f"{row['index']} {name} → {name} P(face) {written(row['probability_face'])}"
        np.testing.assert_array_equal(decoded(image), pixels[position])
        assert image["class"] == "small", "drawn pixel by pixel"


def test_probability_is_never_rounded_to_a_certainty(tmp_path):
    run, answers, _ = a_run(tmp_path / "run", (20, 20))
    assert {0.0, 1.0} <= set(answers["probability_face"].round(6))
    _, text = page_of(run)
    assert "1.0000" not in text
    assert "0.0000" not in text
    assert "&gt; 0.9999" in text
    assert "&lt; 0.0001" in text


def test_no_mistakes(tmp_path):
    page, text = page_of(a_run(tmp_path / "run", (0, 0))[0])
    assert "No mistakes" in page.texts("h2")
    assert "every one of the 40 images correctly" in " ".join(text.split())
    assert page.texts("h1") == ["100% of the test images correct"]


def test_of_many_mistakes_some_are_shown_and_all_listed(tmp_path):
    run, answers, _ = a_run(tmp_path / "run", (130, 30), n=140)
    page, text = page_of(run)
    figures = [element["text"] for element in page.all("figure") if element["class"] == "tile wrong"]
    gallery = figures[6 + 6 :]  # the samples are wrong too
    assert [int(figure.split()[0]) for figure in gallery] == [
        *range(FIRST, FIRST + 100),
        *range(FIRST, FIRST + 30),
    ]
    assert "130 images of 160 are shown, at most 100 of each kind" in " ".join(text.split())
    rows = "\n".join(page.texts("tr"))
    for _, row in answers[answers["label"] != answers["predicted"]].iterrows():
        assert re.search(rf"^{row['index']}{CLASSES[row['label']]}.*{re.escape(row['file'])}$", rows, re.M)


def test_settings_layers_and_epochs(tmp_path):
    run, _, _ = a_run(tmp_path / "run", condition="fct", split="identity", image_size=224, seed=77)
    page, _ = page_of(run)
    facts = dict(zip(page.texts("dt"), page.texts("dd"), strict=False))
    assert set(facts) >= {"source", "condition", "split", "batch size", "device", "seed", "PyTorch"}
    values = page.texts("dd")
    for value in ("synthetic", "fct", "identity", "fcn-14", "224 × 224 pixels", "16,002 images", "77", "32 bits"):
        assert value in values
    for value in ("12.3 s", "7 min 17 s", "2 h 01 min", "9.8.7", "6.5.4", "cuda:7", "0123456789ab"):
        assert value in values
    rows = page.texts("tr")
    # The counts of the study's fcn-14.
    assert "Conv_1convolution 3×3, ReLU32 × 224 × 224896" in rows
    assert "in total389,058" in rows
    assert "changed by gradient388,994" in rows
    assert "Max_4" in " ".join(rows)
    assert "Conv_5" not in " ".join(rows)
    text = " ".join(page.all("main")[0]["text"].split())
    assert "sees 46 × 46 of the image's 224 × 224 pixels" in text
    assert "persons that it never saw in training" in text
    assert "495.00 %97.50 %0.1250.12.0" in rows


def test_what_a_recipe_changes_of_the_study_s_training_is_told(tmp_path):
    def told(preset):
        page, _ = page_of(a_run(tmp_path / preset, preset=preset, network="cnn-15", epochs=1)[0])
        return set(page.texts("dt")), " ".join(page.all("main")[0]["text"].split())

    changed = {"weight decay": "4", "label smoothing": "0.1", "dropout": "0", "β₂ of Adam": "0.98"}
    names, text = told("fast")
    assert changed.keys() <= names
    for name, value in changed.items():
        assert re.search(rf"{name} ?{re.escape(value)}(?![\d.])", text)
    assert "still learning; those for valid" in text
    assert "that of smoothed labels" in text
    names, text = told("paper")
    assert not changed.keys() & names
    assert "still learning and parts of it were switched off (dropout); those for valid" in text
    assert "smoothed labels" not in text


def test_text_from_outside_is_escaped(tmp_path):
    evil = "<script>alert('&')</script>"
    run, _, _ = a_run(tmp_path / "<b>run & more", source=f'fasseg:{evil}"')
    page, text = page_of(run)
    assert not page.all("script")
    assert evil not in text
    assert f'fasseg:{evil}"' in page.texts("dd")
    assert "<b>run & more" in page.texts("title")[0]


def test_page_is_made_from_the_folder_alone(tmp_path):
    first = write_run_report(a_run(tmp_path / "a" / "run")[0]).read_bytes()
    (tmp_path / "b").mkdir()
    shutil.move(tmp_path / "a" / "run", tmp_path / "b" / "run")
    again = write_run_report(load_run(tmp_path / "b" / "run"))
    assert again == tmp_path / "b" / "run" / "report.html"
    assert again.read_bytes() == first


def test_page_is_made_of_what_is_left(tmp_path):
    run, answers, _ = a_run(tmp_path / "run", (2, 1))
    for name in ("figures", "samples", "misclassified"):
        shutil.rmtree(run.folder / name)
    page, text = page_of(run)
    assert not page.all("img")
    assert "0 images of 3 are shown" in text
    for index in answers.loc[answers["label"] != answers["predicted"], "index"]:
        assert any(row.startswith(str(index)) for row in page.texts("tr"))


def test_page_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    run, _, _ = a_run(tmp_path / "run")
    path = write_run_report(run)
    path.write_text("the old page")
    before = set(run.folder.iterdir())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_run_report(run)
    assert path.read_text() == "the old page"
    assert set(run.folder.iterdir()) == before


def test_evaluation_page_leaves_the_training_out(tmp_path):
    metrics, _, _ = write_a_test(tmp_path, (3, 0))
    settings = {"model": "runs/<old>", "network": "cnn-15", "image_size": 224, "source": "synthetic"}
    settings |= {"condition": "baseline", "placement": "shifted", "split": "paper", "count": 2000, "seed": 5}
    metrics |= {"settings": settings, "images": {"test": 40}, "configural": "9.8.7"}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    path = write_evaluation_report(tmp_path)
    assert path == tmp_path / "report.html"
    page = Page(path.read_text("utf-8"))
    assert page.texts("h1") == ["92.50% of the test images correct"]
    assert "How it learned" not in page.texts("h2")
    assert set(page.texts("dd")) >= {"runs/<old>", "cnn-15", "shifted", "baseline", "2000", "5", "9.8.7"}
    assert "in total1,618,882" in page.texts("tr")
    # Whether these exemplars were in the training is not known, so nothing is said of it.
    assert "in training" not in page.all("main")[0]["text"]
    shown = [figure for figure in page.all("figure") if figure["class"] == "tile wrong"]
    assert len(shown) == 3 + 3  # once among the samples


@pytest.mark.parametrize(
    ("n", "wrong", "said"),
    [
        # Of 8, 8 and 8 images 2, 4 and 0 are wrong: chi-squared is 16/3, with two degrees of freedom p exp(-8/3).
        (
            12,
            (2, 4),
            "too few images to tell whether .* by 50.00 percentage points, as it would by chance alone in 7 of",
        ),
        (150, (20, 50), "accuracy depends on where the face is in the image, by 50.00 percentage points"),
        (150, (2, 2), "It hardly depends"),
        (12, (0, 0), "too few images to tell whether its accuracy depends on where the face is in the image\\."),
    ],
)
def test_that_positions_count_is_said_only_where_chance_does_not_explain_it(tmp_path, n, wrong, said):
    """No_faces are misclassified at the left, faces in the middle."""
    metrics, answers, _ = write_a_test(tmp_path, wrong, n)
    third = np.arange(n) < 2 * n / 3
    places = [*np.where(third, "left", "right"), *np.where(third, "middle", "right")]
    answers.insert(3, "placement", places)
    Predictions(answers).save(tmp_path / "predictions.csv")
    settings = {"model": "runs/a", "network": "cnn-15", "image_size": 64, "source": "synthetic", "seed": 5}
    settings |= {"condition": "baseline", "placement": "shifted", "split": "paper", "count": 2000}
    metrics |= {"settings": settings, "images": {"test": 2 * n}, "configural": "9.8.7"}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    text = " ".join(write_evaluation_report(tmp_path).read_text("utf-8").split())
    assert re.search(said, text)


def test_evaluation_page_of_a_folder_of_images(tmp_path):
    metrics, _, _ = write_a_test(tmp_path, (0, 0))
    settings = {"model": "old.h5", "network": "fcn-16", "image_size": 64, "data": "my/images"}
    metrics |= {"settings": settings, "images": {"test": 40}, "configural": "9.8.7"}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    page = Page(write_evaluation_report(tmp_path).read_text("utf-8"))
    assert "my/images" in page.texts("dd")
    assert "can see 94 × 94 pixels" in " ".join(page.all("main")[0]["text"].split())


def test_template_lies_in_the_package():
    template = importlib.resources.files("configural.report") / "templates" / "run.html.j2"
    assert template.is_file()


def test_the_model_card_is_one_for_the_hub_and_names_no_folder(tmp_path):
    source = f"fasseg:{tmp_path}/secret/V2"
    run, *_ = a_run(tmp_path / "run", (2, 1), source=source, condition="ffa+matched")
    manifest.seal(run.folder)
    write_run_report(run)
    assert manifest.compare(run.folder)[1] == []  # it is in the list
    text = (run.folder / "README.md").read_text("utf-8")
    assert "secret" not in text
    assert str(tmp_path) not in text
    card = ModelCard(text)
    assert card.data.license is None
    assert card.data.pipeline_tag == "image-classification"
    assert {one.metric_type: one.metric_value for one in card.data.eval_results}["accuracy"] == 37 / 40
    assert card.data.eval_results[0].dataset_name == "Picasso faces, ffa+matched, fasseg exemplars"
    rows = dict(re.findall(r"^\| (.+?) \| (.+) \|$", text, re.MULTILINE))
    assert rows["source"] == "fasseg:V2"
    assert rows["seed"] == "42"
    assert rows["face predicted as no_face, as face"] == "1, 19"
    assert rows["no_face predicted as no_face, as face"] == "18, 2"
    assert "does not show that it reads how parts relate" in text
    assert "\n- It must not be used to recognise people, or to judge anybody by their looks.\n- " in text
    for path in re.findall(r"\]\((?!http)(.+?)\)", text):
        assert (run.folder / path).is_file()


def test_the_model_card_says_how_its_network_is_loaded(tmp_path):
    """The Python of the card, with this folder's name put in, gives the network's log-odds."""
    run = cf.run(source="synthetic:2", count=60, image_size=16, epochs=1, network="fcn-14", out=tmp_path / "run")
    text = (run.folder / "README.md").read_text("utf-8")
    digest = hashlib.sha256((run.folder / "model.safetensors").read_bytes()).hexdigest()
    assert f"| weights (SHA-256) | {digest[:16]}" in text
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    images = np.zeros((3, 16, 16, 3), np.uint8)
    said = {"images": images}
    exec(code.replace("FOLDER", str(run.folder)), said)
    assert np.array_equal(said["log_odds"], cf.models.open(run.network).log_odds(images))
