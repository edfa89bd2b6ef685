import json
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
import yaml
from conftest import drawing_nothing
from typer.testing import CliRunner

import configural as cf
from configural.api import plan_study
from configural.cli.groups import DefaultCommand, GroupWithDefault
from configural.config import RunConfig, run_config
from configural.errors import ConfiguralError
from configural.replication.tables import compare
from configural.report import write_index
from configural.runs import images
from configural.study import RESULT_COLUMNS, StudyPlan, results, running, status
from configural.study.engines import Outcome, attempt, find_engine
from configural.study.engines.local import _gpus
from configural.study.jobs import run_job
from configural.study.plans import plan_jobs
from configural.study.record import StudyRecord
from configural.training import Epoch, History


def a_plan(**changes):
    values = {
        "networks": ("cnn-13", "fcn-14"),
        "conditions": ("baseline", "fct"),
        "seeds": (1, 2),
        "image_size": 16,
        "count": 72,
        "epochs": 1,
        "batch_size": 20,
    }
    return StudyPlan(**{**values, **changes})


PLAN = a_plan()


def in_this_process(jobs, work, workers, report):
    for job in jobs:
        report(job)
        yield job, attempt(work, job)


def not_now(jobs, work, workers, report):
    for job in jobs:
        report(job)
        yield job, Outcome("not now")


def study(blocks, out, plan=PLAN, engine=in_this_process):
    return cf.run_study(plan, blocks, out=out, engine=engine)


WITH_PAGES = ("cnn-13-fct-1", "fcn-14-baseline-2")


@pytest.fixture(scope="module")
def finished(blocks, tmp_path_factory):
    """A finished study with its page and those of two of its runs."""

    def carry_out(jobs, work, workers, report):
        for job in jobs:
            report(job)
            with nullcontext() if job.name in WITH_PAGES else drawing_nothing():
                outcome = attempt(work, job)
            with drawing_nothing():  # but in the end
                yield job, outcome

    return study(blocks, tmp_path_factory.mktemp("studies") / "whole", engine=carry_out)


@pytest.fixture
def copied(finished, tmp_path, undrawn):
    """The finished study to do things to."""
    return shutil.copytree(finished.folder, tmp_path / "study")


@pytest.fixture
def put_back(copied, finished):
    """Does a job of which nothing is left: it gets what it came to before."""
    return lambda job: shutil.copytree(finished.folder / job.run, copied / job.run)


def keep_lines(path: Path, number: int) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:number]))


def recount(predictions: pd.DataFrame) -> dict[str, float]:
    """Scores by their definitions."""
    face, said = predictions["label"] == 1, predictions["predicted"] == 1
    share = predictions["probability_face"].where(face, 1 - predictions["probability_face"])
    return {
        "images": len(predictions),
        "accuracy": (face == said).mean(),
        "loss": -np.log(share).mean(),
        "face_as_no_face": (face & ~said).sum(),
        "no_face_as_face": (~face & said).sum(),
    }


def test_one_row_per_test_and_part_of_a_shifted_test(finished):
    results = finished.results
    assert tuple(results.columns) == RESULT_COLUMNS
    assert not finished.failed
    placements = ["middle", "shifted", "left", "right", "shifted_only", "middle_third"]
    keys = ["network", "train_condition", "repeat", "test_condition", "placement"]
    expected = pd.MultiIndex.from_product(
        [["cnn-13", "fcn-14"], ["baseline", "fct"], [1, 2], ["baseline", "fct"], placements]
    )
    assert set(results[keys].itertuples(index=False, name=None)) == set(expected)
    assert len(results) == len(expected)
    assert set(zip(results["repeat"], results["seed"], strict=True)) == {(1, 1), (2, 2)}
    one = results[results["run"] == "runs/fcn-14-fct-2"].groupby("placement")["images"].first()
    assert one.to_dict() == {
        "middle": 12, "shifted": 12, "left": 4, "right": 4, "shifted_only": 8, "middle_third": 4
    }  # fmt: skip


