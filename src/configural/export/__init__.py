"""Every dataset format, written, read back and verified."""
