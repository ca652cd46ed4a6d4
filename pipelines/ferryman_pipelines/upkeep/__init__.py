"""Keeping local state small, and saying what is wrong with it and with the machine."""
