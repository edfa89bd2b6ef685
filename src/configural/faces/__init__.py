"""Portraits from a source become heads: a canvas and four parts each."""

from configural.faces.canvas import fill_parts as fill_parts
from configural.faces.library import PART_KINDS as PART_KINDS
from configural.faces.library import FaceLibrary as FaceLibrary
from configural.faces.library import Head as Head
from configural.faces.library import Part as Part
from configural.faces.sources import load as load
