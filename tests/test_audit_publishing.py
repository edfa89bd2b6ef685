"""Audits compared, planned and made ready for a paper."""

import numpy as np
import pytest
from command_line import assert_one_line, configural
from known_strategies import described

from configural.audit import (
    Audit,
    Factorial,
    ForcedChoice,
    Scrambling,
    audit,
    compare_audits,
    observers,
    plan,
    publication,
    publish,
)
from configural.audit.comparison import holm
from configural.audit.verdict import stated
from configural.errors import ConfiguralError

PROBES = (ForcedChoice(), Scrambling(jitters=(30,), objects=8))


class Bent:
    """The relation observer with noise of its own, and some more."""

    def __init__(self, library, more, seed):
        self.inner, self.more, self.seed = observers(library)["relation observer"], more, seed

    def log_odds_of(self, stimuli):
        noise = np.random.default_rng([self.seed, len(stimuli), stimuli[0].index]).normal(size=len(stimuli))
        return self.inner.log_odds_of(stimuli) * (1 + self.more) + noise


@pytest.fixture(scope="module")
def folders(painted, tmp_path_factory, only_blank_figures):
    found = {}
    for name, more, seed, settings in (
        ("a1", 0, 1, {}), ("a2", 0, 2, {}), ("b1", 0.2, 3, {}), ("b2", 0.2, 4, {}), ("other", 0, 5, {"seed": 9})
    ):  # fmt: skip
        out = tmp_path_factory.mktemp("audits") / name
        shown = {"image_size": 32, "pairs": 24, "probes": PROBES, "name": name, **settings}
        audit(Bent(painted, more, seed), painted, out=out, **shown)
        found[name] = str(out)
    return found


def test_a_difference_is_drawn_in_pairs(folders):
    from scipy import stats

    found = compare_audits([folders["a1"], folders["b1"]])
    row = found.differences.set_index("score").loc["jitter_drop"]
    one, other = (Audit.load(folders[name]) for name in ("a1", "b1"))
    assert row["difference"] == pytest.approx(
        one.headed("jitter_drop")["value"] - other.headed("jitter_drop")["value"]
    )
    # Exemplars are alike in both: the interval of the difference is narrower than that of independent ones.
    widths = [audit.headed("jitter_drop")["high"] - audit.headed("jitter_drop")["low"] for audit in (one, other)]
    assert row["high"] - row["low"] < 0.8 * np.hypot(*widths)
    draws = one.draws["jitter_drop"] - other.draws["jitter_drop"]
    expected = 2 * stats.t(one.headed("jitter_drop")["exemplars"] - 1).sf(abs(row["difference"]) / draws.std())
    assert row["p"] == pytest.approx(expected)
    same = compare_audits([folders["a1"], folders["a1"]]).differences
    assert (same["difference"] == 0).all()
    assert (same["p"] == 1).all()


def test_several_seeds_are_one_row(folders):
    groups = [f"a={folders['a1']},{folders['a2']}", f"b={folders['b1']},{folders['b2']}"]
    found = compare_audits(groups)
    assert list(found.summary["name"]) == ["a", "b"]
    assert list(found.summary["audits"]) == [2, 2]
    values = [Audit.load(folders[name]).headed("jitter_drop")["value"] for name in ("a1", "a2")]
    assert found.summary["jitter_drop"][0] == pytest.approx(np.mean(values))
    assert found.summary["jitter_drop_deviation"][0] == pytest.approx(np.std(values, ddof=1))
    assert len(found.differences) == len(found.headings)
    with pytest.raises(ConfiguralError, match="name=folder,folder"):
        compare_audits([groups[0], "b="])


def test_other_images_are_not_compared(folders):
    found = compare_audits([folders["a1"], folders["other"]]).differences
    assert found["note"].str.startswith("other images").all()
    assert found["p_holm"].isna().all()


def test_holm_is_that_of_the_definition():
    p = np.array([0.01, np.nan, 0.2, 0.02, 0.04])
    by_hand = [0.04, np.nan, 0.2, 0.06, 0.08]
    np.testing.assert_allclose(holm(p), by_hand)


