"""Portraits painted by a program, with exact part masks."""
