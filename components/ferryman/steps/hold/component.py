"""The component `hold`."""

from kfp.dsl import Artifact, Input

from ferryman.steps.component import step


@step("hold")
def hold(resolved: str, root: str, run_id: str, job: str, verdict: Input[Artifact]):
    """Say why the candidate may not serve."""
    from ferryman.steps.hold.hold import hold_release

    hold_release(resolved, root, run_id, job, verdict.path)
