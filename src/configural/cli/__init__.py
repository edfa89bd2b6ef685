"""The command line: reads arguments, calls the jobs, prints what came of them.

What needs torch is imported inside the commands, so that --help answers at once.
"""

from configural.cli.program import app as app
from configural.cli.program import main as main
