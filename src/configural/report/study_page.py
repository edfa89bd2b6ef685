"""One self-contained page about a study, finished or not, read from its folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from configural import __version__
from configural.config.study import StudyPlan, condition_label
from configural.errors import ConfiguralError
from configural.evaluation import axis_start, repeats_figure, save_figure, shade
from configural.io import files
from configural.replication import compare as study_compare
from configural.replication import compare_text
from configural.replication.compare import NETWORKS, Comparison
from configural.replication.findings import Finding, Verdict
from configural.report.parts import CONDITIONS, SPLITS, Image, Rows, embedded, environment
from configural.study.record import Attempts, StudyRecord
from configural.study.results import RESULT_COLUMNS, load_results
from configural.training import History
from configural.wording import duration, percent

_ZOOMS = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Where the axis of the strips may start."""

_WORST = 0.5
"""The fraction of mistakes that is drawn darkest: guessing."""


@dataclass(frozen=True)
class Heat:
    """One cell of the matrix.

    Attributes:
        own: Mean accuracy in percent as text; empty if not measured.
        published: The published one; empty if there is none, with ≈ if it is estimated.
        ground: Colour by the own mean.
        ink: Colour of words on it.
    """

    own: str
    published: str
    ground: str
    ink: str


@dataclass(frozen=True)
class Strip:
    """The repeats of one cell on an axis; positions are percentages of its length.

    Attributes:
        what: Which test, in words.
        text: Own mean and interval in percent.
        dots: Own accuracies, one a repeat.
        bar: First and last position of the own interval; None with fewer than two repeats.
        published: Published accuracies.
    """

    what: str
    text: str
    dots: tuple[float, ...]
    bar: tuple[float, float] | None
    published: tuple[float, ...]


@dataclass(frozen=True)
class Training:
    """One run of the study.

    Attributes:
        name: Of its folder.
        network: Its network.
        condition: What it was trained on.
        repeat: From 1.
        seed: As text; empty if not known.
        state: finished, failed, begun or not begun.
        accuracy: On its own middle images, in percent; empty if not tested yet.
        link: To its page, relative to the study's folder; empty if there is none.
        failure: Why it failed; empty if it did not.
    """

    name: str
    network: str
    condition: str
    repeat: int
    seed: str
    state: str
    accuracy: str
    link: str
    failure: str


def write_study_report(folder: Path) -> Path:
    """Write `report.html`, and the curves in `figures`, into a study's folder.

    Works while the study is at work: what is not finished is shown as missing.

    Args:
        folder: The study's.

    Returns:
        The page's path.

    Raises:
        ConfiguralError: If it is no study's folder, or a file in it is damaged.
        OSError: If the disk is full or not writable.
    """
    results = (
        load_results(folder)
        if (folder / "results.parquet").is_file()
        else pd.DataFrame(columns=list(RESULT_COLUMNS))
    )
    record = StudyRecord.load(folder)
    comparison = study_compare.compare_folder(folder, results)
    trainings = _trainings(folder, record.plan, results)
    networks = study_compare.ordered([training.network for training in trainings], NETWORKS)
    conditions = study_compare.ordered([training.condition for training in trainings], tuple(CONDITIONS))
    finished = sum(training.state == "finished" for training in trainings)
    missing = "not yet" if finished < len(trainings) else "not tested"
    start = _strips_start(results, comparison, networks)
    page = (
        environment()
        .get_template("study.html.j2")
        .render(
            name=folder.resolve().name,
            comparison=comparison,
            text=compare_text,
            verdicts=list(Verdict),
            nearest=_nearest(comparison.findings),
            trainings=trainings,
            finished=finished,
            whole=0 < finished == len(trainings),
            missing=missing,
            networks=networks,
            conditions=conditions,
            remarks=CONDITIONS,
            placements=compare_text.SHOWN_PLACEMENTS,
            matrix=_matrix(comparison, networks, conditions),
            scale=[(f"{100 * (1 - share):g}", *shade(share / _WORST)) for share in (0, 0.1, 0.2, 0.3, 0.4, _WORST)],
            strips={
                network: _strips(results, comparison, network, conditions, start, missing) for network in networks
            },
            ticks=_ticks(start),
            curves=_curves(folder, trainings),
            settings=_settings(folder, record, trainings),
            version=__version__,
        )
    )
    path = folder / "report.html"
    files.write_text(path, page)
    return path


