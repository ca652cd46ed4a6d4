"""Images and what containers may use."""

from __future__ import annotations

import re
from typing import Final

from ferryman_pipelines.lint.container import Quantities, quantity
from ferryman_pipelines.lint.manifest import Manifest
from ferryman_pipelines.lint.pipeline import Pipeline
from ferryman_pipelines.lint.rule import Places, rule
from ferryman_pipelines.lint.values import short

Carrier = Pipeline | Manifest

CHOSEN_LATER: Final = "{{$.inputs."
"""A value that a parameter sets when the run starts."""


@rule(
    "image-digest",
    "warning",
    Pipeline,
    Manifest,
    reason="a tag can name another image tomorrow, and KFP's cache compares the reference's text alone",
    fix="pin it as REPOSITORY@sha256:DIGEST (`ferryman images build --push` writes them)",
)
def image_digest(carrier: Carrier) -> Places:
    """Images by tag, or without even one."""
    for container in carrier.containers:
        if not re.search(r"@sha256:[0-9a-f]{64}$", container.image) and CHOSEN_LATER not in container.image:
            yield f"{container.where}.image", f"received {short(container.image)}"


@rule(
    "pip-at-start",
    "warning",
    Pipeline,
    reason="a step that installs packages when it starts needs an index then, takes longer, and is not what was tested",
    fix="install into the image; @dsl.component(packages_to_install=[], install_kfp_package=False)",
)
def pip_at_start(pipeline: Pipeline) -> Places:
    """Commands that call pip."""
    for container in pipeline.containers:
        for where, text in container.words:
            if found := re.search(r"\bpip3?\s+install\b[^\n]*", text):
                yield where, f"received {short(found[0])}"


@rule(
    "missing-requests",
    "warning",
    Pipeline,
    Manifest,
    reason="without requests a scheduler puts a step on a node that has no room for it, and it is the first to be evicted",
    fix="set_cpu_request and set_memory_request, or limits, which count as requests",
)
def missing_requests(carrier: Carrier) -> Places:
    """Containers that ask for no processor or no memory."""
    for container in carrier.containers:
        missing = [
            name for name in ("cpu", "memory") if not (container.requests.get(name) or container.limits.get(name))
        ]
        if missing:
            yield container.where, f"no request for {' and '.join(missing)}"


@rule(
    "missing-memory-limit",
    "warning",
    Pipeline,
    Manifest,
    reason="a step without a memory limit takes the node with it when it leaks",
    fix="set_memory_limit; a limit for cpu is not asked for, it only slows down",
)
def missing_memory_limit(carrier: Carrier) -> Places:
    """Containers that may use all memory."""
    for container in carrier.containers:
        if not container.limits.get("memory"):
            yield container.where, "no limit for memory"


@rule(
    "missing-timeout",
    "warning",
    Pipeline,
    Manifest,
    reason="a step that hangs holds its node, and the schedule behind it, for ever",
    fix="kubernetes.set_timeout(task, seconds), or PipelineConfig(active_deadline_seconds=...); CronJob: activeDeadlineSeconds",
)
def missing_timeout(carrier: Carrier) -> Places:
    """Containers that nothing ends."""
    for container in carrier.containers:
        if not container.deadline:
            yield container.where, "no timeout"


@rule(
    "impossible-resources",
    "error",
    Pipeline,
    Manifest,
    reason="Kubernetes refuses a pod whose limit is below its request or whose amounts are no positive quantities",
    fix="write amounts such as 500m, 2 or 4Gi, and the limit at least as large as the request",
)
def impossible_resources(carrier: Carrier) -> Places:
    """Amounts that are none, and limits below requests."""
    for container in carrier.containers:
        place = f"{container.where}.resources"
        for field, amounts in (("requests", container.requests), ("limits", container.limits)):
            yield from _no_amounts(f"{place}.{field}", amounts)
        for name in sorted(container.requests.keys() & container.limits.keys()):
            low, high = quantity(container.requests[name]), quantity(container.limits[name])
            if low is not None and high is not None and high < low:
                yield place, f"limit {container.limits[name]} of {name} is below the request {container.requests[name]}"


def _no_amounts(place: str, amounts: Quantities) -> Places:
    for name, text in sorted(amounts.items()):
        amount = quantity(text)
        if "{{" not in text and (amount is None or amount < 0):
            yield f"{place}.{name}", f"received {short(text)}, expected a quantity of 0 or more"
