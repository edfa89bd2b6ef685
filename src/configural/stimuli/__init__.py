"""A condition and a seed become a table of stimuli; a renderer turns its rows into images and masks.

Names are imported when they are first used, for those who only draw can do without PyTorch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # what __init__.pyi lists
