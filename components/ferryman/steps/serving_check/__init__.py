"""The step that asks a real server for the golden answers."""