def test_a_paper_s_texts(folders, tmp_path):
    made = publish(folders["a1"], tmp_path / "paper")
    for name in ("methods.tex", "references.bib", "scores.tex", "scores.csv"):
        assert (tmp_path / "paper" / name).is_file()
    cited = {"configural", "hesterberg2015", "baker2022"}
    assert all(f"\\cite{{{key}}}" in made.methods and f"{{{key}," in made.references for key in cited)
    assert "tanaka1993" not in made.references
    assert "no\\_face" in made.methods
    assert "/512" not in made.methods  # what that tells of was not measured
    assert f"year = {{{Audit.load(folders['a1']).facts.date[:4]}}}" in made.references
    assert made.latex.count(r"\\") == 1 + len(Audit.load(folders["a1"]).summary())
    assert {"low", "high", "exemplars", "images", "version"} <= set(made.table)


def test_a_paper_s_texts_of_several_audits(folders, tmp_path):
    groups = [f"a={folders['a1']},{folders['a2']}", folders["b1"]]
    found = compare_audits(groups, tmp_path / "both")
    assert {"comparison.tex", "comparison.csv", "methods.tex", "references.bib"} <= {
        path.name for path in (tmp_path / "both").iterdir()
    }
    table = (tmp_path / "both" / "comparison.tex").read_text("utf-8").splitlines()
    assert table[2] == r"score & a & b1 & $p$ \\"
    (row,) = (line for line in table if line.startswith("jitter drop"))
    row = row.removesuffix(r" \\").split(" & ")
    of = found.differences.set_index("score").loc["jitter_drop", "p_holm"]
    assert row[1].startswith(f"{found.summary['jitter_drop'][0]:.2f} [")
    assert row[3] == (r"\textless{} 0.001" if of < 0.001 else f"{of:.3f}")
    labels = {axes.get_xlabel() for axes in found.figure().axes}
    assert {"jitter drop (log-odds)", "accuracy"} <= labels
    methods = (tmp_path / "both" / "methods.tex").read_text("utf-8")
    assert "For a we give means over 2 audits" in methods
    assert methods.count("Stimuli were composed") == 1  # of the same images
    assert f"{found.differences['p_holm'].notna().sum()} tests by Holm's method~\\cite{{holm1979}}" in methods
    assert "{holm1979," in (tmp_path / "both" / "references.bib").read_text("utf-8")

    compare_audits([folders["a1"], folders["other"]], tmp_path / "apart")
    methods = (tmp_path / "apart" / "methods.tex").read_text("utf-8")
    assert "Stimuli for a1 were" in methods
    assert "Stimuli for other were" in methods
    assert "Holm" not in methods  # of other images nothing is tested


def test_a_plan_is_that_of_the_normal_theory(folders):
    from scipy import stats

    found = plan(0.1, fraction=0.8, correlation=0)
    exemplars = found.enough[1]
    width = [2 * stats.t(n - 1).ppf(0.975) * np.sqrt(0.16 / n) for n in (exemplars - 1, exemplars)]
    assert width[1] <= 0.1 < width[0]
    alike = plan(0.1, fraction=0.8, correlation=1)
    assert alike.enough[20] == alike.enough[1]  # pairs that are alike say nothing more
    pilot = plan(0.1, pilot=Audit.load(folders["a1"]))
    assert 0 < pilot.fraction < 1
    with pytest.raises(ConfiguralError, match="width 2"):
        plan(2)


def test_commands(folders, tmp_path):
    assert "differences" in configural("audit", "compare", folders["a1"], folders["b1"]).stdout
    assert "methods.tex" in configural("audit", "publish", folders["a1"], "--out", str(tmp_path / "p")).stdout
    assert "exemplars" in configural("audit", "plan", "--width", "0.1").stdout
    assert_one_line(configural("audit", "plan", "--width", "7"))


def test_no_fraction_is_published_or_compared_where_costs_do_not_add_up(painted, tmp_path):
    """An observer that needs all positions at once has a fraction by the formula, which means nothing."""
    folders = []
    for name, observer, given in (
        ("product", described(painted)["all positions needed, product"], False),
        ("positions", observers(painted)["position observer"], True),
    ):
        shown = {"image_size": 32, "pairs": 12, "probes": (ForcedChoice(), Factorial(distances=(60,), objects=8))}
        found = audit(observer, painted, name=name, out=tmp_path / name, **shown)
        folders.append(str(tmp_path / name))
        assert not np.isnan(found.headed("relational_fraction")["value"])
        assert np.isnan(stated(found, "relational_fraction")["value"]) != given
        assert ("relational fraction & undefined" in publication(found).latex) != given
        said = publication(found).methods
        assert "displacement by 60/512 of the longer side" in said
        assert "5\\,\\% of the mean gap" in said
    differences = compare_audits(folders).differences.set_index("score")
    assert differences.loc["relational_fraction", "note"] == "undefined in one of them"
