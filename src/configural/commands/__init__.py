"""The whole jobs, composed of the packages: what a command does, and what Python users call."""

from configural.commands.audits import Audit as Audit
from configural.commands.audits import AuditComparison as AuditComparison
from configural.commands.audits import audit as audit
from configural.commands.audits import compare_audits as compare_audits
from configural.commands.benchmarks import bench as bench
from configural.commands.comparisons import compare as compare
from configural.commands.comparisons import comparison_text as comparison_text
from configural.commands.datasets import generate as generate
from configural.commands.datasets import verify as verify
from configural.commands.portraits import fetch as fetch
from configural.commands.portraits import source as source
from configural.commands.runs import Evaluation as Evaluation
from configural.commands.runs import Run as Run
from configural.commands.runs import dated_folder as dated_folder
from configural.commands.runs import evaluate as evaluate
from configural.commands.runs import load_run as load_run
from configural.commands.runs import run as run
from configural.commands.studies import Outlook as Outlook
from configural.commands.studies import Study as Study
from configural.commands.studies import plan_study as plan_study
from configural.commands.studies import run_study as run_study
from configural.commands.studies import study_status as study_status
