"""Tasks that shall run whatever happened before them."""

from __future__ import annotations

from ferryman_pipelines.lint.pipeline import Dag, Pipeline, Task
from ferryman_pipelines.lint.rule import Places, rule
from ferryman_pipelines.lint.rules.graph import is_optional


@rule(
    "exit-task",
    "error",
    Pipeline,
    reason="an exit task that waits for what a failed step would have made does not run exactly when it is needed",
    fix="give the exit task constants, parameters of the pipeline and PipelineTaskFinalStatus only",
)
def exit_task(pipeline: Pipeline) -> Places:
    """Exit tasks that a failure before them stops."""
    for dag in pipeline.dags:
        for task in dag.tasks.values():
            if task.is_exit:
                yield from _outputs_that_a_failure_leaves_out(dag, task)
                if task.condition:
                    yield task.where, f"it runs only if {task.condition}"
            yield from _status_of_nothing(task)


def _outputs_that_a_failure_leaves_out(dag: Dag, task: Task) -> Places:
    for where, kind, producer, output in task.producers():
        name = where.rpartition(".")[2]
        definitions = getattr(task.component.input_definitions, kind)
        required = name not in definitions or not is_optional(definitions[name])
        if required and not (producer in dag.tasks and dag.tasks[producer].is_exit):
            yield where, f"it needs {output!r} of {producer!r}, which is not there when {producer!r} fails"


def _status_of_nothing(task: Task) -> Places:
    for name, given in sorted(task.spec.inputs.parameters.items()):
        if given.WhichOneof("kind") == "task_final_status" and not (task.is_exit and task.spec.dependent_tasks):
            yield f"{task.where}.inputs.parameters.{name}", "it reads a final status and is no exit task of anything"
