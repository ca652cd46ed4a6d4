"""The exit handler: one record a run."""
