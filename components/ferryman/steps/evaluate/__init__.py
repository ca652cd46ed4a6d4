"""The step that judges the model, and the champion on the same rows."""
