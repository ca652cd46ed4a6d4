"""What `ferryman check` looks at before anything long runs: one small, independent check after the other."""
