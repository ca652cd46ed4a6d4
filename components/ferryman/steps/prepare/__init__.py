"""The step that turns raw rows into examples."""
