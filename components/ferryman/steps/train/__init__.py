"""The step that turns examples into a model."""
