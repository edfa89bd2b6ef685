"""Imported before much else, has Python look for garbage rarely.

What is imported stays: to look through it again and again takes half a second for a command, one for a server.
"""

import gc

gc.set_threshold(50_000, 20)
