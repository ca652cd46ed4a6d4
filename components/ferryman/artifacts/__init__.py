"""What steps hand each other: sealed folders, evidence, the resolved run, fragments and the run record."""
