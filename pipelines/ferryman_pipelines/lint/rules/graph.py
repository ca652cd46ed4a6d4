"""The reference graph: everything that is named exists, and tasks run after what they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from ferryman_pipelines.lint import protos
from ferryman_pipelines.lint.pipeline import Dag, Pipeline, Task
from ferryman_pipelines.lint.rule import Places, rule
from ferryman_pipelines.lint.values import texts


@rule(
    "unknown-component",
    "error",
    Pipeline,
    reason="a task that runs a component which is not in the file stops the whole run",
    fix="compile the pipeline again; by hand, name a key of `components`",
)
def unknown_component(pipeline: Pipeline) -> Places:
    """Tasks whose component is not there."""
    for task in pipeline.tasks:
        name = task.spec.component_ref.name
        if name not in pipeline.spec.components:
            yield f"{task.where}.componentRef.name", f"there is no component {name!r}"


@rule(
    "unknown-executor",
    "error",
    Pipeline,
    reason="a component whose executor is not in the file has nothing to run",
    fix="compile the pipeline again; by hand, name a key of `deploymentSpec.executors`",
)
def unknown_executor(pipeline: Pipeline) -> Places:
    """Components without anything to run."""
    for name, component in sorted(pipeline.spec.components.items()):
        place = f"{pipeline.where}components.{name}"
        if component.WhichOneof("implementation") is None:
            yield place, "it has neither `executorLabel` nor `dag`"
        elif component.executor_label and component.executor_label not in pipeline.deployment.executors:
            yield f"{place}.executorLabel", f"there is no executor {component.executor_label!r}"


@rule(
    "unknown-producer",
    "error",
    Pipeline,
    reason="an input that comes from a task or output which is not in the same DAG never arrives",
    fix="take the output of a task of the same DAG; from inside an If or a loop use dsl.OneOf or dsl.Collected",
)
def unknown_producer(pipeline: Pipeline) -> Places:
    """Arguments and outputs of DAGs that nobody makes."""
    for dag in pipeline.dags:
        made = [made for task in dag.tasks.values() for made in task.producers()]
        for where, kind, producer, output in [*made, *_outputs(dag)]:
            if producer not in dag.tasks:
                yield where, f"there is no task {producer!r} in this DAG"
            elif dag.tasks[producer].is_known and output not in getattr(
                dag.tasks[producer].component.output_definitions, kind
            ):
                yield where, f"the task {producer!r} has no output {output!r}"


def _outputs(dag: Dag) -> Iterator[tuple[str, str, str, str]]:
    """Place, kind, task and output of everything that a DAG gives out."""
    place = f"{dag.where}.dag.outputs"
    for name, output in sorted(dag.component.dag.outputs.parameters.items()):
        single = output.WhichOneof("kind") == "value_from_parameter"
        for chosen in [output.value_from_parameter] if single else output.value_from_oneof.parameter_selectors:
            yield f"{place}.parameters.{name}", "parameters", chosen.producer_subtask, chosen.output_parameter_key
    for name, output in sorted(dag.component.dag.outputs.artifacts.items()):
        for chosen in output.artifact_selectors:
            yield f"{place}.artifacts.{name}", "artifacts", chosen.producer_subtask, chosen.output_artifact_key


@rule(
    "unknown-input",
    "error",
    Pipeline,
    reason="KFP's compiler does not hand every parameter down into an If, a loop or an exit handler (resources above all)",
    fix="use a constant there, or hand the parameter to a step inside as an argument",
)
def unknown_input(pipeline: Pipeline) -> Places:
    """Arguments and platform settings that read an input which their DAG does not have."""
    for dag in pipeline.dags:
        inputs = dag.component.input_definitions
        for task in dag.tasks.values():
            for where, kind, name in [*_reads(task), *_set_by(task, pipeline)]:
                if name not in getattr(inputs, kind):
                    yield where, f"it reads {name!r}, which {dag.name} does not declare"


def _reads(task: Task) -> Iterator[tuple[str, str, str]]:
    """Place, kind and name of everything that a task reads from its DAG's inputs."""
    for kind, given in (("parameters", task.spec.inputs.parameters), ("artifacts", task.spec.inputs.artifacts)):
        for name, source in sorted(given.items()):
            read = source.component_input_parameter if kind == "parameters" else source.component_input_artifact
            if read:
                yield f"{task.where}.inputs.{kind}.{name}", kind, read


