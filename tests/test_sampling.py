import collections
import hashlib
import itertools

import numpy as np
import pytest
from conftest import block_exemplar
from hypothesis import given, settings
from hypothesis import strategies as st

from configural.errors import ConfiguralError, PortraitSkippedWarning
from configural.objects import FACE
from configural.portraits import Library
from configural.stimuli import (
    PLACEMENTS,
    STUDY_CONDITIONS,
    Condition,
    StimulusTable,
    sample,
    sample_to,
    sampling,
)
from configural.stimuli import (
    condition as find_condition,
)
from configural.stimuli import table as stimuli_table

CONDITION_NAMES = STUDY_CONDITIONS
CONDITIONS = [find_condition(name) for name in STUDY_CONDITIONS]
STUDY_COLUMNS = [
    *("index", "subset", "label", "class_name", "file", "host", "placement"),
    *(f"{slot}_{what}" for slot in FACE.part_kinds for what in ("kind", "donor", "row", "col")),
]


@pytest.fixture(scope="module")
def tall() -> Library:
    """Twelve exemplars of the height that a condition's pixels refer to; the narrowest is too narrow for some."""
    return Library("tall", [block_exemplar(f"tall/{n}", 512, 64 + 4 * n, shade=60 + 9 * n) for n in range(12)])


@pytest.mark.filterwarnings("ignore::configural.errors.PortraitSkippedWarning")
@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("baseline", "2de10ca06fe7a23ac72835e567945165288fcb51f3da8619e3c0fa1fd2d190d7"),
        ("ffa", "ccfe09ffa5b94f304cecf348dcfe5c4c908290a5aa8e5c830f85243f41610205"),
        ("fct", "062adb39182fa25a817a6a8c2c5da9a27cf0eddde44d408459bf5d6e0f6d51e8"),
    ],
)
def test_rows_of_the_studys_conditions_never_change(tall, name, digest):
    """Made with version 0.1.0, which knew only these conditions."""
    rows = sample(tall, condition=name, split="paper", count=400, seed=42, placement="shifted").frame[STUDY_COLUMNS]
    assert hashlib.sha256(rows.to_csv(index=False).encode()).hexdigest() == digest


@pytest.mark.parametrize(
    ("count", "train", "valid", "test"), [(20000, 16002, 998, 3000), (2000, 1602, 98, 300), (42, 34, 2, 6)]
)
def test_subset_sizes_are_the_studys(blocks, count, train, valid, test):
    table = sample(blocks, count=count)
    assert [len(table.subset(name)) for name in ("train", "valid", "test")] == [train, valid, test]


def test_indices_and_file_names_are_the_studys(blocks):
    table = sample(blocks, count=20000)
    for label, name in enumerate(("no_face", "face")):
        rows = table.frame[table.frame["label"] == label]
        assert rows["index"].tolist() == list(range(10000))
        for subset, first, last in (("train", 0, 8000), ("test", 8001, 9500), ("valid", 9501, 9999)):
            files = rows[rows["subset"] == subset]["file"].tolist()
            assert files[0] == f"{subset}/{name}/pic_{first:05d}.png"
            assert files[-1] == f"{subset}/{name}/pic_{last:05d}.png"


def test_offsets_are_the_studys():
    offsets = {condition.name: condition.offsets for condition in CONDITIONS}
    assert offsets == {
        "baseline": ((0, 0), (0, 0), (0, 0), (0, 0)),
        "ffa": ((-20, -10), (-20, 5), (0, 0), (20, 0)),
        "fct": ((16, 8), (16, -8), (0, 0), (-12, 0)),
    }
    assert {(condition.jitter, condition.blend) for condition in CONDITIONS} == {(9, 0.8)}


def _arrangements(table: StimulusTable, label: int) -> list[tuple[str, ...]]:
    rows = table.frame[table.frame["label"] == label]
    return list(zip(*(rows[f"{slot}_kind"] for slot in FACE.part_kinds), strict=True))


def test_arrangement_rule(blocks):
    table = sample(blocks, count=20000, seed=3)
    assert set(_arrangements(table, 1)) == {FACE.part_kinds}
    seen = collections.Counter(_arrangements(table, 0))
    left, right, nose, mouth = FACE.part_kinds
    allowed = set(itertools.permutations(FACE.part_kinds)) - {FACE.part_kinds, (right, left, nose, mouth)}
    assert set(seen) == allowed
    assert (left, right, mouth, nose) in seen
    # Evenly: 10,000 over 22, chi-square below its 99.99 % point for 21 degrees of freedom.
    expected = 10000 / 22
    assert sum((n - expected) ** 2 / expected for n in seen.values()) < 55


