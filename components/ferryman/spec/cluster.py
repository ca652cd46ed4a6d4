"""A cluster with Kubeflow Pipelines as a target: where its runs and inputs lie, and what its steps may use.

prod:
  kind: kubeflow
  volumes: [{claim: ferryman, path: /ferryman}]
  run_root: /ferryman/runs
  inputs: gs://prod-ferryman/inputs
  group: /ferryman/groups/shop
  steps: {train: {gpu: {count: 1}, memory: {limit: 16Gi}}}
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from ferryman.spec.blocks import Block
from ferryman.spec.pods import (
    AnnotationValue,
    Cpu,
    Gpu,
    LabelKey,
    LabelValue,
    Namespace,
    Nodes,
    ObjectName,
    PodMemory,
    PodOptions,
    SecretUse,
    Security,
    Spot,
    Toleration,
    Volume,
)
from ferryman.spec.step_names import StepName
from ferryman.spec.units import Duration
from ferryman.storage.uri import local_path, scheme_of

PlaceUri = Annotated[str, Field(pattern=r"^(?:/[^\x00-\x1f]*|[a-z][a-z0-9+.-]*://[^@\s]*)[^@\s/]$")]
"""An absolute path or a URI, without credentials in it."""


def api_address(address: str) -> str:
    """`address` when it is one of an HTTP server; ValueError for anything else, and for one with a password in it."""
    parts = urlsplit(address)
    if "@" in parts.netloc:
        raise ValueError(
            "received an address with a user or password in it, expected one without: files are read by many"
        )
    plain = not (parts.query or parts.fragment or re.search(r"\s", address))
    if parts.scheme not in ("http", "https") or not parts.netloc or not plain:
        raise ValueError(f"received {address!r}, expected http:// or https://, e.g. https://kfp.example.com")
    return address


class LintOptions(Block):
    """How compiled files are judged."""

    waive: dict[str, Annotated[str, Field(min_length=10)]] = {}
    """Rule -> reason why it does not hold here, for the one who asks in a year; `ferryman lint --rules` lists them."""


@dataclass(frozen=True)
class Resources:
    """What a step takes unless the target says otherwise: seconds, processors, bytes."""

    limit: float
    cpu: Cpu
    memory: PodMemory


def _resources(limit: float, request: float, cpu: float, least: str, most: str) -> Resources:
    memory = PodMemory.model_validate({"request": least, "limit": most})
    return Resources(limit, Cpu(request=request, limit=cpu), memory)


_DECIDES: Final = _resources(1800.0, 0.1, 1.0, "128Mi", "512Mi")
_WAITS: Final = _resources(6 * 3600.0, 0.1, 1.0, "128Mi", "512Mi")

DEFAULTS: Final[dict[StepName, Resources]] = {
    "resolve": _DECIDES,
    "prepare": _resources(2 * 3600.0, 0.5, 2.0, "1Gi", "2Gi"),
    "train": _resources(6 * 3600.0, 1.0, 4.0, "3Gi", "6Gi"),
    "evaluate": _resources(2 * 3600.0, 0.5, 2.0, "2Gi", "4Gi"),
    "convert": _resources(2 * 3600.0, 0.5, 2.0, "3Gi", "6Gi"),
    "serving_check": _resources(3600.0, 0.5, 2.0, "2Gi", "4Gi"),
    "gate": _DECIDES,
    "rollout": _WAITS,
    "hold": _DECIDES,
    "record": _DECIDES,
}
"""Room for data of some hundred thousand rows; TensorFlow alone takes half a gigabyte. Rollout waits for a release."""


@dataclass(frozen=True)
class Pod:
    """All that one step's pod may use, every default filled in."""

    limit: float
    cpu: Cpu
    memory: PodMemory
    gpu: Gpu | None
    spot: Spot | None
    selector: dict[str, str]
    tolerations: list[Toleration]


