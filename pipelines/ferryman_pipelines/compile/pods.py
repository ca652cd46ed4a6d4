"""What a cluster's pods are told, as KFP's SDK says it: image, resources, nodes, secrets, identity, time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, cast

from ferryman.spec.cluster import ClusterTarget, Pod
from ferryman.spec.pods import Spot
from ferryman.spec.step_names import StepName
from ferryman.spec.units import BYTES
from ferryman.steps.component import Dress

FACTOR: Final = 2.0
"""How many times as long as the wait before each wait for another start is."""

LONGEST: Final = 2**31 - 1
"""Seconds; KFP's settings hold no more."""


def portable(target: ClusterTarget, images: Mapping[str, str]) -> Dress:
    """A dress with what every KFP backend understands: image, processors, memory, GPUs, retries.

    `images`: step -> reference.
    """

    def dress(step: str, task: Any) -> None:
        pod = target.pod(cast(StepName, step))
        task.set_container_image(images[step])
        task.set_cpu_request(_cores(pod.cpu.request or pod.cpu.limit)).set_cpu_limit(_cores(pod.cpu.limit))
        task.set_memory_request(_mebibytes(pod.memory.request or pod.memory.limit))
        task.set_memory_limit(_mebibytes(pod.memory.limit))
        if pod.gpu:
            task.set_accelerator_type(pod.gpu.resource).set_accelerator_limit(pod.gpu.count)
        if pod.spot:
            _repeat(task, pod.spot, pod.limit)

    return dress


def kubernetes(target: ClusterTarget, images: Mapping[str, str]) -> Dress:
    """A dress with that, and with what Kubernetes alone understands."""
    plain = portable(target, images)

    def dress(step: str, task: Any) -> None:
        plain(step, task)
        pod = target.pod(cast(StepName, step))
        _place(task, pod)
        _identify(task, target, step)
        _trust(task, target)

    return dress


def _repeat(task: Any, spot: Spot, limit: float) -> None:
    """Start it again when its node was taken away; `limit`: seconds that it may take each time."""
    task.set_retry(
        spot.retries,
        backoff_duration=f"{math.ceil(spot.backoff)}s",
        backoff_factor=FACTOR,
        # No wait between two starts: Argo counts it from the first start, work included, and then ends the step even
        # while it works (Argo 3.7, processNodeRetries). KFP's default of an hour would end a training of two.
        backoff_max_duration=f"{min(math.ceil(spot.longest(limit, FACTOR)), LONGEST)}s",
    )


def _place(task: Any, pod: Pod) -> None:
    """Where it runs, and for how long."""
    from kfp import kubernetes

    kubernetes.set_timeout(task, math.ceil(pod.limit))
    for key, value in sorted(pod.selector.items()):
        kubernetes.add_node_selector(task, key, value)
    for toleration in pod.tolerations:
        kubernetes.add_toleration(task, **toleration.model_dump())


def _identify(task: Any, target: ClusterTarget, step: str) -> None:
    """What it is called, for those who look for it."""
    from kfp import kubernetes

    labels = {"app.kubernetes.io/managed-by": "ferryman", "app.kubernetes.io/component": step, **target.labels}
    for key, value in sorted(labels.items()):
        kubernetes.add_pod_label(task, key, value)
    for key, value in sorted(target.annotations.items()):
        kubernetes.add_pod_annotation(task, key, value)


def _trust(task: Any, target: ClusterTarget) -> None:
    """As whom it runs, and with which volumes and secrets."""
    from kfp import kubernetes

    kubernetes.set_security_context(
        task, run_as_user=target.security.user, run_as_group=target.security.group, run_as_non_root=True
    )
    for volume in target.volumes:
        kubernetes.mount_pvc(task, volume.claim, volume.path, volume.sub_path)
    kubernetes.set_image_pull_policy(task, target.pull_policy)
    if target.pull_secrets:
        kubernetes.set_image_pull_secrets(task, list(target.pull_secrets))
    for secret in target.secrets:
        if secret.mount:
            kubernetes.use_secret_as_volume(task, secret.name, secret.mount, optional=secret.optional)
        else:
            # One at a time: in one call a key has one variable.
            for variable, key in sorted(secret.env.items()):
                kubernetes.use_secret_as_env(task, secret.name, {key: variable}, optional=secret.optional)


def _cores(count: float) -> str:
    return f"{round(count * 1000)}m"


def _mebibytes(size: int) -> str:
    return f"{max(1, size // BYTES['Mi'])}Mi"
