"""The pipelines of Ferryman: DAGs, compiling, running, the command line."""