def test_results_are_what_the_predictions_say(finished):
    parts = {
        "middle": {"middle"},
        "shifted": {"left", "middle", "right"},
        "left": {"left"},
        "right": {"right"},
        "shifted_only": {"left", "right"},
        "middle_third": {"middle"},
    }
    for row in finished.results.to_dict("records"):
        tested = "middle" if row["placement"] == "middle" else "shifted"
        predictions = pd.read_csv(finished.folder / row["run"] / "tests" / f"{row['test_condition']}-{tested}.csv")
        predictions = predictions[predictions["placement"].isin(parts[row["placement"]])]
        for name, value in recount(predictions).items():
            assert row[name] == pytest.approx(value, rel=1e-6), (row, name)


@pytest.mark.usefixtures("undrawn")
def test_results_are_what_evaluate_says(finished, blocks, tmp_path):
    """Another way to the same numbers: draw the test images again, and test the saved network on them."""
    for number, (network, placement) in enumerate((n, p) for n in PLAN.networks for p in ("middle", "shifted")):
        run = finished.folder / "runs" / f"{network}-baseline-2"
        done = cf.evaluate(run, source=blocks, condition="fct", placement=placement, out=tmp_path / str(number))
        results = finished.results
        row = results[
            (results["run"] == f"runs/{run.name}")
            & (results["test_condition"] == "fct")
            & (results["placement"] == placement)
        ]
        assert row["loss"].item() == pytest.approx(done.metrics.loss, rel=1e-5)
        assert row["accuracy"].item() == done.metrics.accuracy


def test_both_files_hold_the_results(finished):
    stored = pd.read_parquet(finished.folder / "results.parquet")
    pd.testing.assert_frame_equal(stored, finished.results)
    text = pd.read_csv(finished.folder / "results.csv")
    pd.testing.assert_frame_equal(text, stored, check_dtype=False, rtol=1e-12)
    assert cf.study.load_results(finished.folder).equals(stored)


def test_nothing_keeps_people_from_reading_a_study_its_runs_and_an_index_of_them(finished, barriers):
    run = finished.folder / "runs" / WITH_PAGES[0]
    for page in (finished.folder / "report.html", run / "report.html", write_index(finished.folder / "runs")):
        assert barriers(page) == []


@pytest.mark.usefixtures("undrawn")
def test_every_job_is_a_run_like_any_other(finished, blocks, tmp_path):
    """A run of the same settings, begun by itself, gives the same files: shared images change nothing."""
    for name in WITH_PAGES:
        run = cf.load_run(finished.folder / "runs" / name)
        assert (run.settings.data_seed, run.settings.seed) == (42, int(name[-1]))
        alone = cf.runs.train_and_test(run.settings, tmp_path / name, library=blocks)
        for file in ("model.safetensors", "predictions.csv", "stimuli.parquet", "config.yaml"):
            assert (run.folder / file).read_bytes() == (alone.folder / file).read_bytes(), file
        assert "seed of the images" in (run.folder / "report.html").read_text()
    first, second = (cf.load_run(finished.folder / "runs" / f"fcn-14-fct-{repeat}") for repeat in (1, 2))
    assert (first.folder / "stimuli.parquet").read_bytes() == (second.folder / "stimuli.parquet").read_bytes()
    assert not first.predictions.frame["log_odds"].equals(second.predictions.frame["log_odds"])


def test_shared_images_are_those_that_a_run_draws(blocks, tmp_path):
    settings = run_config(source="blocks", condition="fct", image_size=32, count=60, seed=5, data_seed=9)
    for placement in ("middle", "shifted"):
        shared = images.shared_images(tmp_path / placement, settings, placement, blocks)
        table = cf.stimuli.sample(blocks, condition="fct", count=60, seed=9, placement=placement)
        for subset in ("train", "valid", "test"):
            own = cf.stimuli.dataset(blocks, table.subset(subset), size=32)
            assert shared.sets[subset].rows.equals(own.rows)
            everything = list(range(len(own)))
            assert shared.sets[subset].fetch(everything).equal(own.fetch(everything))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["middle", "shifted"]


