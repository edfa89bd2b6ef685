"""Whole files, locks, images in and out, YAML checked against models."""
