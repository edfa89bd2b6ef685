"""A condition and a seed become a table of stimuli; a renderer turns its rows into images and masks."""

import lazy_loader

# What __init__.pyi lists, when it is first used, for those who only draw can do without PyTorch.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
