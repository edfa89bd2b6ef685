"""One training with its test, as a folder, and tests of what was trained."""

from configural.runs.run import Run as Run
from configural.runs.run import dated_folder as dated_folder
from configural.runs.run import load_run as load_run
from configural.runs.run import run as run
from configural.runs.run import train_and_test as train_and_test
from configural.runs.run import write_test as write_test
from configural.runs.testing import Evaluation as Evaluation
from configural.runs.testing import evaluate as evaluate
