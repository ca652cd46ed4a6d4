"""The component `record`: the exit handler."""

from kfp import dsl

from ferryman.steps.component import step


@step("record")
def record(root: str, run_id: str, job: str, status: dsl.PipelineTaskFinalStatus):
    """Write the one record of the run, whatever became of it."""
    from ferryman.steps.record.record import write_record

    write_record(root, run_id, job, status.state)