def _set_by(task: Task, pipeline: Pipeline) -> Iterator[tuple[str, str, str]]:
    """Place, kind and name of everything that a task's platform settings read from its DAG's inputs."""
    executor = task.component.executor_label
    if executor in pipeline.settings:
        place = f"{pipeline.platform_where}platforms.kubernetes.deploymentSpec.executors.{executor}"
        for where, text in texts(place, protos.plain(pipeline.settings[executor])):
            if where.endswith(".componentInputParameter"):
                yield where, "parameters", text


@rule(
    "missing-input",
    "error",
    Pipeline,
    reason="a task without a required input fails when it starts, perhaps after hours",
    fix="hand the input over, or give it a default in the component",
)
def missing_input(pipeline: Pipeline) -> Places:
    """Required inputs that a task does not get."""
    for task in pipeline.tasks:
        for kind in ("parameters", "artifacts"):
            given, iterated = getattr(task.spec.inputs, kind), _iterated(task)
            for name, wanted in sorted(getattr(task.component.input_definitions, kind).items()):
                if not is_optional(wanted) and name not in given and name not in iterated:
                    yield f"{task.where}.inputs.{kind}", f"the required input {name!r} is not given"


def is_optional(definition: Any) -> bool:
    """Whether an input may be left out: older compilers write a default and no `isOptional`."""
    return bool(
        definition.is_optional
        or ("default_value" in definition.DESCRIPTOR.fields_by_name and definition.HasField("default_value"))
    )


def _iterated(task: Task) -> tuple[str, str]:
    """The inputs that a loop gives to each of its rounds."""
    return task.spec.parameter_iterator.item_input, task.spec.artifact_iterator.item_input


@rule(
    "unknown-dependency",
    "error",
    Pipeline,
    reason="a task that waits for one which is not in its DAG makes Argo refuse the workflow",
    fix="name a task of the same DAG in `dependentTasks`",
)
def unknown_dependency(pipeline: Pipeline) -> Places:
    """`dependentTasks` that are not there."""
    for dag in pipeline.dags:
        for task in dag.tasks.values():
            for number, name in enumerate(task.spec.dependent_tasks):
                if name not in dag.tasks:
                    yield f"{task.where}.dependentTasks[{number}]", f"there is no task {name!r} in this DAG"


@rule(
    "missing-dependency",
    "warning",
    Pipeline,
    reason="kfp.local orders tasks by `dependentTasks` alone (the backend also by inputs), and may run a reader first",
    fix="add the producing task to `dependentTasks`; KFP's compiler does, but for resources that an output sets",
)
def missing_dependency(pipeline: Pipeline) -> Places:
    """Tasks that read an output and do not wait for it."""
    for task in pipeline.tasks:
        for where, _, producer, output in task.producers():
            if producer not in task.spec.dependent_tasks:
                yield where, f"it reads {output!r} of {producer!r}, and `dependentTasks` does not name it"


@rule(
    "cycle",
    "error",
    Pipeline,
    reason="tasks that wait for each other, and components that contain themselves, never end",
    fix="take one of the dependencies out",
)
def cycle(pipeline: Pipeline) -> Places:
    """Circles among tasks and among components."""
    for dag in pipeline.dags:
        if circle := _circle(dag.waits):
            yield f"{dag.where}.dag.tasks", f"they wait for each other: {' <- '.join(circle)}"
    holds = {dag.name: {task.spec.component_ref.name for task in dag.tasks.values()} for dag in pipeline.dags}
    if circle := _circle(holds):
        yield f"{pipeline.where}components", f"they contain each other: {' <- '.join(circle)}"


def _circle(edges: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(map(str, error.args[1]))
    return []
