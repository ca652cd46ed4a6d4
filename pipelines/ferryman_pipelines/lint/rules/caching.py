"""KFP's cache, where a step that is skipped is a step that was needed."""

from __future__ import annotations

from ferryman_pipelines.lint.pipeline import VOLUME_IMAGES, Pipeline, Task
from ferryman_pipelines.lint.rule import Places, rule


@rule(
    "cached-side-effect",
    "warning",
    Pipeline,
    reason="a cached step does not run again; one that only does something (rolls out, tells, deletes) is then skipped silently",
    fix="task.set_caching_options(False), or compile with KFP_DISABLE_EXECUTION_CACHING_BY_DEFAULT=1",
)
def cached_side_effect(pipeline: Pipeline) -> Places:
    """Cached steps whose outputs cannot stand for what they do."""
    for task in pipeline.tasks:
        effect = _effect(task)
        if task.spec.caching_options.enable_cache and effect:
            yield f"{task.where}.cachingOptions.enableCache", effect


def _effect(task: Task) -> str:
    """Why running the task again is not the same as its outputs; empty where it may be."""
    if task.executor.WhichOneof("spec") != "container":
        return ""
    if task.executor.container.image in VOLUME_IMAGES:
        return "it makes or deletes a volume"
    outputs = task.component.output_definitions
    if not outputs.parameters and not outputs.artifacts:
        return "it has no outputs: all that it does is a side effect"
    return "it runs at the end of the run, also after a failure" if task.is_exit else ""
