"""One recipe, one readable loop."""

from configural.config.recipe import Recipe as Recipe
from configural.config.run import recipe as recipe
from configural.training.distributed import check_devices as check_devices
from configural.training.history import Epoch as Epoch
from configural.training.history import History as History
from configural.training.history import read_history as read_history
from configural.training.keras_adam import KerasAdam as KerasAdam
from configural.training.loop import batches as batches
from configural.training.loop import fit as fit
from configural.training.loop import matmul_precision as matmul_precision
from configural.training.loop import open_device as open_device
from configural.training.loop import precision_on as precision_on
from configural.training.tracking import check_tracker as check_tracker
from configural.training.tracking import tracked as tracked
