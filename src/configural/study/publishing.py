"""What a paper needs of a study: a methods paragraph, its references, and the accuracies as table and figure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from configural.config.study import StudyPlan, condition_label
from configural.errors import ConfiguralError
from configural.evaluation import save_figure, shade
from configural.evaluation.figures import INK, figure_of, styled, titled
from configural.evaluation.metrics import read_metrics
from configural.io.files import refuse_used
from configural.io.papers import Publication, escaped, references, tabular
from configural.study.record import StudyRecord
from configural.study.results import load_results
from configural.wording import listed, points, without_folders

_ROW, _TEST = ["network", "train_condition"], ["test_condition", "placement"]


@dataclass(frozen=True)
class StudyPublication(Publication):
    """Texts to paste, and a figure.

    Attributes:
        table: A row for each test of each network: seeds, repeats (how many), images (of one repeat), and over the
            repeats mean, standard deviation (nan of one), lowest and highest of the accuracy, from 0 to 1.
    """

    def plot(self, axes: Axes | None = None) -> Figure:
        """The accuracies as a matrix, darker where lower; what a network was trained on is framed."""
        rows = _each(self.table, _ROW)
        tests = _each(self.table, _TEST)
        with styled():
            axes = titled((1.2 * len(tests) + 3, 0.62 * len(rows) + 1.8), "", axes=axes)
            for cell in self.table.itertuples():
                x = tests.index((cell.test_condition, cell.placement))
                y = rows.index((cell.network, cell.train_condition))
                ground, ink = shade(min((1 - cell.mean) / 0.5, 1))
                axes.add_patch(Rectangle((x - 0.46, y - 0.45), 0.92, 0.9, facecolor=ground))
                if cell.test_condition == cell.train_condition:
                    # Of two colours, one of which is seen on any ground.
                    for width, colour in ((5, INK), (2, "white")):
                        axes.add_patch(
                            Rectangle(
                                (x - 0.44, y - 0.42), 0.88, 0.84, fill=False, edgecolor=colour, linewidth=width
                            )
                        )
                axes.text(x, y, _cell(cell, "\n"), ha="center", va="center", color=ink, fontsize=11)
            axes.set_xlim(-0.5, len(tests) - 0.5)
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.set_xticks(range(len(tests)), [f"{test}\n{placement}" for test, placement in tests])
            axes.set_yticks(range(len(rows)), [f"{network} on {train}" for network, train in rows])
            axes.set_xlabel("tested on")
            axes.set_ylabel("trained on")
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
            axes.set_title(
                "% correct ± standard deviation over trainings; framed: the condition trained on",
                fontsize=12,
                fontweight="normal",
            )
        return figure_of(axes)


def study_publication(folder: Path | str) -> StudyPublication:
    """The methods paragraph, references and accuracies of a study, of what is finished of it.

    Raises:
        ConfiguralError: If it is no study's folder, or nothing is finished.
    """
    folder = Path(folder)
    record, results = StudyRecord.load(folder), load_results(folder)
    if results.empty:
        raise ConfiguralError(f"{folder}: no training of this study is finished")
    table = _table(results, record.plan)
    metrics = read_metrics(folder / results["run"].iloc[0] / "metrics.json")
    cited = ["configural", "lengenfelder2021", "rabold2020", *["khan2015"] * record.source.startswith("fasseg")]
    return StudyPublication(
        _methods(record, results, metrics),
        references(cited, version=record.version, year=metrics.get("date", "")[:4]),
        _latex(table),
        table,
    )


def publish_study(folder: Path | str, out: Path | str) -> StudyPublication:
    """Write methods.tex, references.bib, and the accuracies as matrix.tex, .csv, .svg, .pdf and .png.

    Raises:
        ConfiguralError: If the folder holds no study with results, or `out` is not empty.
    """
    made = study_publication(folder)
    refuse_used(Path(out))
    made.write(Path(out), "matrix")
    save_figure(made.plot(), Path(out) / "matrix.png")
    return made


def _table(results: pd.DataFrame, plan: StudyPlan) -> pd.DataFrame:
    conditions = [condition_label(name) for name in plan.conditions]
    results = results[results["placement"].isin(plan.tests)].astype({"seed": "str"})
    for name, order in zip([*_ROW, *_TEST], (plan.networks, conditions, conditions, plan.tests), strict=True):
        results[name] = pd.Categorical(results[name], order, ordered=True)
    grouped = results.groupby([*_ROW, *_TEST], observed=True)
    accuracy = grouped["accuracy"].agg(["mean", "std", "min", "max"])
    accuracy.columns = pd.Index(["mean", "sd", "lowest", "highest"])
    counts = {
        "seeds": grouped["seed"].agg(", ".join),
        "repeats": grouped.size(),
        "images": grouped["images"].first(),
    }
    return pd.DataFrame(counts).join(accuracy).reset_index()


def _each(table: pd.DataFrame, names: list[str]) -> list[tuple[str, str]]:
    """What these two columns hold, in the order of the plan."""
    found = table[names].drop_duplicates().sort_values(names)
    return list(found.itertuples(index=False, name=None))


def _cell(cell: Any, between: str = " ") -> str:
    """The mean in percent, and its standard deviation where there is one."""
    return points(cell.mean) + ("" if pd.isna(cell.sd) else f"{between}± {points(cell.sd)}")


def _latex(table: pd.DataFrame) -> str:
    tests = _each(table, _TEST)
    numbers = Counter(condition for condition, _ in tests)
    above = [f"\\multicolumn{{{number}}}{{c}}{{{escaped(name)}}}" for name, number in numbers.items()]
    rows = []
    for (network, train), mine in table.groupby(_ROW, observed=True):
        cells = {(cell.test_condition, cell.placement): _cell(cell) for cell in mine.itertuples()}
        images = ", ".join(f"{number:,}" for number in mine["images"].unique())
        rows.append([network, train, str(mine["repeats"].max()), images, *(cells.get(test, "–") for test in tests)])
    placements = [escaped(placement) for _, placement in tests]
    heads = [["", "", "", "tested on:", *above], ["network", "trained on", "seeds", "images", *placements]]
    return tabular("llrr" + "r" * len(tests), [" & ".join(head) for head in heads], rows)


def _methods(record: StudyRecord, results: pd.DataFrame, metrics: Mapping[str, Any]) -> str:
    plan = record.plan
    runs = {network: plan.run(network=network) for network in plan.networks}
    first, images, classes = runs[plan.networks[0]], metrics["images"], metrics["class_names"]
    source = escaped(without_folders(record.source)) + "~\\cite{khan2015}" * record.source.startswith("fasseg")

    def each(name: str) -> str:
        """A setting of the recipe: one value, or which network has which."""
        by_network = {network: getattr(run.recipe, name) for network, run in runs.items()}
        if len(set(by_network.values())) == 1:
            return f"{getattr(first.recipe, name):g}"
        return listed([f"{value:g} ({escaped(network)})" for network, value in by_network.items()])

    done = len(results[["network", "train_condition", "repeat"]].drop_duplicates())
    planned = len(plan.networks) * len(plan.conditions) * len(plan.seeds)
    conditions = listed([escaped(condition_label(name)) for name in plan.conditions])
    several, epochs = len(plan.seeds) > 1, each("epochs")
    spread = (
        "Accuracies are means over trainings $\\pm$ their standard deviation, in percent; what trainings have in "
        "common, such as the test images, is not in it.\n"
    )
    return (
        f"With configural {record.version}~\\cite{{configural}} we trained "
        f"{listed([escaped(name) for name in plan.networks])} to distinguish the correct arrangement of an "
        f"object's parts ({escaped(classes[1])}) from the same parts scrambled "
        f"({escaped(classes[0])})~\\cite{{rabold2020}}, in a design after~\\cite{{lengenfelder2021}}. Of each "
        f"condition ({conditions}) there were {images['train']:,} images to train on, {images['valid']:,} for "
        f"validation and {images['test']:,} in each test, of {first.image_size} by {first.image_size} pixels, "
        f"composed of exemplars of {source} (split {first.split}, data seed {first.data_seed}). Each network was "
        f"trained on every condition by seed{'s' * several} {listed(list(map(str, plan.seeds)))} ({done} of "
        f"{planned} trainings are given), with Adam at a peak learning rate of {each('learning_rate')}, in batches "
        f"of {each('batch_size')}, for {epochs} epoch{'s' * (epochs != '1')}, and tested on images of "
        f"all conditions, placed {listed(list(plan.tests))}. "
        + (spread if several else "Accuracies are in percent.\n")
    )