def _trainings(folder: Path, plan: StudyPlan, results: pd.DataFrame) -> list[Training]:
    """The planned runs in the order of the grid, and those that lie in the folder beside."""
    wanted = [
        (network, condition_label(condition), repeat)
        for network in plan.networks
        for condition in plan.conditions
        for repeat in range(1, len(plan.seeds) + 1)
    ]
    there = [_parted(path.name) for path in sorted(folder.glob("runs/*-*-*")) if path.is_dir()]
    own = results[(results["placement"] == "middle") & (results["train_condition"] == results["test_condition"])]
    tested = {(row["network"], row["train_condition"], int(row["repeat"])): row for row in own.to_dict("records")}
    keys = dict.fromkeys([*wanted, *(key for key in there if key), *tested])
    failed = Attempts.load(folder).failed
    return [_training(folder, key, tested.get(key), plan.seeds, failed) for key in sorted(keys, key=_grid_order)]


def _training(
    folder: Path,
    key: tuple[str, str, int],
    row: Mapping[Any, Any] | None,
    seeds: Sequence[object],
    failed: Mapping[str, str],
) -> Training:
    network, condition, repeat = key
    name = f"{network}-{condition}-{repeat}"
    run = folder / "runs" / name
    finished = row is not None or (run / "tests.csv").is_file()
    failure = "" if finished else failed.get(name, "")
    begun = "begun" if run.is_dir() else "not begun"
    seed = row["seed"] if row else seeds[repeat - 1] if repeat <= len(seeds) else ""
    return Training(
        name,
        network,
        condition,
        repeat,
        str(seed),
        "finished" if finished else "failed" if failure else begun,
        percent(row["accuracy"]) if row else "",
        quote(f"runs/{name}/report.html") if (run / "report.html").is_file() else "",
        failure,
    )


def _parted(name: str) -> tuple[str, str, int] | None:
    """Network, condition and repeat of a run folder's name; the network is the only one with a hyphen in it."""
    network = next((known for known in NETWORKS if name.startswith(f"{known}-")), None)
    condition, _, repeat = name.removeprefix(f"{network}-").rpartition("-")
    return (network, condition, int(repeat)) if network and condition and repeat.isdecimal() else None


def _grid_order(key: tuple[str, str, int]) -> tuple[int, str, int, str, int]:
    network, condition, repeat = key
    known = list(CONDITIONS)
    return (
        NETWORKS.index(network) if network in NETWORKS else len(NETWORKS),
        network,
        known.index(condition) if condition in known else len(known),
        condition,
        repeat,
    )


def _nearest(findings: Sequence[Finding]) -> dict[str, str]:
    return {finding.key: compare_text.described(finding.deciding) for finding in findings}


def _matrix(
    comparison: Comparison, networks: Sequence[str], conditions: Sequence[str]
) -> dict[str, dict[str, list[Heat]]]:
    """Per train condition and network a row of cells: test conditions by placements."""
    cells = {tuple(cell[key] for key in study_compare.CELL): cell for cell in comparison.cells.to_dict("records")}
    return {
        train: {
            network: [
                _heat(cells.get((network, train, test, placement)))
                for test in conditions
                for placement in compare_text.SHOWN_PLACEMENTS
            ]
            for network in networks
        }
        for train in conditions
    }


def _heat(cell: Mapping[Any, Any] | None) -> Heat:
    if cell is None:
        return Heat("", "", "", "")
    published = percent(cell["published_accuracy"]) if cell["published_repeats"] else ""
    if cell["published_estimated"]:
        published = f"≈ {published}"
    if not cell["own_repeats"]:
        return Heat("", published, "", "")
    ground, ink = shade(min((1 - cell["own_accuracy"]) / _WORST, 1))
    return Heat(percent(cell["own_accuracy"]), published, ground, ink)


def _strips_start(results: pd.DataFrame, comparison: Comparison, networks: Sequence[str]) -> float:
    own = results[results["placement"].isin(["middle", "shifted"])]["accuracy"]
    published = comparison.published[comparison.published["network"].isin(networks)]["accuracy"]
    lowest = min([*own, *published], default=0.0)
    return max((zoom for zoom in _ZOOMS if zoom < lowest), default=0.0)


def _ticks(start: float) -> list[tuple[str, float]]:
    """Five at even distances: percent as text, and position."""
    return [(f"{100 * start + 25 * part * (1 - start):g}", 25.0 * part) for part in range(5)]


