"""Runs, each one training with its test, and what a folder of them holds."""

from configural.study.run import Run as Run
from configural.study.run import load_run as load_run
from configural.study.run import train_and_test as train_and_test
from configural.study.run import write_test as write_test
from configural.study.settings import RunSettings as RunSettings
from configural.study.settings import resumed_settings as resumed_settings
from configural.study.settings import run_settings as run_settings
