"""What a run costs in etcd.

A step's parameters stand about three times in the Argo workflow's status (what the driver puts out, what the executor and
the step read). Above 1 MiB Argo compresses the status, by gzip and base64, and above 1 MiB compressed the workflow fails.
Source: argo-workflows 3.7, workflow/packer; the factor from reading kubeflow/pipelines 2.17. An estimate: what steps put
out is taken to be as long as the longest that they read.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import islice
from typing import Any, Final

from ferryman_pipelines.lint import protos
from ferryman_pipelines.lint.pipeline import Dag, Pipeline, Task
from ferryman_pipelines.lint.rule import Places, rule
from ferryman_pipelines.lint.values import texts

COPIES: Final = 3
"""How often a step's parameters stand in the workflow's status."""

NODE: Final = 2 * 1024
"""Bytes that the status holds for a step beside its parameters: its nodes' names, times, pods and messages."""

WARN: Final = 500 * 1024
MOST: Final = 1024 * 1024
"""Argo's own limit for a workflow, and about etcd's for a request."""

ARGUMENT: Final = 100_000
"""Linux hands a program no argument of 128 KiB or more, and all of a step's parameters are one."""

STEPS: Final = 10_000
"""A pipeline that unfolds into more steps is counted as this many; its parameters would have to be tiny."""

SAMPLE: Final = 8 * 1024 * 1024
"""Bytes that are compressed for the estimate, at most: less than a second of work."""

Arguments = Mapping[str, str]
"""Parameter -> its value as JSON, as far as the file tells."""


@rule(
    "long-parameter",
    "warning",
    Pipeline,
    reason="a step's parameters are handed over as one argument of its command, which Linux ends at 128 KiB",
    fix="put the value into a file, an object store or the image, and hand over its place",
)
def long_parameter(pipeline: Pipeline) -> Places:
    """Literal values that no command takes."""
    constants = (constant for task in pipeline.tasks for constant in task.constants())
    for where, _, value in [*pipeline.defaults, *constants]:
        if (size := sum(len(text.encode()) for _, text in texts(where, value))) > ARGUMENT:
            yield where, f"received {size:,} bytes, expected at most {ARGUMENT:,}"


@rule(
    "parameter-bytes",
    "warning",
    Pipeline,
    reason="every step's parameters stand three times in Argo's status, which has to stay below 1 MiB",
    fix="hand over the place of a long value (an artifact, a URI) and not the value itself",
)
def parameter_bytes(pipeline: Pipeline) -> Places:
    """Parameters that fill the status, as they are written."""
    steps = unfolded(pipeline)
    size = sum(len(text) for step in steps for text in step.values())
    if size * COPIES > WARN:
        yield (
            f"{pipeline.where}root",
            f"{len(steps)} steps with {_kib(size)} of parameters x {COPIES} = {_kib(size * COPIES)}",
        )


@rule(
    "argo-status",
    "warning",
    Pipeline,
    reason="Argo keeps a workflow with its status in etcd, 1 MiB at most",
    fix="fewer steps in one run, shorter parameters, or an Argo that offloads the status to a database",
)
def argo_status(pipeline: Pipeline) -> Places:
    """Workflows that come near the limit."""
    size = status_bytes(pipeline)
    if WARN < size <= MOST:
        yield f"{pipeline.where}root", f"the workflow needs about {_kib(size)}, the limit is {_kib(MOST)}"


@rule(
    "argo-status-limit",
    "error",
    Pipeline,
    reason="Argo refuses a workflow whose compressed status is larger than 1 MiB, in the middle of the run",
    fix="hand over the place of a long value (an artifact, a URI) and not the value itself; fewer steps in one run",
)
def argo_status_limit(pipeline: Pipeline) -> Places:
    """Workflows that do not fit."""
    size = status_bytes(pipeline)
    if size > MOST:
        yield f"{pipeline.where}root", f"the workflow needs about {_kib(size)}, the limit is {_kib(MOST)}"


def status_bytes(pipeline: Pipeline) -> int:
    """About how many bytes a workflow has at its end, its status compressed where Argo would."""
    steps = unfolded(pipeline)
    compiled = pipeline.spec.ByteSize()
    plain = compiled + sum(NODE + COPIES * sum(map(len, step.values())) for step in steps)
    if plain <= WARN:
        return int(plain)
    # JSON inside JSON, whole values behind each other: gzip sees no repetition that lies more than 32 KiB back.
    values = [json.dumps(value).encode() for step in steps for value in step.values() for _ in range(COPIES)]
    return int(compiled + NODE // 4 * len(steps) + _packed(values))


def _packed(values: Sequence[bytes]) -> int:
    """Bytes of all values by gzip and base64, those beyond a sample taken to be like the sample."""
    total, sample = sum(map(len, values)), bytearray()
    for value in values:
        sample += value
        if len(sample) > SAMPLE:
            break
    return len(base64.b64encode(gzip.compress(bytes(sample)))) * total // max(len(sample), 1)


def unfolded(pipeline: Pipeline) -> list[Arguments]:
    """The arguments of every step that a run may start, loops over constants unfolded."""
    dags = {dag.name: dag for dag in pipeline.dags}
    root = dags.get("root")
    defaults = _defaults(pipeline.spec.root)
    return list(islice(_steps(root, defaults, dags, 0), STEPS)) if root else []


def _steps(dag: Dag, given: Arguments, dags: Mapping[str, Dag], depth: int) -> Iterator[Arguments]:
    made: dict[str, str] = {}
    for name in _order(dag):
        task = dag.tasks[name]
        arguments = _arguments(task, given, made)
        # What a step puts out is not known; what it read is the best guess at how long it can be.
        made[name] = max(arguments.values(), key=len, default="")
        inner = dags.get(task.spec.component_ref.name)
        for _ in range(_rounds(task)):
            if inner is None:
                yield arguments
            elif depth < len(dags):
                yield from _steps(inner, arguments, dags, depth + 1)


def _order(dag: Dag) -> list[str]:
    try:
        return list(TopologicalSorter(dag.waits).static_order())
    except CycleError:
        return []


def _arguments(task: Task, given: Arguments, made: Arguments) -> Arguments:
    arguments = dict(_defaults(task.component))
    for name, source in task.spec.inputs.parameters.items():
        kind = source.WhichOneof("kind")
        if kind == "runtime_value":
            arguments[name] = json.dumps(protos.plain(source.runtime_value.constant))
        elif kind == "component_input_parameter":
            arguments[name] = given.get(source.component_input_parameter, "")
        elif kind == "task_output_parameter":
            declared = task.component.input_definitions.parameters.get(name)
            arguments[name] = made.get(source.task_output_parameter.producer_task, "") if _is_long(declared) else "0"
    return arguments


def _is_long(definition: Any) -> bool:
    """Whether nothing bounds a parameter's length: texts, lists and mappings."""
    return definition is not None and definition.parameter_type in protos.LONG_TYPES


def _defaults(component: Any) -> Arguments:
    return {
        name: json.dumps(protos.plain(parameter.default_value))
        for name, parameter in component.input_definitions.parameters.items()
        if parameter.HasField("default_value")
    }


def _rounds(task: Task) -> int:
    """How often a task runs, where the file tells."""
    try:
        items = json.loads(task.spec.parameter_iterator.items.raw)
    except ValueError:
        return 1
    return len(items) if isinstance(items, list) else 1


def _kib(size: int) -> str:
    return f"{size / 1024:,.0f} KiB"
