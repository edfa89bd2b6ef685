"""Studies: grids of runs by a plan, each job one run with all its tests."""

from configural.config.study import StudyPlan as StudyPlan
from configural.study.plans import PLAN_PRESETS as PLAN_PRESETS
from configural.study.plans import read_plan as read_plan
from configural.study.results import RESULT_COLUMNS as RESULT_COLUMNS
from configural.study.results import load_results as load_results
