"""The component `resolve`."""

from ferryman.steps.component import step


@step("resolve")
def resolve(
    spec: str,
    group: str,
    train_epochs: int,
    train_batch_size: int,
    train_learning_rate: float,
    train_seed: int,
    overrides: str,
    root: str,
    run_id: str,
    job: str,
) -> str:
    """Fix all that a run depends on: the spec with its knobs, the moment, what serves now."""
    from ferryman.steps.resolve.resolve import resolve_run

    return resolve_run(
        spec, group, train_epochs, train_batch_size, train_learning_rate, train_seed, overrides, root, run_id, job
    )
