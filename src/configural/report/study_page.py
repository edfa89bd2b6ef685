"""One self-contained page about a study, finished or not, read from its folder."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from configural import __version__
from configural.config.study import StudyPlan, condition_label
from configural.evaluation import axis_start, repeats_figure, save_figure, shade
from configural.evaluation.metrics import read_metrics
from configural.io import manifest
from configural.replication import tables
from configural.replication.comparison import CELL, NETWORKS, compare_results, ordered, study_image_size
from configural.replication.fields import CLOSEST_PARTS
from configural.replication.findings import Verdict
from configural.replication.tables import cannot_be_tested
from configural.report.parts import Image, embedded, write_page
from configural.report.settings import CONDITIONS, SPLITS, Rows, made_with, plain, reading
from configural.study.record import Attempts, StudyRecord
from configural.study.results import RESULT_COLUMNS, load_results
from configural.training import History
from configural.wording import duration, percent, without_folders

_ZOOMS = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Where the axis of the strips may start."""

_WORST = 0.5
"""The fraction of mistakes that is drawn darkest: guessing."""


@dataclass(frozen=True)
class Training:
    """One run of the study; what is not known, or not there, is empty."""

    name: str  # of its folder
    network: str
    condition: str
    repeat: int  # from 1
    seed: str
    state: str  # finished, failed, begun or not begun
    accuracy: str  # on its own middle images, in percent
    link: str  # to its page, relative to the study's folder
    failure: str


def write_study_report(folder: Path | str) -> Path:
    """Write `report.html`, and the curves in `figures`, into a study's folder; returns the page's path.

    Works while the study is at work: what is not finished is shown as missing.

    Raises:
        ConfiguralError: If it is no study's folder, or a file in it is damaged.
        OSError: If the disk is full or not writable.
    """
    folder = Path(folder)
    there = (folder / "results.parquet").is_file()
    results = load_results(folder) if there else pd.DataFrame(columns=list(RESULT_COLUMNS))
    record = StudyRecord.load(folder)
    comparison = compare_results(results, study_image_size(folder))
    trainings = _trainings(folder, record.plan, results)
    networks = ordered([training.network for training in trainings], NETWORKS)
    published = comparison.published
    own_shown = results["accuracy"][results["placement"].isin(["middle", "shifted"])]
    published_shown = published["accuracy"][published["network"].isin(networks)]
    lowest = min([*own_shown, *published_shown], default=0.0)
    measured = _measured(folder, trainings)
    finished = sum(training.state == "finished" for training in trainings)
    return write_page(
        folder,
        "study.html.j2",
        comparison=comparison,
        closest_parts=CLOSEST_PARTS,
        text=tables,
        verdicts=list(Verdict),
        trainings=trainings,
        finished=finished,
        whole=0 < finished == len(trainings),
        missing="not yet" if finished < len(trainings) else "not tested",
        networks=networks,
        conditions=ordered([training.condition for training in trainings], tuple(CONDITIONS)),
        placements=tables.SHOWN_PLACEMENTS,
        cells={tuple(cell[key] for key in CELL): cell for cell in comparison.cells.to_dict("records")},
        own=results.groupby(list(CELL))["accuracy"].apply(sorted).to_dict(),
        published=published.groupby(list(CELL))["accuracy"].apply(sorted).to_dict(),
        covers=set(published["network"]) <= set(record.plan.networks)
        and set(published["train_condition"]) <= set(map(condition_label, record.plan.conditions)),
        description=record.plan.description,
        unlearned=_unlearned(results),
        worst=_WORST,
        shade=shade,
        start=max((zoom for zoom in _ZOOMS if zoom < lowest), default=0.0),
        testable=sum(not cannot_be_tested(finding) for finding in comparison.findings),
        samples=_samples(folder, trainings),
        curves=_curves(folder, trainings),
        settings=_settings(record, measured),
        weights={name: metrics["weights"][:16] for name, metrics in measured.items() if "weights" in metrics},
        source=record.source,
        version=__version__,
    )


_CHANCE = 0.6
"""A network that is correct less often where it was trained has hardly learned anything."""


def _unlearned(results: pd.DataFrame) -> list[str]:
    """Which networks did not learn the condition they were trained on, and how often they are correct there."""
    own = results[results["train_condition"] == results["test_condition"]]
    means = own.groupby(["network", "train_condition", "placement"], sort=False)["accuracy"].mean()
    best = means.groupby(["network", "train_condition"], sort=False).max()
    return [
        f"{network} on {condition} ({100 * accuracy:.0f} %)"
        for (network, condition), accuracy in best.items()
        if accuracy < _CHANCE
    ]


