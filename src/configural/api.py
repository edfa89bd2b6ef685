"""The whole jobs, each joined with its page: what a command does, and what Python users call."""

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from configural import audit as audits
from configural import benchmark, report, runs
from configural.audit import compare_audits as compare_audits
from configural.benchmark import Benchmark
from configural.export import generate as generate
from configural.export import verify as verify
from configural.io import files
from configural.portraits import Library, load
from configural.portraits.fetch import fetch_portraits
from configural.portraits.inspecting import inspect as inspect
from configural.replication.tables import compare as compare
from configural.replication.tables import comparison_text as comparison_text
from configural.runs import Run as Run
from configural.runs import dated_folder as dated_folder
from configural.runs import load_run as load_run
from configural.study.running import plan_study as plan_study
from configural.study.running import run_study as _run_study
from configural.study.status import study_status as study_status

fetch = fetch_portraits
P = ParamSpec("P")
T = TypeVar("T")


def _with_page(job: Callable[P, T], **pages: Callable[..., object]) -> Callable[P, T]:
    """The job with its page, under the job's own name, signature and description."""
    return wraps(job)(partial(job, **pages))  # type: ignore[arg-type]


run = _with_page(runs.run, write_page=report.write_run_report)
evaluate = _with_page(runs.evaluate, write_page=report.write_evaluation_report)
audit = _with_page(audits.audit_saved, write_page=report.write_audit_report)
run_study = _with_page(_run_study, write_run_page=report.write_run_report, write_page=report.write_study_report)


def bench(
    source: str | Library = "synthetic:8",
    network: str = "cnn-15",
    *,
    image_size: int = 224,
    device: str = "auto",
    seconds: float = 8.0,
    json: Path | str | None = None,
) -> Benchmark:
    """Measure drawing, training and start-up (see `benchmark.measure`), and write the figures to a file as JSON."""
    done = benchmark.measure(load(source), network, image_size=image_size, device=device, seconds=seconds)
    if json is not None:
        files.write_text(Path(json), done.as_json())
    return done
