"""The page on which parts are dragged: what it shows, and what answers it."""
