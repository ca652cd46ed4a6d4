"""The Kubernetes objects that carry a pipeline or start one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from ferryman_pipelines.lint.container import Container, pod_containers, under

KINDS: Final = {
    "Pipeline": "pipelines.kubeflow.org",
    "PipelineVersion": "pipelines.kubeflow.org",
    "CronJob": "batch",
    "ScheduledWorkflow": "kubeflow.org",
}
"""The kinds that rules know, with the API group of each."""


@dataclass(frozen=True)
class Manifest:
    """One Kubernetes object."""

    where: str
    """What the places of this document begin with."""

    body: dict[str, Any]

    @property
    def kind(self) -> str:
        """What the object says that it is."""
        return str(self.body.get("kind", ""))

    @property
    def name(self) -> str:
        """Its name; empty when it has none."""
        return str(under(self.body, "metadata").get("name", ""))

    @property
    def spec(self) -> dict[str, Any]:
        """Its `spec`; empty when it has none."""
        return under(self.body, "spec")

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """The containers that it starts."""
        if self.kind != "CronJob":
            return ()
        job = under(self.spec, "jobTemplate", "spec")
        pod = under(job, "template", "spec")
        ends = "activeDeadlineSeconds" in job or "activeDeadlineSeconds" in pod
        return tuple(pod_containers(f"{self.where}spec.jobTemplate.spec.template.spec", pod, ends))


def is_known(document: Any) -> bool:
    """Whether a document is an object of a kind that rules know, by kind and API group."""
    if not isinstance(document, dict):
        return False
    group, _, _ = str(document.get("apiVersion", "")).partition("/")
    return KINDS.get(str(document.get("kind", ""))) == group