def test_jitter_is_even_and_one_sided(tall):
    frame = sample(tall, condition="baseline", count=8000).frame
    for slot in FACE.part_kinds:
        for axis in ("row", "col"):
            counts = np.bincount(frame[f"{slot}_{axis}"], minlength=10)
            assert len(counts) == 10
            assert ((counts - 800) ** 2 / 800).sum() < 34  # 99.99 % point, 9 degrees of freedom


def test_hosts_and_donors_are_even_and_independent(blocks):
    frame = sample(blocks, condition="baseline", count=12000).frame
    for column in ["host", *(f"{slot}_donor" for slot in FACE.part_kinds)]:
        counts = frame[column].value_counts()
        assert len(counts) == len(blocks)
        assert (abs(counts - 1000) < 150).all()
    own = (frame["host"] == frame["nose_donor"]).mean()
    assert abs(own - 1 / 12) < 0.02


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 300).map(lambda half: 2 * half),
    condition=st.sampled_from(CONDITION_NAMES),
    split=st.sampled_from(["paper", "identity"]),
    placement=st.sampled_from(["left", "middle", "right", "shifted"]),
)
def test_every_table_obeys_the_rules(blocks, seed, count, condition, split, placement):
    table = sample(blocks, condition=condition, split=split, count=count, seed=seed, placement=placement)
    frame = table.frame
    assert frame.equals(
        sample(blocks, condition=condition, split=split, count=count, seed=seed, placement=placement).frame
    )
    assert (frame["label"] == 1).sum() == (frame["label"] == 0).sum() == count // 2
    exemplars = {exemplar.name: exemplar for exemplar in blocks.exemplars}
    for stimulus in table:
        kinds = [content.kind for content in stimulus.contents]
        assert sorted(kinds) == sorted(FACE.part_kinds)
        assert (tuple(kinds) == FACE.part_kinds) == (stimulus.label == 1)
        rows, cols = exemplars[stimulus.host].canvas.shape[:2]
        for slot, content in enumerate(stimulus.contents):
            part = exemplars[content.donor].parts[FACE.index(content.kind)]
            lengths = zip(
                exemplars[stimulus.host].parts[slot].anchor,
                stimulus.condition.offsets[slot],
                content.jitter,
                strict=True,
            )
            top, left = (own + round(offset * rows / 512) + moved for own, offset, moved in lengths)
            assert 0 <= min(content.jitter) <= max(content.jitter) <= round(9 * rows / 512)
            assert 0 <= top <= rows - part.mask.shape[0]
            assert 0 <= left <= cols - part.mask.shape[1]
    if placement == "shifted":
        for _, rows in frame.groupby(["label", "subset"]):
            counts = rows["placement"].value_counts()
            assert counts.max() - counts.reindex(["left", "middle", "right"], fill_value=0).min() <= 1
    else:
        assert set(frame["placement"]) == {placement}


def test_shifted_test_set_holds_500_each(blocks):
    test = sample(blocks, count=20000, placement="shifted").subset("test").frame
    assert set(test.groupby(["label", "placement"]).size()) == {500}


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_identity_split_keeps_persons_apart(blocks, seed):
    table = sample(blocks, condition="baseline", split="identity", count=400, seed=seed)
    person = {exemplar.name: exemplar.person for exemplar in blocks.exemplars}
    used = {}
    for name in ("train", "valid", "test"):
        frame = table.subset(name).frame
        columns = ["host", *(f"{slot}_donor" for slot in FACE.part_kinds)]
        used[name] = {person[exemplar] for column in columns for exemplar in frame[column]}
        assert frame["host"].nunique() >= 2
    assert not used["train"] & used["test"]
    assert not used["train"] & used["valid"]
    assert not used["valid"] & used["test"]


def test_same_draws_whatever_the_count_and_the_condition(blocks):
    columns = ["host", "nose_kind"]
    short, long = sample(blocks, condition="baseline", count=200), sample(blocks, condition="fct", count=6000)
    for label in (0, 1):
        few = short.frame[short.frame["label"] == label]
        many = long.frame[long.frame["label"] == label].head(100)
        assert few[columns].to_numpy().tolist() == many[columns].to_numpy().tolist()


def test_seeds_differ(blocks):
    assert not sample(blocks, seed=1).frame.equals(sample(blocks, seed=2).frame)


