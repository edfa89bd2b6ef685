"""The settings of every job, each stated once."""
