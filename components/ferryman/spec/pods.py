"""What the pods of a cluster's steps may use and where they may run, under the names that Kubernetes has for it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from ferryman.spec.blocks import Block
from ferryman.spec.units import Duration, Memory, written_memory
from ferryman.storage.uri import is_inside

_WORD: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL: Final = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_DOMAIN: Final = rf"{_LABEL}(?:\.{_LABEL})*"


def like(form: str, expected: str, longest: int = 253) -> AfterValidator:
    """A check that text has a form of Kubernetes' own, whose complaint says in words what was `expected`."""

    def check(text: str) -> str:
        if len(text) > longest or not re.fullmatch(form, text):
            raise ValueError(f"received {text!r}, expected {expected}")
        return text

    return AfterValidator(check)


LabelKey = Annotated[
    str,
    like(
        rf"(?:{_DOMAIN}/)?{_WORD}",
        "a label's key: at most 63 letters, digits, '-', '_' and '.', if you like behind a domain and '/'",
        317,
    ),
]
LabelValue = Annotated[
    str,
    like(
        rf"(?:{_WORD})?", "a label's value: at most 63 letters, digits, '-', '_' and '.', a letter or digit at its ends"
    ),
]
AnnotationValue = Annotated[str, Field(max_length=10_000)]
ObjectName = Annotated[str, like(_DOMAIN, "the name of an object: lower-case letters, digits, '-' and '.'")]
Namespace = Annotated[str, like(_LABEL, "the name of a namespace: at most 63 lower-case letters, digits and '-'")]
VariableName = Annotated[str, like(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable, e.g. LAKE_TOKEN")]
SecretKey = Annotated[str, like(r"[-._A-Za-z0-9]+", "a key in the Secret: letters, digits, '-', '_' and '.'")]
Count = Annotated[int, Field(strict=True, ge=1, le=64)]


def parse_cores(value: Any) -> float:
    """Processors of `2`, `0.5`, `500m`; ValueError for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and value.endswith("m") and value[:-1].isdecimal():
        return int(value[:-1]) / 1000
    raise ValueError(f"received {value!r}, expected processors: 2, 0.5 or 500m")


Cores = Annotated[float, Field(ge=0.001, le=1024.0), BeforeValidator(parse_cores)]
"""Processors, written as `2`, `0.5` or `500m`."""


class Cpu(Block):
    """Processors of one step."""

    limit: Cores
    """What it is held to, e.g. `2`."""

    request: Cores | None = None
    """What the scheduler keeps free for it. By default the limit, as in Kubernetes."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.request is not None and self.request > self.limit:
            raise ValueError(
                f"received a request of {self.request:g} above the limit of {self.limit:g} processors; "
                "raise the limit or lower the request"
            )
        return self


class PodMemory(Block):
    """Memory of one step."""

    limit: Memory
    """Beyond it the step is killed, e.g. `4Gi`."""

    request: Memory | None = None
    """What the scheduler keeps free for it, e.g. `2Gi`. By default the limit, as in Kubernetes."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.request is not None and self.request > self.limit:
            raise ValueError(
                f"received a request of {written_memory(self.request)} above the limit of {written_memory(self.limit)}; "
                "raise the limit or lower the request"
            )
        return self


class Gpu(Block):
    """GPUs of one step."""

    count: Count = 1
    """How many. They are not shared, so request and limit are the same."""

    resource: str = Field(default="nvidia.com/gpu", pattern=r"^[A-Za-z0-9][-A-Za-z0-9._/]*$")
    """The resource that the cluster's device plugin offers."""


class Toleration(Block):
    """A taint of nodes that a step may run on all the same."""

    key: LabelKey | None = None
    """The taint's key; null is every taint, with `operator: Exists`."""

    operator: Literal["Equal", "Exists"] = "Equal"
    """`Exists` takes any value."""

    value: LabelValue | None = None
    """The taint's value, for `Equal`."""

    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Null is every effect."""

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.operator == "Exists" and self.value is not None:
            raise ValueError("received a value beside `operator: Exists`, which takes any; leave one of them out")
        if self.key is None and self.operator != "Exists":
            raise ValueError("received no key, expected one, or `operator: Exists` for every taint")
        return self


class Nodes(Block):
    """Nodes that a step may run on."""

    selector: dict[LabelKey, LabelValue] = {}
    """Labels that a node must have."""

    tolerations: list[Toleration] = []
    """Taints that it may have."""


class Spot(Nodes):
    """A pool of nodes that are cheap and may be taken away at any moment; every step of ours can be repeated."""

    retries: Annotated[int, Field(strict=True, ge=1, le=10)] = 3
    """How often a step whose node was taken away starts again; three outlast a bad hour of most pools."""

    backoff: Duration = 30.0
    """Seconds before the first retry, e.g. `30s`; it doubles each time."""

    def longest(self, limit: float, factor: float) -> float:
        """Seconds from the first start to the last end of a step that may take `limit` each time."""
        waits = sum(self.backoff * factor**number for number in range(self.retries))
        return limit * (self.retries + 1) + waits


class PodOptions(Block):
    """What one step's pod may use; what is left out is the step's own default (`DEFAULTS` in cluster.py)."""

    limit: Duration | None = None
    """How long it may take, e.g. `4h`."""

    cpu: Cpu | None = None
    """Processors, e.g. `{request: 1, limit: 2}`."""

    memory: PodMemory | None = None
    """Memory, e.g. `{request: 2Gi, limit: 4Gi}`."""

    gpu: Gpu | None = None
    """GPUs; none by default. Its image is then the one that holds what drives them."""

    nodes: Nodes = Nodes()
    """Nodes that it may run on, beside what the target says for all steps."""

    spot: Spot | None = None
    """Nodes that may be taken away; none by default."""


class Security(Block):
    """As whom a step's container runs."""

    user: Annotated[int, Field(strict=True, ge=1)] = 10001
    """User id, never root. The images have no name for it and need none."""

    group: Annotated[int, Field(strict=True, ge=0)] = 10001
    """Group id; 0 where volumes belong to the root group, as on OpenShift."""


def _mountable(path: str) -> str:
    inside = PurePosixPath(path)
    if not inside.is_absolute() or inside == PurePosixPath("/") or ".." in inside.parts or ":" in path:
        raise ValueError(f"received {path!r}, expected an absolute path without '..' and ':', e.g. /ferryman")
    return str(inside)


MountPath = Annotated[str, AfterValidator(_mountable)]


class SecretUse(Block):
    """A Secret of the namespace, by its name; what it holds never stands in a file of ours."""

    name: ObjectName
    """The Secret's name."""

    env: dict[VariableName, SecretKey] = {}
    """Environment variable -> key in the Secret."""

    mount: MountPath | None = None
    """Folder in the container in which each key is a file."""

    optional: bool = False
    """Whether a step may start without it."""

    @model_validator(mode="after")
    def _is_used_once(self) -> Self:
        if bool(self.env) == bool(self.mount):
            raise ValueError("expected either `env` or `mount`, e.g. env: {AWS_ACCESS_KEY_ID: access-key}")
        return self


class Volume(Block):
    """A PersistentVolumeClaim of the namespace, mounted in every step's pod."""

    claim: ObjectName
    """The claim's name. Steps on several nodes write to it, so its access mode is ReadWriteMany."""

    path: MountPath
    """Where it is mounted, e.g. `/ferryman`."""

    sub_path: str = ""
    """The folder in the volume that is mounted; its root by default."""

    @field_validator("sub_path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        if path and not is_inside(path):
            raise ValueError(f"received {path!r}, expected a relative path without '.' and '..'")
        return path
