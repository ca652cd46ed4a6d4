"""The component `serving_check`."""

from kfp.dsl import Artifact, Input, Model, Output

from ferryman.steps.component import step


@step("serving_check")
def serving_check(resolved: str, root: str, run_id: str, job: str, model: Input[Model], check: Output[Artifact]):
    """Ask a real server for the golden set's answers, over gRPC and REST."""
    from ferryman.steps.serving_check.check import check_serving

    check_serving(resolved, root, run_id, job, model.path, check.path)
