"""A user's own package, as its author would write it."""
