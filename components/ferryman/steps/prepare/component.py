"""The component `prepare`."""

from kfp.dsl import Dataset, Output

from ferryman.steps.component import step


@step("prepare")
def prepare(resolved: str, root: str, run_id: str, job: str, examples: Output[Dataset]):
    """Read, check and split the raw rows."""
    from ferryman.steps.prepare.prepare import prepare_examples

    prepare_examples(resolved, root, run_id, job, examples.path)