@pytest.mark.usefixtures("undrawn")
def test_images_are_drawn_once_and_only_kept_while_they_are_needed(blocks, tmp_path, monkeypatch):
    drawn = []
    draw_into = images._draw_into

    def count(folder, *rest):
        drawn.append(folder.name)
        draw_into(folder, *rest)

    monkeypatch.setattr(images, "_draw_into", count)

    def some_fail(jobs, work, workers, report):
        for job, outcome in in_this_process(jobs[:2], work, workers, report):
            yield job, outcome
        for job in jobs[2:]:
            report(job)
            yield job, Outcome("no luck")

    plan = a_plan(networks=("fcn-14",), seeds=(1, 2))
    study(blocks, tmp_path / "s", plan, some_fail)
    assert sorted(drawn) == ["baseline-middle", "baseline-shifted", "fct-middle", "fct-shifted"]
    assert (tmp_path / "s" / "images").is_dir()
    study(blocks, tmp_path / "s", plan)
    assert len(drawn) == 4
    assert not (tmp_path / "s" / "images").exists()


def test_damaged_images_are_drawn_again(blocks, tmp_path):
    settings = run_config(source="blocks", condition="fct", image_size=32, count=60)
    before = images.shared_images(tmp_path / "p", settings, "middle", blocks).sets["valid"].fetch([0, 1])
    (tmp_path / "p" / "train.npy").write_bytes((tmp_path / "p" / "train.npy").read_bytes()[:5000])
    (tmp_path / "p" / "test.npy").write_bytes(b"")
    (tmp_path / "p.partial").mkdir()
    (tmp_path / "p.partial" / "test.npy").write_bytes(b"half")
    again = images.shared_images(tmp_path / "p", settings, "middle", blocks)
    assert again.sets["valid"].fetch([0, 1]).equal(before)
    assert len(again.sets["train"]) == len(again.sets["train"].fetch(list(range(len(again.sets["train"])))))
    other = settings.model_copy(update={"data_seed": 1})
    with pytest.raises(ConfiguralError, match="holds images of other settings"):
        images.shared_images(tmp_path / "p", other, "middle", blocks)


@pytest.mark.usefixtures("undrawn")
def test_a_condition_with_a_placement_of_its_own_is_tested_in_the_middle_too(blocks, tmp_path):
    own = tmp_path / "left.yaml"
    own.write_text("placement: left\n")
    plan = StudyPlan(networks=("fcn-14",), conditions=(str(own),), seeds=(1,), image_size=32, count=60, epochs=1)
    done = study(blocks, tmp_path / "s", plan)
    assert set(done.results["train_condition"]) == set(done.results["test_condition"]) == {"left"}
    run = cf.load_run(tmp_path / "s" / "runs" / "fcn-14-left-1")
    assert set(run.table.frame["placement"]) == {"left"}
    tested = pd.read_csv(run.folder / "tests" / "left-middle.csv")
    assert set(tested["placement"]) == {"middle"}
    assert not tested["log_odds"].equals(run.predictions.frame["log_odds"])


def test_a_finished_study_repeats_nothing(copied, finished, blocks):
    before = {path: path.stat().st_mtime_ns for path in (copied / "runs").rglob("*")}

    def refuse(jobs, work, workers, report):
        raise AssertionError("there is nothing to do")

    again = cf.run_study(None, blocks, out=copied, engine=refuse)
    assert again.results.equals(finished.results)
    assert {path: path.stat().st_mtime_ns for path in (copied / "runs").rglob("*")} == before


def test_another_plan_is_refused_with_the_difference(finished, blocks):
    other = a_plan(seeds=(1, 3))
    with pytest.raises(ConfiguralError, match=r"holds a study with seeds \[1, 2\], not \[1, 3\]; repeat its plan"):
        study(blocks, finished.folder, other)
    with pytest.raises(ConfiguralError, match="holds a study with source blocks, not synthetic:2"):
        cf.run_study(PLAN, "synthetic:2", out=finished.folder)
    fewer = cf.portraits.Library("blocks", blocks.exemplars[:8])
    with pytest.raises(ConfiguralError, match="blocks gives other exemplars now"):
        study(fewer, finished.folder)


