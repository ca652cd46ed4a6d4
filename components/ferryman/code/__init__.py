"""The user's own package: how its classes are named in a spec, imported, and blamed by file and line."""