def test_a_exemplar_without_room_is_no_host_but_still_a_donor():
    # This exemplar is so narrow that no mouth fits into its right_eye slot.
    cramped = block_exemplar("cramped", rows=124, cols=56, shade=61)
    library = Library("mixed", [cramped, *(block_exemplar(f"b{n}", shade=60 + n) for n in range(3))])
    with pytest.warns(PortraitSkippedWarning, match="cramped: not used as a host"):
        frame = sample(library, condition="baseline", count=400).frame
    assert "cramped" not in set(frame["host"])
    assert "cramped" in set(frame["left_eye_donor"])


def test_no_host_at_all_is_an_error(blocks):
    far = Condition(name="far", offsets=((0, 0), (0, 0), (0, 0), (500, 0)))
    with pytest.warns(PortraitSkippedWarning), pytest.raises(ConfiguralError, match="can serve as a host"):
        sample(blocks, condition=far, count=60)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"condition": "closer"}, "unknown condition 'closer': choose one of baseline, ffa, fct"),
        ({"split": "random"}, "unknown split 'random'"),
        ({"placement": "top"}, "unknown placement 'top'"),
        ({"count": 7}, "count 7 must be even"),
        ({"count": 0}, "count 0 must be even and at least 2"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_bad_arguments(blocks, change, message):
    with pytest.raises(ConfiguralError, match=message):
        sample(blocks, **change)


def test_too_few_persons_for_the_identity_split(blocks):
    with pytest.raises(ConfiguralError, match="too few for the identity split"):
        sample(Library("five", blocks.exemplars[:5]), split="identity")


def test_table_round_trip(blocks, tmp_path):
    table = sample(blocks, condition="fct", split="identity", count=200, seed=5, placement="shifted")
    table.save(str(tmp_path / "stimuli.parquet"))
    back = StimulusTable.load(str(tmp_path / "stimuli.parquet"))
    assert back.settings() == table.settings()
    assert list(back) == list(table)


@pytest.mark.filterwarnings("ignore::configural.errors.PortraitSkippedWarning")
@pytest.mark.parametrize("condition", ["ffa", "floating+matched"])
@pytest.mark.parametrize("count", [60, 5_000])
def test_a_table_drawn_in_parts_is_the_same_file(tall, tmp_path, monkeypatch, condition, count):
    """5,000 stimuli are drawn in three parts per class, and stored in five row groups: these are smaller here."""
    monkeypatch.setattr(sampling, "_PART", 1024)
    monkeypatch.setattr(stimuli_table, "_ROW_GROUP", 1024)
    table = sample(tall, condition=condition, split="paper", count=count, seed=3, placement="shifted")
    table.save(tmp_path / "whole.parquet")
    stored = sample_to(
        tmp_path / "parts.parquet",
        tall,
        condition=condition,
        split="paper",
        count=count,
        seed=3,
        placement="shifted",
    )
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "parts.parquet").read_bytes()
    assert (len(stored), stored.columns, stored.settings()) == (count, table.columns, table.settings())
    assert len(stored.starts) == 1 + (5 if count == 5_000 else 1)
    assert stored.load().frame.equals(table.frame)
    assert list(stored.files()) == table.frame["file"].tolist()
    assert stored.counts() == table.frame["subset"].value_counts().to_dict()
    rows = np.random.default_rng(0).permutation(count)[:50]
    for made in (stored, table):
        assert made.take(rows).frame.equals(table.frame.iloc[rows].reset_index(drop=True))
        assert (made.positions()["index"] == table.frame["index"]).all()


def test_placements_take_turns_in_every_subset(blocks):
    frame = sample(blocks, condition="baseline", split="paper", count=500, placement="shifted").frame
    for _, rows in frame.groupby(["subset", "label"]):
        assert rows["placement"].tolist() == list(itertools.islice(itertools.cycle(PLACEMENTS), len(rows)))


def test_damaged_and_foreign_tables(blocks, tmp_path):
    path = tmp_path / "t.parquet"
    with pytest.raises(ConfiguralError, match="no such file"):
        StimulusTable.load(path)
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(ConfiguralError, match="not a readable Parquet"):
        StimulusTable.load(path)
    sample(blocks).frame.to_parquet(path)
    with pytest.raises(ConfiguralError, match="not a table of stimuli"):
        StimulusTable.load(path)


def test_real_portraits_need_no_exclusion(real):
    for condition in CONDITION_NAMES:
        table = sample(real, condition=condition, count=20000)  # a warning would be an error here
        assert table.frame["host"].nunique() == len(real)
