"""Runs, each one training with its test, and studies, which are grids of runs."""

from configural.config.run import RunConfig as RunConfig
from configural.config.run import resumed_config as resumed_config
from configural.config.run import run_config as run_config
from configural.config.study import StudyPlan as StudyPlan
from configural.runs.run import Run as Run
from configural.runs.run import load_run as load_run
from configural.runs.run import train_and_test as train_and_test
from configural.runs.run import write_test as write_test
from configural.study.plans import PLAN_PRESETS as PLAN_PRESETS
from configural.study.plans import read_plan as read_plan
from configural.study.results import RESULT_COLUMNS as RESULT_COLUMNS
from configural.study.results import load_results as load_results
