"""Does an image classifier use how parts relate, or only which parts are there and where they sit?

The packages follow the way of the data: `portraits`, `stimuli`, `models`, `training`, `evaluation`, `study`,
`audit`, `report`. They are imported when first used, so that `import configural` is quick.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # what __init__.pyi lists
