"""The component `train`."""

from kfp.dsl import Dataset, Input, Metrics, Model, Output

from ferryman.steps.component import step


@step("train")
def train(
    resolved: str,
    root: str,
    run_id: str,
    job: str,
    examples: Input[Dataset],
    model: Output[Model],
    training: Output[Metrics],
):
    """Fit the features on the train split, train the model, export it with its golden set."""
    from ferryman.steps.train.train import train_model

    train_model(resolved, root, run_id, job, examples.path, model.path, training)
