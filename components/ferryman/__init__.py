"""Ferryman carries a machine-learning model from raw data to a served model, and checks every hand-over with numbers."""
