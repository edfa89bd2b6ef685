"""The page of a study: complete, self-contained, true to the tables, and honest about what is missing."""

import json
import re

import numpy as np
import pytest
from html_page import Page
from matplotlib.colors import to_rgb
from test_report import METRICS

from configural.config import StudyPlan, run_config
from configural.errors import ConfiguralError
from configural.evaluation import axis_start, repeats_figure, shade
from configural.replication.published import published_results
from configural.report import write_study_report
from configural.study.record import StudyRecord
from configural.training.history import Epoch, History

NETWORKS = ["cnn-15", "cnn-13", "fcn-16", "fcn-14"]
CONDITIONS = ["baseline", "ffa", "fct"]


FINISHED = {
    **METRICS,
    "seconds": {"draw": 1.0, "train": 60.0, "test": 1.0},
    "device": "cpu",
    "images": {"train": 16002, "valid": 998, "test": 3000},
    "class_names": ["no_face", "face"],
    "confusion_matrix": [[1500, 0], [300, 1200]],
    "test_accuracy": 0.9,
    "test_loss": 0.3,
    "weights": "0e12345678901234" * 4,
    "date": "2026-01-02",
    "versions": {"Python": "3.98.7"},
}


def history(start=0.8, epochs=3):
    rows = [
        (n, 1.0 / n, 1 - (1 - start) / n, 0.9 / n, 1 - 0.9 * (1 - start) / n, 1.0) for n in range(1, epochs + 1)
    ]
    return History(tuple(Epoch(*row) for row in rows))


def write_plan(folder, networks=NETWORKS, conditions=CONDITIONS, size=224, source="synthetic"):
    plan = {
        "networks": networks,
        "conditions": conditions,
        "seeds": [7, 8, 9],
        "split": "paper",
        "image_size": size,
    }
    StudyRecord(StudyPlan(**plan), source, "0" * 64, {}).save(folder)


def write_run(folder, network, condition, repeat, finished=True):
    run = folder / "runs" / f"{network}-{condition}-{repeat}"
    run_config(network=network, condition=condition, image_size=224).save(run / "config.yaml")
    if finished:
        history().save(run / "history.csv")
        (run / "metrics.json").write_text(json.dumps(FINISHED))
        (run / "report.html").write_text("a page")
        (run / "tests.csv").write_text("the tests of a finished job")
    return run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study of two networks and two conditions whose results are the published ones."""
    folder = tmp_path_factory.mktemp("study")
    write_plan(folder, ["cnn-15", "fcn-14"], ["baseline", "ffa"])
    for network in ("cnn-15", "fcn-14"):
        for condition in ("baseline", "ffa"):
            for repeat in (1, 2, 3):
                write_run(folder, network, condition, repeat)
    results = published_results()
    mine = results["network"].isin(["cnn-15", "fcn-14"]) & results["train_condition"].isin(["baseline", "ffa"])
    results[mine].assign(seed=lambda frame: frame["repeat"] + 6).to_parquet(folder / "results.parquet")
    return folder, write_study_report(folder).read_text("utf-8")


def test_a_study_of_the_published_grid_begins_with_its_findings_and_says_who_learned_nothing(
    tmp_path, blank_figures
):
    write_plan(tmp_path)
    results = published_results()
    for row in results[["network", "train_condition", "repeat"]].drop_duplicates().itertuples():
        write_run(tmp_path, row.network, row.train_condition, row.repeat)
    guessed = (results["network"] == "fcn-14") & (results["train_condition"] == "fct")
    results["accuracy"] = results["accuracy"].mask(guessed, 0.493)
    results.assign(seed=lambda frame: frame["repeat"] + 6).to_parquet(tmp_path / "results.parquet")
    page = Page(write_study_report(tmp_path).read_text("utf-8"))
    assert re.fullmatch(r"\d of 5 published findings hold in this study", page.texts("h1")[0])
    warned = [text for text in page.texts("p") if "Not learned" in text]
    assert len(warned) == 1
    assert "fcn-14 on fct (49 %) of the images" in warned[0]


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A study of which one run is finished, one begun, and none tested."""
    folder = tmp_path_factory.mktemp("begun")
    write_plan(folder)
    write_run(folder, "cnn-13", "ffa", 2)
    write_run(folder, "fcn-14", "fct", 1, finished=False)
    (folder / "jobs.json").write_text(json.dumps({"failed": {"fcn-14-fct-2": "the disk is full"}}))
    return folder, write_study_report(folder).read_text("utf-8")


