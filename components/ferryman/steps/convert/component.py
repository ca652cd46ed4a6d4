"""The component `convert`."""

from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output

from ferryman.steps.component import step


@step("convert")
def convert(
    resolved: str,
    root: str,
    run_id: str,
    job: str,
    examples: Input[Dataset],
    model: Input[Model],
    conversion: Output[Artifact],
    sizes: Output[Metrics],
):
    """Convert the model to TFLite and measure whether it still gives the same answers."""
    from ferryman.steps.convert.convert import convert_model

    convert_model(resolved, root, run_id, job, examples.path, model.path, conversion.path, sizes)
