"""The step that asks for a release and waits for its end."""
