"""Does this classifier use how parts relate? Probes, and observers with known strategies to check them with."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # what __init__.pyi lists
