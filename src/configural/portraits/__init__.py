"""Portraits from a source become exemplars: a canvas and four parts each."""

from configural.portraits.canvas import fill_parts as fill_parts
from configural.portraits.library import PART_KINDS as PART_KINDS
from configural.portraits.library import Exemplar as Exemplar
from configural.portraits.library import Library as Library
from configural.portraits.library import Part as Part
from configural.portraits.sources import load as load