class ClusterTarget(Block):
    """Steps are pods of a cluster with Kubeflow Pipelines."""

    kind: Literal["kubeflow"]

    volumes: list[Volume] = []
    """What every step's pod sees at the same path."""

    run_root: PlaceUri
    """Folder of all runs, as every pod sees it: a path in a volume, or a URI."""

    inputs: PlaceUri
    """The input store: `compile --upload` puts data and code there by content, and pods read them. A `gs://` URI, or a
    path in a volume that is mounted at the same path where people compile."""

    group: PlaceUri
    """Folder of the serving group that runs release to, as `run_root`."""

    host: Annotated[str, AfterValidator(api_address)] | None = None
    """Address of KFP's API and pipeline UI, e.g. `https://kfp.example.com`; none by default: files can be uploaded by
    hand."""

    namespace: Namespace = "kubeflow"
    """The namespace of Pipeline objects (`--format k8s`); KFP's own by default."""

    steps: dict[StepName, PodOptions] = {}
    """What single steps may use, by the step's name."""

    nodes: Nodes = Nodes()
    """Nodes that all steps may run on."""

    secrets: list[SecretUse] = []
    """Secrets that every step gets, as variables or as files."""

    labels: dict[LabelKey, LabelValue] = {}
    """Labels of every step's pod."""

    annotations: dict[LabelKey, AnnotationValue] = {}
    """Annotations of every step's pod."""

    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    """When nodes fetch an image; one named by its digest cannot change, so once is enough."""

    pull_secrets: list[ObjectName] = []
    """Secrets by which nodes fetch images from a private registry."""

    security: Security = Security()
    """As whom steps run."""

    ttl: Annotated[Duration, Field(le=2**31 - 1)] = 7 * 86400.0
    """How long a finished run's workflow object stays in the cluster: seven days. Records and artifacts stay longer."""

    lint: LintOptions = LintOptions()
    """How compiled files are judged."""

    @field_validator("run_root", "inputs", "group")
    @classmethod
    def _lies_in_a_volume(cls, uri: str, info: ValidationInfo) -> str:
        if "volumes" not in info.data or scheme_of(uri) not in ("", "file"):
            return uri
        if volume_of(uri, info.data["volumes"]) is None:
            raise ValueError(
                f"received {uri!r}, which lies in no volume: each pod would have a folder of its own there; expected "
                f"e.g. volumes: [{{claim: ferryman, path: {local_path(uri).parent}}}]"
            )
        return uri

    @field_validator("volumes")
    @classmethod
    def _volumes_lie_apart(cls, volumes: list[Volume]) -> list[Volume]:
        _expect_once("path", [volume.path for volume in volumes])
        return volumes

    @field_validator("secrets")
    @classmethod
    def _secrets_lie_apart(cls, secrets: list[SecretUse], info: ValidationInfo) -> list[SecretUse]:
        taken = [volume.path for volume in info.data.get("volumes", [])]
        _expect_once("path", [*taken, *(secret.mount for secret in secrets if secret.mount)])
        _expect_once("variable", [variable for secret in secrets for variable in secret.env])
        return secrets

    @field_validator("steps")
    @classmethod
    def _only_training_has_gpus(cls, steps: dict[StepName, PodOptions]) -> dict[StepName, PodOptions]:
        for step, options in steps.items():
            if options.gpu and step != "train":
                raise ValueError(f"received a gpu for {step}, expected one for train alone: no other image drives GPUs")
        return steps

    @property
    def with_gpu(self) -> list[str]:
        """The steps that have GPUs."""
        return [step for step, options in self.steps.items() if options.gpu]

    def pod(self, step: StepName) -> Pod:
        """What a step's pod may use."""
        said, usual = self.steps.get(step, PodOptions()), DEFAULTS[step]
        places = [self.nodes, said.nodes, said.spot or Nodes()]
        return Pod(
            limit=said.limit or usual.limit,
            cpu=said.cpu or usual.cpu,
            memory=said.memory or usual.memory,
            gpu=said.gpu,
            spot=said.spot,
            selector={key: value for place in places for key, value in place.selector.items()},
            tolerations=[toleration for place in places for toleration in place.tolerations],
        )


def _expect_once(what: str, names: list[str]) -> None:
    """ValueError for a name that is taken twice: Kubernetes refuses the pod, or the last one wins."""
    twice = [name for name, number in Counter(names).items() if number > 1]
    if twice:
        raise ValueError(f"received the {what} {twice[0]} twice in every pod, expected each {what} once")


def volume_of(uri: str, volumes: Iterable[Volume]) -> Volume | None:
    """The volume that a path or `file://` URI lies in."""
    path = local_path(uri)
    return next((volume for volume in volumes if ".." not in path.parts and path.is_relative_to(volume.path)), None)