@pytest.mark.parametrize("which", ["finished", "begun"])
def test_page_is_well_formed_and_loads_nothing(which, request):
    folder, text = request.getfixturevalue(which)
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert len(page.all("h1")) == len(page.all("title")) == 1
    assert not page.all("script")
    assert not page.all("link")
    ids = [element["id"] for element in page.elements if "id" in element]
    assert len(set(ids)) == len(ids)
    for element in page.elements:
        if "src" in element:
            assert element["src"].startswith("data:image/png;base64,")
        if "href" in element:
            target = element["href"]
            assert target[1:] in ids if target[0] == "#" else (folder / target).is_file()
    assert "http:" not in text
    assert "https:" not in text
    assert "url(" not in page.all("style")[0]["text"]
    policy = next(e["content"] for e in page.all("meta") if e.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert all(len(image["alt"]) > 10 for image in page.all("img"))
    assert all(header["scope"] in ("col", "row", "colgroup") for header in page.all("th"))
    assert "nan" not in re.sub(r"data:image/png;base64,[^\"]*", "", text)


def table(page, wanted):
    """The table with this class."""
    (found,) = (element for element in page.all("table") if element.get("class") == wanted)
    return found


def test_findings_come_with_verdicts(finished):
    page = Page(finished[1])
    # It is not the published grid, so it does not begin with what that found.
    assert page.texts("h1") == ["12 trainings are finished"]
    text = " ".join(table(page, "findings")["text"].split())
    # Two of four networks were trained, under two of three conditions, and none of these checks fails.
    assert "4 hold, 8 undecided" in text
    assert "2 hold, 4 undecided" in text
    assert text.count("✓ holds") == 5, "of the published table"
    assert text.count("? undecided") == 5


def test_matrix_has_own_and_published_means(finished):
    page = Page(finished[1])
    text = finished[1]
    results = published_results()
    for network in ("cnn-15", "fcn-14"):
        for train in ("baseline", "ffa"):
            row = next(r for r in page.all("tr") if r["text"].split()[:2] == [train, network])
            numbers = row["text"].split()
            of_run = results[(results["network"] == network) & (results["train_condition"] == train)]
            for (_, _), cell in of_run.groupby(["test_condition", "placement"]):
                mean = 100 * cell["accuracy"].mean()
                assert numbers.count("100" if mean == 100 else f"{mean:.2f}") >= 2, "own and published"
            # Own shifted-only results and cross tests on shifted images are not there.
            assert row["text"].count("not tested") == 3
            assert row["text"].count("≈") == 1
    colours = re.findall(r'<td class="own first" style="background:(#\w{6});color:(#\w{6})">', text)
    assert len(colours) == 4


@pytest.mark.parametrize("share", np.linspace(0, 1, 21))
def test_words_on_every_shade_are_readable(share):
    def luminance(colour):
        rgb = np.array(to_rgb(colour))
        return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    ground, ink = map(luminance, shade(float(share)))
    assert (max(ground, ink) + 0.05) / (min(ground, ink) + 0.05) >= 4
    if share:
        assert ground < luminance(shade(float(share) - 0.05)[0]), "the larger the share, the darker"


@pytest.mark.parametrize("share", [0, 1])
def test_a_whole_number_is_a_share_too(share):
    assert shade(share) == shade(float(share))  # an accuracy below the scale's end was shown as the best


def test_dots_lie_where_the_accuracies_are(finished):
    page = Page(finished[1])
    text = finished[1]
    assert "all axes start at 70 %" in " ".join(text.split())
    shifted = text[text.index("Own condition, shifted") :]
    strip = shifted[: shifted.index("</div>\n</div>")]
    # cnn-15 on shifted baseline: 0.830667, 0.915333 and 0.732333, on an axis from 0.7 to 1.
    places = [float(place) for place in re.findall(r'class="dot" style="left:([\d.]+)%', strip)]
    np.testing.assert_allclose(
        places, [100 * (value - 0.7) / 0.3 for value in (0.732333, 0.830667, 0.915333)], atol=0.01
    )
    assert places == [float(place) for place in re.findall(r'class="published" style="left:([\d.]+)%', strip)]
    (left, width) = map(float, re.findall(r'class="bar" style="left:([\d.]+)%;width:([\d.]+)%', strip)[0])
    assert (left, left + width) == (pytest.approx(places[0], abs=0.02), pytest.approx(places[-1], abs=0.02))
    assert "82.61 (73.23–91.53)" in [" ".join(e["text"].split()) for e in page.all("span")]


def test_runs_are_linked(finished):
    folder, text = finished
    links = [element["href"] for element in Page(text).all("a") if element["href"][0] != "#"]
    assert sorted(links) == sorted(f"runs/{path.name}/report.html" for path in folder.glob("runs/*"))
    rows = Page(text).texts("tr")
    assert "cnn-15baseline17finished100report0e12345678901234" in rows
    assert "fcn-14ffa39finished99.90report0e12345678901234" in rows


def test_settings_and_machine(finished):
    page = Page(finished[1])
    values = page.texts("dd")
    for value in ("cnn-15, fcn-14", "7, 8, 9", "224 × 224 pixels", "9.8.7", "6.5.4", "cpu", "12 min 00 s"):
        assert value in values


def test_receptive_fields_are_told_as_shares(begun):
    rows = Page(begun[1]).texts("tr")
    assert "fcn-14460.21the strongest single unit" in rows
    assert "cnn-15940.42all units, each by its position" in rows


def test_what_is_not_there_yet_is_shown_as_such(begun):
    folder, text = begun
    page = Page(text)
    assert page.texts("h1") == ["1 of 36 trainings are finished"]
    rows = page.texts("tr")
    assert "cnn-13ffa28finished–report0e12345678901234" in rows
    assert "fcn-14fct17begun–––" in rows
    assert "fcn-14fct28failed: the disk is full–––" in rows
    assert "fcn-16baseline39not begun–––" in rows
    assert table(page, "matrix")["text"].count("not yet") == 12 * 9
    charts = [" ".join(e["text"].split()) for e in page.all("div") if e.get("class") == "chart empty"]
    assert len(charts) == 11
    assert len(page.all("img")) == 1
    assert [path.name for path in (folder / "figures").iterdir()] == ["curves-cnn-13-ffa.png"]


def test_a_folder_that_is_no_study_is_named(tmp_path):
    with pytest.raises(ConfiguralError, match=r"it holds no study\.yaml; name the folder"):
        write_study_report(tmp_path)
    write_plan(tmp_path, ["cnn-15"], ["ffa"])
    run = write_run(tmp_path, "cnn-15", "ffa", 1)
    (run / "metrics.json").write_text("{}")
    with pytest.raises(ConfiguralError, match=r"cnn-15-ffa-1/metrics.json: not the metrics of a run"):
        write_study_report(tmp_path)


def test_curves_of_repeats_are_their_histories_on_the_same_axis():
    repeats = {"repeat 1": history(0.8), "repeat 2": history(0.55, epochs=5)}
    start = axis_start(repeats.values())
    assert start == 50
    (axes,) = repeats_figure("cnn-15 on ffa", repeats, start=start, epochs=30).axes
    lines = {line.get_label(): line for line in axes.lines}
    assert set(lines) == {f"{what} repeat {n}" for what in ("train", "valid") for n in (1, 2)}
    for name, told in repeats.items():
        frame = told.as_frame()
        for what in ("train", "valid"):
            np.testing.assert_array_equal(lines[f"{what} {name}"].get_xdata(), frame["epoch"])
            np.testing.assert_allclose(lines[f"{what} {name}"].get_ydata(), 100 * frame[f"{what}_accuracy"])
    assert axes.get_ylim()[0] == 50
    assert axes.get_ylim()[1] > 100
    assert axes.get_xlim()[1] > 30
    assert axes.get_title(loc="left") == "cnn-15 on ffa"


def test_page_can_be_written_again(finished):
    folder, text = finished
    assert write_study_report(folder).read_text("utf-8") == text


@pytest.mark.usefixtures("every_format")
def test_figures_are_written_for_screen_and_print(finished):
    folder, _ = finished
    write_study_report(folder)
    written = {path.name for path in (folder / "figures").iterdir()}
    names = {name.partition(".")[0] for name in written}
    assert len(names) > 1
    assert written == {f"{name}.{kind}" for name in names for kind in ("png", "svg", "pdf")}


def test_names_are_escaped(tmp_path):
    write_plan(tmp_path, ["cnn-15"], ["ffa"], source="folder:<i>mine")
    text = write_study_report(tmp_path).read_text("utf-8")
    assert "<i>mine" not in text
    assert "folder:&lt;i&gt;mine" in text


def test_the_page_names_weights_preparation_versions_date_and_device(finished):
    _, text = finished
    page = Page(text)
    assert page.texts("code").count("0e12345678901234") == 12
    settings = text.partition('id="settings"')[2]
    rows = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", settings))
    assert rows["class taken as face"] == "1"
    assert rows["date"] == "2026-01-02"
    assert (rows["PyTorch"], rows["Python"], rows["configural"]) == ("6.5.4", "3.98.7", "9.8.7")
    assert rows["device"] == "cpu"
    assert rows["preparation"] == "the network's own".replace("'", "&#39;")
    assert settings.count("BGR, less the mean colour of ImageNet") == 1  # one network as the other
