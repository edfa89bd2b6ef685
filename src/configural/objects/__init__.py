"""What an object consists of: its part kinds, which of them are interchangeable, and its classes."""

from configural.objects.scheme import FACE as FACE
from configural.objects.scheme import HOUSE as HOUSE
from configural.objects.scheme import OBJECTS as OBJECTS
from configural.objects.scheme import ObjectScheme as ObjectScheme
from configural.objects.scheme import object_scheme as object_scheme
