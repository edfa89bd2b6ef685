import re
from pathlib import Path
from unittest import mock

import pytest
import yaml
from command_line import configural

from configural.config.run import run_config, run_fields
from configural.config.study import condition_label, difference
from configural.errors import ConfiguralError
from configural.io.yamls import parse_document
from configural.stimuli import condition as find_condition
from configural.study import PLAN_PRESETS, StudyPlan, read_plan
from configural.study.plans import plan_jobs
from configural.study.running import plan_study

SMALLEST = "networks: [cnn-15]\nconditions: [ffa]\nseeds: [1]\n"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("networks: [cnn-15, vgg]\nconditions: [ffa]\nseeds: [1]\n", "line 1: networks", "unknown network 'vgg'"),
        ("networks: cnn-15\nconditions: [ffa]\nseeds: [1]\n", "line 1: networks", r"a list, such as \[cnn-15\]"),
        ("networks: [cnn-15]\nconditions: [ffa, fat]\nseeds: [1]\n", "line 2: conditions", "condition 'fat'"),
        ("networks: [cnn-15]\nconditions: [a.yaml]\nseeds: [1]\n", "line 2: conditions", "a.yaml: there is no"),
        ("networks: [cnn-15]\nconditions: [ffa]\nseeds: [3, 1, 3]\n", "line 3: seeds", "3 is stated twice"),
        ("networks: [cnn-15]\nconditions: [ffa]\nseeds: []\n", "line 3: seeds", "at least 1 item"),
        ("networks: [cnn-15]\nconditions: [ffa]\nseeds:\n- 1\n- two\n", r"line 5: seeds\.1", "valid integer"),
        ("networks: [cnn-15]\nconditions: [ffa]\nseeds: [-1]\n", "line 3: seeds", "seed -1"),
        ("conditions: [ffa]\nseeds: [1]\n", "networks", "Field required"),
        (SMALLEST + "split: half\n", "line 4: split", "input should be 'paper' or 'identity'"),
        (SMALLEST + "\ntests: [left]\n", r"line 5: tests\.0", "'middle' or 'shifted'"),
        (SMALLEST + "image_size: 20\n", "line 4: image_size", "too small for cnn-15"),
        (SMALLEST + "count: 41\n", "line 4: count", "greater than or equal to 42"),
        (SMALLEST + "count: 101\n", "line 4: count", "must be even"),
        (SMALLEST + "epochs: many\n", "line 4: epochs", "valid integer"),
        (SMALLEST + "epochs: {fcn-14: 3}\n", "line 4: epochs", "fcn-14 is not among the plan's networks"),
        (SMALLEST + "epochs: 0\n", "line 4: epochs", "greater than or equal to 1"),
        (SMALLEST + "batch_size: 0\n", "line 4: batch_size", "greater than or equal to 1"),
        (
            SMALLEST + "image-size: 64\n",
            "line 4: unknown key 'image-size': did you mean image_size",
            "unknown key .*",
        ),
        (SMALLEST + "nothing: 1\n", "line 4: unknown key 'nothing': choose from .*image_size", "unknown key .*"),
        (SMALLEST + "lerning_rate: 1e-3\n", "line 4: unknown key .lerning_rate", "unknown key .lerning_rate.*"),
        (SMALLEST + "precision: 8\n", "line 4: precision", "'32'"),
        (SMALLEST + "count: [\n", "line 5", "not readable as YAML"),
        ("", "", "expected lines of the form"),
    ],
)
def test_a_mistake_is_named_by_file_line_and_key(tmp_path, text, place, message):
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(ConfiguralError, match=message) as caught:
        read_plan(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert re.search(place, said)
    assert "\n" not in said


def test_all_mistakes_are_named_before_exemplars_are_prepared(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text("networks: [cnn-15]\nconditions: ffa\nseeds: []\nimage-size: 64\n")
    with mock.patch("configural.study.running.load") as load, pytest.raises(ConfiguralError) as caught:
        plan_study(path, "synthetic:2", out=tmp_path / "study")
    load.assert_not_called()
    said = str(caught.value).split("; ")
    assert len(said) == 3
    for line, (key, text) in zip(
        (2, 3, 4), zip(("conditions", "seeds", "image-size"), said, strict=True), strict=True
    ):
        assert text.startswith(f"{path}, line {line}: ")
        assert key in text


def test_a_condition_s_file_is_looked_for_beside_the_plan(tmp_path, monkeypatch):
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "own.yaml").write_text("jitter: 3\n")
    for name, jitter in (("own", 7), ("here", 5)):
        (tmp_path / f"{name}.yaml").write_text(f"jitter: {jitter}\n")
    plan = tmp_path / "plans" / "plan.yaml"
    plan.write_text("networks: [cnn-15]\nconditions: [own.yaml, here.yaml+matched, ffa]\nseeds: [1]\n")
    monkeypatch.chdir(tmp_path)
    found = read_plan("plans/plan.yaml").conditions
    assert found == ("plans/own.yaml", "here.yaml+matched", "ffa")
    assert find_condition(found[0]).jitter != find_condition("own.yaml").jitter
    assert find_condition(found[0]).jitter == find_condition("plans/own.yaml").jitter


def test_the_docs_list_every_key_of_a_plan():
    text = (Path(__file__).parents[1] / "docs" / "study.md").read_text("utf-8")
    fields = {**StudyPlan.model_fields, **run_fields()}
    rows = [f"| `{key}` | {fields[key].description} |" for key in StudyPlan.known_keys()]
    assert "\n".join(rows) + "\n\n" in text


def test_a_plan_that_is_not_there(tmp_path):
    with pytest.raises(ConfiguralError, match=r"none\.yaml: there is no such file"):
        read_plan(tmp_path / "none.yaml")


def test_two_conditions_of_one_name_would_share_a_folder(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.yaml").write_text("jitter: 3\n")
    path = tmp_path / "plan.yaml"
    conditions = [str(tmp_path / folder / "own.yaml") for folder in ("a", "b")]
    path.write_text(f"networks: [cnn-15]\nconditions: {conditions}\nseeds: [1]\n")
    with pytest.raises(ConfiguralError, match=r"line 2: conditions: .*another condition is called own"):
        read_plan(path)


def test_labels_are_good_folder_names():
    assert condition_label("floating+matched") == "floating+matched"
    assert condition_label("/some where/own one.yaml") == "own-one"
    assert condition_label("one-part-moved:nose:20") == "one-part-moved-nose-20"


def test_the_published_grid():
    """36 trainings; 96 published tests and those never made: every condition on every other, shifted too."""
    jobs = plan_jobs(read_plan("paper"))
    assert len(jobs) == 36
    assert len({job.name for job in jobs}) == 36
    assert sum(len(job.tests) for job in jobs) == 36 * 6
    for job in jobs:
        settings = job.settings
        assert (settings.image_size, settings.count, settings.split, settings.preset) == (
            224,
            20000,
            "paper",
            "paper",
        )
        assert (settings.recipe.batch_size, settings.recipe.valid_batch_size) == (20, 10)
        assert (settings.recipe.learning_rate, settings.recipe.schedule) == (1e-4, "constant")
        assert settings.recipe.epochs == {"cnn-15": 20, "fcn-16": 20, "cnn-13": 30, "fcn-14": 30}[job.network]


@pytest.mark.parametrize("preset", PLAN_PRESETS)
def test_repeats_differ_in_their_seed_and_share_their_images(preset):
    plan = read_plan(preset)
    jobs = plan_jobs(plan, "synthetic:3")
    assert len(plan.networks) == 4
    assert plan.conditions == ("baseline", "ffa", "fct")
    for network in plan.networks:
        for condition in plan.conditions:
            repeats = [job for job in jobs if (job.network, job.condition) == (network, condition)]
            assert [job.repeat for job in repeats] == [1, 2, 3]
            seeds = {job.settings.seed for job in repeats}
            assert len(seeds) == 3
            assert {job.settings.recipe.seed for job in repeats} == seeds
            assert {job.settings.data_seed for job in repeats} == {42}
    # The first repeat of the whole grid is there before the second begins.
    assert [job.repeat for job in jobs] == sorted(job.repeat for job in jobs)


def test_what_a_plan_states_reaches_every_run(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(
        "networks: [cnn-13, fcn-14]\nconditions: [fct]\nseeds: [7]\nsplit: identity\ntests: [shifted]\n"
        "data_seed: 3\nimage_size: 48\ncount: 60\nepochs: {fcn-14: 9}\nbatch_size: 5\nlearning_rate: 0.01\n"
        "precision: 32\n"
    )
    cnn, fcn = plan_jobs(read_plan(path), "synthetic:12", device="cpu")
    for job in (cnn, fcn):
        settings = job.settings
        assert (settings.source, settings.condition, settings.split, settings.device) == (
            "synthetic:12",
            "fct",
            "identity",
            "cpu",
        )
        assert (settings.image_size, settings.count, settings.data_seed, settings.seed) == (48, 60, 3, 7)
        assert (settings.recipe.batch_size, settings.recipe.learning_rate) == (5, 0.01)
        assert job.tests == (("fct", "shifted"),)
    assert (cnn.settings.recipe.epochs, fcn.settings.recipe.epochs) == (1, 9)  # 1 is the preset's
    assert (fcn.name, fcn.run) == ("fcn-14-fct-1", "runs/fcn-14-fct-1")


def test_a_stored_plan_is_the_same_plan():
    plan = read_plan("quick")
    again = StudyPlan(**yaml.safe_load(yaml.safe_dump(plan.model_dump(mode="json"))))
    assert again == plan
    assert difference(plan, again) is None
    other = plan.model_copy(update={"seeds": (1, 2)})
    assert difference(plan, other) == "seeds [1, 2, 3], not [1, 2]"
    assert difference(plan, plan.model_copy(update={"description": "mine"})) is None
    without = {name: value for name, value in plan.settings.items() if name != "epochs"}
    assert difference(plan, plan.model_copy(update={"settings": without})).endswith("not of the preset")


def test_every_setting_of_a_recipe_works_in_a_study_and_for_each_network_alone(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(
        SMALLEST.replace("[cnn-15]", "[cnn-15, fcn-14]")
        + "dropout: {fcn-14: 0.3}\nweight_decay: 4\nschedule: constant\nlabel_smoothing: 0.1\nbeta_2: 0.98\n"
    )
    cnn, fcn = plan_jobs(read_plan(path))
    assert (cnn.settings.recipe.dropout, fcn.settings.recipe.dropout) == (0.0, 0.3)  # 0 is the preset's
    for job in (cnn, fcn):
        recipe = job.settings.recipe
        assert (recipe.weight_decay, recipe.schedule, recipe.label_smoothing, recipe.beta_2) == (
            *(4, "constant", 0.1, 0.98),
        )


@pytest.mark.parametrize("name", run_fields())
def test_every_setting_is_an_option_a_key_and_an_argument(name, tmp_path):
    value = {
        **{"source": "houses:3", "condition": "fct", "split": "identity", "network": "fcn-14", "preset": "paper"},
        **{"image_size": 48, "count": 60, "schedule": "one-cycle", "precision": "bf16", "device": "cpu"},
        **{
            "stream": True,
            "compile": True,
            "tracker": "wandb",
            "dropout": 0.5,
            "beta_2": 0.5,
            "label_smoothing": 0.5,
        },
        **{"weight_decay": 0.5, "learning_rate": 0.5},
    }.get(name, 7)
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({name: value}))
    by_file, by_argument = run_config(config=path), run_config(**{name: value})
    assert by_file == by_argument
    stated = {**by_argument.model_dump(), **by_argument.recipe.model_dump(exclude={"seed"})}
    assert stated[name] == value
    with mock.patch("configural.api.run", side_effect=KeyboardInterrupt) as run:
        given = [f"--{name.replace('_', '-')}"] + ([] if value is True else [value])
        assert configural("run", "--out", tmp_path / "run", *given).returncode == 130
    assert run.call_args.kwargs[name] == value
    path.write_text(f"# nothing else\n{name}: [no such thing]\n")
    with pytest.raises(ConfiguralError, match=f"settings.yaml, line 2: {name}"):
        run_config(config=path)


def test_a_key_of_a_mapping_s_own_is_found_before_one_that_it_merges():
    document = parse_document("a: &a {seed: 1}\nb:\n  <<: *a\n  seed: 2\n", "x.yaml")
    assert document.values["b"] == {"seed": 2}
    assert document.where(["b", "seed"]) == "x.yaml, line 4"
