"""Networks by name, their weights in and out, what they see, and anybody's model as a classifier.

Names are imported when they are first used, so that what does without torch stays quick.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # what __init__.pyi lists
