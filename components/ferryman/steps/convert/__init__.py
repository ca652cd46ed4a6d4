"""The step that converts the model and measures the conversion."""
