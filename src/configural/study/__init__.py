"""Runs, each one training with its test, and studies, which are grids of runs."""

from configural.study.plan import PLAN_PRESETS as PLAN_PRESETS
from configural.study.plan import StudyPlan as StudyPlan
from configural.study.plan import read_plan as read_plan
from configural.study.results import RESULT_COLUMNS as RESULT_COLUMNS
from configural.study.results import load_results as load_results
from configural.study.run import Run as Run
from configural.study.run import load_run as load_run
from configural.study.run import train_and_test as train_and_test
from configural.study.run import write_test as write_test
from configural.study.settings import RunSettings as RunSettings
from configural.study.settings import resumed_settings as resumed_settings
from configural.study.settings import run_settings as run_settings
