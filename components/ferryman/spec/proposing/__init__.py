"""A first spec from a data file: what its columns look like, what that means, and a YAML file that says why."""
