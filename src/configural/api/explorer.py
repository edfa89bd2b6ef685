"""The page on which parts are dragged."""

from configural.explorer import explore as explore

__all__ = ["explore"]