def test_a_study_that_another_process_began_meanwhile_is_kept(blocks, tmp_path, monkeypatch):
    """Two commands see the same empty folder; the second gets it when the first has ended."""
    others = a_plan(seeds=(8, 9))

    def load_slowly(faces, **options):
        StudyRecord.of(others, blocks).save(tmp_path)
        return faces

    monkeypatch.setattr("configural.study.running.load", load_slowly)
    with pytest.raises(ConfiguralError, match=r"holds a study with seeds \[8, 9\], not \[1, 2\]"):
        study(blocks, tmp_path)
    assert StudyRecord.load(tmp_path).plan == others


@pytest.mark.parametrize("carry_out", [cf.run_study, plan_study])
def test_somebody_must_work(blocks, tmp_path, carry_out):
    with pytest.raises(ConfiguralError, match="workers 0: at least 1 must work"):
        carry_out(PLAN, blocks, out=tmp_path / "s", workers=0)


def test_workers_take_gpus_in_turn_of_those_that_the_process_may_use():
    assert _gpus(3, None) == ["0", "1", "2"]
    assert _gpus(2, "5, GPU-8d2a") == ["5", "GPU-8d2a"]
    assert _gpus(0, "") == []


def test_a_condition_that_was_rewritten_is_refused(blocks, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("jitter: 3\n")
    plan = a_plan(conditions=(str(own),))
    assert len(study(blocks, tmp_path / "s", plan, not_now).failed) == 4
    own.write_text("jitter: 4\n")
    with pytest.raises(ConfiguralError, match=r"the condition .*own\.yaml says otherwise than when"):
        study(blocks, tmp_path / "s", plan, not_now)


def test_a_record_whose_condition_is_gone_says_so(blocks, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("jitter: 3\n")
    StudyRecord.of(a_plan(conditions=(str(own),)), blocks).save(tmp_path / "s")
    own.unlink()
    assert len(cf.study_status(tmp_path / "s").jobs) == 4  # its folder alone tells how far it is
    with pytest.raises(ConfiguralError, match=r"own\.yaml: there is no such file"):
        cf.run_study(None, blocks, out=tmp_path / "s")


def test_what_was_changed_is_told_by_status_and_not_compared(copied):
    run = copied / "runs" / "fcn-14-fct-1"
    metrics = run / "metrics.json"
    before = {status.job.run: (status.state, status.failure) for status in cf.study_status(copied).jobs}
    assert set(before.values()) == {("finished", "")}
    accuracy = json.loads(metrics.read_text())["test_accuracy"]
    metrics.write_text(metrics.read_text().replace(f'"test_accuracy": {accuracy}', '"test_accuracy": 1.0', 1))
    (changed,) = [status for status in cf.study_status(copied).jobs if status.state != "finished"]
    assert (changed.job.run, changed.state) == ("runs/fcn-14-fct-1", "failed")
    assert "metrics.json: is not what was written" in changed.failure
    results = pd.read_parquet(copied / "results.parquet")
    results.assign(accuracy=1.0).to_parquet(copied / "results.parquet", index=False)
    for reads in (cf.study.load_results, compare):
        with pytest.raises(ConfiguralError, match=r"results\.parquet: is not what was written"):
            reads(copied)


def test_for_the_status_nothing_that_a_folder_names_is_imported(blocks, tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text("raise AssertionError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    out = tmp_path / "s"
    StudyRecord.of(a_plan(networks=("fcn-14",)), blocks).save(out)
    (out / "study.yaml").write_text((out / "study.yaml").read_text().replace("fcn-14", "evil:make"))
    run = out / "runs" / "evil:make-baseline-1"
    run.mkdir(parents=True)
    History((Epoch(1, 1.0, 0.5, 1.0, 0.5, 1.0),)).save(run / "history.csv")
    status = cf.study_status(out)
    assert [len(job.history.epochs) for job in status.jobs] == [1, 0, 0, 0]
    assert status.seconds_left is None
    assert "evil" not in sys.modules


def test_a_folder_of_other_things_is_left_alone(blocks, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ConfiguralError, match="exists and is not empty"):
        study(blocks, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    "damages",
    [
        {
            r"metrics\.json: not the metrics of a run": lambda run: (run / "metrics.json").write_text("{"),
            "this run is not finished": lambda run: (run / "metrics.json").unlink(),
            r"model\.safetensors: there is no such file": lambda run: (run / "model.safetensors").unlink(),
            r"model\.safetensors": lambda run: (run / "model.safetensors").write_bytes(b"x" * 99),
            r"predictions\.csv: lacks the column": lambda run: (run / "predictions.csv").write_text("a\n"),
        },
        {
            r"predictions\.csv: is not what was written": lambda run: keep_lines(run / "predictions.csv", 5),
            r"stimuli\.parquet": lambda run: (run / "stimuli.parquet").write_bytes(b"PAR1"),
            r"it holds no config\.yaml": lambda run: (run / "config.yaml").unlink(),
            "holds other settings": lambda run: shutil.copy(run.parent / "cnn-13-baseline-1/config.yaml", run),
        },
    ],
)
def test_damaged_runs_are_set_aside_and_done_anew(copied, finished, put_back, blocks, capsys, damages):
    """Each by what is wrong with it, and no others."""
    names = sorted(path.name for path in (copied / "runs").glob("*-*"))[-len(damages) :]
    for name, damage in zip(names, damages.values(), strict=True):
        damage(copied / "runs" / name)
    done = []

    def train_one(jobs, work, workers, report):
        """Of each job nothing is left; the first is trained, and the others get what they came to before."""
        for job in jobs:
            done.append(job.name)
            assert not (copied / job.run).exists()
            yield from in_this_process([job], put_back if done[1:] else work, workers, report)

    again = cf.run_study(PLAN, blocks, out=copied, engine=train_one)
    assert sorted(done) == names
    assert again.results.equals(finished.results)
    assert pd.read_csv(copied / "results.csv").equals(pd.read_csv(finished.folder / "results.csv"))
    assert sorted(path.name for path in (copied / "damaged").iterdir()) == [f"{name}-1" for name in names]
    told = [line for line in capsys.readouterr().err.splitlines() if "done again" in line]
    assert len(told) == len(names)
    for name, what in zip(names, damages, strict=True):
        (line,) = [line for line in told if f"runs/{name}" in line]
        assert re.search(what, line)


def better(path: Path) -> None:
    """Make a test's scores look better than they are."""
    scores = pd.read_csv(path)
    scores.loc[1, "accuracy"] = 1 - scores.loc[1, "accuracy"] / 2
    scores.to_csv(path, index=False)


def test_damaged_tests_are_made_again_without_training(copied, finished, blocks, capsys):
    damages = [
        ("tests.csv", lambda path: path.write_text("accuracy\n1.0\n")),
        ("tests.csv", lambda path: keep_lines(path, 8)),  # one test left out, and parts of another
        ("tests.csv", better),
        ("tests/fct-shifted.csv", lambda path: path.write_text("accuracy\n1.0\n")),
        ("tests/fct-shifted.csv", lambda path: keep_lines(path, 2)),
        ("tests/fct-shifted.csv", lambda path: path.write_text(path.read_text().replace("log_odds", "odds"))),
        ("tests/fct-shifted.csv", lambda path: pd.read_csv(path).assign(log_odds="x").to_csv(path)),
    ]
    runs = dict(zip(sorted((copied / "runs").glob("*-*")), damages, strict=False))
    for run, (file, damage) in runs.items():
        damage(run / file)
    before = [(run / "model.safetensors").stat().st_mtime_ns for run in runs]
    again = study(blocks, copied)
    assert again.results.equals(finished.results)
    assert [(run / "model.safetensors").stat().st_mtime_ns for run in runs] == before
    told = [line for line in capsys.readouterr().err.splitlines() if "done again" in line]
    assert len(told) == len(damages)
    for run, (file, _) in runs.items():
        assert sum(f"{run}/" in line for line in told) == 1
        assert (run / file).read_bytes() == (finished.folder / "runs" / run.name / file).read_bytes()


def test_what_was_removed_or_broken_off_is_done_again(copied, finished, put_back, blocks):
    """Also a run killed at its first file, which is no damage, and an unfinished one whose stimuli were damaged."""
    removed, killed, cut = (
        copied / "runs" / name for name in ("cnn-13-fct-2", "fcn-14-fct-2", "cnn-13-baseline-2")
    )
    shutil.rmtree(removed)
    shutil.rmtree(killed)
    killed.mkdir()
    (killed / ".config.yaml.abcdefgh.tmp").write_text("faces: blo")
    for file in ("metrics.json", "tests.csv"):
        (cut / file).unlink()
    (cut / "stimuli.parquet").write_bytes(b"")
    done = []

    def train_the_killed(jobs, work, workers, report):
        for job in jobs:
            done.append(job.name)
            assert (copied / job.run).exists() == (job.name == killed.name)
            yield from in_this_process([job], work if job.name == killed.name else put_back, workers, report)

    again = study(blocks, copied, engine=train_the_killed)
    assert sorted(done) == sorted(run.name for run in (removed, killed, cut))
    assert not again.failed
    assert again.results.equals(finished.results)
    assert [path.name for path in (copied / "damaged").iterdir()] == [f"{cut.name}-1"]
    assert not list(killed.glob(".*"))


def test_what_a_job_has_come_to_is_read_once_while_the_others_go_on(finished, copied, blocks, monkeypatch):
    """Of thousands of jobs all that finished before would take minutes to be read after each."""
    for name in finished.results["run"].unique():
        (copied / name / "tests.csv").unlink()  # so that each is done again, without training
    read = {"tests": [], "status": []}

    def counted(module, name, kept):
        own = getattr(module, name)
        return lambda job, *others: (kept.append(job.name), own(job, *others))[1]

    monkeypatch.setattr(results, "read_tests", counted(results, "read_tests", read["tests"]))
    monkeypatch.setattr(
        status, "read_metrics", lambda path: read["status"].append(path.parent.name) or {"test_accuracy": 1}
    )

    def test_as_before(jobs, work, workers, report):
        def put_back(job):
            shutil.copy(finished.folder / job.run / "tests.csv", copied / job.run)

        return in_this_process(jobs, put_back, workers, report)

    again = study(blocks, copied, engine=test_as_before)
    pd.testing.assert_frame_equal(again.results, finished.results)
    jobs = [name.removeprefix("runs/") for name in finished.results["run"].unique()]
    assert len(jobs) == 8
    for name in jobs:
        assert read["tests"].count(name) == 2  # as it ended, and for what is kept in the end
        assert read["status"].count(name) == 1


def test_a_job_that_is_done_again_is_not_told_of_as_finished(put_back, copied, blocks, monkeypatch):
    """A terminal that shows the study before its jobs are mended keeps nothing of what it saw."""
    damaged = copied / "runs" / "fcn-14-fct-2"
    (damaged / "predictions.csv").write_text("no table")
    seen = []

    @contextmanager
    def live(read):
        def states():
            return {each.job.name: each.state for each in read().jobs}

        seen.append(states())
        yield lambda event: seen.append(states())

    monkeypatch.setattr(running, "live", live)

    def looks(jobs, work, workers, report):
        seen.append("handed out")
        for one in in_this_process(jobs, put_back, workers, report):
            seen.append("done")
            yield one

    study(blocks, copied, engine=looks)
    name = damaged.name
    assert seen[0][name] == "finished"
    first = seen.index("handed out")
    assert seen[first - 1][name] != "finished"
    assert seen[-1][name] == "finished"


@pytest.mark.usefixtures("undrawn")
def test_failed_jobs_are_recorded_and_tried_again(blocks, tmp_path, monkeypatch):
    plan = a_plan(networks=("fcn-14",), seeds=(1,))

    def one_fails(jobs, work, workers, report):
        def sometimes(job):
            if job.condition == "fct":
                raise RuntimeError("the\nGPU fell off")
            work(job)

        return in_this_process(jobs, sometimes, workers, report)

    first = study(blocks, tmp_path, plan, one_fails)
    assert first.failed == {"fcn-14-fct-1": "RuntimeError: the GPU fell off"}
    assert set(first.results["run"]) == {"runs/fcn-14-baseline-1"}
    stored = json.loads((tmp_path / "jobs.json").read_text())
    assert stored["failed"] == first.failed
    assert "Traceback" in stored["details"]["fcn-14-fct-1"]
    status = cf.study_status(tmp_path)
    assert [each.state for each in status.jobs] == ["finished", "failed"]
    assert not status.at_work
    again = study(blocks, tmp_path, plan)
    assert not again.failed
    assert len(again.results) == 24
    assert json.loads((tmp_path / "jobs.json").read_text())["failed"] == {}


@pytest.mark.usefixtures("undrawn")
def test_status_says_how_far_every_job_is(blocks, tmp_path):
    plan = a_plan(networks=("fcn-14",), epochs={"fcn-14": 3})
    seen = []

    def broken_off(jobs, work, workers, report):
        report(jobs[0])
        yield jobs[0], attempt(work, jobs[0])
        report(jobs[1])
        seen.append(cf.study_status(tmp_path))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(blocks, tmp_path, plan, broken_off)
    (during,) = seen
    assert [each.state for each in during.jobs] == ["finished", "running", "waiting", "waiting"]
    after = cf.study_status(tmp_path)
    assert [each.state for each in after.jobs] == ["finished", "waiting", "waiting", "waiting"]
    job = after.jobs[0]
    assert len(job.history.epochs) == 3
    assert job.accuracy == cf.load_run(tmp_path / job.job.run).metrics["test_accuracy"]
    seconds = np.mean([epoch.seconds for epoch in job.history.epochs])
    assert after.seconds_left == pytest.approx(9 * seconds)
    with pytest.raises(ConfiguralError, match=r"runs: it holds no study\.yaml; name the folder that"):
        cf.study_status(tmp_path / "runs")
    with pytest.raises(ConfiguralError, match=r"none: there is no such folder; name the folder that"):
        cf.study_status(tmp_path / "none")


@pytest.fixture(scope="module")
def outlook(blocks, tmp_path_factory):
    """What the study is estimated to take, of which nothing is written."""
    folder = tmp_path_factory.mktemp("outlook") / "s"
    estimated = plan_study(PLAN, blocks, out=folder, workers=2, device="cpu")
    assert not folder.exists()
    return estimated


def test_the_estimate_measures_every_network(outlook):
    assert len(outlook.status.jobs) == 8
    assert outlook.of_job.keys() == outlook.source.keys() == {"cnn-13", "fcn-14"}
    assert min(*outlook.of_job.values(), outlook.of_drawing) > 0
    # Two conditions of 72 images, with 12 shifted ones each.
    assert outlook.passing_bytes > 2 * (72 + 12) * 16 * 16 * 3
    jobs = sum(outlook.of_job[each.job.network] for each in outlook.status.jobs)
    assert outlook.seconds == pytest.approx((jobs + outlook.of_drawing) / 2)


def test_the_estimated_disk_is_about_what_a_study_takes(finished, outlook):
    estimated = outlook.result_bytes
    whole = [path for name in WITH_PAGES for path in (finished.folder / "runs" / name).rglob("*")]  # 2 of 8 runs
    taken = 4 * sum(path.stat().st_size for path in whole if path.is_file() and "misclassified" not in path.parts)
    assert 0.7 * estimated < taken < 1.3 * estimated


def test_old_settings_have_one_seed_for_all(tmp_path):
    settings = run_config(seed=7)
    settings.save(tmp_path / "config.yaml")
    stored = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert stored.pop("data_seed") == 7
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(stored))
    assert RunConfig.load(tmp_path / "config.yaml") == settings
    assert run_config(seed=7, data_seed=0).data_seed == 0


HOLD = """
import sys
from pathlib import Path
from configural.io.locks import locked
with locked(Path(sys.argv[1]), "this"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder():
    """Makes another process hold a folder."""
    processes = []

    def hold(folder: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


def test_a_second_study_in_a_folder_is_refused(blocks, tmp_path, holder):
    assert len(study(blocks, tmp_path, engine=not_now).failed) == 8
    before = (tmp_path / "jobs.json").stat().st_mtime_ns
    process = holder(tmp_path)
    with pytest.raises(ConfiguralError, match="another process is at work on this study"):
        study(blocks, tmp_path, engine=not_now)
    assert cf.study_status(tmp_path).at_work
    assert (tmp_path / "jobs.json").stat().st_mtime_ns == before
    process.kill()  # nothing is tidied up, and yet the folder is free
    process.wait()
    assert not cf.study_status(tmp_path).at_work
    assert len(study(blocks, tmp_path, engine=not_now).failed) == 8


def test_a_second_resume_of_a_run_is_refused(copied, blocks, holder, tmp_path):
    run = copied / "runs" / "fcn-14-fct-1"
    (run / "metrics.json").unlink()
    process = holder(run)
    with pytest.raises(ConfiguralError, match="another process is at work on this run"):
        cf.run(source=blocks, out=run, resume=True)
    process.kill()
    process.wait()
    assert (run / ".lock").is_file()
    assert cf.run(source=blocks, out=run, resume=True).metrics["test_accuracy"] >= 0
    assert not (run / ".lock").exists()
    empty = tmp_path / "empty"
    process = holder(empty)
    with pytest.raises(ConfiguralError, match="another process is at work on this run"):
        cf.run(source=blocks, out=empty)


def test_engines_are_named(monkeypatch):
    with pytest.raises(ConfiguralError, match="unknown engine 'cloud': choose one of local, ray"):
        find_engine("cloud")
    monkeypatch.setitem(sys.modules, "configural.study.engines.ray", None)
    with pytest.raises(ConfiguralError, match=r"--engine ray: the package .* is missing; install"):
        find_engine("ray")


def test_reasons_of_failures_are_one_line():
    (job,) = plan_jobs(StudyPlan(networks=("fcn-14",), conditions=("ffa",), seeds=(1,)))

    def failing(error):
        def work(job):
            raise error

        return attempt(work, job)

    full = failing(OSError(28, "No space left on device", "/a/b"))
    assert full.failure == "/a/b: No space left on device; make room and repeat the command"
    assert failing(ConfiguralError("faces: none")).failure == "faces: none"
    assert failing(KeyError("x")).failure == "KeyError: 'x'"
    assert not attempt(lambda job: None, job).failure


@pytest.mark.usefixtures("undrawn")
def test_a_jobs_results_count_only_when_they_are_whole(blocks, tmp_path, monkeypatch):
    """Broken off before the page is made, a job is not finished, and neither trained nor lost."""
    (job,) = plan_jobs(a_plan(networks=("fcn-14",), conditions=("ffa",), seeds=(1,)))

    def broken(run):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(job, tmp_path, blocks, broken)
    assert not (tmp_path / job.run / "tests.csv").exists()
    trained = [tmp_path / job.run / name for name in ("model.safetensors", "history.csv")]  # with its seconds
    before = [path.read_bytes() for path in trained]
    run_job(job, tmp_path, blocks)
    assert (tmp_path / job.run / "tests.csv").is_file()
    assert [path.read_bytes() for path in trained] == before


@pytest.mark.parametrize("first", ["job", "compare"])
def test_a_group_with_a_default_is_a_command_and_has_commands(first):
    """Whichever is written first; and the default's own name, job, is a plan like any other."""
    app, said = typer.Typer(), []
    group = typer.Typer(cls=GroupWithDefault)
    app.add_typer(group, name="study")

    def job(plan: str | None = typer.Argument(None), out: str | None = typer.Option(None, "--out")) -> None:
        said.append(("study", plan, out))

    def compare(folder: str) -> None:
        said.append(("compare", folder))

    if first == "job":
        group.command(cls=DefaultCommand)(job)
        group.command()(compare)
    else:
        group.command()(compare)
        group.command(cls=DefaultCommand)(job)

    @app.command()
    def other() -> None: ...

    runner = CliRunner()
    for arguments in ("study", "study --out x", "study job", "study compare here", "study --help"):
        done = runner.invoke(app, arguments.split())
        assert done.exit_code == 0, done.output
    assert said == [("study", None, None), ("study", None, "x"), ("study", "job", None), ("compare", "here")]
    assert "study [OPTIONS]" in done.output
    assert "study job" not in done.output
