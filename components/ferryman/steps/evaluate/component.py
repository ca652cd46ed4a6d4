"""The component `evaluate`."""

from kfp.dsl import HTML, Artifact, ClassificationMetrics, Dataset, Input, Metrics, Model, Output

from ferryman.steps.component import step


@step("evaluate")
def evaluate(
    resolved: str,
    root: str,
    run_id: str,
    job: str,
    examples: Input[Dataset],
    model: Input[Model],
    evaluation: Output[Artifact],
    scores: Output[Metrics],
    confusion: Output[ClassificationMetrics],
    report: Output[HTML],
):
    """Judge the candidate on the test split, and the champion on the same rows."""
    from ferryman.steps.evaluate.evaluate import evaluate_model

    evaluate_model(
        resolved, root, run_id, job, examples.path, model.path, evaluation.path, scores, confusion, report.path
    )
