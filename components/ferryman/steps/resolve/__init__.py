"""The step that fixes what a run depends on."""
