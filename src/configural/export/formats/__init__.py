"""The formats that the package brings, each written, read and compared in one file."""

from configural.export.format import FORMATS
from configural.export.formats.coco import Coco
from configural.export.formats.imagefolder import ImageFolder
from configural.export.formats.parquet import Parquet
from configural.export.formats.trials import JsPsych, PsychoPy
from configural.export.formats.webdataset import WebDataset

FORMATS.update(imagefolder=ImageFolder(), coco=Coco(), parquet=Parquet(), webdataset=WebDataset())
FORMATS.update(psychopy=PsychoPy(), jspsych=JsPsych())
FORMATS.seal()