def _trainings(folder: Path, plan: StudyPlan, results: pd.DataFrame) -> list[Training]:
    """The planned runs in the order of the grid, and those that lie in the folder beside."""
    wanted = product(plan.networks, map(condition_label, plan.conditions), range(1, len(plan.seeds) + 1))
    # A hyphen may be in the name of a network or a condition, so only known networks are found.
    names = [path.name for path in folder.glob("runs/*") if path.is_dir()]
    parted = [re.fullmatch(rf"({'|'.join(NETWORKS)})-(.+)-(\d+)", name) for name in names]
    own = results[(results["placement"] == "middle") & (results["train_condition"] == results["test_condition"])]
    tested = {(row["network"], row["train_condition"], int(row["repeat"])): row for row in own.to_dict("records")}
    keys = {*wanted, *tested, *((found[1], found[2], int(found[3])) for found in parted if found)}
    networks = ordered([network for network, _, _ in keys], NETWORKS)
    conditions = ordered([condition for _, condition, _ in keys], tuple(CONDITIONS))
    failures = Attempts.load(folder).failed
    trainings = []
    for key in sorted(keys, key=lambda key: (networks.index(key[0]), conditions.index(key[1]), key[2])):
        network, condition, repeat = key
        name, row = f"{network}-{condition}-{repeat}", tested.get(key)
        run = folder / "runs" / name
        finished = row is not None or (run / "tests.csv").is_file()
        failure = "" if finished else without_folders(failures.get(name, ""))
        begun = "begun" if run.is_dir() else "not begun"
        planned = plan.seeds[repeat - 1] if repeat <= len(plan.seeds) else ""
        trainings.append(
            Training(
                name,
                network,
                condition,
                repeat,
                seed=str(row["seed"] if row else planned),
                state="finished" if finished else "failed" if failure else begun,
                accuracy=percent(row["accuracy"]) if row else "",
                link=quote(f"runs/{name}/report.html") if (run / "report.html").is_file() else "",
                failure=failure,
            )
        )
    return trainings


def _samples(folder: Path, trainings: Sequence[Training]) -> dict[str, dict[str, Image]]:
    """For each condition a test image of each class, from the first run that holds some."""
    found: dict[str, dict[str, Image]] = {}
    for training in trainings:
        if training.condition in found:
            continue
        run = folder / "runs" / training.name
        places = sorted((run / "samples").glob("*/*.png"), reverse=True)
        firsts = {path.parent.name: path for path in places}
        shown = {name: embedded(run, *path.relative_to(run).parts) for name, path in firsts.items()}
        if images := {name: image for name, image in shown.items() if image is not None}:
            found[training.condition] = dict(sorted(images.items(), key=lambda each: len(each[0])))
    return found


def _curves(folder: Path, trainings: Sequence[Training]) -> dict[tuple[str, str], tuple[Image, str] | None]:
    """Per network and condition the repeats' curves and their ends; None where no run has a history yet."""
    histories: dict[tuple[str, str], dict[str, History]] = {}
    for training in trainings:
        of_cell = histories.setdefault((training.network, training.condition), {})
        path = folder / "runs" / training.name / "history.csv"
        if path.is_file():
            manifest.refuse_changed(path.parent, path.name, "metrics.json")
            of_cell[f"repeat {training.repeat}"] = History.load(path)
    every = [history for of_cell in histories.values() for history in of_cell.values()]
    if not every:
        return {}
    start = axis_start(every)
    # While the study is at work, the page is written now and again.
    at_work = any(each.state != "finished" for each in trainings)
    images: dict[tuple[str, str], tuple[Image, str] | None] = dict.fromkeys(histories)
    for (network, condition), of_cell in histories.items():
        if not of_cell:
            continue
        # All conditions of a network are trained as long, networks not: each has its own axis of epochs.
        alike = [history for key, cell in histories.items() if key[0] == network for history in cell.values()]
        epochs = max(history.epochs[-1].epoch for history in alike)
        figure = repeats_figure(f"{network} on {condition}", of_cell, start=start, epochs=epochs)
        path = folder / "figures" / f"curves-{network}-{condition}.png"
        written = save_figure(figure, path, **({"formats": ("png",)} if at_work else {}))
        manifest.renew(folder, *(f"figures/{one.name}" for one in written))
        ends = [f"{name} {percent(each.epochs[-1].valid_accuracy)} %" for name, each in of_cell.items()]
        if (image := embedded(folder, "figures", path.name)) is not None:
            images[network, condition] = (image, ", ".join(ends))
    return images


def _measured(folder: Path, trainings: Sequence[Training]) -> dict[str, Mapping[str, Any]]:
    """By name, the metrics of the runs that have some, and of which network they are."""
    paths = ((each, folder / "runs" / each.name / "metrics.json") for each in trainings)
    return {each.name: {**read_metrics(path), "network": each.network} for each, path in paths if path.is_file()}


def _settings(record: StudyRecord, measured: Mapping[str, Mapping[str, Any]]) -> dict[str, Rows]:
    """What the plan says, and what the finished runs say of their networks and machines."""
    planned: Rows = [
        (key.replace("_", " "), without_folders(plain(value)), SPLITS.get(str(value), "") if key == "split" else "")
        for key, value in {"source": record.source, **record.plan.stated()}.items()
        if value not in (None, "", [], {})
    ]
    if not measured:
        return {"Plan": planned}
    runs = measured.values()
    networks = [row for metrics in runs for row in reading(metrics["network"], metrics)]
    machine = [row for metrics in runs for row in (("device", metrics["device"], ""), *made_with(metrics))]
    seconds = sum(metrics["seconds"]["train"] for metrics in runs)
    spent = ("training", duration(seconds), f"of {len(measured)} finished runs together")
    return {"Plan": planned, "Networks": _together(networks), "Machine": [*_together(machine), spent]}


def _together(rows: Rows) -> Rows:
    """Rows of several runs, those of one name as one with every value and remark."""
    told: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for name, value, remark in rows:
        values, remarks = told.setdefault(name, ({}, {}))
        values[value] = None
        remarks |= {remark: None} if remark else {}
    return [(name, ", ".join(values), ", ".join(remarks)) for name, (values, remarks) in told.items()]
