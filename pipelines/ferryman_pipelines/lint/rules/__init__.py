"""The rules, one file a concept."""