def _strips(
    results: pd.DataFrame,
    comparison: Comparison,
    network: str,
    conditions: Sequence[str],
    start: float,
    missing: str,
) -> list[tuple[str, list[Strip]]]:
    """The cells of a network in three groups: own middle, own shifted, cross tests on middle images."""

    def strip(train: str, test: str, placement: str, what: str) -> Strip:
        key = (network, train, test, placement)
        rows = _of_cell(results, key)
        dots = tuple(_place(value, start) for value in sorted(rows["accuracy"]))
        found = _of_cell(comparison.cells, key).to_dict("records")
        cell = found[0] if found else None
        if not cell or not cell["own_repeats"]:
            return Strip(what, missing, dots, None, _published(comparison, key, start))
        text, bar = percent(cell["own_accuracy"]), None
        if cell["own_repeats"] > 1:
            text += f" ({percent(cell['own_low'])}–{percent(cell['own_high'])})"
            bar = (_place(cell["own_low"], start), _place(cell["own_high"], start))
        return Strip(what, text, dots, bar, _published(comparison, key, start))

    crossed = [(train, test) for train in conditions for test in conditions if train != test]
    return [
        ("Own condition, middle", [strip(name, name, "middle", name) for name in conditions]),
        ("Own condition, shifted", [strip(name, name, "shifted", name) for name in conditions]),
        ("Cross tests, middle", [strip(train, test, "middle", f"{train} → {test}") for train, test in crossed]),
    ]


def _published(comparison: Comparison, key: tuple[str, ...], start: float) -> tuple[float, ...]:
    return tuple(_place(value, start) for value in sorted(_of_cell(comparison.published, key)["accuracy"]))


def _of_cell(frame: pd.DataFrame, key: tuple[str, ...]) -> pd.DataFrame:
    for name, value in zip(study_compare.CELL, key, strict=True):
        frame = frame[frame[name] == value]
    return frame


def _place(accuracy: float, start: float) -> float:
    return round(100 * (accuracy - start) / (1 - start), 2)


def _curves(folder: Path, trainings: Sequence[Training]) -> dict[tuple[str, str], Image | None]:
    """Per network and condition the repeats' curves; None where no run has a history yet."""
    histories: dict[tuple[str, str], dict[str, History]] = {}
    for training in trainings:
        of_cell = histories.setdefault((training.network, training.condition), {})
        path = folder / "runs" / training.name / "history.csv"
        if path.is_file():
            of_cell[f"repeat {training.repeat}"] = History.load(path)
    every = [history for of_cell in histories.values() for history in of_cell.values()]
    if not every:
        return {}
    start = axis_start(every)
    images = {}
    for (network, condition), of_cell in histories.items():
        path = folder / "figures" / f"curves-{network}-{condition}.png"
        if of_cell:
            # All conditions of a network are trained as long, networks not: each has its own axis of epochs.
            epochs = max(
                history.epochs[-1].epoch
                for key, others in histories.items()
                if key[0] == network
                for history in others.values()
            )
            save_figure(repeats_figure(f"{network} on {condition}", of_cell, start=start, epochs=epochs), path)
        images[network, condition] = embedded(path) if of_cell else None
    return images


def _settings(folder: Path, record: StudyRecord, trainings: Sequence[Training]) -> dict[str, Rows]:
    """What the plan says, and what the finished runs say of the machines they ran on."""
    planned: Rows = [
        (key.replace("_", " "), _said(value), SPLITS.get(str(value), "") if key == "split" else "")
        for key, value in {"source": record.source, **record.plan.stated()}.items()
        if value not in (None, "", [], {})
    ]
    machine: dict[str, set[str]] = {"device": set(), "configural": set(), "PyTorch": set()}
    seconds, count = 0.0, 0
    for training in trainings:
        try:
            metrics = json.loads((folder / "runs" / training.name / "metrics.json").read_text("utf-8"))
            seconds += metrics["seconds"]["train"]
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError) as error:
            path = folder / "runs" / training.name / "metrics.json"
            raise ConfiguralError(f"{path}: not the metrics of a run; is the file damaged?") from error
        count += 1
        for name, key in (("device", "device"), ("configural", "configural"), ("PyTorch", "torch")):
            machine[name].add(str(metrics.get(key, "not known")))
    if not count:
        return {"Plan": planned}
    rows = [(name, ", ".join(sorted(values)), "") for name, values in machine.items()]
    rows.append(("training", duration(seconds), f"of {count} finished runs together"))
    return {"Plan": planned, "Machine": rows}


def _said(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {_said(inner)}" for name, inner in value.items())
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else str(value)
