"""Portraits from a source become exemplars: a canvas and its parts each."""

from configural.portraits.canvas import fill_parts as fill_parts
from configural.portraits.library import Exemplar as Exemplar
from configural.portraits.library import Library as Library
from configural.portraits.library import Part as Part
from configural.portraits.sources import SOURCES as SOURCES
from configural.portraits.sources import load as load
