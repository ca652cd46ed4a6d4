"""The component `gate`."""

from kfp.dsl import Artifact, Input, Model, Output

from ferryman.steps.component import step


@step("gate")
def gate(
    resolved: str,
    root: str,
    run_id: str,
    job: str,
    model: Input[Model],
    evaluation: Input[Artifact],
    conversion: Input[Artifact],
    check: Input[Artifact],
    verdict: Output[Artifact],
) -> bool:
    """Decide over all the evidence whether the candidate may serve."""
    from ferryman.steps.gate.gate import decide_release

    return decide_release(
        resolved, root, run_id, job, model.path, evaluation.path, conversion.path, check.path, verdict.path
    )
