"""The live view of a run: what its folder says, drawn again and again; only read, never asked."""
