"""KFP's placeholders: `{{$...}}` in a compiled file stands for a value, if somebody replaces it.

Source: backend/src/v2/driver/resolve.go and backend/src/v2/component/launcher_v2.go of kubeflow/pipelines 2.17: the driver
replaces `{{$.pipeline_...}}` where it is the whole of a constant, and inputs; the launcher inputs, outputs and `{{$}}` in
a command. Nobody looks into defaults and environment variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from ferryman_pipelines.lint.pipeline import Pipeline
from ferryman_pipelines.lint.rule import Places, rule
from ferryman_pipelines.lint.values import short, texts

LOST: Final = re.compile(r"\{\{(channel:task|pipelineparam:op)=")
"""What the SDK writes for a value of the pipeline and replaces while it compiles, where it does not forget to."""

PLACEHOLDER: Final = re.compile(r"\{\{\$[^}]*\}\}")
INPUT: Final = re.compile(r"\{\{\$\.inputs\.(parameters|artifacts)\[.*")
EXECUTOR: Final = re.compile(r"\{\{\$(\.(inputs|outputs)\..*)?\}\}")
WHOLE: Final = frozenset(
    f"{{{{$.pipeline_{name}}}}}" for name in ("job_name", "job_resource_name", "job_uuid", "task_name", "task_uuid")
) | {"{{$.pipeline_job_create_time_utc}}", "{{$.pipeline_job_schedule_time_utc}}"}
WORKSPACE: Final = "{{$.workspace_path}}"


@rule(
    "lost-placeholder",
    "error",
    Pipeline,
    reason="KFP's compiler left its own mark for a value in the file; the step gets the mark as text",
    fix="hand the value to the step as an argument; environment variables and resources take constants only",
)
def lost_placeholder(pipeline: Pipeline) -> Places:
    """`{{channel:task=...}}`, which only the compiler understands."""
    for where, text in _all_texts(pipeline):
        if found := LOST.search(text):
            yield where, f"received {short(text[found.start() :])}"


@rule(
    "joined-placeholder",
    "error",
    Pipeline,
    reason="KFP's driver replaces a run's or task's name only where it is the whole argument; joined to text it stays",
    fix="hand the placeholder over as an argument of its own and join the text inside the step",
)
def joined_placeholder(pipeline: Pipeline) -> Places:
    """`{{$.pipeline_job_uuid}}` and its kin inside a longer string."""
    # Vertex AI replaces them anywhere.
    for where, text in _constants(pipeline) if not pipeline.for_vertex else []:
        for found in PLACEHOLDER.findall(text):
            if found in WHOLE and found != text:
                yield where, f"{found} stands inside {short(text)}"


@rule(
    "unknown-placeholder",
    "warning",
    Pipeline,
    reason="what looks like a placeholder and is replaced by nobody reaches the step as text, and kfp.local stops at it",
    fix="take it out, hand it over as an argument, or write `{{` otherwise (in JSON: {\\u007b)",
)
def unknown_placeholder(pipeline: Pipeline) -> Places:
    """`{{$` where nobody replaces it; of what Vertex AI replaces there is no list."""
    if pipeline.for_vertex:
        return
    for where, text in _constants(pipeline):
        # A joined one has a rule of its own.
        yield from _strange(where, text, lambda found: found in WHOLE or found == WORKSPACE or INPUT.match(found))
    for container in pipeline.containers:
        for where, text in container.words:
            yield from _strange(where, text, EXECUTOR.fullmatch)
        for where, _, text in container.environment:
            yield from _strange(where, text, lambda found: False)
    for where, text in _defaults(pipeline):
        yield from _strange(where, text, lambda found: False)


def _strange(where: str, text: str, known: Any) -> Places:
    marks = PLACEHOLDER.findall(text) or (["{{$"] if "{{$" in text else [])
    for found in dict.fromkeys(mark for mark in marks if not known(mark)):
        yield where, f"received {short(found)}, which nobody replaces here"


@rule(
    "python3-in-value",
    "warning",
    Pipeline,
    reason="kfp.local's own subprocess runner replaces the text `python3` in values by the path of an interpreter",
    fix="write it otherwise (py3, python 3), or run it by `ferryman run`, which does not",
)
def python3_in_value(pipeline: Pipeline) -> Places:
    """The text `python3` in the pipeline's name and in literal values."""
    named = (f"{pipeline.where}pipelineInfo.name", str(pipeline.spec.pipeline_info.name))
    for where, text in [named, *_constants(pipeline), *_defaults(pipeline)]:
        if "python3" in text:
            yield where, f"received {short(text)}"


def _constants(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """Place and text of all strings in literal arguments."""
    return (found for task in pipeline.tasks for where, _, value in task.constants() for found in texts(where, value))


def _defaults(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """Place and text of all strings in defaults."""
    return (found for where, _, value in pipeline.defaults for found in texts(where, value))


def _all_texts(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """Every string of the file that a pipeline's value may stand in."""
    yield from _constants(pipeline)
    yield from _defaults(pipeline)
    for task in pipeline.tasks:
        yield f"{task.where}.triggerPolicy.condition", task.condition
    for container in pipeline.containers:
        yield f"{container.where}.image", container.image
        yield from container.words
        yield from ((where, text) for where, _, text in container.environment)
        for kind, amounts in (("requests", container.requests), ("limits", container.limits)):
            yield from ((f"{container.where}.resources.{kind}.{name}", text) for name, text in amounts.items())
