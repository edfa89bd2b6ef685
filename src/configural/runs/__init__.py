"""One training with its test, as a folder."""
