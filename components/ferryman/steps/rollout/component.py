"""The component `rollout`."""

from kfp.dsl import Artifact, Input, Model

from ferryman.steps.component import step


@step("rollout")
def rollout(
    resolved: str,
    root: str,
    run_id: str,
    job: str,
    model: Input[Model],
    conversion: Input[Artifact],
    check: Input[Artifact],
    verdict: Input[Artifact],
):
    """Ask for a release and wait for its one terminal state."""
    from ferryman.steps.rollout.rollout import release_model

    release_model(resolved, root, run_id, job, model.path, conversion.path, check.path, verdict.path)
