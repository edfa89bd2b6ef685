"""The page on which parts are dragged: what it shows, and what responds to it.

Names are imported when they are first used, so that the command line stays quick.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # what __init__.pyi lists
