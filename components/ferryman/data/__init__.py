"""Raw data as typed rows: reading, labels, splits, statistics, and the examples that steps hand each other."""
