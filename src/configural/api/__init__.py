"""The whole jobs, each joined with its page: what a command does, and what Python users call.

Each is imported when it is first used, since one job needs little of what another needs.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # what __init__.pyi lists
