"""The step that decides."""
