"""The published results, the study's findings, and a study set against both."""
