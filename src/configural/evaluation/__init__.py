"""Predictions as a table; scores and figures from the table."""

from configural.evaluation.figures import accuracy_figure as accuracy_figure
from configural.evaluation.figures import axis_start as axis_start
from configural.evaluation.figures import confusion_matrix_figure as confusion_matrix_figure
from configural.evaluation.figures import loss_figure as loss_figure
from configural.evaluation.figures import repeats_figure as repeats_figure
from configural.evaluation.figures import save_figure as save_figure
from configural.evaluation.figures import shade as shade
from configural.evaluation.predictions import Metrics as Metrics
from configural.evaluation.predictions import Predictions as Predictions
from configural.evaluation.predictions import predict as predict
