"""Training and testing one network."""

from configural import runs
from configural.api.pages import with_page
from configural.runs import Run as Run
from configural.runs import dated_folder as dated_folder
from configural.runs import load_run as load_run

run = with_page(runs.run, write_page="write_run_report")
evaluate = with_page(runs.evaluate, write_page="write_evaluation_report")
