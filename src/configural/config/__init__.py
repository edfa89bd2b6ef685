"""The settings of every job, each stated once: options, arguments, keys and help follow from these models."""

from configural.config.audit import AuditConfig as AuditConfig
from configural.config.recipe import Recipe as Recipe
from configural.config.run import PRESETS as PRESETS
from configural.config.run import RunConfig as RunConfig
from configural.config.run import recipe as recipe
from configural.config.run import run_config as run_config
from configural.config.run import run_fields as run_fields
from configural.config.study import StudyPlan as StudyPlan
