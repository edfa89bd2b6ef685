"""Pages about runs, tests, studies and audits, made from their folders; each is imported when it is written."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # what __init__.pyi lists
