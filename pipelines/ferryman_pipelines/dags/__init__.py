"""One file a DAG."""
