"""The golden set, and comparing answers with the recorded ones."""
