from . import api as api
from . import audit as audit
from . import benchmark as benchmark
from . import config as config
from . import errors as errors
from . import evaluation as evaluation
from . import export as export
from . import models as models
from . import objects as objects
from . import portraits as portraits
from . import progress as progress
from . import replication as replication
from . import report as report
from . import runs as runs
from . import stimuli as stimuli
from . import study as study
from . import training as training
from .api import Run as Run
from .api import evaluate as evaluate
from .api import generate as generate
from .api import load_run as load_run
from .api import run as run
from .api import run_study as run_study
from .api import study_status as study_status
from .api import verify as verify

__version__: str
