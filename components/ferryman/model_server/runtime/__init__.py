"""What answers requests: one loaded version of a model, whatever format it has."""
