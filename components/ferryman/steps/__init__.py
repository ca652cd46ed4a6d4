"""The steps of the pipeline; they meet only through artifacts."""
