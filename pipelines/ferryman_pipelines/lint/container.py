"""A container as rules see it, whether a pipeline's step or a pod of Kubernetes starts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Quantities = Mapping[str, str]
"""Amounts by resource (`cpu`, `memory`), as they are written."""


@dataclass(frozen=True)
class Container:
    """What is started, and what it may use."""

    where: str
    image: str
    words: tuple[tuple[str, str], ...]
    """Command and arguments, each with its place."""

    environment: tuple[tuple[str, str, str], ...]
    """Place, name and literal value of each variable."""

    requests: Quantities
    limits: Quantities
    deadline: bool
    """Whether anything ends it after a while."""


def step_container(where: str, message: Any, deadline: bool) -> Container:
    """The container of an executor's `PipelineContainerSpec`."""
    resources = message.resources
    words = [
        (f"{where}.{field}[{n}]", word)
        for field in ("command", "args")
        for n, word in enumerate(getattr(message, field))
    ]
    return Container(
        where=where,
        image=message.image,
        words=tuple(words),
        environment=tuple((f"{where}.env[{n}]", entry.name, entry.value) for n, entry in enumerate(message.env)),
        requests=_named(
            resources.resource_cpu_request or resources.cpu_request,
            resources.resource_memory_request or _gigabytes(resources.memory_request),
        ),
        limits={
            **_named(
                resources.resource_cpu_limit or resources.cpu_limit,
                resources.resource_memory_limit or _gigabytes(resources.memory_limit),
            ),
            **_accelerators(resources.accelerator),
        },
        deadline=deadline,
    )


def pod_containers(where: str, pod: Any, deadline: bool) -> list[Container]:
    """The containers of a pod's `spec`, as far as it has the form of one."""
    found = []
    for field in ("initContainers", "containers"):
        for n, body in enumerate(items(pod, field)):
            found.append(_pod_container(f"{where}.{field}[{n}]", body, deadline))
    return found


def items(node: Any, field: str) -> list[Any]:
    """The mappings in the list `field` of a node of plain data; none where the form is another."""
    value = node.get(field) if isinstance(node, dict) else None
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def under(node: Any, *path: str) -> dict[str, Any]:
    """The mapping at `path` of plain data; an empty one where there is none."""
    for part in path:
        node = node.get(part) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def _pod_container(where: str, body: dict[str, Any], deadline: bool) -> Container:
    words = []
    for field in ("command", "args"):
        listed = body.get(field)
        words += [
            (f"{where}.{field}[{n}]", str(word)) for n, word in enumerate(listed if isinstance(listed, list) else [])
        ]
    return Container(
        where=where,
        image=str(body.get("image", "")),
        words=tuple(words),
        environment=tuple(
            (f"{where}.env[{n}]", str(entry.get("name", "")), str(entry["value"]))
            for n, entry in enumerate(items(body, "env"))
            if entry.get("value") is not None
        ),
        requests={name: str(amount) for name, amount in under(body, "resources", "requests").items()},
        limits={name: str(amount) for name, amount in under(body, "resources", "limits").items()},
        deadline=deadline,
    )


def _named(cpu: Any, memory: Any) -> dict[str, str]:
    return {name: str(amount) for name, amount in (("cpu", cpu), ("memory", memory)) if amount}


def _gigabytes(amount: float) -> str:
    """The older field of the IR counts gigabytes."""
    return f"{amount:g}G" if amount else ""


def _accelerators(message: Any) -> dict[str, str]:
    kind = message.resource_type or message.type
    count = message.resource_count or (str(message.count) if kind or message.count else "")
    return {kind or "accelerator": count} if kind or count else {}


SUFFIXES: Final = {
    **{suffix: 10.0**power for suffix, power in (("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6))},
    **{suffix: 10.0**power for suffix, power in (("K", 3), ("G", 9), ("T", 12), ("P", 15), ("E", 18))},
    **{
        suffix: 2.0**power for suffix, power in (("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60))
    },
}
"""What stands behind a Kubernetes quantity. `K` is KFP's own; Kubernetes writes `k`."""


def quantity(text: str) -> float | None:
    """The number that a Kubernetes quantity such as `500m` or `4Gi` stands for; None when it is none."""
    number = text.rstrip("numkKMGTPEi")
    try:
        return float(number) * SUFFIXES[text[len(number) :]]
    except (KeyError, ValueError):
        return None
