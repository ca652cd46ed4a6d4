"""The step that says why nothing is released."""
